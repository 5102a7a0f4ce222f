"""`nss update-now`: begins the update beside this session, and shows what it prints."""

import fcntl
import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path

import typer

from cli.output import error_lines
from nss.config import DEFAULT_CONFIG
from nss.config import load as configuration
from nss.errors import NotAllowed, NssError, UsageError
from nss.updates import apt, journal, plan, units
from nss.updates.failures import UpdateFailed, UpdateUnderWay
from nss.updates.planning import access_of, plan_of
from nss.wording import error_text, harmless

_POLL_SECS = 0.1
_USER = "nss"


def update(config: Path, *, force: bool) -> int:
    """Update; returns the exit code. Raises `NssError` before anything has begun."""
    _check_caller(config)
    folder = plan.FOLDER
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        with (folder / "lock").open("ab") as lock:
            _take(lock.fileno())
            cut_off = _cut_off()
            if cut_off is None:
                _prepare(config, folder, force=force)
            fcntl.flock(lock, fcntl.LOCK_UN)
            engine = units.begin(folder)
    except OSError as error:
        raise UpdateFailed(
            f"update: {error_text(error)} ({folder})", tip="make room: df -h /var/lib"
        ) from None
    return _watched(engine.poll, folder)


def _check_caller(config: Path) -> None:
    if os.geteuid() != 0:
        raise NotAllowed("update: only root may", tip="sudo nss update-now")
    if config.absolute() != DEFAULT_CONFIG:
        raise UsageError(f"update: the service of this machine runs with {DEFAULT_CONFIG}")


def _take(lock: int) -> None:
    """Raise `UpdateUnderWay` when an update runs."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UpdateUnderWay(
            "update: another one is under way", tip="see how it ends: sudo nss checkversion"
        ) from None


def _cut_off() -> journal.Entry | None:
    """Return the entry of an update that has to be brought to its end first."""
    found = journal.read()
    return None if found is None or found.is_over else found


def _prepare(config: Path, folder: Path, *, force: bool) -> None:
    """Write all that the engine works from."""
    loaded = configuration.load(config)
    access = access_of(loaded.updates, config)
    apt.prepare(folder / "apt", access)
    units.copy_engine(folder)
    (folder / "log").write_bytes(b"")
    plan.write(plan_of(loaded, config, force=force, user=_service_user()), folder)


def _service_user() -> str:
    try:
        return pwd.getpwnam(_USER).pw_name
    except KeyError:
        return ""


def _watched(ended: Callable[[], int | None], folder: Path) -> int:
    """Show what the engine prints until it ends; returns its exit code."""
    number = plan.read(folder).number
    try:
        with (folder / "log").open(encoding="utf-8", errors="replace") as log:
            is_over = False
            while not is_over:
                is_over = ended() is not None
                for line in log:
                    typer.echo(harmless(line.rstrip("\n")))
                if not is_over:
                    time.sleep(_POLL_SECS)
    except KeyboardInterrupt:
        typer.echo("\nThe update continues without this terminal; see: sudo nss checkversion")
        return UpdateUnderWay.exit_code
    return _outcome(number)


def _outcome(number: str) -> int:
    entry = journal.read()
    if entry is None or entry.number != number or not entry.is_over:
        raise UpdateFailed("update: it was cut off", tip="bring it to its end: sudo nss update-now")
    if entry.code:
        error = NssError(f"update: error {entry.code}: {entry.why}", tip=entry.remedy or None)
        typer.echo(f"nss: {error_lines(error)}", err=True)
    return entry.code
