"""How far one feed has come in a durable spool."""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from nss.batch import Account
from nss.spool import Entry, Reject, SpoolClosed
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.feed_rows import Move
from nss.spool.durable.reader import Lost


class Backing(Protocol):
    """What a cursor needs of its spool."""

    last_sequence: int
    sealed: bool

    async def accepted_more(self) -> None:
        """Wait until something was accepted, dropped or sealed."""

    def cached(self, after: int, cursor: "DurableCursor") -> Entry | None:
        """Return the first entry after a sequence that a cursor wants, if it is in memory."""

    def holds(self, sequence: int) -> bool:
        """Return whether a sequence is in memory, with all that came after it."""

    async def read(
        self, after: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        """Read batches for a feed from the file, and up to where that was."""

    async def advance(
        self,
        cursor: "DurableCursor",
        move: Move,
        undropped: int,
    ) -> None:
        """Have a move of a cursor committed; it counts `undropped` of its records as dropped."""

    def set_aside(self, feed: str, lost: Lost) -> None:
        """Move a damaged batch to where it holds up no feed."""


class _Unpassed(NamedTuple):
    """A batch that was returned and not passed; without its records, as there may be many."""

    sequence: int
    records: int
    accepted_at: float
    lost: Lost | None = None


class DurableCursor:
    """Follows the spool from memory while it keeps up, and otherwise reads ahead from the file."""

    def __init__(self, spool: Backing, feed: str, sources: frozenset[str], row: FeedRow) -> None:
        self.feed = feed
        self.account = row.account
        self.accepted_records = row.accepted
        self.pending_records = row.pending
        self.failure: BaseException | None = None
        """What has gone wrong for good; `next` raises it."""
        self._spool = spool
        self._sources = sources
        self._registration = row.registration
        self._passed = row.passed
        self._dropped = 0
        self._looked_at = row.passed
        self._oldest_at = row.oldest_at
        self._unpassed: deque[_Unpassed] = deque()
        self._ahead: deque[Entry | Lost] = deque()
        self._reading: asyncio.Task[None] | None = None

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one."""
        while True:
            found = await self._following()
            if found is None:
                if self._spool.sealed and self._looked_at >= self._spool.last_sequence:
                    raise SpoolClosed
                await self._spool.accepted_more()
                continue
            if found.sequence <= self._dropped:
                continue
            if not self._unpassed:
                self._oldest_at = found.accepted_at
            if isinstance(found, Entry):
                self._unpassed.append(
                    _Unpassed(found.sequence, found.batch.records, found.accepted_at)
                )
                return found
            self._unpassed.append(
                _Unpassed(found.sequence, found.batch.records, found.accepted_at, found)
            )
            self._spool.set_aside(self.feed, found)
            await self._pass_lost()

    async def advance(self, sequence: int, done: Account, rejects: Sequence[Reject] = ()) -> None:
        """Note that everything up to and including `sequence` is done; see the contract."""
        if sequence <= self._passed:
            return
        await self._advance(sequence, done, rejects)
        await self._pass_lost()

    @property
    def lag_secs(self) -> float:
        """How long ago the oldest batch not yet passed was accepted; 0 when there is none."""
        return max(0.0, time.time() - self._oldest_at) if self.pending_records else 0.0

    def wants(self, entry: Entry) -> bool:
        """Return whether a batch is for this feed."""
        return entry.batch.source in self._sources and entry.batch.feed in ("", self.feed)

    # What the spool reports.

    def accept(self, entry: Entry) -> None:
        """Note that a batch was accepted that this feed takes."""
        if not self.pending_records:
            self._oldest_at = entry.accepted_at
        self.accepted_records += entry.batch.records
        self.pending_records += entry.batch.records

    def accept_again(self, records: int) -> None:
        """Note that records were accepted once more, for this feed alone."""
        if not self.pending_records:
            self._oldest_at = time.time()
        self.accepted_records += records
        self.pending_records += records

    def dropped(self, records: int, passed: int) -> None:
        """Note that records up to a sequence were dropped to make room."""
        self.account.dropped += records
        self.pending_records -= records
        self._dropped = passed
        for batch in self._unpassed:
            if batch.sequence > passed:
                self._oldest_at = batch.accepted_at
                return

    def undropped(self, records: int) -> None:
        """Note that records which were dropped on their way were dealt with after all."""
        self.account.dropped -= records
        self.pending_records += records

    # Where the next batch comes from.

    async def _following(self) -> Entry | Lost | None:
        """Return the next batch for this feed, `None` if there is none yet."""
        spool = self._spool
        if self.failure is not None:
            raise self.failure
        while not self._ahead:
            if self._reading is None and self._looked_at >= spool.last_sequence:
                return None
            if self._reading is None and spool.holds(self._looked_at + 1):
                entry = spool.cached(self._looked_at, self)
                self._looked_at = spool.last_sequence if entry is None else entry.sequence
                return entry
            await self._read()
            if self.failure is not None:
                raise self.failure
        found = self._ahead.popleft()
        if not self._ahead and not spool.holds(self._looked_at + 1):
            self._start_reading()  # while this batch is being worked on
        return found

    async def _read(self) -> None:
        """Wait until something was read; the reading continues if the wait is cancelled."""
        if self._reading is None:
            self._start_reading()
        reading = self._reading
        if reading is not None:
            await asyncio.shield(reading)

    def _start_reading(self) -> None:
        if self._reading is None and self._looked_at < self._spool.last_sequence:
            self._reading = asyncio.create_task(self._read_ahead())

    async def _read_ahead(self) -> None:
        try:
            found, self._looked_at = await self._spool.read(
                self._looked_at, self.feed, self._sources
            )
            self._ahead.extend(found)
        except Exception as error:  # noqa: BLE001 - `next` raises it: perhaps nothing awaits this task
            self.failure = error
        finally:
            self._reading = None

    # Passing.

    async def _advance(self, sequence: int, done: Account, rejects: Sequence[Reject]) -> None:
        passed: list[tuple[int, int]] = []
        while self._unpassed and self._unpassed[0].sequence <= sequence:
            batch = self._unpassed.popleft()
            passed.append((batch.sequence, batch.records))
            self._oldest_at = batch.accepted_at
        if self._unpassed:
            self._oldest_at = self._unpassed[0].accepted_at
        self._passed = sequence
        self.account.add(done)
        self.pending_records -= sum(records for _, records in passed)
        undropped = sum(records for number, records in passed if number <= self._dropped)
        self.undropped(undropped)
        move = Move(self.feed, self._registration, sequence, passed, done, rejects)
        await self._spool.advance(self, move, undropped)

    async def _pass_lost(self) -> None:
        """Pass batches that can't be read back, once everything before them is passed."""
        while self._unpassed and (lost := self._unpassed[0].lost) is not None:
            records, batch = lost.batch.records, lost.batch
            reason = f"batch {lost.sequence} of {records} records is damaged: {lost.reason}"
            reject = Reject(batch.source, batch.connection, reason, b"")
            await self._advance(lost.sequence, Account(rejected=records), [reject])
