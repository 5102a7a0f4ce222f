"""Who changed or tested which setting, with which outcome: one JSON object a line.

    {"at": "2026-11-24T03:35:04Z", "who": "alice", "uid": 0, "action": "configure-mcas2",
     "outcome": "failed", "reason": "the Client Secret is not the right one (AADSTS7000215)"}

Further facts follow under their names. A secret is never among them.
"""

import fcntl
import os
import pwd
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from logging import WARNING
from pathlib import Path
from typing import BinaryIO

import orjson

from formats.dataclass import dataclass
from nss.files.beneath import Folder, open_folder
from nss.files.set_aside import set_aside
from nss.telemetry.counters import Counter
from nss.telemetry.events import event
from nss.wording import error_text

MAX_BYTES = 10 << 20
"""From this size on the file is set aside as `.1`, the one before as `.2` and so on."""

KEPT = 5

_MODE = 0o640
_ATTEMPTS = 50
_PAUSE_SECS = 0.001

Fact = str | int | float | bool | None


@dataclass(slots=True)
class _Act:
    """What somebody does now; an act that is over names nobody any more."""

    person: str
    is_over: bool = False


_act: ContextVar[_Act | None] = ContextVar("audit_act", default=None)


@contextmanager
def acting_as(person: str) -> Iterator[None]:
    """Have audit logs name `person` for what is done inside, also in tasks and threads of it.

    Threads are those of `asyncio.to_thread` and `off_loop`. What outlives the block, such as a
    feed that a reload has started, is the service's own again.
    """
    act = _Act(person)
    before = _act.set(act)
    try:
        yield
    finally:
        act.is_over = True
        _act.reset(before)


def person_at_work(environ: Mapping[str, str] = os.environ) -> str:
    """Return who does what is done now: see `acting_as`; with sudo, its caller."""
    act = _act.get()
    if act is not None and not act.is_over:
        return act.person
    name = environ.get("SUDO_USER")
    if name and os.geteuid() == 0:
        return name
    return user_name(os.getuid())


def user_name(number: int) -> str:
    """Return the name of a user of this machine, the number of one without."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


class AuditLog:
    """Appends to `path`; a failure to write is reported in the ordinary log.

    Several processes may append to one file. `now` gives seconds since the epoch. A file that root
    makes belongs to the folder's owner, who leads root nowhere else with it (see
    `nss.files.beneath`). `max_bytes` is the size from which it is set aside.
    """

    def __init__(
        self,
        path: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = path
        self._environ = environ
        self._now = now
        self._max_bytes = max_bytes

    def write(self, action: str, outcome: str, reason: str = "", **facts: Fact) -> None:
        """Record what somebody, or the service itself, did, and the outcome. Never raises."""
        entry = {
            "at": datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "who": person_at_work(self._environ),
            "uid": os.getuid(),
            "action": action,
            "outcome": outcome,
            "reason": reason,
        }
        found = {name: value for name, value in facts.items() if value is not None}
        try:
            self._append(_line(entry | found | entry))
        except OSError as error:
            _unwritable(str(self.path), error_text(error))

    def _append(self, line: bytes) -> None:
        with open_folder(self.path.parent) as folder:
            for _ in range(_ATTEMPTS):
                # `FileNotFoundError`: another process has just set it aside.
                with suppress(FileNotFoundError):
                    if self._is_appended(folder, line):
                        return
        raise OSError("it is set aside again and again")

    def _is_appended(self, folder: Folder, line: bytes) -> bool:
        """Append a line; `False` when the file was or had to be set aside: try the new file."""
        name = self.path.name
        number = folder.open_or_make(name, os.O_RDWR | os.O_APPEND, _MODE)
        with open(number, "ab", buffering=0) as file:  # noqa: PTH123 - a descriptor
            if not _lock(file):  # whole lines are appended all the same
                _write(file, line)
                return True
            status = os.fstat(number)
            if not os.path.samestat(status, folder.status(name)):
                return False
            if status.st_size >= self._max_bytes:
                at = folder.number
                rename = partial(os.rename, src_dir_fd=at, dst_dir_fd=at)
                set_aside(name, KEPT, rename, folder=at)
                return False
            _write(file, line if _ends_whole(file, status.st_size) else b"\n" + line)
        return True


def _lock(file: BinaryIO) -> bool:
    """Keep other writers out until the file is closed; return whether the lock was had."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECS)
        else:
            return True
    return False


def _ends_whole(file: BinaryIO, size_bytes: int) -> bool:
    """Return whether the last line is whole: after a full disk it may not be."""
    return size_bytes == 0 or os.pread(file.fileno(), 1, size_bytes - 1) == b"\n"


def _write(file: BinaryIO, line: bytes) -> None:
    if file.write(line) != len(line):
        raise OSError("only a part of the line was written")


def _line(entry: Mapping[str, object]) -> bytes:
    option = orjson.OPT_APPEND_NEWLINE
    try:
        return orjson.dumps(entry, default=str, option=option)
    except TypeError:
        return orjson.dumps({name: _plain(value) for name, value in entry.items()}, option=option)


def _plain(value: object) -> object:
    """Return a value that JSON has; the others of its entry stay what they are."""
    try:
        orjson.dumps(value, default=str)
    except TypeError:  # a path that is not UTF-8, a number beyond 64 bits
        return str(value).encode("utf-8", "backslashreplace").decode()
    return value


@event(WARNING, Counter.AUDIT_FAILURES, name="audit_unwritable", component="audit")
def _unwritable(path: str, why: str) -> None:
    """The audit log can't be written."""
