"""The lines of one slice on their way to the sink, until each of them was taken or refused."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from formats import Pipeline, Rendered
from formats.lines import Lines
from nss.feeds import events
from nss.feeds.rendering import Rendering
from nss.sinks import Delivered, Rejected, RetryAfter, Sink, TooLong


class OutgoingLines:
    """The lines of one slice on their way to the sink, and what became of those that left."""

    def __init__(
        self, feed: str, source: str, pipeline: Pipeline | None, rendered: Rendered
    ) -> None:
        self.lines = rendered.lines
        """Those that are left."""
        self.delivered = 0
        self.shortened = 0
        self.rejected: dict[int, str] = {}
        """Why lines were rejected, by their index among all lines."""
        self._feed = feed
        self._source = source
        self._pipeline = pipeline
        self._rendered = rendered
        self._numbers: Sequence[int] = range(len(rendered.lines))
        """The index among all lines of each line that is left."""
        self._as_rendered: Mapping[int, int] | None = rendered.shortened
        """How long lines were that were cut as they were rendered; `None` once it was reported."""

    def keys(self) -> list[int] | None:
        """Return the keys by which the lines that are left must stay in order."""
        if self._pipeline is None:
            return None
        return self._pipeline.keys(self._rendered.records_at(self._numbers))

    def mark_delivered(self, sent: int) -> None:
        """Count the first lines as delivered."""
        self.delivered += sent
        self._drop(sent)

    def reject(self, reason: str) -> None:
        """Reject the first of the lines that are left."""
        self._note_rejected(0, reason, self.lines.sizes_of([0])[0])
        self._drop(1)

    def fit(self, max_bytes: int) -> None:
        """Shorten the lines that are too long; reject those that can't be shortened enough.

        They were cut to what the sink took when they were rendered; now it may take less.
        """
        before, self._as_rendered = self._as_rendered, None
        if before is not None and self._rendered.max_bytes == max_bytes:
            sizes = self.lines.sizes_of(before)
            for before_bytes, after_bytes in zip(before.values(), sizes, strict=True):
                self._note_shortened(before_bytes, after_bytes)
            self._settle(dict.fromkeys(self.lines.longer(max_bytes)), {}, max_bytes)
            return
        before = before or {}  # from what they were, not from what is left of them
        too_long = sorted({*self.lines.longer(max_bytes), *before})
        if too_long:
            fitted = self._fitted(too_long, max_bytes)
            self._settle(dict(zip(too_long, fitted, strict=True)), before, max_bytes)

    def _settle(
        self, fitted: Mapping[int, bytes | None], before: Mapping[int, int], max_bytes: int
    ) -> None:
        """Put shortened lines in place, and reject those that are `None`; report either."""
        if not fitted:
            return
        reason = f"longer than {max_bytes} bytes, however it is shortened"
        for index, line in fitted.items():
            before_bytes = before.get(index) or self.lines.sizes_of([index])[0]
            if line is None:
                self._note_rejected(index, reason, before_bytes)
            elif len(line) < before_bytes:
                self._note_shortened(before_bytes, len(line))
        self.lines = self.lines.patched(fitted)
        if len(self.lines) < len(self._numbers):
            left = enumerate(self._numbers)
            self._numbers = [number for index, number in left if fitted.get(index, b"") is not None]

    def _fitted(self, indices: Sequence[int], max_bytes: int) -> Sequence[bytes | None]:
        if self._pipeline is None:
            return [None] * len(indices)
        numbers = [self._numbers[index] for index in indices]
        return self._pipeline.fitted(self._rendered, numbers, max_bytes)

    def _note_shortened(self, before_bytes: int, after_bytes: int) -> None:
        self.shortened += 1
        events.line_shortened(self._feed, before_bytes, after_bytes)

    def _note_rejected(self, index: int, reason: str, line_bytes: int) -> None:
        self.rejected[self._numbers[index]] = reason
        events.record_rejected(self._feed, self._source, reason, 0, line_bytes)

    def _drop(self, count: int) -> None:
        self.lines = self.lines[count:]
        self._numbers = self._numbers[count:]


class LineSender:
    """Hands lines to the sink of one feed, again when the sink asks for it.

    While the sink is at work, the feed's `rendering` goes ahead.
    """

    def __init__(self, sink: Sink, at: Callable[[str], None], rendering: Rendering) -> None:
        self.sending = False
        """Whether the sink is at work on lines now."""
        self.handed_over = 0
        """Lines that the sink accepted; moves inside of a batch, the account only at its end."""
        self.last_error: str | None = None
        """Why the sink accepted no lines the last time."""
        self.next_try_at: float | None = None
        """When it is given them again, seconds since the epoch; `None`: now, or there are none."""
        self._sink = sink
        self._at = at
        self._rendering = rendering

    async def send(self, outgoing: OutgoingLines, stop: asyncio.Event) -> bool:
        """Send until no line is left; return `False` when stopped during a delay before that."""
        while outgoing.lines:
            delay_secs = await self._step(outgoing)
            self._at("mid-send")
            if delay_secs and await self._stopped_within(stop, delay_secs):
                return False
        self.last_error = None
        return True

    async def _step(self, outgoing: OutgoingLines) -> float:
        """Send what is left; return the seconds to wait before the next step."""
        sink = self._sink
        await self._rendering.settled()  # what follows may need the pipeline
        outgoing.fit(sink.max_line_bytes)
        if not outgoing.lines:
            return 0
        keys = outgoing.keys() if sink.wants_keys else None
        self._rendering.go_ahead()
        self.sending = True
        try:
            outcome = await sink.send(Lines.of(outgoing.lines), keys)
        finally:
            self.sending = False
        sent = len(outgoing.lines) if isinstance(outcome, Delivered) else outcome.sent
        outgoing.mark_delivered(sent)
        self.handed_over += sent
        match outcome:
            case Rejected(reason=reason):
                outgoing.reject(reason)
            case RetryAfter(delay_secs=delay_secs, reason=reason):
                self.last_error = reason
                return delay_secs
            case Delivered() | TooLong():
                pass  # after `TooLong` the sink's limit has fallen; the next step fits to it
        return 0

    async def _stopped_within(self, stop: asyncio.Event, delay_secs: float) -> bool:
        self.next_try_at = time.time() + delay_secs
        try:
            async with asyncio.timeout(delay_secs):
                await stop.wait()
        except TimeoutError:
            return False
        finally:
            self.next_try_at = None
        return True
