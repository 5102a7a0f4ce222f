"""How far the pass over a batch is."""

cdef struct Array:
    const uint8_t* record  # the next one; `NULL`: no array is at hand
    Py_ssize_t lines  # that were printed before the array
    Py_ssize_t written  # bytes of these
    Py_ssize_t longest  # of them
    Py_ssize_t filtered  # that were before it
    Py_ssize_t shortened  # lines before it that were cut
    bint counted  # keys of its records are counted as pending


cdef struct Run:
    const uint8_t* start
    const uint8_t* at
    const uint8_t* end
    Py_ssize_t number  # of the line at hand
    Py_ssize_t max_bytes  # of a line, if it can be cut to that
    bint ordered  # lines get order keys
    bint refused  # the record at hand has no time, or too many new keys
    int asked  # new keys of the record at hand
    Py_ssize_t again  # bytes that may still be read again
    Array array
