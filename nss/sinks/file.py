"""Lines into a file, a named pipe or standard output, each ended by LF.

Handed over means given to the operating system, or on the disk if so configured. The file can be
set aside at a size, between two lines, and is reopened when it was moved away (logrotate).
Everything that may block runs in the sink's own thread, so calls never overlap, not even after
a cancelled call.
"""

import asyncio
import contextlib
import errno
import os
import select
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from formats.lines import Lines
from nss.causes import Cause, of_writing
from nss.config.sinks import FileSinkConfig
from nss.errors import SinkError
from nss.files.private import sync_folder
from nss.files.set_aside import Rename, set_aside
from nss.sinks import Delivered, Outcome, RetryAfter, events
from nss.sinks.backoff import Backoff
from nss.wording import error_text

T = TypeVar("T")

_MODE = 0o640

_PIPE_BYTES = 4096
"""What a pipe accepts without blocking once it is writable (PIPE_BUF, pipe(7))."""

_POLL_MILLIS = 100
"""How often a wait for a full pipe checks whether the sink is being closed."""

# O_NONBLOCK: opening a named pipe that nobody reads fails instead of waiting for a reader.
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK


class FileSink:
    """Appends the lines of a feed to a file, or writes them to standard output.

    A new file gets mode 0640, less the umask. What others append counts for `rotate_bytes` too. A
    file that can't be set aside keeps growing.

    `stdout_fd`, `write`, `rename` and `fsync` are seams for tests.
    """

    wants_keys = False
    advice = None
    max_line_bytes = sys.maxsize

    def __init__(
        self,
        name: str,
        settings: FileSinkConfig,
        *,
        stdout_fd: int = 1,
        write: Callable[[int, memoryview], int] = os.write,
        rename: Rename = os.rename,
        fsync: Callable[[int], None] = os.fsync,
    ) -> None:
        self.name = name
        self._trouble: Cause | None = None
        self._path = "" if settings.path is None else str(settings.path)
        self._is_stdout = settings.path is None
        self.destination = "standard output" if self._is_stdout else self._path
        self._settings = settings
        self._write = write
        self._rename = rename
        self._fsync = fsync
        self._fd: int | None = stdout_fd if self._is_stdout else None
        self._is_regular = False
        self._folder_is_synced = self._is_stdout
        self._begun = b""
        self._backoff = Backoff()
        self._closing = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sink-{name}")

    @property
    def last_error(self) -> str | None:
        """See `Sink.last_error`."""
        return None if self._trouble is None else self._trouble.sentence

    @property
    def remedy(self) -> str:
        """See `Sink.remedy`."""
        return "" if self._trouble is None else self._trouble.remedy

    async def open(self) -> None:
        """Open the file; if that fails, `send` tries again and reports it."""
        try:
            await self._in_thread(self._reopen_if_moved)
        except OSError as error:
            self._trouble = of_writing(error, self.destination)

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        """Append the lines; see `Sink.send`.

        Raises `SinkError` when the reader of standard output has gone away.
        """
        if not lines:
            return Delivered()
        sent, error = await self._in_thread(lambda: self._append(lines))
        if error is None:
            if self._trouble is not None:
                events.destination_recovered(self.name, self.destination)
            self._trouble = None
            self._backoff.reset()
            return Delivered()
        if self._is_stdout and error.errno == errno.EPIPE:
            reason = f"writing failed: {error_text(error)} ({self.destination})"
            raise SinkError(reason, tip="keep the reader running, or write to a file")
        self._trouble = trouble = of_writing(error, self.destination)
        events.destination_failed(self.name, self.destination, trouble.sentence)
        return RetryAfter(sent, self._backoff.next_secs(), trouble.sentence)

    async def close(self) -> None:
        """Close the file; a write that waits for the reader of a pipe is abandoned."""
        if self._closing.is_set():
            return
        self._closing.set()
        await self._in_thread(self._close_file)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _append(self, lines: Lines) -> tuple[int, OSError | None]:
        """Write the lines; return how many are handed over, and the error that stopped the others.

        The file may be set aside only between parts.
        """
        sent = 0
        may_rotate = True
        while sent < len(lines):
            rest = lines[sent:]
            try:
                fd = self._reopen_if_moved()
                if may_rotate:
                    rest = rest[: self._fitting(fd, rest)]
                    if not rest:
                        may_rotate = self._rotate()
                        continue
                is_torn = bool(self._begun)
                whole, error = self._append_part(fd, rest)
                if self._settings.sync and whole:
                    self._make_durable(fd, 0 if is_torn else rest[:whole].size_bytes)
            except OSError as failed:
                return sent, failed
            sent += whole
            if error is not None:
                return sent, error
        return sent, None

    def _append_part(self, fd: int, lines: Lines) -> tuple[int, OSError | None]:
        """Write the lines; return how many are whole, and the error that stopped the others."""
        data = lines.data
        if data[: len(self._begun)] != self._begun:
            self._end_begun_line(fd)
        written = len(self._begun)
        try:
            for count in self._writes(fd, data[written:]):
                written += count
        except OSError as error:
            return self._whole_lines(fd, lines, written), error
        self._begun = b""
        return len(lines), None

    def _fitting(self, fd: int, lines: Lines) -> int:
        """Return how many of the lines go into the file as it is; 0: it must be set aside first."""
        max_bytes = self._settings.rotate_bytes
        if max_bytes is None or self._is_stdout or not self._is_regular or self._begun:
            return len(lines)
        size_bytes = os.fstat(fd).st_size
        fitting = lines.fitting(max_bytes - size_bytes)
        return fitting if size_bytes else max(1, fitting)

    def _rotate(self) -> bool:
        """Set the file aside; returns whether that worked."""
        try:
            aside = set_aside(self._path, self._settings.rotate_keep, self._rename)
        except OSError as error:
            events.file_rotation_failed(self.name, self.destination, error_text(error))
            return False
        self._close_file()
        events.file_rotated(self.name, self.destination, aside)
        return True

    def _make_durable(self, fd: int, written_bytes: int) -> None:
        """Have what was written, and the file's name, on the disk when this returns.

        If that fails, the last `written_bytes` are taken back, unless others have appended since:
        they are sent again, and a second fsync may succeed without having written them.
        """
        if not self._is_regular:
            return
        try:
            self._fsync(fd)
            if not self._folder_is_synced:
                sync_folder(Path(self._path).parent, self._fsync)
                self._folder_is_synced = True
        except OSError:
            with contextlib.suppress(OSError):
                _take_back(fd, written_bytes)
            raise

    def _end_begun_line(self, fd: int) -> None:
        """End the last line: the call that began it was cancelled, and it does not come again."""
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

    def _whole_lines(self, fd: int, lines: Lines, written: int) -> int:
        """Return how many lines are whole after `written` bytes; take back a torn line."""
        whole = lines.fitting(written)
        torn_bytes = written - lines[:whole].size_bytes
        # Another writer may have appended since an earlier call wrote its piece: that stays.
        fresh_bytes = torn_bytes if whole else torn_bytes - len(self._begun)
        if fresh_bytes and self._is_regular and _take_back(fd, fresh_bytes):
            torn_bytes -= fresh_bytes
        # What can't be taken back is skipped when the line comes again.
        self._begun = lines[whole][:torn_bytes] if torn_bytes else b""
        return whole

    def _reopen_if_moved(self) -> int:
        """Return the open file; reopen it if `path` names another file by now."""
        if self._fd is not None and not self._is_stdout and not self._is_in_place(self._fd):
            self._close_file()
            events.file_reopened(self.name, self.destination)
        if self._fd is None:
            self._fd = self._opened()
            self._folder_is_synced = False
        self._is_regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        return self._fd

    def _opened(self) -> int:
        """Return `path`, opened to append.

        Half a line at its end, left by a process that was killed while writing, is ended there: the
        line comes again, whole.
        """
        fd = os.open(self._path, _FLAGS, _MODE)
        try:
            size_bytes = os.fstat(fd).st_size
            if size_bytes and _last_byte(self._path, size_bytes) != b"\n":
                self._write(fd, memoryview(b"\n"))
                events.half_line_ended(self.name, self.destination)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _is_in_place(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(fd))  # noqa: PTH116 - hot
        except FileNotFoundError:
            return False

    def _close_file(self) -> None:
        fd, self._begun = self._fd, b""
        if fd is not None and not self._is_stdout:
            self._fd = None
            os.close(fd)


def _last_byte(path: str, size_bytes: int) -> bytes:
    """Return the last byte of a file, LF if it can't be read by this user."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a str
            return os.pread(file.fileno(), 1, size_bytes - 1)
    except PermissionError:
        return b"\n"


def _take_back(fd: int, torn_bytes: int) -> bool:
    """Cut off the torn line at the end of a file, unless another writer added something."""
    end = os.lseek(fd, 0, os.SEEK_CUR)
    if os.fstat(fd).st_size != end:
        return False
    try:
        os.ftruncate(fd, end - torn_bytes)
    except OSError:  # of an append-only file, say
        return False
    os.lseek(fd, end - torn_bytes, os.SEEK_SET)
    return True
