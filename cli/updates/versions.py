"""`nss checkversion`: what is installed, what runs, what is on offer, and the spool's form."""

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import typer

from cli.asking import status_if_running
from cli.output import error_lines, show_json
from cli.support.inspecting import spool_form
from nss.config import load as configuration
from nss.config.model import DurableSpoolConfig
from nss.errors import NssError
from nss.files.beneath import ROOT
from nss.spool.durable.schema import MIGRATIONS
from nss.updates import apt, journal
from nss.updates.apt import Access
from nss.updates.failures import UpdateFailed
from nss.updates.plan import FOLDER, PACKAGE
from nss.updates.planning import access_of
from nss.wording import error_text, harmless, own_version

Facts = dict[str, str | int | bool | None]


def compare(path: Path, *, as_json: bool) -> int:
    """Print the versions; returns the exit code."""
    facts = versions(path)
    asked = _asked(path, facts)
    due = bool(facts["restart_due"] or facts["upgrade_due"] or facts["update_cut_off"])
    code = asked.exit_code if asked is not None else int(due)
    if as_json:
        show_json(facts)
        if asked is not None:
            typer.echo(f"nss: {error_lines(asked)}", err=True)
        return code
    for name, value in facts.items():
        if not isinstance(value, bool):
            text = "not known" if value is None else harmless(str(value))
            typer.echo(f"{name.replace('_', ' '):22} {text}")
    if facts["restart_due"]:
        typer.echo(
            "The running service is of another version than the one installed. "
            "Try: sudo nss restart"
        )
    if facts["upgrade_due"]:
        how = "sudo nss update-now" if facts["repository"] else f"sudo apt install {PACKAGE}"
        typer.echo(f"A newer package is on offer. Try: {how}")
    if facts["update_cut_off"]:
        typer.echo(
            f"{str(facts['last_update']).capitalize()}. Try: "
            "sudo nss update-now, which brings it to its end"
        )
    if asked is not None:
        typer.echo(f"nss: {error_lines(asked)}", err=True)
    elif not due:
        typer.echo("Everything is up to date, as far as this machine knows.")
    return code


def _asked(path: Path, facts: Facts) -> NssError | None:
    """Ask the repository, if one is configured, and put down what it offers.

    Returns why it can't be asked.
    """
    try:
        updates = configuration.load(path).updates
        if updates.repository is None:
            return None
        facts |= {"repository": updates.repository, "on_offer": None, "upgrade_due": False}
        if os.geteuid() != ROOT:
            facts["on_offer"] = "not asked: sudo nss checkversion does"
            return None
        newest = offered_by(access_of(updates, path), updates.timeout_secs)
        facts["on_offer"] = newest
        facts["upgrade_due"] = _is_newer(newest, str(facts["package"] or "0"))
    except NssError as error:
        return error
    except OSError as error:
        return UpdateFailed(f"update: {error_text(error)}", tip="make room: df -h /tmp")
    return None


def offered_by(access: Access, timeout_secs: float) -> str:
    """Return the newest version in a repository. Raises `UpdateFailed` and `OSError`."""
    with tempfile.TemporaryDirectory(prefix="nss-checkversion-") as folder:
        Path(folder).chmod(0o755)
        apt.prepare(Path(folder) / "apt", access)
        return apt.offers(Path(folder) / "apt", timeout_secs)[0].version


def _last_update() -> tuple[str | None, bool]:
    """Return how the last update ended, and whether it was cut off."""
    entry = journal.read()
    if entry is None:
        return None, False
    what = f"from {entry.version_before or '?'} to {entry.version_after or '?'}"
    if entry.is_over:
        why = f": {entry.why}" if entry.why else ""
        return f"{what}: {entry.result}{why}", False
    if _is_under_way():
        return f"{what}: under way, {entry.stage}", False
    return f"the update {what} was cut off while {entry.stage}", True


def _is_under_way() -> bool:
    """Whether an update holds its lock; who may not look is told that one runs."""
    try:
        with (FOLDER / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def versions(path: Path) -> Facts:
    """Return what is known; `None` is what is not."""
    installed = own_version()
    status = status_if_running(path)
    running = None if status is None else status.version
    package = _output("dpkg-query", "--show", "--showformat=${Version}", PACKAGE)
    offered = _offered()
    last_update, is_cut_off = _last_update()
    return {
        "installed": installed,
        "running": running,
        "package": package,
        "on_offer": offered,
        "python": platform.python_version(),
        "spool_form_known": len(MIGRATIONS),
        "spool_form_on_disk": _form(path),
        "restart_due": running is not None and installed is not None and running != installed,
        "upgrade_due": _is_newer(offered, package),
        "repository": None,
        "last_update": last_update,
        "update_cut_off": is_cut_off,
    }


def _offered() -> str | None:
    for line in (_output("apt-cache", "policy", PACKAGE) or "").splitlines():
        name, _, value = line.strip().partition(": ")
        if name == "Candidate" and value != "(none)":
            return value
    return None


def _is_newer(offered: str | None, package: str | None) -> bool:
    if offered is None or package is None:
        return False
    return _output("dpkg", "--compare-versions", offered, "gt", package) is not None


def _form(path: Path) -> int | None:
    """Return the form of the spool's file, without touching it; `None` if it can't be read."""
    try:
        spool = configuration.load(path).spool
        if not isinstance(spool, DurableSpoolConfig) or not spool.path.exists():
            return None
        return spool_form(spool.path)
    except (NssError, OSError):
        return None


def _output(program: str, *arguments: str) -> str | None:
    """Return what a program of this machine prints; `None` when it is missing or says no."""
    found = shutil.which(program)
    if found is None:
        return None
    ran = subprocess.run(  # noqa: S603 - the system's own
        [found, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )
    return ran.stdout.strip() if ran.returncode == 0 else None
