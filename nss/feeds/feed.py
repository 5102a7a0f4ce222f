"""A feed at work: follow the spool, decode, filter, render, hand over, move the cursor."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from formats import BadRecord, FeedSettings, Input, NotReadable, Pipeline, Rendered, recognise
from formats.reading import split_lines
from nss.batch import Account, Batch
from nss.feeds import events
from nss.feeds.tap import Tap
from nss.sinks import Delivered, Rejected, RetryAfter, Sink, TooLong
from nss.spool import Cursor, Entry, Reject, SpoolClosed

SAMPLE_MAX_BYTES = 64 * 1024
"""So much of a batch is looked at to recognise the form of its records."""


MAX_SENDERS = 4096
"""The forms of so many connections are remembered, then all are forgotten."""

SLICE_BYTES = 128 * 1024
"""So much of a batch is decoded, rendered and sent before the next: the records of a slice stay
in the processor's second-level cache on their way."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a feed reads one source: its input, or `None` to recognise it, and its settings."""

    input: Input | None
    settings: FeedSettings


class Feed:
    """One feed between its cursor and its sink. Records of one connection stay in order.

    A batch counts once it is done with: each of its records is delivered, filtered or rejected,
    and until then it is pending.
    """

    def __init__(
        self,
        name: str,
        cursor: Cursor,
        sink: Sink,
        origins: Mapping[str, Origin],
        taps: Collection[Tap] = (),
        at: Callable[[str], None] = lambda _point: None,
    ) -> None:
        self.name = name
        self.cursor = cursor
        self.sink = sink
        self.handed_over = 0
        """Lines that the sink took; moves inside of a batch, the account only at its end."""
        self.sending_lines = False
        self._error: str | None = None
        self._taps = taps
        self._at = at
        self._origins = origins
        self._pipelines: dict[tuple[str, str], Pipeline] = {}
        self._compiled: dict[tuple[str, str], Pipeline] = {}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Work until the spool is sealed and empty, or until `stop`."""
        await self.sink.open()
        try:
            await self._follow()
        finally:
            await self.sink.close()

    async def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                entry = await self._next()
                if entry is None:
                    return
                passing = await self._pass(entry.batch)
                if passing is None:
                    return
                await self.cursor.advance(entry.sequence, passing.done, passing.rejects)
                # The next batch only after others had their turn: rendering does not await.
                await asyncio.sleep(0)
        except SpoolClosed:
            return

    def stop(self) -> None:
        """Stop after the batch at hand, or at once when its destination takes nothing."""
        self._stop.set()

    def failed(self, reason: str) -> None:
        """The sink could not take lines, which it will be asked again to."""
        self._error = reason

    @property
    def sending(self) -> bool:
        """Whether the sink is at work on lines now."""
        return self.sending_lines

    @property
    def patience_secs(self) -> float:
        """How long records may wait without anything being wrong."""
        return 0.0

    @property
    def advice(self) -> str | None:
        """What somebody should know of the destination though nothing is wrong."""
        return None

    @property
    def last_error(self) -> str | None:
        """What is wrong now with the way to the destination."""
        return self._error or self.sink.last_error

    @property
    def accepted_records(self) -> int:
        """Records accepted for the feed: delivered, filtered, rejected or pending."""
        return self.cursor.accepted_records + self.cursor.account.unpacked

    async def _next(self) -> Entry | None:
        """Return the next batch; `None` when the feed was stopped first."""
        following = asyncio.ensure_future(self.cursor.next())
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return following.result() if following.done() else None
        finally:
            following.cancel()
            stopped.cancel()

    async def _pass(self, batch: Batch) -> "_Passing | None":
        """Bring a batch to its end and return what became of it; `None` when stopped before."""
        passing = _Passing(batch)
        for offset, data in _slices(batch.data):
            if not await self._pass_slice(passing, offset, data):
                return None
            # Others have their turn between slices: rendering does not await.
            await asyncio.sleep(0)
        passing.done.unpacked = passing.done.done - batch.records
        return passing

    async def _pass_slice(self, passing: "_Passing", offset: int, data: bytes) -> bool:
        batch = passing.batch
        source, sender = batch.source, (batch.source, batch.connection)
        rendered = self._render(sender, data)
        for tap in self._taps:
            tap.show(self.name, data, rendered.lines)
        delivery = _Delivery(self, source, self._pipelines.get(sender), rendered)
        while not delivery.done:
            delay_secs = await delivery.step()
            self._at("mid-send")
            if delay_secs and await self._stopped_within(delay_secs):
                return False
        self._error = None
        for bad in rendered.bad:
            events.record_rejected(
                self.name, source, bad.reason, offset + bad.offset, len(bad.data)
            )
            passing.reject(bad.reason, bad.data)
        if delivery.rejected:
            for number, record in self._records_behind(sender, data, sorted(delivery.rejected)):
                passing.reject(delivery.rejected[number], record)
        done = passing.done
        done.delivered += delivery.delivered
        done.filtered += rendered.filtered
        done.rejected += len(rendered.bad) + len(delivery.rejected)
        done.shortened += delivery.shortened
        return True

    def _records_behind(
        self, sender: tuple[str, str], data: bytes, numbers: Sequence[int]
    ) -> Iterator[tuple[int, bytes]]:
        """Yield, for some lines by their numbers, the records that they were rendered from.

        Rendering does not note it, as next to no record is ever asked for.
        """
        pipeline = self._pipelines[sender]
        wanted, rendered = deque(numbers), 0
        for _, record in split_lines(data):
            rendered += len(pipeline.run(record + b"\n").lines)
            while wanted and wanted[0] < rendered:
                yield wanted.popleft(), record
            if not wanted:
                return

    async def _stopped_within(self, delay_secs: float) -> bool:
        try:
            async with asyncio.timeout(delay_secs):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    def _render(self, sender: tuple[str, str], data: bytes) -> Rendered:
        """Render a slice of one connection of one source; each is in a form of its own."""
        pipeline = self._pipelines.get(sender)
        origin = self._origins[sender[0]]
        if pipeline is not None:
            rendered = pipeline.run(data)
            if origin.input is not None or rendered.lines or rendered.filtered:
                return rendered
        # Nothing of it could be read: its sender may write another form than the last.
        found = origin.input or _recognised(data)
        if found is None:
            if pipeline is not None:
                return rendered
            return _unknown(data)
        if len(self._pipelines) >= MAX_SENDERS:
            self._pipelines.clear()
        pipeline = self._pipelines[sender] = self._compile(sender[0], found, origin)
        return pipeline.run(data)

    def _compile(self, source: str, found: Input, origin: Origin) -> Pipeline:
        """Return what renders records of one form of a source, compiled once."""
        pipeline = self._compiled.get((source, found.name))
        if pipeline is None:
            pipeline = self._compiled[source, found.name] = Pipeline(found, origin.settings)
            if origin.input is None:
                events.format_recognised(self.name, source, found.name)
        return pipeline


def _slices(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines of about `SLICE_BYTES`, each with its offset."""
    at = 0
    while len(data) - at > SLICE_BYTES:
        end = data.rfind(b"\n", at, at + SLICE_BYTES) + 1 or data.find(b"\n", at) + 1 or len(data)
        yield at, data[at:end]
        at = end
    if at < len(data):
        yield at, data[at:]


