"""What is remembered from one run to the next, in the folder `sync` of the state directory.

    state.json     how the last run went, and how many URLs the last good one had
    schedule.json  when the service runs next
    category.json  which URLs of which category this program added, or was about to add
    file.json      which file it wrote, with which URLs, and whether that was made known
    lock           held while a run is at work, whoever runs it

Ownership is written before the request that creates it is sent: a process that is killed leaves no
URL behind that nobody would ever remove. `claimed` are those of the request under way; after a kill
the next run takes those for its own that are in the category. What can't be understood is set aside
as `NAME.1`, and counts as nothing: then nothing is removed that might be somebody else's.
"""

import fcntl
import os
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from nss import foreign
from nss.files.beneath import open_folder
from nss.files.private import FileFault, read_bounded, write_private
from nss.files.set_aside import set_aside
from nss.status.sync_readings import BlockingReading, SyncRun
from nss.sync import StateUnusable, SyncUnderway, events
from nss.wording import error_text

FOLDER_NAME = "sync"

MAX_BYTES = 64 << 20
"""More than 300,000 URLs of ordinary length."""

_FORM = 1
_KEPT = 3
_LOCK_MODE = 0o600
_FOLDER_MODE = 0o700
_SUDO = "run the command with sudo, or as the user that nss runs as"


class History(msgspec.Struct, frozen=True):
    """How runs went."""

    form: int = _FORM
    last: SyncRun | None = None
    last_success_at: float | None = None
    """Seconds since the epoch, as all times here."""
    urls: int | None = None
    """How many URLs the list had at the last success."""
    failures: int = 0
    """Runs that failed since the last success."""
    failing_since: float | None = None
    blocking: BlockingReading | None = None
    """Whether the category was blocked when that was looked up last, after a success."""


class Due(msgspec.Struct, frozen=True):
    """When the service runs next; only the service writes it."""

    form: int = _FORM
    at: float | None = None
    setup: str = ""
    """A digest of the settings and credentials of the last run, once that has ended."""


class CategoryMemory(msgspec.Struct, frozen=True):
    """What this program did to a URL category."""

    form: int = _FORM
    account: str = ""
    """Whose category it is, as its API names it."""
    id: str | None = None
    """`None`: it is about to be created."""
    owned: frozenset[str] = frozenset()
    """The keys of URLs that this program added."""
    claimed: frozenset[str] = frozenset()
    """The keys of URLs that it was about to add."""
    shared: frozenset[str] = frozenset()
    """The keys of wanted URLs that others had added: if one goes, that is reported."""
    is_pending: bool = False
    """Whether something was changed and perhaps not activated."""
    refused: dict[str, str] = {}
    """What ZIA said when it did not accept a URL, by its key: those are tried last."""


class FileMemory(msgspec.Struct, frozen=True):
    """What this program wrote into a file."""

    form: int = _FORM
    path: str = ""
    serial: int = 0
    urls: tuple[str, ...] = ()
    is_pending: bool = False
    """Whether it was written and the reload command has perhaps not succeeded since."""


Memory = TypeVar("Memory", History, Due, CategoryMemory, FileMemory)


