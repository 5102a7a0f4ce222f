"""What came of a batch: lines in one buffer, and the records that were handed over."""

cdef struct Handed:
    Py_ssize_t start  # of the line of the batch
    Py_ssize_t end  # without its line feed
    Py_ssize_t number  # of the line; empty lines do not count
    Py_ssize_t before  # lines that were printed before it


cdef struct Printed:
    Writer writer  # lines, each ended by LF
    int64_t* ends  # of each line, behind its LF
    int64_t* sources  # where the record of each begins in the batch
    Py_ssize_t count, room
    Py_ssize_t longest  # bytes of the longest line, without LF


cdef struct Shortened:
    Py_ssize_t line  # its index
    Py_ssize_t size  # bytes it had


cdef struct ShortenedLines:
    Shortened* all
    Py_ssize_t count, room


cdef bint note_cut(ShortenedLines* lines, Py_ssize_t line, Py_ssize_t size) noexcept nogil:
    """Note that a line was cut that had `size` bytes; false when there is no memory."""
    cdef void* larger
    if lines.count == lines.room:
        larger = realloc(lines.all, (2 * lines.room + 64) * sizeof(Shortened))
        if larger is NULL:
            return False
        lines.all, lines.room = <Shortened*>larger, 2 * lines.room + 64
    lines.all[lines.count] = Shortened(line, size)
    lines.count += 1
    return True


cdef bint note_printed(
    Printed* printed, Py_ssize_t end, Py_ssize_t size, int64_t source
) noexcept nogil:
    """Note a line of `size` bytes that was written up to `end`, its LF included.

    Returns false when there is no memory.
    """
    cdef void* larger
    cdef Py_ssize_t room = 2 * printed.room + 256
    if printed.count == printed.room:
        larger = realloc(printed.ends, room * sizeof(int64_t))
        if larger is NULL:
            return False
        printed.ends = <int64_t*>larger
        larger = realloc(printed.sources, room * sizeof(int64_t))
        if larger is NULL:
            return False
        printed.sources, printed.room = <int64_t*>larger, room
    printed.ends[printed.count] = end
    printed.sources[printed.count] = source
    printed.count += 1
    if size > printed.longest:
        printed.longest = size
    return True


cdef bint put_line(
    Printed* printed, const uint8_t* line, Py_ssize_t size, int64_t source
) noexcept nogil:
    """Print a line; false when there is no memory."""
    cdef Writer* writer = &printed.writer
    if not has_room(writer, size + 1):
        return False
    memcpy(writer.out, line, size)
    writer.out[size] = LINE_FEED
    writer.out += size + 1
    return note_printed(printed, writer.out - writer.start, size, source)


cdef void free_printed(Printed* printed) noexcept:
    free(printed.writer.start)
    free(printed.ends)
    free(printed.sources)
    memset(printed, 0, sizeof(Printed))


@final
cdef class Memory:
    """Bytes, or 64-bit integers, that nobody changes any more: they live as long as a view does."""

    cdef void* start
    cdef Py_ssize_t count, item_bytes

    def __dealloc__(self):
        free(self.start)

    def __getbuffer__(self, Py_buffer* view, int flags):
        if flags & PyBUF_WRITABLE:
            raise BufferError("lines can't be changed")
        view.obj = self
        view.buf = self.start if self.start is not NULL else &self.count  # none of it is read
        view.len = self.count * self.item_bytes
        view.readonly = True
        view.itemsize = self.item_bytes
        view.format = NULL
        if flags & PyBUF_FORMAT:
            view.format = <char*>b"B" if self.item_bytes == 1 else <char*>b"q"
        view.ndim = 1
        view.shape = &self.count if flags & PyBUF_ND else NULL
        view.strides = &self.item_bytes if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
        view.suboffsets = NULL
        view.internal = NULL


cdef Memory taken(void** start, Py_ssize_t count, Py_ssize_t item_bytes):
    """Take memory over, as much of it as is used."""
    cdef Memory memory = Memory()
    cdef void* used = NULL
    if count:
        used = realloc(start[0], count * item_bytes)
        if used is not NULL:  # else it stays as large as it was
            start[0] = used
        memory.start, start[0] = start[0], NULL
    memory.count, memory.item_bytes = count, item_bytes
    return memory


