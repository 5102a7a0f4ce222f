"""Twins: fields that state the same text, a plain one and its `%HH`-encoded and base64 ones.

If a record states several they must agree. Those that certainly do are printed.
"""

cdef struct Twin:
    int one, other  # slots
    int in_base64  # 1: the one is, 2: the other, 0: neither


cdef inline int hex_digit(uint8_t byte) noexcept nogil:
    if is_digit(byte):
        return byte - 48
    return (byte | 32) - 87 if 97 <= (byte | 32) <= 102 else -1


cdef inline uint8_t next_unescaped(const uint8_t** at, const uint8_t* end) noexcept nogil:
    """Read a byte, or the `%HH` that stands for one. Needs `at < end`."""
    cdef uint8_t byte = at[0][0]
    cdef int high, low
    if byte == PERCENT and end - at[0] >= 3:
        high, low = hex_digit(at[0][1]), hex_digit(at[0][2])
        if high >= 0 and low >= 0:
            at[0] += 3
            return <uint8_t>(high << 4 | low)
    at[0] += 1
    return byte


cdef bint is_same_text(const Value* one, const Value* other) noexcept nogil:
    """Whether two texts are the same with every `%HH` decoded."""
    cdef const uint8_t* at = one.text
    cdef const uint8_t* other_at = other.text
    cdef const uint8_t* end = at + one.size
    cdef const uint8_t* other_end = other_at + other.size
    if one.size == other.size and memcmp(at, other_at, one.size) == 0:
        return True
    while at < end and other_at < other_end:
        if next_unescaped(&at, end) != next_unescaped(&other_at, other_end):
            return False
    return at == end and other_at == other_end


cdef bint is_same_plain(const Value* coded, const Value* other, Buffer* buffer) noexcept nogil:
    """Whether a text in base64, which a word for no text is not, and another are the same."""
    cdef Value plain
    cdef int done = unbase64(buffer, coded, &plain)
    if done == FAILS:
        return is_same_text(coded, other)
    return done == DONE and is_same_text(&plain, other)


cdef bint twins_agree(
    const Twin* twins, int count, const Value* values, uint64_t stamp, Buffer* buffer
) noexcept nogil:
    """Whether all twins that a record states certainly have the same text."""
    cdef const Value* one
    cdef const Value* other
    cdef bint same
    cdef int number
    for number in range(count):
        one, other = &values[twins[number].one], &values[twins[number].other]
        if other.stamp != stamp or one.stamp != stamp:  # the other is the rarer one
            continue
        if one.kind == NULL_VALUE or other.kind == NULL_VALUE:
            continue
        if twins[number].in_base64 == 0:
            same = is_same_text(one, other)
        elif twins[number].in_base64 == 1:
            same = is_same_plain(one, other, buffer)
        else:
            same = is_same_plain(other, one, buffer)
        if not same:
            return False
    return True
