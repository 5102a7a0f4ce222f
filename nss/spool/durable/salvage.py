"""Saves what is readable out of a damaged spool file into a new one.

The new file is written as `NAME.salvaging` and called `NAME.salvaged` once it is complete; then
the damaged file is moved to `NAME.damaged-TIME`, for people to look at, and the new file takes its
place. If the process is killed anywhere, the next start begins again or finishes. What was lost is
written into the new file, and so is reported whatever happens in between.
"""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from nss.files.private import MODE, sync_folder
from nss.spool.durable import checking, events, reassembling, schema
from nss.spool.durable.copying import Copier
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.pages import Pages, has_log

_SUFFIXES = ("", "-wal", "-shm")


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
            form = ledger.form if ledger and ledger.form else len(schema.MIGRATIONS)
            reassembling.reassemble(path, copy, form)
            source = copy
        with closing(_connect_new(new_path)) as new:
            schema.migrate(new, new_path, lambda _point: None)
            with Pages(path) as pages, closing(schema.connect_reader(source)) as old:
                Copier(old, new, pages, ledger).run()
        new_path.rename(complete_path(path))
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
    complete = complete_path(path)
    if complete.is_symlink() or not complete.is_file():
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


def complete_path(path: Path) -> Path:
    """Return where a complete new file is before it gets its place; the next start does that."""
    return path.with_name(f"{path.name}.salvaged")


def _needs_reassembling(path: Path, ledger: LedgerEntry | None) -> bool:
    """Return whether SQLite alone does not see all that the files have."""
    if not path.exists() or not path.stat().st_size:
        return True
    try:
        with closing(schema.connect_reader(path)) as connection:
            if schema.form_of(schema.declarations_of(connection)) is None:
                return True
            return checking.is_behind(connection, ledger) and has_log(path)
    except (sqlite3.Error, UnicodeError, TypeError, ValueError):
        return True
