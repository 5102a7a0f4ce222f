"""Readings of the running parts at one moment, as plain frozen values.

`nss.status.watch` makes rates and durations of them; `nss.status.summary` explains each number.
"""

from dataclasses import dataclass
from typing import Literal

from nss.batch import Account

UploadState = Literal["collecting", "uploading", "failing", "held", "unconfirmed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """A source, and what the spool accepted from it since it started."""

    name: str
    kind: str
    records: int
    data_bytes: int
    """LFs included."""
    last_at: float | None
    """When the last record was accepted, seconds since the epoch; `None`: none yet."""
    ended: bool
    """Whether nothing more will come."""
    last_error: str | None
    advice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadReading:
    """The uploads of a feed since it started. Times are seconds since the epoch."""

    state: UploadState
    last_confirmed_at: float | None
    """When MCAS confirmed an upload last; `None`: none yet."""
    next_due_at: float | None
    """When what is collected is uploaded at the latest; `None`: nothing is collected."""
    held_until: float | None
    """When the upload at hand is tried again; `None` if nothing holds it."""
    unconfirmed: int
    """Files that counted as delivered though MCAS had not confirmed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """A feed, and what became of its records."""

    name: str
    kind: str
    destination: str
    account: Account
    accepted: int
    pending: int
    lag_secs: float
    handed_over: int
    """Lines that its sink accepted; moves inside of batches, the account only at their end."""
    patience_secs: float
    sending: bool
    last_error: str | None
    advice: str | None
    upload: UploadReading | None = None
    """`None` for a sink that does not upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolReading:
    """The spool."""

    durable: bool
    used_bytes: int
    max_bytes: int
    full: bool
    last_error: str | None
    kept_rejects: int


@dataclass(frozen=True, slots=True)
class ServiceReading:
    """All parts of the service."""

    sources: tuple[SourceReading, ...]
    feeds: tuple[FeedReading, ...]
    spool: SpoolReading
