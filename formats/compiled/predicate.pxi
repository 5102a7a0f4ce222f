"""The filter of a feed: decisions that a record's values lead through, to one of two ends."""

cdef extern from "string.h" nogil:
    void* memmem(const void* text, size_t size, const void* part, size_t part_size)


cdef enum:  # what is tested, and how
    PLAIN_TEXT
    HOST_TEXT
    MEMBERS_TEXT
    CODE_TEXT
    ADDRESS_TEXT
    ANY_NUMBER
    ANY_TOTAL

cdef enum:
    FORMS = 4  # of words: those that a text equals, starts with, ends with, holds
    MAX_CODE = 9  # digits
    PASSED = -1
    FAILED = -2
    MAYBE = -1  # a verdict that is for the reference
    STARVED = -2  # no verdict for want of memory


cdef struct Word:
    const uint8_t* text
    Py_ssize_t size


cdef struct Decision:
    int tested
    int if_passed
    int if_failed
    int slot  # the field's own value, or -1
    int ways
    int way_slot[MAX_WAYS]
    int way_how[MAX_WAYS]
    int64_t way_otherwise[MAX_WAYS]
    bint otherwise  # the verdict on a record that states nothing
    Word* words[FORMS]
    Py_ssize_t word_count[FORMS]
    int64_t* ranges
    Py_ssize_t range_count
    const uint8_t* addresses
    Py_ssize_t address_count


cdef struct Sieve:
    Decision* decisions
    int count
    int entry
    bint encodes_colon
    Buffer* derived
    Folding folding


cdef int open_sieve(Sieve* sieve, spec, int slot_count, list kept) except -1:
    """Take a `predicates.Sieve`; `kept` keeps what it points to."""
    cdef int number, count = len(spec.decisions)
    sieve.decisions = <Decision*>calloc(count + 1, sizeof(Decision))
    if sieve.decisions is NULL:
        raise MemoryError
    sieve.count = count
    for number in range(count):
        take_decision(&sieve.decisions[number], spec.decisions[number], slot_count, kept)
        check_end(sieve.decisions[number].if_passed, number)
        check_end(sieve.decisions[number].if_failed, number)
    check_end(spec.entry, count)
    sieve.entry, sieve.encodes_colon = spec.entry, spec.encodes_colon
    if len(spec.folds) != FOLD_SIZE * (LAST_FOLD + 1 - FIRST_FOLD):
        raise ValueError("not an entry for each character")
    if len(spec.unfolded) != FOLD_BLOCKS or max(spec.folds[::FOLD_SIZE]) >= FOLD_SIZE:
        raise ValueError("not a byte for each block, or long texts")
    kept.extend((spec.folds, spec.unfolded))
    sieve.folding.folds = <const uint8_t*><const char*>(<bytes>spec.folds)
    sieve.folding.unfolded = <const uint8_t*><const char*>(<bytes>spec.unfolded)
    return 0


cdef int check_end(int end, int before) except -1:
    if not FAILED <= end < before:
        raise ValueError("a decision that leads nowhere")
    return 0


cdef int take_decision(Decision* decision, spec, int slot_count, list kept) except -1:
    cdef int form, way
    cdef Py_ssize_t index
    decision.tested, decision.otherwise = spec.tested, spec.otherwise
    decision.if_passed, decision.if_failed = spec.if_passed, spec.if_failed
    decision.slot, decision.ways = spec.slot, len(spec.ways)
    if decision.ways > MAX_WAYS or not -1 <= decision.slot < slot_count:
        raise ValueError("too many derivations, or no such slot")
    for way in range(decision.ways):
        decision.way_slot[way], decision.way_how[way], decision.way_otherwise[way] = spec.ways[way]
        if not 0 <= decision.way_slot[way] < slot_count:
            raise ValueError("no such slot")
    for form in range(FORMS):
        words = spec.words[form]
        decision.words[form] = <Word*>calloc(len(words) + 1, sizeof(Word))
        if decision.words[form] is NULL:
            raise MemoryError
        decision.word_count[form] = len(words)
        for index, word in enumerate(words):
            kept.append(word)
            decision.words[form][index].text = <const uint8_t*><const char*>(<bytes>word)
            decision.words[form][index].size = len(word)
    decision.range_count = len(spec.ranges)
    decision.ranges = <int64_t*>calloc(2 * decision.range_count + 1, sizeof(int64_t))
    if decision.ranges is NULL:
        raise MemoryError
    for index, (first, last) in enumerate(spec.ranges):
        decision.ranges[2 * index], decision.ranges[2 * index + 1] = first, last
    places = b"".join([place for ends in spec.addresses for place in ends])
    decision.address_count = len(spec.addresses)
    if len(places) != 2 * PLACE * decision.address_count:
        raise ValueError("a place of another size")
    kept.append(places)
    decision.addresses = <const uint8_t*><const char*>(<bytes>places)
    return 0


