"""How far the feeds of a spool in memory have come."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from nss.batch import Account, Batch
from nss.spool import Entry, PendingLimit, Reject
from nss.spool.cursors import CursorCounts


class Holder(Protocol):
    """The spool, as its cursors see it."""

    now: Callable[[], float]

    async def after(self, cursor: "MemoryCursor", sequence: int) -> Entry:
        """Return the first batch for a cursor after `sequence`; wait until there is one."""

    def first_after(self, cursor: "MemoryCursor", sequence: int) -> Entry | None:
        """Return the first batch for a cursor after `sequence`, if it is here already."""

    def size(self, batch: Batch) -> int:
        """Return how many bytes a batch is charged."""

    def holds_for(self, cursor: "MemoryCursor") -> bool:
        """Whether a batch waits for the limit of a feed."""

    def reject(self, feed: str, rejects: Sequence[Reject]) -> None:
        """Keep rejects."""

    def passed(self) -> None:
        """Note that a cursor moved."""


class MemoryCursor(CursorCounts):
    """How far one feed has come in a spool in memory."""

    def __init__(
        self,
        spool: Holder,
        feed: str,
        sources: Collection[str],
        after: int,
        account: Account,
        limit: PendingLimit | None,
    ) -> None:
        super().__init__(feed, sources, account, spool.now, limit)
        self.passed = after
        """Up to here everything is passed or dropped."""
        self._advanced = after
        self._dropped = 0
        self._spool = spool
        self._returned = after
        self._unpassed: deque[Entry] = deque()

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one."""
        while True:
            entry = await self._spool.after(self, max(self._returned, self._dropped))
            if entry.sequence > self._dropped:  # or it was, meanwhile
                break
        self._returned = entry.sequence
        self._unpassed.append(entry)
        return entry

    async def advance(self, sequence: int, done: Account, rejects: Sequence[Reject] = ()) -> None:
        """Everything up to and including `sequence` is done with."""
        if sequence <= self._advanced:
            return
        while self._unpassed and self._unpassed[0].sequence <= sequence:
            passed = self._unpassed.popleft()
            if passed.sequence <= self._dropped:  # while it was on its way
                self.account.dropped -= passed.batch.records
            else:
                self._uncount(passed)
        self._advanced = sequence
        self.passed = max(self.passed, sequence)
        self.account.add(done)
        self.watch.note(self.pending_bytes, waits=self._spool.holds_for(self))
        self._spool.reject(self.feed, rejects)
        self._spool.passed()

    def accept_entry(self, entry: Entry) -> None:
        """Note that the spool accepted a batch for this feed."""
        self.accept(entry.batch.records, entry.accepted_at)
        self._note_pending(self.pending_bytes + self._spool.size(entry.batch))

    def note_limit(self) -> None:
        """Note when what was accepted has reached the limit."""
        if self.makes_wait:
            self.watch.note(self.pending_bytes)

    def lacks_room(self, size_bytes: int, *, waits: bool) -> bool:
        """Whether so much more would be over the limit, of a feed that has others wait or not."""
        limit = self.limit
        if limit is None or limit.drops_oldest is waits or not self.pending_bytes:
            return False
        return self.pending_bytes + size_bytes > limit.max_bytes

    def make_room(self, size_bytes: int) -> None:
        """Drop the oldest pending batches, as far as the limit asks for it."""
        dropped = 0
        while self.lacks_room(size_bytes, waits=False):
            oldest = self._spool.first_after(self, self.passed)
            if oldest is None:
                break
            self.passed = self._dropped = oldest.sequence
            self._uncount(oldest)
            dropped += oldest.batch.records
        if dropped:
            self.account.dropped += dropped
            self.watch.note(self.pending_bytes, dropped=dropped)

    def _uncount(self, entry: Entry) -> None:
        self.pending_records -= entry.batch.records
        self._note_pending(self.pending_bytes - self._spool.size(entry.batch))

    def _note_pending(self, size_bytes: int) -> None:
        self.pending_bytes = size_bytes
        if self.pending_records > 0:
            self.bytes_per_record = size_bytes / self.pending_records

    def _oldest_pending_at(self) -> float:
        entry = self._spool.first_after(self, self.passed)
        return super()._oldest_pending_at() if entry is None else entry.accepted_at
