"""Lines: the pieces of a plan, printed into one buffer as the reference prints them."""

cdef enum:  # pieces
    STATIC
    TIMES
    TEXT_VALUE
    NUMBER_VALUE
    TOTAL_VALUE

cdef enum:  # ways of derivation
    SAME
    ENCODE
    ELSEWHERE  # only the reference can
    UNBASE64
    UNBASE64_ENCODE
    TO_BASE64
    PATH

cdef enum:  # what came of a record
    DONE
    HAND_OVER
    NEED_TIME
    NEED_KEY
    NO_MEMORY
    FILTERED

cdef enum:
    MAX_WAYS = 4
    MAX_WIDTH = 128
    ANY = 128  # no flag of a text, but as good as one that each has
    ROOM = 64  # what may be written without being counted: escapes, numbers, copies in one go


cdef struct Guard:
    const uint8_t* table  # [256]: what is encoded
    uint8_t stops[PATTERN]  # the two that are encoded beside control characters
    bint many  # there are more than two


cdef struct Piece:
    int kind
    int number  # of a text of the moment
    int slot  # the field's own value, or -1
    const Value* usual  # a text of which at most guards are encoded; one of no record if there is none
    uint8_t odd  # flags of a text that may hold guards; ANY if each may
    bint closes
    bint encoded
    bint hexadecimal
    int width
    uint8_t pad
    const uint8_t* prefix  # static text before it
    Py_ssize_t prefix_size
    const uint8_t* text  # what is printed without a value
    Py_ssize_t size
    int64_t otherwise  # the number without a value
    bint guarded  # there are guards
    bint quotes_only  # they are quotes and backslashes, which only escapes bring
    Guard cleans  # what is encoded in a text
    Guard encodes  # what is encoded in an encoded one
    int ways
    int way_slot[MAX_WAYS]
    int way_how[MAX_WAYS]
    int64_t way_otherwise[MAX_WAYS]
    Buffer* derived  # where texts are derived
    const uint8_t* mark  # what stands behind a value that was cut
    Py_ssize_t mark_size


cdef struct Writer:
    uint8_t* start
    uint8_t* out
    uint8_t* end


cdef inline bint has_room(Writer* writer, Py_ssize_t size) noexcept nogil:
    """Make room for `size` bytes and ROOM more; false when there is no memory."""
    if writer.end - writer.out >= size + ROOM:
        return True
    return grow(writer, size + ROOM)


