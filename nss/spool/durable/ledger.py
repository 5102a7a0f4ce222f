"""The ledger: a small file beside the spool that says what was last committed.

A write-ahead log with one flipped byte is as good to SQLite as one that ends there, and a file that
was put back from a copy is as good as the one that was lost. The ledger says that there was more.
It is written after each commit and never waits for the disk: it may be older than the spool, which
means nothing, but it can't be newer unless something was lost.
"""

import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, field
from pathlib import Path
from typing import IO

import msgspec

from formats.dataclass import dataclass
from nss import foreign
from nss.batch import Account
from nss.files.private import MODE, FileFault, read_bounded
from nss.spool.durable.bookkeeping import FeedRow, State

SLOT_BYTES = 64 * 1024
"""There are two slots, written in turn: one is whole, whatever happens to the other."""

_MAX_BYTES = 16 * SLOT_BYTES
"""How much is read of a file that is longer than it should be."""

_HEAD_BYTES = 16
"""Of a slot: the CRC-32 and the length of what follows, eight hexadecimal digits each."""


class _FeedEntry(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    passed: int
    accepted: int
    account: tuple[int, int, int, int, int, int]
    sources: tuple[str, ...]
    written: int


class _Slot(msgspec.Struct):
    number: int
    form: int
    last_sequence: int
    commits: int
    feeds: dict[str, _FeedEntry]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger says: the state of the spool after a commit."""

    number: int = 0
    """Counts the entries."""
    form: int = 0
    """How many migrations the spool's file had been through; 0 if that is unknown."""
    last_sequence: int = 0
    commits: int = 0
    """The number of the last commit that wrote rows of feeds."""
    feeds: Mapping[str, FeedRow] = field(default_factory=dict)

    def is_newer(self, last_sequence: int, written: Mapping[str, int]) -> bool:
        """Return whether it knows of later batches, or of later moves of feeds, than a file.

        `written` are the commits that wrote the rows of feeds in the file. A feed without a row
        says nothing: the ledger may be from before it was forgotten.
        """
        return self.last_sequence > last_sequence or any(
            row.written > written.get(feed, row.written) for feed, row in self.feeds.items()
        )


def ledger_path(path: Path) -> Path:
    """Return where the ledger of a spool is."""
    return path.with_name(f"{path.name}.ledger")


def read(path: Path) -> LedgerEntry | None:
    """Return the last entry of a spool's ledger; `None` if there is none that can be read."""
    try:
        data = read_bounded(ledger_path(path), _MAX_BYTES)
    except (OSError, FileFault):
        return None
    slots = [_unpacked(data[:SLOT_BYTES]), _unpacked(data[SLOT_BYTES:])]
    return max((slot for slot in slots if slot), key=lambda entry: entry.number, default=None)


def _unpacked(data: bytes) -> LedgerEntry | None:
    try:
        checksum, size = int(data[:8], 16), int(data[8:_HEAD_BYTES], 16)
        body = data[_HEAD_BYTES : _HEAD_BYTES + size]
        if zlib.crc32(body) != checksum:
            return None
        slot = foreign.decode(body, _Slot)
    except (ValueError, msgspec.DecodeError):
        return None
    feeds = {
        name: FeedRow.of(row.passed, row.accepted, Account(*row.account), row.sources, row.written)
        for name, row in slot.feeds.items()
    }
    return LedgerEntry(slot.number, slot.form, slot.last_sequence, slot.commits, feeds)


def _packed(slot: _Slot) -> bytes:
    body = msgspec.json.encode(slot)
    if len(body) + _HEAD_BYTES > SLOT_BYTES:  # hundreds of feeds: what is left still finds a loss
        body = msgspec.json.encode(msgspec.structs.replace(slot, feeds={}))
    return b"%08x%08x" % (zlib.crc32(body), len(body)) + body


class Ledger:
    """Writes the ledger of an open spool; `write` raises nothing.

    An entry that can't be written, on a full disk for example, is missing until the next one.
    """

    def __init__(self, path: Path, form: int) -> None:
        self._path = path
        self._form = form
        self._file: IO[bytes] | None = None
        self._number = 0
        self._written: _Slot | None = None

    def open(self) -> None:
        """Continue after the last entry; for whoever has locked the spool."""
        last = read(self._path)
        self._number = 0 if last is None else last.number
        self._written = None
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with suppress(OSError):
            path = ledger_path(self._path)
            if path.is_symlink() or (path.exists() and not path.is_file()):
                path.unlink()  # a link or a named pipe: somebody else's
            number = os.open(path, flags, MODE)
            self._file = os.fdopen(number, "r+b", buffering=0)

    def write(self, state: State) -> None:
        """Note what has just been committed."""
        entries = {
            name: _FeedEntry(
                row.passed, row.accepted, astuple(row.account), row.sources, row.written
            )
            for name, row in state.feeds.items()
        }
        content = _Slot(0, self._form, state.last_sequence, state.commits, entries)
        if self._file is None or content == self._written:
            return
        slot = _packed(msgspec.structs.replace(content, number=self._number + 1))
        offset = (self._number + 1) % 2 * SLOT_BYTES
        try:
            os.pwrite(self._file.fileno(), slot, offset)
        except OSError:
            return
        self._number += 1
        self._written = content

    def keep(self) -> None:
        """Make the file again if it was removed or replaced; `write` writes it."""
        with suppress(OSError):
            if self._file is not None:
                held = os.fstat(self._file.fileno())
                with suppress(FileNotFoundError):
                    if os.path.samestat(held, ledger_path(self._path).lstat()):
                        return
            self.close()
            self.open()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
