"""Saves what is readable out of a damaged spool file into a new one.

The new file is written as `NAME.salvaging` and called `NAME.salvaged` once it is complete; then
the damaged file is moved to `NAME.damaged-TIME`, for people to look at, and the new file takes its
place. If the process is killed anywhere, the next start begins again or finishes. What was lost is
written into the new file, and so is reported whatever happens in between.
"""

import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from nss.files.private import MODE, sync_folder
from nss.spool.durable import checking, events, reassembling, schema
from nss.spool.durable.ledger import LedgerEntry

MAX_FAILURES = 20_000
"""How many reads may fail before the rest of a table is given up."""

GAP = 1 << 40
"""How far sequences jump ahead when the last one is unknown."""

_SUFFIXES = ("", "-wal", "-shm")
_LAST_NUMBER = (1 << 63) - 1
_BATCHES_BETWEEN_COMMITS = 100


def replace_damaged(path: Path, ledger: LedgerEntry | None) -> None:
    """Replace a damaged file by a new one, with all that can be read of it.

    Raises OSError and `sqlite3.Error` when the new file can't be written.
    """
    new_path = path.with_name(f"{path.name}.salvaging")
    copy = path.with_name(f"{path.name}.reassembled")
    _remove(new_path, copy)
    try:
        new_path.touch(mode=MODE)
        source = path
        if _needs_reassembling(path, ledger):
            reassembling.reassemble(path, copy, ledger.form if ledger and ledger.form else 1)
            source = copy
        with closing(_connect_new(new_path)) as new, closing(schema.connect_reader(source)) as old:
            schema.migrate(new, new_path, lambda _point: None)
            _Salvage(old, new, ledger).run()
        new_path.rename(_complete(path))
    finally:
        _remove(new_path, copy)  # what is left of an attempt on a full disk fills it further
    finish_salvage(path)


