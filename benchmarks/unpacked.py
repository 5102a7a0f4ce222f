"""Debian's rsyslog and syslog-ng, unpacked beside the project by `tests/peers/fetch`."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".peers"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Where a program is and what it needs to start."""

    program: Path
    options: list[str]
    env: dict[str, str]


class NotUnpacked(Exception):  # noqa: N818 - the benchmark skips the case and prints the text
    """There is no such program in the folder."""


def rsyslog() -> Unpacked:
    """Return rsyslog, with its own modules."""
    return _unpacked("rsyslogd", "rsyslog", "-M")


def syslog_ng() -> Unpacked:
    """Return syslog-ng, with its own modules."""
    return _unpacked("syslog-ng", "syslog-ng/[0-9]*", "--module-path")


def version(unpacked: Unpacked) -> str:
    """Return syslog-ng's version as `@version` in its configuration wants it."""
    told = subprocess.run(
        [unpacked.program, *unpacked.options, "--version"],
        env={**os.environ, **unpacked.env},
        capture_output=True,
        text=True,
        check=True,
    )
    full = next(row for row in told.stdout.splitlines() if row.startswith("Installer-Version:"))
    return ".".join(full.split()[1].split(".")[:2])


def _unpacked(program: str, modules: str, option: str) -> Unpacked:
    path = FOLDER / "usr/sbin" / program
    if not path.exists():
        raise NotUnpacked(f"{program} is not in {FOLDER.name}: run tests/peers/fetch {FOLDER.name}")
    folders = [*FOLDER.glob("usr/lib/*-linux-gnu"), *FOLDER.glob("lib/*-linux-gnu")]
    folders.append(FOLDER / "usr/lib/syslog-ng")
    found = [*FOLDER.glob(f"usr/lib/*-linux-gnu/{modules}"), *FOLDER.glob(f"usr/lib/{modules}")]
    env = {"LD_LIBRARY_PATH": ":".join(str(folder) for folder in folders)}
    return Unpacked(path, [option, str(found[0])], env)
