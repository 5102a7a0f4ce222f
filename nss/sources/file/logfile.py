"""A file being read: which file it is, how far it was read, and whether it is still the same.

A name says little about a log file, because rotation moves names around, and an inode number is
reused once its file is deleted. So a file is identified by device, inode and checksums of bytes
that were seen: the first (up to 1,024) and the last before the position (up to 256).
"""

import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec

from nss import foreign
from nss.errors import SourceError
from nss.files.gunzip import GZIP_START
from nss.sources import events

HEAD_BYTES = 1024
TAIL_BYTES = 256


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """How many bytes were seen at some place, and their checksum (BLAKE2b, 16 bytes, hex)."""

    size: int
    checksum: str

    @classmethod
    def of(cls, data: bytes) -> "Fingerprint":
        """Return the fingerprint of `data`."""
        return cls(len(data), blake2b(data, digest_size=16).hexdigest())


class FileId(msgspec.Struct, frozen=True, array_like=True):
    """What identifies a file."""

    device: int
    inode: int
    head: Fingerprint


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where reading continues: the position of a file source, as JSON in a batch.

    `offset` is the first byte not handed on (of the uncompressed bytes with `gzip`), `tail` what
    stood before it, `mtime_ns` when the file was last written, `spans_lines` how its records are
    framed, and `finished` the files read to their end just before this one. `path` is the
    configured path of the source.
    """

    file: FileId
    offset: int
    tail: Fingerprint
    mtime_ns: int
    spans_lines: bool | None = None
    finished: tuple[FileId, ...] = ()
    gzip: bool = False
    path: str = ""

    def text(self, path: Path) -> str:
        """Return the position as text, for a source that has this path."""
        return msgspec.json.encode(msgspec.structs.replace(self, path=str(path))).decode()

    @classmethod
    def parsed(cls, text: str | None) -> "Position | None":
        """Return a kept position; `None` when there is none, or it can't be understood."""
        if text is None:
            return None
        try:
            return foreign.decode(text, cls)
        except msgspec.DecodeError:
            return None


def kept_position(source: str, path: Path, text: str | None) -> Position | None:
    """Return where a source continues; `None` if it can't be parsed or is of another path."""
    position = Position.parsed(text)
    if text is not None and position is None:
        events.position_unreadable(source, str(path))
    if position is not None and position.path not in ("", str(path)):
        events.path_changed(source, position.path, str(path))
        return None
    return position


class LogFile:
    """An open regular file, read forward from `offset`."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises OSError, and `SourceError` when it is no regular file."""
        self.path = path
        self.offset = 0
        self._tail = b""
        self._head: Fingerprint | None = None
        # Without O_NONBLOCK, opening a named pipe would wait for its writer.
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        self.inode = (found.st_dev, found.st_ino)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise SourceError(
                f"file source: this is no regular file ({path})",
                tip="give the path of a file, or read a pipe with a source of kind stdin",
            )

    def read(self, max_bytes: int) -> bytes:
        """Return the next bytes; none at the end."""
        block = os.pread(self._fd, max_bytes, self.offset)
        if block:
            self.offset += len(block)
            self._tail = (self._tail + block[-TAIL_BYTES:])[-TAIL_BYTES:]
        return block

    def stream(self) -> BinaryIO:
        """Return the file as a stream of its own from its start; it outlives this object."""
        return os.fdopen(os.dup(self._fd), "rb", buffering=0)

    def resume(self, position: Position) -> bool:
        """Continue at a position if its bytes are here: by content alone, not by inode."""
        tail = os.pread(self._fd, position.tail.size, position.offset - position.tail.size)
        if not self._begins_with(position.file.head) or Fingerprint.of(tail) != position.tail:
            return False
        self.offset = position.offset
        self._tail = tail
        return True

    def rewind(self) -> None:
        """Go back to the start of a file whose content is another now."""
        self.offset = 0
        self._tail = b""
        self._head = None

    def changed(self) -> bool:
        """Return whether the file was truncated or overwritten where it had been read."""
        if self.size_bytes < self.offset:
            return True
        return os.pread(self._fd, len(self._tail), self.offset - len(self._tail)) != self._tail

    def position(
        self, held_bytes: int, *, spans_lines: bool | None, finished: tuple[FileId, ...] = ()
    ) -> Position:
        """Return where reading continues, leaving out the last `held_bytes` that were read."""
        offset = self.offset - held_bytes
        start = max(0, offset - TAIL_BYTES)
        return Position(
            self.id,
            offset,
            Fingerprint.of(os.pread(self._fd, offset - start, start)),
            self.mtime_ns,
            spans_lines,
            finished,
        )

    @property
    def id(self) -> FileId:
        """What identifies this file."""
        if self._head is None or self._head.size < HEAD_BYTES:
            self._head = Fingerprint.of(os.pread(self._fd, HEAD_BYTES, 0))
        return FileId(*self.inode, self._head)

    def has(self, file: FileId) -> bool:
        """Return whether this is that file, perhaps grown since."""
        return (file.device, file.inode) == self.inode and self._begins_with(file.head)

    def _begins_with(self, head: Fingerprint) -> bool:
        return Fingerprint.of(os.pread(self._fd, head.size, 0)) == head

    @property
    def compressed(self) -> bool:
        """Whether it begins as gzip does."""
        return os.pread(self._fd, len(GZIP_START), 0) == GZIP_START

    @property
    def size_bytes(self) -> int:
        """Its size now."""
        return os.fstat(self._fd).st_size

    @property
    def mtime_ns(self) -> int:
        """When it was last written."""
        return os.fstat(self._fd).st_mtime_ns

    def close(self) -> None:
        """Close the file; reading it again raises OSError."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
