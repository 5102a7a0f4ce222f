"""Readings of the sync of unsanctioned apps at one moment, as plain frozen values."""

from dataclasses import dataclass
from typing import Literal

SyncOutcome = Literal["synced", "unchanged", "empty", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRun:
    """A run of the sync of unsanctioned apps, and what came of it."""

    outcome: SyncOutcome
    """`refused`: the list was empty or had shrunk; `empty`: it was, and nothing had been synced."""
    target: str
    """`zia` or `file`."""
    destination: str
    at: float
    """When it began, seconds since the epoch."""
    secs: float
    """How long it took."""
    urls: int = 0
    """URLs of the list, without those set aside."""
    added: int = 0
    removed: int = 0
    kept: int = 0
    """URLs in the category that people put there."""
    set_aside: int = 0
    """Entries of the list that can't be synced."""
    quota_remaining: int | None = None
    """How many URLs the organisation may still add."""
    error: str | None = None
    """Why it failed or was refused, as a sentence."""
    tip: str | None = None
    """What to do about that."""
    advice: str | None = None
    """What somebody should know though nothing is wrong, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockingReading:
    """Whether ZIA blocks the synced category as a whole, as its API describes the policies."""

    destination: str
    """The category."""
    at: float
    """When that was looked up, seconds since the epoch."""
    blocked: bool | None
    """`None`: it can't be said."""
    since: float | None = None
    """Since when every look has had this result."""
    code: str | None = None
    """The reason why it may open, for programs: `no_rule`, `allowed_before`."""
    reason: str | None = None
    """The first reason why it may open, or why that can't be said, as a sentence."""
    remedy: str | None = None
    portal: str | None = None
    """Where to go in the admin portal as it was."""
    experience_center: str | None = None
    """Where to go in the new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReading:
    """The sync of unsanctioned apps."""

    target: str
    """`zia` or `file`."""
    destination: str
    ready: bool
    """Whether there are credentials for MCAS; nothing runs without."""
    running: bool
    last: SyncRun | None
    last_success_at: float | None
    """Seconds since the epoch."""
    urls: int | None
    """URLs of the list at the last success."""
    failures: int
    """Runs that failed since then."""
    failing_since: float | None
    next_at: float | None
    """When the next run is due, seconds since the epoch."""
    patience_secs: float
    """How long there may be no success without anything being wrong."""
    last_error: str | None
    """Why the sync can't even be planned, for example a file that can't be read."""
    remedy: str = ""
    """What to do about that, as half a sentence; empty: that is not known."""
    blocking: BlockingReading | None = None
    """`None`: nobody has looked, or the target is a file."""
