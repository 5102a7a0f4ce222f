"""A salvage's copies of files that are damaged as a test wants it."""

import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from nss.spool.durable import leaves, schema
from nss.spool.durable.copying import Copier
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.pages import Pages

Row = tuple[Any, ...]
Tables = dict[str, list[Row]]
Fill = Callable[..., None]
Copy = Callable[..., Tables]

NEWEST = LedgerEntry(form=2)


def body(number: int, data: bytes = b"a\n") -> Row:
    return (number, 0, zlib.crc32(data), data)


def batch(number: int, of: int | None = None, passed_at: float | None = None) -> Row:
    """Return a row of a batch, with the records of another if it is a replay of that."""
    return (number, "web", "c", "", 10 + number, 2, 2, 5.0, of or number, passed_at)


def source(name: str, position: str | None = "at 1", accepted: int = 3) -> Row:
    return (name, position, accepted)


def cursor(feed: str, passed: int = 1, written: int = 1) -> Row:
    return (feed, passed, 3, 1, 0, 0, 0, 0, 0, '["web"]', written)


def reject(number: int, of: int | None = None) -> Row:
    return (number, "mcas", "web", "c", "bad", 4.0, 1, b"x", of, 1, 2)


def summed(table: str, *rows: Row) -> list[Row]:
    """Return rows with their checksums."""
    first = 1 if table == "rejects" else 0
    return [(*row, schema.row_crc32(table, *row[first:])) for row in rows]


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - of tests


def tables_of(connection: sqlite3.Connection) -> Tables:
    names = ("bodies", "batches", "sources", "cursors", "rejects", "damaged", "salvages")
    return {
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608
        for name in names
    }


class Old:
    """A damaged file, as SQLite has it: it fails in some tables, or where some rows are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self.lost: set[str] = set()
        """Tables that can't be read at all."""
        self.holes: dict[str, tuple[int, ...]] = {}
        """The numbers of rows that can't be read, by table."""
        self.lost_bodies: set[int] = set()
        self.scans: dict[str, Callable[[Iterator[Row]], Iterator[Row]]] = {}
        """What becomes of the rows that are found in a table."""
        self.asked: list[tuple[str, Row]] = []

    def execute(self, query: str, values: Row = ()) -> Iterator[Row]:
        self.asked.append((query, values))
        table = query.partition(" FROM ")[2].partition(" ")[0]
        is_scan = "BETWEEN" in query
        if table in self.lost:
            raise sqlite3.DatabaseError
        if is_scan and any(values[0] <= hole <= values[1] for hole in self.holes.get(table, ())):
            raise sqlite3.DatabaseError
        if "WHERE body = ?" in query and values[0] in self.lost_bodies:
            raise sqlite3.DatabaseError
        if self._connection is None:
            self._connection = schema.connect_reader(self._path)
        found = self._connection.execute(query, values)
        return self.scans[table](found) if is_scan and table in self.scans else found

    def asked_for(self, what: str) -> list[Row]:
        """Return the values of the queries that had this in them."""
        return [values for query, values in self.asked if what in query]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@pytest.fixture
def fill(path: Path) -> Fill:
    """Return what writes the old file, of a form."""

    def of(form: int = 2, **tables: Sequence[Row]) -> None:
        with closing(schema.connect(path)) as connection:
            schema.migrate(connection, path, lambda _point: None, schema.MIGRATIONS[:form])
            for table, rows in tables.items():
                insert(connection, table, rows)

    return of


@pytest.fixture
def old(path: Path) -> Iterator[Old]:
    """Return the old file as SQLite has it."""
    made = Old(path)
    yield made
    made.close()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(schema.connect(tmp_path / "new")) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        schema.migrate(connection, tmp_path / "new", lambda _point: None)
        yield connection


@pytest.fixture
def copy(path: Path, old: Old, new: sqlite3.Connection) -> Copy:
    """Return what copies the old file, and says what the new one has then."""

    def run(ledger: LedgerEntry | None = NEWEST) -> Tables:
        with Pages(path) as pages:
            Copier(cast("sqlite3.Connection", old), new, pages, ledger).run()
        return tables_of(new)

    return run


@pytest.fixture
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no row be found on pages."""
    monkeypatch.setattr(leaves, "rows", lambda *_: iter(()))


def lost(tables: Tables) -> str:
    (row,) = tables["salvages"]
    return str(row[3])


def sequence_of(connection: sqlite3.Connection) -> list[tuple[int]]:
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
    return connection.execute(query).fetchall()
