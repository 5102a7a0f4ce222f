"""Why the service does not run: how it ended last, what it said, who starts it again."""

import re
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.output import time_text
from cli.supervision.background import background_of
from cli.supervision.systemd import SETUP_CODES, UNIT, Unit, unit_of_machine
from nss.background.lock import Lock, process_facts
from nss.background.process import Background
from nss.background.supervisor import RESTART_SECS
from nss.config import DEFAULT_CONFIG
from nss.errors import NssError
from nss.wording import duration_text, harmless

_SAID_LINES = 12
_FACTS = (
    *("ActiveState", "SubState", "Result", "NRestarts", "RestartUSec", "UnitFileState"),
    *("ExecMainCode", "ExecMainStatus", "ExecMainPID", "InvocationID"),
    *("ExecMainExitTimestampMonotonic", "ActiveExitTimestampMonotonic"),
)
_KILLED = {"2", "3"}
"""`ExecMainCode` of a process that a signal has ended: CLD_KILLED, CLD_DUMPED."""

_WORDS = {
    64: "its command line makes no sense",
    66: "a file that it needs is missing, or may not be read",
    70: "a part of it failed that should not have",
    74: "something that it needs could not be used: an address, a disk or a file",
    75: "it was stopped before everything was delivered; the spool keeps the rest",
    78: "its configuration is wrong, or does not fit this machine",
}
_RESULTS = {
    "oom-kill": "the system killed it because memory ran out",
    "watchdog": "it hung, and the watchdog killed it",
    "timeout": "it took longer to start or to stop than the unit allows",
    "start-limit-hit": "it ended too often in a short time",
    "resources": "systemd could not provide what the unit asks for",
    "protocol": "it ended before it was ready",
}
_PERSON_FIRST = frozenset({64, 66, 78})
_CHECK = "sudo nss check"
_START = "sudo nss start"