def _connect_new(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that is thrown away if anything fails.

    It has no write-ahead log: that would take the same space once more, and what a failing
    checkpoint leaves in it when the connection is closed would be lost without an error.
    """
    connection = schema.connect(path)
    connection.execute("PRAGMA journal_mode = MEMORY")
    return connection


def finish_salvage(path: Path) -> None:
    """Put a salvaged file in place, if there is any."""
    complete = _complete(path)
    if not complete.exists():
        return
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(complete.stat().st_mtime))
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    complete.rename(path)
    sync_folder(path.parent)


def report_salvages(connection: sqlite3.Connection, path: Path) -> None:
    """Report the salvages of a file that nobody has heard of yet."""
    rows = connection.execute(
        "SELECT rowid, CAST(batches AS INTEGER), CAST(records AS INTEGER), CAST(lost AS TEXT) "
        "FROM salvages WHERE reported_as IS NULL"
    ).fetchall()
    for number, batches, records, lost in rows:
        aside = max(path.parent.glob(f"{path.name}.damaged-*[0-9]"), default="")
        events.salvaged(str(path), str(aside), batches, records, lost.split(", ") if lost else [])
        with suppress(sqlite3.Error):  # on a full disk it is reported once more at the next start
            connection.execute(
                "UPDATE salvages SET reported_as = ? WHERE rowid = ?", (str(aside), number)
            )


def _remove(*paths: Path) -> None:
    for path in paths:
        for suffix in _SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _complete(path: Path) -> Path:
    return path.with_name(f"{path.name}.salvaged")


def _needs_reassembling(path: Path, ledger: LedgerEntry | None) -> bool:
    """Return whether SQLite alone does not see all that the files have."""
    if not path.exists() or not path.stat().st_size:
        return True
    try:
        with closing(schema.connect_reader(path)) as connection:
            if schema.form_of(schema.declarations_of(connection)) is None:
                return True
            return checking.is_behind(connection, ledger) and reassembling.has_log(path)
    except (sqlite3.Error, UnicodeError, TypeError, ValueError):
        return True


class _Salvage:
    """Copies from a damaged database to a new one."""

    def __init__(
        self, old: sqlite3.Connection, new: sqlite3.Connection, ledger: LedgerEntry | None
    ) -> None:
        self._old = old
        self._new = new
        self._ledger = ledger
        self._form = 1
        self._records: dict[int, int] = {}
        """The records of each batch whose row could be read."""
        self._lost: set[int] = set()
        """Sequences whose records are known to be lost, or have no row."""
        self._needed: set[int] = set()
        """The blobs that rows refer to."""

    def run(self) -> None:
        """Copy what can be read."""
        with suppress(sqlite3.Error, UnicodeError):
            self._form = schema.form_of(schema.declarations_of(self._old)) or 1
        self._new.execute("BEGIN IMMEDIATE")
        self._copy_all("sources", 3)
        cursors_lost = not self._copy_all("cursors", 9, ("", 0))
        for row in self._scan("damaged"):
            self._insert("damaged", row)
        self._copy_rejects()
        self._copy_batches()
        self._keep_strays()
        lost = list(_ranges(sorted(self._lost)))
        last = self._continue_sequences()
        if self._ledger is not None and self._ledger.last_sequence > last:
            lost.append(f"{last + 1}-{self._ledger.last_sequence}")
        self._new.execute(
            "INSERT INTO salvages VALUES (?, ?, ?, ?, ?, NULL)",
            (
                *(time.time(), len(self._records), sum(self._records.values())),
                *(", ".join(lost), cursors_lost),
            ),
        )
        self._new.execute("COMMIT")

    def _copy_all(self, table: str, columns: int, added: "_Row" = ()) -> bool:
        """Copy the rows of a table without numbers; return whether all could be read.

        `columns` are those of the first form, `added` the values of later ones that it lacked.
        """
        whole = True
        try:
            for row in self._old.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant
                values = self._sound(table, row, columns)
                if values is None:
                    whole = False
                else:
                    values += () if len(values) > columns else added
                    whole &= self._insert(table, (*values, schema.row_crc32(table, *values)))
        except (sqlite3.Error, UnicodeError):
            return False
        return whole

    def _sound(self, table: str, row: "_Row", columns: int) -> "_Row | None":
        """Return the values of a row without its checksum, if that holds."""
        if self._form == 1:
            return row[:columns]
        return row[:-1] if row[-1] == schema.row_crc32(table, *row[:-1]) else None

    def _copy_rejects(self) -> None:
        for row in self._scan("rejects"):
            values = self._sound("rejects", row[1:], 7)
            if values is None:
                continue
            values += (None, 1, 0) if self._form == 1 else ()
            crc32 = schema.row_crc32("rejects", *values)
            if self._insert("rejects", (row[0], *values, crc32)) and values[7] is not None:
                self._copy_body(values[7])

    def _copy_batches(self) -> None:
        """Copy batches with their records."""
        for row in self._scan("batches"):
            values = self._sound("batches", row, 10)
            if values is None:
                self._lost.add(row[0])
                continue
            if not self._insert("batches", (*values, schema.row_crc32("batches", *values))):
                continue
            sequence, records, body = int(row[0]), int(row[4]), int(row[8])
            self._records[sequence] = records
            if not self._copy_body(body):
                self._lost.add(body)
            if len(self._records) % _BATCHES_BETWEEN_COMMITS == 0:
                self._new.execute("COMMIT")
                self._new.execute("BEGIN IMMEDIATE")

    def _copy_body(self, body: int) -> bool:
        """Copy the records of a batch if they are intact, once; return False if they are not."""
        if body in self._needed:
            return True
        self._needed.add(body)
        row = self._body(body)
        sound = row is not None and isinstance(row[3], bytes) and zlib.crc32(row[3]) == row[2]
        return row is not None and sound and self._insert("bodies", row)

    def _body(self, body: int) -> "_Row | None":
        with suppress(sqlite3.Error):
            found = self._old.execute("SELECT * FROM bodies WHERE body = ?", (body,)).fetchone()
            return tuple(found) if found else None
        return None

    def _keep_strays(self) -> None:
        """Keep records whose row is lost among the damaged: their source is unknown."""
        for (body,) in self._scan("bodies", "body"):
            if body in self._needed:
                continue
            self._lost.add(int(body))
            row = self._body(body)
            data = row[3] if row is not None and isinstance(row[3], bytes) else None
            reason = "its row in batches can't be read"
            self._insert("damaged", (body, "", "", 0, time.time(), reason, data))

    def _continue_sequences(self) -> int:
        """Make sure that no sequence is reused: cursors would take it for passed.

        Returns the last batch that the old file knew of, as far as that can be said. The ledger's
        number is not written: whoever loads the file compares it.
        """
        (passed,) = self._new.execute("SELECT max(passed) FROM cursors").fetchone()
        last = noted = max([*self._records, passed or 0])
        try:
            (found,) = self._old.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
            ).fetchone() or (0,)
            number = int(found)
        except (sqlite3.Error, UnicodeError, TypeError, ValueError):
            number = -1
        if 0 <= number < checking.MAX_SEQUENCE:
            last = noted = max(last, number)
        else:
            noted += GAP
        self._new.execute("DELETE FROM sqlite_sequence WHERE name = 'batches'")
        self._new.execute("INSERT INTO sqlite_sequence VALUES ('batches', ?)", (noted,))
        return last

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
            except (sqlite3.Error, UnicodeError):
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
