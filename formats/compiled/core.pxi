"""The pass over a batch: read a record, look up its time, print its line; or hand it over."""

cdef enum:
    MAX_SLOTS = 512
    MAX_ASKED = 128  # new keys of one record: it is read again after each
    FREE_AGAIN = 262_144  # bytes that any batch may be read again for new keys; twice its size more
    ENOUGH = 4_096  # bytes of a batch that say how much room for lines the next one needs
    MAX_SHARE = 64
    SHORT_TIME = 8  # no word that stands for an absent time is longer


cdef struct Run:
    const uint8_t* start
    const uint8_t* at
    const uint8_t* end
    Py_ssize_t number  # of the line at hand
    bint refused  # the record at hand has no time, or too many new keys
    int asked  # new keys of the record at hand
    Py_ssize_t again  # bytes that may still be read again


@final
cdef class Core:
    """Runs one program (`formats.compiled.program`), one batch at a time: see `run`."""

    cdef Record record
    cdef Moments moments
    cdef int slot_count
    cdef Twin* twins
    cdef int twin_count
    cdef int* times  # slots of what states the time
    cdef int time_count
    cdef int time_slot, zone_slot, epoch_slot  # -1: times are stated in texts
    cdef Piece* pieces
    cdef int piece_count
    cdef bint has_time
    cdef Py_ssize_t max_record_bytes
    cdef bytes envelope
    cdef Py_ssize_t scratch_size
    cdef Moment* moment  # of the last record
    cdef uint8_t moment_key[MAX_MOMENT_KEY]
    cdef Py_ssize_t moment_key_size
    cdef list kept  # what the pieces point to
    cdef bint busy
    cdef Py_ssize_t share  # bytes of lines for 16 bytes of a batch, as it was the last time

    def __cinit__(self, program):
        cdef int index
        self.kept = []
        self.max_record_bytes = program.max_record_bytes
        self.slot_count = len(program.slots)
        self.time_count = len(program.times)
        self.piece_count = len(program.pieces)
        self.twin_count = len(program.twins)
        if self.slot_count > MAX_SLOTS:
            raise ValueError("too many attributes")
        self.record.values = <Value*>calloc(self.slot_count + 1, sizeof(Value))
        self.record.slots = <uint8_t*>calloc(self.slot_count + 1, 1)
        self.times = <int*>calloc(self.time_count + 1, sizeof(int))
        self.twins = <Twin*>calloc(self.twin_count + 1, sizeof(Twin))
        self.pieces = <Piece*>calloc(self.piece_count + 1, sizeof(Piece))
        if not (self.record.values and self.record.slots and self.times and self.pieces):
            raise MemoryError
        if self.twins is NULL:
            raise MemoryError
        for index in range(self.slot_count):
            self.record.slots[index] = program.slots[index]
        for index in range(self.time_count):
            self.times[index] = self.checked(program.times[index])
        for index in range(self.twin_count):
            one, other, self.twins[index].in_base64 = program.twins[index]
            if not (0 <= one < self.slot_count and 0 <= other < self.slot_count):
                raise ValueError("no such slot")
            self.twins[index].one, self.twins[index].other = one, other
        time, zone, epoch = program.clock
        self.time_slot, self.zone_slot = self.checked(time), self.checked(zone)
        self.epoch_slot = self.checked(epoch)
        if self.time_slot >= 0 and (self.zone_slot < 0 or self.epoch_slot < 0):
            raise ValueError("times by name want all of them")
        # Python's own secret: nobody outside of the process can tell what collides.
        self.record.keys.seed = <uint32_t>(hash(b"keys") & 0xFFFFFFFF)
        self.moments.seed = <uint64_t>(hash(b"moments") & 0xFFFFFFFFFFFFFFFF)
        open_keys(&self.record.keys)
        self.envelope, self.record.envelope_counted = program.envelope, program.envelope_counted
        self.forget_keys(None)
        for index in range(self.piece_count):
            self.take_piece(&self.pieces[index], program.pieces[index], program.time_pieces)
        open_moments(&self.moments, program.time_pieces)
        self.has_time = program.time_pieces > 0
        self.share = 16

    def __dealloc__(self):
        close_keys(&self.record.keys)
        close_moments(&self.moments)
        free(self.record.values)
        free(self.record.slots)
        free(self.times)
        free(self.twins)
        free(self.pieces)
        free(self.record.scratch)

    cdef int checked(self, slot) except -2:
        """Return a slot that there is, or -1."""
        if not -1 <= slot < self.slot_count:
            raise ValueError("no such slot")
        return slot

    cdef int forget_keys(self, Output output) except -1:
        """Forget all keys but the envelope's; what was counted goes to the output."""
        if output is not None:
            self.count_keys(output)
        self.record.current_key = NULL
        self.record.counted_count = 0
        forget_keys(&self.record.keys)
        add_key(
            &self.record.keys,
            <const uint8_t*><const char*>self.envelope,
            len(self.envelope),
            ENVELOPE,
            False,
            False,
            False,
        )
        return 0

    cdef int count_keys(self, Output output) except -1:
        """Put into the output what was counted, and begin anew."""
        cdef Key* key
        cdef int number
        for number in range(self.record.keys.count):
            key = &self.record.keys.all[number]
            if key.count:
                name = (<const char*>key.text)[: key.size].decode("utf-8")
                output.unmapped[name] = output.unmapped.get(name, 0) + key.count
                key.count = 0
        return 0

    cdef int learn_key(self, Output output, meaning_of) except -1:
        """Learn what the key that was asked for means."""
        cdef bytes text = (<const char*>self.record.keys.asked)[: self.record.keys.asked_size]
        slot, counted, astray, whose = meaning_of(text.decode("utf-8"))
        if self.record.keys.count >= MAX_KEYS:
            self.forget_keys(output)
        add_key(
            &self.record.keys,
            <const uint8_t*><const char*>text,
            len(text),
            self.checked(slot),
            bool(counted) and slot < 0,
            bool(astray) and slot >= 0,
            bool(whose),
        )
        return 0

    cdef int take_piece(self, Piece* piece, spec, int time_pieces) except -1:
        cdef int way
        piece.kind = spec.kind
        piece.number = spec.number
        piece.slot = self.checked(spec.slot)
        piece.closes = spec.closes
        piece.encoded = spec.encoded
        piece.hexadecimal = spec.hexadecimal
        piece.width = spec.width
        piece.pad = spec.pad
        piece.otherwise = spec.otherwise
        piece.guard = spec.guard
        piece.quotes_only = spec.quotes_only
        piece.encodes_more = spec.encodes_more
        piece.ways = len(spec.ways)
        if piece.ways > MAX_WAYS or not 0 <= piece.width <= MAX_WIDTH - 24:
            raise ValueError("too many derivations, or too wide a number")
        for way in range(piece.ways):
            piece.way_slot[way], piece.way_how[way], piece.way_otherwise[way] = spec.ways[way]
            if not 0 <= piece.way_slot[way] < self.slot_count:
                raise ValueError("no such slot")
        piece.prefix_size = len(spec.prefix)
        piece.prefix = self.keep(spec.prefix + bytes(WIDTH))
        piece.size = len(spec.text)
        piece.text = self.keep(spec.text + bytes(WIDTH))
        if len(spec.cleans) != 256 or len(spec.encodes) != 256:
            raise ValueError("not a value for each byte")
        if piece.kind == TIMES and not 0 <= piece.number < time_pieces:
            raise ValueError("no such time")
        piece.cleans = self.keep(spec.cleans)
        piece.encodes = self.keep(spec.encodes)
        return 0

    cdef const uint8_t* keep(self, bytes text) except NULL:
        self.kept.append(text)
        return <const uint8_t*><const char*>text

    def run(self, data, meaning_of, resolve):
        """Return the `Output` of a batch; `None` while another thread is in here.

        `data` is `bytes`, or any other buffer that nobody changes meanwhile.

        `meaning_of(key)` returns the slot of a key, or -1, whether no field is known for it, and
        whether it must not stand beside an envelope, and in an object that nobody reads.
        `resolve(values)` gets what a record states of its time, in the order of the program, `None`
        for what it lacks, and returns the texts of the time pieces; `None` if it has no time.
        """
        cdef Output output = Output()
        cdef Py_buffer view
        cdef Run run
        cdef int done = DONE
        if self.busy:
            return None
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self.busy = True
        try:
            self.make_scratch(view.len)
            run.start = run.at = <const uint8_t*>view.buf
            run.end = run.start + view.len
            run.number, run.refused, run.asked = 0, False, 0
            run.again = FREE_AGAIN + 2 * view.len
            self.count_keys(Output())  # what a batch left that failed
            if not has_room(&output.printed.writer, view.len // 16 * self.share):
                raise MemoryError
            while True:
                with nogil:
                    done = self.run_until(&run, output)
                if done == DONE:
                    self.count_keys(output)
                    output.finished()
                    if view.len >= ENOUGH:
                        self.share = min(MAX_SHARE, 2 + output.text.count // (view.len // 16))
                    return output
                if done == NO_MEMORY:
                    raise MemoryError
                if done == NEED_KEY:
                    run.asked += 1
                    run.again -= self.record.keys.asked - run.at
                    run.refused = run.asked > MAX_ASKED or run.again < 0
                    if run.asked <= MAX_ASKED:
                        self.learn_key(output, meaning_of)
                    continue
                texts = resolve(self.stated_times())
                if texts is None:
                    run.refused = True
                else:
                    self.moment = NULL
                    add_moment(&self.moments, self.moment_key, self.moment_key_size, texts)
        finally:
            self.busy = False
            PyBuffer_Release(&view)

    cdef int make_scratch(self, Py_ssize_t size) except -1:
        size += 2 * WIDTH
        if self.scratch_size >= size and self.scratch_size <= 4 * size + 65536:
            return 0
        free(self.record.scratch)
        self.scratch_size = 0
        self.record.scratch = <uint8_t*>calloc(1, size)
        if self.record.scratch is NULL:
            raise MemoryError
        self.scratch_size = size
        return 0

    cdef tuple stated_times(self):
        cdef const Value* value
        cdef list stated = []
        cdef int index
        for index in range(self.time_count):
            value = &self.record.values[self.times[index]]
            if not is_stated(value, self.record.stamp):
                stated.append(None)
            elif value.kind == INTEGER:
                stated.append(value.number)
            else:
                # Those that are not part of the key may hold anything, but it is UTF-8.
                stated.append((<const char*>value.text)[: value.size].decode("utf-8"))
        return tuple(stated)

    cdef int run_until(self, Run* run, Output output) noexcept nogil:
        """Print records up to the end, or up to one with a time that was never seen."""
        cdef const uint8_t* end
        cdef int done
        while run.at < run.end:
            if run.at[0] != OPEN:
                end = blank_end(run.at, run.end)
                if end is not NULL:
                    run.at = end
                    continue
            done = self.run_record(run, output)
            if done != DONE:
                return done
            run.number += 1
            run.refused, run.asked = False, 0
        return DONE

    cdef inline int run_record(self, Run* run, Output output) noexcept nogil:
        cdef const uint8_t* end = NULL
        cdef Writer* writer = &output.printed.writer
        cdef Py_ssize_t line = writer.out - writer.start
        cdef int done = HAND_OVER, number
        if not run.refused:
            self.record.keys.asked = NULL
            end = read_record(&self.record, run.at, run.end)
            if self.record.keys.asked is not NULL:
                return NEED_KEY
        if end is not NULL and end - run.at <= self.max_record_bytes and self.agrees():
            done = self.print_record(writer)
        if done == DONE:
            if not output.note_line(line, run.at - run.start):
                return NO_MEMORY
            for number in range(self.record.counted_count):
                self.record.counted[number].count += 1
        else:
            writer.out = writer.start + line
            if done != HAND_OVER:
                return done
            end = <const uint8_t*>memchr(run.at, LINE_FEED, run.end - run.at)
            if end is NULL:
                end = run.end
            if not output.note_handed(run.at - run.start, end - run.start, run.number):
                return NO_MEMORY
        run.at = end
        return DONE

    cdef inline bint agrees(self) noexcept nogil:
        return twins_agree(self.twins, self.twin_count, self.record.values, self.record.stamp)

    cdef inline int print_record(self, Writer* writer) noexcept nogil:
        cdef int done
        if self.has_time:
            done = self.find_time()
            if done != DONE:
                return done
        return print_line(
            writer, self.pieces, self.piece_count, self.record.values, self.record.stamp, self.moment
        )

    # Times

    cdef inline int find_time(self) noexcept nogil:
        cdef const Value* time
        cdef const Value* zone
        cdef int index
        self.moment_key_size = 0
        if self.time_slot >= 0:
            # What the reference does with nearly every record: `plan.TimeFields`.
            time = &self.record.values[self.time_slot]
            if (
                is_stated(time, self.record.stamp)
                and time.kind == TEXT
                and time.size >= SHORT_TIME
                and not is_stated(&self.record.values[self.epoch_slot], self.record.stamp)
            ):
                zone = &self.record.values[self.zone_slot]
                if not self.add_time(0, time) or not self.add_time(1, zone):
                    return HAND_OVER
                return self.know_time()
        for index in range(self.time_count):
            if not self.add_time(index + 2, &self.record.values[self.times[index]]):
                return HAND_OVER
        return self.know_time()

    cdef inline bint add_time(self, int place, const Value* value) noexcept nogil:
        """Add a value to the key; false if it can't be part of one."""
        cdef uint8_t* key = self.moment_key + self.moment_key_size
        if not is_stated(value, self.record.stamp):
            return True
        if value.flags & (ESCAPED | HIGH | CONTROL) or value.size > MAX_TIME_TEXT:
            return False
        if self.moment_key_size + value.size + 3 > MAX_MOMENT_KEY:
            return False
        key[0], key[1], key[2] = <uint8_t>place, value.kind, <uint8_t>value.size
        memcpy(key + 3, value.text, value.size)
        self.moment_key_size += value.size + 3
        return True

    cdef inline int know_time(self) noexcept nogil:
        if not is_moment(self.moment, self.moment_key, self.moment_key_size):
            self.moment = find_moment(&self.moments, self.moment_key, self.moment_key_size)
        return NEED_TIME if self.moment is NULL else DONE
