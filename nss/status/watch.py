"""Readings over time: rates, how long conditions have lasted, and the status they make.

`Watch.status` is called about once a second. A gap between two calls counts for at most
`MAX_GAP_SECS`, so that a process that was paused is not taken for one that hangs.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from formats.compiled import mode
from nss.status.clock import ClockWatch
from nss.status.health import STUCK_SECS, judge
from nss.status.notices import notices
from nss.status.readings import FeedReading, ServiceReading, SourceReading, SpoolReading
from nss.status.summary import (
    Confirmation,
    ExpiryStatus,
    FeedState,
    FeedStatus,
    SourceState,
    SourceStatus,
    SpoolStatus,
    Status,
    SyncState,
    SyncStatus,
)
from nss.status.sync_readings import BlockingReading, SyncReading
from nss.wording import own_version

RATE_SECS = 10.0
"""Over about how many seconds rates are taken."""

MEMORY_SECS = 60.0
"""How long numbers are remembered."""

MAX_GAP_SECS = 5.0

_MIN_STEP_SECS = 0.5

CONFIRMATIONS: Mapping[str, Confirmation] = {
    "syslog_udp": "sent",
    # What a collector's TCP has not acknowledged counts, too; and none says what it has read.
    "syslog_tcp": "sent",
    "file": "written",
    "cloud_discovery": "confirmed",
    "kafka": "confirmed",
}
"""What each kind of sink knows of what it delivered; see docs/guarantees.md."""


@dataclass(slots=True)
class _Trail:
    """Numbers of one part over the last minute, and how long its conditions have held."""

    samples: deque[tuple[float, tuple[float, ...]]] = field(default_factory=deque)
    progress: tuple[int, ...] = ()
    failing_secs: float = 0.0
    still_secs: float = 0.0
    rejecting_secs: float = 0.0
    delivered: int | None = None
    delivered_at: float | None = None
    """Seconds since the epoch."""

    def add(self, at: float, numbers: tuple[float, ...]) -> None:
        """Remember numbers; when the first of them falls, the part was restarted."""
        if self.samples and numbers[0] < self.samples[-1][1][0]:
            self.samples.clear()
        if not self.samples or at - self.samples[-1][0] >= _MIN_STEP_SECS:
            self.samples.append((at, numbers))
        while at - self.samples[0][0] > MEMORY_SECS:
            self.samples.popleft()

    def growth(self, index: int, number: float, at: float, secs: float) -> tuple[float, float]:
        """Return by how much a number grew within about `secs`, and in how many seconds exactly."""
        for then, numbers in self.samples:
            if at - then <= secs:
                return number - numbers[index], at - then
        return 0.0, 0.0

    def rate(self, index: int, number: float, at: float) -> float:
        """Return by how much a number grows a second."""
        grown, secs = self.growth(index, number, at, RATE_SECS)
        return max(0.0, grown / secs) if secs >= _MIN_STEP_SECS else 0.0


class Watch:
    """Watches the parts of one service, from its start to its end."""

    def __init__(
        self,
        config: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._clock = clock
        self._now = now
        self._started_at = now()
        self._version = own_version() or "not installed"
        self._looked_at: float | None = None
        self._sources: dict[str, _Trail] = {}
        self._feeds: dict[str, _Trail] = {}
        self._clock_watch = ClockWatch()
        self._full_secs = 0.0
        self._spool_failing_secs = 0.0

    def status(self, reading: ServiceReading) -> Status:
        """Take note of what the parts read now, and return what is known of the service."""
        at, now = self._clock(), self._now()
        gap = 0.0 if self._looked_at is None else min(at - self._looked_at, MAX_GAP_SECS)
        self._looked_at = at
        # What is known of parts that are gone is forgotten.
        self._sources = {
            part.name: self._sources.get(part.name, _Trail()) for part in reading.sources
        }
        self._feeds = {part.name: self._feeds.get(part.name, _Trail()) for part in reading.feeds}
        sources = tuple(self._source(source, at, gap, now) for source in reading.sources)
        feeds = tuple(self._feed(feed, at, gap, now) for feed in reading.feeds)
        spool = self._spool(reading.spool, gap)
        sync = None if reading.sync is None else _sync(reading.sync, now)
        return Status(
            version=self._version,
            pid=os.getpid(),
            started_at=self._started_at,
            at=now,
            config=self._config,
            health=judge(
                sources,
                feeds,
                spool,
                now,
                reading.parsing,
                reading.expiries,
                sync,
                (*notices(reading), *self._clock_watch.reasons(at, now, reading.clock)),
            ),
            sources=sources,
            feeds=feeds,
            spool=spool,
            parsing=reading.parsing,
            core=mode(),
            expiries=tuple(
                ExpiryStatus(**asdict(expiry), days=expiry.days_left(now))
                for expiry in reading.expiries
            ),
            sync=sync,
            elsewhere=reading.elsewhere,
        )

    def _source(self, source: SourceReading, at: float, gap: float, now: float) -> SourceStatus:
        trail = self._sources[source.name]
        trail.failing_secs = _held(trail.failing_secs, gap, source.last_error is not None)
        trail.add(at, (source.records, source.data_bytes))
        idle = source.last_at is None or now - source.last_at > RATE_SECS
        state: SourceState = "idle" if idle else "reading"
        if source.ended:
            state = "ended"
        if source.last_error is not None:
            state = "failing"
        return SourceStatus(
            name=source.name,
            kind=source.kind,
            state=state,
            records=source.records,
            data_bytes=source.data_bytes,
            records_per_sec=trail.rate(0, source.records, at),
            bytes_per_sec=trail.rate(1, source.data_bytes, at),
            last_at=source.last_at,
            last_error=source.last_error,
            failing_secs=trail.failing_secs,
            advice=source.advice,
            refusals=source.refusals,
            held_up=source.held_up,
            group=source.group,
        )

    def _feed(self, feed: FeedReading, at: float, gap: float, now: float) -> FeedStatus:
        trail, account = self._feeds[feed.name], feed.account
        # Records that moved on; a full spool drops also for a feed that hangs.
        moved = account.delivered + account.filtered + account.rejected
        progress = (moved, feed.handed_over)
        # Records that come while nothing waits have not stood still yet.
        still = feed.pending > 0 and progress == trail.progress
        trail.still_secs = _held(trail.still_secs, gap, still)
        trail.progress = progress if feed.pending else ()
        trail.failing_secs = _held(trail.failing_secs, gap, feed.last_error is not None)
        trail.add(at, (moved, account.rejected, feed.lag_secs))
        rate = trail.rate(0, moved, at)
        rejected = int(trail.growth(1, account.rejected, at, MEMORY_SECS)[0])
        trail.rejecting_secs = _held(trail.rejecting_secs, gap, rejected > 0)
        return FeedStatus(
            name=feed.name,
            kind=feed.kind,
            destination=feed.destination,
            state=_feed_state(feed, trail.still_secs, rate),
            accepted=feed.accepted,
            delivered=account.delivered,
            filtered=account.filtered,
            rejected=account.rejected,
            dropped=account.dropped,
            pending=feed.pending,
            pending_bytes=feed.pending_bytes,
            max_pending_bytes=feed.max_pending_bytes,
            drops_oldest=feed.drops_oldest,
            limited_since=feed.limited_since,
            limited_dropped=feed.limited_dropped,
            shortened=account.shortened,
            records_per_sec=rate,
            rejected_lately=rejected,
            common_reject=feed.common_reject,
            processed_lately=int(trail.growth(0, moved, at, MEMORY_SECS)[0]),
            rejecting_secs=trail.rejecting_secs,
            lag_secs=feed.lag_secs,
            lag_growth_secs=trail.growth(2, feed.lag_secs, at, MEMORY_SECS)[0],
            still_secs=trail.still_secs,
            patience_secs=feed.patience_secs,
            sending=feed.sending,
            last_error=feed.last_error,
            failing_secs=trail.failing_secs,
            advice=feed.advice,
            upload=feed.upload,
            confirmation=CONFIRMATIONS.get(feed.kind, "sent"),
            last_delivered_at=_delivered_at(feed, trail, now),
            gaps=feed.gaps,
            next_try_at=feed.next_try_at,
            remedy=feed.remedy,
        )

    def _spool(self, spool: SpoolReading, gap: float) -> SpoolStatus:
        failing = spool.last_error is not None
        self._full_secs = _held(self._full_secs, gap, spool.full)
        self._spool_failing_secs = _held(self._spool_failing_secs, gap, failing)
        return SpoolStatus(
            **asdict(spool), full_secs=self._full_secs, failing_secs=self._spool_failing_secs
        )


def _held(secs: float, gap: float, holds: bool) -> float:  # noqa: FBT001 - the condition itself
    return secs + gap if holds else 0.0


def _delivered_at(feed: FeedReading, trail: _Trail, now: float) -> float | None:
    """Return when the feed last delivered since the start, and take note of it in its trail."""
    if feed.upload is not None:
        # What is delivered may be files that MCAS never confirmed, or an earlier process's.
        trail.delivered_at = feed.upload.last_confirmed_at or trail.delivered_at
        return trail.delivered_at
    delivered, before = feed.account.delivered, trail.delivered
    # At the first look the account may be that of earlier processes.
    grew = feed.handed_over > 0 if before is None else delivered > before
    trail.delivered = delivered
    if grew and delivered:
        trail.delivered_at = now
    return trail.delivered_at


def _sync(sync: SyncReading, now: float) -> SyncStatus:
    state: SyncState = "waiting" if sync.last is None else "synced"
    if sync.last_error is not None or (sync.last is not None and sync.last.error is not None):
        state = "failing"
    if sync.last is not None and sync.last.outcome == "empty":
        state = "waiting"
    if not sync.ready:
        state = "not configured"
    if sync.running:
        state = "running"
    blocking = sync.blocking
    if blocking is not None and now - blocking.at >= sync.patience_secs:
        blocking = _outdated(blocking, now)
    parts = {"last": sync.last, "blocking": blocking}
    return SyncStatus(**asdict(replace(sync, last=None, blocking=None)) | parts, state=state)


def _outdated(blocking: BlockingReading, now: float) -> BlockingReading:
    """Return what is known when nobody has looked for long: rules change at any time."""
    return BlockingReading(
        destination=blocking.destination,
        at=blocking.at,
        blocked=None,
        reason=f"it was looked up {(now - blocking.at) / 3600:.0f} h ago, and not since",
        remedy="run: nss verify-blocking",
    )


def _feed_state(feed: FeedReading, still_secs: float, rate: float) -> FeedState:
    if feed.last_error is not None:
        return "failing"
    if still_secs >= STUCK_SECS + feed.patience_secs:
        return "stuck"
    return "moving" if feed.pending or rate else "idle"