@final
cdef class Output:
    """The lines that a pass has printed, in one buffer, and what it has handed over."""

    cdef Printed printed  # during the pass
    cdef Memory text, line_ends, line_sources  # after it
    cdef Handed* handed
    cdef Py_ssize_t handed_size, handed_room
    cdef OrderKeys order
    cdef ShortenedLines cut
    cdef Py_ssize_t copied  # of those that were cut, into another output
    cdef readonly Py_ssize_t filtered
    """How many records the filter has dropped."""
    cdef readonly dict unmapped
    """Keys that no field is known for, and in how many records each was: of lines, and filtered ones."""

    def __cinit__(self):
        self.unmapped = {}

    def __dealloc__(self):
        free_printed(&self.printed)
        free(self.handed)
        free(self.order.all)
        free(self.cut.all)

    def __len__(self):
        return self.printed.count

    def lines(self):
        """Return the lines: `Lines` that outlive everything else."""
        return Lines(
            memoryview(self.text), memoryview(self.line_ends), longest=self.printed.longest
        )

    @property
    def sources(self):
        """Where the record of each line begins in the batch: a view of 64-bit integers."""
        return memoryview(self.line_sources)

    @property
    def order_keys(self):
        """The order key of each line, a view of 32-bit integers; none if nobody wanted them."""
        keys = PyBytes_FromStringAndSize(
            <char*>self.order.all, self.order.count * sizeof(uint32_t)
        )
        return memoryview(keys).cast("I")

    @property
    def shortened(self):
        """How many bytes lines had that were cut, by their index."""
        cdef Py_ssize_t index
        return {
            self.cut.all[index].line: self.cut.all[index].size for index in range(self.cut.count)
        }

    @property
    def handed_count(self):
        """How many records were handed over."""
        return self.handed_size

    @property
    def handed_over(self):
        """The records that were handed over: start, end, number of the line, lines before it."""
        cdef Py_ssize_t index
        return [
            (
                self.handed[index].start,
                self.handed[index].end,
                self.handed[index].number,
                self.handed[index].before,
            )
            for index in range(self.handed_size)
        ]

    def merged(self, lines, numbers, shortened):
        """Return its lines with others between them, in the order of their records.

        `numbers[i]` says for which of the records handed over `lines[i]` is; they ascend. The
        source of that line is `-1 - i`. `shortened` is theirs, see `Output.shortened`.
        """
        cdef Output whole = Output()
        cdef Py_ssize_t number, least = 0, at = 0
        self.copied = 0
        cdef int64_t source = 0
        cdef bytes line
        for number, line in zip(numbers, lines, strict=True):
            if not least <= number < self.handed_size:
                raise ValueError("no such record")
            self.copy(whole, at, self.handed[number].before)
            least, at = number, self.handed[number].before
            source -= 1
            if -1 - source in shortened and not note_cut(
                &whole.cut, whole.printed.count, shortened[-1 - source]
            ):
                raise MemoryError
            if not put_line(
                &whole.printed, <const uint8_t*><const char*>line, len(line), source
            ):
                raise MemoryError
        self.copy(whole, at, self.printed.count)
        return whole.finished()

    cdef int copy(self, Output other, Py_ssize_t first, Py_ssize_t last) except -1:
        """Print lines from `first` to before `last` into another output."""
        cdef const int64_t* ends = <const int64_t*>self.line_ends.start
        cdef const int64_t* sources = <const int64_t*>self.line_sources.start
        cdef Writer* writer = &other.printed.writer
        cdef Py_ssize_t begin, moved, index
        if first == last:
            return 0
        begin = ends[first - 1] if first else 0
        if not has_room(writer, ends[last - 1] - begin):
            raise MemoryError
        moved = writer.out - writer.start - begin
        while self.copied < self.cut.count and self.cut.all[self.copied].line < last:
            index = self.cut.all[self.copied].line - first + other.printed.count
            if not note_cut(&other.cut, index, self.cut.all[self.copied].size):
                raise MemoryError
            self.copied += 1
        memcpy(writer.out, <const uint8_t*>self.text.start + begin, ends[last - 1] - begin)
        writer.out += ends[last - 1] - begin
        for index in range(first, last):
            if not note_printed(
                &other.printed, ends[index] + moved, ends[index] - begin - 1, sources[index]
            ):
                raise MemoryError
            begin = ends[index]
        return 0

    cdef Output finished(self):
        """Return it, now that no line follows: what was printed belongs to its views."""
        cdef Printed* printed = &self.printed
        cdef Py_ssize_t size_bytes = printed.writer.out - printed.writer.start
        self.text = taken(<void**>&printed.writer.start, size_bytes, 1)
        self.line_ends = taken(<void**>&printed.ends, printed.count, sizeof(int64_t))
        self.line_sources = taken(<void**>&printed.sources, printed.count, sizeof(int64_t))
        return self

    cdef inline bint note_line(self, Py_ssize_t start, int64_t source) noexcept nogil:
        """End the line that was printed from `start` on; false when there is no memory."""
        cdef Writer* writer = &self.printed.writer
        cdef Py_ssize_t size = writer.out - writer.start - start
        if not has_room(writer, 1):
            return False
        writer.out[0] = LINE_FEED
        writer.out += 1
        return note_printed(&self.printed, start + size + 1, size, source)

    cdef bint note_handed(
        self, Py_ssize_t start, Py_ssize_t end, Py_ssize_t number
    ) noexcept nogil:
        cdef void* larger
        if self.handed_size == self.handed_room:
            larger = realloc(self.handed, (2 * self.handed_room + 16) * sizeof(Handed))
            if larger is NULL:
                return False
            self.handed, self.handed_room = <Handed*>larger, 2 * self.handed_room + 16
        self.handed[self.handed_size] = Handed(start, end, number, self.printed.count)
        self.handed_size += 1
        return True
