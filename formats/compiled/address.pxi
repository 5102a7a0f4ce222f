"""IP addresses as places on the line of `filters.readings.address_number`: IPv4, then IPv6."""

cdef enum:
    PLACE = 17  # bytes: 0 for IPv4 or 1, and the bits of the address
    MAX_ADDRESS = 128  # `filters.readings.MEMO_MAX_CHARS`: longer text is none
    GROUPS = 8


cdef bint read_ipv4(const uint8_t* at, const uint8_t* end, uint8_t* bits) noexcept nogil:
    """Read four numbers up to 255 with dots between, as Python's `ipaddress` does."""
    cdef int number, part
    cdef const uint8_t* digits
    for part in range(4):
        if part:
            if at >= end or at[0] != DOT:
                return False
            at += 1
        digits, number = at, 0
        while at < end and is_digit(at[0]) and at - digits < 3:
            number = number * 10 + (at[0] - 48)
            at += 1
        if at == digits or number > 255 or (digits[0] == ZERO and at - digits > 1):
            return False
        bits[part] = <uint8_t>number
    return at == end


cdef bint read_groups(const uint8_t* at, const uint8_t* end, uint8_t* bits) noexcept nogil:
    """Read an IPv6 address. False is no verdict: there are more ways to write one."""
    cdef int count = 0, gap = -1, number, digit
    cdef const uint8_t* group
    memset(bits, 0, 2 * GROUPS)
    if end - at >= 2 and at[0] == COLON:
        if at[1] != COLON:
            return False
        gap = 0
        at += 2
    while at < end:
        if count == GROUPS:
            return False
        group, number = at, 0
        while at < end and at - group < 5:
            digit = hex_digit(at[0])
            if digit < 0:
                break
            number = number << 4 | digit
            at += 1
        if at < end and at[0] == DOT:  # the last two groups as IPv4
            if count > GROUPS - 2 or not read_ipv4(group, end, bits + 2 * count):
                return False
            count += 2
            break
        if at == group or at - group > 4:
            return False
        bits[2 * count], bits[2 * count + 1] = <uint8_t>(number >> 8), <uint8_t>(number & 255)
        count += 1
        if at == end:
            break
        if at[0] != COLON or end - at < 2:
            return False
        at += 1
        if at[0] == COLON:
            if gap >= 0:
                return False
            gap = count
            at += 1
    if gap < 0:
        return count == GROUPS
    if count >= GROUPS:
        return False
    # What follows the gap moves to the end.
    for number in range(2 * (count - gap)):
        bits[2 * GROUPS - 1 - number] = bits[2 * count - 1 - number]
    memset(bits + 2 * gap, 0, 2 * (GROUPS - count))
    return True


cdef int read_address(const uint8_t* text, Py_ssize_t size, uint8_t* place) noexcept nogil:
    """Find the place of an address: 1; 0 if the text is none; -1 if that is not certain."""
    cdef const uint8_t* end = text + size
    cdef int index
    memset(place, 0, PLACE)
    if read_ipv4(text, end, place + PLACE - 4):
        return 1
    if size == 0 or memchr(text, COLON, size) is NULL:
        return 0
    if size > MAX_ADDRESS or not read_groups(text, end, place + 1):
        return -1
    for index in range(1, 11):
        if place[index]:
            place[0] = 1
            return 1
    if place[11] == 0xFF and place[12] == 0xFF:  # IPv4 in IPv6
        place[11] = place[12] = 0
    else:
        place[0] = 1
    return 1


cdef bint is_place_within(
    const uint8_t* ranges, Py_ssize_t count, const uint8_t* place
) noexcept nogil:
    """Whether a place lies in one of so many ranges, which are sorted and apart."""
    cdef Py_ssize_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) // 2
        if memcmp(ranges + middle * 2 * PLACE, place, PLACE) <= 0:
            low = middle + 1
        else:
            high = middle
    return low > 0 and memcmp(place, ranges + (2 * low - 1) * PLACE, PLACE) <= 0
