"""Lines of pairs: LEEF, and key=value with any separator; some pieces may stand by their number.

A key is compared with the one that stood there in the line before. Any other is found by hash among
those of the format; what is not of the format leads nowhere.
"""

cdef enum:
    MAX_GUESSES = 256
    MAX_LAYOUT_KEY = 200  # a longer one is none of the format's


cdef struct FormatKey:
    const uint8_t* text
    Py_ssize_t size
    int slot


cdef struct Guess:
    uint8_t pattern[PATTERN]  # a key and what ends it
    int size  # 0: none
    int key  # its number, -1 for one that the format does not have


cdef struct Pairs:
    FormatKey* keys
    int count
    int16_t* buckets  # numbers of keys, -1 for none
    uint32_t mask  # one less than there are buckets, which are at least twice as many as keys
    uint32_t seed
    Guess* guesses
    int* places  # slots of pieces that stand by their number, or PAIR
    int place_count


cdef int find_format_key(
    const Pairs* pairs, const uint8_t* text, Py_ssize_t size
) noexcept nogil:
    """Return the number of a key, or -1."""
    cdef uint32_t bucket
    cdef const FormatKey* key
    if size > MAX_LAYOUT_KEY:
        return -1
    bucket = digest_of(text, size, pairs.seed) & pairs.mask
    while pairs.buckets[bucket] >= 0:
        key = &pairs.keys[pairs.buckets[bucket]]
        if key.size == size and memcmp(key.text, text, size) == 0:
            return pairs.buckets[bucket]
        bucket = (bucket + 1) & pairs.mask
    return -1


cdef void guess_next(
    Guess* guess, const uint8_t* text, Py_ssize_t size, int key
) noexcept nogil:
    """Remember a key, behind which `=` stands."""
    guess.size = 0
    if size + 1 <= PATTERN:
        memcpy(guess.pattern, text, size + 1)
        guess.size, guess.key = <int>size + 1, key


cdef const uint8_t* key_end(
    const uint8_t* at, const uint8_t* stop, const Separator* separator
) noexcept nogil:
    """Return the `=` behind a key, or the separator or end of a piece without one."""
    cdef int size
    while at < stop and at[0] != EQUALS:
        if at[0] == separator.text[0] and is_separator(at, stop, separator):
            return at if is_clear(at, stop, separator) else NULL
        size = 1
        if at[0] >= 0x80:
            size = sequence_size(at, stop)
            if size == 0:
                return NULL
        at += size
    return at


cdef const uint8_t* read_new_key(
    Pairs* pairs,
    const uint8_t* at,
    const uint8_t* stop,
    const Separator* separator,
    Guess* guess,
    int* key,
) noexcept nogil:
    """Read a key that is not the one that was guessed; see `read_pair_key`."""
    cdef const uint8_t* equals = key_end(at, stop, separator)
    if equals is NULL:
        return NULL
    key[0] = -1
    if equals == stop or equals[0] != EQUALS:
        return equals
    if at[0] == c"#":  # as pieces without a key are called
        return NULL
    key[0] = find_format_key(pairs, at, equals - at)
    if guess is not NULL:
        guess_next(guess, at, equals - at, key[0])
    return equals + 1


cdef inline const uint8_t* read_pair_key(
    Pairs* pairs,
    const uint8_t* at,
    const uint8_t* stop,
    const Separator* separator,
    Guess* guess,
    int* key,
) noexcept nogil:
    """Read a key and the `=` behind it; of a piece without one, all. Sets the number of the key."""
    if guess is not NULL and guess.size and nss_begins(at, stop, guess.pattern, guess.size):
        key[0] = guess.key
        return at + guess.size
    return read_new_key(pairs, at, stop, separator, guess, key)


cdef inline const uint8_t* read_numbered(
    Pairs* pairs,
    Record* record,
    int slot,
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
    const Separator* separator,
) noexcept nogil:
    """Read a piece that stands by its number, and is not one of the pairs."""
    cdef Value value
    cdef const uint8_t* equals
    cdef const uint8_t* place = read_cell(at, stop, end, separator, &value)
    if place is NULL:
        return NULL
    equals = <const uint8_t*>memchr(at, EQUALS, place - at) if place > at else NULL
    if equals is not NULL and (at[0] == c"#" or find_format_key(pairs, at, equals - at) >= 0):
        return NULL
    if slot >= 0 and not state(record, slot, &value):
        return NULL
    return place


