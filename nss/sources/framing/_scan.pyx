# cython: language_level=3, cdivision=True, wraparound=False, boundscheck=False
"""The loops of framing over every byte, with the interpreter lock released.

Each does what the Python beside it does with whatever is ordinary, and stops at all else. Bytes are
read between two indices that the length of the block bounds; lengths in octet counts have at most
ten digits, so no sum of them and an index overflows 63 bits.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy

DEPTH = 1024
"""How many brackets may be open at once; what is deeper is Python's."""

MORE, DONE, BROKEN, DEEP = range(4)
"""What a scan of an object came to: see `scan_object`."""

cdef enum:
    _DEPTH = 1024
    _CHUNK = 32768  # is still in the first-level cache when it is looked at after it was copied
    _SMALL = 4096  # not worth releasing the lock for
    _MORE = 0
    _DONE = 1
    _BROKEN = 2
    _DEEP = 3


# Lines.

cdef struct Counted:
    Py_ssize_t lines  # -1: one is not plain
    Py_ssize_t start  # where the line begins that has no end yet


cdef void count_chunk(
    Counted* counted, const uint8_t* data, Py_ssize_t at, Py_ssize_t end, Py_ssize_t max_bytes
) noexcept nogil:
    """Count the lines that end between `at` and `end`."""
    cdef const uint8_t* found
    cdef Py_ssize_t start = counted.start, stop
    if memchr(data + at, c"\r", end - at) != NULL:
        counted.lines = -1
        return
    while True:
        found = <const uint8_t*>memchr(data + at, c"\n", end - at)
        if found == NULL:
            break
        stop = found - data
        # An array, or what may be a blank line: white space is nothing above a space.
        if stop == start or stop - start > max_bytes or data[start] <= 32 or data[start] == c"[":
            counted.lines = -1
            return
        counted.lines += 1
        start = at = stop + 1
    counted.start = start


cdef Py_ssize_t copy_and_count(
    uint8_t* out, const uint8_t* half, Py_ssize_t half_bytes, const uint8_t* block,
    Py_ssize_t block_bytes, Py_ssize_t max_bytes
) noexcept nogil:
    """Put both behind each other, unless they are there already; return how many lines that is."""
    cdef Counted counted
    cdef Py_ssize_t at = 0, chunk
    cdef bint copies = out != block
    counted.lines = counted.start = 0
    if half_bytes:
        memcpy(out, half, half_bytes)
        if memchr(out, c"\r", half_bytes) != NULL:
            counted.lines = -1
    while at < block_bytes:
        chunk = min(block_bytes - at, <Py_ssize_t>_CHUNK)
        if copies:
            memcpy(out + half_bytes + at, block + at, chunk)
        if counted.lines >= 0:
            count_chunk(&counted, out, half_bytes + at, half_bytes + at + chunk, max_bytes)
        at += chunk
    return counted.lines


def plain_lines(
    const uint8_t[::1] half, bytes block, Py_ssize_t start, Py_ssize_t end, Py_ssize_t max_bytes
):
    """Return half a line and the bytes of a block behind it, and how many lines that is.

    `end` is behind a line feed, and `half` has none. -1 lines: one of them is too long, may be blank
    or an array, or has a CR somewhere.
    """
    cdef Py_ssize_t half_bytes = half.shape[0], block_bytes, lines
    cdef const uint8_t* half_at = &half[0] if half_bytes else NULL
    cdef const uint8_t* block_at
    cdef uint8_t* out
    cdef bytes data
    if not 0 <= start <= end <= len(block):
        raise ValueError("this is not in the block")
    block_at = <const uint8_t*>PyBytes_AS_STRING(block) + start
    block_bytes = end - start
    if half_bytes == 0 and block_bytes == len(block):
        data = block
    else:
        data = PyBytes_FromStringAndSize(NULL, half_bytes + block_bytes)
    out = <uint8_t*>PyBytes_AS_STRING(data)
    if block_bytes < _SMALL:
        lines = copy_and_count(out, half_at, half_bytes, block_at, block_bytes, max_bytes)
    else:
        with nogil:
            lines = copy_and_count(out, half_at, half_bytes, block_at, block_bytes, max_bytes)
    return data, lines


# Octet counts.

cdef struct Run:
    Py_ssize_t at  # behind the last message that was taken, and the breaks after it
    Py_ssize_t records
    Py_ssize_t out_bytes


