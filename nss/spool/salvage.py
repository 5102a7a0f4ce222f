"""Saves what is readable out of a damaged spool file into a new one.

The damaged file is kept beside it as `NAME.damaged-TIME`, for people to look at.
"""

import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nss.spool import events, schema

_SUFFIXES = ("", "-wal", "-shm")

_WHOLE_TABLES = ("sources", "cursors", "rejects", "damaged")


def salvage(path: Path) -> None:
    """Put a new file in the place of a damaged one, with all that can be read of it."""
    aside = _set_aside(path)
    path.touch(mode=0o600)
    new = schema.connect(path)
    try:
        schema.migrate(new, path, lambda _point: None)
        new.execute("BEGIN IMMEDIATE")
        saved, lost = _copy(aside, new)
        new.execute("COMMIT")
    finally:
        new.close()
    records = sum(saved.values())
    events.salvaged(str(path), str(aside), len(saved), records, list(_ranges(lost)))


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside, number = path.with_name(f"{path.name}.damaged-{stamp}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _copy(aside: Path, new: sqlite3.Connection) -> tuple[dict[int, int], list[int]]:
    """Copy what can be read; return the records of each batch saved, and the sequences lost."""
    try:
        old = sqlite3.connect(aside, isolation_level=None)
    except sqlite3.Error:
        return {}, []
    try:
        for table in _WHOLE_TABLES:
            _copy_table(old, new, table)
        first, last = _bounds(old)
        saved, lost = {}, []
        for sequence in range(first, last + 1):
            row = _row(old, "batches", "sequence", sequence)
            if row is not None:
                _insert(new, "batches", row)
                saved[sequence] = int(str(row[4]))
            body = _row(old, "bodies", "body", sequence)
            if body is not None and _is_sound(body):
                _insert(new, "bodies", body)
            elif row is not None and row[-1] == sequence:
                lost.append(sequence)
        _go_on_after(old, new, last)
        return saved, lost
    finally:
        old.close()


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    with suppress(sqlite3.Error):
        for row in old.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant
            _insert(new, table, row)


def _bounds(old: sqlite3.Connection) -> tuple[int, int]:
    """Return the first and the last sequence that may be there."""
    found: list[int] = []
    for query in (
        "SELECT min(sequence), max(sequence) FROM batches",
        "SELECT min(body), max(body) FROM bodies",
    ):
        with suppress(sqlite3.Error):
            found += (number for number in old.execute(query).fetchone() if number is not None)
    return (min(found), max(found)) if found else (1, 0)


def _go_on_after(old: sqlite3.Connection, new: sqlite3.Connection, last: int) -> None:
    """No sequence is ever used again: cursors have passed those up to theirs."""
    for connection, query in (
        (old, "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"),
        (new, "SELECT max(passed) FROM cursors"),
    ):
        with suppress(sqlite3.Error):
            row = connection.execute(query).fetchone()
            last = max(last, (row and row[0]) or 0)
    new.execute("DELETE FROM sqlite_sequence WHERE name = 'batches'")
    new.execute("INSERT INTO sqlite_sequence VALUES ('batches', ?)", (last,))


def _row(old: sqlite3.Connection, table: str, key: str, number: int) -> tuple[object, ...] | None:
    with suppress(sqlite3.Error):
        query = f"SELECT * FROM {table} WHERE {key} = ?"  # noqa: S608 - constants
        found: tuple[object, ...] | None = old.execute(query, (number,)).fetchone()
        return found
    return None


def _is_sound(body: tuple[object, ...]) -> bool:
    data = body[3]
    return isinstance(data, bytes) and zlib.crc32(data) == body[2]


def _insert(new: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    values = ", ".join("?" * len(row))
    with suppress(sqlite3.IntegrityError):  # what is not NULL here was damaged there
        new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({values})", row)  # noqa: S608 - constants


def _ranges(numbers: Iterable[int]) -> Iterator[str]:
    """Yield runs of numbers as people write them: 3, 5-9."""
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if last is not None:
            yield f"{first}" if first == last else f"{first}-{last}"
        first = last = number
    if last is not None:
        yield f"{first}" if first == last else f"{first}-{last}"