cdef void close_sieve(Sieve* sieve) noexcept nogil:
    cdef int number, form
    for number in range(sieve.count):
        for form in range(FORMS):
            free(sieve.decisions[number].words[form])
        free(sieve.decisions[number].ranges)
    free(sieve.decisions)
    free(sieve.folding.text)


cdef inline int compared(const uint8_t* text, Py_ssize_t size, const Word* word) noexcept nogil:
    cdef int order = memcmp(text, word.text, min(size, word.size))
    if order == 0 and size != word.size:
        return -1 if size < word.size else 1
    return order


cdef bint holds_word(
    const Decision* decision, const uint8_t* text, Py_ssize_t size
) noexcept nogil:
    """Whether a folded text equals, starts with, ends with or holds one of the words."""
    cdef Py_ssize_t low = 0, high = decision.word_count[0], middle, index
    cdef const Word* word
    cdef int order
    while low < high:
        middle = (low + high) // 2
        order = compared(text, size, &decision.words[0][middle])
        if order == 0:
            return True
        if order < 0:
            high = middle
        else:
            low = middle + 1
    for index in range(decision.word_count[1]):
        word = &decision.words[1][index]
        if word.size <= size and memcmp(text, word.text, word.size) == 0:
            return True
    for index in range(decision.word_count[2]):
        word = &decision.words[2][index]
        if word.size <= size and memcmp(text + size - word.size, word.text, word.size) == 0:
            return True
    for index in range(decision.word_count[3]):
        word = &decision.words[3][index]
        if memmem(text, size, word.text, word.size) is not NULL:
            return True
    return False


cdef bint is_within(const int64_t* ranges, Py_ssize_t count, int64_t number) noexcept nogil:
    """Whether a number lies in one of so many ranges, which are sorted and apart."""
    cdef Py_ssize_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if ranges[2 * middle] <= number:
            low = middle + 1
        else:
            high = middle
    return low > 0 and number <= ranges[2 * low - 1]


cdef inline int judge_text(
    Sieve* sieve, const Decision* decision, const uint8_t* text, Py_ssize_t size, uint8_t flags
) noexcept nogil:
    cdef int done = fold(&sieve.folding, text, size, flags)
    if done != DONE:
        return STARVED if done == NO_MEMORY else MAYBE
    return holds_word(decision, sieve.folding.text, sieve.folding.size)


cdef int judge_host(
    Sieve* sieve, const Decision* decision, const Value* value, bint encoded
) noexcept nogil:
    """Judge a host, and what it is without a port."""
    cdef int verdict
    cdef Py_ssize_t size = value.size
    if value.flags & CONTROL:
        return MAYBE
    verdict = judge_text(sieve, decision, value.text, size, value.flags)
    if verdict != 0 or (encoded and sieve.encodes_colon):
        return verdict
    while size and is_digit(value.text[size - 1]):
        size -= 1
    if size == value.size or size == 0 or value.text[size - 1] != COLON:
        return 0
    # Folding leaves a port as it is, so it ends the folded text too.
    size = sieve.folding.size - (value.size - size + 1)
    return holds_word(decision, sieve.folding.text, size)


cdef inline bint is_blank(uint8_t byte) noexcept nogil:
    """Whether `str.strip` strips a character of ASCII."""
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


