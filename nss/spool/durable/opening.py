"""Opens the spool's file: one process at a time, repaired if need be, in the newest form."""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from nss.files.private import MODE
from nss.spool import At, SpoolError
from nss.spool.durable import events, ledger, schema, suspicion
from nss.spool.durable.checking import find_damage, read_through
from nss.spool.durable.files import open_lock
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.salvage import finish_salvage, replace_damaged, report_salvages
from nss.spool.durable.store import Store
from nss.wording import error_text

OPINIONS = 5
"""How often a file is looked at before damage is believed, each time after a longer pause."""

_MAGIC = b"SQLite format 3\0"


def open_file(store: Store, at: At, again_secs: float) -> IO[bytes]:
    """Open the file of a store, or make it; return its lock. Raises `SpoolError`.

    A file that can't be used is looked at again, first after `again_secs`.
    """
    path = store.path
    with ExitStack() as stack:
        lock = stack.enter_context(_lock(path))
        try:
            store.reserve.spend_if_needed()
            finish_salvage(path)
            noted = ledger.read(path)
            if not suspicion.is_confirmed(path) and _is_open(store, at, noted, again_secs):
                suspicion.found_whole(path)
            else:
                read_through(path)
                store.reserve.spend()  # the new file needs the space
                replace_damaged(path, noted)
                if (reason := _load(store, at, noted)) is not None:
                    raise _unusable(path, f"it is damaged, and so is what was saved: {reason}")
                suspicion.forget(path)
            report_salvages(store.connection, path)
        except (sqlite3.Error, OSError) as error:
            reason = error_text(error) if isinstance(error, OSError) else str(error)
            raise _unusable(path, reason) from error
        store.ledger.open()
        with suppress(OSError):
            store.reserve.restore()
        events.report_missing(str(path), store.missing)
        stack.pop_all()  # all is well: the lock stays
        return lock


def _is_open(store: Store, at: At, noted: LedgerEntry | None, again_secs: float) -> bool:
    """Have the store load its file; return False for one that stays damaged.

    Raises `sqlite3.Error` for one that stays unreadable, and `SpoolError`.
    """
    path, trouble = store.path, None
    for pause_secs in _pauses(again_secs):
        try:
            reason = find_damage(path, noted, thorough=suspicion.is_suspect(path))
            reason = _load(store, at, noted) if reason is None else reason
            trouble = None
        except sqlite3.Error as error:
            if not schema.is_read_error(error):
                raise
            reason, trouble = str(error), error
        if reason is None:
            return True
        events.looked_damaged(str(path), reason)
        time.sleep(pause_secs)
    if trouble is not None:
        raise trouble
    return False


def _pauses(again_secs: float) -> Iterator[float]:
    """Yield how long to wait after each look that found damage."""
    yield from (again_secs * 2**number for number in range(OPINIONS - 1))
    yield 0.0


def _load(store: Store, at: At, noted: LedgerEntry | None) -> str | None:
    """Bring the file to its newest form and have the store load it; return what is damaged.

    Other users can't read the file.
    """
    path = store.path
    if not path.exists():
        path.touch(mode=MODE)
    try:
        connection = schema.connect(path)
        try:
            if schema.check_form(connection, path) < len(schema.MIGRATIONS):
                # It would be the ledger of another form, if this process were killed behind it.
                ledger.ledger_path(path).unlink(missing_ok=True)
            schema.migrate(connection, path, at)
            store.load(connection, noted)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        if not schema.is_damage(error):
            raise
        return str(error)
    return None


def _lock(path: Path) -> IO[bytes]:
    """Lock the file for this process; SQLite would let a second writer in."""
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        if not lock_path.exists():
            _check_foreign(path)
        lock = open_lock(lock_path)
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


def _unusable(path: Path, reason: str) -> SpoolError:
    return SpoolError(
        f"spool: can't be opened: {reason} ({path})",
        tip="see that its folder is there, writable for this user and has space",
    )
