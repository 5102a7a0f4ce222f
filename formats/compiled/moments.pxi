"""Times that were seen, and what the pieces of a line that depend on them print.

A key is the bytes of what a record states; the texts come from the reference. A table that is full
is emptied: hostile times cannot fill the memory.
"""

cdef enum:
    MOMENT_BUCKETS = 4096  # a power of two
    MAX_MOMENTS = 2000
    MAX_MOMENT_KEY = 512
    MAX_TIME_TEXT = 80  # `formats.times` refuses longer ones


cdef struct Moment:
    uint64_t digest
    Py_ssize_t key_size
    uint8_t* key  # behind it the texts, then WIDTH bytes
    Py_ssize_t* ends  # where each text ends, counted from the end of the key


cdef struct Moments:
    Moment** buckets
    int count
    uint64_t seed  # or times could be chosen that all lie in one place
    int texts  # how many a moment has


cdef int open_moments(Moments* moments, int texts) except -1:
    moments.texts = texts
    moments.buckets = <Moment**>calloc(MOMENT_BUCKETS, sizeof(Moment*))
    if moments.buckets is NULL:
        raise MemoryError
    return 0


cdef void forget_moments(Moments* moments) noexcept nogil:
    cdef int bucket
    if moments.buckets is NULL:
        return
    for bucket in range(MOMENT_BUCKETS):
        free(moments.buckets[bucket])
        moments.buckets[bucket] = NULL
    moments.count = 0


cdef void close_moments(Moments* moments) noexcept nogil:
    forget_moments(moments)
    free(moments.buckets)


cdef inline uint64_t moment_digest(
    const uint8_t* key, Py_ssize_t size, uint64_t seed
) noexcept nogil:
    cdef uint64_t digest = 14695981039346656037u ^ seed
    cdef Py_ssize_t index
    for index in range(size):
        digest = (digest ^ key[index]) * 1099511628211u
    return digest ^ digest >> 29


cdef inline bint is_moment(Moment* moment, const uint8_t* key, Py_ssize_t size) noexcept nogil:
    return (
        moment is not NULL and moment.key_size == size and memcmp(moment.key, key, size) == 0
    )


cdef Moment* find_moment(Moments* moments, const uint8_t* key, Py_ssize_t size) noexcept nogil:
    cdef uint64_t digest = moment_digest(key, size, moments.seed)
    cdef uint64_t bucket = digest & (MOMENT_BUCKETS - 1)
    while moments.buckets[bucket] is not NULL:
        if moments.buckets[bucket].digest == digest and is_moment(
            moments.buckets[bucket], key, size
        ):
            return moments.buckets[bucket]
        bucket = (bucket + 1) & (MOMENT_BUCKETS - 1)
    return NULL


cdef int add_moment(
    Moments* moments, const uint8_t* key, Py_ssize_t key_size, tuple texts
) except -1:
    """Remember the texts of a key that is not there. Pointers to other moments may be lost."""
    cdef Moment* moment
    cdef Py_ssize_t size = 0, head = sizeof(Moment) + moments.texts * sizeof(Py_ssize_t)
    cdef uint64_t bucket
    cdef bytes text
    cdef int number
    if len(texts) != moments.texts:
        raise ValueError("not as many texts as pieces")
    if moments.count == MAX_MOMENTS:
        forget_moments(moments)
    for text in texts:
        size += len(text)
    moment = <Moment*>calloc(1, head + key_size + size + WIDTH)
    if moment is NULL:
        raise MemoryError
    moment.ends = <Py_ssize_t*>(<uint8_t*>moment + sizeof(Moment))
    moment.key = <uint8_t*>moment + head
    memcpy(moment.key, key, key_size)
    moment.key_size, moment.digest = key_size, moment_digest(key, key_size, moments.seed)
    size = 0
    for number, text in enumerate(texts):
        memcpy(moment.key + key_size + size, <const uint8_t*><const char*>text, len(text))
        size += len(text)
        moment.ends[number] = size
    bucket = moment.digest & (MOMENT_BUCKETS - 1)
    while moments.buckets[bucket] is not NULL:
        bucket = (bucket + 1) & (MOMENT_BUCKETS - 1)
    moments.buckets[bucket] = moment
    moments.count += 1
    return 0
