"""Delivery by a sink that collects lines: batches are passed together, once they are uploaded."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nss.batch import Account
from nss.feeds.delivery import DeliveredNow, Following, Process, Processed, wait_first
from nss.sinks import CollectingSink, Delivered, RetryAfter
from nss.spool import Cursor, Entry, Reject, SpoolClosed
from nss.status.readings import UploadReading

MAX_HELD_REJECT_BYTES = 8 << 20
"""The spool stores rejects when their batch is passed; beyond this size it is passed early."""

ROOM_LOOK_SECS = 0.5
"""How often to check whether the sink has no room for the rest of a batch."""

FULL_LOOK_SECS = 0.1
"""How often, while no batch comes, to check whether too much waits for us."""


@dataclass(slots=True)
class _Held:
    """Batches that are passed together."""

    sequence: int = 0
    """That of the last batch; 0: there is none."""
    stored_bytes: float = 0.0
    """About what the spool charges for them."""
    done: Account = field(default_factory=Account)
    rejects: list[Reject] = field(default_factory=list)
    reject_bytes: int = 0

    def add(self, sequence: int, stored_bytes: float, processed: Processed) -> None:
        """Hold another batch."""
        self.sequence = sequence
        self.stored_bytes += stored_bytes
        self.done.add(processed.done)
        self.rejects += processed.rejects
        self.reject_bytes += sum(len(reject.data) for reject in processed.rejects)


@dataclass(slots=True)
class _Wish:
    """Somebody waits until everything that was collected by then has been delivered, or failed."""

    done: asyncio.Future[DeliveredNow]
    records: int = 0

    def settle(self, reason: str | None) -> None:
        """Say what came of it."""
        if not self.done.done():
            self.done.set_result(DeliveredNow(self.records, reason))


class CollectedDelivery:
    """Holds batches whose lines the sink collects, and passes them when those were delivered.

    One collection is delivered while the next one grows. `is_full` returns whether the spool waits
    for room, or much is pending for the feed, which are reasons to deliver early.
    """

    _cursor: Cursor
    _following: Following
    _process: Process
    _stop: asyncio.Event

    def __init__(self, sink: CollectingSink, is_full: Callable[[], bool]) -> None:
        self.sink = sink
        self.flushing = False
        self.next_try_at: float | None = None
        self._is_full = is_full
        self._held = _Held()
        self._delivering: asyncio.Task[None] | None = None
        self._wishes: list[_Wish] = []
        self._is_wanted = False
        """Whether what is collected is to be delivered before it is due."""
        self._retry = asyncio.Event()
        self._has_ended = False

    @property
    def patience_secs(self) -> float:
        """See `Delivery.patience_secs`."""
        return self.sink.max_secs

    @property
    def advice(self) -> str | None:
        """See `Delivery.advice`."""
        return self.sink.advice

    @property
    def upload(self) -> UploadReading:
        """See `Delivery.upload`."""
        return self.sink.upload

    def retry(self) -> None:
        """See `Delivery.retry`."""
        self._try_now(again=False)

    async def deliver_now(self) -> DeliveredNow:
        """See `Delivery.deliver_now`."""
        wish = _Wish(asyncio.get_running_loop().create_future())
        if self._has_ended:
            wish.settle("the feed has ended")
        elif self._delivering is None and not self.sink.collected:
            wish.settle(None)
        else:
            self._is_wanted = self._is_wanted or self.sink.collected > 0
            self._wishes.append(wish)
        self._try_now(again=True)
        return await wish.done

    def _try_now(self, *, again: bool) -> None:
        self.sink.retry(again=again)
        self._retry.set()

    async def follow(self, cursor: Cursor, process: Process, stop: asyncio.Event) -> None:
        """Collect batches and deliver them together, see `Delivery.follow`."""
        self._cursor, self._process, self._stop = cursor, process, stop
        self._following = Following(cursor)
        making_room = asyncio.create_task(self._make_room())
        try:
            self._deliver()  # what an earlier process had begun
            if not await self._delivered():
                return
            while not self._stop.is_set():
                if not await self._step():
                    return
        except SpoolClosed:
            if await self._delivered():
                self._deliver()
                await self._delivered()
        finally:
            self._following.close()
            tasks = [task for task in (making_room, self._delivering) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._has_ended = True
            for wish in self._wishes:
                wish.settle("the feed was stopped")

    async def _step(self) -> bool:
        """Collect one batch, or begin to deliver; return whether to continue."""
        due_secs = 0.0 if self._is_wanted and self.sink.collected else self.sink.due_secs()
        too_many = self._held.reject_bytes > MAX_HELD_REJECT_BYTES or self._fills_limit
        if due_secs is not None and (due_secs <= 0 or too_many):
            return await self._deliver_next()
        entry = await self._next_within(due_secs)
        if entry is None:
            return not self._is_full() or await self._deliver_next()
        stored_bytes = self._stored_bytes(entry)
        self.sink.begin(entry.sequence, entry.accepted_at)
        processed = await self._process(entry.batch, self._following.upcoming)
        if processed is None:
            return False
        self._held.add(entry.sequence, stored_bytes, processed)
        await self._pass_uncollected()
        await asyncio.sleep(0)  # rendering does not await
        return True

    def _stored_bytes(self, entry: Entry) -> float:
        """Return about what the spool charges for a batch: what its records take on average."""
        return self._cursor.bytes_per_record * entry.batch.records

    @property
    def _fills_limit(self) -> bool:
        """Whether half of the limit of the feed is collected.

        What is pending and not collected yet is no reason: it would go in uploads of a batch each.
        """
        limit = self._cursor.limit
        return limit is not None and 2 * self._held.stored_bytes >= limit.max_bytes

    async def _next_within(self, secs: float | None) -> Entry | None:
        """Return the next batch; `None` when something else may have to be done first."""
        delivering = [self._delivering] if self._delivering is not None else []
        timeout_secs = None if secs is None else min(secs, FULL_LOOK_SECS)
        await wait_first([self._following.ask(), *delivering], self._stop, timeout_secs)
        if self._delivering is not None and self._delivering.done():
            self._delivering.result()  # it failed in a way that nobody planned
        return None if self._stop.is_set() else self._following.taken()

    async def _deliver_next(self) -> bool:
        """Begin to deliver what is collected, after what is on its way; `False`: stopped."""
        if not await self._delivered():
            return False
        self._is_wanted = False
        if self.sink.collected:
            self._deliver()
            await asyncio.sleep(0)  # the sink takes the collection before the next batch comes
        return True

    def _deliver(self) -> None:
        held, self._held = self._held, _Held()
        self._delivering = asyncio.create_task(self._deliver_all(held))

    async def _make_room(self) -> None:
        """Deliver what is collected when there is no room for the rest of the batch at hand.

        That batch is passed with the next ones, like any whose lines are not all delivered.
        """
        while True:
            await asyncio.sleep(ROOM_LOOK_SECS)
            if self.sink.needs_room and self._delivering is None:
                self._deliver()

    async def _delivered(self) -> bool:
        """Wait for what is on its way; return `False` when the feed was stopped before."""
        delivering = self._delivering
        if delivering is not None:
            await wait_first([delivering], self._stop)
            if not delivering.done():
                return False
            delivering.result()
            self._delivering = None
        return not self._stop.is_set()

    async def _deliver_all(self, held: _Held) -> None:
        """Have the sink deliver until it has, then pass the batches."""
        while True:
            self._retry.clear()
            wishes = tuple(self._wishes)
            outcome = await self._flush()
            if isinstance(outcome, Delivered):
                break
            self._report(wishes, outcome.reason)
            self.next_try_at = time.time() + outcome.delay_secs
            await wait_first((), self._retry, outcome.delay_secs)
            self.next_try_at = None
        await self._advance(held)
        self._delivering = None
        self._report_delivered(held.done.delivered)
        await self._pass_uncollected()

    def _report(self, wishes: Sequence[_Wish], reason: str | None) -> None:
        for wish in wishes:
            if wish in self._wishes:
                self._wishes.remove(wish)
                wish.settle(reason)

    def _report_delivered(self, records: int) -> None:
        for wish in self._wishes:
            wish.records += records
        if self._is_wanted and self.sink.collected:
            return  # that is next
        self._is_wanted = False
        self._report(tuple(self._wishes), None)

    async def _flush(self) -> Delivered | RetryAfter:
        self.flushing = True
        try:
            return await self.sink.flush()
        finally:
            self.flushing = False

    async def _pass_uncollected(self) -> None:
        """Pass batches that left nothing to deliver, in their order: behind what is on its way."""
        if self._delivering is None and not self.sink.collected:
            held, self._held = self._held, _Held()
            await self._advance(held)

    async def _advance(self, held: _Held) -> None:
        if held.sequence:
            await self._cursor.advance(held.sequence, held.done, held.rejects)
