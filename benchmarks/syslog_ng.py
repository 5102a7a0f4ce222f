"""A private syslog-ng: Debian's packages, unpacked only, since they conflict with rsyslog's."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The daemon, and the libraries of it that a Debian without it lacks.
_PACKAGES = ("syslog-ng-core", "libivykis0", "libnet1", "libpcre3", "libwrap0")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nss-bench" / "syslog-ng"


@dataclass(frozen=True, slots=True)
class Installed:
    """Where a syslog-ng is and what it needs to start."""

    program: Path
    options: list[str]
    env: dict[str, str]
    version: str
    """As `@version` in its configuration wants it."""


class NotInstalled(Exception):  # noqa: N818 - the benchmark skips the case and prints the text
    """There is no syslog-ng here and none can be unpacked."""


def find() -> Installed:
    """Return the installed syslog-ng, or one unpacked into the user's cache folder."""
    found = shutil.which("syslog-ng", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return _described(Path(found), [], {})
    if not _CACHE.exists():
        _unpack()
    library = next((_CACHE / "usr/lib").glob("*-linux-gnu"))
    modules = next((_CACHE / "usr/lib/syslog-ng").glob("[0-9]*"))
    paths = (modules.parent, library, _CACHE / "lib" / library.name)
    env = {"LD_LIBRARY_PATH": ":".join(str(path) for path in paths)}
    return _described(_CACHE / "usr/sbin/syslog-ng", ["--module-path", str(modules)], env)


def _described(program: Path, options: list[str], env: dict[str, str]) -> Installed:
    told = subprocess.run(
        [program, *options, "--version"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        raise NotInstalled(f"{program} does not start: {told.stderr.strip()}")
    full = next(row for row in told.stdout.splitlines() if row.startswith("Installer-Version:"))
    return Installed(program, options, env, ".".join(full.split()[1].split(".")[:2]))


def _unpack() -> None:
    """Download the packages with apt and unpack them; nothing is installed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NotInstalled("syslog-ng is not installed, and there is no apt-get to fetch it with")
    parts = _CACHE.with_suffix(".part")
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    fetched = subprocess.run(
        ["apt-get", "download", *_PACKAGES],  # noqa: S607 - the system's own
        cwd=parts,
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode:
        raise NotInstalled(f"syslog-ng can't be downloaded: {fetched.stderr.strip()}")
    for package in parts.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, parts], check=True)  # noqa: S607 - the system's own
        package.unlink()
    parts.rename(_CACHE)
