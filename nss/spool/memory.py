"""The spool in memory: fast, bounded, and lost when the process ends."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice

from nss.batch import Account, Batch
from nss.config.model import MemorySpoolConfig
from nss.spool import (
    REASONS_MAX,
    REJECT_MAX_BYTES,
    Entry,
    Expectation,
    KeptReject,
    ReasonCount,
    Reject,
    SpoolClosed,
    SpoolError,
    sample,
)
from nss.spool.cursors import CursorCounts, Signal

REJECTS_MAX_BYTES = 4 << 20


class MemorySpool:
    """Holds batches in order of acceptance until every feed's cursor has passed them."""

    durable = False

    last_error: str | None = None

    def __init__(
        self,
        settings: MemorySpoolConfig,
        *,
        overhead_bytes: int = 256,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.max_bytes = settings.max_bytes
        self._overhead_bytes = overhead_bytes
        self.now = now
        self._entries: deque[Entry] = deque()
        self._sequence = 0
        self._used_bytes = 0
        self._waiting: deque[object] = deque()
        self._sealed = False
        self._cursors: dict[str, MemoryCursor] = {}
        self._positions: dict[str, str] = {}
        self._changed = Signal()
        self._rejects: deque[KeptReject] = deque()
        self._rejects_bytes = 0
        self._reject_number = 0

    async def append(self, batch: Batch) -> int:
        """Accept a batch; wait while the spool is full. One larger than the limit fits alone."""
        await self._wait_for_room(self._size(batch))
        self._sequence += 1
        self._used_bytes += self._size(batch)
        entry = Entry(self._sequence, batch, self.now())
        self._entries.append(entry)
        if batch.position is not None:
            self._positions[batch.source] = batch.position
        for cursor in self._cursors.values():
            cursor.accept_wanted(entry)
        self.passed()
        self._changed.notify()
        return entry.sequence

    async def keep_pace(self, source: str) -> None:
        """Return at once: all is in memory, and its limit is what holds sources up."""

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""
        return self._positions.get(source)

    async def cursor(self, feed: str, sources: Collection[str]) -> "MemoryCursor":
        """Return the cursor of a feed; see the contract."""
        known = self._cursors.get(feed)
        after = known.passed if known is not None else self._sequence - len(self._entries)
        account = known.account if known is not None else Account()
        cursor = MemoryCursor(self, feed, sources, after, account)
        for entry in self._entries:
            if entry.sequence > after:
                cursor.accept_wanted(entry)
        self._cursors[feed] = cursor
        self.passed()  # its predecessor may have held batches that it does not want
        return cursor

    async def forget(self, feed: str) -> None:
        """Remove a feed that is no longer configured; see the contract."""
        self._cursors.pop(feed, None)
        self.passed()

    def feeds(self) -> dict[str, int]:
        """Return the feeds known, each with its pending records."""
        return {name: cursor.pending_records for name, cursor in self._cursors.items()}

    async def replay(self, feed: str, since: float, until: float) -> int:  # noqa: ARG002 - the contract's
        """Raise `SpoolError`: nothing that was delivered is kept."""
        raise SpoolError(
            "replay: a spool in memory keeps nothing that was delivered",
            tip='set kind = "durable" in [spool]',
        )

    async def replayable(self, feed: str, since: float, until: float) -> int:
        """Raise `SpoolError`, as `replay` does."""
        return await self.replay(feed, since, until)

    async def replay_range(self, feed: str) -> tuple[float, float] | None:  # noqa: ARG002 - the contract's
        """Return `None`: nothing that was delivered is kept."""
        return None

    async def rejects(self, feed: str | None = None, limit: int = 100) -> list[KeptReject]:
        """Return the newest rejects, of one feed or of all, oldest first."""
        wanted = [kept for kept in self._rejects if feed in (None, kept.feed)]
        return wanted[-limit:] if limit else []

    async def reject_reasons(self, feed: str | None = None) -> list[ReasonCount]:
        """Return the kept rejects of a feed, or of all, counted by feed and reason."""
        counts: dict[tuple[str, str], ReasonCount] = {}
        for kept in await self.rejects(feed, len(self._rejects)):
            key = (kept.feed, kept.reject.reason)
            before = counts.pop(key, ReasonCount(*key, 0, 0.0))  # the newest are the last
            newest_at = max(before.newest_at, kept.rejected_at)
            counts[key] = ReasonCount(*key, before.records + kept.records, newest_at, sample(kept))
        return list(counts.values())[: -REASONS_MAX - 1 : -1]

    async def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        """Delete kept rejects; see the contract."""
        found = [
            kept
            for kept in await self.rejects(feed, len(self._rejects))
            if kept.number <= upto and reason in (None, kept.reject.reason)
        ]
        for kept in found:
            self._forget_reject(kept)
        return sum(kept.records for kept in found)

    async def retry_rejects(
        self, feed: str | None = None, retrial: Expectation | None = None
    ) -> tuple[int, int]:
        """Have rejected records go through their feeds once more; see the contract."""
        wanted = await self.rejects(feed, len(self._rejects))
        retried = [kept for kept in wanted if self._can_retry(kept)]
        for kept in retried:
            if kept not in self._rejects:
                continue  # another retry had it
            self._forget_reject(kept)
            reject, data = kept.reject, kept.reject.data + b"\n"
            batch = Batch(reject.source, data, 1, None, reject.connection, kept.feed)
            if retrial is not None:
                retrial.expect(batch)
            try:
                await self.append(batch)
            except asyncio.CancelledError:
                self.reject(kept.feed, [reject])
                raise
        return len(retried), len(wanted) - len(retried)

    def _forget_reject(self, kept: KeptReject) -> None:
        self._rejects.remove(kept)
        self._rejects_bytes -= len(kept.reject.data) + self._overhead_bytes

    def seal(self) -> None:
        """Expect no more batches: cursors end after the last."""
        self._sealed = True
        self._changed.notify()

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    @property
    def used_bytes(self) -> int:
        """Bytes of the records held, and the overhead of each batch."""
        return self._used_bytes

    @property
    def kept_rejects(self) -> int:
        """How many rejects are kept."""
        return len(self._rejects)

    @property
    def full(self) -> bool:
        """Whether an `append` is waiting for room now."""
        return bool(self._waiting)

    async def after(self, cursor: "MemoryCursor", sequence: int) -> Entry:
        """Return the first batch for a cursor after `sequence`; wait until there is one."""
        while True:
            if (entry := self.first_after(cursor, sequence)) is not None:
                return entry
            if self._sealed:
                raise SpoolClosed
            await self._changed.wait()

    def first_after(self, cursor: "MemoryCursor", sequence: int) -> Entry | None:
        """Return the first batch for a cursor after `sequence`, if it is here already."""
        skipped = max(0, sequence + 1 - self._entries[0].sequence) if self._entries else 0
        entries = islice(self._entries, skipped, None)
        return next((entry for entry in entries if cursor.wants(entry.batch)), None)

    def reject(self, feed: str, rejects: Sequence[Reject]) -> None:
        """Keep rejects; delete the oldest when there are too many."""
        for reject in rejects:
            self._reject_number += 1
            cut = replace(reject, data=reject.data[:REJECT_MAX_BYTES])
            kept = KeptReject(self._reject_number, feed, self.now(), cut, len(reject.data))
            self._rejects.append(kept)
            self._rejects_bytes += len(cut.data) + self._overhead_bytes
        while self._rejects_bytes > REJECTS_MAX_BYTES:
            oldest = self._rejects.popleft()
            self._rejects_bytes -= len(oldest.reject.data) + self._overhead_bytes

    def _can_retry(self, kept: KeptReject) -> bool:
        cursor = self._cursors.get(kept.feed)
        whole = len(kept.reject.data) == kept.record_bytes
        return whole and cursor is not None and cursor.wants(Batch(kept.reject.source, b"", 1))

    def _size(self, batch: Batch) -> int:
        return len(batch.data) + self._overhead_bytes

    def passed(self) -> None:
        """Note that a cursor moved: drop what every cursor has passed or never wanted."""
        held = len(self._entries)
        while self._entries and not any(
            cursor.passed < self._entries[0].sequence and cursor.wants(self._entries[0].batch)
            for cursor in self._cursors.values()
        ):
            self._used_bytes -= self._size(self._entries.popleft().batch)
        if len(self._entries) < held:
            self._changed.notify()

    async def _wait_for_room(self, size_bytes: int) -> None:
        """Wait in line: small batches that would fit do not overtake a large batch."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            while self._waiting[0] is not ticket or (
                self._used_bytes and self._used_bytes + size_bytes > self.max_bytes
            ):
                await self._changed.wait()
        finally:
            self._waiting.remove(ticket)
            self._changed.notify()


class MemoryCursor(CursorCounts):
    """How far one feed has come in a `MemorySpool`."""

    def __init__(
        self,
        spool: MemorySpool,
        feed: str,
        sources: Collection[str],
        after: int,
        account: Account,
    ) -> None:
        super().__init__(feed, sources, account, spool.now)
        self.passed = after
        self._spool = spool
        self._returned = after
        self._unpassed: deque[Entry] = deque()

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one."""
        entry = await self._spool.after(self, self._returned)
        self._returned = entry.sequence
        self._unpassed.append(entry)
        return entry

    async def advance(self, sequence: int, done: Account, rejects: Sequence[Reject] = ()) -> None:
        """Everything up to and including `sequence` is done with."""
        if sequence <= self.passed:
            return
        while self._unpassed and self._unpassed[0].sequence <= sequence:
            passed = self._unpassed.popleft()
            self.pending_records -= passed.batch.records
        self.passed = sequence
        self.account.add(done)
        self._spool.reject(self.feed, rejects)
        self._spool.passed()

    def accept_wanted(self, entry: Entry) -> None:
        """Note that the spool accepted a batch."""
        if self.wants(entry.batch):
            self.accept(entry.batch.records, entry.accepted_at)

    def _oldest_pending_at(self) -> float:
        entry = self._spool.first_after(self, self.passed)
        return super()._oldest_pending_at() if entry is None else entry.accepted_at
