"""Space set aside for the moment when the disk is full.

Feeds that deliver make room, but SQLite must write to delete. So a file of some megabytes beside
the spool is given up when the file system is full; what that frees serves the moves of feeds and
no new batches, until there is space enough to put the file back.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nss.files.private import MODE

RESERVE_BYTES = 4 << 20

WORKING_BYTES = 2 * RESERVE_BYTES
"""With less free the reserve is not put back, and nothing is accepted."""


class Reserve:
    """The file. `free_bytes` returns what the file system of a folder has free."""

    def __init__(self, path: Path, free_bytes: Callable[[Path], int]) -> None:
        self._path = path.with_name(f"{path.name}.reserve")
        self._free_bytes = free_bytes

    @property
    def is_spent(self) -> bool:
        """Whether it has been given up, or never could be made."""
        try:
            return not self._path.exists()
        except OSError:
            return True

    def spend(self) -> bool:
        """Give it up; return whether that made space."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def spend_if_needed(self) -> None:
        """Give it up if there is not even space to open the spool."""
        if self._free_bytes(self._path.parent) < RESERVE_BYTES // 2:
            self.spend()

    def restore(self) -> bool:
        """Make it if there is space for as much again; return whether it is there."""
        if not self.is_spent:
            return True
        if self._free_bytes(self._path.parent) < WORKING_BYTES:
            return False
        try:
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
            try:
                os.posix_fallocate(number, 0, RESERVE_BYTES)
            finally:
                os.close(number)
        except OSError:
            with suppress(OSError):
                self._path.unlink()
            return False
        return True
