"""Copies what is readable of a damaged database into a new one."""

import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from nss.spool.durable import checking, leaves, schema
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.pages import Pages
from nss.spool.durable.schema import Value

MAX_FAILURES = 2000
"""How many reads may fail before the rest of a table is left to what is found on its pages."""

MAX_RANGES = 50
"""How many ranges of lost batches are listed."""

GAP = 1 << 40
"""How far sequences jump ahead when the last one is unknown."""

_LAST_NUMBER = (1 << 63) - 1
_ROWS_BETWEEN_COMMITS = 200


class Copier:
    """Copies from a damaged database to a new one.

    First what SQLite reads in it; then what is found on its pages besides.
    """

    def __init__(
        self,
        old: sqlite3.Connection,
        new: sqlite3.Connection,
        pages: Pages,
        ledger: LedgerEntry | None,
    ) -> None:
        self._old = old
        self._new = new
        self._pages = pages
        self._ledger = ledger
        self._named: dict[str, dict[Value, _Row]] = {"sources": {}, "cursors": {}}
        """The newest sound rows of these tables, by their first column."""
        self._records: dict[int, int] = {}
        """The records of each batch whose row could be read."""
        self._rejects: set[int] = set()
        self._lost: set[int] = set()
        """Sequences whose records are known to be lost, or have no row."""
        self._needed: set[int] = set()
        """The blobs that rows refer to."""
        self._missing: set[int] = set()
        """Those of them that could not be read."""
        self._strays: set[int] = set()
        """Blobs that no row refers to."""
        self._has_checksums = ledger is not None and ledger.form > 1
        """Whether the old file's rows are known to have checksums: then one without is damaged."""
        self._inserted = 0

    def run(self) -> None:
        """Copy what can be read."""
        self._new.execute("BEGIN IMMEDIATE")
        cursors_lost = not self._copy_trees()
        self._copy_leaves()
        for table, rows in self._named.items():
            for values in rows.values():
                self._insert(table, (*values, schema.row_crc32(table, *values)))
        self._keep_strays()
        self._lost |= self._missing & {
            body for (body,) in self._new.execute("SELECT DISTINCT body FROM batches")
        }
        lost = list(_ranges(sorted(self._lost)))
        last = self._continue_sequences()
        if self._ledger is not None and self._ledger.last_sequence > last:
            lost.append(f"{last + 1}-{self._ledger.last_sequence}")
        if len(lost) > MAX_RANGES:
            lost[MAX_RANGES:] = [f"and {len(lost) - MAX_RANGES} more"]
        self._new.execute(
            "INSERT INTO salvages VALUES (?, ?, ?, ?, ?, NULL)",
            (
                *(time.time(), len(self._records), sum(self._records.values())),
                *(", ".join(lost), cursors_lost),
            ),
        )
        self._new.execute("COMMIT")

    # What SQLite reads.

    def _copy_trees(self) -> bool:
        """Copy what SQLite finds; return whether it found all rows of feeds."""
        self._copy_named("sources")
        whole = self._copy_named("cursors")
        for row in self._scan("damaged"):
            self._insert("damaged", row)
        for row in self._scan("rejects"):
            self._copy_reject(row)
        for row in self._scan("batches"):
            self._copy_batch(row)
        return whole

    def _copy_named(self, table: str) -> bool:
        """Copy the rows of a table without numbers; return whether all could be read."""
        try:
            rows = self._old.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - a constant
        except (sqlite3.Error, UnicodeError):
            return False
        whole = True
        for row in rows:
            whole &= self._keep_newest(table, row)
        return whole

    def _keep_newest(self, table: str, row: "_Row") -> bool:
        """Keep the last version of a row; return whether this is a sound one."""
        values = self._sound(table, row)
        if values is None:
            return False
        newest = _NEWEST[table]
        known = self._named[table].setdefault(values[0], values)
        if known[newest] < values[newest]:
            self._named[table][values[0]] = values
        return True

    def _copy_reject(self, row: "_Row") -> None:
        values = self._sound("rejects", row[1:])
        if values is None:
            return
        crc32 = schema.row_crc32("rejects", *values)
        if self._insert("rejects", (row[0], *values, crc32)):
            self._rejects.add(row[0])
            if values[7] is not None:
                self._copy_body(values[7])

    def _copy_batch(self, row: "_Row") -> None:
        """Copy a batch with its records."""
        sequence, values = row[0], self._sound("batches", row)
        crc32 = 0 if values is None else schema.row_crc32("batches", *values)
        if values is None or not self._insert("batches", (*values, crc32)):
            self._lost.add(sequence)
            return
        self._lost.discard(sequence)
        self._records[sequence] = values[4]
        self._copy_body(values[8])

    def _copy_body(self, body: int) -> None:
        """Copy the records of a batch if they are intact, once."""
        if body in self._needed:
            return
        self._needed.add(body)
        row = self._body(body)
        if row is None or not _is_intact(row) or not self._insert("bodies", row):
            self._missing.add(body)

    def _body(self, body: int) -> "_Row | None":
        with suppress(sqlite3.Error):
            found = self._old.execute("SELECT * FROM bodies WHERE body = ?", (body,)).fetchone()
            return tuple(found) if found else None
        return None

    def _keep_strays(self) -> None:
        """Keep records whose row is lost among the damaged: their source is unknown."""
        for (body,) in self._scan("bodies", "body"):
            if body not in self._needed and body not in self._strays:
                self._keep_stray(body, self._body(body))

    def _keep_stray(self, body: int, row: "_Row | None") -> None:
        self._strays.add(body)
        self._lost.add(body)
        data = row[3] if row is not None and isinstance(row[3], bytes) else None
        reason = "its row in batches can't be read"
        self._insert("damaged", (body, "", "", 0, time.time(), reason, data))

    def _sound(self, table: str, row: "_Row") -> "_Row | None":
        """Return the values of a row in the newest form, without its checksum, if that holds."""
        if len(row) == _FIRST_COLUMNS[table]:
            return None if self._has_checksums else _of_first_form(table, row)
        if row[-1] != schema.row_crc32(table, *row[:-1]):
            return None
        self._has_checksums = True
        return row[:-1]

    # What is on the pages.

    def _copy_leaves(self) -> None:
        """Copy the rows that SQLite could not find."""
        self._copy_rows(_TABLES)
        # One bit makes two columns one, and of a row with a checksum one that looks as if it were
        # of the first form.
        if not self._has_checksums:
            self._copy_rows(_FIRST_TABLES)
        self._copy_bodies()

    def _copy_rows(self, tables: "_Tables") -> None:
        """Copy the rows of these tables on all pages."""

        def is_wanted(kind: int, columns: int, number: int) -> bool:
            table = tables.get((kind, columns))
            known = self._records if table == "batches" else self._rejects
            return table is not None and not (kind == leaves.TABLE and number in known)

        for kind, number, values in leaves.rows(self._pages, is_wanted):
            table = tables[kind, len(values)]
            if table in self._named:
                self._keep_newest(table, values)
                continue
            columns = list[Any]((number, *values[1:]))
            for place in _TIMES[table]:
                if isinstance(columns[place], int):
                    columns[place] = float(columns[place])  # SQLite stores 5.0 as 5
            copy = self._copy_batch if table == "batches" else self._copy_reject
            copy(tuple(columns))

    def _copy_bodies(self) -> None:
        """Copy the records that SQLite could not find."""
        for _, number, values in leaves.rows(self._pages, self._is_body):
            row = (number, *values[1:])
            if not _is_intact(row):
                continue
            if number in self._missing:
                if self._insert("bodies", row):
                    self._missing.discard(number)
            else:
                self._keep_stray(number, row)

    def _is_body(self, kind: int, columns: int, number: int) -> bool:
        if (kind, columns) != (leaves.TABLE, _BODY_COLUMNS):
            return False
        return number in self._missing or not (number in self._needed or number in self._strays)

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
        except (sqlite3.Error, OverflowError) as error:
            if isinstance(error, sqlite3.Error) and not schema.is_damage(error):
                raise
            return False
        self._inserted += 1
        if self._inserted % _ROWS_BETWEEN_COMMITS == 0:
            self._new.execute("COMMIT")
            self._new.execute("BEGIN IMMEDIATE")
        return True


