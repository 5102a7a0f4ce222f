"""Cells: the texts of a line between its separators, read where they stand.

`stop` is where the text of the line ends, `end` is the end of the batch; a byte is read only before
`stop`. What is returned is never beyond it; `NULL` hands the line over.
"""

cdef extern from "cells.h" nogil:
    const uint8_t* nss_cell_end(const uint8_t* at, const uint8_t* end, uint8_t last)


cdef enum:
    EQUALS = 61
    PIPE = 124
    MAX_SEPARATOR = 4
    NO_SLOT = -1
    PAIR = -2  # where pieces stand by their number: one that does not


cdef struct Separator:
    const uint8_t* text
    Py_ssize_t size
    bint first  # where it first occurs, one of several that overlap counts


cdef inline bint is_separator(
    const uint8_t* at, const uint8_t* stop, const Separator* separator
) noexcept nogil:
    return stop - at >= separator.size and memcmp(at, separator.text, separator.size) == 0


cdef bint is_clear(
    const uint8_t* at, const uint8_t* stop, const Separator* separator
) noexcept nogil:
    """Whether no other separator begins in the one at hand: else it matters where one looks from."""
    cdef Py_ssize_t index
    if separator.first:
        return True
    for index in range(1, separator.size):
        if is_separator(at + index, stop, separator):
            return False
    return True


cdef const uint8_t* read_odd_cell(
    const uint8_t* at,
    const uint8_t* place,
    const uint8_t* stop,
    const uint8_t* end,
    const Separator* separator,
    Value* value,
) noexcept nogil:
    """Read a cell which is plain up to `place`."""
    cdef uint8_t flags = 0, first = separator.text[0]
    cdef int size
    while place < stop:
        if place[0] == first and is_separator(place, stop, separator):
            if not is_clear(place, stop, separator):
                return NULL
            break
        if place[0] >= 0x80:
            size = sequence_size(place, stop)
            if size == 0:
                return NULL
            flags |= HIGH
            if is_unsafe_sequence(place):
                flags |= CONTROL
            place += size
            if place < stop and place[0] >= 0x80:
                continue
        else:
            if place[0] == QUOTE or place[0] == BACKSLASH:
                flags |= ESCAPED
            elif place[0] < 0x20 or place[0] == 0x7F:
                flags |= CONTROL
            place += 1
        place = nss_cell_end(place, stop, first)
    value.text, value.size, value.kind = at, place - at, TEXT
    value.flags = flags | (PADDED if end - place >= WIDTH else 0)
    return place


cdef inline const uint8_t* read_cell(
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
    const Separator* separator,
    Value* value,
) noexcept nogil:
    """Read a cell up to the separator that ends it, or to `stop`."""
    cdef const uint8_t* place = nss_cell_end(at, stop, separator.text[0])
    if place == stop or (separator.size == 1 and place[0] == separator.text[0]):
        value.text, value.size, value.kind = at, place - at, TEXT
        value.flags = PADDED if end - place >= WIDTH else 0
        return place
    return read_odd_cell(at, place, stop, end, separator, value)


cdef inline bint state(Record* record, int slot, Value* value) noexcept nogil:
    """Put a value into its slot; false if it is certainly none, or not certainly the same again."""
    cdef Value* known = &record.values[slot]
    if known.stamp == record.stamp:
        return known.size == value.size and memcmp(known.text, value.text, value.size) == 0
    known[0] = value[0]
    known.stamp = record.stamp
    return record.slots[slot] != NUMBER_SLOT or take_number(known)
