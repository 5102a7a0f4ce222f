"""`nss restart`: the service of this machine, by way of systemd."""

import shutil
import subprocess
from pathlib import Path

import typer

from cli.asking import harmless
from nss.errors import ServiceError

UNIT = "nss-streamer.service"
BOOTED = Path("/run/systemd/system")
"""There exactly when systemd runs the machine (sd_booted(3))."""

_TIP = (
    "stop nss run and start it again; new credentials need no restart, and a changed "
    "configuration only nss reload"
)


def restart(booted: Path = BOOTED) -> int:
    """Restart the unit, which delivers what is pending first. Raises `ServiceError`."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not booted.is_dir():
        raise ServiceError("restart: systemd does not run this machine", tip=_TIP)
    if _run(systemctl, "cat", UNIT).returncode:
        raise ServiceError(f"restart: systemd knows no unit {UNIT}", tip=_TIP)
    ran = _run(systemctl, "restart", UNIT)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        why = harmless(lines[0]) if lines else f"exit code {ran.returncode}"
        raise ServiceError(
            f"restart: systemd refuses: {why}", tip=f"sudo nss restart; journalctl -u {UNIT}"
        )
    typer.echo(f"Restarted {UNIT}.")
    return 0


def _run(systemctl: str, verb: str, unit: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the system's own
        [systemctl, verb, unit], capture_output=True, text=True, errors="replace", check=False
    )
