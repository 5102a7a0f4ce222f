"""A command run as the unit would run it: its user, its file system, its ports, its credentials.

It gets a unit of its own for as long as it runs, with the text of the service's unit, drop-ins
included, as systemd itself would read it. Only what is about starts and stops is replaced.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cli.supervision.systemd import BOOTED, SETUP_CODES, UNIT, Unit
from nss.errors import ConfigError, ServiceError

MAX_OUTPUT_BYTES = 4 << 20

_RUN_SECS = 60
_OF_OUR_OVERRIDES = frozenset({208, 209, 222})
"""Of input, output and errors."""

_OVERRIDES = """\
Type=oneshot
RemainAfterExit=no
Restart=no
ExecCondition=
ExecStartPre=
ExecStart=
ExecStart={command}
ExecStartPost=
ExecReload=
ExecStop=
ExecStopPost=
SuccessExitStatus=
WatchdogSec=0
TimeoutStartSec={secs}
StandardInput=null
StandardOutput=file:{folder}/output
StandardError=file:{folder}/errors
# Its end must leave alone what belongs to the service, which may be at work.
RuntimeDirectoryPreserve=yes
RemoveIPC=no
"""


class NotRun(ServiceError):  # noqa: N818 - it is what happened
    """systemd did not run the command, or it ended with an error of its own."""


class NotSetUp(ConfigError):  # noqa: N818 - it is what was found
    """systemd can't give a process what the unit asks for: the service would not start either."""


def run_within(unit: Unit, command: Sequence[str]) -> bytes:
    """Return what a command prints that runs within the limits of the unit; only root may.

    Raises `NotRun` and `NotSetUp`.
    """
    name = f"{UNIT.removesuffix('.service')}-check-{os.getpid()}.service"
    with tempfile.TemporaryDirectory(dir="/run", prefix="nss-check-") as folder:
        for output in ("output", "errors"):
            (Path(folder) / output).touch(mode=0o600)
        text = _unit_text(unit.text(), command, Path(folder))
        with _installed(BOOTED / name, text):
            ran = unit.run_other(name)
        printed = _beginning(Path(folder) / "output")
        errors = _beginning(Path(folder) / "errors").decode(errors="replace").splitlines()
    if ran.code in SETUP_CODES and ran.code not in _OF_OUR_OVERRIDES:
        said = "".join(f"\n  {line.replace(name, UNIT)}" for line in ran.said)
        raise NotSetUp(
            f"{UNIT}: systemd can't set up what it asks for (exit code {ran.code}){said}",
            tip=f"systemctl cat {UNIT}; what was added is changed with: systemctl edit {UNIT}",
        )
    if ran.refusal or not printed:
        raise NotRun(errors[-1] if errors else ran.refusal or "it printed nothing")
    return printed


def _unit_text(service: str, command: Sequence[str], folder: Path) -> str:
    """Return the text of a unit that runs a command as the service would be run."""
    overrides = _OVERRIDES.format(
        command=" ".join(map(_quoted, command)), secs=_RUN_SECS, folder=folder
    )
    lines = "".join(f"{line}\n" for line in _section(service.splitlines(), "[Service]"))
    head = f"[Unit]\nDescription=A check of {UNIT}\n"
    return f"{head}[Service]\n{lines}\n{overrides}"


def _section(lines: Iterable[str], wanted: str) -> Iterator[str]:
    """Yield the lines of all sections of a name."""
    section, is_continued = "", False
    for line in lines:
        if line.startswith("[") and not is_continued:
            section = line.strip()
        elif section == wanted:
            yield line
        if not line.startswith(("#", ";")):  # within a statement, comments are skipped
            is_continued = line.endswith("\\")


def _quoted(argument: str) -> str:
    r"""Return an argument as `ExecStart=` takes it: no %, $, quotes and \ mean anything."""
    for special, plain in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        argument = argument.replace(special, plain)
    return f'"{argument}"'


@contextlib.contextmanager
def _installed(path: Path, text: str) -> Iterator[None]:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotRun(f"{error.strerror} ({path})") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_OUTPUT_BYTES)
