"""Readings of the running parts at one moment, as plain frozen values.

`nss.status.watch` makes rates and durations of them; `nss.status.summary` explains each number.
"""

from dataclasses import dataclass

from nss.batch import Account


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
