"""Opens the spool's file: one process at a time, whole or mended, in the newest form."""

import fcntl
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nss.spool import SpoolError, schema
from nss.spool.salvage import salvage
from nss.spool.schema import At
from nss.spool.store import Store

CHECKED_TABLES = ("batches", "cursors", "sources", "rejects", "damaged")
"""Checked at the start; the blobs have checksums of their own and are checked when read, so that
a large backlog does not hold up the start."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open and locked."""

    path: Path
    store: Store
    lock: IO[bytes]


def open_file(store: Store, at: At) -> Opened:
    """Open the file of a store, or make it. Raises `SpoolError`."""
    path = store.path
    lock = _lock(path)
    try:
        if not _is_whole(path):
            salvage(path)
        connection = _connect(path)
        try:
            schema.migrate(connection, path, at)
            store.load(connection)
        except BaseException:
            connection.close()
            raise
        with suppress(FileNotFoundError):
            schema.suspect_mark(path).unlink()
    except sqlite3.Error as error:
        lock.close()
        raise _unusable(path, str(error)) from error
    except BaseException:
        lock.close()
        raise
    return Opened(path, store, lock)


def _lock(path: Path) -> IO[bytes]:
    """Take the file for this process alone; SQLite would let a second writer in."""
    try:
        lock = path.with_name(f"{path.name}.lock").open("ab")
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SpoolError(
            f"spool: another process uses the file ({path})",
            tip="stop the other nss, or give this one a path of its own in [spool]",
        ) from None
    return lock


def _is_whole(path: Path) -> bool:
    """Return whether the tables that everything depends on are sound."""
    if not path.exists() or not path.stat().st_size:
        return True
    if schema.suspect_mark(path).exists():
        return False
    try:
        connection = _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        return False
    try:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        return all(
            connection.execute(f"PRAGMA quick_check({table})").fetchone() == ("ok",)
            for table in CHECKED_TABLES
            if table in known
        )
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        return False
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    """Return a connection; the file is for nobody else to read."""
    if not path.exists():
        path.touch(mode=0o600)
    return schema.connect(path)


def _unusable(path: Path, why: str) -> SpoolError:
    return SpoolError(
        f"spool: can't be opened: {why} ({path})",
        tip="see that its folder is there, writable for this user and has space",
    )
