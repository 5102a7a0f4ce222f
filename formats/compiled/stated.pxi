"""The time of a record: what it states is the key to the texts that are printed of it."""

cdef inline int find_time(Core core) noexcept nogil:
    """Look up the time of a record; returns DONE, NEED_TIME, or HAND_OVER to the reference."""
    cdef const Value* time
    cdef const Value* zone
    cdef int index
    core.moment_key_size = 0
    if core.time_slot >= 0:
        # What the reference does with nearly every record: `plan.TimeFields`.
        time = &core.record.values[core.time_slot]
        if (
            is_stated(time, core.record.stamp)
            and time.kind == TEXT
            and time.size >= SHORT_TIME
            and not is_stated(&core.record.values[core.epoch_slot], core.record.stamp)
        ):
            zone = &core.record.values[core.zone_slot]
            if not add_time(core, 0, time) or not add_time(core, 1, zone):
                return HAND_OVER
            return know_time(core)
    for index in range(core.time_count):
        if not add_time(core, index + 2, &core.record.values[core.times[index]]):
            return HAND_OVER
    return know_time(core)


cdef inline bint add_time(Core core, int place, const Value* value) noexcept nogil:
    """Add a value to the key; false if it can't be part of one."""
    cdef uint8_t* key = core.moment_key + core.moment_key_size
    if not is_stated(value, core.record.stamp):
        return True
    if value.flags & (ESCAPED | HIGH | CONTROL) or value.size > MAX_TIME_TEXT:
        return False
    if core.moment_key_size + value.size + 3 > MAX_MOMENT_KEY:
        return False
    key[0], key[1], key[2] = <uint8_t>place, value.kind, <uint8_t>value.size
    memcpy(key + 3, value.text, value.size)
    core.moment_key_size += value.size + 3
    return True


cdef inline int know_time(Core core) noexcept nogil:
    if not is_moment(core.moment, core.moment_key, core.moment_key_size):
        core.moment = find_moment(&core.moments, core.moment_key, core.moment_key_size)
    return NEED_TIME if core.moment is NULL else DONE
