"""A spool's file read from outside, whether a service has it open or not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from nss.errors import InputMissing


@dataclass(frozen=True, slots=True)
class Contents:
    """Sizes and counts; no record."""

    files: dict[str, int]
    """Bytes of the spool's file and of those beside it, by name."""
    rows: dict[str, int]
    """Rows of every table."""
    form: int
    """How many migrations the file has seen."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Records since the spool was made."""

    accepted: int
    delivered: int
    """Of all feeds."""


def read_contents(path: Path) -> Contents:
    """Return what a spool holds; every row is counted, which may take long."""
    files = {file.name: file.stat().st_size for file in path.parent.glob(f"{path.name}*")}
    with _opened(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        rows = {
            name: _number(connection, f"SELECT count(*) FROM {_quoted(name)}")  # noqa: S608 - quoted
            for (name,) in tables.fetchall()
        }
        return Contents(files, rows, _number(connection, "PRAGMA user_version"))


def read_form(path: Path) -> int:
    """Return how many migrations a spool has seen."""
    with _opened(path) as connection:
        return _number(connection, "PRAGMA user_version")


def read_totals(path: Path) -> Totals:
    """Return how many records a spool has accepted and its feeds have delivered."""
    with _opened(path) as connection:
        return Totals(
            _number(connection, "SELECT sum(accepted) FROM sources"),
            _number(connection, "SELECT sum(delivered) FROM cursors"),
        )


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads. Raises `InputMissing` for what SQLite refuses.

    Without a write-ahead log nobody has the file open, and SQLite would make one to read it: owned
    by root, when root looks, and the service could not open its spool any more.
    """
    path = path.resolve()  # SQLite's other files are there
    wal = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if wal.exists() else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection
    except sqlite3.Error as error:
        raise InputMissing(f"spool: can't be read: {error} ({path})") from None


def _quoted(name: str) -> str:
    """Return the name of a table as SQL has it; in a file that somebody made it may be anything."""
    return '"' + name.replace('"', '""') + '"'


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0] or 0)
