"""The records of files and stdin, plain or gzip, for commands that read them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from formats import MAX_RECORD_BYTES
from nss.errors import InputMissing
from nss.files.gunzip import GZIP_START, DamagedGzip, Gunzip
from nss.sources.framing.json import DECIDE_BYTES, JsonFramer, spans_lines
from nss.sources.framing.lines import BOM
from nss.wording import error_text

_BLOCK_BYTES = 1 << 20
_PROGRESS_FROM_BYTES = 64 << 20


class Piece(NamedTuple):
    """Records of a file, one a line, and the number of the first: that of its line, if it has one.

    Blank lines may be among them. Values that span lines have no line of their own; they are
    counted.
    """

    data: bytes
    first: int
    by_line: bool = True

    def place(self, name: str, offset: int) -> str:
        """Return where in the file `name` the record at an offset is, for people."""
        number = self.first + self.data.count(b"\n", 0, offset)
        return f"{name}:{number}" if self.by_line else f"{name}: record {number}"


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def pieces_of(path: Path, name: str, command: str) -> Iterator[Piece]:
    """Yield the records of a file (`-`: stdin), which `command` calls `name`.

    Raises `InputMissing` for what stands in the way of reading, once all whole records before it
    were yielded.
    """
    progress = _ProgressLine(path)
    try:
        with _opened(path) as (raw, stream):
            for piece in _pieces(stream):
                yield piece
                progress.show(raw)
    except (OSError, DamagedGzip) as error:
        reason = error_text(error) if isinstance(error, OSError) else str(error)
        raise InputMissing(f"{command}: {reason} ({name})") from None
    finally:
        progress.end()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, _Stream]]:
    """Open a file for reading; yields it as it is and, the same or not, as it is unpacked."""
    with os.fdopen(os.dup(0), "rb") if path == Path("-") else path.open("rb") as raw:
        packed = raw.peek(len(GZIP_START)).startswith(GZIP_START)
        yield raw, Gunzip(raw) if packed else raw


def _pieces(stream: _Stream) -> Iterator[Piece]:
    start = stream.read(DECIDE_BYTES)
    if spans_lines(start, ended=len(start) < DECIDE_BYTES):
        yield from _values(start, stream)
    else:
        yield from _lines(start, stream)


def _values(start: bytes, stream: _Stream) -> Iterator[Piece]:
    """Yield JSON values that span lines, one a line; they are numbered, not their lines."""
    framer = JsonFramer(MAX_RECORD_BYTES)
    first, block = 1, start
    while block:
        if data := framer.feed(block):
            yield Piece(data, first, by_line=False)
            first += framer.records
        block = stream.read(_BLOCK_BYTES)
    if data := framer.flush():
        yield Piece(data, first, by_line=False)


def _lines(start: bytes, stream: _Stream) -> Iterator[Piece]:
    """Yield whole lines, ended by LF alone. One too long is cut to a byte more than is allowed."""
    first, half, block = 1, b"", start.removeprefix(BOM)
    while block:
        end = block.rfind(b"\n") + 1
        if end:
            data = half + block[:end]
            yield Piece(data.replace(b"\r\n", b"\n"), first)
            first += data.count(b"\n")
            half = block[end:]
        else:
            half = (half + block)[: MAX_RECORD_BYTES + 1]
        block = stream.read(_BLOCK_BYTES)
    if half:
        yield Piece(half.removesuffix(b"\r") + b"\n", first)


class _ProgressLine:
    """Share of a large file read, on a terminal's last line; nothing anywhere else."""

    def __init__(self, path: Path) -> None:
        size = path.stat().st_size if path.is_file() else 0
        on = sys.stderr.isatty() and not sys.stdout.isatty() and size >= _PROGRESS_FROM_BYTES
        self._size = size if on else 0
        self._name = path.name
        self._percent = -1

    def show(self, stream: BinaryIO) -> None:
        percent = min(100, stream.tell() * 100 // self._size) if self._size else -1
        if percent > self._percent:
            self._percent = percent
            sys.stderr.write(f"\r{self._name!a} {percent:3d} %")
            sys.stderr.flush()

    def end(self) -> None:
        if self._percent >= 0:
            sys.stderr.write("\n")
