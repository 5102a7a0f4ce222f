"""The status of the running service at one moment, as plain frozen values.

Ages and rates are measured with a clock that nobody sets; times of day are seconds since the
epoch and are for people. Everything here can be written as JSON by orjson and msgspec.
"""

from dataclasses import dataclass, field
from typing import Literal

from nss.expiry import Expiry
from nss.status.readings import (
    CommonRejectReading,
    ElsewhereReading,
    GapsReading,
    GroupReading,
    ParsingReading,
    RefusalReading,
    SpoolReading,
    UploadReading,
)
from nss.status.sync_readings import SyncReading

SourceState = Literal["reading", "idle", "failing", "ended"]
FeedState = Literal["moving", "idle", "failing", "stuck"]
Confirmation = Literal["sent", "written", "confirmed"]
"""What is known of records that count as delivered.

`sent`: the kernel took them for the network, and nobody who read them said so. `written`: they are
in the file, the pipe or standard output, with `sync` on the disk. `confirmed`: the destination said
that it has them.
"""

SyncState = Literal["not configured", "waiting", "running", "synced", "failing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing to know about the service's health, as a sentence for people."""

    component: str
    """`feed mcas`, `source web`, `spool`."""
    why: str
    since: float | None = None
    """Seconds since the epoch; `None` for what always holds."""
    degrades: bool = True
    """Whether the service is degraded by it; otherwise it is only mentioned."""
    next_try_at: float | None = None
    """When the service tries again by itself, seconds since the epoch; `None`: it does not."""
    meaning: str = ""
    """What it means for records: `1,204 records wait in the spool, none is lost`."""
    remedy: str = ""
    """The one command or edit that ends it, as half a sentence; empty: nothing is to be done."""

    def __str__(self) -> str:
        return f"{self.component}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether records get where they should, and the reasons if not."""

    ok: bool
    alive: bool
    """`False` only when the service itself hangs, so that a restart may help."""
    reasons: tuple[Reason, ...] = ()
    """Those that degrade come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """A source: what was accepted from it since it started."""

    name: str
    kind: str
    state: SourceState
    records: int
    data_bytes: int
    records_per_sec: float
    bytes_per_sec: float
    last_at: float | None
    """When the last record was accepted, seconds since the epoch; `None`: none yet."""
    last_error: str | None
    failing_secs: float
    """How long there has been an error, without a break."""
    advice: str | None = None
    """What somebody should know though the source works, as a sentence."""
    refusals: tuple[RefusalReading, ...] = ()
    """What it refused, by cause, the newest first."""
    held_up: str | None = None
    """Why its records can't be accepted now, as half a sentence; `None`: they are."""
    group: GroupReading | None = None
    """`None` for a source that shares nothing with other instances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """A feed and its account: accepted = delivered + filtered + rejected + dropped + pending."""

    name: str
    kind: str
    destination: str
    state: FeedState
    accepted: int
    delivered: int
    filtered: int
    rejected: int
    dropped: int
    pending: int
    pending_bytes: int = 0
    """What pending records take in the spool, as its `max_bytes` counts: whole batches."""
    max_pending_bytes: int | None = None
    """How much that may be; `None`: no limit but the spool's."""
    drops_oldest: bool = False
    """Whether its oldest records are dropped at the limit; otherwise its sources wait."""
    limited_since: float | None = None
    """Since when the limit has held, seconds since the epoch; `None`: there is room."""
    limited_dropped: int = 0
    """Records dropped in that time."""
    shortened: int
    """Delivered records that were too long and were cut."""
    records_per_sec: float
    """Delivered, filtered and rejected a second."""
    rejected_lately: int
    """Rejected within the last minute."""
    lag_secs: float
    """How long ago the oldest pending record was accepted."""
    lag_growth_secs: float
    """How much the lag grew within the last minute."""
    still_secs: float
    """How long records have been pending while none of them moved."""
    patience_secs: float
    """How long records may wait without anything being wrong: the feed's sink collects them."""
    sending: bool
    """Whether its sink is at work on lines now, even if slowly."""
    last_error: str | None
    failing_secs: float
    """How long there has been an error, without a break."""
    advice: str | None = None
    """What somebody should know though nothing is wrong, as a sentence."""
    upload: UploadReading | None = None
    """`None` for a sink that does not upload."""
    confirmation: Confirmation = "sent"
    """What its sink knows of what it delivered."""
    last_delivered_at: float | None = None
    """When records were last delivered since the service started, seconds since the epoch; of a
    feed that uploads, when MCAS last confirmed it. `None`: not yet."""
    gaps: tuple[GapsReading, ...] = ()
    """What it can't use of its sources' records, and what it lacks of them."""
    next_try_at: float | None = None
    """When lines that were not taken are tried again, seconds since the epoch; `None`: none are,
    or now."""
    remedy: str = ""
    """What to do about `last_error`, as half a sentence; empty: its sink does not know."""
    common_reject: CommonRejectReading | None = None
    """Why most of what it rejected since it started was rejected."""
    processed_lately: int = 0
    """Delivered, filtered and rejected within the last minute."""
    rejecting_secs: float = 0.0
    """How long there have been rejects in every minute."""

    @property
    def unaccounted(self) -> int:
        """Records missing from the account; anything but 0 is a fault of NSS."""
        known = self.delivered + self.filtered + self.rejected + self.dropped + self.pending
        return self.accepted - known


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus(SpoolReading):
    """The queue between sources and feeds."""

    full_secs: float
    """How long it has been full, without a break."""
    failing_secs: float
    """How long there has been an error, without a break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryStatus(Expiry):
    """A secret or a certificate that ends."""

    days: int
    """The whole days that are left, negative after the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus(SyncReading):
    """The sync of unsanctioned apps: when it last ran, with which result, when it runs next."""

    state: SyncState


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole service at one moment."""

    version: str
    pid: int
    started_at: float
    """Seconds since the epoch."""
    at: float
    """When this was so, seconds since the epoch."""
    config: str
    """The path of the configuration file."""
    health: Health
    sources: tuple[SourceStatus, ...]
    feeds: tuple[FeedStatus, ...]
    spool: SpoolStatus
    parsing: ParsingReading | None = None
    """What became of uploaded files in Cloud Discovery, where some feed uploads."""
    core: Literal["compiled", "python"] = "python"
    """What decodes and renders records."""
    expiries: tuple[ExpiryStatus, ...] = ()
    """What ends, the next first."""
    sync: SyncStatus | None = None
    """`None`: it is off."""
    elsewhere: ElsewhereReading = field(default_factory=ElsewhereReading)
    """What other machines do, as the configuration says."""

    @property
    def summary(self) -> str:
        """The state in one line."""
        word = "healthy" if self.health.ok else "degraded"
        rate = sum(feed.records_per_sec for feed in self.feeds)
        pending = sum(feed.pending for feed in self.feeds)
        return f"{word}: {rate:,.0f} records/s, {pending:,} pending"
