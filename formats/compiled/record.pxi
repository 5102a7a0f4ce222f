"""A record: the values that its keys lead to, in the envelope or at the top.

Everything here is about one line, up to what ends it; a line that is not certainly a record of one
object is handed over.
"""

cdef enum:  # what a slot takes
    TEXT_SLOT
    NUMBER_SLOT
    TIME_SLOT

cdef enum:
    MAX_COUNTED = 64  # keys that no field is known for, in one record


cdef struct Record:
    Keys keys
    Key* current_key  # the last key, if any
    Value* values
    Value aside  # a value that nobody reads; it has the stamp of no record
    uint8_t* slots  # what each value takes
    uint64_t stamp  # of this record: what has another is not of it
    uint64_t envelope_stamp
    bint envelope_counted
    bint astray  # a key was there that must not stand beside an envelope
    bint shared  # it stands in an array, and more may follow on its line
    Key* counted[MAX_COUNTED]  # keys that no field is known for
    int counted_count
    uint8_t* scratch


cdef bint is_no_number(const uint8_t* text, Py_ssize_t size) noexcept nogil:
    """Whether a plain text is one of `formats.reading._NO_NUMBER`."""
    cdef char word[4]
    cdef Py_ssize_t index
    if size == 0 or (size == 1 and text[0] == MINUS):
        return True
    if size > 4 or text[0] | 32 != c"n":
        return False
    for index in range(size):
        word[index] = text[index] | 32
    return (
        (size == 4 and (memcmp(word, b"none", 4) == 0 or memcmp(word, b"null", 4) == 0))
        or (size == 3 and memcmp(word, b"n/a", 3) == 0)
        or (size == 2 and memcmp(word, b"na", 2) == 0)
    )


cdef bint take_number(Value* value) noexcept nogil:
    """Take a quoted number for a number; a word for no number is as good as absent."""
    cdef Value number
    cdef const uint8_t* end = value.text + value.size
    if value.flags & (ESCAPED | HIGH | CONTROL):
        return False
    if is_no_number(value.text, value.size):
        value.kind = NULL_VALUE
        return True
    if read_number(value.text, end, &number) != end or number.kind != INTEGER:
        return False
    value.kind, value.number = INTEGER, number.number
    return True


cdef inline bint note_counted(Record* record, Key* key) noexcept nogil:
    """Note a key that no field is known for; false if a record has too many of them."""
    if key.stamp == record.stamp:
        return True
    if record.counted_count == MAX_COUNTED:
        return False
    key.stamp = record.stamp
    record.counted[record.counted_count] = key
    record.counted_count += 1
    return True


cdef const uint8_t* read_again(
    Record* record, int slot, const uint8_t* at, const uint8_t* end, uint8_t** scratch
) noexcept nogil:
    """Read what another key states of a value: nothing, or certainly the same."""
    cdef const Value* value = &record.values[slot]
    cdef Value other
    at = read_scalar(at, end, &other, scratch)
    if at is NULL or other.kind == OTHER:
        return NULL
    if record.slots[slot] == NUMBER_SLOT:
        if other.kind == TEXT and not take_number(&other):
            return NULL
        return at if other.kind == NULL_VALUE or other.number == value.number else NULL
    if other.kind == NULL_VALUE:
        return at
    if record.slots[slot] == TIME_SLOT and other.kind != value.kind:
        return NULL
    if other.size != value.size or memcmp(other.text, value.text, value.size) != 0:
        return NULL
    return at


cdef inline const uint8_t* read_value(
    Record* record, Key* key, const uint8_t* at, const uint8_t* end, uint8_t** scratch
) noexcept nogil:
    cdef Value* value = &record.values[key.slot]
    if key.stamp == record.stamp:
        return NULL  # stated twice
    key.stamp = record.stamp
    record.astray |= key.astray
    if value.stamp == record.stamp and value.kind != NULL_VALUE:
        return read_again(record, key.slot, at, end, scratch)
    at = read_scalar(at, end, value, scratch)
    if at is NULL or value.kind == OTHER:
        return NULL
    value.stamp = record.stamp
    if record.slots[key.slot] == NUMBER_SLOT and value.kind == TEXT and not take_number(value):
        return NULL
    return at


