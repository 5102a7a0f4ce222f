"""Whether a spool's file is damaged: found out at the start, and believed only when it stays so.

One failed read of the disk looks to SQLite like a damaged file. So whoever finds damage looks again
with a new connection, several times (`nss.spool.durable.opening`), before anything is done.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from nss.spool.durable import schema
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.pages import has_commits, has_log

CHECKED_TABLES = ("batches", "cursors", "sources", "rejects", "damaged", "sqlite_sequence")
"""Checked at the start. The blobs have checksums of their own and are checked when read, so that a
large backlog does not delay the start."""

MAX_SEQUENCE = 1 << 62

_LAST_VERSION = 2
"""The last version of the file's format that SQLite writes and reads, at offsets 18 and 19."""

_READ_BYTES = 64 << 10

_ONLY_LOG = "only its write-ahead log is there"


def find_damage(path: Path, ledger: LedgerEntry | None, *, thorough: bool) -> str | None:
    """Return what is wrong with a file that a salvage may help, `None` if nothing is.

    `thorough` also checks blobs and free pages, which takes long. Raises `SpoolError` for a file
    that is not to be touched, and `sqlite3.Error` when it can't be read at all now.
    """
    if not path.exists() or not path.stat().st_size:
        return _ONLY_LOG if has_commits(path) else None
    with path.open("rb") as file:
        if max(file.read(20)[18:], default=0) > _LAST_VERSION:
            return "its header is damaged"  # SQLite would read it, and never write it
    try:
        with closing(schema.connect_reader(path)) as connection:
            return _damage(connection, path, ledger, thorough=thorough)
    except sqlite3.Error as error:
        if not schema.is_damage(error):
            raise
        return str(error)
    except (UnicodeError, TypeError, ValueError, OverflowError) as error:
        return f"it contradicts itself: {error}"  # of a damaged file SQLite returns anything


def read_through(path: Path) -> None:
    """Read a spool's files from end to end, past SQLite.

    Raises OSError if the disk gives less than half of them: then it is the disk that is broken, and
    not the file. A few bad sectors are for the salvage.
    """
    failure, failed, total = None, 0, 0
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError), path.with_name(path.name + suffix).open("rb") as file:
            for offset in range(0, os.fstat(file.fileno()).st_size, _READ_BYTES):
                total += 1
                try:
                    os.pread(file.fileno(), _READ_BYTES, offset)
                except OSError as error:
                    failure, failed = error, failed + 1
    if failure is not None and failed * 2 > total:
        raise failure


def last_sequence(connection: sqlite3.Connection) -> int:
    """Return the number of the last batch that a file knows of."""
    (last,) = connection.execute(
        "SELECT max((SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'batches'),"
        "(SELECT coalesce(max(sequence), 0) FROM batches),"
        "(SELECT coalesce(max(passed), 0) FROM cursors))"
    ).fetchone()
    return int(last)


def is_behind(connection: sqlite3.Connection, ledger: LedgerEntry | None) -> bool:
    """Return whether the ledger knows of commits that a file in the newest form lacks."""
    if ledger is None or ledger.form != len(schema.MIGRATIONS):
        return False
    written = dict(connection.execute("SELECT feed, written FROM cursors").fetchall())
    return ledger.is_newer(last_sequence(connection), written)


def _damage(
    connection: sqlite3.Connection, path: Path, ledger: LedgerEntry | None, *, thorough: bool
) -> str | None:
    declared = schema.declarations_of(connection)
    form = schema.form_of(declared)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if form is None or (version > form and (ledger is None or ledger.form > form)):
        # Raises for what another program or a newer version made.
        version = schema.check_form(connection, path)
        if declared or version:
            return "its tables are not as they were made"
        return _ONLY_LOG if has_commits(path) else None
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if (version, application) != (form, schema.APPLICATION_ID):
        return "its header is damaged"
    return (
        _broken_pages(connection, form, thorough=thorough)
        or _broken_rows(connection, form)
        or _missing_commits(connection, path, ledger)
    )


def _broken_pages(connection: sqlite3.Connection, form: int, *, thorough: bool) -> str | None:
    if thorough:
        checks = ["PRAGMA integrity_check(1)"]
    else:
        tables = CHECKED_TABLES if form == 1 else (*CHECKED_TABLES, "salvages")
        checks = [f"PRAGMA quick_check({table})" for table in tables]
    for check in checks:
        (result,) = connection.execute(check).fetchone()
        if result != "ok":
            return str(result).replace("\n", " ")
    for name, number in connection.execute("SELECT name, seq FROM sqlite_sequence"):
        if not isinstance(number, int) or not 0 <= number < MAX_SEQUENCE:
            return f"the last number of {name} makes no sense"
    return None


def _broken_rows(connection: sqlite3.Connection, form: int) -> str | None:
    if form == 1:
        return None  # it has no checksums yet
    for table in schema.CHECKED_ROWS:
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant
            if row[-1] != schema.row_crc32(table, *row[:-1]):
                return f"a row of {table} is not as it was written"
    return None


def _missing_commits(
    connection: sqlite3.Connection, path: Path, ledger: LedgerEntry | None
) -> str | None:
    """Return what is missing, if it may still be in the write-ahead log."""
    if is_behind(connection, ledger) and has_log(path):
        return "its last commits can't be read from its write-ahead log"
    return None
