"""Lines of values between static texts: CEF, and whatever else has no separator."""


cdef struct Sequence:
    Separator* texts  # one more than there are values
    int* slots
    int count
    bint equals, pipes  # what keys end with


cdef inline bint is_of_key(uint8_t byte) noexcept nogil:
    return is_word(byte) or byte == DOT or byte == MINUS or byte >= 0x80


cdef bint may_hold_key(
    const Sequence* sequence, const uint8_t* text, Py_ssize_t size
) noexcept nogil:
    """Whether a value may hold ` key=` or `|KEY|`."""
    cdef const uint8_t* end = text + size
    cdef const uint8_t* at = text
    cdef const uint8_t* place
    while sequence.equals and at < end:
        at = <const uint8_t*>memchr(at, EQUALS, end - at)
        if at is NULL:
            break
        place = at
        while place > text and is_of_key((place - 1)[0]):
            place -= 1
        if text < place < at and (place - 1)[0] == 32:
            return True
        at += 1
    at = text
    while sequence.pipes and at < end:
        at = <const uint8_t*>memchr(at, PIPE, end - at)
        if at is NULL:
            break
        at += 1
        place = at
        while place < end and is_of_key(place[0]):
            place += 1
        if place > at and place < end and place[0] == PIPE:
            return True
        at = place
    return False


cdef bint read_sequence(
    const Sequence* sequence,
    Record* record,
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
) noexcept nogil:
    """Read a line of values that static texts part."""
    cdef const Separator* text = sequence.texts
    cdef const uint8_t* place
    cdef Value value
    cdef Separator nothing = Separator(<const uint8_t*>b"\n", 1, True)  # no line holds it
    cdef int number
    if not is_separator(at, stop, text):
        return False
    at += text.size
    for number in range(sequence.count):
        text = &sequence.texts[number + 1]
        if number + 1 == sequence.count:
            place = stop - text.size
            if stop - at < text.size or not is_separator(place, stop, text):
                return False
            place = read_cell(at, place, end, &nothing, &value)
        else:
            place = read_cell(at, stop, end, text, &value)
            if place == stop:
                return False
        if place is NULL or may_hold_key(sequence, value.text, value.size):
            return False
        if sequence.slots[number] >= 0 and not state(record, sequence.slots[number], &value):
            return False
        at = place + text.size
    return True
