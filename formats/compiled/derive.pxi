"""Texts that follow from others: in base64, out of base64, the path of a URL (`formats.values`).

What is base64 only to a lenient reader, and bytes that are no UTF-8, are for the reference.
"""

cdef enum:
    FAILS = 100  # beside DONE and the like: what a derivation returns that has no result


cdef struct Buffer:
    uint8_t* start
    Py_ssize_t room


cdef int8_t DIGITS[256]  # what a letter of base64 stands for, -1 for others
cdef const char* LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


cdef void fill_digits() noexcept:
    cdef int number
    memset(DIGITS, 0xFF, 256)
    for number in range(64):
        DIGITS[<uint8_t>LETTERS[number]] = <int8_t>number
    DIGITS[MINUS], DIGITS[95] = 62, 63  # as URLs have it: - and _


fill_digits()


cdef inline bint has_buffer(Buffer* buffer, Py_ssize_t size) noexcept nogil:
    """Make room for `size` bytes and WIDTH more; what was there is lost."""
    cdef void* larger
    if buffer.room >= size + WIDTH:
        return True
    larger = realloc(buffer.start, 2 * size + WIDTH)
    if larger is NULL:
        return False
    buffer.start, buffer.room = <uint8_t*>larger, 2 * size + WIDTH
    return True


cdef bint is_text(const uint8_t* text, Py_ssize_t size, const char* word) noexcept nogil:
    return size == <Py_ssize_t>strlen(word) and memcmp(text, word, size) == 0


cdef bint is_no_text(const uint8_t* text, Py_ssize_t size) noexcept nogil:
    """Whether a text is one of `formats.values.NO_TEXT`."""
    return size <= 7 and (
        is_text(text, size, b"None")
        or is_text(text, size, b"NA")
        or is_text(text, size, b"N/A")
        or is_text(text, size, b"Unknown")
    )


cdef bint flag_text(Value* value) noexcept nogil:
    """Find out what a text may hold; false if it is not UTF-8."""
    cdef const uint8_t* at = value.text
    cdef const uint8_t* end = at + value.size
    cdef int size
    while at < end:
        size = 1
        if at[0] >= 0x80:
            size = sequence_size(at, end)
            if size == 0:
                return False
            value.flags |= HIGH
            if is_unsafe_sequence(at):
                value.flags |= CONTROL
        elif at[0] < 0x20 or at[0] == 0x7F:
            value.flags |= CONTROL
        at += size
    return True


cdef int unbase64(Buffer* buffer, const Value* value, Value* plain) noexcept nogil:
    """Decode base64; returns DONE, FAILS for a word for no text, HAND_OVER or NO_MEMORY."""
    cdef const uint8_t* text = value.text
    cdef Py_ssize_t size = value.size, index
    cdef uint8_t* out
    cdef uint32_t bits = 0
    cdef int digit
    if is_no_text(text, size):
        return FAILS
    while size and text[size - 1] == c"=":
        size -= 1
    if size % 4 == 1 or value.size - size > (4 - size % 4) % 4:
        return HAND_OVER
    if not has_buffer(buffer, size):
        return NO_MEMORY
    out = buffer.start
    for index in range(size):
        digit = DIGITS[text[index]]
        if digit < 0:
            return HAND_OVER
        bits = bits << 6 | <uint32_t>digit
        if index % 4:  # each digit but the first of four ends a byte
            out[0] = <uint8_t>(bits >> (6 - 2 * (index % 4)))
            out += 1
    if (size % 4 == 2 and bits & 15) or (size % 4 == 3 and bits & 3):
        return HAND_OVER
    plain.text, plain.size, plain.kind = buffer.start, out - buffer.start, TEXT
    plain.flags = ESCAPED | PADDED  # it may hold anything, quotes too
    return DONE if flag_text(plain) else HAND_OVER


cdef int to_base64(Buffer* buffer, const Value* value, Value* coded) noexcept nogil:
    """Encode as base64; returns DONE or NO_MEMORY."""
    cdef const uint8_t* at = value.text
    cdef const uint8_t* end = at + value.size
    cdef uint8_t* out
    cdef uint32_t bits
    cdef int given, index
    if not has_buffer(buffer, value.size // 3 * 4 + 4):
        return NO_MEMORY
    out = buffer.start
    while at < end:
        given = <int>min(end - at, 3)
        bits = 0
        for index in range(3):
            bits = bits << 8 | (at[index] if index < given else 0)
        for index in range(4):
            out[index] = c"="
            if index <= given:
                out[index] = <uint8_t>LETTERS[bits >> (18 - 6 * index) & 63]
        out += 4
        at += given
    coded.text, coded.size, coded.kind = buffer.start, out - buffer.start, TEXT
    coded.flags = ESCAPED | PADDED
    return DONE


cdef int to_path(const Value* value, Value* path) noexcept nogil:
    """Find the path of a URL; returns DONE, or FAILS for the word for none."""
    cdef const uint8_t* text = value.text
    cdef const uint8_t* end = text + value.size
    cdef const uint8_t* at = text
    if is_text(text, value.size, b"None"):
        return FAILS
    while at < end and at[0] != c"/" and at[0] != c"?" and at[0] != c"#":
        at += 1
    path[0] = value[0]
    if at == end or at[0] != c"/":
        path.text, path.size, path.flags = <const uint8_t*>b"/", 1, 0
        return DONE
    path.text = at
    while at < end and at[0] != c"?" and at[0] != c"#":
        at += 1
    path.size = at - path.text
    path.kind = TEXT
    return DONE


cdef int derive(
    Buffer* buffer, const Value* value, int how, Value* derived, bint* encoded
) noexcept nogil:
    """Derive a text; returns DONE, FAILS, HAND_OVER or NO_MEMORY.

    What comes out is in the buffer, or a part of the value. `encoded` says whether it is printed as
    encoded fields are.
    """
    if how == SAME or how == ENCODE:
        derived[0] = value[0]
        encoded[0] = encoded[0] or how == ENCODE
        return DONE
    if how == TO_BASE64:
        return to_base64(buffer, value, derived)
    if how == UNBASE64 or how == UNBASE64_ENCODE:
        encoded[0] = encoded[0] or how == UNBASE64_ENCODE
        return unbase64(buffer, value, derived)
    if how == PATH:
        encoded[0] = True
        return to_path(value, derived)
    return HAND_OVER
