"""A tap: a sampled live view of what feeds read and send, without slowing them down.

`Tap.show` is called for every slice of a feed. It never waits: beyond its allowance and its queue
it takes no samples and counts what it leaves out.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nss.sampling import Sampler

TapKind = Literal["lines", "records"]

SHOWN_MAX_BYTES = 16 * 1024
"""How much of a record or line is shown."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record or line as it passed; `data` is cut to `SHOWN_MAX_BYTES`, `full_bytes` is not.

    `left_out` is how many had been left out until then because there were too many.
    """

    feed: str
    data: bytes
    full_bytes: int
    left_out: int


class Tap(Sampler[Seen]):
    """One viewer's tap, at one feed or, with `None`, at all of them.

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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(max_per_sec, clock)
        self.feed = feed
        self._kind = kind
        self._needle = text.encode()

    def show(self, feed_name: str, data: bytes, lines: Sequence[bytes]) -> None:
        """Take samples of a slice: `data` is its raw records one a line, `lines` what is sent."""
        if self.feed is not None and feed_name != self.feed:
            return
        room = self.room()
        if self._kind == "records":
            shown = self._show_records(feed_name, data, room)
        else:
            shown = self._show_lines(feed_name, lines, room)
        self.note(shown)

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

    def _put(self, feed_name: str, data: bytes, full_bytes: int) -> None:
        self.put(Seen(feed_name, data, full_bytes, self.left_out))
