"""Entries of the audit log, the newest first, from the file and those that were set aside.

What is in an entry may come from anybody: it is only ever text.
"""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from nss import foreign
from nss.files.beneath import Folder, open_folder
from nss.telemetry.audit import KEPT, Fact

BLOCK_BYTES = 64 << 10

MAX_LINE_BYTES = 64 << 10
"""No entry is longer; a longer line is damage."""

_REQUIRED = ("at", "who", "action", "outcome")
_TIMES = "%Y-%m-%dT%H:%M:%SZ"
_LAST_SECS = 253_402_300_799.0
"""The end of the year 9999."""


class Entries(Iterator[dict[str, Fact]]):
    """The entries that were asked for, read as they are taken."""

    def __init__(self, found: Iterator[tuple[str, dict[str, Fact] | None]]) -> None:
        self._found = found
        self.damaged = 0
        """Lines on the way that are no entries."""
        self.mark = ""
        """Where the last entry is: give it as `before` to continue behind it."""

    def __next__(self) -> dict[str, Fact]:
        for mark, entry in self._found:
            if entry is not None:
                self.mark = mark
                return entry
            self.damaged += 1
        raise StopIteration


def entries(
    path: Path,
    *,
    limit: int,
    before: str = "",
    since: float | None = None,
    until: float | None = None,
    person: str = "",
    action: str = "",
    outcome: str = "",
    text: str = "",
    block_bytes: int = BLOCK_BYTES,
) -> Entries:
    """Return entries of the audit log at `path`, at most `limit`, the newest first.

    Each has at least `at` (`2026-11-24T03:35:04Z`), `who`, `action` and `outcome`, all texts.
    `since` and `until` are seconds since the epoch. `person` is a part of who, `text` of any fact,
    in capitals or not; `action` and `outcome` are whole. Files are read as entries are taken, a
    block at a time: take them in a thread. Never raises: what can't be read has no entries.
    """
    wanted = _Wanted(
        _moment(since), _moment(until), person.casefold(), action, outcome, text.casefold()
    )
    return Entries(_matching(path, limit, before, wanted, block_bytes))


class _Wanted(msgspec.Struct, frozen=True):
    since: str
    until: str
    person: str
    action: str
    outcome: str
    text: str

    def fits(self, entry: dict[str, Fact]) -> bool:
        at = str(entry["at"])
        return (
            (not self.since or at >= self.since)
            and (not self.until or at <= self.until)
            and self.person in str(entry["who"]).casefold()
            and self.action in {"", entry["action"]}
            and self.outcome in {"", entry["outcome"]}
            and (not self.text or any(self.text in str(fact).casefold() for fact in entry.values()))
        )


def _moment(at: float | None) -> str:
    """Return a time as entries have it, of which earlier ones are smaller; empty without one."""
    if at is None or math.isnan(at):
        return ""
    # Beyond what dates can say, nothing is later or nothing earlier.
    return datetime.fromtimestamp(min(max(at, 0.0), _LAST_SECS), UTC).strftime(_TIMES)


def _matching(
    path: Path, limit: int, before: str, wanted: _Wanted, block_bytes: int
) -> Iterator[tuple[str, dict[str, Fact] | None]]:
    """Yield entries with their marks, and `None` for each damaged line."""
    found = 0
    for mark, line in _lines(path, before, block_bytes):
        if found >= limit:
            return
        entry = None if line is None else _entry(line)
        if entry is None:
            yield mark, None
        elif wanted.fits(entry):
            found += 1
            yield mark, entry


def _entry(line: bytes) -> dict[str, Fact] | None:
    try:
        entry = foreign.decode(line, dict[str, Fact])
    except msgspec.DecodeError:
        return None
    return entry if all(isinstance(entry.get(name), str) for name in _REQUIRED) else None


def _lines(path: Path, before: str, block_bytes: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield the lines of all files, the last first, each with its mark; `None` if it is too long.

    The files may be set aside meanwhile: a file is read once, whatever its name is by then.
    """
    skipping, seen = before, set[int]()
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(open_folder(path.parent))
        except OSError:
            return
        for name in (path.name, *(f"{path.name}.{number}" for number in range(1, KEPT + 1))):
            with suppress(OSError), _Opened(folder, name) as file:
                if file.inode in seen:
                    continue
                seen.add(file.inode)
                end = file.size
                if skipping:
                    inode, _, offset = skipping.partition("-")
                    if inode != str(file.inode) or not offset.isdecimal():
                        continue
                    skipping, end = "", min(end, int(offset))
                for offset_bytes, line in backwards(file.number, end, block_bytes):
                    yield f"{file.inode}-{offset_bytes}", line


class _Opened:
    """A file of the audit log, open."""

    def __init__(self, folder: Folder, name: str) -> None:
        self.number = folder.open_file(name)
        status = os.fstat(self.number)
        self.inode, self.size = status.st_ino, status.st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.number)


def backwards(number: int, end: int, block_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines of a file before `end`, the last first, each with where it begins.

    Of a line that is longer than `MAX_LINE_BYTES` nothing is kept: it is `None`. Empty lines are
    left out. Raises `OSError`.
    """
    rest = b""  # the line that begins before the block, as far as its length matters
    while end > 0:
        begin = max(0, end - block_bytes)
        block = os.pread(number, end - begin, begin)
        if len(block) < end - begin:
            return  # it was cut meanwhile
        first, *others = (block + rest).split(b"\n")
        at = begin + len(first) + 1
        found: list[tuple[int, bytes]] = []
        for line in others:
            found.append((at, line))
            at += len(line) + 1
        for at_bytes, line in reversed(found):
            if line:
                yield at_bytes, _bounded(line)
        rest = first[: MAX_LINE_BYTES + 1]
        end = begin
    if rest:
        yield 0, _bounded(rest)


def _bounded(line: bytes) -> bytes | None:
    return line if len(line) <= MAX_LINE_BYTES else None
