"""A lock that says who holds it.

It is a record lock of fcntl(2): it ends with its process, however that ended, and the kernel names
the holder, so that no number in a file can point at a stranger.
"""

import contextlib
import fcntl
import os
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nss import foreign
from nss.errors import ServiceError
from nss.files.beneath import open_file, open_folder
from nss.files.private import FileFault, read_bounded
from nss.wording import error_text

_FLOCK = "hhqqi4x"
"""`struct flock` of 64-bit Linux: type, whence, start, length, pid."""

_MAX_BYTES = 64 * 1024
_MODE = 0o600


class Note(msgspec.Struct, frozen=True):
    """Facts that the holder leaves in the file for others."""

    config: str
    """The path of the configuration file."""
    service_pid: int | None = None
    """The process of the service itself, while there is one."""
    exit_code: int | None = None
    """How the service ended last, until it is started again."""
    ended_at: float | None = None
    """When, in seconds since the epoch."""


class Lock:
    """The lock file at `path`.

    Root asks who holds it, and signals the holder, in a folder that the service's user owns: a file
    that leads elsewhere, or a holder that is not this user's process, is refused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Hold the lock until this process ends; returns whether it was free.

        Raises `ServiceError` when there can't be such a file.
        """
        try:
            with open_folder(self.path.parent) as folder:
                descriptor = folder.open_or_make(self.path.name, os.O_RDWR, _MODE)
        except OSError as error:
            raise ServiceError(
                f"start: no lock: {error_text(error)} ({self.path})",
                tip="run the command with sudo",
            ) from None
        try:
            os.fchmod(descriptor, _MODE)  # earlier versions let the group read it
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

        Raises `ServiceError` when this user may not know, and for a holder that is not a process of
        the file's owner.
        """
        with self._opened() as descriptor:
            return None if descriptor is None else self._holder_of(descriptor)

    def signal_holder(self, number: signal.Signals) -> int | None:
        """Send a signal to the process that holds the lock, and return it; `None` if none does.

        Raises `ServiceError` as `holder` does, and `PermissionError`.
        """
        with self._opened() as descriptor, contextlib.suppress(ProcessLookupError):
            pid = None if descriptor is None else self._holder_of(descriptor)
            if descriptor is None or pid is None:
                return None
            process = os.pidfd_open(pid)  # what has this number from here on may be another
            try:
                if self._holder_of(descriptor) == pid:
                    signal.pidfd_send_signal(process, number)
                    return pid
            finally:
                os.close(process)
        return None

    def read(self) -> Note | None:
        """Return what the present or last holder left in the file."""
        try:
            return foreign.decode(read_bounded(self.path, _MAX_BYTES), Note)
        except (OSError, FileFault, msgspec.DecodeError):
            return None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Yield the file's descriptor, `None` if there is no file."""
        try:
            descriptor = open_file(self.path)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise self._unreadable(error_text(error)) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _holder_of(self, descriptor: int) -> int | None:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
        except OSError as error:
            raise self._unreadable(error_text(error)) from None
        kind, _, _, _, found = struct.unpack(_FLOCK, answer)
        pid = int(found)
        if kind == fcntl.F_UNLCK:
            return None
        # A lock of an open file, which belongs to no process, has -1: a signal to that goes to all.
        facts = process_facts(pid) if pid > 0 else None
        if pid > 0 and facts is None:
            return None  # it has just ended
        if facts is None or facts.user != os.fstat(descriptor).st_uid:
            raise ServiceError(
                f"the lock is held by something else than the service (pid {pid}, {self.path})",
                tip=f"find out what it is: ps -fp {pid}; ls -l {self.path}",
            )
        return pid

    def _unreadable(self, reason: str) -> ServiceError:
        return ServiceError(
            f"the lock can't be read: {reason} ({self.path})", tip="run the command with sudo"
        )


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What the kernel says of a process."""

    parent: int
    user: int
    """Its real user."""


def process_facts(pid: int) -> ProcessFacts | None:
    """Return the facts of a process, `None` when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = dict(line.partition(":\t")[::2] for line in lines)
    return ProcessFacts(int(found["PPid"]), int(found["Uid"].split()[0]))
