"""JSON: values of a record, found where they stand.

Only what is certain to be JSON, and to mean the same to the reference, is read. For anything else
every function returns `NULL`, and the reference reads the record. Positions are never beyond `end`,
and a byte is read only where `at < end` has been seen.
"""

cdef enum:
    LINE_FEED = 10
    QUOTE = 34
    PERCENT = 37
    COMMA = 44
    MINUS = 45
    DOT = 46
    ZERO = 48
    NINE = 57
    COLON = 58
    OPEN_ARRAY = 91
    BACKSLASH = 92
    CLOSE_ARRAY = 93
    OPEN = 123
    CLOSE = 125

cdef enum:  # what a value is
    NULL_VALUE
    TEXT
    INTEGER
    OTHER  # a number that is no integer, true, false

cdef enum:
    MAX_DIGITS = 19
    MAX_DEPTH = 60


cdef struct Value:
    const uint8_t* text  # in the batch, or in the scratch if it had escapes; digits of a number
    Py_ssize_t size
    int64_t number
    uint64_t stamp  # the record that states it
    uint8_t kind
    uint8_t flags


cdef inline bint is_digit(uint8_t byte) noexcept nogil:
    return ZERO <= byte <= NINE


cdef inline const uint8_t* skip_space(const uint8_t* at, const uint8_t* end) noexcept nogil:
    # No line feed: it ends the record.
    while at < end and (at[0] == 32 or at[0] == 9 or at[0] == 13):
        at += 1
    return at


