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

cdef enum:  # what a text holds
    ESCAPED = 1  # it had an escape, so it may hold quotes and backslashes
    HIGH = 2  # characters beyond ASCII
    CONTROL = 4  # what never leaves a value as it is: `formats.values.UNSAFE`
    PADDED = 8  # it may be read for WIDTH bytes beyond its end

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


cdef inline int sequence_size(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Return the size of the UTF-8 sequence that begins at a byte from 0x80; 0 if it is none."""
    cdef uint8_t first = at[0]
    cdef Py_ssize_t left = end - at
    if first < 0xC2 or first > 0xF4:
        return 0
    if left < 2 or (at[1] & 0xC0) != 0x80:
        return 0
    if first < 0xE0:
        return 2
    if left < 3 or (at[2] & 0xC0) != 0x80:
        return 0
    if first < 0xF0:
        if (first == 0xE0 and at[1] < 0xA0) or (first == 0xED and at[1] > 0x9F):
            return 0  # overlong, or a surrogate
        return 3
    if left < 4 or (at[3] & 0xC0) != 0x80:
        return 0
    if (first == 0xF0 and at[1] < 0x90) or (first == 0xF4 and at[1] > 0x8F):
        return 0  # overlong, or beyond Unicode
    return 4


cdef inline bint is_unsafe_sequence(const uint8_t* at) noexcept nogil:
    """Whether a whole sequence is C1, U+2028 or U+2029. Reads no more of it than its size."""
    if at[0] == 0xC2:
        return at[1] < 0xA0
    return at[0] == 0xE2 and at[1] == 0x80 and (at[2] == 0xA8 or at[2] == 0xA9)


cdef inline int hex4(const uint8_t* at) noexcept nogil:
    """Return the number of four hexadecimal digits; -1 if they are none."""
    cdef int code = 0, index
    cdef uint8_t byte
    for index in range(4):
        byte = at[index]
        if is_digit(byte):
            code = code * 16 + (byte - 48)
        elif 97 <= (byte | 32) <= 102:
            code = code * 16 + ((byte | 32) - 87)
        else:
            return -1
    return code


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
    const uint8_t* at, const uint8_t* end, uint8_t** out, uint8_t* flags
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


cdef inline const uint8_t* skip_high(
    const uint8_t* at, const uint8_t* end, uint8_t* flags
) noexcept nogil:
    """Skip characters beyond ASCII; `NULL` if they are not UTF-8. Needs a byte from 0x80."""
    cdef int size
    flags[0] |= HIGH
    while True:
        if 0xC2 < at[0] < 0xE0 and end - at >= 2 and (at[1] & 0xC0) == 0x80:
            at += 2
        else:
            size = sequence_size(at, end)
            if size == 0:
                return NULL
            if is_unsafe_sequence(at):
                flags[0] |= CONTROL
            at += size
        if at >= end or at[0] < 0x80:
            return at


cdef const uint8_t* read_escaped_string(
    const uint8_t* at, const uint8_t* end, Value* value, uint8_t flags, uint8_t** scratch
) noexcept nogil:
    """Read the rest of a string from its first backslash; `value.text` is what came before.

    The text goes to the scratch. All strings of a record take less of it than the record has bytes.
    """
    cdef uint8_t* out
    cdef const uint8_t* run
    out = nss_put(scratch[0], value.text, at - value.text, end - at >= WIDTH)
    flags |= ESCAPED | PADDED
    while at < end:
        if at[0] == BACKSLASH:
            if end - at >= 2 and nss_escape[at[1]] >= 0x20:
                out[0] = nss_escape[at[1]]
                out += 1
                at += 2
            else:
                at = read_escape(at + 1, end, &out, &flags)
                if at is NULL:
                    return NULL
        elif at[0] == QUOTE:
            value.text, value.size = scratch[0], out - scratch[0]
            value.kind, value.flags = TEXT, flags
            scratch[0] = out
            return at + 1
        elif at[0] == 0x7F:
            flags |= CONTROL
            out[0] = 0x7F
            out += 1
            at += 1
        elif at[0] < 0x80:  # a control character: not JSON
            return NULL
        else:
            run = at
            at = skip_high(at, end, &flags)
            if at is NULL:
                return NULL
            out = nss_put(out, run, at - run, end - at >= WIDTH)
        at = nss_put_plain(&out, at, end)
    return NULL


cdef const uint8_t* read_odd_string(
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
    Value* value,
    uint8_t** scratch,
) noexcept nogil:
    """Read a string which is plain up to `stop` and not there."""
    cdef uint8_t flags = 0
    value.text = at
    at = stop
    while at < end:
        if at[0] == QUOTE:
            value.size = at - value.text
            value.kind, value.flags = TEXT, flags | (PADDED if end - at >= WIDTH else 0)
            return at + 1
        if at[0] == BACKSLASH:
            return read_escaped_string(at, end, value, flags, scratch)
        if at[0] == 0x7F:
            flags |= CONTROL
            at += 1
        elif at[0] < 0x80:  # a control character: not JSON
            return NULL
        else:
            at = skip_high(at, end, &flags)
            if at is NULL:
                return NULL
        at = nss_plain_end(at, end)
    return NULL


cdef inline const uint8_t* read_string(
    const uint8_t* at, const uint8_t* end, Value* value, uint8_t** scratch
) noexcept nogil:
    """Read a string of which the first quote has been read."""
    cdef const uint8_t* stop = nss_plain_end(at, end)
    if stop < end and stop[0] == QUOTE:
        value.text, value.size, value.kind = at, stop - at, TEXT
        value.flags = PADDED if end - stop >= WIDTH else 0
        return stop + 1
    return read_odd_string(at, stop, end, value, scratch)


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
