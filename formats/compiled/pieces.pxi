"""Steps of a program become the pieces that lines are printed from."""

cdef const uint8_t* keep(list kept, bytes text) except NULL:
    kept.append(text)
    return <const uint8_t*><const char*>text


cdef int take_guard(Guard* guard, bytes table, int first, list kept) except -1:
    """Take a table of what is encoded; `first` is the first byte that is not encoded anyway."""
    if len(table) != 256:
        raise ValueError("not a value for each byte")
    guard.table = keep(kept, table)
    stops = [byte for byte in range(first, 0x7F) if table[byte]]
    guard.many = len(stops) > 2
    stops = stops or [0x7F]  # which is always encoded
    memset(guard.stops, min(stops), WIDTH)
    memset(guard.stops + WIDTH, max(stops), WIDTH)
    return 0


cdef int take_piece(Piece* piece, spec, int time_pieces, Core core) except -1:
    """Take a `program.Step`; the core keeps what it points to."""
    cdef int way
    piece.kind = spec.kind
    piece.number = spec.number
    piece.slot = core.checked(spec.slot)
    piece.closes = spec.closes
    piece.encoded = spec.encoded
    piece.hexadecimal = spec.hexadecimal
    piece.width = spec.width
    piece.pad = spec.pad
    piece.otherwise = spec.otherwise
    piece.guarded, piece.quotes_only = spec.guarded, spec.quotes_only
    piece.ways = len(spec.ways)
    if piece.ways > MAX_WAYS or not 0 <= piece.width <= MAX_WIDTH - 24:
        raise ValueError("too many derivations, or too wide a number")
    for way in range(piece.ways):
        piece.way_slot[way], piece.way_how[way], piece.way_otherwise[way] = spec.ways[way]
        if not 0 <= piece.way_slot[way] < core.slot_count:
            raise ValueError("no such slot")
    piece.prefix_size = len(spec.prefix)
    piece.prefix = keep(core.kept, spec.prefix + bytes(WIDTH))
    piece.size = len(spec.text)
    piece.text = keep(core.kept, spec.text + bytes(WIDTH))
    if piece.kind == TIMES and not 0 <= piece.number < time_pieces:
        raise ValueError("no such time")
    piece.derived = &core.derived
    piece.mark_size = len(spec.mark)
    piece.mark = keep(core.kept, spec.mark)
    take_guard(&piece.cleans, spec.cleans, 0x20, core.kept)
    take_guard(&piece.encodes, spec.encodes, 0x21, core.kept)
    piece.usual = &core.record.values[core.slot_count]
    if piece.kind == TEXT_VALUE and piece.slot >= 0 and piece.prefix_size:
        if not piece.encoded and not piece.cleans.many:
            piece.usual = &core.record.values[piece.slot]
    if piece.guarded:
        piece.odd = ESCAPED if piece.quotes_only else ANY
    return 0
