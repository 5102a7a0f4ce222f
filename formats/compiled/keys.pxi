"""The keys of records: which value each leads to, and which key most likely follows.

Records of one writer have their keys in one order, so a key is compared with the one that followed
the last time. Any other order is found by hash. What a key means Python says when it is first seen;
a table that is full is emptied.
"""

cdef enum:
    BUCKETS = 2048  # a power of two, at least twice MAX_KEYS
    MAX_KEYS = 768
    MAX_KEY = 255  # a longer one is not learned, and its record handed over
    PATTERN = 32  # 2 * WIDTH
    MAX_LEAD = 3  # comma, blank and quote
    UNWANTED = -1
    ENVELOPE = -2


cdef struct Key:
    uint8_t pattern[PATTERN + MAX_LEAD]  # comma and quote, the key, quote and colon, if they fit
    int pattern_size  # 0: they do not
    int lead  # how much of the pattern comes before the key
    uint32_t mask  # a bit for each byte of the pattern
    Value* value  # a value of a record, or of none; NULL: what to do with it takes more
    uint64_t kept  # whether it is of the record: all bits, or none
    bint is_number
    int slot  # the value's place, UNWANTED or ENVELOPE
    bint counted  # no field is known for it
    bint astray  # beside an envelope it makes the record one for the reference
    bint whose  # in an object that nobody reads, likewise
    uint64_t count  # records that had it
    uint64_t pending  # those of the array at hand
    uint64_t stamp  # the last record that had it, if it is wanted or counted
    Key* follower  # the key that followed last
    uint32_t digest
    uint8_t* text
    Py_ssize_t size


cdef struct Keys:
    Key* all
    int count
    uint32_t seed  # or keys could be chosen that all lie in one place
    int16_t* buckets  # numbers of keys, -1 for none
    const uint8_t* asked  # a key whose meaning is not known
    Py_ssize_t asked_size


cdef int open_keys(Keys* keys) except -1:
    keys.all = <Key*>calloc(MAX_KEYS, sizeof(Key))
    keys.buckets = <int16_t*>malloc(BUCKETS * sizeof(int16_t))
    if keys.all is NULL or keys.buckets is NULL:
        raise MemoryError
    forget_keys(keys)
    return 0


cdef void forget_keys(Keys* keys) noexcept nogil:
    cdef int number
    for number in range(keys.count):
        free(keys.all[number].text)
    memset(keys.all, 0, MAX_KEYS * sizeof(Key))
    memset(keys.buckets, 0xFF, BUCKETS * sizeof(int16_t))
    keys.count = 0


cdef void close_keys(Keys* keys) noexcept nogil:
    if keys.all is not NULL and keys.buckets is not NULL:
        forget_keys(keys)
    free(keys.all)
    free(keys.buckets)


cdef inline uint32_t digest_of(
    const uint8_t* text, Py_ssize_t size, uint32_t seed
) noexcept nogil:
    cdef uint32_t digest = 2166136261u ^ seed
    cdef Py_ssize_t index
    for index in range(size):
        digest = (digest ^ text[index]) * 16777619u
    return digest ^ digest >> 15


cdef int find_key(Keys* keys, const uint8_t* text, Py_ssize_t size) noexcept nogil:
    """Return the number of a key, or -1."""
    cdef uint32_t digest = digest_of(text, size, keys.seed)
    cdef uint32_t bucket = digest & (BUCKETS - 1)
    cdef Key* key
    while keys.buckets[bucket] >= 0:  # at least half of the buckets are empty
        key = &keys.all[keys.buckets[bucket]]
        if key.digest == digest and key.size == size and memcmp(key.text, text, size) == 0:
            return keys.buckets[bucket]
        bucket = (bucket + 1) & (BUCKETS - 1)
    return -1


cdef void set_pattern(Key* key, bint blanks) noexcept nogil:
    """Write what most likely stands around a key, if it is short enough."""
    cdef const char* lead = b', "' if blanks else b',"'
    cdef const char* tail = b'": ' if blanks else b'":'
    cdef int lead_size = 3 if blanks else 2, tail_size = lead_size
    if key.size + lead_size + tail_size > PATTERN:
        return
    memcpy(key.pattern, lead, lead_size)
    if key.size:
        memcpy(key.pattern + lead_size, key.text, key.size)
    memcpy(key.pattern + lead_size + key.size, tail, tail_size)
    key.lead, key.pattern_size = lead_size, <int>key.size + lead_size + tail_size
    key.mask = 0xFFFFFFFFu >> (PATTERN - key.pattern_size)


cdef int add_key(
    Keys* keys,
    const uint8_t* text,
    Py_ssize_t size,
    int slot,
    bint counted,
    bint astray,
    bint whose,
    bint blanks=False,
) except -1:
    """Add a key that is not there, while there is room.

    `blanks` says whether one is likely behind each comma and colon.
    """
    cdef Key* key
    cdef uint32_t bucket
    if keys.count >= MAX_KEYS:
        raise IndexError
    key = &keys.all[keys.count]
    key.text = <uint8_t*>malloc(size + 1)
    if key.text is NULL:
        raise MemoryError
    if size:
        memcpy(key.text, text, size)
    key.size, key.slot, key.counted = size, slot, counted
    key.astray, key.whose = astray, whose
    key.digest = digest_of(text, size, keys.seed)
    set_pattern(key, blanks)
    bucket = key.digest & (BUCKETS - 1)
    while keys.buckets[bucket] >= 0:
        bucket = (bucket + 1) & (BUCKETS - 1)
    keys.buckets[bucket] = <int16_t>keys.count
    keys.count += 1
    return 0


cdef const uint8_t* look_up_key(
    Keys* keys, const uint8_t* at, const uint8_t* end, Key** found, uint8_t** scratch
) noexcept nogil:
    """Read a key of which the first quote has been read by its text; see `read_key`."""
    cdef Value name
    cdef int number
    at = read_string(at, end, &name, scratch)
    if at is NULL or name.flags & ESCAPED:  # what it stands for is for the reference to say
        return NULL
    at = skip_space(at, end)
    if at >= end or at[0] != COLON:
        return NULL
    number = find_key(keys, name.text, name.size)
    if number < 0:
        if name.size <= MAX_KEY:
            keys.asked, keys.asked_size = name.text, name.size
        return NULL
    found[0] = &keys.all[number]
    return at + 1


cdef const uint8_t* find_new_follower(
    Keys* keys, const uint8_t* at, const uint8_t* end, Key** current, uint8_t** scratch
) noexcept nogil:
    """Read a key that is not the one that was guessed; see `read_key`."""
    cdef Key* found = NULL
    at = look_up_key(keys, at, end, &found, scratch)
    if at is not NULL:
        if current[0] is not NULL:
            current[0].follower = found
        current[0] = found
    return at


cdef inline const uint8_t* read_key(
    Keys* keys, const uint8_t* at, const uint8_t* end, Key** current, uint8_t** scratch
) noexcept nogil:
    """Read a key of which the first quote has been read, up to behind its colon.

    `current` is the key before, if one is known, and becomes this one. A key that is not known is
    `asked` for.
    """
    cdef Key* guess = current[0].follower if current[0] is not NULL else NULL
    if (
        guess is not NULL
        and guess.pattern_size
        and nss_begins(at, end, guess.pattern + guess.lead, guess.pattern_size - guess.lead)
    ):
        current[0] = guess
        return at + guess.pattern_size - guess.lead
    return find_new_follower(keys, at, end, current, scratch)
