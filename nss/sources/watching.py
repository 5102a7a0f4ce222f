"""Watching a source: a sampled live view of the messages that it reads, without slowing it down.

A source of messages shows whoever watches what it has just read. That costs a bounded share of the
event loop, whatever the messages are: what is beyond it is counted, and not looked at.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nss.sampling import Sampler

VALUE_MAX_BYTES = 16 * 1024
"""How much is shown of a message's value."""

PART_MAX_BYTES = 256
"""How much is shown of its key, and of a header's name and value."""

MAX_HEADERS = 32
"""How many headers are looked at, and shown."""

TIME_SHARE = 0.05
"""Which part of its time the event loop may have for one viewer."""

MAX_SECS = 0.01
"""How much of that may be saved up."""


@dataclass(frozen=True, slots=True)
class SeenHeader:
    """A header of a message; name and value are cut to `PART_MAX_BYTES`."""

    name: bytes
    value: bytes | None
    value_bytes: int
    """How long the value is."""


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as a source has read it; its parts are cut, and the sizes beside them are not."""

    source: str
    topic: str
    partition: int
    offset: int
    produced_ms: int | None
    """Milliseconds since the epoch, as its producer or the broker says."""
    key: bytes | None
    key_bytes: int
    headers: tuple[SeenHeader, ...] | None
    """The first `MAX_HEADERS`; `None`: they can't be read."""
    more_headers: int
    value: bytes | None
    """`None`: a tombstone."""
    value_bytes: int
    left_out: int
    """How many messages had been left out until then because there were too many."""


class ReadMessage(Protocol):
    """A message that was read, for those who watch; each asks for what it needs."""

    def holds(self, text: bytes) -> bool:
        """Return whether its value, its key, or one of the first headers holds some bytes."""

    def seen(self, source: str, left_out: int) -> SeenMessage:
        """Return what is shown of it."""


class Watcher(Protocol):
    """Somebody who watches sources. It may leave messages out, and never waits."""

    def watches(self, source: str) -> bool:
        """Return whether messages of a source are of interest."""

    def show(self, source: str, messages: Sequence[ReadMessage], left_out: int) -> None:
        """Take note of messages that a source has read, and of others that it does not show."""


@runtime_checkable
class WatchableSource(Protocol):
    """A source of messages that have more than the stream takes of them, such as keys."""

    watchers: Collection[Watcher]


class MessageTap(Sampler[SeenMessage]):
    """One viewer's tap at the messages of a source.

    Shows at most `max_per_sec`, spread over the second, of those that contain `text`. Iterate over
    it to see; `close` ends the iteration.
    """

    def __init__(
        self,
        source: str,
        text: str = "",
        max_per_sec: int = 100,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(max_per_sec, clock)
        self.source = source
        self._needle = text.encode()
        self._secs = MAX_SECS
        self._earned_at = clock()

    def watches(self, source: str) -> bool:
        """Return whether messages of a source are of interest."""
        return source == self.source

    def show(self, source: str, messages: Sequence[ReadMessage], left_out: int) -> None:
        """Take samples of what a source has read."""
        if source != self.source:
            return
        self.left_out += left_out
        room, shown, began = self.room(), 0, self.clock()
        self._secs = min(self._secs + (began - self._earned_at) * TIME_SHARE, MAX_SECS)
        self._earned_at = began
        for index, message in enumerate(messages):
            if shown == room or self.clock() - began >= self._secs:
                self.left_out += len(messages) - index
                break
            if message.holds(self._needle):
                self.put(message.seen(source, self.left_out))
                shown += 1
        self._secs -= self.clock() - began
        self.note(shown)