cdef int judge_members(Sieve* sieve, const Decision* decision, const Value* value) noexcept nogil:
    """Judge each of the texts between pipes, without the blanks around it."""
    cdef const uint8_t* at = value.text
    cdef const uint8_t* end = at + value.size
    cdef const uint8_t* stop
    cdef const uint8_t* last
    cdef int verdict
    if value.flags & HIGH:  # there are blanks beyond ASCII
        return MAYBE
    while True:
        stop = <const uint8_t*>memchr(at, c"|", end - at) if at < end else NULL
        if stop is NULL:
            stop = end
        last = stop
        while at < last and is_blank(at[0]):
            at += 1
        while at < last and is_blank((last - 1)[0]):
            last -= 1
        verdict = judge_text(sieve, decision, at, last - at, value.flags)
        if verdict != 0 or stop == end:
            return verdict
        at = stop + 1


cdef int judge_code(const Decision* decision, const Value* value) noexcept nogil:
    """Judge the number that a text begins with, if it is not too long for one."""
    cdef int64_t number = 0
    cdef Py_ssize_t size = 0
    while size < value.size and is_digit(value.text[size]):
        if size == MAX_CODE:
            return 0
        number = number * 10 + (value.text[size] - 48)
        size += 1
    return size > 0 and is_within(decision.ranges, decision.range_count, number)


cdef int judge_address(const Decision* decision, const Value* value) noexcept nogil:
    cdef uint8_t place[PLACE]
    cdef int found = read_address(value.text, value.size, place)
    if found <= 0:
        return found
    return is_place_within(decision.addresses, decision.address_count, place)


cdef int judge_number(const Decision* decision, const Value* values, uint64_t stamp) noexcept nogil:
    cdef const Value* value
    cdef int64_t number = 0, summand
    cdef int way
    if decision.slot >= 0 and is_stated(&values[decision.slot], stamp):
        number = values[decision.slot].number
    elif decision.tested == ANY_NUMBER:
        return decision.otherwise
    else:
        for way in range(decision.ways):
            value = &values[decision.way_slot[way]]
            summand = value.number if is_stated(value, stamp) else decision.way_otherwise[way]
            if summand > INT64_MAX // 4 or summand < -(INT64_MAX // 4):
                return MAYBE  # numbers of Python have no end
            number += summand
    return is_within(decision.ranges, decision.range_count, number)


cdef int judge(
    Sieve* sieve, const Decision* decision, const Value* values, uint64_t stamp
) noexcept nogil:
    """Return whether a record passes a decision, or MAYBE, or STARVED."""
    cdef const Value* value = NULL
    cdef Value derived
    cdef bint encoded = False
    cdef int way, done
    if decision.tested >= ANY_NUMBER:
        return judge_number(decision, values, stamp)
    if decision.slot >= 0 and is_stated(&values[decision.slot], stamp):
        value = &values[decision.slot]
    else:
        for way in range(decision.ways):
            value = &values[decision.way_slot[way]]
            if is_stated(value, stamp):
                done = derive(sieve.derived, value, decision.way_how[way], &derived, &encoded)
                if done == FAILS:
                    continue
                if done != DONE:
                    return STARVED if done == NO_MEMORY else MAYBE
                value = &derived
                break
        else:
            return decision.otherwise
    # What is encoded to derive a value is decoded by folding: the same text comes out.
    if decision.tested == PLAIN_TEXT:
        return judge_text(sieve, decision, value.text, value.size, value.flags)
    if decision.tested == HOST_TEXT:
        return judge_host(sieve, decision, value, encoded)
    if decision.tested == MEMBERS_TEXT:
        return judge_members(sieve, decision, value)
    if decision.tested == CODE_TEXT:
        return judge_code(decision, value)
    return judge_address(decision, value)


cdef int sift(Sieve* sieve, const Value* values, uint64_t stamp) noexcept nogil:
    """Return DONE for a record that passes, FILTERED, HAND_OVER or NO_MEMORY."""
    cdef int at = sieve.entry, verdict
    cdef const Decision* decision
    while at >= 0:  # each decision leads to one before it
        decision = &sieve.decisions[at]
        verdict = judge(sieve, decision, values, stamp)
        if verdict < 0:
            return HAND_OVER if verdict == MAYBE else NO_MEMORY
        at = decision.if_passed if verdict else decision.if_failed
    return DONE if at == PASSED else FILTERED