cdef const uint8_t* enter(Record* record, const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Enter the envelope's content, up to behind the quote of its first key."""
    if record.astray:
        return NULL
    record.stamp += 1  # what stands beside it is not meant
    record.envelope_stamp = record.stamp
    record.counted_count = 0
    at = skip_space(at, end)
    return at + 1 if at < end and at[0] == QUOTE else NULL


cdef inline const uint8_t* leave(
    const uint8_t* at, const uint8_t* end, bint last, bint shared
) noexcept nogil:
    """Leave an object: the envelope's content, or, as the `last`, the record.

    That must end the line, unless it is `shared`. Returns what follows.
    """
    at = skip_space(at, end)
    if not last:
        return at if at < end and at[0] != LINE_FEED else NULL
    if at < end and at[0] != LINE_FEED:
        return at if shared and (at[0] == COMMA or at[0] == CLOSE_ARRAY) else NULL
    return at if not shared else NULL


cdef inline const uint8_t* read_usual(
    Record* record, const uint8_t* at, const uint8_t* end, uint8_t** scratch
) noexcept nogil:
    """Read members from behind a value, while they follow as they did in the record before.

    They are texts, wanted and stated once, or not wanted. Returns where one begins that is not so.
    """
    cdef const uint8_t* text
    cdef Value* value
    cdef Key* key
    while end - at > PATTERN:
        key = record.current_key.follower
        if key is NULL or key.value is NULL or key.value.stamp == record.stamp:
            return at
        if not nss_follows(at, key.pattern, key.mask, key.pattern_size):
            return at
        text = at + key.pattern_size
        if text[0] != QUOTE:
            return at
        value = key.value
        at = read_string(text + 1, end, value, scratch)
        if at is NULL:
            return NULL
        value.stamp = record.stamp & key.kept
        key.stamp = record.stamp
        record.astray |= key.astray
        record.current_key = key
        if key.is_number and not take_number(value):
            return NULL
    return at


cdef const uint8_t* read_record(
    Record* record, const uint8_t* at, const uint8_t* end
) noexcept nogil:
    """Read a record into the values; returns what follows, or `NULL` to hand its line over."""
    cdef uint8_t* scratch = record.scratch
    cdef bint enveloped = False, wanted = True, last
    cdef Value aside
    cdef Key* key
    record.stamp += 1
    record.counted_count, record.astray = 0, False
    at = skip_space(at, end)
    if at >= end or at[0] != OPEN:
        return NULL
    at = skip_space(at + 1, end)
    if at >= end or at[0] != QUOTE:  # an object without keys has no time either
        return NULL
    at += 1
    while True:
        at = read_key(&record.keys, at, end, &record.current_key, &scratch)
        if at is NULL:
            return NULL
        at = skip_space(at, end)
        if at >= end:
            return NULL
        key = record.current_key
        if key.slot >= 0 and wanted:
            at = read_value(record, key, at, end, &scratch)
        elif key.slot == ENVELOPE:
            if not enveloped:  # else it is a key as any other
                if record.envelope_stamp == record.stamp or at[0] == OPEN_ARRAY:
                    return NULL
                if at[0] == OPEN:
                    at = enter(record, at + 1, end)
                    if at is NULL:
                        return NULL
                    enveloped = True
                    continue
                record.envelope_stamp = record.stamp
            if record.envelope_counted:
                return NULL
            at = skip_value(&record.keys, at, end, &scratch)
        elif key.astray:  # behind the envelope
            return NULL
        elif key.counted and wanted and not note_counted(record, key):
            return NULL
        elif at[0] == QUOTE:
            at = read_string(at + 1, end, &aside, &scratch)
        else:
            at = skip_value(&record.keys, at, end, &scratch)
        if at is not NULL and wanted:
            at = read_usual(record, at, end, &scratch)
        if at is NULL:
            return NULL
        if end - at >= 2 and at[0] == COMMA and at[1] == QUOTE:
            at += 2
            continue
        at = skip_space(at, end)
        while at < end and at[0] == CLOSE:
            last = not enveloped
            at = leave(at + 1, end, last, record.shared)
            if at is NULL or last:
                return at
            enveloped = wanted = False
        if at >= end or at[0] != COMMA:
            return NULL
        at = skip_space(at + 1, end)
        if at >= end or at[0] != QUOTE:
            return NULL
        at += 1
