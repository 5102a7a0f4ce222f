"""The spool in memory: fast, bounded, and lost when the process ends."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from nss.batch import Account, Batch
from nss.config.model import MemorySpoolConfig
from nss.spool import (
    REASONS_MAX,
    REJECT_MAX_BYTES,
    Entry,
    Expectation,
    KeptReject,
    PendingLimit,
    ReasonCount,
    Reject,
    SpoolClosed,
    SpoolError,
    Trouble,
    sample,
)
from nss.spool.cursors import Signal, least_passed
from nss.spool.limits import why_waits
from nss.spool.memory_cursor import MemoryCursor

REJECTS_MAX_BYTES = 4 << 20


@dataclass(slots=True, eq=False)
class _Waiting:
    """A batch that waits."""

    source: str
    held_by: frozenset[str] = frozenset()
    """The feeds whose limits it waits for, itself or behind one of its source; empty: it waits for
    the spool."""


class MemorySpool:
    """Holds batches in order of acceptance until every feed's cursor has passed them."""

    durable = False

    trouble: Trouble | None = None

    last_error: str | None = None

    folder = ""

    replay_secs = 0.0

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
        self._waiting: deque[_Waiting] = deque()
        self._sealed = False
        self._cursors: dict[str, MemoryCursor] = {}
        self._positions: dict[str, str] = {}
        self._changed = Signal()
        self._rejects: OrderedDict[int, KeptReject] = OrderedDict()
        """By their number, oldest first."""
        self._rejects_bytes = 0
        self._reject_number = 0

    async def append(self, batch: Batch) -> int:
        """Accept a batch; wait while the spool is full. One larger than the limit fits alone."""
        await self._wait_for_room(batch)
        for cursor in self._wanting(batch):
            cursor.make_room(self.size(batch))
        self._sequence += 1
        self._used_bytes += self.size(batch)
        entry = Entry(self._sequence, batch, self.now())
        self._entries.append(entry)
        if batch.position is not None:
            self._positions[batch.source] = batch.position
        for cursor in self._wanting(batch):
            cursor.accept_entry(entry)
            cursor.note_limit()
        self.passed()
        self._changed.notify()
        return entry.sequence

    async def keep_pace(self, source: str) -> None:
        """Return at once: all is in memory, and its limit is what holds sources up."""

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""
        return self._positions.get(source)

    async def cursor(
        self, feed: str, sources: Collection[str], limit: PendingLimit | None = None
    ) -> MemoryCursor:
        """Return the cursor of a feed; see the contract."""
        known = self._cursors.get(feed)
        after = known.passed if known is not None else self._sequence - len(self._entries)
        account = known.account if known is not None else Account()
        cursor = MemoryCursor(self, feed, sources, after, account, limit)
        for entry in self._entries:
            if entry.sequence > after and cursor.wants(entry.batch):
                cursor.accept_entry(entry)
        if known is not None:
            cursor.watch.take_over(known.watch)
        cursor.note_limit()
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
        wanted = [kept for kept in self._rejects.values() if feed in (None, kept.feed)]
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
            if kept.number not in self._rejects:
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
        del self._rejects[kept.number]
        self._rejects_bytes -= len(kept.reject.data) + self._overhead_bytes

    def passed_of(self, source: str) -> int:
        """Return up to where every feed of a source is past its batches; see the contract."""
        return least_passed(self._cursors.values(), source, self._sequence)

    @property
    def last_sequence(self) -> int:
        """The sequence of the last batch accepted."""
        return self._sequence

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
        return any(not waiting.held_by for waiting in self._waiting)

    def holds_up(self, source: str) -> str | None:
        """Return why a batch of a source would wait now; see the contract."""
        limited = [cursor.feed for cursor in self._cursors.values() if cursor.limits(source)]
        held = [waiting.held_by for waiting in self._waiting if waiting.source == source]
        return why_waits(full=self.full, limited=chain(limited, *held))

    async def after(self, cursor: MemoryCursor, sequence: int) -> Entry:
        """Return the first batch for a cursor after `sequence`; wait until there is one."""
        while True:
            if (entry := self.first_after(cursor, sequence)) is not None:
                return entry
            if self._sealed:
                raise SpoolClosed
            await self._changed.wait()

    def first_after(self, cursor: MemoryCursor, sequence: int) -> Entry | None:
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
            self._rejects[kept.number] = kept
            self._rejects_bytes += len(cut.data) + self._overhead_bytes
        while self._rejects_bytes > REJECTS_MAX_BYTES:
            _, oldest = self._rejects.popitem(last=False)
            self._rejects_bytes -= len(oldest.reject.data) + self._overhead_bytes

    def _can_retry(self, kept: KeptReject) -> bool:
        cursor = self._cursors.get(kept.feed)
        whole = len(kept.reject.data) == kept.record_bytes
        return whole and cursor is not None and cursor.wants(Batch(kept.reject.source, b"", 1))

    def size(self, batch: Batch) -> int:
        """Return how many bytes a batch is charged."""
        return len(batch.data) + self._overhead_bytes

    def holds_for(self, cursor: MemoryCursor) -> bool:
        """Whether a batch waits for the limit of a feed."""
        return any(cursor.feed in waiting.held_by for waiting in self._waiting)

    def _wanting(self, batch: Batch) -> list[MemoryCursor]:
        return [cursor for cursor in self._cursors.values() if cursor.wants(batch)]

    def passed(self) -> None:
        """Note that a cursor moved: drop what every cursor has passed or never wanted."""
        while self._entries and not any(
            cursor.passed < self._entries[0].sequence and cursor.wants(self._entries[0].batch)
            for cursor in self._cursors.values()
        ):
            self._used_bytes -= self.size(self._entries.popleft().batch)
        if self._waiting:  # for room in the spool, or only for this cursor's limit
            self._changed.notify()

    async def _wait_for_room(self, batch: Batch) -> None:
        """Wait in line: small batches that would fit do not overtake a large batch.

        One that waits for the limit of a feed lets other sources pass.
        """
        ticket = _Waiting(batch.source)
        self._waiting.append(ticket)
        try:
            while not self._has_room(ticket, batch):
                await self._changed.wait()
        finally:
            self._waiting.remove(ticket)
            self._changed.notify()

    def _has_room(self, ticket: _Waiting, batch: Batch) -> bool:
        size_bytes = self.size(batch)
        holding = [c for c in self._wanting(batch) if c.lacks_room(size_bytes, waits=True)]
        before = list(islice(self._waiting, self._waiting.index(ticket)))
        ahead = [each.held_by for each in before if each.source == ticket.source]
        ticket.held_by = frozenset(cursor.feed for cursor in holding).union(*ahead)
        for cursor in holding:
            cursor.watch.note(cursor.pending_bytes, waits=True)
        if ticket.held_by or not all(each.held_by for each in before):
            return False
        return not self._used_bytes or self._used_bytes + size_bytes <= self.max_bytes