_LOG_LINE = re.compile(r'\d{4}-\d\d-\d\dT|\{"')
_LOGGED_ERROR = re.compile(
    r'\d{4}-\d\d-\d\dT\S+ (?:error|critical) |\{.*"level":"(?:error|critical)"'
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the service does not run. Texts come in part from the service, and are not harmless."""

    cause: str
    """In words, as the rest of "the service is not running: "."""
    remedy: str
    ended_at: float | None = None
    """When it ended last, seconds since the epoch."""
    down_since: float | None = None
    """Since when it has not been ready, where that is known."""
    again: str = ""
    """Whether it is started again, and how often it was; empty where that is of no interest."""
    said: tuple[str, ...] = ()
    """Its last words, where it had something to say."""

    def lines(self, now: float) -> list[str]:
        """Return the facts after the cause, a line each, harmless."""
        facts = []
        if self.ended_at is not None:
            facts.append(f"it ended {_moment(self.ended_at, now)}")
        if self.down_since is not None and (self.ended_at or now) - self.down_since > RESTART_SECS:
            facts.append(f"it has not been ready since {_moment(self.down_since, now)}")
        if self.again:
            facts.append(self.again)
        said = ["it said:", *(f"  {line}" for line in self.said)] if self.said else []
        return [harmless(line) for line in (*facts, *said)]


def ending_of(config: Path) -> Ending | None:
    """Return why the service of a configuration does not run; `None` when nobody knows."""
    with suppress(NssError, OSError):
        unit = unit_of_machine() if config.absolute() == DEFAULT_CONFIG else None
        return _of_unit(unit) if unit is not None else _of_background(background_of(config))
    return None


def _moment(at: float, now: float) -> str:
    return f"{time_text(at)} ({duration_text(now - at)} ago)"


def _of_unit(unit: Unit) -> Ending:
    facts = unit.facts(*_FACTS)
    ended_at = _epoch(facts.get("ExecMainExitTimestampMonotonic", ""))
    match facts.get("ActiveState"), facts.get("SubState"):
        case "active" | "reloading", _:
            return Ending(
                "systemd says that it runs, but it does not answer there", "sudo nss restart"
            )
        case "activating", "auto-restart":
            pass
        case "activating", _:
            return Ending("it is starting", "nss status, in a moment")
        case "deactivating", _:
            return Ending("it is stopping: it delivers what is pending", "nss status, in a moment")
        case "inactive", _ if ended_at is None:
            return Ending(
                "it was stopped, or not started since this machine booted", _start_remedy(facts)
            )
    cause, code = _cause(facts)
    is_retried = facts.get("SubState") == "auto-restart"
    failed = facts.get("Result") != "success"
    return Ending(
        cause,
        _remedy(code, is_retried=is_retried) if failed else _start_remedy(facts),
        ended_at,
        _epoch(facts.get("ActiveExitTimestampMonotonic", "")) if failed else None,
        _again(facts, is_retried=is_retried) if failed else "",
        _said(unit, facts) if failed else (),
    )


def _said(unit: Unit, facts: Mapping[str, str]) -> tuple[str, ...]:
    words = last_words(unit.last_lines(facts))
    return words or tuple(unit.last_lines(facts, "err")[-1:])


def _start_remedy(facts: Mapping[str, str]) -> str:
    is_off = facts.get("UnitFileState") == "disabled"
    return f"{_START}; with the machine: sudo nss enable-autostart" if is_off else _START


def _cause(facts: Mapping[str, str]) -> tuple[str, int | None]:
    """Return how the main process ended, in words, and its exit code if it had one."""
    result, status = facts.get("Result", ""), _number(facts.get("ExecMainStatus", ""))
    if result in _RESULTS:
        return f"{_RESULTS[result]} ({result})", None
    if facts.get("ExecMainCode") in _KILLED:
        return _killed_by(status), None
    return _exited_with(status), status


def _exited_with(code: int) -> str:
    if code == 0:
        return "it was stopped, or was done"
    if code in SETUP_CODES:
        words = "systemd could not set up what the unit asks for"
    else:
        words = _WORDS.get(code, "it failed in a way that was not planned")
    return f"{words} (exit code {code})"


def _killed_by(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unknown"
    return f"it was killed by signal {number} ({name})"


def _again(facts: Mapping[str, str], *, is_retried: bool) -> str:
    if not is_retried:
        return "systemd does not start it again by itself"
    times = _number(facts.get("NRestarts", ""))
    done = f"; {times:,} times so far" if times > 1 else ""
    return f"systemd starts it again, {facts.get('RestartUSec', '?')} after each end{done}"


def _remedy(code: int | None, *, is_retried: bool) -> str:
    if code in _PERSON_FIRST:
        return f"{_CHECK}; correct what it names; then: {_START}"
    if is_retried:
        return f"{_CHECK}; once the cause is gone it starts by itself"
    return f"{_START}; what came before: journalctl -u {UNIT}"


def _of_background(background: Background) -> Ending | None:
    note, holder = Lock(background.lock).read(), background.pid()
    if note is None:
        return None
    if holder is not None:
        facts = None if note.service_pid is None else process_facts(note.service_pid)
        if facts is not None and facts.parent == holder:
            return Ending("it is starting, or does not answer", "nss status, in a moment")
    elif note.exit_code is None:
        return Ending("its supervisor was killed, or the machine was started anew", _START)
    code = note.exit_code
    if code is None:
        cause = "it failed"
    else:
        cause = _killed_by(code - 128) if code > 128 else _exited_with(code)  # noqa: PLR2004 - of shells
    stays = "nss start does not start it again by itself"
    retried = f"its supervisor starts it again, {RESTART_SECS:.0f} s after each end"
    return Ending(
        cause,
        _START if code == 0 else _remedy(code, is_retried=holder is not None),
        note.ended_at,
        again="" if code == 0 else stays if holder is None else retried,
        said=() if code == 0 else last_words(background.last_lines()),
    )


def last_words(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the reason that the last lines of a process give for its end, if they give one."""
    for start in range(len(lines) - 1, -1, -1):
        if lines[start].startswith("nss: "):
            said = (line for line in lines[start:] if not line.startswith("Try: "))
            return tuple(said)[:_SAID_LINES]
        if _LOG_LINE.match(lines[start]):
            break
    errors = [line for line in lines if _LOGGED_ERROR.match(line)]
    return tuple(errors[-1:])


def _epoch(monotonic_usec: str) -> float | None:
    """Return a time of systemd's as seconds since the epoch, `None` when it never came."""
    at = _number(monotonic_usec)
    return time.time() - (time.monotonic() - at / 1e6) if at else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
