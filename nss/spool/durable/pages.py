"""The pages of a spool's file and of its write-ahead log, read past SQLite, for a salvage.

SQLite ignores everything in a log behind the first frame that is not as it was written, and the
whole log if its header is damaged or the database is gone. The pages are still there.

https://www.sqlite.org/fileformat2.html describes the header and the frames.
"""

import os
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from nss.spool.durable.schema import PAGE_BYTES

_LOG_HEAD = struct.Struct(">8I")
_FRAME_HEAD = struct.Struct(">II8s8x")
_FRAME_BYTES = _FRAME_HEAD.size + PAGE_BYTES
_SALTS = slice(16, 24)

_FREE_LIST_AT = 32
"""Where page 1 has the first page of the list of free pages."""


class _Frame(NamedTuple):
    offset: int
    page: int
    pages: int
    """How many pages the database has after it, if it ends a commit; else 0."""
    salts: bytes


class Pages:
    """All pages as they were last committed, as far as can be said. Numbers begin with 1.

    A page that the disk does not give is one of zeros.
    """

    def __init__(self, path: Path) -> None:
        """Open the files, as far as they are there. Raises OSError."""
        with ExitStack() as stack:
            self._file = _opened(stack, path)
            self._log = _opened(stack, log_path(path))
            self.count = _size(self._file) // PAGE_BYTES
            frames = [] if self._log is None else _committed(self._log)
            # A damaged number must not ask for terabytes: a log adds no more pages than it has.
            most = self.count + len(frames)
            self.count = max(
                [self.count, *(frame.pages for frame in frames if frame.pages <= most)]
            )
            self._in_log = {frame.page: frame.offset + _FRAME_HEAD.size for frame in frames}
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read(self, number: int) -> bytes:
        """Return a page."""
        offset = self._in_log.get(number)
        if offset is None:
            page = _read(self._file, (number - 1) * PAGE_BYTES, PAGE_BYTES)
        else:
            page = _read(self._log, offset, PAGE_BYTES)
        return page.ljust(PAGE_BYTES, b"\0")

    def free(self) -> set[int]:
        """Return the free pages: what is on them was deleted."""
        free: set[int] = set()
        trunk = int.from_bytes(self.read(1)[_FREE_LIST_AT : _FREE_LIST_AT + 4], "big")
        while 1 < trunk <= self.count and trunk not in free:
            following, count, *leaves = struct.unpack(f">{PAGE_BYTES // 4}I", self.read(trunk))
            free |= {trunk, *leaves[:count]}
            trunk = following
        return free


def log_path(path: Path) -> Path:
    """Return the write-ahead log of a spool's file."""
    return path.with_name(f"{path.name}-wal")


def has_log(path: Path) -> bool:
    """Return whether there is anything in the write-ahead log of a spool's file."""
    with suppress(FileNotFoundError):
        return log_path(path).stat().st_size > _LOG_HEAD.size
    return False


def has_commits(path: Path) -> bool:
    """Return whether there are commits in the write-ahead log, whether SQLite finds them or not."""
    with ExitStack() as stack:
        log = _opened(stack, log_path(path))
        return log is not None and bool(_committed(log))


def _opened(stack: ExitStack, path: Path) -> BinaryIO | None:
    with suppress(FileNotFoundError):
        # Without O_NONBLOCK, opening a named pipe would wait for its writer.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        return stack.enter_context(os.fdopen(number, "rb", buffering=0))
    return None


def _size(file: BinaryIO | None) -> int:
    return 0 if file is None else os.fstat(file.fileno()).st_size


def _read(file: BinaryIO | None, offset: int, size: int) -> bytes:
    """Return what can be read there."""
    with suppress(OSError):
        return b"" if file is None else os.pread(file.fileno(), size, offset)
    return b""


def _committed(log: BinaryIO) -> Sequence[_Frame]:
    """Return the frames that were committed since the log began again, in order.

    Behind them is what the log had before. SQLite begins again with other salts; a frame whose
    salts alone are damaged is in front of others that have them.
    """
    found = list(_frames(log))
    head = _read(log, 0, _LOG_HEAD.size)
    if _is_sound(head):
        salts = head[_SALTS]
    else:
        [(salts, _)] = Counter(frame.salts for frame in found[:3]).most_common(1) or [(b"", 0)]
    last = max(
        (place for place, frame in enumerate(found) if frame.salts == salts and frame.pages),
        default=-1,
    )
    return found[: last + 1]


def _frames(log: BinaryIO) -> Iterator[_Frame]:
    for offset in range(_LOG_HEAD.size, _size(log) - _FRAME_BYTES + 1, _FRAME_BYTES):
        head = _read(log, offset, _FRAME_HEAD.size).ljust(_FRAME_HEAD.size, b"\0")
        yield _Frame(offset, *_FRAME_HEAD.unpack(head))


def _is_sound(head: bytes) -> bool:
    """Return whether the checksum of the log's header holds."""
    if len(head) < _LOG_HEAD.size:
        return False
    order = ">" if head[3] & 1 else "<"
    words = struct.unpack(f"{order}6I", head[:24])
    first = second = 0
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return (first, second) == _LOG_HEAD.unpack(head)[6:]
