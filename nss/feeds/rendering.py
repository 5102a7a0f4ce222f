"""Slices of batches, rendered in order: the next one by a thread while others are sent."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from formats import Pipeline, Rendered
from nss.batch import Batch
from nss.feeds.pipelines import Pipelines
from nss.feeds.pool import RenderPool
from nss.sinks import Sink

SLICE_BYTES = 256 * 1024
"""How much of a batch is decoded, rendered and sent before the next. What a slice costs, some 20 us
with the compiled core, is little then for each record; its records in Python are still in the
processor's second-level cache on their way."""

Upcoming = Callable[[], Batch | None]
"""Returns the batch behind the one at hand if it is there already; asks for it."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole lines of a batch, `data`, from the offset `start` on."""

    batch: Batch
    start: int
    data: bytes

    @property
    def end(self) -> int:
        """Where the next one starts."""
        return self.start + len(self.data)

    @property
    def sender(self) -> tuple[str, str]:
        """Whose records these are."""
        return self.batch.source, self.batch.connection

    @property
    def following(self) -> memoryview:
        """The rest of the batch."""
        return memoryview(self.batch.data)[self.end :]


@dataclass(frozen=True, slots=True)
class RenderedSlice:
    """A slice, what became of it, and by which pipeline, see `Pipelines.render`."""

    slice: Slice
    pipeline: Pipeline | None
    rendered: Rendered


@dataclass(frozen=True, slots=True)
class _Work:
    """What a thread is at, or has done."""

    slice: Slice
    pipeline: Pipeline
    result: asyncio.Future[Rendered]

    def is_of(self, batch: Batch, start: int) -> bool:
        """Return whether it is the slice of a batch at an offset."""
        return self.slice.batch is batch and self.slice.start == start


class Rendering:
    """Renders the slices of one feed, at most one of them ahead, in lines that the sink takes.

    Only what runs in the compiled core goes to a thread of the pool: Python would hold the
    interpreter lock there, and gain nothing. All else is done on the event loop.

    A pipeline is for one thread at a time, so from `go_ahead` on nobody may use one, nor ask for
    records that were not decoded, before `settled` has returned.
    """

    def __init__(self, pipelines: Pipelines, sink: Sink, pool: RenderPool | None) -> None:
        self._pipelines = pipelines
        self._sink = sink
        self._pool = pool
        self._at_hand: Slice | None = None
        self._upcoming: Upcoming = lambda: None
        self._ahead: _Work | None = None
        self._mixed: Batch | None = None
        """A batch with records that were not read in its form: the event loop renders the rest."""

    async def take(self, batch: Batch, start: int, upcoming: Upcoming) -> RenderedSlice:
        """Return the slice of a batch at an offset, which must be less than its size, rendered.

        Raises what the pipeline raises, wherever it ran.
        """
        await self.settled()
        if self._ahead is None or not self._ahead.is_of(batch, start):
            self._ahead = self._begin(batch, start)
            await self.settled()
        work, self._ahead = self._ahead, None
        if work is not None and self._may_mix(work):
            self._mixed, work = batch, None
        if work is None:
            at_hand = _cut(batch, start, SLICE_BYTES, SLICE_BYTES)
            pipeline, rendered = self._render(at_hand)
        else:
            at_hand = work.slice
            pipeline, rendered = self._render(at_hand, (work.pipeline, work.result.result()))
        self._at_hand, self._upcoming = at_hand, upcoming
        if self._pool is not None and upcoming() is None and not at_hand.following:
            await asyncio.sleep(0)  # it was asked for only now, and is there if it can be
        return RenderedSlice(at_hand, pipeline, rendered)

    def go_ahead(self) -> None:
        """Have a thread render what comes behind the slice at hand, unless it has already."""
        if self._pool is None or self._ahead is not None or self._at_hand is None:
            return
        batch, start = self._at_hand.batch, self._at_hand.end
        if start == len(batch.data):
            following = self._upcoming()
            if following is None:
                return
            batch, start = following, 0
        self._ahead = self._begin(batch, start)

    async def settled(self) -> None:
        """Wait until no thread is at work for the feed: it is one slice at most."""
        if self._ahead is not None and not self._ahead.result.done():
            await asyncio.wait({self._ahead.result})

    async def close(self) -> None:
        """Let go of what was rendered for nothing; its records are pending."""
        await self.settled()
        ahead, self._ahead, self._at_hand = self._ahead, None, None
        if ahead is not None and ahead.result.done() and not ahead.result.cancelled():
            ahead.result.exception()  # nobody else looks

    def _begin(self, batch: Batch, start: int) -> _Work | None:
        """Have a thread render a slice; `None`: the event loop does it."""
        pool = self._pool
        if pool is None or batch is self._mixed or len(batch.data) - start < pool.min_bytes:
            return None
        pipeline = self._pipelines.expected((batch.source, batch.connection))
        if pipeline is None or not pipeline.is_compiled:
            return None
        at_hand = _cut(batch, start, pool.slice_bytes, pool.slice_bytes * 5 // 4)
        work = partial(pipeline.run, at_hand.data, self._sink.max_line_bytes)
        return _Work(at_hand, pipeline, pool.run(work))

    def _may_mix(self, work: _Work) -> bool:
        """Return whether a slice may hold records of another form than its first ones.

        The form of a source is recognised anew where nothing of a slice could be read in the last
        one. So slices must not be larger than the event loop's, or more records would be rejected.
        """
        large = len(work.slice.data) > SLICE_BYTES
        recognised = self._pipelines.recognises(work.slice.batch.source)
        return large and recognised and bool(work.result.result().bad)

    def _render(
        self, at_hand: Slice, done: tuple[Pipeline, Rendered] | None = None
    ) -> tuple[Pipeline | None, Rendered]:
        given, max_bytes = (at_hand.data, at_hand.following), self._sink.max_line_bytes
        return self._pipelines.render(at_hand.sender, *given, done, max_bytes)


def _cut(batch: Batch, start: int, size_bytes: int, most_bytes: int) -> Slice:
    """Return whole lines of about `size_bytes` from an offset on; one larger line is one alone.

    All that is left is one slice if it has no more than `most_bytes`.
    """
    data, end = batch.data, len(batch.data)
    if end - start > most_bytes:
        end = data.rfind(b"\n", start, start + size_bytes) + 1 or data.find(b"\n", start) + 1 or end
    return Slice(batch, start, data[start:end])
