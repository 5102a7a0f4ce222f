"""Syslog headers: where the record of a line begins, as `formats.reading.syslog_header` finds it.

Each pattern of the reference is read here by hand, from the beginning and once. `end` is that of
the line, CR included. What is not certain is `NULL`, for the reference to say.
"""

cdef enum:
    RETURN = 13
    PLUS = 43
    LESS = 60
    GREATER = 62
    MAX_STARTS = 5

cdef enum:  # whether a record begins at a place
    NO
    YES
    PERHAPS


cdef struct Beginning:
    bint headers  # one may stand before the record
    bint with_key  # it begins with a key and `=`
    const uint8_t* text  # what it begins with, if that is always the same
    Py_ssize_t size
    Separator date_behind  # what may follow a date that it begins with, if that is known


cdef inline bint is_bom(const uint8_t* at, const uint8_t* end) noexcept nogil:
    return end - at >= 3 and memcmp(at, b"\xef\xbb\xbf", 3) == 0


cdef inline bint is_letter(uint8_t byte) noexcept nogil:
    return 97 <= (byte | 32) <= 122


cdef inline bint is_word(uint8_t byte) noexcept nogil:
    return is_letter(byte) or is_digit(byte) or byte == c"_"


cdef inline bint may_have_header(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Whether a line may begin with a header; false where `syslog_header.may_begin` finds none."""
    if at == end:
        return False
    if at[0] == LESS:
        return True
    if end - at < 11:
        return False
    if is_digit(at[0]):
        return at[4] == MINUS and at[10] == c"T"
    return 65 <= at[0] <= 90 and at[3] == 32 and (at[4] == 32 or is_digit(at[4]))


cdef inline const uint8_t* skip_byte(
    const uint8_t* at, const uint8_t* end, uint8_t byte
) noexcept nogil:
    return at + 1 if at is not NULL and at < end and at[0] == byte else NULL


cdef const uint8_t* skip_digits(
    const uint8_t* at, const uint8_t* end, int least, int most
) noexcept nogil:
    """Skip as many digits as there are; `NULL` for fewer or more of them."""
    cdef int count = 0
    if at is NULL:
        return NULL
    while at < end and is_digit(at[0]) and count <= most:
        at += 1
        count += 1
    return at if least <= count <= most else NULL


cdef const uint8_t* skip_priority(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip `<PRI>`."""
    return skip_byte(skip_digits(skip_byte(at, end, LESS), end, 1, 3), end, GREATER)


cdef const uint8_t* skip_clock(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip `hh:mm:ss` and a fraction."""
    at = skip_byte(skip_digits(at, end, 2, 2), end, COLON)
    at = skip_byte(skip_digits(at, end, 2, 2), end, COLON)
    at = skip_digits(at, end, 2, 2)
    if at is not NULL and at < end and (at[0] == DOT or at[0] == COMMA):
        return skip_digits(at + 1, end, 1, 9)
    return at


cdef const uint8_t* skip_iso(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip a time of ISO 8601 with its zone."""
    at = skip_byte(skip_digits(at, end, 4, 4), end, MINUS)
    at = skip_byte(skip_digits(at, end, 2, 2), end, MINUS)
    at = skip_byte(skip_digits(at, end, 2, 2), end, c"T")
    at = skip_clock(at, end)
    if at is NULL or at == end:
        return NULL
    if at[0] == c"Z":
        return at + 1
    if at[0] != PLUS and at[0] != MINUS:
        return NULL
    if end - at >= 4 and at[3] == COLON:
        return skip_digits(skip_byte(skip_digits(at + 1, end, 2, 2), end, COLON), end, 2, 2)
    if end - at < 5:
        return NULL
    return skip_digits(at + 1, at + 5, 4, 4)  # more digits may follow: they are not its own


cdef const uint8_t* skip_date(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip `Mmm dd hh:mm:ss`, perhaps with the year before the clock."""
    cdef const char* months = b"JanFebMarAprMayJunJulAugSepOctNovDec"
    cdef int month = 0
    if end - at < 15:
        return NULL
    while month < 36 and memcmp(at, months + month, 3) != 0:
        month += 3
    if month == 36 or at[3] != 32:
        return NULL
    at += 4
    if (at[0] == 32 or is_digit(at[0])) and is_digit(at[1]):
        at += 2
    elif is_digit(at[0]):
        at += 1
    else:
        return NULL
    if end - at >= 6 and at[0] == 32 and skip_digits(at + 1, at + 5, 4, 4) is not NULL:
        at += 5
    return skip_clock(skip_byte(at, end, 32), end)


cdef const uint8_t* skip_token(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip a word of RFC 5424 and the blank behind it."""
    cdef const uint8_t* start = at
    if at is NULL:
        return NULL
    while at < end and 33 <= at[0] <= 126 and at - start <= 255:
        at += 1
    return skip_byte(at, end, 32) if 1 <= at - start <= 255 else NULL


cdef const uint8_t* skip_name(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip a plain name of structured data."""
    cdef const uint8_t* start = at
    while at < end and at - start <= 255 and (
        is_word(at[0]) or at[0] == c"@" or at[0] == MINUS or at[0] == DOT
    ):
        at += 1
    return at if 1 <= at - start <= 255 else NULL


cdef const uint8_t* skip_element(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip a plain element of structured data, of which the bracket has been read."""
    at = skip_name(at, end)
    while at is not NULL and at < end and at[0] == 32:
        at = skip_byte(skip_byte(skip_name(at + 1, end), end, EQUALS), end, QUOTE)
        if at is NULL:
            return NULL
        while at < end and at[0] != QUOTE:
            at += 2 if at[0] == BACKSLASH and end - at >= 2 else 1
        at = skip_byte(at, end, QUOTE)
        if at is NULL:
            return NULL
    return skip_byte(at, end, CLOSE_ARRAY)


cdef int find_rfc5424(
    const uint8_t* at, const uint8_t* end, const uint8_t** found
) noexcept nogil:
    """Find the end of a header of RFC 5424 behind `<PRI>`; PERHAPS if it has odd elements."""
    cdef int index
    at = skip_byte(skip_byte(at, end, c"1"), end, 32)
    if at is NULL or at == end:
        return NO
    at = at + 1 if at[0] == MINUS else skip_iso(at, end)
    at = skip_byte(at, end, 32)
    for index in range(4):
        at = skip_token(at, end)
    if at is NULL or at == end:
        return NO
    if at[0] == MINUS:
        at += 1
    elif at[0] == OPEN_ARRAY:
        while at < end and at[0] == OPEN_ARRAY:
            at = skip_element(at + 1, end)
            if at is NULL:
                return PERHAPS
    else:
        return NO
    if at < end:
        if at[0] != 32:
            return NO if (at - 1)[0] == MINUS else PERHAPS
        at += 1
    found[0] = at + 3 if is_bom(at, end) else at
    return YES


cdef const uint8_t* skip_host(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip a host and the blank behind it; returns the same place if there is none."""
    cdef const uint8_t* start = at
    while at < end and at - start <= 255 and (
        is_word(at[0]) or at[0] == DOT or at[0] == COLON or at[0] == PERCENT or at[0] == MINUS
    ):
        at += 1
    if at == start or at - start > 255 or at == end or at[0] != 32 or (at - 1)[0] == COLON:
        return start
    return at + 1


cdef inline bint is_of_tag(uint8_t byte) noexcept nogil:
    if byte == 32 or 9 <= byte <= 13 or byte == COLON or byte == OPEN_ARRAY or byte == CLOSE_ARRAY:
        return False
    if byte == LESS or byte == GREATER or byte == QUOTE or byte == OPEN or byte == CLOSE:
        return False
    return byte != PIPE and byte != EQUALS and byte != COMMA


cdef const uint8_t* skip_tag(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Skip `TAG[PID]: `; returns the same place if there is none."""
    cdef const uint8_t* start = at
    cdef const uint8_t* inner
    while at < end and at - start <= 64 and is_of_tag(at[0]):
        at += 1
    if at == start or at - start > 64:
        return start
    if at < end and at[0] == OPEN_ARRAY:
        at += 1
        inner = at
        while (
            at < end
            and at - inner <= 32
            and at[0] != CLOSE_ARRAY
            and not (at[0] == 32 or 9 <= at[0] <= 13)
        ):
            at += 1
        if at == end or at - inner > 32 or at[0] != CLOSE_ARRAY:
            return start
        at += 1
    return at + 2 if end - at >= 2 and at[0] == COLON and at[1] == 32 else start


cdef inline int note_start(
    const uint8_t** starts, int count, const uint8_t* place
) noexcept nogil:
    """Note a place behind the last one; returns how many there are."""
    if count and starts[count - 1] == place:
        return count
    starts[count] = place
    return count + 1


cdef int find_rfc3164(
    const uint8_t* at, const uint8_t* end, const uint8_t* behind, const uint8_t** starts
) noexcept nogil:
    """Find where a record may begin; `behind` is the end of `<PRI>`, if that is there."""
    cdef const uint8_t* stamp
    cdef const uint8_t* place
    cdef int count = 0
    if behind is not NULL:
        at = behind
        if end - at >= 2 and at[0] == c"1" and at[1] == 32:
            count = note_start(starts, count, at)
            at += 2
        count = note_start(starts, count, at)
    stamp = skip_byte(skip_date(at, end), end, 32)
    if stamp is NULL:
        stamp = skip_byte(skip_iso(at, end), end, 32)
    if stamp is NULL and behind is NULL:
        return 0
    if stamp is not NULL:
        place = skip_host(stamp, end)
        if place != stamp:
            count = note_start(starts, count, stamp)
        count = note_start(starts, count, place)
        at = place
    place = skip_tag(at, end)
    return note_start(starts, count, place) if place != at else count


cdef inline bint is_short_date(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Whether a line begins with `Mmm dd hh:mm:ss` and nothing more of a time."""
    return (
        end - at >= 15
        and is_digit(at[4])
        and at[6] == 32
        and at[9] == COLON
        and skip_date(at, at + 15) == at + 15
    )


cdef int begins_record(
    const Beginning* beginning, const uint8_t* at, const uint8_t* end
) noexcept nogil:
    """Whether a record begins as those of the format do."""
    if beginning.with_key:
        if at == end or not is_letter(at[0]):
            return NO
        while at < end and (is_word(at[0]) or at[0] == DOT or at[0] == MINUS):
            at += 1
        return YES if at < end and at[0] == EQUALS else NO
    if beginning.size:
        if end - at < beginning.size:
            return NO
        return YES if memcmp(at, beginning.text, beginning.size) == 0 else NO
    if at < end and at[0] == LESS:
        return NO
    if beginning.date_behind.size and is_short_date(at, end):
        return YES if is_separator(at + 15, end, &beginning.date_behind) else PERHAPS
    return PERHAPS


cdef const uint8_t* behind_header(
    const Beginning* beginning, const uint8_t* at, const uint8_t* end
) noexcept nogil:
    """Return where the record of a line begins that does not begin as those of the format do."""
    cdef const uint8_t* starts[MAX_STARTS]
    cdef const uint8_t* behind = skip_priority(at, end)
    cdef const uint8_t* found = NULL
    cdef int begins, index, count, kind = NO
    if behind is not NULL:
        kind = find_rfc5424(behind, end, &found)
    if kind != NO:
        return found
    count = find_rfc3164(at, end, behind, starts)
    if count == 1 and behind is not NULL:
        return starts[0]
    for index in range(count):
        begins = begins_record(beginning, starts[index], end)
        if begins != NO:
            return starts[index] if begins == YES else NULL
    # Nothing of ours begins with `<PRI>`.
    return at if count == 0 or behind is NULL else starts[count - 1]


cdef const uint8_t* record_start(
    const Beginning* beginning, const uint8_t* at, const uint8_t* end
) noexcept nogil:
    """Return where the record of a line begins."""
    cdef int begins
    if is_bom(at, end):
        return NULL
    if not beginning.headers or not may_have_header(at, end):
        return at
    begins = begins_record(beginning, at, end)
    if begins != NO:
        return at if begins == YES else NULL
    at = behind_header(beginning, at, end)
    if at is NULL or is_bom(at, end):
        return NULL
    return at


cdef const uint8_t* object_start(
    const uint8_t* at, const uint8_t* end, bint* in_array
) noexcept nogil:
    """Return where the first object of a line of JSON begins, and whether it is in an array.

    It is the first brace behind the header; the PID of a tag, and a header of RFC 5424, may hold others.
    """
    cdef const uint8_t* brace
    cdef const uint8_t* start
    cdef const uint8_t* behind
    cdef const uint8_t* header = NULL
    cdef const uint8_t* starts[MAX_STARTS]
    cdef int count
    in_array[0] = False
    at = skip_space(at, end)
    if is_bom(at, end):
        at += 3
    if at == end or at[0] == OPEN:
        return at
    if at[0] == OPEN_ARRAY:
        in_array[0] = True
        at = skip_space(at + 1, end)
        return at if at < end and at[0] == OPEN else NULL
    start = at
    brace = <const uint8_t*>memchr(at, LINE_FEED, end - at)
    end = end if brace is NULL else brace
    brace = <const uint8_t*>memchr(at, OPEN, end - at)
    if brace is NULL or at[0] == QUOTE or at[0] <= 32 or is_bom(at, end):
        return NULL
    behind = skip_priority(at, end)
    if behind is not NULL and find_rfc5424(behind, end, &header) != NO:
        if header is NULL:
            return NULL
    else:
        count = find_rfc3164(at, end, behind, starts)
        if count:
            header = starts[count - 1]
    if header is not NULL:
        brace = <const uint8_t*>memchr(header, OPEN, end - header)
        if brace is NULL:
            return NULL
    at = brace - 1
    while at > start and (at[0] == 32 or at[0] == 9 or at[0] == RETURN):
        at -= 1
    in_array[0] = at[0] == OPEN_ARRAY
    if 9 <= at[0] <= 13:  # no white space of JSON, and perhaps in an array
        return NULL
    return brace