@dataclass(slots=True)
class _Passing:
    """What became of a batch so far."""

    batch: Batch
    done: Account = field(default_factory=Account)
    rejects: list[Reject] = field(default_factory=list)

    def reject(self, reason: str, record: bytes) -> None:
        """Note a reject for the spool to keep."""
        self.rejects.append(Reject(self.batch.source, self.batch.connection, reason, record))


class _Delivery:
    """The way of one batch's lines to the sink: what is left, and what became of the others."""

    def __init__(
        self, feed: Feed, source: str, pipeline: Pipeline | None, rendered: Rendered
    ) -> None:
        self._feed = feed
        self._source = source
        self._pipeline = pipeline
        self._lines = rendered.lines
        self._records = rendered.records
        self.delivered = 0
        self.rejected: dict[int, str] = {}
        """Why lines were rejected, by their index among all lines."""
        self.shortened = 0

    @property
    def done(self) -> bool:
        return not self._lines

    async def step(self) -> float:
        """Send what is left; returns the seconds to wait before the next step."""
        sink = self._feed.sink
        self._fit(sink.max_line_bytes)
        if not self._lines:
            return 0
        keys = self._pipeline.keys(self._records) if sink.wants_keys and self._pipeline else None
        self._feed.sending_lines = True
        try:
            outcome = await sink.send(self._lines, keys)
        finally:
            self._feed.sending_lines = False
        match outcome:
            case Delivered():
                self._drop(len(self._lines))
            case TooLong(sent=sent):
                self._drop(sent)  # the sink's limit has fallen; the next step fits to it
            case Rejected(sent=sent, reason=reason):
                self._drop(sent)
                self._reject(0, reason)
            case RetryAfter(sent=sent, delay_secs=delay_secs, reason=reason):
                self._drop(sent)
                self._feed.failed(reason)
                return delay_secs
        return 0

    def _drop(self, sent: int) -> None:
        self.delivered += sent
        self._feed.handed_over += sent
        del self._lines[:sent]
        del self._records[:sent]

    def _reject(self, index: int, reason: str) -> None:
        number = index + self.delivered
        for earlier in sorted(self.rejected):
            number += earlier <= number
        self.rejected[number] = reason
        events.record_rejected(self._feed.name, self._source, reason, 0, len(self._lines[index]))
        del self._lines[index]
        del self._records[index]

    def _fit(self, max_bytes: int) -> None:
        """Shorten what is too long for the sink; reject what can't be shortened enough."""
        if max(map(len, self._lines)) <= max_bytes:
            return
        for index in reversed(range(len(self._lines))):
            line = self._lines[index]
            if len(line) <= max_bytes:
                continue
            fitted = None
            if self._pipeline is not None:
                fitted = self._pipeline.renderer.fit(self._records[index], max_bytes)
            if fitted is None:
                self._reject(index, f"longer than {max_bytes} bytes, however it is shortened")
                continue
            self.shortened += 1
            events.line_shortened(self._feed.name, len(line), len(fitted))
            self._lines[index] = fitted


def _recognised(data: bytes) -> Input | None:
    end = data.find(b"\n", SAMPLE_MAX_BYTES)
    try:
        return recognise(data if end < 0 else data[: end + 1])
    except NotReadable:
        return None


def _unknown(data: bytes) -> Rendered:
    reason = "the records are in no known format"
    bad = [BadRecord(n, at, reason, line) for n, (at, line) in enumerate(split_lines(data))]
    return Rendered([], [], bad=bad)
