"""A tap: a sampled live view of what feeds read and send, without slowing them down.

`Tap.show` is called for every slice of a feed, `Tap.show_messages` for what sources of messages
read. Neither waits: beyond its allowance and its queue a tap takes no samples and counts what it
leaves out.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nss.sources import SeenMessage

TapKind = Literal["lines", "records"]

SHOWN_MAX_BYTES = 16 * 1024
"""How much of a record or line is shown."""

MAX_WAITING = 256
"""How many wait for a slow viewer before more are left out."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record or line as it passed; `data` is cut to `SHOWN_MAX_BYTES`, `full_bytes` is not.

    `left_out` is how many had been left out until then because there were too many. Of a message
    `data` is JSON, with a cut value, and `full_bytes` the size of the value.
    """

    feed: str
    """The name of the feed; of a message, that of the source."""
    data: bytes
    full_bytes: int
    left_out: int


class Tap:
    """One viewer's tap, at one feed, at all (`None`), or instead at the messages of one source.

    Shows at most `max_per_sec`, spread over the second, of those that contain `text`. Searching
    takes time, so what comes when the allowance is used up is not searched. Iterate over it to
    see; `close` ends the iteration. `text` must not have a line feed.
    """

    def __init__(
        self,
        feed: str | None = None,
        kind: TapKind = "lines",
        text: str = "",
        max_per_sec: int = 100,
        *,
        source: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.feed = feed
        self.source = source
        self.left_out = 0
        self._kind = kind
        self._needle = text.encode()
        self._max_per_sec = max_per_sec
        self._clock = clock
        self._allowance = float(max_per_sec)
        self._allowed_at = clock()
        self._waiting: deque[Seen] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def show(self, feed_name: str, data: bytes, lines: Sequence[bytes]) -> None:
        """Take samples of a slice: `data` is its raw records one a line, `lines` what is sent."""
        if self.source is not None or (self.feed is not None and feed_name != self.feed):
            return
        room = self._room()
        if self._kind == "records":
            shown = self._show_records(feed_name, data, room)
        else:
            shown = self._show_lines(feed_name, lines, room)
        self._note(shown)

    def watches(self, source: str) -> bool:
        """Return whether messages of a source are of interest."""
        return source == self.source

    def show_messages(self, source: str, messages: Sequence[SeenMessage]) -> None:
        """Take samples of what a source has read."""
        if source != self.source:
            return
        room, shown = self._room(), 0
        for index, message in enumerate(messages):
            if shown == room:
                self.left_out += len(messages) - index
                break
            if message.holds(self._needle):
                self._put(source, message.as_json(SHOWN_MAX_BYTES), message.value_bytes)
                shown += 1
        self._note(shown)

    def close(self) -> None:
        """End the iteration, after what waits."""
        self._closed = True
        self._news.set()

    def __aiter__(self) -> "Tap":
        return self

    async def __anext__(self) -> Seen:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def _show_lines(self, feed_name: str, lines: Sequence[bytes], room: int) -> int:
        shown = 0
        if not room:  # the lines are made when somebody looks
            self.left_out += len(lines)
            return 0
        for index, line in enumerate(lines):
            if shown == room:
                self.left_out += len(lines) - index
                break
            if self._needle in line:
                self._put(feed_name, line[:SHOWN_MAX_BYTES], len(line))
                shown += 1
        return shown

    def _show_records(self, feed_name: str, data: bytes, room: int) -> int:
        at = shown = 0
        while at < len(data):
            if shown == room:
                self.left_out += data.count(b"\n", at)
                break
            found = data.find(self._needle, at)
            if found < 0:
                break
            start = data.rfind(b"\n", at, found) + 1 or at
            end = data.find(b"\n", found)
            end = len(data) if end < 0 else end
            self._put(feed_name, data[start : min(end, start + SHOWN_MAX_BYTES)], end - start)
            shown += 1
            at = end + 1
        return shown

    def _note(self, shown: int) -> None:
        if shown:
            self._allowance -= shown
            self._news.set()

    def _put(self, feed_name: str, data: bytes, full_bytes: int) -> None:
        self._waiting.append(Seen(feed_name, data, full_bytes, self.left_out))

    def _room(self) -> int:
        """Return how many may be shown now."""
        now = self._clock()
        earned = (now - self._allowed_at) * self._max_per_sec
        self._allowance = min(self._allowance + earned, float(self._max_per_sec))
        self._allowed_at = now
        return min(int(self._allowance), MAX_WAITING - len(self._waiting))
