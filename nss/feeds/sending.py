"""The lines of one slice on their way to the sink, until each of them was taken or refused."""

import asyncio
from collections.abc import Callable

from formats import Pipeline, Rendered
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
        self._records = rendered.records

    def keys(self) -> list[str] | None:
        """Return the keys by which the lines that are left must stay in order."""
        return None if self._pipeline is None else self._pipeline.keys(self._records)

    def mark_delivered(self, sent: int) -> None:
        """Count the first lines as delivered."""
        self.delivered += sent
        del self.lines[:sent]
        del self._records[:sent]

    def reject(self, index: int, reason: str) -> None:
        """Reject the line at an index among those that are left."""
        number = index + self.delivered
        for earlier in sorted(self.rejected):
            number += earlier <= number
        self.rejected[number] = reason
        events.record_rejected(self._feed, self._source, reason, 0, len(self.lines[index]))
        del self.lines[index]
        del self._records[index]

    def fit(self, max_bytes: int) -> None:
        """Shorten the lines that are too long; reject those that can't be shortened enough."""
        if max(map(len, self.lines)) <= max_bytes:
            return
        for index in reversed(range(len(self.lines))):
            line = self.lines[index]
            if len(line) <= max_bytes:
                continue
            fitted = None
            if self._pipeline is not None:
                fitted = self._pipeline.renderer.fit(self._records[index], max_bytes)
            if fitted is None:
                self.reject(index, f"longer than {max_bytes} bytes, however it is shortened")
                continue
            self.shortened += 1
            events.line_shortened(self._feed, len(line), len(fitted))
            self.lines[index] = fitted


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
        self._sink = sink
        self._at = at
        self._rendering = rendering

    async def send(self, outgoing: OutgoingLines, stop: asyncio.Event) -> bool:
        """Send until no line is left; return `False` when stopped during a delay before that."""
        while outgoing.lines:
            delay_secs = await self._step(outgoing)
            self._at("mid-send")
            if delay_secs and await _stopped_within(stop, delay_secs):
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
            outcome = await sink.send(outgoing.lines, keys)
        finally:
            self.sending = False
        sent = len(outgoing.lines) if isinstance(outcome, Delivered) else outcome.sent
        outgoing.mark_delivered(sent)
        self.handed_over += sent
        match outcome:
            case Rejected(reason=reason):
                outgoing.reject(0, reason)
            case RetryAfter(delay_secs=delay_secs, reason=reason):
                self.last_error = reason
                return delay_secs
            case Delivered() | TooLong():
                pass  # after `TooLong` the sink's limit has fallen; the next step fits to it
        return 0


async def _stopped_within(stop: asyncio.Event, delay_secs: float) -> bool:
    try:
        async with asyncio.timeout(delay_secs):
            await stop.wait()
    except TimeoutError:
        return False
    return True
