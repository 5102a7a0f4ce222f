"""Lines of text: a line is read as its layout says, or handed over.

The layout comes from `formats.compiled.layout`.
"""

cdef enum:  # what a line is
    JSON_FORM
    LEEF_FORM
    PAIRS_FORM
    COLUMNS_FORM
    SEQUENCE_FORM


cdef struct LineLayout:
    int form
    Separator separator
    Pairs pairs
    Columns columns
    Sequence sequence
    Beginning beginning


cdef int open_layout(LineLayout* layout, spec, list kept) except -1:
    """Take over a layout; what it points to is kept in the list, or freed by `close_layout`."""
    layout.form = spec.form
    if not LEEF_FORM <= layout.form <= SEQUENCE_FORM:
        raise ValueError("no such form")
    if not 0 < len(spec.separator) <= MAX_SEPARATOR:
        raise ValueError("no separator, or a long one")
    layout.separator = Separator(kept_text(spec.separator, kept), len(spec.separator), False)
    text = spec.beginning or b""
    layout.beginning.text, layout.beginning.size = kept_text(text, kept), len(text)
    layout.beginning.headers = spec.beginning is not None
    layout.beginning.with_key = spec.with_key
    layout.beginning.date_behind = Separator(
        kept_text(spec.date_behind, kept), len(spec.date_behind), True
    )
    if layout.form == COLUMNS_FORM:
        return open_columns(&layout.columns, spec, kept)
    if layout.form == SEQUENCE_FORM:
        return open_sequence(&layout.sequence, spec, kept)
    return open_pairs(&layout.pairs, spec, kept)


cdef const uint8_t* kept_text(bytes text, list kept) except NULL:
    kept.append(text)
    return <const uint8_t*><const char*>text


cdef int open_pairs(Pairs* pairs, spec, list kept) except -1:
    cdef int number
    cdef uint32_t bucket, buckets = 2
    pairs.count, pairs.place_count = len(spec.keys), len(spec.places)
    if pairs.count > INT16_MAX // 4:
        raise ValueError("too many keys")
    while buckets < 2 * <uint32_t>pairs.count:
        buckets *= 2
    pairs.mask = buckets - 1
    pairs.seed = <uint32_t>(hash(b"pairs") & 0xFFFFFFFF)
    pairs.keys = <FormatKey*>calloc(pairs.count + 1, sizeof(FormatKey))
    pairs.buckets = <int16_t*>malloc(buckets * sizeof(int16_t))
    pairs.guesses = <Guess*>calloc(MAX_GUESSES, sizeof(Guess))
    pairs.places = <int*>calloc(pairs.place_count + 1, sizeof(int))
    if not (pairs.keys and pairs.buckets and pairs.guesses and pairs.places):
        raise MemoryError
    memset(pairs.buckets, 0xFF, buckets * sizeof(int16_t))
    for number in range(pairs.place_count):
        pairs.places[number] = spec.places[number]
    for number, (text, slot) in enumerate(spec.keys):
        if len(text) > MAX_LAYOUT_KEY:
            raise ValueError("a long key")
        pairs.keys[number] = FormatKey(kept_text(text, kept), len(text), slot)
        bucket = digest_of(pairs.keys[number].text, len(text), pairs.seed) & pairs.mask
        while pairs.buckets[bucket] >= 0:
            bucket = (bucket + 1) & pairs.mask
        pairs.buckets[bucket] = <int16_t>number
    return 0


cdef int open_columns(Columns* columns, spec, list kept) except -1:
    cdef int number
    columns.count, columns.word_count = len(spec.places), len(spec.words)
    if columns.count != len(spec.kinds):
        raise ValueError("not a kind for each column")
    columns.quoted, columns.shared = spec.quoted, spec.shared
    columns.slots = <int*>calloc(columns.count + 1, sizeof(int))
    columns.kinds = <int*>calloc(columns.count + 1, sizeof(int))
    columns.words = <Word*>calloc(columns.word_count + 1, sizeof(Word))
    if not (columns.slots and columns.kinds and columns.words):
        raise MemoryError
    for number in range(columns.count):
        columns.slots[number], columns.kinds[number] = spec.places[number], spec.kinds[number]
    for number, (text, kind) in enumerate(spec.words):
        columns.words[number] = Word(kept_text(text, kept), len(text), kind)
    return 0


cdef int open_sequence(Sequence* sequence, spec, list kept) except -1:
    cdef int number
    sequence.count = len(spec.places)
    if len(spec.texts) != sequence.count + 1:
        raise ValueError("not a text before and behind each value")
    sequence.equals, sequence.pipes = "=" in spec.holds, "|" in spec.holds
    sequence.slots = <int*>calloc(sequence.count + 1, sizeof(int))
    sequence.texts = <Separator*>calloc(sequence.count + 1, sizeof(Separator))
    if not (sequence.slots and sequence.texts):
        raise MemoryError
    for number in range(sequence.count):
        sequence.slots[number] = spec.places[number]
    for number, text in enumerate(spec.texts):
        if not text and 0 < number < sequence.count:
            raise ValueError("no text between values")
        sequence.texts[number] = Separator(kept_text(text, kept), len(text), True)
    return 0


cdef int check_slots(const LineLayout* layout, int slot_count) except -1:
    """Raise `ValueError` for a slot that there is not."""
    cdef int number
    for number in range(layout.pairs.count):
        check_slot(layout.pairs.keys[number].slot, NO_SLOT, slot_count)
    for number in range(layout.pairs.place_count):
        check_slot(layout.pairs.places[number], PAIR, slot_count)
    for number in range(layout.columns.count):
        check_slot(layout.columns.slots[number], NO_SLOT, slot_count)
    for number in range(layout.sequence.count):
        check_slot(layout.sequence.slots[number], NO_SLOT, slot_count)
    return 0


cdef int check_slot(int slot, int least, int slot_count) except -1:
    if not least <= slot < slot_count:
        raise ValueError("no such slot")
    return 0


cdef void close_layout(LineLayout* layout) noexcept nogil:
    free(layout.pairs.keys)
    free(layout.pairs.buckets)
    free(layout.pairs.guesses)
    free(layout.pairs.places)
    free(layout.columns.slots)
    free(layout.columns.kinds)
    free(layout.columns.words)
    free(layout.sequence.slots)
    free(layout.sequence.texts)


cdef const uint8_t* read_line(
    LineLayout* layout, Record* record, const uint8_t* at, const uint8_t* end
) noexcept nogil:
    """Read a line into the values; returns its end, or `NULL` to hand it over."""
    cdef const uint8_t* line_end = <const uint8_t*>memchr(at, LINE_FEED, end - at)
    cdef const uint8_t* stop
    cdef bint read = False
    if line_end is NULL:
        line_end = end
    stop = line_end - 1 if line_end > at and (line_end - 1)[0] == RETURN else line_end
    record.stamp += 1
    record.counted_count = 0
    if layout.form == LEEF_FORM:
        read = read_leef(&layout.pairs, record, at, stop, end, &layout.separator)
        return line_end if read else NULL
    at = record_start(&layout.beginning, at, line_end)
    if at is NULL or at > stop:
        return NULL
    if layout.form == PAIRS_FORM:
        read = read_pairs(
            &layout.pairs,
            record,
            at,
            stop,
            end,
            &layout.separator,
            layout.pairs.place_count,
            True,
        )
    elif layout.form == SEQUENCE_FORM:
        read = read_sequence(&layout.sequence, record, at, stop, end)
    else:
        read = read_columns(&layout.columns, record, at, stop, end, &layout.separator)
    return line_end if read else NULL
