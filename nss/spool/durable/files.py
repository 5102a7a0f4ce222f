"""Notices that somebody removed the spool's files while they are in use, and writes them again.

A process keeps a file that it has open, also when the file is in no folder any more: everything
seems well until the next start, which finds nothing. What is open can be copied back, though.
"""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import IO

from nss.files.private import MODE, sync_folder
from nss.spool.durable import events, schema
from nss.spool.durable.salvage import complete_path
from nss.spool.durable.store import Store
from nss.wording import error_text

_Identity = tuple[int, int] | None
"""Device and inode."""


class Files:
    """The files of an open store. For the thread that writes, outside of transactions."""

    def __init__(self, store: Store) -> None:
        self.problem: str | None = None
        """Why nothing may be accepted, as half a sentence: it would be lost at the next start."""
        self._store = store
        self._path = store.path
        self._is_open = True
        """Whether the store's connection is: a new one may fail for a moment."""
        self._log = self._path.with_name(f"{self._path.name}-wal")
        self._lock_path = self._path.with_name(f"{self._path.name}.lock")
        self._lock: IO[bytes] | None = None
        self._in_use: list[_Identity] = []
        """Unknown as long as it is empty."""
        self.are_in_place()

    def are_in_place(self) -> bool:
        """Return whether the files in the folder are the ones in use."""
        try:
            found = self._found()
        except OSError:
            return self.problem is None  # nobody knows
        self._in_use = self._in_use or found
        self._in_use[2] = self._in_use[2] or found[2]  # the log is made when it is first needed
        if found == self._in_use:
            self.problem = None
        return self.problem is None and found == self._in_use

    def restore(self) -> bool:
        """Put the files back, if nothing else is in their place; return whether that was done.

        Otherwise `problem` says why not.
        """
        reported = self.problem is not None
        self.problem = self._restored()
        if self.problem is None:
            events.files_restored(str(self._path))
            return True
        if not reported:
            events.files_lost(str(self._path), self.problem)
        return False

    def close(self) -> None:
        """Give back a lock that was taken again."""
        if self._lock is not None:
            self._lock.close()

    def _found(self) -> list[_Identity]:
        """Return what is in the folder now. Raises OSError."""
        return [_identity(path) for path in (self._path, self._lock_path, self._log)]

    def _restored(self) -> str | None:
        """Put the files back; return why that can't be done."""
        try:
            if not self._path.parent.is_dir():
                return "the folder of its files is gone"
            found = _identity(self._path)
            if found not in (None, self._in_use[0]):
                return "another file has taken the place of its own"
            if not self._is_locked():
                return "its files were removed, and another process uses the new ones"
            if self._is_open and found is None:
                self._write_again()
            elif self._is_open and not self._has_empty_log():
                return "its write-ahead log was removed, and a reader keeps it in use"
            self._store.connection.close()
            self._is_open = False
            self._store.use(schema.connect(self._path))
            self._is_open = True
            self._in_use = self._found()
        except (sqlite3.Error, OSError) as error:
            reason = error_text(error) if isinstance(error, OSError) else str(error)
            return f"its files were removed and can't be written again: {reason}"
        return None

    def _has_empty_log(self) -> bool:
        """Bring all that is in the log into the file; return whether that was possible."""
        statement = "PRAGMA wal_checkpoint(TRUNCATE)"
        (is_busy, *_) = self._store.connection.execute(statement).fetchone()
        return not is_busy

    def _is_locked(self) -> bool:
        """Lock the file for this process once more, if its lock was removed too."""
        if _identity(self._lock_path) == self._in_use[1]:
            return True
        lock = open_lock(self._lock_path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self.close()
        self._lock = lock
        self._in_use[1] = _identity(self._lock_path)
        return True

    def _write_again(self) -> None:
        """Write what is still open into a new file, and give it the name of the old."""
        copy = self._path.with_name(f"{self._path.name}.restoring")
        copy.unlink(missing_ok=True)
        copy.touch(mode=MODE)
        self._store.connection.execute("VACUUM INTO ?", (str(copy),))
        number = os.open(copy, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
        complete = complete_path(self._path)
        copy.rename(complete)  # from here on the next start would finish it
        with suppress(FileNotFoundError):
            self._log.unlink()  # of the file that is gone: it would be taken for the new one's
        complete.rename(self._path)
        self._in_use[0] = _identity(self._path)
        sync_folder(self._path.parent)


def open_lock(lock_path: Path) -> IO[bytes]:
    """Open the file that is locked, never what a link leads to. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(lock_path, flags, MODE), "r+b", buffering=0)


def _identity(path: Path) -> _Identity:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
