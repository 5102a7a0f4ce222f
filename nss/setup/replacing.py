"""Putting an edited configuration in force: kept, written, taken over by the service, or undone.

A crash at any step leaves something that can be explained:

1. what is in the file is kept in the state directory, as unfinished (`nss.setup.versions`);
2. the file is replaced, atomically;
3. the service takes it over; or it refuses, and the old content is put back;
4. the kept version is marked as replaced; or it is forgotten.
"""

import asyncio
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nss.config.load import MAX_BYTES
from nss.errors import ConfigError, NssError, unplanned
from nss.files.beneath import ROOT
from nss.files.private import FileFault, read_bounded, write_private
from nss.mcas.access import audit_log
from nss.setup.editing import Examined
from nss.setup.versions import Version, Versions, digest_of
from nss.telemetry.audit import person_at_work, user_name
from nss.wording import error_text

T = TypeVar("T")

CHANGE = "configuration change"
UNDO = "configuration undo"
"""Actions in the audit log."""

_MAX_REASON = 1000


class Refused(ConfigError):  # noqa: N818 - named as the sentence reads
    """A configuration is not in force; the sentence says why, and what is in the file now."""


def unwritable(path: Path) -> str | None:
    """Return why this process can't replace a configuration file, as half a sentence.

    `None`: it can, with the file's group and mode, and as root with its owner.
    """
    try:
        return next(_obstacles(path, path.absolute().parent), None)
    except OSError as error:
        return error_text(error)


def _obstacles(path: Path, folder: Path) -> Iterator[str]:
    status, of_folder, me = path.lstat(), folder.stat(), os.geteuid()
    name = user_name(me)
    if not stat.S_ISREG(status.st_mode):
        yield "it is a symbolic link, or no regular file"
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield f"the folder {folder} is read-only for the service, by its unit or by its mount"
    if not os.access(folder, os.W_OK | os.X_OK):
        yield f"the user {name} may not write in the folder {folder}"
    if me == ROOT:
        return
    if of_folder.st_mode & stat.S_ISVTX and me not in {status.st_uid, of_folder.st_uid}:
        yield f"the folder {folder} is sticky, and the file is not of the user {name}"
    if status.st_gid not in {os.getegid(), *os.getgroups()}:
        yield f"the user {name} is not in the group of the file, which it would lose"


@dataclass(frozen=True, slots=True)
class _Change:
    """A file that has been written."""

    examined: Examined
    version: Version
    owner: tuple[int, int] | None
    mode: int


