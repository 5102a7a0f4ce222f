"""Values that nobody reads: skipped, once it is certain that they hide nothing of the record.

Two texts that leave their places could put what is between them into an object that nobody reads.
So an object with a key that says whose record it is, at any depth, is for the reference to judge.
"""


cdef inline const uint8_t* skip_key(
    Keys* keys, const uint8_t* at, const uint8_t* end, uint8_t** scratch
) noexcept nogil:
    """Skip a key of an object and the colon. One that is not known is asked for."""
    cdef Key* key = NULL
    at = skip_space(at, end)
    if at >= end or at[0] != QUOTE:
        return NULL
    at = look_up_key(keys, at + 1, end, &key, scratch)
    if at is NULL or key.whose:
        return NULL
    return at


cdef const uint8_t* skip_value(
    Keys* keys, const uint8_t* at, const uint8_t* end, uint8_t** scratch
) noexcept nogil:
    """Skip any value, which must be JSON, hide nothing, and be at most MAX_DEPTH deep."""
    cdef Value value
    cdef uint64_t objects = 0  # a bit for each level: whether it is an object
    cdef int depth = 0
    cdef bint opened
    while True:
        at = skip_space(at, end)
        if at >= end:
            return NULL
        opened = at[0] == OPEN or at[0] == OPEN_ARRAY
        if opened:
            if depth == MAX_DEPTH:
                return NULL
            depth += 1
            objects = objects << 1 | (at[0] == OPEN)
            at = skip_space(at + 1, end)
            if at >= end:
                return NULL
            if at[0] != (CLOSE if objects & 1 else CLOSE_ARRAY):
                if objects & 1:
                    at = skip_key(keys, at, end, scratch)
                    if at is NULL:
                        return NULL
                continue
        else:
            at = read_scalar(at, end, &value, scratch)
            if at is NULL:
                return NULL
        # Behind a value, or at the end of one that is empty.
        while depth:
            at = skip_space(at, end)
            if at >= end:
                return NULL
            if at[0] == COMMA and not opened:
                at += 1
                if objects & 1:
                    at = skip_key(keys, at, end, scratch)
                    if at is NULL:
                        return NULL
                break
            if at[0] != (CLOSE if objects & 1 else CLOSE_ARRAY):
                return NULL
            opened = False
            at += 1
            objects >>= 1
            depth -= 1
        else:
            return at
