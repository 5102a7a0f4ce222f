"""Lines of columns: CSV, plain or quoted, and text that a separator parts; told by their values.

Quotes are read where they stand around whole columns and nowhere else.
"""

cdef enum:  # what a column must hold
    ANY_KIND
    NUMBER_KIND
    ADDRESS_KIND
    WORD_KIND  # this and what follows: a closed set of words

cdef enum:
    MAX_WORD = 15


cdef struct Word:
    const uint8_t* text  # in lower case
    Py_ssize_t size
    int kind


cdef struct Columns:
    int* slots
    int* kinds
    int count
    bint quoted
    bint shared  # other layouts have as many columns
    Word* words
    int word_count


cdef bint is_address(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Whether a text is one of `formats.reading.layouts._ADDRESS`."""
    cdef Py_ssize_t index, digits = 0, dots = 0, colon = -1
    for index in range(size):
        if is_digit(at[index]):
            digits += 1
            if digits > 3:
                break
        elif at[index] == DOT and digits:
            dots, digits = dots + 1, 0
        else:
            break
    else:
        if dots == 3 and digits:
            return True
    for index in range(size):
        if at[index] == COLON:
            if colon < 0:
                colon = index
        elif hex_digit(at[index]) < 0 and (at[index] != DOT or colon < 0):
            return False
    return 1 <= colon <= 4 and 2 <= size - colon - 1 <= 40


cdef int kind_of(const Columns* columns, const uint8_t* text, Py_ssize_t size) noexcept nogil:
    """Return the closed set that a text of ASCII is of; ANY_KIND for none."""
    cdef uint8_t lower[MAX_WORD]
    cdef Py_ssize_t index
    cdef const Word* word
    if size <= MAX_WORD:
        for index in range(size):
            lower[index] = text[index] + 32 if 65 <= text[index] <= 90 else text[index]
        for index in range(columns.word_count):
            word = &columns.words[index]
            if word.size == size and memcmp(word.text, lower, size) == 0:
                return word.kind
    return ADDRESS_KIND if is_address(text, size) else ANY_KIND


cdef inline bint weigh(
    const Columns* columns, int kind, Value* value, int* balance
) noexcept nogil:
    """Check what a column must hold; false if it certainly, or perhaps, does not."""
    cdef Value number
    cdef int found
    if kind == ANY_KIND:
        return True
    if kind == NUMBER_KIND:
        number = value[0]
        if number.kind == TEXT and not take_number(&number):
            return False
        return number.kind == INTEGER or not columns.shared
    if value.flags & HIGH:  # some of it may be a letter of ASCII in lower case
        return False
    if kind == ADDRESS_KIND and is_address(value.text, value.size):
        balance[0] += 1
        return True
    found = kind_of(columns, value.text, value.size)
    if found == kind:
        balance[0] += 1
    elif found != ANY_KIND:
        balance[0] -= 1
    return True


cdef inline const uint8_t* next_quoted(const uint8_t* at, const uint8_t* stop) noexcept nogil:
    """Return the beginning of the column behind the quote that ends one."""
    if stop - at < 3 or at[1] != COMMA or at[2] != QUOTE:
        return NULL
    at += 3
    if stop - at >= 2 and at[0] == COMMA and at[1] == QUOTE:
        return NULL  # it can't be told where this one ends
    return at


cdef bint read_columns(
    const Columns* columns,
    Record* record,
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
    const Separator* separator,
) noexcept nogil:
    """Read a line of columns that certainly are those of the format."""
    cdef Separator ending = separator[0]
    cdef Value value
    cdef int number = 0, balance = 0
    cdef bint last = False
    if columns.quoted:
        ending.text = <const uint8_t*>b'"'
        if at == stop or at[0] != QUOTE:
            return False
        at += 1
    while number < columns.count:
        at = read_cell(at, stop, end, &ending, &value)
        if at is NULL or not weigh(columns, columns.kinds[number], &value, &balance):
            return False
        if columns.slots[number] >= 0 and not state(record, columns.slots[number], &value):
            return False
        number += 1
        if columns.quoted and at == stop:
            return False
        last = at + columns.quoted == stop
        if last:
            break
        at = next_quoted(at, stop) if columns.quoted else at + 1
        if at is NULL:
            return False
    if not last or balance < 0:
        return False
    return number == columns.count or (columns.shared and number == columns.count - 1)