class SyncStore:
    """The files of one state directory. Raises `StateUnusable`."""

    def __init__(self, state_directory: Path) -> None:
        self.folder = state_directory / FOLDER_NAME

    def prepare(self) -> None:
        """Make the folder if need be; what root makes is for the state directory's owner."""
        try:
            with open_folder(self.folder.parent) as parent:
                parent.make_folder(self.folder.name, _FOLDER_MODE, parent.owner).close()
        except OSError as error:
            raise self._unusable(error_text(error)) from None

    def lock(self) -> "RunLock":
        """Return the lock of runs, for `with`. Raises `SyncUnderway` when another has it."""
        return RunLock(self.folder)

    def holder(self) -> int | None:
        """Return the number of another process that syncs at the moment, `None` if none does.

        Never waits and never raises. The lock is tried only while the process that had it last is
        there, and another one: whoever wants it at the very moment would be kept out.
        """
        try:
            with open_folder(self.folder) as folder:
                number = folder.open_file("lock")
        except OSError:
            return None
        try:
            pid = _pid_in(number)
            if pid is None or pid == os.getpid() or not _is_there(pid):
                return None
            fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return pid
        except OSError:
            return None
        finally:
            os.close(number)
        return None

    def history(self) -> History:
        """Return how runs went."""
        return self._load("state.json", History)

    def keep_history(self, history: History) -> None:
        """Remember how runs went."""
        self._save("state.json", history)

    def due(self) -> Due:
        """Return when the service runs next."""
        return self._load("schedule.json", Due)

    def keep_due(self, due: Due) -> None:
        """Remember when the service runs next."""
        self._save("schedule.json", due)

    def category(self) -> CategoryMemory:
        """Return what was done to the category."""
        return self._load("category.json", CategoryMemory)

    def keep_category(self, memory: CategoryMemory) -> None:
        """Remember what is done to the category."""
        self._save("category.json", memory)

    def file(self) -> FileMemory:
        """Return what was written."""
        return self._load("file.json", FileMemory)

    def keep_file(self, memory: FileMemory) -> None:
        """Remember what is written."""
        self._save("file.json", memory)

    def stamp(self) -> object:
        """Return a value that changes whenever `history` does."""
        try:
            found = (self.folder / "state.json").lstat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _load(self, name: str, kind: type[Memory]) -> Memory:
        path = self.folder / name
        try:
            found = foreign.decode(read_bounded(path, MAX_BYTES), kind)
        except FileNotFoundError:
            return kind()
        except OSError as error:
            raise self._unusable(error_text(error), name) from None
        except (msgspec.DecodeError, FileFault) as error:
            self._discard(name, str(error))
            return kind()
        if found.form != _FORM:
            raise StateUnusable(
                f"sync: a later version of nss has written what is remembered ({path})",
                tip="install that version again, or remove the file: then URLs added so far stay",
            )
        return found

    def _discard(self, name: str, reason: str) -> None:
        try:
            with open_folder(self.folder) as folder:
                rename = partial(os.rename, src_dir_fd=folder.number, dst_dir_fd=folder.number)
                kept = set_aside(name, _KEPT, rename, folder=folder.number)
        except OSError as error:
            raise self._unusable(error_text(error), name) from None
        events.state_damaged(str(self.folder / kept), reason)

    def _save(self, name: str, memory: msgspec.Struct) -> None:
        try:
            write_private(self.folder / name, msgspec.json.encode(memory))
        except OSError as error:
            raise self._unusable(error_text(error), name) from None

    def _unusable(self, reason: str, name: str = "") -> StateUnusable:
        place = self.folder / name if name else self.folder
        return StateUnusable(f"sync: nothing can be remembered: {reason} ({place})", tip=_SUDO)


class RunLock:
    """Keeps other runs out, in this process and in others, until it is left or its process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            with open_folder(self._folder) as folder:
                number = folder.open_or_make("lock", os.O_RDWR, _LOCK_MODE)
        except OSError as error:
            place = self._folder / "lock"
            raise StateUnusable(
                f"sync: no lock: {error_text(error)} ({place})", tip=_SUDO
            ) from None
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = _pid_in(number)
            os.close(number)
            whose = "another process" if pid is None else f"process {pid}"
            raise SyncUnderway(
                f"sync: {whose} syncs at the moment, and only one may",
                tip="wait until it has ended: nss status shows how it went",
            ) from None
        self._descriptor = number
        os.ftruncate(number, 0)
        os.pwrite(number, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _pid_in(number: int) -> int | None:
    """Return the number of the process that took the lock last, as it wrote it there."""
    text = os.pread(number, 20, 0).decode(errors="replace").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
