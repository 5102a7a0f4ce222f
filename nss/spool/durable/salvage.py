"""Saves what is readable out of a damaged spool file into a new one.

The new file is written as `NAME.salvaging` and called `NAME.salvaged` once it is complete; then
the damaged file is moved to `NAME.damaged-TIME`, for people to look at, and the new file takes its
place. If the process is killed anywhere, the next start begins again or finishes.
"""

import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from nss.spool.durable import events, schema

MAX_FAILURES = 20_000
"""How many reads may fail before the rest of a table is given up."""

GAP = 1 << 40
"""How far sequences jump ahead when the last one is unknown."""

_SUFFIXES = ("", "-wal", "-shm")
_LAST_NUMBER = (1 << 63) - 1
_BATCHES_BETWEEN_COMMITS = 100


def replace_damaged(path: Path) -> None:
    """Replace a damaged file by a new one, with all that can be read of it."""
    new_path = path.with_name(f"{path.name}.salvaging")
    for suffix in _SUFFIXES:
        new_path.with_name(new_path.name + suffix).unlink(missing_ok=True)
    new_path.touch(mode=0o600)
    with closing(schema.connect(new_path)) as new, closing(schema.connect_reader(path)) as old:
        schema.migrate(new, new_path, lambda _point: None, schema.MIGRATIONS[: _form(old)])
        salvage = _Salvage(old, new)
        salvage.run()
    new_path.rename(_complete(path))
    aside = finish_salvage(path)
    records = sum(salvage.records.values())
    lost = list(_ranges(sorted(salvage.lost)))
    events.salvaged(str(path), str(aside), len(salvage.records), records, lost)


def finish_salvage(path: Path) -> Path | None:
    """Put a salvaged file in place, if there is any; return where the damaged file is now."""
    complete = _complete(path)
    if not complete.exists():
        return None
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(complete.stat().st_mtime))
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    complete.rename(path)
    schema.suspect_mark(path).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside


def _complete(path: Path) -> Path:
    return path.with_name(f"{path.name}.salvaged")


def _form(old: sqlite3.Connection) -> int:
    """Return how many migrations the new file needs for the tables to be alike."""
    with suppress(sqlite3.Error):
        (version,) = old.execute("PRAGMA user_version").fetchone()
        if 0 < version <= len(schema.MIGRATIONS):
            return int(version)
    return len(schema.MIGRATIONS)


class _Salvage:
    """Copies from a damaged database to a new one."""

    def __init__(self, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
        self._old = old
        self._new = new
        self.records: dict[int, int] = {}
        """The records of each batch whose row could be read."""
        self.lost: set[int] = set()
        """Sequences whose records are known to be lost, or have no row."""

    def run(self) -> None:
        """Copy what can be read."""
        self._new.execute("BEGIN IMMEDIATE")
        for table in ("sources", "cursors"):
            with suppress(sqlite3.Error):
                for row in self._old.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant
                    self._insert(table, row)
        for table in ("rejects", "damaged"):
            for row in self._scan(table):
                self._insert(table, row)
        bodies = self._copy_batches()
        self._keep_strays(bodies)
        self._continue_sequences()
        self._new.execute("COMMIT")

    def _copy_batches(self) -> set[int]:
        """Copy batches with their records; return the bodies that they need."""
        bodies: set[int] = set()
        for row in self._scan("batches"):
            if not self._insert("batches", row):
                continue
            sequence, records, body = int(row[0]), int(row[4]), int(row[8])
            self.records[sequence] = records
            if body in bodies:
                continue
            bodies.add(body)
            if not self._copy_body(body):
                self.lost.add(body)
            if len(self.records) % _BATCHES_BETWEEN_COMMITS == 0:
                self._new.execute("COMMIT")
                self._new.execute("BEGIN IMMEDIATE")
        return bodies

    def _copy_body(self, body: int) -> bool:
        """Copy the records of a batch if they are intact."""
        row = self._body(body)
        sound = row is not None and isinstance(row[3], bytes) and zlib.crc32(row[3]) == row[2]
        return row is not None and sound and self._insert("bodies", row)

    def _body(self, body: int) -> "_Row | None":
        with suppress(sqlite3.Error):
            found = self._old.execute("SELECT * FROM bodies WHERE body = ?", (body,)).fetchone()
            return tuple(found) if found else None
        return None

    def _keep_strays(self, bodies: set[int]) -> None:
        """Keep records whose row is lost among the damaged: their source is unknown."""
        for (body,) in self._scan("bodies", "body"):
            if body in bodies:
                continue
            self.lost.add(int(body))
            row = self._body(body)
            data = row[3] if row is not None and isinstance(row[3], bytes) else None
            reason = "its row in batches can't be read"
            self._insert("damaged", (body, "", "", 0, time.time(), reason, data))

    def _continue_sequences(self) -> None:
        """Make sure that no sequence is reused: cursors would take it for passed."""
        known = [*self.records, *self.lost]
        (passed,) = self._new.execute("SELECT max(passed) FROM cursors").fetchone()
        last = max(*known, passed or 0, 0)
        try:
            (noted,) = self._old.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
            ).fetchone() or (0,)
            last = max(last, int(noted))
        except (sqlite3.Error, TypeError, ValueError):
            last += GAP
        self._new.execute("DELETE FROM sqlite_sequence WHERE name = 'batches'")
        self._new.execute("INSERT INTO sqlite_sequence VALUES ('batches', ?)", (last,))

    def _scan(self, table: str, columns: str = "*") -> Iterator["_Row"]:
        """Yield all rows that can be read, in the order of their number, the first column.

        Where reading fails, the range is halved until the unreadable rows are isolated.
        """
        number = {"batches": "sequence", "damaged": "sequence", "bodies": "body"}.get(
            table, "number"
        )
        query = f"SELECT {columns} FROM {table} WHERE {number} BETWEEN ? AND ? ORDER BY {number}"  # noqa: S608 - constants
        ranges, failures = [(1, _LAST_NUMBER)], 0
        while ranges and failures < MAX_FAILURES:
            first, last = ranges.pop()
            try:
                for row in self._old.execute(query, (first, last)):
                    if first <= row[0] <= last:
                        first = row[0] + 1
                        yield row
            except sqlite3.Error:
                failures += 1
                if first < last:
                    middle = (first + last) // 2
                    ranges += [(middle + 1, last), (first, middle)]

    def _insert(self, table: str, row: "_Row") -> bool:
        """Write a row; return whether it makes sense there."""
        values = ", ".join("?" * len(row))
        try:
            self._new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({values})", row)  # noqa: S608 - constants
        except sqlite3.Error as error:
            if not schema.is_damage(error):
                raise
            return False
        return True


# SQLite's own types; a damaged row may have any of them in any column.
_Row = tuple[Any, ...]


def _ranges(numbers: Iterable[int]) -> Iterator[str]:
    """Yield runs of numbers as people write them: 3, 5-9."""
    for _, run in groupby(enumerate(numbers), lambda place: place[1] - place[0]):
        first, *others = [number for _, number in run]
        yield f"{first}-{others[-1]}" if others else f"{first}"
