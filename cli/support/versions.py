"""`nss checkversion`: what is installed, what runs, what apt offers, and the spool's form."""

import platform
import shutil
import subprocess
from pathlib import Path

import typer

from cli.asking import status_if_running
from cli.output import show_json
from cli.support.inspecting import spool_form
from nss.config import load as configuration
from nss.config.model import DurableSpoolConfig
from nss.errors import NssError
from nss.spool.durable.schema import MIGRATIONS
from nss.wording import harmless, own_version

PACKAGE = "nss-streamer"

Facts = dict[str, str | int | bool | None]


def compare(path: Path, *, as_json: bool) -> int:
    """Print the versions; returns the exit code."""
    facts = versions(path)
    due = bool(facts["restart_due"] or facts["upgrade_due"])
    if as_json:
        show_json(facts)
        return 1 if due else 0
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
        typer.echo(f"A newer package is on offer. Try: sudo apt install {PACKAGE}")
    if not due:
        typer.echo("Everything is up to date, as far as this machine knows.")
    return 1 if due else 0


def versions(path: Path) -> Facts:
    """Return what is known; `None` is what is not."""
    installed = own_version()
    status = status_if_running(path)
    running = None if status is None else status.version
    package = _output("dpkg-query", "--show", "--showformat=${Version}", PACKAGE)
    offered = _offered()
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
