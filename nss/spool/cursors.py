"""What the cursors of every kind of spool have in common."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from nss.batch import Account, Batch
from nss.spool import PendingLimit
from nss.spool.limits import LimitWatch


class CursorCounts:
    """Which batches are for a feed, and how many of their records it has yet to pass.

    See `nss.spool.Cursor` for what is public. `now` returns seconds since the epoch.
    """

    def __init__(
        self,
        feed: str,
        sources: Collection[str],
        account: Account,
        now: Callable[[], float],
        limit: PendingLimit | None = None,
    ) -> None:
        self.feed = feed
        self.account = account
        self.accepted_records = account.done - account.unpacked
        self.pending_records = 0
        self.pending_bytes = 0
        self.bytes_per_record = 0.0
        self.limit = limit
        self.watch = LimitWatch(feed, limit, now)
        self._sources = frozenset(sources)
        self._now = now
        self._oldest_at = 0.0
        """When the oldest batch not yet passed was accepted, if there is one."""

    @property
    def lag_secs(self) -> float:
        """How many seconds ago the oldest batch not yet passed was accepted; 0 without one."""
        return max(0.0, self._now() - self._oldest_pending_at()) if self.pending_records else 0.0

    @property
    def oldest_at(self) -> float | None:
        """When the oldest batch not yet passed was accepted; `None` without one."""
        return self._oldest_pending_at() if self.pending_records else None

    @property
    def nears_limit(self) -> bool:
        """Whether half of the limit is pending."""
        return self.limit is not None and 2 * self.pending_bytes >= self.limit.max_bytes

    @property
    def limited_since(self) -> float | None:
        """Since when the limit has held, seconds since the epoch."""
        return self.watch.since

    @property
    def limited_dropped(self) -> int:
        """How many records were dropped in that time."""
        return self.watch.dropped

    @property
    def makes_wait(self) -> bool:
        """Whether another batch would have to wait for this feed."""
        limit = self.limit
        return (
            limit is not None and not limit.drops_oldest and self.pending_bytes >= limit.max_bytes
        )

    def limits(self, source: str) -> bool:
        """Return whether another batch of a source would have to wait for this feed."""
        return self.makes_wait and self.follows(source)

    def _oldest_pending_at(self) -> float:
        """Return when the oldest batch not yet passed was accepted; there is one."""
        return self._oldest_at

    def follows(self, source: str) -> bool:
        """Return whether batches of a source are for this feed."""
        return source in self._sources

    def wants(self, batch: Batch) -> bool:
        """Return whether a batch is for this feed."""
        return batch.source in self._sources and batch.feed in ("", self.feed)

    def accept(self, records: int, accepted_at: float) -> None:
        """Note that records for this feed were accepted."""
        if not self.pending_records:
            self._oldest_at = accepted_at
        self.accepted_records += records
        self.pending_records += records


class Passing(Protocol):
    """What `least_passed` needs of a cursor."""

    pending_records: int

    @property
    def passed(self) -> int:
        """Everything up to this sequence is passed."""

    def follows(self, source: str) -> bool:
        """Return whether batches of a source are for this feed."""


def least_passed(cursors: Iterable[Passing], source: str, last: int) -> int:
    """Return up to where all cursors of a source are past its batches; `last` if none pends."""
    behind = (
        cursor.passed for cursor in cursors if cursor.follows(source) and cursor.pending_records
    )
    return min(behind, default=last)


class Signal:
    """Wakes all that wait for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake all that wait now."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait for the next `notify`."""
        await self._event.wait()
