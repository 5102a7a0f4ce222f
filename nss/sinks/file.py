"""Lines into a file, a named pipe or standard output, each ended by LF.

Handed over means handed to the operating system: a file is not synced. The file is opened anew
when somebody moved it away (logrotate). Everything that may block runs in one thread of the
sink's own, so calls never overlap, not even after one was cancelled.
"""

import asyncio
import errno
import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nss.errors import SinkError
from nss.sinks import Delivered, Outcome, RetryAfter, events
from nss.sinks.backoff import Backoff

STDOUT = "-"

T = TypeVar("T")

_MODE = 0o640

_PIPE_BYTES = 4096
"""What a pipe takes without blocking once it is writable (PIPE_BUF, pipe(7))."""

_POLL_MILLIS = 100
"""How often a wait for a full pipe looks whether the sink is being closed."""

# O_NONBLOCK: opening a named pipe that nobody reads fails instead of waiting for a reader.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK


class FileSink:
    """Appends the lines of a feed to `path`; `"-"` is standard output.

    A new file gets mode 0640, less the umask. `stdout_fd` and `write` are seams for tests.
    """

    wants_keys = False
    max_line_bytes = sys.maxsize

    def __init__(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        stdout_fd: int = 1,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> None:
        self.name = name
        self.last_error: str | None = None
        self._path = os.fspath(path)
        self._is_stdout = self._path == STDOUT
        self.destination = "standard output" if self._is_stdout else self._path
        self._write = write
        self._fd: int | None = stdout_fd if self._is_stdout else None
        self._is_regular = False
        self._begun = b""
        self._backoff = Backoff()
        self._closing = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sink-{name}")

    async def open(self) -> None:
        """Open the file; if that can't be done now, `send` tries again and tells."""
        try:
            await self._in_thread(self._reopen_if_moved)
        except OSError as error:
            self.last_error = self._sentence(error)

    async def send(self, lines: Sequence[bytes], keys: Sequence[str] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        """Append the lines; see `Sink.send`.

        Raises `SinkError` when the reader of standard output has gone away.
        """
        if not lines:
            return Delivered()
        sent, error = await self._in_thread(lambda: self._append(lines))
        if error is None:
            if self.last_error is not None:
                events.destination_recovered(self.name, self.destination)
            self.last_error = None
            self._backoff.reset()
            return Delivered()
        reason = self._sentence(error)
        if self._is_stdout and error.errno == errno.EPIPE:
            raise SinkError(reason, tip="keep the reader running, or write to a file")
        self.last_error = reason
        events.destination_failed(self.name, self.destination, reason)
        return RetryAfter(sent, self._backoff.next_secs(), reason)

    async def close(self) -> None:
        """Close the file; a write that waits for the reader of a pipe is given up."""
        if self._closing.is_set():
            return
        self._closing.set()
        await self._in_thread(self._let_go)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _append(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Write the lines; return how many are whole, and the error that stopped the others."""
        data = b"\n".join(lines) + b"\n"
        try:
            fd = self._reopen_if_moved()
            if not data.startswith(self._begun):
                self._end_begun_line(fd)
        except OSError as error:
            return 0, error
        written = len(self._begun)
        try:
            for count in self._writes(fd, memoryview(data)[written:]):
                written += count
        except OSError as error:
            return self._whole_lines(fd, lines, written), error
        self._begun = b""
        return len(lines), None

    def _end_begun_line(self, fd: int) -> None:
        """The call that began the last line was cancelled, and the line does not come again."""
        for _ in self._writes(fd, memoryview(b"\n")):
            self._begun = b""

    def _writes(self, fd: int, data: memoryview) -> Iterator[int]:
        """Write all of `data`, piece by piece; yields the bytes of each."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while data:
            piece = data
            if not self._is_regular:
                while not poll.poll(_POLL_MILLIS):
                    if self._closing.is_set():
                        raise BlockingIOError(errno.EAGAIN, "nobody reads it")
                piece = data[:_PIPE_BYTES]
            try:
                count = self._write(fd, piece)
            except BlockingIOError:
                continue  # another writer filled the pipe first
            yield count
            data = data[count:]

    def _whole_lines(self, fd: int, lines: Sequence[bytes], written: int) -> int:
        """Return how many lines are whole after `written` bytes; deal with the torn one."""
        whole = whole_bytes = 0
        for line in lines:
            if whole_bytes + len(line) + 1 > written:
                break
            whole += 1
            whole_bytes += len(line) + 1
        torn_bytes = written - whole_bytes
        # An earlier call's piece of the line may have another writer's behind it: it stays.
        fresh_bytes = torn_bytes if whole else torn_bytes - len(self._begun)
        if fresh_bytes and self._is_regular and _take_back(fd, fresh_bytes):
            torn_bytes -= fresh_bytes
        # What can't be taken back is left out when the line comes again.
        self._begun = lines[whole][:torn_bytes] if torn_bytes else b""
        return whole

    def _reopen_if_moved(self) -> int:
        """Return the open file, a new one if `path` no longer names the one that was open."""
        if self._fd is not None and not self._is_stdout and not self._is_in_place(self._fd):
            self._let_go()
            events.file_reopened(self.name, self.destination)
        if self._fd is None:
            self._fd = os.open(self._path, _FLAGS, _MODE)
        self._is_regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        return self._fd

    def _is_in_place(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(fd))  # noqa: PTH116 - hot
        except FileNotFoundError:
            return False

    def _let_go(self) -> None:
        fd, self._begun = self._fd, b""
        if fd is not None and not self._is_stdout:
            self._fd = None
            os.close(fd)

    def _sentence(self, error: OSError) -> str:
        return f"writing failed: {(error.strerror or str(error)).lower()} ({self.destination})"


def _take_back(fd: int, torn_bytes: int) -> bool:
    """Cut off the torn line at the end of a file, unless another writer added something."""
    end = os.lseek(fd, 0, os.SEEK_CUR)
    if os.fstat(fd).st_size != end:
        return False
    os.ftruncate(fd, os.lseek(fd, end - torn_bytes, os.SEEK_SET))
    return True
