"""Puts a spool's file together from its pieces when SQLite can't: for salvage, into a copy.

SQLite ignores everything in a write-ahead log behind the first frame that is not as it was written,
the whole log if its header is damaged or the database is gone, and can read nothing without the
schema on page 1. The pages are still there. Here they are all put in their places; what is in them
is checked row by row by whoever reads the copy.

https://www.sqlite.org/fileformat2.html describes the header and the frames.
"""

import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from nss.files.private import MODE
from nss.spool.durable import schema
from nss.spool.durable.schema import PAGE_BYTES

_WAL_HEAD = struct.Struct(">8I")
_FRAME_HEAD = struct.Struct(">II8s8x")
_FRAME_BYTES = _FRAME_HEAD.size + PAGE_BYTES
_SALTS = slice(16, 24)

_PAGES_AT = 28
"""Where the header of page 1 has the number of pages."""
_FREE_LIST_AT = 32
"""And the first free page and how many there are."""

_FIRST_TABLES = ("bodies", "batches", "sources", "cursors", "rejects", "damaged")
"""Tables of the first form: always made in the same order, so that they begin on the same pages."""


class _Frame(NamedTuple):
    offset: int
    page: int
    pages: int
    """How many pages the database has after it, if it ends a commit; else 0."""
    salts: bytes


def reassemble(path: Path, copy: Path, form: int) -> None:
    """Write a copy of a spool's file with all that its write-ahead log has committed.

    `form` is how many migrations the file has been through. Raises OSError.
    """
    copy.touch(mode=MODE)
    with suppress(FileNotFoundError):
        shutil.copyfile(path, copy)
    with copy.open("r+b") as file:
        pages = file.seek(0, 2) // PAGE_BYTES
        with suppress(FileNotFoundError), _log(path).open("rb") as log:
            pages = _apply(log, file, pages)
        file.truncate(pages * PAGE_BYTES)
        if pages and not _is_readable(copy, form):
            file.seek(0)
            file.write(_first_page(pages, form))


def has_log(path: Path) -> bool:
    """Return whether there is anything in the write-ahead log of a spool's file."""
    with suppress(FileNotFoundError):
        return _log(path).stat().st_size > _WAL_HEAD.size
    return False


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _apply(log: BinaryIO, file: BinaryIO, pages: int) -> int:
    """Write the pages of committed frames to their places; return how many pages there are."""
    frames = list(_frames(log))
    while frames and not frames[-1].pages:
        frames.pop()  # it was never committed
    # A damaged number must not ask for terabytes: a log adds no more pages than it has.
    most = pages + len(frames)
    pages = max([pages, *(frame.pages for frame in frames if frame.pages <= most)])
    for frame in frames:
        if 0 < frame.page <= pages:
            log.seek(frame.offset + _FRAME_HEAD.size)
            file.seek((frame.page - 1) * PAGE_BYTES)
            file.write(log.read(PAGE_BYTES))
    return pages


def _frames(log: BinaryIO) -> Iterator[_Frame]:
    """Yield the frames that belong to the log's present content, not to what it had before."""
    head = log.read(_WAL_HEAD.size)
    found = list(_all_frames(log))
    salts = head[_SALTS] if _is_sound(head) else found[0].salts if found else b""
    return (frame for frame in found if frame.salts == salts)


def _all_frames(log: BinaryIO) -> Iterator[_Frame]:
    size = log.seek(0, 2)
    for offset in range(_WAL_HEAD.size, size - _FRAME_BYTES + 1, _FRAME_BYTES):
        log.seek(offset)
        yield _Frame(offset, *_FRAME_HEAD.unpack(log.read(_FRAME_HEAD.size)))


def _is_sound(head: bytes) -> bool:
    """Return whether the checksum of the log's header holds."""
    if len(head) < _WAL_HEAD.size:
        return False
    order = ">" if head[3] & 1 else "<"
    words = struct.unpack(f"{order}6I", head[:24])
    first = second = 0
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return (first, second) == _WAL_HEAD.unpack(head)[6:]


def _is_readable(copy: Path, form: int) -> bool:
    """Return whether SQLite finds the tables in the copy, as they were made."""
    uri = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return schema.form_of(schema.declarations_of(connection)) == form
    except (sqlite3.Error, UnicodeError):
        return False


def _first_page(pages: int, form: int) -> bytes:
    """Return page 1 of a database with our tables, of so many pages, none of them free."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spool.db")
        with closing(schema.connect(path)) as connection:
            schema.migrate(connection, path, lambda _point: None, schema.MIGRATIONS[:form])
            connection.execute("PRAGMA writable_schema = ON")
            names = ", ".join(f"'{name}'" for name in _FIRST_TABLES)
            connection.execute(
                f"DELETE FROM sqlite_schema WHERE tbl_name NOT IN ({names}, 'sqlite_sequence')"  # noqa: S608 - constants
            )
            connection.execute("DELETE FROM sqlite_schema WHERE type = 'index'")
        page = bytearray(path.read_bytes()[:PAGE_BYTES])
    struct.pack_into(">I", page, _PAGES_AT, pages)
    struct.pack_into(">II", page, _FREE_LIST_AT, 0, 0)
    return bytes(page)
