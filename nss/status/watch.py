"""The watch over parts at work: what they tell now, and for how long and how quickly.

`Watch.look` is called about once a second; rates, and how long something has lasted, come from
what it saw. A gap between two looks counts for at most `MAX_GAP_SECS`, so that a process that was
paused is not taken for one that hangs.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nss.batch import Account
from nss.status.health import STUCK_SECS, judge
from nss.status.readings import FeedPart, WatchedFeed, WatchedSource, WatchedSpool
from nss.status.summary import FeedState, FeedStatus, SourceState, SourceStatus, SpoolStatus, Status
from nss.wording import own_version

RATE_SECS = 10.0
"""Rates are those of about the last so many seconds."""

MEMORY_SECS = 60.0
"""For so long numbers are remembered."""

MAX_GAP_SECS = 5.0

_MIN_STEP_SECS = 0.5


@dataclass(slots=True)
class _Trail:
    """Numbers of one part over the last minute, and how long its conditions have held."""

    samples: deque[tuple[float, tuple[float, ...]]] = field(default_factory=deque)
    progress: tuple[int, ...] = ()
    failing_secs: float = 0.0
    still_secs: float = 0.0

    def add(self, at: float, numbers: tuple[float, ...]) -> None:
        """Remember numbers, the first of which only falls when it starts anew."""
        if self.samples and numbers[0] < self.samples[-1][1][0]:
            self.samples.clear()
        if not self.samples or at - self.samples[-1][0] >= _MIN_STEP_SECS:
            self.samples.append((at, numbers))
        while at - self.samples[0][0] > MEMORY_SECS:
            self.samples.popleft()

    def growth(self, index: int, number: float, at: float, secs: float) -> tuple[float, float]:
        """Return by how much a number grew within about `secs`, and within how many exactly."""
        for then, numbers in self.samples:
            if at - then <= secs:
                return number - numbers[index], at - then
        return 0.0, 0.0

    def rate(self, index: int, number: float, at: float) -> float:
        """Return by how much a number grew a second."""
        grown, secs = self.growth(index, number, at, RATE_SECS)
        return max(0.0, grown / secs) if secs >= _MIN_STEP_SECS else 0.0


class Watch:
    """Looks at the parts of one service, from its start to its end."""

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
        self._full_secs = 0.0
        self._spool_failing_secs = 0.0

    def look(
        self, sources: Iterable[WatchedSource], feeds: Iterable[WatchedFeed], spool: WatchedSpool
    ) -> None:
        """Take note of what the parts tell now."""
        at = self._clock()
        gap = 0.0 if self._looked_at is None else min(at - self._looked_at, MAX_GAP_SECS)
        self._looked_at = at
        before, self._sources = self._sources, {}
        for source in sources:
            name = source.settings.name
            self._sources[name] = trail = before.get(name) or _Trail()
            trail.failing_secs = _held(trail.failing_secs, gap, source.part.last_error is not None)
            trail.add(at, (source.intake.records, source.intake.data_bytes))
        before, self._feeds = self._feeds, {}
        for feed in feeds:
            name = feed.settings.name
            self._feeds[name] = trail = before.get(name) or _Trail()
            _look_at_feed(trail, feed.part, at, gap)
        self._full_secs = _held(self._full_secs, gap, spool.full)
        failing = spool.last_error is not None
        self._spool_failing_secs = _held(self._spool_failing_secs, gap, failing)

    def status(
        self,
        sources: Iterable[WatchedSource],
        feeds: Iterable[WatchedFeed],
        spool: WatchedSpool,
    ) -> Status:
        """Look, and return what is known."""
        sources, feeds = tuple(sources), tuple(feeds)
        self.look(sources, feeds, spool)
        at, now = self._clock(), self._now()
        told_sources = tuple(self._source(source, at, now) for source in sources)
        told_feeds = tuple(self._feed(feed, at) for feed in feeds)
        told_spool = self._spool(spool)
        return Status(
            version=self._version,
            pid=os.getpid(),
            started_at=self._started_at,
            at=now,
            config=self._config,
            health=judge(told_sources, told_feeds, told_spool, now),
            sources=told_sources,
            feeds=told_feeds,
            spool=told_spool,
        )

    def _source(self, source: WatchedSource, at: float, now: float) -> SourceStatus:
        trail, intake = self._sources[source.settings.name], source.intake
        idle = intake.last_at is None or now - intake.last_at > RATE_SECS
        state: SourceState = "idle" if idle else "reading"
        if source.task.done():
            state = "ended"
        if source.part.last_error is not None:
            state = "failing"
        return SourceStatus(
            name=source.settings.name,
            kind=source.settings.kind,
            state=state,
            records=intake.records,
            data_bytes=intake.data_bytes,
            records_per_sec=trail.rate(0, intake.records, at),
            bytes_per_sec=trail.rate(1, intake.data_bytes, at),
            last_at=intake.last_at,
            last_error=source.part.last_error,
            failing_secs=trail.failing_secs,
        )

    def _feed(self, feed: WatchedFeed, at: float) -> FeedStatus:
        trail, part, sink = self._feeds[feed.settings.name], feed.part, feed.settings.sink
        account, lag_secs = part.cursor.account, part.cursor.lag_secs
        pending = part.cursor.pending_records
        rate = trail.rate(0, _moved(account), at)
        return FeedStatus(
            name=feed.settings.name,
            kind=sink.kind,
            destination=part.sink.destination,
            state=_feed_state(part, trail, moving=bool(pending or rate)),
            accepted=part.accepted_records,
            delivered=account.delivered,
            filtered=account.filtered,
            rejected=account.rejected,
            dropped=account.dropped,
            pending=pending,
            shortened=account.shortened,
            records_per_sec=rate,
            rejected_lately=int(trail.growth(1, account.rejected, at, MEMORY_SECS)[0]),
            lag_secs=lag_secs,
            lag_growth_secs=trail.growth(2, lag_secs, at, MEMORY_SECS)[0],
            still_secs=trail.still_secs,
            patience_secs=part.patience_secs,
            sending=part.sending,
            last_error=part.last_error,
            failing_secs=trail.failing_secs,
            advice=part.advice,
        )

    def _spool(self, spool: WatchedSpool) -> SpoolStatus:
        return SpoolStatus(
            durable=spool.durable,
            used_bytes=spool.used_bytes,
            max_bytes=spool.max_bytes,
            full=spool.full,
            full_secs=self._full_secs,
            last_error=spool.last_error,
            failing_secs=self._spool_failing_secs,
            kept_rejects=spool.kept_rejects,
        )


def _held(secs: float, gap: float, holds: bool) -> float:  # noqa: FBT001 - the condition itself
    return secs + gap if holds else 0.0


def _moved(account: Account) -> int:
    """Return the records that moved on; a full spool drops also for a feed that hangs."""
    return account.delivered + account.filtered + account.rejected


def _look_at_feed(trail: _Trail, feed: FeedPart, at: float, gap: float) -> None:
    account, cursor = feed.cursor.account, feed.cursor
    progress = (_moved(account), feed.handed_over)
    # Records that come while nothing waits have not stood still yet.
    still = cursor.pending_records > 0 and progress == trail.progress
    trail.still_secs = _held(trail.still_secs, gap, still)
    trail.progress = progress if cursor.pending_records else ()
    trail.failing_secs = _held(trail.failing_secs, gap, feed.last_error is not None)
    trail.add(at, (_moved(account), account.rejected, cursor.lag_secs))


def _feed_state(feed: FeedPart, trail: _Trail, *, moving: bool) -> FeedState:
    if feed.last_error is not None:
        return "failing"
    if trail.still_secs >= STUCK_SECS + feed.patience_secs:
        return "stuck"
    return "moving" if moving else "idle"