# SQLite's own types; a damaged row may have any of them in any column.
_Row = tuple[Any, ...]

_FIRST_COLUMNS = {"sources": 3, "cursors": 9, "rejects": 7, "batches": 10}
"""How many columns rows of the first form have, which have no checksums; without those of rejects'
numbers."""

_INTEGERS: dict[str, Sequence[int]] = {
    "sources": (2,),
    "cursors": range(1, 9),
    "rejects": (5,),
    "batches": (0, 4, 5, 6, 8),
}
"""Which of them are numbers."""

_ADDED: dict[str, _Row] = {"cursors": ("", 0), "rejects": (None, 1, 0)}
"""What they lacked, besides the checksum."""

_NEWEST = {"sources": 2, "cursors": -1}
"""The column that grows with each version of a row."""

_Tables = Mapping[tuple[int, int], str]
"""The table of a row, by its kind of page and how many columns it has."""

_TABLES: _Tables = {
    (leaves.INDEX, 4): "sources",
    (leaves.INDEX, 12): "cursors",
    (leaves.TABLE, 12): "rejects",
    (leaves.TABLE, 11): "batches",
}
_FIRST_TABLES: _Tables = {
    (leaves.INDEX, 3): "sources",
    (leaves.INDEX, 9): "cursors",
    (leaves.TABLE, 8): "rejects",
    (leaves.TABLE, 10): "batches",
}
"""The same in the first form."""

_BODY_COLUMNS = 4

_TIMES = {"batches": (7, 9), "rejects": (5,)}
"""Their columns of type REAL."""


def _of_first_form(table: str, row: _Row) -> _Row | None:
    """Return the values of a row in the newest form, if they have the types they should have."""
    if not all(isinstance(row[place], int) for place in _INTEGERS[table]):
        return None
    if table == "batches" and not isinstance(row[9], float | None):
        return None  # SQLite lets it be anything
    return (*row, *_ADDED.get(table, ()))


def _is_intact(body: _Row) -> bool:
    return isinstance(body[3], bytes) and zlib.crc32(body[3]) == body[2]


def _ranges(numbers: Iterable[int]) -> Iterator[str]:
    """Yield runs of numbers as people write them: 3, 5-9."""
    for _, run in groupby(enumerate(numbers), lambda place: place[1] - place[0]):
        first, *others = [number for _, number in run]
        yield f"{first}-{others[-1]}" if others else f"{first}"
