"""The pass over a batch: read a record, look up its time, print its line; or hand it over."""

cdef enum:
    MAX_SLOTS = 512
    MAX_ASKED = 128  # new keys of one record: it is read again after each
    FREE_AGAIN = 262_144  # bytes that any batch may be read again for new keys; twice its size more
    ENOUGH = 4_096  # bytes of a batch that say how much room for lines the next one needs
    MAX_SHARE = 64
    SHORT_TIME = 8  # no word that stands for an absent time is longer


@final
cdef class Core:
    """Runs one program, with a sieve and an order if there are any, one batch at a time: see `run`."""

    cdef Record record
    cdef LineLayout layout
    cdef Moments moments
    cdef int slot_count
    cdef Twin* twins
    cdef int twin_count
    cdef int* times  # slots of what states the time
    cdef int time_count
    cdef int time_slot, zone_slot, epoch_slot  # -1: times are stated in texts
    cdef Piece* pieces
    cdef int piece_count
    cdef Cuts cuts
    cdef Sieve sieve
    cdef Order order
    cdef Buffer derived  # the last text that was derived
    cdef bint has_filter, has_time, has_order
    cdef public bint wants_order
    """Whether lines of the next batches get order keys; needs an order."""
    cdef Py_ssize_t max_record_bytes
    cdef bytes envelope
    cdef Py_ssize_t scratch_size
    cdef Moment* moment  # of the last record
    cdef uint8_t moment_key[MAX_MOMENT_KEY]
    cdef Py_ssize_t moment_key_size
    cdef list kept  # what the pieces point to
    cdef Py_ssize_t share  # bytes of lines for 16 bytes of a batch, as it was the last time
    cdef bint busy

    def __cinit__(self, program, sieve=None, order=None):
        cdef int index
        self.kept, self.max_record_bytes = [], program.max_record_bytes
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
        if not (self.record.values and self.record.slots and self.times and self.pieces and self.twins):
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
            take_piece(&self.pieces[index], program.pieces[index], program.time_pieces, self)
        take_cuts(&self.cuts, program)
        open_moments(&self.moments, program.time_pieces)
        if sieve is not None:
            open_sieve(&self.sieve, sieve, self.slot_count, self.kept)
            self.sieve.derived = &self.derived
            self.has_filter = True
        if order is not None:
            take_order(&self.order, order, self.slot_count)
            self.order.derived = &self.derived
            self.has_order = True
        if program.layout is not None:
            open_layout(&self.layout, program.layout, self.kept)
            check_slots(&self.layout, self.slot_count)
        self.has_time = program.time_pieces > 0
        self.share = 16

    def __dealloc__(self):
        close_keys(&self.record.keys)
        close_moments(&self.moments)
        close_sieve(&self.sieve)
        close_layout(&self.layout)
        free(self.record.values)
        free(self.record.slots)
        free(self.times)
        free(self.twins)
        free(self.pieces)
        free(self.record.scratch)
        free(self.derived.start)

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
            key.pending = 0  # an array that was printed has none, and one that failed does not count
            if key.count:
                name = (<const char*>key.text)[: key.size].decode("utf-8")
                output.unmapped[name] = output.unmapped.get(name, 0) + key.count
                key.count = 0
        return 0

    cdef int learn_key(self, Output output, meaning_of, const uint8_t* end) except -1:
        """Learn what the key that was asked for means, and whether blanks stand around it."""
        cdef const uint8_t* behind = self.record.keys.asked + self.record.keys.asked_size + 1
        cdef bint blanks = end - behind >= 2 and behind[0] == COLON and behind[1] == c" "
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
            blanks,
        )
        self.place_value(&self.record.keys.all[self.record.keys.count - 1])
        return 0

    cdef void place_value(self, Key* key) noexcept nogil:
        """Say where the values of a key go that take nothing but a text or a number."""
        if key.slot >= 0:
            key.value, key.kept = &self.record.values[key.slot], <uint64_t>-1
            key.is_number = self.record.slots[key.slot] == NUMBER_SLOT
        elif not key.counted:
            key.value = &self.record.aside

    def run(self, data, meaning_of, resolve, Py_ssize_t max_bytes):
        """Return the `Output` of a batch; `None` while another thread is in here.

        `data` is `bytes`, or any other buffer that nobody changes meanwhile. Lines are cut to
        `max_bytes`; those that can't be stay as they are.

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
            run.max_bytes = max_bytes
            run.ordered = self.wants_order and self.has_order
            run.array.record, run.array.counted = NULL, False
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
                    if self.record.keys.count >= MAX_KEYS:
                        drop_array(self, &run, output)  # to be read again from its beginning
                    run.again -= self.record.keys.asked - read_from(&run)
                    run.refused = run.asked > MAX_ASKED or run.again < 0
                    if run.asked <= MAX_ASKED:
                        self.learn_key(output, meaning_of, run.end)
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
            if run.array.record is NULL and run.at[0] != OPEN:
                end = blank_end(run.at, run.end)
                if end is not NULL:
                    run.at = end
                    continue
                if self.layout.form == JSON_FORM:
                    find_array(run, output)
            if run.array.record is NULL:
                done = self.run_record(run, output)
            else:
                done = run_array(self, run, output)
            if done != DONE:
                return done
            run.number += 1
            run.refused, run.asked = False, 0
        return DONE

    cdef inline int run_record(self, Run* run, Output output) noexcept nogil:
        cdef const uint8_t* end = NULL
        cdef int done = HAND_OVER, number
        if not run.refused:
            self.record.keys.asked = NULL
            end = self.read(run.at, run.end)
            if self.record.keys.asked is not NULL:
                return NEED_KEY
        if end is not NULL and end - run.at <= self.max_record_bytes and self.agrees():
            done = self.note_record(run, output, run.at)
        if done == DONE:
            for number in range(self.record.counted_count):
                self.record.counted[number].count += 1
        else:
            return self.hand_over(run, output) if done == HAND_OVER else done
        run.at = end
        return DONE

    cdef inline int note_record(
        self, Run* run, Output output, const uint8_t* record
    ) noexcept nogil:
        """Print a record, or count that it is filtered; else leave nothing of it."""
        cdef Writer* writer = &output.printed.writer
        cdef Py_ssize_t line = writer.out - writer.start, size
        cdef uint32_t key = 0
        cdef int done = self.print_record(writer), cut = WHOLE
        size = writer.out - writer.start - line
        if done == DONE and size > run.max_bytes:
            cut = self.shorten(writer, line, run.max_bytes)
            done = DONE if cut == WHOLE else cut
        if done == DONE and run.ordered:
            done = find_order(&self.order, self.record.values, self.record.stamp, &key)
        if done != DONE:
            writer.out = writer.start + line
            if done != FILTERED:
                return done
            output.filtered += 1
            return DONE
        if not output.note_line(line, record - run.start):
            return NO_MEMORY
        if cut == DONE and not note_cut(&output.cut, output.printed.count - 1, size):
            return NO_MEMORY
        return DONE if not run.ordered or note_order(&output.order, key) else NO_MEMORY

    cdef int hand_over(self, Run* run, Output output) noexcept nogil:
        cdef const uint8_t* end = <const uint8_t*>memchr(run.at, LINE_FEED, run.end - run.at)
        if end is NULL:
            end = run.end
        if not output.note_handed(run.at - run.start, end - run.start, run.number):
            return NO_MEMORY
        run.at = end
        return DONE

    cdef inline const uint8_t* read(self, const uint8_t* at, const uint8_t* end) noexcept nogil:
        cdef bint in_array = False
        if self.layout.form == JSON_FORM:
            if at[0] != OPEN:
                at = object_start(at, end, &in_array)
                if at is NULL or in_array:
                    return NULL
            return read_record(&self.record, at, end)
        return read_line(&self.layout, &self.record, at, end)

    cdef inline bint agrees(self) noexcept nogil:
        cdef Record* record = &self.record
        return twins_agree(self.twins, self.twin_count, record.values, record.stamp, &self.derived)

    cdef inline int print_record(self, Writer* writer) noexcept nogil:
        cdef int done
        if self.has_filter:
            done = sift(&self.sieve, self.record.values, self.record.stamp)
            if done != DONE:
                return done
        if self.has_time:
            done = find_time(self)
            if done != DONE:
                return done
        return print_line(
            writer,
            self.pieces,
            self.piece_count,
            self.record.values,
            self.record.stamp,
            self.moment,
            writer.out - writer.start,
        )

    cdef int shorten(self, Writer* writer, Py_ssize_t line, Py_ssize_t max_bytes) noexcept nogil:
        return shorten_line(
            &self.cuts,
            writer,
            line,
            max_bytes,
            self.pieces,
            self.piece_count,
            self.record.values,
            self.record.stamp,
            self.moment,
        )