cdef const uint8_t* blank_end(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Return what follows a line of white space alone, its line feed included; else `NULL`."""
    while at < end and (at[0] == 32 or 9 <= at[0] <= 13):
        if at[0] == LINE_FEED:
            return at + 1
        at += 1
    return at if at == end else NULL


cdef inline int hex4(const uint8_t* at) noexcept nogil:
    """Return the number of four hexadecimal digits; -1 if they are none."""
    cdef int one = nss_hex[at[0]], two = nss_hex[at[1]], three = nss_hex[at[2]], four = nss_hex[at[3]]
    if one and two and three and four:
        return (one - 1) << 12 | (two - 1) << 8 | (three - 1) << 4 | (four - 1)
    return -1


cdef inline uint8_t* put_character(uint8_t* out, int code) noexcept nogil:
    if code < 0x80:
        out[0] = <uint8_t>code
        return out + 1
    if code < 0x800:
        out[0] = <uint8_t>(0xC0 | code >> 6)
        out[1] = <uint8_t>(0x80 | code & 63)
        return out + 2
    if code < 0x10000:
        out[0] = <uint8_t>(0xE0 | code >> 12)
        out[1] = <uint8_t>(0x80 | code >> 6 & 63)
        out[2] = <uint8_t>(0x80 | code & 63)
        return out + 3
    out[0] = <uint8_t>(0xF0 | code >> 18)
    out[1] = <uint8_t>(0x80 | code >> 12 & 63)
    out[2] = <uint8_t>(0x80 | code >> 6 & 63)
    out[3] = <uint8_t>(0x80 | code & 63)
    return out + 4


cdef const uint8_t* read_escape(
    const uint8_t* at, const uint8_t* end, uint8_t** out, unsigned* flags
) noexcept nogil:
    """Write what the escape behind a backslash stands for; it is never longer than the escape."""
    cdef int code, low
    if at >= end:
        return NULL
    code = at[0]
    at += 1
    if code == c"u":
        if end - at < 4:
            return NULL
        code = hex4(at)
        at += 4
        if 0xD800 <= code < 0xDC00:
            if end - at < 6 or at[0] != BACKSLASH or at[1] != c"u":
                return NULL
            low = hex4(at + 2)
            if not 0xDC00 <= low < 0xE000:
                return NULL
            at += 6
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        elif code < 0 or 0xDC00 <= code < 0xE000:
            return NULL
    else:
        code = nss_escape[code]
        if code == 0:
            return NULL
    if code >= 0x80:
        flags[0] |= HIGH
    if code < 0x20 or 0x7F <= code < 0xA0 or code == 0x2028 or code == 0x2029:
        flags[0] |= CONTROL
    out[0] = put_character(out[0], code)
    return at


cdef nss_stop read_odd_escapes(
    const uint8_t* at, const uint8_t* end, uint8_t** scratch, unsigned flags
) noexcept nogil:
    """Read the rest of a string from an escape that takes a closer look, up to its quote."""
    while at is not NULL and at[0] == BACKSLASH:
        at = read_escape(at + 1, end, scratch, &flags)
        if at is not NULL:
            at = nss_put_text(scratch, at, end, &flags)
    return nss_stop(at, flags)


cdef inline const uint8_t* read_string(
    const uint8_t* at, const uint8_t* end, Value* value, uint8_t** scratch
) noexcept nogil:
    """Read a string of which the first quote has been read.

    All strings of a record take less of the scratch than the record has bytes.
    """
    cdef const uint8_t* block
    cdef nss_stop stop = nss_stop(nss_plain_block(at, end, &block), 0)
    value.text, value.kind = at, TEXT
    if stop.end < end and stop.end[0] == QUOTE:
        value.size, value.flags = stop.end - at, PADDED if end - stop.end >= WIDTH else 0
        return stop.end + 1
    if stop.end < end and stop.end[0] != BACKSLASH:
        stop = nss_text_end(block, end)
        if stop.end is NULL:
            return NULL
        if stop.end[0] == QUOTE:
            value.size, value.flags = stop.end - at, <uint8_t>stop.flags
            return stop.end + 1
        block = stop.end
    if stop.end >= end or stop.end[0] != BACKSLASH:  # a control character is not JSON
        return NULL
    value.text, value.flags = scratch[0], <uint8_t>stop.flags
    stop = nss_put_escaped(scratch, at, block, stop.end, end)
    if stop.end is not NULL and stop.end[0] == BACKSLASH:
        stop = read_odd_escapes(stop.end, end, scratch, <unsigned>stop.flags)
    if stop.end is NULL or stop.end[0] != QUOTE:
        return NULL
    value.size = scratch[0] - value.text
    value.flags |= <uint8_t>stop.flags
    return stop.end + 1


cdef inline const uint8_t* read_number(
    const uint8_t* at, const uint8_t* end, Value* value
) noexcept nogil:
    """Read a number: an integer of 64 bits as a value, a simple fraction as `OTHER`.

    Also used for the text of a quoted number, of which it may then leave something.
    """
    cdef const uint8_t* start = at
    cdef const uint8_t* digits
    cdef uint64_t number = 0
    cdef bint negative = at < end and at[0] == MINUS
    at += negative
    digits = at
    while at < end and is_digit(at[0]):
        number = number * 10 + (at[0] - 48)  # too large a number is refused below
        at += 1
    if at == digits or at - digits > MAX_DIGITS or (digits[0] == ZERO and at - digits > 1):
        return NULL
    if at < end and at[0] == DOT:
        at += 1
        digits = at
        while at < end and is_digit(at[0]):
            at += 1
        if at == digits or at - digits > MAX_DIGITS:
            return NULL
        value.kind = OTHER
        return at
    if number > <uint64_t>INT64_MAX or (negative and number == 0):
        return NULL
    value.text, value.size = start, at - start
    value.flags = PADDED if end - at >= WIDTH else 0
    value.kind = INTEGER
    value.number = -<int64_t>number if negative else <int64_t>number
    return at


cdef inline const uint8_t* read_word(
    const uint8_t* at, const uint8_t* end, const char* word, int size
) noexcept nogil:
    return at + size if end - at >= size and memcmp(at, word, size) == 0 else NULL


cdef inline const uint8_t* read_scalar(
    const uint8_t* at, const uint8_t* end, Value* value, uint8_t** scratch
) noexcept nogil:
    """Read a string, a number, `true`, `false` or `null`. Needs `at < end`."""
    if at[0] == QUOTE:
        return read_string(at + 1, end, value, scratch)
    if at[0] == MINUS or is_digit(at[0]):
        return read_number(at, end, value)
    value.kind = OTHER
    if at[0] == c"t":
        return read_word(at, end, b"true", 4)
    if at[0] == c"f":
        return read_word(at, end, b"false", 5)
    value.kind = NULL_VALUE
    return read_word(at, end, b"null", 4)
