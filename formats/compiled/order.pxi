"""Order keys of lines (`formats.order`): the CRC-32 of zlib over the text of the user."""

cdef uint32_t CRC[256]


cdef void fill_crc() noexcept:
    cdef uint32_t entry
    cdef int byte, bit
    for byte in range(256):
        entry = byte
        for bit in range(8):
            entry = entry >> 1 ^ (0xEDB88320u if entry & 1 else 0u)
        CRC[byte] = entry


fill_crc()


cdef struct Order:
    int slot  # the field's own text, or -1
    int ways
    int way_slot[MAX_WAYS]
    int way_how[MAX_WAYS]
    uint32_t otherwise  # without any text
    Buffer* derived


cdef struct OrderKeys:
    uint32_t* all
    Py_ssize_t count, room


cdef int take_order(Order* order, spec, int slot_count) except -1:
    """Take an `ordering.Order`."""
    cdef int way
    order.slot, order.ways, order.otherwise = spec.slot, len(spec.ways), spec.otherwise
    if order.ways > MAX_WAYS or not -1 <= order.slot < slot_count:
        raise ValueError("too many derivations, or no such slot")
    for way in range(order.ways):
        order.way_slot[way], order.way_how[way] = spec.ways[way]
        if not 0 <= order.way_slot[way] < slot_count:
            raise ValueError("no such slot")
    return 0


cdef inline uint32_t crc32_of(const uint8_t* text, Py_ssize_t size) noexcept nogil:
    cdef uint32_t crc = 0xFFFFFFFFu
    cdef Py_ssize_t index
    for index in range(size):
        crc = CRC[(crc ^ text[index]) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFFu


cdef int find_order(
    const Order* order, const Value* values, uint64_t stamp, uint32_t* key
) noexcept nogil:
    """Work out the order key of a record; DONE, NO_MEMORY, or HAND_OVER to the reference."""
    cdef const Value* value
    cdef Value derived
    cdef bint encoded = False
    cdef int way, done
    key[0] = order.otherwise
    if order.slot >= 0 and is_stated(&values[order.slot], stamp):
        value = &values[order.slot]
        key[0] = crc32_of(value.text, value.size)
        return DONE
    for way in range(order.ways):
        value = &values[order.way_slot[way]]
        if is_stated(value, stamp):
            done = derive(order.derived, value, order.way_how[way], &derived, &encoded)
            if done == FAILS:
                continue
            if done != DONE:
                return done
            if encoded or derived.flags & CONTROL:
                return HAND_OVER
            key[0] = crc32_of(derived.text, derived.size)
            break
    return DONE


cdef bint note_order(OrderKeys* keys, uint32_t key) noexcept nogil:
    """Note the key of a line; false when there is no memory."""
    cdef void* larger
    if keys.count == keys.room:
        larger = realloc(keys.all, (2 * keys.room + 256) * sizeof(uint32_t))
        if larger is NULL:
            return False
        keys.all, keys.room = <uint32_t*>larger, 2 * keys.room + 256
    keys.all[keys.count] = key
    keys.count += 1
    return True
