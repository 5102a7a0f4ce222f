"""Opens the spool's file: one process at a time, repaired if need be, in the newest form."""

import fcntl
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO

from nss.spool import SpoolError
from nss.spool.durable import schema
from nss.spool.durable.salvage import finish_salvage, replace_damaged
from nss.spool.durable.schema import At
from nss.spool.durable.store import Store
from nss.wording import error_text

CHECKED_TABLES = ("batches", "cursors", "sources", "rejects", "damaged", "sqlite_sequence")
"""Checked at the start. The blobs have checksums of their own and are checked when read, so that a
large backlog does not delay the start."""

_MAGIC = b"SQLite format 3\0"


def open_file(store: Store, at: At) -> IO[bytes]:
    """Open the file of a store, or make it; return its lock. Raises `SpoolError`."""
    path = store.path
    with ExitStack() as stack:
        lock = stack.enter_context(_lock(path))
        try:
            finish_salvage(path)
            whole = _is_whole(path) and _load(store, at)
            if not whole:
                replace_damaged(path)
                whole = _load(store, at)
            schema.suspect_mark(path).unlink(missing_ok=True)
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, str(error)) from error
        if not whole:
            raise _unusable(path, "it is damaged, and so is what was saved of it")
        stack.pop_all()  # all is well: the lock stays
        return lock


def _lock(path: Path) -> IO[bytes]:
    """Lock the file for this process; SQLite would let a second writer in."""
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        if not lock_path.exists():
            _check_foreign(path)
        lock = lock_path.open("ab")
    except OSError as error:
        raise _unusable(path, error_text(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SpoolError(
            f"spool: another process uses the file ({path})",
            tip="stop the other nss, or give this one a path of its own in [spool]",
        ) from None
    return lock


def _check_foreign(path: Path) -> None:
    """Refuse a file that never was a spool: it must not be set aside as damaged."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start and start != _MAGIC:
        raise SpoolError(
            f"spool: the file is something else ({path})",
            tip="name another file as path in [spool]",
        )


def _is_whole(path: Path) -> bool:
    """Return whether the tables that everything depends on are intact.

    Raises `SpoolError` for a file that is not to be touched.
    """
    if not path.exists():
        return True
    is_suspect = schema.suspect_mark(path).exists()
    if not path.stat().st_size:
        log = path.with_name(f"{path.name}-wal")
        return not is_suspect and (not log.exists() or not log.stat().st_size)
    try:
        with closing(schema.connect_reader(path)) as connection:
            form = schema.check_form(connection, path)  # a newer form is not ours to repair
            if is_suspect:
                return False
            if not form:
                return True
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            return found.issuperset(CHECKED_TABLES) and all(
                connection.execute(f"PRAGMA quick_check({table})").fetchone() == ("ok",)
                for table in CHECKED_TABLES
            )
    except sqlite3.Error as error:
        if not schema.is_damage(error):
            raise
        return False


def _load(store: Store, at: At) -> bool:
    """Bring the file to its newest form and have the store load it; return False if damaged.

    Other users can't read the file.
    """
    path = store.path
    if not path.exists():
        path.touch(mode=0o600)
    try:
        connection = schema.connect(path)
        try:
            schema.migrate(connection, path, at)
            store.load(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        if not schema.is_damage(error):
            raise
        return False
    return True


def _unusable(path: Path, reason: str) -> SpoolError:
    return SpoolError(
        f"spool: can't be opened: {reason} ({path})",
        tip="see that its folder is there, writable for this user and has space",
    )
