"""How commands start, stop and find the supervisor."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nss.background.lock import Lock, process_facts
from nss.background.supervisor import StartReport
from nss.errors import ServiceError
from nss.files.beneath import open_file, open_folder
from nss.wording import error_text

USER = "nss"
"""The user that the service runs as when root starts it, if there is such a user."""

_POLL_SECS = 0.05
_SHOWN_LINES = 20
_MAX_TAIL_BYTES = 64 * 1024
_MAX_REPORT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Background:
    """The service of one configuration file as a background process."""

    config: Path
    lock: Path
    log: Path

    def pid(self) -> int | None:
        """Return the supervisor's process, `None` if it does not run. Raises `ServiceError`."""
        return Lock(self.lock).holder()

    def service_pid(self) -> int | None:
        """Return the process of the service itself, if it runs."""
        pid = self.pid()
        note = Lock(self.lock).read() if pid is not None else None
        if note is None or note.service_pid is None:
            return None
        # Root is told to kill it if need be, so the file is not just believed.
        facts = process_facts(note.service_pid)
        return note.service_pid if facts is not None and facts.parent == pid else None

    def make_folders(self) -> None:
        """Make the folders of lock and log, for the service's user. Raises `ServiceError`."""
        for folder in (self.lock.parent, self.log.parent):
            _make_folder(folder, service_user())

    def start(self) -> int:
        """Start it and wait until it is ready; return the supervisor's process.

        Raises `ServiceError` with what the service said when it ended instead.
        """
        self.make_folders()
        said = self._log_bytes()
        reading, writing = os.pipe()
        with open(reading, "rb") as ready:  # noqa: PTH123 - a descriptor
            try:
                subprocess.Popen(  # noqa: S603 - ours
                    [*as_user(), *self._supervisor(writing)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=environment(),
                    start_new_session=True,
                    pass_fds=[writing],
                )
            finally:
                os.close(writing)
            line = ready.readline(_MAX_REPORT_BYTES)
        report = msgspec.json.decode(line, type=StartReport) if line else None
        if report is None:
            raise ServiceError(
                f"start: the supervisor ended at once ({self.lock})", tip="nss status"
            )
        if report.exit_code is not None:
            raise NotStarted(report.exit_code, self._tail(said))
        return report.pid

    def stop(self, timeout_secs: float) -> int | None:
        """Let the service deliver what is pending and end; return its exit code, `None`: none ran.

        Raises `ServiceError` when it has not ended in time, or belongs to another user.
        """
        try:
            pid = Lock(self.lock).signal_holder(signal.SIGTERM)
        except PermissionError:
            raise ServiceError(
                f"stop: the service belongs to another user (pid {self.pid()})",
                tip="run the command with sudo",
            ) from None
        if pid is None:
            return None
        deadline = time.monotonic() + timeout_secs
        while self.pid() == pid:
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"stop: the service has not ended within {timeout_secs:.0f} s (pid {pid})",
                    tip="wait, or end it at once with what is pending left in the spool: "
                    f"kill -KILL {self.service_pid() or pid}",
                )
            time.sleep(_POLL_SECS)
        note = Lock(self.lock).read()
        return None if note is None else note.exit_code

    def _supervisor(self, ready: int) -> list[str]:
        python = own_python()
        where = [str(self.lock), str(self.log), str(self.config), str(ready)]
        service = [*python, "-X", "faulthandler", "-m", "nss", str(self.config)]
        return [*python, "-m", "nss.background.supervisor", *where, *service]

    def _log_bytes(self) -> int:
        with contextlib.suppress(OSError), open_folder(self.log.parent) as folder:
            return folder.status(self.log.name).st_size
        return 0

    def last_lines(self) -> list[str]:
        """Return what the service said last, as far as it is to be shown."""
        return self._tail(0).splitlines()

    def _tail(self, start: int) -> str:
        """Return what the log says from a place on, as far as it is to be shown."""
        try:
            with open(open_file(self.log), "rb") as file:  # noqa: PTH123 - a descriptor
                size_bytes = file.seek(0, os.SEEK_END)
                begin = start if start <= size_bytes else 0
                file.seek(max(begin, size_bytes - _MAX_TAIL_BYTES))
                lines = file.read(_MAX_TAIL_BYTES).decode(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(line for line in lines if " supervisor: " not in line)[-8000:]


class NotStarted(ServiceError):  # noqa: N818 - it is what happened
    """The service ended before it was ready, with the exit code `code`.

    `said` is what it wrote into its log.
    """

    def __init__(self, code: int, said: str) -> None:
        lines = "".join(f"\n  {line}" for line in said.splitlines()[-_SHOWN_LINES:])
        super().__init__(f"start: the service ended with {code}{lines}", tip="nss check")
        self.code = code


def _make_folder(folder: Path, keeper: pwd.struct_passwd | None) -> None:
    """Make a folder for a user, or for the one at work, and those above it."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        _make_folder(folder.parent, None)
    owner = (os.geteuid(), os.getegid()) if keeper is None else (keeper.pw_uid, keeper.pw_gid)
    try:
        with open_folder(folder.parent) as parent:
            parent.make_folder(folder.name, 0o750, owner).close()
    except OSError as error:
        raise ServiceError(
            f"start: no folder: {error_text(error)} ({folder})",
            tip="run the command with sudo",
        ) from None


def own_python() -> list[str]:
    """Return the command of the Python at work, to run a module with."""
    # -I: neither the folder it is started from nor PYTHON* variables have a say.
    return [sys.executable, "-I"] if sys.flags.isolated else [sys.executable, "-P"]


def environment() -> dict[str, str]:
    """Return the environment that a service is given."""
    return {name: os.environ[name] for name in os.environ if not _is_secret(name)}


def _is_secret(variable: str) -> bool:
    """Return whether a variable may be one for configure-mcas2, which a service has no use for."""
    return variable.startswith("NSS_MCAS_")


def service_user() -> pwd.struct_passwd | None:
    """Return the user that root runs the service as; `None` without that user, or without root."""
    try:
        return pwd.getpwnam(USER) if os.geteuid() == 0 else None
    except KeyError:
        return None


def as_user() -> list[str]:
    """Return the command that runs another as the user, who may bind ports below 1024.

    Empty where the service would run as the user at work. Raises `ServiceError` without setpriv.
    """
    if service_user() is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServiceError("start: the program setpriv is missing", tip="apt install util-linux")
    return [
        *(setpriv, f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--no-new-privs"),
        *("--bounding-set=-all,+net_bind_service", "--inh-caps=-all,+net_bind_service"),
        "--ambient-caps=-all,+net_bind_service",
    ]
