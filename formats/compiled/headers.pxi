"""Syslog headers: whether one may stand at the beginning of a line."""

cdef enum:
    RETURN = 13
    LESS = 60


cdef inline bint may_have_header(const uint8_t* at, const uint8_t* stop) noexcept nogil:
    """Whether a line may begin with a header; false where `syslog_header.may_begin` finds none."""
    if at == stop:
        return False
    if at[0] == LESS:
        return True
    if stop - at < 11:
        return False
    if is_digit(at[0]):
        return at[4] == MINUS and at[10] == c"T"
    return 65 <= at[0] <= 90 and at[3] == 32 and (at[4] == 32 or is_digit(at[4]))
