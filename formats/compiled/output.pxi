"""What came of a batch: lines in one buffer, and the records that were handed over."""

cdef struct Handed:
    Py_ssize_t start  # of the line of the batch
    Py_ssize_t end  # without its line feed
    Py_ssize_t number  # of the line; empty lines do not count
    Py_ssize_t before  # lines that were printed before it


cdef struct Printed:
    Py_ssize_t end  # of the line, in the buffer
    Py_ssize_t source  # where the record begins, in the batch


@final
cdef class Output:
    """The lines that a pass has printed, in one buffer, and what it has handed over."""

    cdef Writer writer
    cdef Printed* printed
    cdef Py_ssize_t count, room
    cdef Handed* handed
    cdef Py_ssize_t handed_size, handed_room
    cdef OrderKeys order
    cdef readonly Py_ssize_t filtered
    """How many records the filter has dropped."""
    cdef readonly dict unmapped
    """Keys that no field is known for, and in how many records each was: of lines, and filtered ones."""

    def __cinit__(self):
        self.unmapped = {}

    def __dealloc__(self):
        free(self.writer.start)
        free(self.printed)
        free(self.handed)
        free(self.order.all)

    def __len__(self):
        return self.count

    @property
    def buffer(self):
        """All lines, one directly after the other, as `bytes`."""
        return PyBytes_FromStringAndSize(
            <char*>self.writer.start, self.writer.out - self.writer.start
        )

    @property
    def ends(self):
        """Where each line ends in the buffer."""
        cdef Py_ssize_t index
        return [self.printed[index].end for index in range(self.count)]

    @property
    def sources(self):
        """Where the record of each line begins in the batch."""
        cdef Py_ssize_t index
        return [self.printed[index].source for index in range(self.count)]

    @property
    def order_keys(self):
        """The order key of each line, a view of 32-bit integers; none if nobody wanted them."""
        keys = PyBytes_FromStringAndSize(
            <char*>self.order.all, self.order.count * sizeof(uint32_t)
        )
        return memoryview(keys).cast("I")

    def lines(self):
        """Return the lines, each as `bytes`."""
        cdef list lines = []
        cdef Py_ssize_t index, begin = 0
        for index in range(self.count):
            lines.append(
                PyBytes_FromStringAndSize(
                    <char*>self.writer.start + begin, self.printed[index].end - begin
                )
            )
            begin = self.printed[index].end
        return lines

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

    cdef bint note_line(self, Py_ssize_t source) noexcept nogil:
        cdef void* larger
        if self.count == self.room:
            larger = realloc(self.printed, (2 * self.room + 256) * sizeof(Printed))
            if larger is NULL:
                return False
            self.printed, self.room = <Printed*>larger, 2 * self.room + 256
        self.printed[self.count].end = self.writer.out - self.writer.start
        self.printed[self.count].source = source
        self.count += 1
        return True

    cdef bint note_handed(
        self, Py_ssize_t start, Py_ssize_t end, Py_ssize_t number
    ) noexcept nogil:
        cdef void* larger
        if self.handed_size == self.handed_room:
            larger = realloc(self.handed, (2 * self.handed_room + 16) * sizeof(Handed))
            if larger is NULL:
                return False
            self.handed, self.handed_room = <Handed*>larger, 2 * self.handed_room + 16
        self.handed[self.handed_size] = Handed(start, end, number, self.count)
        self.handed_size += 1
        return True
