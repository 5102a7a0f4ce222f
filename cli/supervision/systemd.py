"""The unit nss-streamer, by way of systemctl."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nss.errors import ServiceError
from nss.wording import harmless

UNIT = "nss-streamer.service"
BOOTED = Path("/run/systemd/system")
"""There exactly when systemd runs the machine (sd_booted(3))."""

SETUP_CODES = range(200, 246)
"""Exit codes of systemd itself, before a program runs (systemd.exec(5))."""

_SHOWN_LINES = 20


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of this machine. Methods raise `ServiceError` with what systemd says."""

    systemctl: str
    name: str = UNIT

    def facts(self, *names: str) -> dict[str, str]:
        """Return properties of the unit, as `systemctl show` prints them."""
        shown = self._run("show", f"--property={','.join(names)}", self.name).stdout
        return dict(line.partition("=")[::2] for line in shown.splitlines())

    def pid(self) -> int | None:
        """Return the process of the running service."""
        facts = self.facts("ActiveState", "MainPID")
        pid = facts.get("MainPID", "0")
        running = facts.get("ActiveState") in {"active", "reloading"}
        return int(pid) if running and pid.isdecimal() and pid != "0" else None

    def user(self) -> str:
        """Return the user that the service runs as; empty for root."""
        return self.facts("User").get("User", "")

    def text(self) -> str:
        """Return the unit's file and its drop-ins, as they would be read now."""
        return self._run("cat", UNIT).stdout

    def run_other(self, name: str) -> "OtherRun":
        """Start another unit, wait for its end, and have systemd forget it."""
        ran = self._run("start", name)
        other = Unit(self.systemctl, name)
        facts = other.facts("ExecMainPID", "ExecMainStatus", "InvocationID")
        said = other.last_lines(facts) if ran.returncode else []
        if ran.returncode:
            self._run("reset-failed", name)
        code = facts.get("ExecMainStatus", "")
        refusal = _first(ran) if ran.returncode else ""
        return OtherRun(int(code) if code.isdecimal() else 0, refusal, tuple(said))

    def begin(self, verb: Literal["start", "restart"]) -> int | None:
        """Start it, after a stop or not; returns its process when it is ready."""
        self._run("reset-failed", UNIT)  # the limit on restarts is for those without a person
        ran = self._run(verb, UNIT)
        if ran.returncode:
            facts = self.facts("ExecMainPID", "ExecMainStatus", "InvocationID")
            said = "".join(f"\n  {harmless(line)}" for line in self.last_lines(facts))
            raise UnitNotStarted(
                f"{verb}: systemd refuses: {_first(ran)}{said}",
                tip=f"sudo nss check; journalctl -u {UNIT}",
                code=int(facts.get("ExecMainStatus", "0")) or ServiceError.exit_code,
            )
        return self.pid()

    def last_lines(self, facts: Mapping[str, str], priority: str = "debug") -> list[str]:
        """Return what the main process said last; `facts` name it and the invocation.

        Lines of less than a priority are left out. They are not harmless, and there are none for
        users who may not read the journal.
        """
        journalctl = shutil.which("journalctl")
        if journalctl is None or not facts.get("InvocationID"):
            return []
        ran = _output(
            *(journalctl, "--no-pager", "--output=cat", f"--lines={_SHOWN_LINES}"),
            f"--priority={priority}",
            f"_SYSTEMD_INVOCATION_ID={facts['InvocationID']}",
            f"_PID={facts.get('ExecMainPID', '0')}",
        )
        return ran.stdout.splitlines()

    def stop(self) -> None:
        """Stop it; what is pending is delivered first."""
        self._obey("stop")

    def enable(self, *, wanted: bool) -> None:
        """Have it start with the machine, or no longer."""
        self._obey("enable" if wanted else "disable", ours="-autostart")

    def _obey(self, verb: str, *, ours: str = "") -> None:
        """Run a command on the unit; `ours` is what our own name for it adds."""
        ran = self._run(verb, UNIT)
        if ran.returncode:
            raise ServiceError(
                f"{verb}: systemd refuses: {_first(ran)}",
                tip=f"sudo nss {verb}{ours}; journalctl -u {UNIT}",
            )

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return _output(self.systemctl, "--no-ask-password", *command)


@dataclass(frozen=True, slots=True)
class OtherRun:
    """How a unit ended that was run once."""

    code: int
    """The exit code of its process."""
    refusal: str
    """What systemd says if it failed, else empty."""
    said: tuple[str, ...]
    """What the journal has of a failure."""


class UnitNotStarted(ServiceError):  # noqa: N818 - it is what happened
    """The service ended before it was ready, with the exit code `code`."""

    def __init__(self, message: str, *, tip: str, code: int) -> None:
        super().__init__(message, tip=tip)
        self.code = code


def unit_of_machine(booted: Path = BOOTED) -> Unit | None:
    """Return the unit, `None` where systemd does not run the machine or knows none."""
    systemctl = shutil.which("systemctl")
    if systemctl is None or not booted.is_dir():
        return None
    unit = Unit(systemctl)
    return unit if _output(systemctl, "cat", UNIT).returncode == 0 else None


def is_inside() -> bool:
    """Whether this process is one of the unit's, and has its limits."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(UNIT in group.split("/") for group in groups)


def _first(ran: subprocess.CompletedProcess[str]) -> str:
    lines = ran.stderr.strip().splitlines()
    return harmless(lines[0]) if lines else f"exit code {ran.returncode}"


def _output(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the system's own
        command, capture_output=True, text=True, errors="replace", check=False
    )
