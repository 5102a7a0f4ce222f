"""`nss collect-diagnostics`: one archive with what helps to find a fault, without secrets."""

import io
import os
import platform
import shutil
import socket
import sys
import tarfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

import typer

from cli.output import show_json
from cli.supervision.background import background_of
from cli.supervision.systemd import UNIT
from cli.support.inspecting import spool_contents
from cli.support.programs import RanTooLong, output_of
from nss.config import load as configuration
from nss.config.model import Config, DurableSpoolConfig
from nss.errors import NssError, ServiceError
from nss.files.beneath import open_file
from nss.mcas.access import AUDIT_NAME
from nss.setup.redaction import redactor_of
from nss.wording import counted, error_text, harmless

MAX_BYTES = 8 << 20
"""Of one part; of a log the end is kept."""

LOG_LINES = 2000
PART_SECS = 60

Part = Callable[[], bytes]


class _Missing(Exception):  # noqa: N818 - the reason that a part is missing
    """A part that can't be collected."""


def collect(path: Path, output: Path | None, *, as_json: bool) -> None:
    """Write the archive. Raises `ServiceError` when it can't be written."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    archive = output or Path(f"nss-diagnostics-{socket.gethostname()}-{at}.tar.gz")
    redactor = redactor_of(path)
    parts: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    for name, part in _parts(path).items():
        try:
            parts[name] = redactor.clean(part())[-MAX_BYTES:]
        except (_Missing, NssError, OSError, RanTooLong) as error:
            missing[name] = redactor.clean(_reason(error).encode()).decode()
    parts["MANIFEST.txt"] = _manifest(parts, missing)
    _write(archive, parts)
    if as_json:
        show_json({"file": str(archive), "parts": sorted(parts), "missing": missing})
        return
    typer.echo(f"{archive}: {counted(len(parts), 'file')}, {archive.stat().st_size:,} bytes.")
    for name, reason in missing.items():
        typer.echo(f"  not in it: {name}: {harmless(reason)}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error_text(error)} ({error.filename})"
    return f"{error}".partition("\n")[0]


def _parts(path: Path) -> dict[str, Part]:
    """Return what is collected, by the name of its file."""
    said = {
        "config.toml": ["dump-config"],
        "check.txt": ["check"],
        "status.json": ["status", "--json"],
        "mcas.json": ["show-mcas2", "--json"],
        "versions.json": ["checkversion", "--json"],
        "firewall.json": ["test-firewall", "--json"],
        "feeds.txt": ["troubleshoot", "feeds"],
        "sockets.txt": ["troubleshoot", "netstat"],
    }
    parts: dict[str, Part] = {
        name: partial(_nss, *command, config=path) for name, command in said.items()
    }
    return parts | {
        "log.txt": lambda: _log(path),
        "unit.txt": partial(_ran, "systemctl", "cat", "--no-pager", UNIT),
        "unit-state.txt": partial(_ran, "systemctl", "show", "--no-pager", UNIT),
        "audit.log": lambda: _end_of(configuration.load(path).service.state_directory / AUDIT_NAME),
        "spool.json": lambda: _spool(configuration.load(path)),
        "disk.txt": partial(_ran, "df", "-h"),
        "memory.txt": Path("/proc/meminfo").read_bytes,
        "machine.txt": _machine,
        "packages.txt": _packages,
    }


def _nss(*command: str, config: Path) -> bytes:
    """Return what a command of this program prints, its errors too."""
    isolated = ["-I"] if sys.flags.isolated else []
    return _output(sys.executable, *isolated, "-m", "cli.main", *command, "--config", str(config))


def _log(path: Path) -> bytes:
    if shutil.which("journalctl") is not None:
        found = _ran("journalctl", "--no-pager", f"--lines={LOG_LINES}", "--unit", UNIT)
        if found.count(b"\n") > 1:
            return found
    return b"\n".join(_end_of(background_of(path).log).splitlines()[-LOG_LINES:]) + b"\n"


def _end_of(path: Path) -> bytes:
    """Return the end of a log, which the service's user owns."""
    with open(open_file(path), "rb") as file:  # noqa: PTH123 - a descriptor
        start = max(0, file.seek(0, os.SEEK_END) - MAX_BYTES)
        file.seek(start)
        data = file.read(MAX_BYTES)
    # Half a line may have half a secret.
    return data.partition(b"\n")[2] if start else data


def _spool(config: Config) -> bytes:
    """Return sizes and counts; records stay where they are."""
    if not isinstance(config.spool, DurableSpoolConfig):
        raise _Missing("the spool is in memory")
    return spool_contents(config.spool.path)


def _machine() -> bytes:
    release = Path("/etc/os-release")
    text = f"{platform.platform()}\nPython {platform.python_version()}\n{os.cpu_count()} CPUs\n"
    return text.encode() + (release.read_bytes() if release.exists() else b"")


def _packages() -> bytes:
    names = {f"{package.metadata['Name']}=={package.version}" for package in distributions()}
    return ("\n".join(sorted(names)) + "\n").encode()


def _ran(program: str, *arguments: str) -> bytes:
    found = shutil.which(program)
    if found is None:
        raise _Missing(f"there is no {program} on this machine")
    return _output(found, *arguments)


def _output(*command: str) -> bytes:
    return output_of(*command, secs=PART_SECS, max_bytes=MAX_BYTES)[1]


def _manifest(parts: dict[str, bytes], missing: dict[str, str]) -> bytes:
    lines = [f"{name}: {len(data)} bytes" for name, data in parts.items()]
    lines += [f"{name}: NOT COLLECTED: {reason}" for name, reason in missing.items()]
    return ("\n".join(sorted(lines)) + "\n").encode()


def _write(archive: Path, parts: dict[str, bytes]) -> None:
    """Write a new file that only the caller may read; an existing file is never replaced."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        number = os.open(archive, flags, 0o600)
        with (
            open(number, "wb") as file,  # noqa: PTH123 - a descriptor
            tarfile.open(fileobj=file, mode="w:gz") as tar,
        ):
            caller = _caller()
            if caller is not None:
                os.fchown(number, *caller)
            for name, data in parts.items():
                member = tarfile.TarInfo(f"nss-diagnostics/{name}")
                member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
                tar.addfile(member, io.BytesIO(data))
    except OSError as error:
        raise ServiceError(
            f"collect-diagnostics: can't be written: {error_text(error)} ({archive})",
            tip="name another file with --output",
        ) from None


def _caller() -> tuple[int, int] | None:
    """Return user and group of whoever called sudo, which hands them on; `None` without it."""
    user, group = (os.environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID"))
    if os.geteuid() != 0 or not (user.isdecimal() and group.isdecimal()):
        return None
    return int(user), int(group)
