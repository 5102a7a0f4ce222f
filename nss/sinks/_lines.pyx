# cython: language_level=3, cdivision=True, wraparound=False, boundscheck=False
"""What sinks do with lines in one buffer, compiled, without the interpreter lock where that pays.

Beside `nss.sinks.syslog.wire` and `nss.sinks.cloud_discovery.age`, which do the same in Python.

Nothing is read beyond a buffer: `View` checks that each line ends behind its start and within the
buffer before any is looked at. Sizes are those of memory that there is, so sums of two of them,
and of 20 bytes a line, don't overflow 63 bits.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport EINTR, ENOMEM, errno
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset


cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len
    ssize_t writev(int descriptor, const iovec* parts, int count)


cdef extern from "errors.h" nogil:
    int nss_reports_errors(int descriptor)
    int nss_has_room(int descriptor)
    int nss_queued_error(int descriptor)
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    struct mmsghdr:
        msghdr msg_hdr
    ssize_t send(int descriptor, const void* data, size_t size, int flags)
    int sendmmsg(int descriptor, mmsghdr* messages, unsigned int count, int flags)


cdef enum:
    AT_ONCE = 64  # datagrams of one system call
    MAX_COPIED = 65_536  # no datagram is larger; the kernel refuses those that would be


cdef class View:
    """The memory of some lines, checked, for as long as this lives."""

    cdef Py_buffer data
    cdef Py_buffer places
    cdef bint has_data, has_places
    cdef const uint8_t* start  # of the buffer
    cdef const int64_t* ends
    cdef Py_ssize_t first, last

    def __cinit__(self, lines):
        PyObject_GetBuffer(lines.buffer, &self.data, PyBUF_SIMPLE)
        self.has_data = True
        PyObject_GetBuffer(lines.ends, &self.places, PyBUF_SIMPLE)
        self.has_places = True
        self.start = <const uint8_t*>self.data.buf
        self.ends = <const int64_t*>self.places.buf
        if lines.ends.itemsize != sizeof(int64_t):
            raise ValueError("ends are integers of 64 bits")
        self.first, self.last = lines.first, lines.last
        cdef Py_ssize_t count = self.places.len // <Py_ssize_t>sizeof(int64_t), index
        if not 0 <= self.first <= self.last <= count:
            raise ValueError("lines that there are not")
        cdef int64_t end = line_start(self, self.first)
        cdef bint good = end >= 0
        for index in range(self.first, self.last):
            good &= self.ends[index] > end
            end = self.ends[index]
        if not good or end > self.data.len:
            raise ValueError("lines that are not in their buffer")

    def __dealloc__(self):
        if self.has_data:
            PyBuffer_Release(&self.data)
        if self.has_places:
            PyBuffer_Release(&self.places)


cdef inline int64_t line_start(View view, Py_ssize_t index) noexcept nogil:
    return view.ends[index - 1] if index else 0


def send_run(lines, bytes header not None, descriptors, bytes ports):
    """See `wire.send_run`."""
    cdef View view = View(lines)
    cdef int used[64]
    cdef Py_ssize_t count = len(descriptors), index
    if not 0 < count <= 64:
        raise ValueError("1 to 64 descriptors")
    for index in range(count):
        used[index] = descriptors[index]
    cdef const uint8_t* chosen = NULL
    if ports is not None:
        if len(ports) != view.last - view.first:
            raise ValueError("a port for each line")
        chosen = <const uint8_t*>PyBytes_AS_STRING(ports)
        for index in range(len(ports)):
            if chosen[index] >= count:
                raise ValueError("no such port")
    cdef const char* head = PyBytes_AS_STRING(header)
    cdef Py_ssize_t head_size = len(header), sent
    cdef int error = 0
    with nogil:
        if chosen is NULL and nss_reports_errors(used[0]):
            sent = send_batches(view, head, head_size, used[0], &error)
        else:
            sent = send_lines(view, head, head_size, used, chosen, &error)
    return sent, error


cdef Py_ssize_t send_batches(
    View view, const char* head, Py_ssize_t head_size, int descriptor, int* error
) noexcept nogil:
    """Send all lines through one socket; return how many, and put down the error of the next.

    The kernel forgets that error when some of a call were sent. If it was about an earlier datagram
    it is in the socket's queue of errors; any other comes again with the same datagram. Where the
    queue might have no room for it, datagrams go one by one.
    """
    cdef mmsghdr messages[AT_ONCE]
    cdef iovec parts[2 * AT_ONCE]
    cdef Py_ssize_t index = view.first
    cdef int count, number, result
    cdef iovec* part
    memset(messages, 0, sizeof(messages))
    while index < view.last:
        count = <int>min(AT_ONCE, view.last - index) if nss_has_room(descriptor) else 1
        for number in range(count):
            part = &parts[2 * number]
            part[0].iov_base, part[0].iov_len = <void*>head, head_size
            part[1].iov_base = <void*>(view.start + line_start(view, index + number))
            part[1].iov_len = view.ends[index + number] - line_start(view, index + number) - 1
            messages[number].msg_hdr.msg_iov = part if head_size else &part[1]
            messages[number].msg_hdr.msg_iovlen = 2 if head_size else 1
        result = sendmmsg(descriptor, messages, count, 0)
        if result < 0:
            if errno == EINTR:  # nothing was sent
                continue
            error[0] = errno
            break
        index += result
        if result < count:
            error[0] = nss_queued_error(descriptor)
            if error[0]:
                break
    return index - view.first


cdef Py_ssize_t send_lines(
    View view, const char* head, Py_ssize_t head_size,
    const int* used, const uint8_t* chosen, int* error
) noexcept nogil:
    """Send one line after the other; return how many, and put down the error of the next."""
    cdef uint8_t* copy = NULL
    cdef Py_ssize_t index, size
    cdef const uint8_t* line
    cdef int descriptor
    if head_size:
        copy = <uint8_t*>malloc(MAX_COPIED)
        if copy is NULL:
            error[0] = ENOMEM
            return 0
        memcpy(copy, head, min(head_size, MAX_COPIED))
    for index in range(view.first, view.last):
        line = view.start + line_start(view, index)
        size = view.ends[index] - line_start(view, index) - 1
        descriptor = used[chosen[index - view.first] if chosen is not NULL else 0]
        if send_one(descriptor, copy, head, head_size, line, size) < 0:
            error[0] = errno
            break
    else:
        index = view.last
    free(copy)
    return index - view.first


cdef ssize_t send_one(
    int descriptor, uint8_t* copy, const char* head, Py_ssize_t head_size,
    const uint8_t* line, Py_ssize_t size
) noexcept nogil:
    """Send one datagram; below 0: errno says why not. Behind a header that costs less as a copy.

    Of a call that a signal interrupts nothing was sent, so it is made again.
    """
    cdef iovec parts[2]
    cdef ssize_t result = -1
    cdef bint copied = head_size > 0 and head_size + size <= MAX_COPIED
    if copied:
        memcpy(copy + head_size, line, size)
    while True:
        if copied:
            result = send(descriptor, copy, head_size + size, 0)
        elif not head_size:
            result = send(descriptor, line, size, 0)
        else:
            parts[0].iov_base, parts[0].iov_len = <void*>head, head_size
            parts[1].iov_base, parts[1].iov_len = <void*>line, size
            result = writev(descriptor, parts, 2)
        if result >= 0 or errno != EINTR:
            return result


def fault_in(lines, bint counted):
    """See `wire.fault_in`."""
    cdef View view = View(lines)
    cdef Py_ssize_t found
    with nogil:
        found = find_empty(view) if counted else find_break(view)
    return found


cdef Py_ssize_t find_empty(View view) noexcept nogil:
    cdef Py_ssize_t index
    for index in range(view.first, view.last):
        if view.ends[index] - line_start(view, index) == 1:
            return index - view.first
    return -1


cdef Py_ssize_t find_break(View view) noexcept nogil:
    cdef int64_t start = line_start(view, view.first)
    cdef size_t size = line_start(view, view.last) - start
    cdef bint clean = (
        memchr(view.start + start, 0, size) is NULL
        and memchr(view.start + start, 13, size) is NULL
    )
    cdef Py_ssize_t index
    cdef const uint8_t* line
    for index in range(view.first, view.last):
        line = view.start + start
        size = view.ends[index] - start - 1
        start = view.ends[index]
        if memchr(line, 10, size) is not NULL:
            return index - view.first
        if not clean and (memchr(line, 0, size) is not NULL or memchr(line, 13, size) is not NULL):
            return index - view.first
    return -1


def framed(lines, bytes header not None, bint counted):
    """See `wire.framed`."""
    cdef View view = View(lines)
    cdef Py_ssize_t head_size = len(header), count = view.last - view.first
    cdef int64_t size = line_start(view, view.last) - line_start(view, view.first)
    if count and head_size > (<int64_t>1 << 61) // count:
        raise MemoryError
    size = counted_size(view, head_size) if counted else size + count * head_size
    cdef bytes framed_lines = PyBytes_FromStringAndSize(NULL, size)
    cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(framed_lines)
    cdef const char* head = PyBytes_AS_STRING(header)
    with nogil:
        put_framed(view, head, head_size, counted, out)
    return framed_lines


cdef int64_t counted_size(View view, Py_ssize_t head_size) noexcept nogil:
    cdef int64_t size = 0, message
    cdef Py_ssize_t index
    for index in range(view.first, view.last):
        message = view.ends[index] - line_start(view, index) - 1 + head_size
        size += digits(message) + 1 + message
    return size


cdef int digits(int64_t number) noexcept nogil:
    cdef int count = 1
    while number >= 10:
        number //= 10
        count += 1
    return count


cdef void put_framed(
    View view, const char* head, Py_ssize_t head_size, bint counted, uint8_t* out
) noexcept nogil:
    """Put each line, framed, behind the other; `out` has as much room as was worked out."""
    cdef Py_ssize_t index, size
    cdef int64_t start = line_start(view, view.first), message
    cdef int width, place
    for index in range(view.first, view.last):
        # Its LF goes with it, or is what the next count is written over.
        size = view.ends[index] - start - 1
        if counted:
            message = size + head_size
            width = digits(message)
            for place in range(width - 1, -1, -1):
                out[place] = 48 + <uint8_t>(message % 10)
                message //= 10
            out[width] = 32
            out += width + 1
        memcpy(out, head, head_size)
        out += head_size
        memcpy(out, view.start + start, size)
        out += size
        if not counted:
            out[0] = 10
            out += 1
        start = view.ends[index]


cdef extern from "<string.h>" nogil:
    void* memmem(const void* data, size_t size, const void* text, size_t text_size)


cdef struct Stated:
    const uint8_t* value
    Py_ssize_t size


def next_stated(lines, Py_ssize_t number, bytes tag not None, bytes stated not None):
    """See `age.next_stated`."""
    cdef View view = View(lines)
    if not 0 <= number <= view.last - view.first or not tag:
        raise ValueError("no such line, or no tag")
    cdef Stated found
    found.value = NULL
    found.size = 0
    cdef const char* tag_data = PyBytes_AS_STRING(tag)
    cdef const char* known = PyBytes_AS_STRING(stated)
    cdef Py_ssize_t tag_size = len(tag), known_size = len(stated)
    with nogil:
        number = find_stated(view, number, tag_data, tag_size, known, known_size, &found)
    return number, PyBytes_FromStringAndSize(<const char*>found.value, found.size)


cdef Py_ssize_t find_stated(
    View view, Py_ssize_t number, const char* tag, Py_ssize_t tag_size, const char* stated,
    Py_ssize_t stated_size, Stated* found
) noexcept nogil:
    """Return the next line that has a value behind the tag, up to TAB, that is not `stated`."""
    cdef const uint8_t* line
    cdef const uint8_t* line_end
    cdef const uint8_t* value
    cdef const uint8_t* end
    for number in range(number, view.last - view.first):
        line = view.start + line_start(view, view.first + number)
        line_end = view.start + view.ends[view.first + number] - 1
        value = <const uint8_t*>memmem(line, line_end - line, tag, tag_size)
        if value is NULL:
            continue
        value += tag_size
        end = <const uint8_t*>memchr(value, 9, line_end - value)
        if end is NULL:
            end = line_end
        if end - value != stated_size or memcmp(value, stated, stated_size):
            found.value, found.size = value, end - value
            return number
    return view.last - view.first
