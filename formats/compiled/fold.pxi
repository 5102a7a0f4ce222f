"""Texts as filters compare them: each `%HH` decoded, then case-folded (`filters.readings.folded`).

Folding changes one character at a time. What it makes of which comes from Python, see
`predicates.Sieve`; a character beyond that, or a `%HH` that is no UTF-8, is for the reference.
"""

cdef extern from "fold.h" nogil:
    uint8_t* nss_lower(uint8_t* out, const uint8_t* source, Py_ssize_t size)


cdef enum:
    FOLD_SIZE = 7  # of one entry: how many bytes, and the bytes
    FIRST_FOLD = 0x80
    LAST_FOLD = 0x7FF
    FOLD_BLOCK = 256
    FOLD_BLOCKS = 512


cdef struct Folding:
    const uint8_t* folds
    const uint8_t* unfolded
    uint8_t* text  # the last text that was folded
    Py_ssize_t size
    Py_ssize_t room


cdef inline bint has_fold_room(Folding* folding, Py_ssize_t size) noexcept nogil:
    """Make room for any text of so many bytes: folded, two bytes may become six."""
    cdef void* larger
    cdef Py_ssize_t wanted = 3 * size + 16
    if folding.room >= wanted:
        return True
    larger = realloc(folding.text, 2 * wanted)
    if larger is NULL:
        return False
    folding.text, folding.room = <uint8_t*>larger, 2 * wanted
    return True


cdef inline int code_point(const uint8_t* at, int size) noexcept nogil:
    """Return the character of a whole sequence of 2 to 4 bytes."""
    cdef int code = at[0] & (0x7F >> size), index
    for index in range(1, size):
        code = code << 6 | (at[index] & 0x3F)
    return code


cdef inline int escaped_byte(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Return the byte that a `%HH` stands for; -1 if there is none."""
    cdef int high, low
    if end - at < 3 or at[0] != PERCENT:
        return -1
    high, low = hex_digit(at[1]), hex_digit(at[2])
    return high << 4 | low if high >= 0 and low >= 0 else -1


cdef int next_character(const uint8_t** at, const uint8_t* end) noexcept nogil:
    """Read a character, or the `%HH`s that stand for one; -1 if these are not UTF-8."""
    cdef uint8_t sequence[4]
    cdef int byte = at[0][0], size = 0
    if byte >= 0x80:
        size = sequence_size(at[0], end)
        if size == 0:
            return -1
        byte = code_point(at[0], size)
        at[0] += size
        return byte
    byte = escaped_byte(at[0], end)
    if byte < 0:
        byte = at[0][0]
        at[0] += 1
        return byte
    if byte < 0x80:
        at[0] += 3
        return byte
    while size < 4 and byte >= 0:
        sequence[size] = <uint8_t>byte
        size += 1
        byte = escaped_byte(at[0] + 3 * size, end)
    size = sequence_size(sequence, sequence + size)
    if size == 0:
        return -1
    at[0] += 3 * size
    return code_point(sequence, size)


cdef int fold(
    Folding* folding, const uint8_t* at, Py_ssize_t size, uint8_t flags
) noexcept nogil:
    """Fold a text into the buffer; returns DONE, HAND_OVER or NO_MEMORY."""
    cdef const uint8_t* end = at + size
    cdef const uint8_t* entry
    cdef uint8_t* out
    cdef int code
    if not has_fold_room(folding, size):
        return NO_MEMORY
    out = folding.text
    if not flags & HIGH and (size == 0 or memchr(at, PERCENT, size) is NULL):
        folding.size = nss_lower(out, at, size) - out
        return DONE
    while at < end:
        code = next_character(&at, end)
        if code < 0:
            return HAND_OVER
        if code < FIRST_FOLD:
            out[0] = <uint8_t>(code + 32 if 65 <= code <= 90 else code)
            out += 1
        elif code <= LAST_FOLD:
            entry = folding.folds + (code - FIRST_FOLD) * FOLD_SIZE
            memcpy(out, entry + 1, FOLD_SIZE - 1)
            out += entry[0]
        elif code < FOLD_BLOCK * FOLD_BLOCKS and folding.unfolded[code // FOLD_BLOCK]:
            out = put_character(out, code)
        else:
            return HAND_OVER
    folding.size = out - folding.text
    return DONE
