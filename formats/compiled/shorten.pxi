"""Lines that are too long, cut as `formats.rendering.renderer.shorten` cuts them.

Such a line is printed once more to find where the values are that may be cut; no other line pays
for that. Then it is cut where it stands, as nothing in it grows.
"""

cdef enum:
    MAX_CUTS = 16
    WHOLE = 101  # beside DONE and the like: cutting all of them is not enough


cdef struct Cuts:
    int count
    int pieces[MAX_CUTS]  # the numbers of those that may be cut
    Py_ssize_t least  # bytes that each keeps at least; -1: cutting is for the reference


cdef struct Cut:
    Py_ssize_t begin, end  # of a value, from the start of the buffer
    const uint8_t* mark
    Py_ssize_t mark_size


cdef inline bint ends_in_backslash(const Writer* writer, Py_ssize_t line) noexcept nogil:
    return writer.out - writer.start > line and (writer.out - 1)[0] == BACKSLASH


cdef void move_ends(Cut* found, int count, Py_ssize_t end) noexcept nogil:
    """A backslash that stood before `end` is `%5C` now."""
    cdef int number
    for number in range(count):
        if found[number].end == end:
            if found[number].begin == end:  # the backslash is not its own
                found[number].begin += 2
            found[number].end += 2


cdef int find_cuts(
    const Cuts* cuts,
    Cut* found,
    Writer* writer,
    Py_ssize_t line,
    const Piece* pieces,
    int count,
    const Value* values,
    uint64_t stamp,
    const Moment* moment,
) noexcept nogil:
    """Print a line again from its start, and find the values that may be cut."""
    cdef const Piece* piece
    cdef Py_ssize_t before
    cdef int number, done, at = 0
    cdef bint open_end
    writer.out = writer.start + line
    for number in range(cuts.count):
        before, open_end = writer.out - writer.start, ends_in_backslash(writer, line)
        piece = &pieces[cuts.pieces[number]]
        done = print_line(
            writer, pieces + at, cuts.pieces[number] - at, values, stamp, moment, line
        )
        if done != DONE:
            return done
        if open_end and writer.start[before - 1] != BACKSLASH:
            move_ends(found, number, before)
        before, open_end = writer.out - writer.start, ends_in_backslash(writer, line)
        found[number].begin = before + piece.prefix_size
        if piece.prefix_size:
            open_end = piece.prefix[piece.prefix_size - 1] == BACKSLASH
        done = print_line(writer, piece, 1, values, stamp, moment, line)
        if done != DONE:
            return done
        if open_end and writer.start[found[number].begin - 1] != BACKSLASH:
            if not piece.prefix_size:
                move_ends(found, number, before)
            found[number].begin = writer.out - writer.start  # it is empty
        found[number].end = writer.out - writer.start
        found[number].mark, found[number].mark_size = piece.mark, piece.mark_size
        at = cuts.pieces[number] + 1
    before, open_end = writer.out - writer.start, ends_in_backslash(writer, line)
    done = print_line(writer, pieces + at, count - at, values, stamp, moment, line)
    if done == DONE and open_end and writer.start[before - 1] != BACKSLASH:
        move_ends(found, cuts.count, before)
    return done


cdef Py_ssize_t level_of(const Cut* found, int count, Py_ssize_t excess) noexcept nogil:
    """Return the most bytes that each value may keep to lose `excess` in all; -1 if they are less."""
    cdef Py_ssize_t sizes[MAX_CUTS]
    cdef Py_ssize_t size, together = 0, level = -1
    cdef int number, place
    for number in range(count):
        size, place = found[number].end - found[number].begin, number
        while place and sizes[place - 1] < size:
            sizes[place] = sizes[place - 1]
            place -= 1
        sizes[place] = size
    for number in range(count):
        if sizes[number] <= level:
            break
        together += sizes[number]
        level = (together - excess) // (number + 1) if together >= excess else -1
    return level


cdef Py_ssize_t kept_of(const uint8_t* text, Py_ssize_t room) noexcept nogil:
    """Return how much of a longer text is kept: neither a character nor a `%HH` is cut in two."""
    while room and text[room] & 0xC0 == 0x80:
        room -= 1
    if room >= 1 and text[room - 1] == PERCENT:
        return room - 1
    if room >= 2 and text[room - 2] == PERCENT and nss_hex[text[room - 1]]:
        return room - 2
    return room


cdef void cut_values(
    Writer* writer, const Cut* found, int count, Py_ssize_t level
) noexcept nogil:
    """Cut the values of a line that are over the level; what is behind them moves up."""
    cdef uint8_t* out = writer.start + found[0].begin
    cdef const uint8_t* at = out
    cdef const uint8_t* begin
    cdef Py_ssize_t kept
    cdef int number
    for number in range(count):
        if found[number].end - found[number].begin <= level:
            continue
        begin = writer.start + found[number].begin
        kept = begin - at + kept_of(begin, level - found[number].mark_size)
        memmove(out, at, kept)
        memcpy(out + kept, found[number].mark, found[number].mark_size)
        out += kept + found[number].mark_size
        at = writer.start + found[number].end
    memmove(out, at, writer.out - at)
    writer.out = out + (writer.out - at)


cdef int shorten_line(
    const Cuts* cuts,
    Writer* writer,
    Py_ssize_t line,
    Py_ssize_t max_bytes,
    const Piece* pieces,
    int count,
    const Value* values,
    uint64_t stamp,
    const Moment* moment,
) noexcept nogil:
    """Cut the line from `line` on to `max_bytes`, which it exceeds.

    Returns DONE; WHOLE if it can't be cut to that, and stays; HAND_OVER or NO_MEMORY.
    """
    cdef Cut found[MAX_CUTS]
    cdef Py_ssize_t level, size = writer.out - writer.start - line
    cdef int done
    if cuts.least < 0:
        return HAND_OVER
    if not cuts.count:
        return WHOLE
    done = find_cuts(cuts, found, writer, line, pieces, count, values, stamp, moment)
    if done != DONE:
        return done
    level = level_of(found, cuts.count, size - max_bytes)
    if level < cuts.least:
        return WHOLE
    cut_values(writer, found, cuts.count, level)
    return DONE


cdef int take_cuts(Cuts* cuts, program) except -1:
    """Take what of a `program.Program` says what may be cut."""
    cdef int number
    cuts.count, cuts.least = len(program.cuts), program.least
    if cuts.count > MAX_CUTS:
        raise ValueError("too many values to cut")
    for number in range(cuts.count):
        cuts.pieces[number] = program.cuts[number]
        if not (cuts.pieces[number - 1] if number else -1) < cuts.pieces[number] < len(program.pieces):
            raise ValueError("no such piece, or not in order")
        if len(program.pieces[cuts.pieces[number]].mark) > cuts.least:
            raise ValueError("a mark that is longer than what is kept")
    return 0