class Replacing:
    """Replaces the configuration file at `path`, one change after the other.

    Versions and the audit log are in the state directory. `now` gives seconds since the epoch;
    `at` is called at points where a crash would be interesting, with their names (tests).
    """

    def __init__(
        self,
        path: Path,
        state_directory: Path,
        *,
        now: Callable[[], float] = time.time,
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self.versions = Versions(state_directory)
        self._path = path
        self._audit = audit_log(state_directory)
        self._now = now
        self._at = at
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    async def put_in_force(
        self,
        examined: Examined,
        expected_digest: str,
        reload: Callable[[], Awaitable[T]],
        *,
        action: str = CHANGE,
    ) -> T:
        """Write what was examined and return what `reload` returns, which takes it over.

        `expected_digest` is that of the file which the person has seen. Raises `ConfigError` when
        the text has faults or the file is another by now, and `Refused` when the service keeps what
        it has. What is begun is ended even if the caller is cancelled.
        """

        async def change() -> T:
            async with self._changing:
                return await self._put_in_force(examined, expected_digest, reload, action)

        task = asyncio.create_task(change())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _put_in_force(
        self,
        examined: Examined,
        expected_digest: str,
        reload: Callable[[], Awaitable[T]],
        action: str,
    ) -> T:
        try:
            change = await asyncio.to_thread(self._written, examined, expected_digest)
        except NssError as error:
            await asyncio.to_thread(self._note, action, "failed", str(error.args[0]), examined)
            raise
        try:
            reloaded = await reload()
        except NssError as error:
            raise await asyncio.to_thread(self._taken_back, change, error, action) from error
        except Exception as error:  # nobody knows what is in force: the version stays unfinished
            await asyncio.to_thread(self._note, action, "failed", unplanned(error), examined)
            raise
        await asyncio.to_thread(self._finished, change, action)
        return reloaded

    def _written(self, examined: Examined, expected_digest: str) -> _Change:
        """Keep the old file and write the new one. Raises `ConfigError`."""
        if examined.document.digest != expected_digest:
            raise _changed_meanwhile(self._path)
        _check(examined)
        reason = unwritable(self._path)
        if reason is not None:
            raise ConfigError(f"configuration: can't be written: {reason} ({self._path})")
        version = self.versions.keep(
            examined.document.data,
            at=self._now(),
            by=person_at_work(),
            digest=examined.digest,
        )
        self._at("kept")
        try:
            status = self._path.stat()
            self._check_unchanged(examined)
            owner = _owner(status, self._path.parent.stat())
            change = _Change(examined, version, owner, stat.S_IMODE(status.st_mode))
            self._write(change, examined.data)
        except (OSError, FileFault, ConfigError) as error:
            self.versions.drop(version)
            if isinstance(error, ConfigError):
                raise
            reason = error_text(error) if isinstance(error, OSError) else f"it {error}"
            raise ConfigError(
                f"configuration: can't be written: {reason} ({self._path})",
                tip="the old one is in force as before",
            ) from None
        self._at("written")
        return change

    def _check_unchanged(self, examined: Examined) -> None:
        if read_bounded(self._path, MAX_BYTES) != examined.document.data:
            raise _changed_meanwhile(self._path)

    def _write(self, change: _Change, data: bytes) -> None:
        write_private(self._path, data, owner=change.owner, mode=change.mode)

    def _taken_back(self, change: _Change, error: NssError, action: str) -> Refused:
        """Put the old content back, and return what is to be said."""
        clean = change.examined.document.redactor.clean
        reason = clean(str(error.args[0]).encode(errors="replace")).decode(errors="replace")
        self._note(action, "refused", reason, change.examined)
        sentence = f"the service has refused it: {reason}"
        try:
            if digest_of(read_bounded(self._path, MAX_BYTES)) != change.version.digest:
                state = "the file has been changed by somebody else meanwhile"
                return Refused(f"{sentence}; {state}", tip=f"look at the file {self._path}")
            self._write(change, change.examined.document.data)
        except (OSError, FileFault) as fault:
            why = error_text(fault) if isinstance(fault, OSError) else f"it {fault}"
            return Refused(
                f"{sentence}; the old file could not be put back: {why}",
                tip=f"put it back by hand: it is {self.versions.path(change.version.number)}",
            )
        self._at("taken back")
        self.versions.drop(change.version)
        return Refused(f"{sentence}; the old configuration stays in force", tip=error.tip)

    def _finished(self, change: _Change, action: str) -> None:
        self._at("taken over")
        self.versions.finish(change.version)
        self._note(action, "put in force", "", change.examined)
        if file_digest(self._path) != change.version.digest:
            raise Refused(
                "the service took over what somebody else wrote into the file meanwhile",
                tip="look at what is in it now",
            )

    def _note(self, action: str, outcome: str, reason: str, examined: Examined) -> None:
        self._audit.write(
            action,
            outcome,
            reason[:_MAX_REASON],
            path=str(self._path),
            digest=examined.digest,
            changed_lines=examined.changed_lines,
        )


def _check(examined: Examined) -> None:
    """Raise `ConfigError` for what can't be put in force."""
    count = len(examined.faults) + examined.further_faults
    if count:
        text = "a problem" if count == 1 else f"{count} problems"
        raise ConfigError(f"configuration: it has {text}", tip="see what is wrong, line by line")
    if not examined.is_changed:
        raise ConfigError("configuration: it is what the file has already")
    if examined.needing_restart:
        keys = ", ".join(examined.needing_restart)
        raise ConfigError(
            f"configuration: a reload can't change {keys}",
            tip="put the text into the file as root, and restart the service",
        )


def _changed_meanwhile(path: Path) -> ConfigError:
    return ConfigError(
        f"configuration: somebody else has changed the file meanwhile ({path})",
        tip="look at the difference to what is in it now, and try again",
    )


def file_digest(path: Path) -> str:
    """Return the digest of a configuration file, empty if it can't be read."""
    try:
        return digest_of(read_bounded(path, MAX_BYTES))
    except (OSError, FileFault):
        return ""


def _owner(status: os.stat_result, folder: os.stat_result) -> tuple[int, int] | None:
    """Return to whom the new file must be given; the old one's user only root can give it to.

    Nobody, if it is his by itself: the packaged unit forbids that system call.
    """
    if os.geteuid() == ROOT:
        return status.st_uid, status.st_gid
    group = folder.st_gid if folder.st_mode & stat.S_ISGID else os.getegid()
    return None if status.st_gid == group else (-1, status.st_gid)


def unfinished(path: Path, versions: Versions) -> str | None:
    """Return what came of the last change, if no service has ended it, as a sentence."""
    last = next(iter(versions.all()), None)
    if last is None or last.state != "unfinished":
        return None
    digest = file_digest(path)
    begun = f"The last change, by {last.by}, was cut short: "
    if digest == digest_of(last.data):
        return f"{begun}the file is as it was before."
    if digest == last.digest:
        return (
            f"{begun}its text is in the file, and a service that starts takes it; what was in the "
            f"file before is version {last.number}."
        )
    return f"{begun}the file was changed since; what was in it before is version {last.number}."