cdef bint grow(Writer* writer, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t used = writer.out - writer.start
    cdef Py_ssize_t room = 2 * (writer.end - writer.start) + size
    cdef uint8_t* start = <uint8_t*>realloc(writer.start, room)
    if start is NULL:
        return False
    writer.start, writer.out, writer.end = start, start + used, start + room
    return True


cdef uint8_t* put_guarded(
    uint8_t* out,
    const uint8_t* at,
    const uint8_t* end,
    uint8_t flags,
    const Guard* guard,
    bint encoded,
) noexcept nogil:
    """Copy text with what the guard names as `%HH`, control characters among it."""
    cdef int size
    while True:
        if guard.many:
            while at < end and not guard.table[at[0]] and (encoded or at[0] < 0x80):
                out[0] = at[0]
                out += 1
                at += 1
        elif encoded:
            at = nss_put_until(&out, at, end, flags & PADDED, guard.stops, 0x21, True)
        elif flags & CONTROL:
            at = nss_put_until(&out, at, end, flags & PADDED, guard.stops, 0x20, True)
        else:
            at = nss_put_until(&out, at, end, flags & PADDED, guard.stops, 0x20, False)
        if at >= end:
            return out
        while at < end and guard.table[at[0]]:
            out = put_hex(out, at[0])
            at += 1
        while at < end and at[0] >= 0x80 and not encoded:
            size = sequence_size(at, end)  # never 0: texts are UTF-8
            out = put_sequence(out, at, size)
            at += size if size else 1


cdef inline uint8_t* put_sequence(uint8_t* out, const uint8_t* at, int size) noexcept nogil:
    """Copy a character beyond ASCII, an unsafe one as `%HH`."""
    cdef int index
    cdef bint unsafe = is_unsafe_sequence(at) if size else False
    for index in range(size or 1):
        if unsafe:
            out = put_hex(out, at[index])
        else:
            out[0] = at[index]
            out += 1
    return out


cdef inline bint put_text(
    Writer* writer,
    const Piece* piece,
    const uint8_t* text,
    Py_ssize_t size,
    uint8_t flags,
    bint encoded,
) noexcept nogil:
    if not has_room(writer, 3 * size):
        return False
    if encoded:
        writer.out = put_guarded(writer.out, text, text + size, flags, &piece.encodes, True)
    elif not flags & CONTROL and (
        not piece.guarded or (piece.quotes_only and not flags & ESCAPED)
    ):
        writer.out = nss_put(writer.out, text, size, flags & PADDED)
    elif flags & PADDED and not flags & CONTROL and not piece.cleans.many:
        writer.out = nss_put_but(writer.out, text, text + size, piece.cleans.stops)
    else:
        writer.out = put_guarded(writer.out, text, text + size, flags, &piece.cleans, False)
    return True


cdef uint8_t* put_number(uint8_t* out, int64_t number, const Piece* piece) noexcept nogil:
    """Print a number as `Slot.text` does; takes at most MAX_WIDTH or 24 bytes."""
    cdef const char* letters = b"0123456789abcdef"
    cdef uint8_t digits[24]
    cdef int size = 0, length, base = 16 if piece.hexadecimal else 10
    cdef bint negative = number < 0
    cdef uint64_t left = <uint64_t>number
    if negative:
        left = 0 - left
    while True:
        digits[size] = <uint8_t>letters[left % base]
        size += 1
        left = left // base
        if left == 0:
            break
    length = size + negative
    if piece.pad == ZERO and negative:
        out[0] = MINUS
        out += 1
    while length < piece.width:
        out[0] = piece.pad
        out += 1
        length += 1
    if piece.pad != ZERO and negative:
        out[0] = MINUS
        out += 1
    while size:
        size -= 1
        out[0] = digits[size]
        out += 1
    return out


cdef inline bint is_stated(const Value* value, uint64_t stamp) noexcept nogil:
    return value.stamp == stamp and value.kind != NULL_VALUE


cdef int print_derived(
    Writer* writer, const Piece* piece, const Value* values, uint64_t stamp
) noexcept nogil:
    """Print what is derived for a field whose own text is not stated, else the placeholder."""
    cdef const Value* value
    cdef Value derived
    cdef bint encoded = piece.encoded
    cdef int way, done
    for way in range(piece.ways):
        value = &values[piece.way_slot[way]]
        if not is_stated(value, stamp):
            continue
        done = derive(piece.derived, value, piece.way_how[way], &derived, &encoded)
        if done == DONE and not put_text(
            writer, piece, derived.text, derived.size, derived.flags, encoded
        ):
            return NO_MEMORY
        if done != FAILS:
            return done
    if not has_room(writer, piece.size):
        return NO_MEMORY
    writer.out = nss_put(writer.out, piece.text, piece.size, True)
    return DONE


cdef inline int print_text(
    Writer* writer, const Piece* piece, const Value* values, uint64_t stamp
) noexcept nogil:
    """Print the field's own text; else what is derived, else the placeholder."""
    cdef const Value* value
    if piece.slot < 0 or not is_stated(&values[piece.slot], stamp):
        return print_derived(writer, piece, values, stamp)
    value = &values[piece.slot]
    if not put_text(writer, piece, value.text, value.size, value.flags, piece.encoded):
        return NO_MEMORY
    return DONE


cdef inline int print_number(
    Writer* writer, const Piece* piece, const Value* values, uint64_t stamp
) noexcept nogil:
    """Print the field's own number; else the sum or, where the reference derives, hand over."""
    cdef const Value* value = NULL
    cdef int way
    cdef int64_t number = piece.otherwise, summand
    if not has_room(writer, MAX_WIDTH):
        return NO_MEMORY
    if piece.slot >= 0 and is_stated(&values[piece.slot], stamp):
        value = &values[piece.slot]
    if value is not NULL:
        if not piece.width and not piece.hexadecimal:
            writer.out = nss_put(writer.out, value.text, value.size, value.flags & PADDED)
            return DONE
        number = value.number
    elif piece.kind == TOTAL_VALUE:
        number = 0
        for way in range(piece.ways):
            value = &values[piece.way_slot[way]]
            summand = value.number if is_stated(value, stamp) else piece.way_otherwise[way]
            if summand > INT64_MAX // 4 or summand < -(INT64_MAX // 4):
                return HAND_OVER  # numbers of Python have no end
            number += summand
    else:
        for way in range(piece.ways):
            if is_stated(&values[piece.way_slot[way]], stamp):
                return HAND_OVER
    writer.out = put_number(writer.out, number, piece)
    return DONE


cdef inline bint print_usual(Writer* writer, const Piece* piece, uint64_t stamp) noexcept nogil:
    """Print a piece that is a text with no more than guards; false if it is another, or no room."""
    cdef const Value* value = piece.usual
    cdef uint8_t flags = value.flags
    if value.stamp != stamp or value.kind == NULL_VALUE or flags & CONTROL:
        return False
    if writer.end - writer.out < piece.prefix_size + 3 * value.size + ROOM:
        return False
    if not (flags | ANY) & piece.odd:
        writer.out = nss_put(writer.out, piece.prefix, piece.prefix_size, True)
        writer.out = nss_put(writer.out, value.text, value.size, flags & PADDED)
    elif flags & PADDED:
        writer.out = nss_put(writer.out, piece.prefix, piece.prefix_size, True)
        writer.out = nss_put_but(
            writer.out, value.text, value.text + value.size, piece.cleans.stops
        )
    else:
        return False
    # There is a prefix, and so a byte before the end.
    if piece.closes and (writer.out - 1)[0] == BACKSLASH:
        writer.out = nss_put(writer.out - 1, <const uint8_t*>b"%5C", 3, False)
    return True


cdef int print_line(
    Writer* writer,
    const Piece* pieces,
    int count,
    const Value* values,
    uint64_t stamp,
    const Moment* moment,
    Py_ssize_t line,
) noexcept nogil:
    """Print pieces of the line that begins at `line`, all of them or some that follow each other.

    Unless it is `DONE`, what was written of it is to be dropped.
    """
    cdef const Piece* piece
    cdef Py_ssize_t begin
    cdef int index, done
    for index in range(count):
        piece = &pieces[index]
        if print_usual(writer, piece, stamp):
            continue
        if not has_room(writer, piece.prefix_size):
            return NO_MEMORY
        writer.out = nss_put(writer.out, piece.prefix, piece.prefix_size, True)
        done = DONE
        if piece.kind == TEXT_VALUE:
            done = print_text(writer, piece, values, stamp)
        elif piece.kind == TIMES:
            begin = moment.ends[piece.number - 1] if piece.number else 0
            if not has_room(writer, moment.ends[piece.number] - begin):
                return NO_MEMORY
            writer.out = nss_put(
                writer.out,
                moment.key + moment.key_size + begin,
                moment.ends[piece.number] - begin,
                True,
            )
        elif piece.kind != STATIC:
            done = print_number(writer, piece, values, stamp)
        if done != DONE:
            return done
        # Some readers take a backslash before what follows for an escape.
        if piece.closes and writer.out - writer.start > line and (writer.out - 1)[0] == BACKSLASH:
            writer.out = nss_put(writer.out - 1, <const uint8_t*>b"%5C", 3, False)
    return DONE
