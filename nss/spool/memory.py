"""The spool in memory: fast, bounded, and lost when the process ends."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence

from nss.batch import Account, Batch
from nss.config.model import MemorySpoolConfig
from nss.spool import REJECT_MAX_BYTES, Entry, KeptReject, Reject, SpoolClosed, SpoolError

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
        self._changed = asyncio.Condition()
        self._wakes: set[asyncio.Task[None]] = set()
        self._rejects: deque[KeptReject] = deque()
        self._rejects_bytes = 0
        self._reject_number = 0

    async def append(self, batch: Batch) -> int:
        """Accept a batch; wait while the spool is full. One larger than the limit fits alone."""
        async with self._changed:
            await self._wait_for_room(self._size(batch))
            self._sequence += 1
            self._used_bytes += self._size(batch)
            entry = Entry(self._sequence, batch, self.now())
            self._entries.append(entry)
            if batch.position is not None:
                self._positions[batch.source] = batch.position
            for cursor in self._cursors.values():
                cursor.accept(entry)
            self._drop_passed()
            self._changed.notify_all()
            return self._sequence

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""
        return self._positions.get(source)

    async def cursor(self, feed: str, sources: Collection[str]) -> "MemoryCursor":
        """Return the cursor of a feed; see the contract."""
        known = self._cursors.get(feed)
        after = known.passed if known is not None else self._sequence - len(self._entries)
        account = known.account if known is not None else Account()
        cursor = MemoryCursor(self, feed, frozenset(sources), after, account)
        for entry in self._entries:
            if entry.sequence > after:
                cursor.accept(entry)
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

    async def rejects(self, feed: str | None = None, limit: int = 100) -> list[KeptReject]:
        """Return the newest rejects, of one feed or of all, oldest first."""
        wanted = [kept for kept in self._rejects if feed in (None, kept.feed)]
        return wanted[-limit:] if limit else []

    async def retry_rejects(self, feed: str | None = None) -> tuple[int, int]:
        """Have rejected records go through their feeds once more; see the contract."""
        wanted = [kept for kept in self._rejects if feed in (None, kept.feed)]
        retried = [kept for kept in wanted if self._can_retry(kept)]
        for kept in retried:
            if kept not in self._rejects:
                continue  # another retry had it
            self._rejects.remove(kept)
            self._rejects_bytes -= len(kept.reject.data) + self._overhead_bytes
            reject, data = kept.reject, kept.reject.data + b"\n"
            try:
                await self.append(Batch(reject.source, data, 1, None, reject.connection, kept.feed))
            except asyncio.CancelledError:
                self.reject(kept.feed, [reject])
                raise
        return len(retried), len(wanted) - len(retried)

    def seal(self) -> None:
        """Expect no more batches: cursors end after the last."""
        self._sealed = True
        self._wake()

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
        async with self._changed:
            while True:
                entry = self._find(cursor, sequence)
                if entry is not None:
                    return entry
                if self._sealed:
                    raise SpoolClosed
                await self._changed.wait()

    def _find(self, cursor: "MemoryCursor", sequence: int) -> Entry | None:
        if not self._entries:
            return None
        first = self._entries[0].sequence
        for index in range(max(0, sequence + 1 - first), len(self._entries)):
            if cursor.takes(self._entries[index].batch):
                return self._entries[index]
        return None

    def reject(self, feed: str, rejects: Sequence[Reject]) -> None:
        """Keep rejects; delete the oldest when there are too many."""
        for reject in rejects:
            self._reject_number += 1
            size, number = len(reject.data), self._reject_number
            cut = Reject(
                reject.source, reject.connection, reject.reason, reject.data[:REJECT_MAX_BYTES]
            )
            self._rejects.append(KeptReject(number, feed, self.now(), cut, size))
            self._rejects_bytes += len(cut.data) + self._overhead_bytes
        while self._rejects_bytes > REJECTS_MAX_BYTES:
            oldest = self._rejects.popleft()
            self._rejects_bytes -= len(oldest.reject.data) + self._overhead_bytes

    def _can_retry(self, kept: KeptReject) -> bool:
        cursor = self._cursors.get(kept.feed)
        whole = len(kept.reject.data) == kept.record_bytes
        return whole and cursor is not None and cursor.takes(Batch(kept.reject.source, b"", 1))

    def _size(self, batch: Batch) -> int:
        return len(batch.data) + self._overhead_bytes

    def passed(self) -> None:
        """Note that a cursor moved: drop what no cursor needs."""
        if self._drop_passed():
            self._wake()

    async def _wait_for_room(self, size_bytes: int) -> None:
        """Wait in line: small batches that would fit do not overtake a large batch."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            await self._changed.wait_for(
                lambda: self._waiting[0] is ticket and self._has_room(size_bytes)
            )
        finally:
            self._waiting.remove(ticket)
            self._changed.notify_all()

    def _has_room(self, size_bytes: int) -> bool:
        return not self._used_bytes or self._used_bytes + size_bytes <= self.max_bytes

    def _drop_passed(self) -> bool:
        """Drop batches that every cursor has passed or never wanted."""
        dropped = False
        while self._entries and not any(
            cursor.wants(self._entries[0]) for cursor in self._cursors.values()
        ):
            self._used_bytes -= self._size(self._entries.popleft().batch)
            dropped = True
        return dropped

    def _wake(self) -> None:
        """Wake all waiters; callable without awaiting."""
        task = asyncio.ensure_future(self._notify())
        self._wakes.add(task)
        task.add_done_callback(self._wakes.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class MemoryCursor:
    """How far one feed has come in a `MemorySpool`."""

    def __init__(
        self,
        spool: MemorySpool,
        feed: str,
        sources: frozenset[str],
        after: int,
        account: Account,
    ) -> None:
        self._spool = spool
        self._feed = feed
        self._sources = sources
        self._returned = after
        self._unpassed: deque[Entry] = deque()
        self._oldest_at = 0.0
        self.passed = after
        self.account = account
        self.accepted_records = account.done - account.unpacked
        self.pending_records = 0

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
            self._oldest_at = passed.accepted_at
            self.pending_records -= passed.batch.records
        if self._unpassed:
            self._oldest_at = self._unpassed[0].accepted_at
        self.passed = sequence
        self.account.add(done)
        self._spool.reject(self._feed, rejects)
        self._spool.passed()

    @property
    def lag_secs(self) -> float:
        """How long ago the oldest batch not yet passed was accepted; 0 when there is none."""
        return max(0.0, self._spool.now() - self._oldest_at) if self.pending_records else 0.0

    def accept(self, entry: Entry) -> None:
        """Note that the spool accepted a batch."""
        if self.takes(entry.batch):
            if not self.pending_records:
                self._oldest_at = entry.accepted_at
            self.accepted_records += entry.batch.records
            self.pending_records += entry.batch.records

    def takes(self, batch: Batch) -> bool:
        """Return whether a batch is for this feed."""
        return batch.source in self._sources and batch.feed in ("", self._feed)

    def wants(self, entry: Entry) -> bool:
        """Return whether the cursor has yet to pass this batch."""
        return entry.sequence > self.passed and self.takes(entry.batch)
