"""How a feed's lines get to its sink, and when a batch is done with.

`Delivery` is the contract of the two ways: line by line (`LineDelivery`), and collected into files
(`nss.feeds.collecting`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from nss.batch import Account, Batch
from nss.feeds.rendering import Upcoming
from nss.sinks import Sink
from nss.spool import Cursor, Entry, Reject
from nss.status.readings import UploadReading


@dataclass(slots=True)
class Processed:
    """What became of the records of a batch."""

    batch: Batch
    done: Account = field(default_factory=Account)
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, reason: str, record: bytes) -> None:
        """Note a reject for the spool to keep."""
        self.rejects.append(Reject(self.batch.source, self.batch.connection, reason, record))


@dataclass(frozen=True, slots=True)
class DeliveredNow:
    """What came of the wish to deliver at once."""

    records: int
    """How many were delivered for it."""
    reason: str | None
    """Why the rest was not, as a sentence; `None`: nothing collected is left."""


Process = Callable[[Batch, Upcoming], Awaitable[Processed | None]]
"""Decodes, filters and renders a batch and hands its lines to the sink; may go ahead with the next.

Returns what became of it, or `None` when the feed was stopped first.
"""


class Delivery(Protocol):
    """One way of delivering. Belongs to one feed."""

    @property
    def sink(self) -> Sink:
        """Where the lines go."""

    @property
    def flushing(self) -> bool:
        """Whether the sink is delivering now what it collected."""

    @property
    def patience_secs(self) -> float:
        """How long records may wait without anything being wrong."""

    @property
    def advice(self) -> str | None:
        """What somebody should know of the destination though nothing is wrong."""

    @property
    def next_try_at(self) -> float | None:
        """When the sink tries again to deliver what it collected, seconds since the epoch."""

    @property
    def upload(self) -> UploadReading | None:
        """How the uploads of a sink that collects stand."""

    def retry(self) -> None:
        """Have the sink try now what it holds."""

    async def deliver_now(self) -> DeliveredNow:
        """Deliver what is collected, and return when that was tried."""

    async def follow(self, cursor: Cursor, process: Process, stop: asyncio.Event) -> None:
        """Process the batches behind the cursor, and move it past each that was delivered.

        Returns or raises `SpoolClosed` when the spool is sealed and empty. Once `stop` is set, it
        returns after the batch at hand, or at once when the destination takes nothing. What the
        cursor has not passed by then is pending.
        """


class LineDelivery:
    """Moves the cursor past each batch as soon as the sink took its lines."""

    flushing = False
    patience_secs = 0.0
    next_try_at = None
    upload = None

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    @property
    def advice(self) -> str | None:
        """See `Delivery.advice`."""
        return self.sink.advice

    def retry(self) -> None:
        """Nothing is held: see `Delivery.retry`."""

    async def deliver_now(self) -> DeliveredNow:
        """Nothing is collected: see `Delivery.deliver_now`."""
        return DeliveredNow(0, None)

    async def follow(self, cursor: Cursor, process: Process, stop: asyncio.Event) -> None:
        """Process and pass one batch after the other."""
        following = Following(cursor)
        try:
            while not stop.is_set():
                entry = await following.take(stop)
                upcoming = following.upcoming
                processed = None if entry is None else await process(entry.batch, upcoming)
                if entry is None or processed is None:
                    return
                await cursor.advance(entry.sequence, processed.done, processed.rejects)
                # The next batch only after others had their turn: rendering does not await.
                await asyncio.sleep(0)
        finally:
            following.close()


class Following:
    """The next batch behind a cursor, which can be asked for before it is needed."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._next: asyncio.Task[Entry] | None = None

    def ask(self) -> asyncio.Task[Entry]:
        """Ask for it, unless that was done, and return it to wait for."""
        self._next = self._next or asyncio.ensure_future(self._cursor.next())
        return self._next

    def upcoming(self) -> Batch | None:
        """Return it if it is there, see `Upcoming`."""
        following = self.ask()
        if not following.done() or following.cancelled() or following.exception() is not None:
            return None
        return following.result().batch

    def taken(self) -> Entry | None:
        """Return it, to be followed by another; `None` if it is not there. Raises `SpoolClosed`."""
        following = self.ask()
        if not following.done():
            return None
        self._next = None
        return following.result()

    async def take(self, stop: asyncio.Event) -> Entry | None:
        """Wait for it and return it; `None` when the feed was stopped first."""
        if not self.ask().done():
            await wait_first({self.ask()}, stop)
        return self.taken()

    def close(self) -> None:
        """Let go of it: it is pending."""
        if self._next is not None and not self._next.cancel() and not self._next.cancelled():
            self._next.exception()  # nobody else looks


async def wait_first(
    futures: Collection[asyncio.Future[Any]], stop: asyncio.Event, timeout_secs: float | None = None
) -> None:
    """Wait until one of the futures is done, but not after `stop` or longer than the timeout."""
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait(
            {*futures, stopped}, timeout=timeout_secs, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        stopped.cancel()
