"""What the console shows above its login prompt: agetty reads it from /run/issue.d (agetty(8))."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nss.status.summary import Status
from nss.wording import harmless

ISSUE = Path("/run/issue.d/nss.issue")
WIDTH = 79
"""Columns of the console, less the last one."""

MAX_REASON = 240


@dataclass(frozen=True, slots=True)
class Setup:
    """How far the set-up of the appliance has come."""

    is_configured: bool
    needs_credentials: bool = False
    """Whether some feed uploads to MCAS, and there are no credentials for it."""
    problem: str = ""
    """Why the configuration can't be used, as one line; empty: it can."""


def next_step(setup: Setup, *, is_running: bool) -> str:
    """Return the command to type next."""
    if not setup.is_configured:
        return "sudo nss configure"
    if setup.problem:
        return "sudo nss check"
    if setup.needs_credentials:
        return "sudo nss configure-mcas2"
    return "nss status" if is_running else "sudo nss start"


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to show."""

    version: str
    host: str
    link: str
    """The service interface; empty: the machine has none."""
    addresses: Sequence[str]
    setup: Setup
    status: Status | None
    """`None`: the service does not answer."""
    trial: str = ""
    """The address that waits for a confirmation, if one does."""


def issue(facts: Facts) -> str:
    """Return the text for agetty: nothing in it is obeyed by agetty or by the terminal."""
    lines = (line for text in _lines(facts) for line in _wrapped(text))
    return "\n" + "".join(f"{escaped(line)}\n" for line in lines) + "\n"


def escaped(text: str) -> str:
    r"""Return text that agetty prints as it is: it obeys what follows a backslash."""
    return text.replace("\\", "\\\\")


def _lines(facts: Facts) -> Iterator[str]:
    yield f"NSS, an open Nanolog Streaming Service {facts.version}"
    yield f"Host:    {facts.host}"
    found = ", ".join(facts.addresses) or "no address yet"
    yield f"Address: {found} ({facts.link})" if facts.link else "Address: no network interface"
    if facts.trial:
        yield f"Network: {facts.trial} is on trial; to keep it: sudo nss confirm-network"
    yield f"State:   {state_of(facts.setup, facts.status)}"
    yield f"Next:    {next_step(facts.setup, is_running=facts.status is not None)}"


def state_of(setup: Setup, status: Status | None) -> str:
    """Return the state of the service in one line, with the first reason where it is degraded."""
    if status is None:
        if not setup.is_configured:
            return "not configured"
        return f"not running: {setup.problem}" if setup.problem else "not running"
    reason = next((str(each) for each in status.health.reasons if each.degrades), "")
    if len(reason) > MAX_REASON:
        reason = f"{reason[: MAX_REASON - 3]}..."
    return status.summary if status.health.ok else f"degraded: {reason}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(harmless(text), WIDTH, subsequent_indent=" " * 9) or [""]
