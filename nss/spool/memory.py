"""The spool in memory: fast, bounded, and gone with the process."""

import asyncio
from collections import deque
from collections.abc import Collection

from nss.batch import Batch
from nss.spool import Entry, SpoolClosed


class MemorySpool:
    """Holds batches in order of acceptance until every feed's cursor has passed them."""

    durable = False

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._sequence = 0
        self._used_bytes = 0
        self._waiting: deque[object] = deque()
        self._sealed = False
        self._cursors: dict[str, MemoryCursor] = {}
        self._positions: dict[str, str] = {}
        self._changed = asyncio.Condition()
        self._wakes: set[asyncio.Task[None]] = set()

    async def append(self, batch: Batch) -> int:
        """Accept a batch; wait while the spool is full. A batch larger than all fits alone."""
        async with self._changed:
            await self._wait_for_room(len(batch.data))
            self._sequence += 1
            self._used_bytes += len(batch.data)
            self._entries.append(Entry(self._sequence, batch))
            if batch.position is not None:
                self._positions[batch.source] = batch.position
            for cursor in self._cursors.values():
                cursor.accept(batch)
            self._drop_passed()
            self._changed.notify_all()
            return self._sequence

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""
        return self._positions.get(source)

    def cursor(self, feed: str, sources: Collection[str]) -> "MemoryCursor":
        """Return the cursor of a feed; see the contract."""
        known = self._cursors.get(feed)
        after = known.passed if known is not None else self._sequence - len(self._entries)
        cursor = MemoryCursor(self, frozenset(sources), after)
        for entry in self._entries:
            if entry.sequence > after:
                cursor.accept(entry.batch)
        self._cursors[feed] = cursor
        self.passed()  # the one before may have held batches that this one does not want
        return cursor

    def forget(self, feed: str) -> None:
        """A feed is gone from the configuration: it no longer holds batches back."""
        self._cursors.pop(feed, None)
        self.passed()

    def seal(self) -> None:
        """No more batches will come; cursors end after the last one."""
        self._sealed = True
        self._wake()

    @property
    def used_bytes(self) -> int:
        """Bytes of the records held."""
        return self._used_bytes

    @property
    def full(self) -> bool:
        """Whether an `append` is waiting for room now."""
        return bool(self._waiting)

    async def after(self, sequence: int, sources: Collection[str]) -> Entry:
        """Return the first batch of `sources` after `sequence`; wait until there is one."""
        async with self._changed:
            while True:
                entry = self._find(sequence, sources)
                if entry is not None:
                    return entry
                if self._sealed:
                    raise SpoolClosed
                await self._changed.wait()

    def _find(self, sequence: int, sources: Collection[str]) -> Entry | None:
        if not self._entries:
            return None
        first = self._entries[0].sequence
        for index in range(max(0, sequence + 1 - first), len(self._entries)):
            if self._entries[index].batch.source in sources:
                return self._entries[index]
        return None

    def passed(self) -> None:
        """A cursor moved: let go of what no cursor needs."""
        if self._drop_passed():
            self._wake()

    async def _wait_for_room(self, data_bytes: int) -> None:
        """Wait in line: a large batch is not passed by small ones that would fit before it."""
        ticket = object()
        self._waiting.append(ticket)
        try:
            await self._changed.wait_for(
                lambda: self._waiting[0] is ticket and self._has_room(data_bytes)
            )
        finally:
            self._waiting.remove(ticket)
            self._changed.notify_all()

    def _has_room(self, data_bytes: int) -> bool:
        return not self._used_bytes or self._used_bytes + data_bytes <= self._max_bytes

    def _drop_passed(self) -> bool:
        """Drop batches that every cursor has passed or never wanted."""
        dropped = False
        while self._entries and not any(
            cursor.wants(self._entries[0]) for cursor in self._cursors.values()
        ):
            self._used_bytes -= len(self._entries.popleft().batch.data)
            dropped = True
        return dropped

    def _wake(self) -> None:
        """Wake everybody who waits; callable without awaiting."""
        task = asyncio.ensure_future(self._notify())
        self._wakes.add(task)
        task.add_done_callback(self._wakes.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class MemoryCursor:
    """How far one feed has come in a `MemorySpool`."""

    def __init__(self, spool: MemorySpool, sources: frozenset[str], after: int) -> None:
        self._spool = spool
        self._sources = sources
        self._returned = after
        self._unpassed: deque[Entry] = deque()
        self.passed = after
        self.accepted_records = 0
        self.pending_records = 0

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one."""
        entry = await self._spool.after(self._returned, self._sources)
        self._returned = entry.sequence
        self._unpassed.append(entry)
        return entry

    def advance(self, sequence: int) -> None:
        """Everything up to and including `sequence` is done with."""
        while self._unpassed and self._unpassed[0].sequence <= sequence:
            self.pending_records -= self._unpassed.popleft().batch.records
        self.passed = max(self.passed, sequence)
        self._spool.passed()

    def accept(self, batch: Batch) -> None:
        """The spool accepted a batch."""
        if batch.source in self._sources:
            self.accepted_records += batch.records
            self.pending_records += batch.records

    def wants(self, entry: Entry) -> bool:
        """Whether the cursor has yet to pass this batch."""
        return entry.sequence > self.passed and entry.batch.source in self._sources