cdef bint read_pairs(
    Pairs* pairs,
    Record* record,
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
    const Separator* separator,
    int place_count,
    bint learned,
) noexcept nogil:
    """Read pairs up to the end of a line; `learned` says that they have the usual separator."""
    cdef Value value
    cdef Guess* guess
    cdef Py_ssize_t number = 0
    cdef int key, slot
    cdef bint known = False
    while True:
        if number < place_count and pairs.places[number] != PAIR:
            at = read_numbered(
                pairs, record, pairs.places[number], at, stop, end, separator
            )
        else:
            guess = &pairs.guesses[number] if learned and number < MAX_GUESSES else NULL
            at = read_pair_key(pairs, at, stop, separator, guess, &key)
            if at is NULL:
                return False
            at = read_cell(at, stop, end, separator, &value)
            if key >= 0:
                known = True
                slot = pairs.keys[key].slot
                if at is not NULL and slot >= 0 and not state(record, slot, &value):
                    return False
        if at is NULL:
            return False
        if at == stop:
            return known or not pairs.count
        at += separator.size
        number += 1


# LEEF


cdef inline bint is_leef(const uint8_t* at, const uint8_t* stop) noexcept nogil:
    return stop - at >= 9 and (
        memcmp(at, b"LEEF:1.0|", 9) == 0 or memcmp(at, b"LEEF:2.0|", 9) == 0
    )


cdef const uint8_t* find_leef(
    const uint8_t* at, const uint8_t* stop, const uint8_t* end
) noexcept nogil:
    """Return the first LEEF header of a line."""
    cdef Separator letter
    cdef Value aside
    letter = Separator(<const uint8_t*>b"L", 1, True)
    while True:
        at = read_cell(at, stop, end, &letter, &aside)
        if at is NULL or at == stop:
            return NULL
        if is_leef(at, stop):
            return at
        at += 1


cdef int named_character(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Return the character that a LEEF 2.0 header names as separator; 0 if it is an odd one."""
    cdef int code = 0
    cdef Py_ssize_t index, begin = 0
    if size == 0:
        return 9
    if size > 6:
        return 0
    if size > 1 and at[0] == c"x":
        begin = 1
    elif size > 2 and (at[0] == c"0" or at[0] == BACKSLASH) and at[1] == c"x":
        begin = 2
    if begin == 0 or size - begin > 4:
        return at[0] if size == 1 and at[0] < 0x80 else 0
    for index in range(begin, size):
        if hex_digit(at[index]) < 0:
            return 0
        code = code * 16 + hex_digit(at[index])
    return code if code < 0x80 else 0


cdef const uint8_t* read_delimiter(
    const uint8_t* at, const uint8_t* stop, uint8_t* separator
) noexcept nogil:
    """Read the separator that a LEEF 2.0 header names, if it does, and the pipe behind it."""
    cdef const uint8_t* pipe = at
    cdef int code
    while pipe < stop and pipe[0] != PIPE and pipe[0] != EQUALS:
        pipe += 1
    if pipe == stop or pipe[0] == EQUALS:
        return at
    code = named_character(at, pipe - at)
    if code == 0 or code == EQUALS:
        return NULL
    separator[0] = <uint8_t>code
    return pipe + 1


cdef bint read_leef(
    Pairs* pairs,
    Record* record,
    const uint8_t* at,
    const uint8_t* stop,
    const uint8_t* end,
    const Separator* usual,
) noexcept nogil:
    """Read a line with a LEEF event in it."""
    cdef Separator pipe, separator
    cdef uint8_t named = 9
    cdef Value value
    cdef int index
    cdef bint second
    at = find_leef(at, stop, end)
    if at is NULL:
        return False
    second = at[5] == c"2"
    at += 9
    pipe = Separator(<const uint8_t*>b"|", 1, True)
    separator = Separator(&named, 1, True)
    for index in range(pairs.place_count):
        at = read_cell(at, stop, end, &pipe, &value)
        if at is NULL or at == stop:
            return False
        if pairs.places[index] >= 0 and not state(record, pairs.places[index], &value):
            return False
        at += 1
    if second:
        at = read_delimiter(at, stop, &named)
        if at is NULL:
            return False
    return read_pairs(
        pairs, record, at, stop, end, &separator, 0, named == usual.text[0]
    )
