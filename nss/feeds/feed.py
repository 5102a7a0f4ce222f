"""A feed at work: follow the spool, decode, filter, render, hand over, move the cursor."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping

from nss.batch import Batch
from nss.feeds import events
from nss.feeds.delivery import DeliveredNow, Delivery, Processed
from nss.feeds.pipelines import Origin, Pipelines, records_behind
from nss.feeds.pool import RenderPool
from nss.feeds.reject_tally import RejectTally
from nss.feeds.rendering import RenderedSlice, Rendering, Upcoming
from nss.feeds.retrial import Retrial
from nss.feeds.sending import LineSender, OutgoingLines
from nss.feeds.tap import Tap
from nss.sinks import Sink
from nss.spool import Cursor, SpoolClosed
from nss.status.readings import CommonRejectReading, GapsReading, UploadReading


class Feed:
    """One feed between its cursor and its sink. Records of one connection stay in order.

    A batch counts once it is done with: each of its records is delivered, filtered or rejected,
    and until then it is pending. `origins` are by the names of sources. `at` is called at points
    where a crash would be interesting, with their names (tests). Without a `pool` everything is
    rendered on the event loop.
    """

    def __init__(
        self,
        name: str,
        cursor: Cursor,
        origins: Mapping[str, Origin],
        delivery: Delivery,
        taps: Collection[Tap] = (),
        at: Callable[[str], None] = lambda _point: None,
        pool: RenderPool | None = None,
    ) -> None:
        self.name = name
        self.cursor = cursor
        self._pipelines = Pipelines(name, origins)
        self._delivery = delivery
        self._taps = taps
        self._rendering = Rendering(self._pipelines, pool)
        self._sender = LineSender(delivery.sink, at, self._rendering)
        self._stop = asyncio.Event()
        self.retrials: set[Retrial] = set()
        """Who wants to know what becomes of records that were rejected before."""
        self._tally = RejectTally()

    async def run(self) -> None:
        """Work until the spool is sealed and empty, or until `stop`."""
        await self.sink.open()
        try:
            with contextlib.suppress(SpoolClosed):
                await self._delivery.follow(self.cursor, self._process, self._stop)
        finally:
            try:
                await self._rendering.close()
            finally:
                await self.sink.close()

    def stop(self) -> None:
        """Stop after the batch at hand, or at once when its destination takes nothing."""
        self._stop.set()

    @property
    def sink(self) -> Sink:
        """Where its lines go."""
        return self._delivery.sink

    @property
    def sending(self) -> bool:
        """Whether the sink is at work on lines now."""
        return self._delivery.flushing or self._sender.sending

    @property
    def handed_over(self) -> int:
        """Lines that the sink accepted; moves inside of a batch, the account only at its end."""
        return self._sender.handed_over

    @property
    def patience_secs(self) -> float:
        """How long records may wait without anything being wrong."""
        return self._delivery.patience_secs

    @property
    def advice(self) -> str | None:
        """What somebody should know of the destination though nothing is wrong."""
        return self._delivery.advice

    @property
    def upload(self) -> UploadReading | None:
        """How its uploads stand, if its sink uploads."""
        return self._delivery.upload

    @property
    def gaps(self) -> tuple[GapsReading, ...]:
        """What it can't use of its sources' records, and what it lacks of them."""
        return tuple(self._pipelines.gaps.readings())

    def retry(self) -> None:
        """See `Delivery.retry`."""
        self._delivery.retry()

    async def deliver_now(self) -> DeliveredNow:
        """See `Delivery.deliver_now`."""
        return await self._delivery.deliver_now()

    @property
    def last_error(self) -> str | None:
        """What is wrong now with the way to the destination."""
        return self._sender.last_error or self.sink.last_error

    @property
    def next_try_at(self) -> float | None:
        """When lines that were not taken are tried again, seconds since the epoch."""
        upload = self.upload
        held_until = None if upload is None else upload.held_until
        return held_until or self._delivery.next_try_at or self._sender.next_try_at

    @property
    def remedy(self) -> str:
        """What to do about the last error, as half a sentence; empty: that is not known."""
        return self.sink.remedy if self.last_error is not None else ""

    @property
    def common_reject(self) -> CommonRejectReading | None:
        """Why most of what it rejected since it started was rejected."""
        return self._tally.commonest

    @property
    def accepted_records(self) -> int:
        """Records accepted for the feed: those of all outcomes, and those pending."""
        return self.cursor.accepted_records + self.cursor.account.unpacked

    async def _process(self, batch: Batch, upcoming: Upcoming) -> Processed | None:
        processed, start = Processed(batch), 0
        while start < len(batch.data):
            found = await self._rendering.take(batch, start, upcoming)
            if not await self._process_slice(processed, found):
                return None
            start = found.slice.end
            # Others have their turn between slices: rendering does not await.
            await asyncio.sleep(0)
        processed.done.unpacked = processed.done.done - batch.records
        for retrial in self.retrials if batch.feed else ():
            retrial.note(batch, processed.done, processed.rejects)
        return processed

    async def _process_slice(self, processed: Processed, found: RenderedSlice) -> bool:
        """Bring a slice to its end; return `False` when stopped before."""
        batch, done = processed.batch, processed.done
        offset, data = found.slice.start, found.slice.data
        pipeline, rendered = found.pipeline, found.rendered
        for tap in self._taps:
            tap.show(self.name, data, rendered.lines)
        outgoing = OutgoingLines(self.name, batch.source, pipeline, rendered)
        if not await self._sender.send(outgoing, self._stop):
            return False
        for bad in rendered.bad:
            events.record_rejected(
                self.name, batch.source, bad.reason, offset + bad.offset, len(bad.data)
            )
            processed.reject(bad.reason, bad.data)
            self._tally.add(bad.reason)
        if outgoing.rejected and pipeline is not None:
            await self._rendering.settled()
            for number, record in records_behind(pipeline, data, sorted(outgoing.rejected)):
                processed.reject(outgoing.rejected[number], record)
                self._tally.add(outgoing.rejected[number])
        done.delivered += outgoing.delivered
        done.filtered += rendered.filtered
        done.rejected += len(rendered.bad) + len(outgoing.rejected)
        done.shortened += outgoing.shortened
        return True
