"""Lines that are arrays of records: all of them are printed, or the line is handed over.

An array is left where a key or a time is not known, and continued at the record at hand.
"""


cdef inline const uint8_t* read_from(Run* run) noexcept nogil:
    """Return where reading goes on: the line at hand, or its record if it is an array."""
    return run.at if run.array.record is NULL else run.array.record


cdef void find_array(Run* run, Output output) noexcept nogil:
    """Take an array at hand, if the line is one that begins with an object."""
    cdef bint in_array = False
    cdef const uint8_t* record = object_start(run.at, run.end, &in_array)
    if in_array and record is not NULL:
        run.array.record = record
        run.array.lines, run.array.longest = output.printed.count, output.printed.longest
        run.array.written = output.printed.writer.out - output.printed.writer.start
        run.array.filtered = output.filtered
        run.array.shortened = output.cut.count


cdef void settle_pending(Keys* keys, Array* array, bint printed) noexcept nogil:
    """Count what is pending, or forget it; no array is at hand any more."""
    cdef int number
    array.record = NULL
    if not array.counted:
        return
    for number in range(keys.count):
        if printed:
            keys.all[number].count += keys.all[number].pending
        keys.all[number].pending = 0
    array.counted = False


cdef void drop_array(Core core, Run* run, Output output) noexcept nogil:
    """Drop what was printed of the array at hand, if one is."""
    if run.array.record is not NULL:
        output.printed.count, output.printed.longest = run.array.lines, run.array.longest
        output.printed.writer.out = output.printed.writer.start + run.array.written
        output.filtered = run.array.filtered
        output.cut.count = run.array.shortened
        if run.ordered:
            output.order.count = run.array.lines
        settle_pending(&core.record.keys, &run.array, False)


cdef int run_array(Core core, Run* run, Output output) noexcept nogil:
    """Print the records of an array from the one at hand on."""
    cdef const uint8_t* end
    cdef int done
    while not run.refused:
        core.record.keys.asked, core.record.shared = NULL, True
        end = read_record(&core.record, run.array.record, run.end)
        core.record.shared = False
        if core.record.keys.asked is not NULL:
            return NEED_KEY
        if end is NULL or not core.agrees():
            break
        done = core.note_record(run, output, run.array.record)
        if done == HAND_OVER:
            break
        if done != DONE:
            return done
        note_pending(&core.record, &run.array)
        run.asked = 0
        if end[0] == CLOSE_ARRAY:
            return end_array(core, run, output, skip_space(end + 1, run.end))
        run.array.record = skip_space(end + 1, run.end)
    drop_array(core, run, output)
    return core.hand_over(run, output)


cdef inline void note_pending(Record* record, Array* array) noexcept nogil:
    """Count the keys of a record that no field is known for, until all of the array is printed."""
    cdef int number
    for number in range(record.counted_count):
        record.counted[number].pending += 1
        array.counted = True


cdef int end_array(
    Core core, Run* run, Output output, const uint8_t* end
) noexcept nogil:
    """Be done with an array, unless its line does not end with it, or is too long."""
    if (end < run.end and end[0] != LINE_FEED) or end - run.at > core.max_record_bytes:
        drop_array(core, run, output)
        return core.hand_over(run, output)
    settle_pending(&core.record.keys, &run.array, True)
    run.at = end
    return DONE