cdef Run run_of_messages(
    const uint8_t* data, Py_ssize_t at, Py_ssize_t end, Py_ssize_t max_bytes, uint8_t* out
) noexcept nogil:
    """Take ordinary messages one after the other, and write them to `out`, unless it is NULL."""
    cdef Run run
    cdef Py_ssize_t start, stop, length, digits
    run.at = at
    run.records = run.out_bytes = 0
    while True:
        start, length, digits = run.at, 0, 0
        while start < end and digits < 10 and c"0" + (digits == 0) <= data[start] <= c"9":
            length = length * 10 + (data[start] - c"0")
            digits += 1
            start += 1
        if not digits or start >= end or data[start] != c" ":
            return run
        start += 1
        if length > max_bytes or length > end - start:
            return run
        stop = start + length
        while stop > start and (data[stop - 1] == c"\n" or data[stop - 1] == c"\r"):
            stop -= 1
        if stop == start or data[start] <= 32 or data[start] == c"[":
            return run
        if memchr(data + start, c"\n", stop - start) != NULL:
            return run
        if out != NULL:
            memcpy(out + run.out_bytes, data + start, stop - start)
            out[run.out_bytes + stop - start] = c"\n"
        run.out_bytes += stop - start + 1
        run.records += 1
        run.at = start + length
        while run.at < end and (data[run.at] == c"\n" or data[run.at] == c"\r"):
            run.at += 1


def plain_messages(const uint8_t[::1] held, Py_ssize_t at, Py_ssize_t max_bytes):
    """Return the ordinary messages from `at` on as batch data, their number, and where they end.

    Not ordinary are those that are not all there, are longer than `max_bytes`, have a line feed
    inside, may be blank or are an array.
    """
    cdef Py_ssize_t end = held.shape[0]
    cdef const uint8_t* data
    cdef uint8_t* out
    cdef Run run
    cdef bytes taken
    if not 0 <= at < end:
        return b"", 0, at
    data = &held[0]
    with nogil:
        run = run_of_messages(data, at, end, max_bytes, NULL)
    if not run.records:
        return b"", 0, at
    taken = PyBytes_FromStringAndSize(NULL, run.out_bytes)
    out = <uint8_t*>PyBytes_AS_STRING(taken)
    with nogil:
        run = run_of_messages(data, at, end, max_bytes, out)
    return taken, run.records, run.at


# JSON.

cdef struct Scan:
    Py_ssize_t at
    Py_ssize_t depth
    uint8_t before
    bint in_string
    uint8_t open[_DEPTH]


cdef int scan_string(Scan* scan, const uint8_t* data, Py_ssize_t end) noexcept nogil:
    """Go behind the end of a string."""
    cdef Py_ssize_t at = scan.at
    while at < end:
        if data[at] == c'"':
            scan.at = at + 1
            scan.in_string = False
            return _DONE
        if data[at] == c"\n":
            scan.at = at
            return _BROKEN
        if data[at] == c"\\":
            if at + 1 == end:
                break
            if data[at + 1] == c"\n":
                scan.at = at + 1
                return _BROKEN
            at += 1
        at += 1
    scan.at = at
    return _MORE


cdef int scan_on(Scan* scan, const uint8_t* data, Py_ssize_t end) noexcept nogil:
    """Go behind the end of the object, as far as it is there."""
    cdef uint8_t byte
    cdef int came_to
    while True:
        if scan.in_string:
            came_to = scan_string(scan, data, end)
            if came_to != _DONE:
                return came_to
        if scan.at >= end:
            return _MORE
        byte = data[scan.at]
        if byte == c'"':
            scan.in_string = True
        elif byte == c"}" or byte == c"]":
            scan.depth -= 1
            if scan.open[scan.depth] != (c"{" if byte == c"}" else c"["):
                return _BROKEN
        elif byte == c"{" or byte == c"[":
            # In an object only behind a colon; in an array behind its bracket or a comma.
            if scan.open[scan.depth - 1] == c"{":
                if scan.before != c":":
                    return _BROKEN
            elif scan.before != c"[" and scan.before != c",":
                return _BROKEN
            if scan.depth == _DEPTH:
                return _DEEP
            scan.open[scan.depth] = byte
            scan.depth += 1
        if byte != c" " and byte != c"\t" and byte != c"\r" and byte != c"\n":
            scan.before = byte
        scan.at += 1
        if scan.depth == 0:
            return _DONE


def scan_object(
    const uint8_t[::1] buffer, Py_ssize_t at, bytes opened, uint8_t before, bint in_string
):
    """Scan an object from `at` on: `(what, at, opened, before, in_string)`.

    `opened` are the brackets that are open, `before` the last byte that is not blank. It came to
    its end (`DONE`, `at` is behind it), to the end of what is there (`MORE`), to what breaks it
    (`BROKEN`, at `at`), or to what is too deep (`DEEP`).
    """
    cdef Scan scan
    cdef Py_ssize_t end = buffer.shape[0], depth = len(opened)
    cdef const uint8_t* data
    cdef int came_to
    if not 0 < depth <= _DEPTH or not 0 <= at <= end:
        return _DEEP, at, opened, before, in_string
    if at == end:
        return _MORE, at, opened, before, in_string
    data = &buffer[0]
    memcpy(scan.open, PyBytes_AS_STRING(opened), depth)
    scan.at, scan.depth, scan.before, scan.in_string = at, depth, before, in_string
    with nogil:
        came_to = scan_on(&scan, data, end)
    opened = PyBytes_FromStringAndSize(<const char*>scan.open, scan.depth)
    return came_to, scan.at, opened, scan.before, bool(scan.in_string)
