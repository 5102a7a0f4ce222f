"""A lock that says who holds it.

It is a record lock of fcntl(2): it ends with its process, however that ended, and the kernel names
the holder, so that no number in a file can point at a stranger.
"""

import fcntl
import os
import struct
from pathlib import Path

import msgspec

from nss.errors import ServiceError
from nss.wording import error_text

_FLOCK = "hhqqi4x"
"""`struct flock` of 64-bit Linux: type, whence, start, length, pid."""

_MAX_BYTES = 64 * 1024


class Note(msgspec.Struct, frozen=True):
    """Facts that the holder leaves in the file for others."""

    config: str
    """The path of the configuration file."""
    service_pid: int | None = None
    """The process of the service itself, while there is one."""
    exit_code: int | None = None
    """How the service ended, once it has for good."""


class Lock:
    """The lock file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Hold the lock until this process ends; returns whether it was free.

        Raises `ServiceError` when there can't be such a file.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o640)
        except OSError as error:
            raise ServiceError(
                f"start: no lock: {error_text(error)} ({self.path})",
                tip="run the command with sudo",
            ) from None
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def note(self, note: Note) -> None:
        """Replace what is in the file; only its holder may."""
        if self._descriptor is not None:
            data = msgspec.json.encode(note)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, data, 0)

    def holder(self) -> int | None:
        """Return the process that holds the lock, `None` if none does; never ask as its holder.

        Raises `ServiceError` when this user may not know.
        """
        try:
            with self.path.open("rb") as file:
                asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
                answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ServiceError(
                f"the lock can't be read: {error_text(error)} ({self.path})",
                tip="run the command with sudo",
            ) from None
        kind, _, _, _, pid = struct.unpack(_FLOCK, answer)
        return None if kind == fcntl.F_UNLCK else int(pid)

    def read(self) -> Note | None:
        """Return what the present or last holder left in the file."""
        try:
            with self.path.open("rb") as file:
                return msgspec.json.decode(file.read(_MAX_BYTES), type=Note)
        except (OSError, msgspec.DecodeError):
            return None
