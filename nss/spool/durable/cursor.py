"""How far one feed has come in a durable spool."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple, Protocol

from nss.batch import Account
from nss.spool import Entry, PendingLimit, Reject, SpoolClosed
from nss.spool.cursors import CursorCounts, Signal
from nss.spool.durable import events
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.cache import Cache
from nss.spool.durable.feed_rows import Move
from nss.spool.durable.reader import Lost


class Backing(Protocol):
    """What a cursor needs of its spool."""

    now: Callable[[], float]
    """Returns seconds since the epoch."""
    cache: Cache
    last_sequence: int
    sealed: bool
    changed: Signal
    """Given when something was accepted, dropped or sealed."""
    taken: Signal
    """To be given when a feed has taken a batch."""

    async def read(
        self, after: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        """Read batches for a feed from the file, and up to where that was."""

    async def advance(self, cursor: "DurableCursor", move: Move, undropped: int) -> None:
        """Have a move of a cursor committed; it counts `undropped` of its records as dropped."""


class _Unpassed(NamedTuple):
    """A batch that was returned and not passed; without its records, as there may be many."""

    sequence: int
    records: int
    accepted_at: float
    lost: Lost | None = None


class DurableCursor(CursorCounts):
    """Follows the spool from memory while it keeps up, and otherwise reads ahead from the file."""

    def __init__(
        self,
        spool: Backing,
        feed: str,
        sources: Collection[str],
        row: FeedRow,
        limit: PendingLimit | None,
    ) -> None:
        super().__init__(feed, sources, row.account, spool.now, limit)
        self.accept(row.pending, row.oldest_at)
        self.note_pending(row.pending, row.pending_bytes)
        self.failure: BaseException | None = None
        """What has gone wrong for good; `next` raises it."""
        self._spool = spool
        self._registration = row.registration
        self._passed = row.passed
        self._dropped = 0
        self.searched = row.passed
        """Up to here there is nothing more for this feed than `_ahead`."""
        self._unpassed: deque[_Unpassed] = deque()
        self._ahead: deque[Entry | Lost] = deque()
        self._reading: asyncio.Task[None] | None = None

    @property
    def passed(self) -> int:
        """Everything up to this sequence is passed, though perhaps not committed yet."""
        return self._passed

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one."""
        while True:
            found = await self._following()
            if found is None:
                if self._spool.sealed and self.searched >= self._spool.last_sequence:
                    raise SpoolClosed
                await self._spool.changed.wait()
                continue
            self._spool.taken.notify()
            if found.sequence <= self._dropped:
                continue
            lost = found if isinstance(found, Lost) else None
            self._unpassed.append(
                _Unpassed(found.sequence, found.batch.records, found.accepted_at, lost)
            )
            if isinstance(found, Entry):
                return found
            events.batch_damaged(self.feed, found.sequence, found.batch.records, found.reason)
            await self._pass_lost()

    async def advance(self, sequence: int, done: Account, rejects: Sequence[Reject] = ()) -> None:
        """Note that everything up to and including `sequence` is done; see the contract."""
        if sequence <= self._passed:
            return
        await self._advance(sequence, done, rejects)
        await self._pass_lost()

    def _oldest_pending_at(self) -> float:
        for batch in chain(self._unpassed, self._ahead):
            if batch.sequence > self._dropped:
                return batch.accepted_at
        entry = self._spool.cache.find(self.searched, self.wants) if self._in_memory() else None
        return super()._oldest_pending_at() if entry is None else entry.accepted_at

    # What the spool reports.

    def note_pending(self, records: int, stored_bytes: int) -> None:
        """Note what a commit left pending."""
        self.pending_bytes = stored_bytes
        if records > 0:
            self.bytes_per_record = stored_bytes / records

    def dropped(self, records: int, passed: int) -> None:
        """Note that records up to a sequence were dropped to make room."""
        self.account.dropped += records
        self.pending_records -= records
        self._dropped = passed

    def undropped(self, records: int) -> None:
        """Note that records which were dropped on their way were dealt with after all."""
        self.account.dropped -= records
        self.pending_records += records

    # Where the next batch comes from.

    async def _following(self) -> Entry | Lost | None:
        """Return the next batch for this feed, `None` if there is none yet."""
        spool = self._spool
        while True:
            if self.failure is not None:
                raise self.failure
            if self._ahead:
                break
            if self._reading is None:
                if self.searched >= spool.last_sequence:
                    return None
                if self._in_memory():
                    entry = spool.cache.find(self.searched, self.wants)
                    self.searched = spool.last_sequence if entry is None else entry.sequence
                    return entry
            # The reading continues if the wait for it is cancelled.
            await asyncio.shield(self._start_reading())
        found = self._ahead.popleft()
        if not self._ahead and self.searched < spool.last_sequence and not self._in_memory():
            self._start_reading()  # while this batch is being worked on
        return found

    def _in_memory(self) -> bool:
        """Return whether all that comes next is in memory."""
        cache = self._spool.cache
        return cache.first <= self.searched + 1 and cache.last == self._spool.last_sequence

    def _start_reading(self) -> asyncio.Task[None]:
        self._reading = self._reading or asyncio.create_task(self._read_ahead())
        return self._reading

    async def _read_ahead(self) -> None:
        try:
            found, self.searched = await self._spool.read(self.searched, self.feed, self._sources)
            self._ahead.extend(found)
        except Exception as error:  # noqa: BLE001 - `next` raises it: perhaps nothing awaits this task
            self.failure = error
        finally:
            self._reading = None

    # Passing.

    async def _advance(self, sequence: int, done: Account, rejects: Sequence[Reject]) -> None:
        passed: list[tuple[int, int]] = []
        lost: list[tuple[int, Reject]] = []
        lost_records = 0
        while self._unpassed and self._unpassed[0].sequence <= sequence:
            batch = self._unpassed.popleft()
            passed.append((batch.sequence, batch.records))
            self._oldest_at = batch.accepted_at
            if batch.lost is not None:  # whoever passes it never saw it
                lost.append((batch.sequence, _reject(batch.lost)))
                lost_records += batch.records
        if lost:
            done = replace(done, rejected=done.rejected + lost_records)
        self._passed = sequence
        self.account.add(done)
        self.pending_records -= sum(records for _, records in passed)
        undropped = sum(records for number, records in passed if number <= self._dropped)
        self.undropped(undropped)
        move = Move(self.feed, self._registration, sequence, passed, done, rejects, lost)
        await self._spool.advance(self, move, undropped)

    async def _pass_lost(self) -> None:
        """Pass batches that can't be read back, once everything before them is passed."""
        while self._unpassed and self._unpassed[0].lost is not None:
            await self._advance(self._unpassed[0].sequence, Account(), [])


def _reject(lost: Lost) -> Reject:
    """Return the reject that stands for a batch that can't be read back."""
    reason = f"batch {lost.sequence} of {lost.batch.records} records can't be read: {lost.reason}"
    return Reject(lost.batch.source, lost.batch.connection, reason, b"")
