"""What was written to a connection and may have to be written to the next one again."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

RESEND_MAX_BYTES = 64 << 20
"""How much of what the peer has confirmed is kept for `resend_secs`: the newest."""


@dataclass(slots=True)
class Chunk:
    """Framed lines that are written together."""

    data: bytes | memoryview
    """A view is of a buffer that is at most an eighth larger."""
    lines: int
    end: int = 0
    """The position on the wire after it."""
    written_at: float = 0.0
    confirmed: bool = False
    """Whether a peer's TCP has acknowledged all of it; it may still be kept for `resend_secs`."""


class ResendBuffer:
    """Chunks of the present connection, and those `owed` to the next, oldest first.

    Everything unconfirmed is kept: the kernel's send buffer bounds it. Of the rest, the last
    `resend_secs` are kept, at most `max_bytes`. `clock` returns seconds.
    """

    def __init__(
        self, resend_secs: float, clock: Callable[[], float], max_bytes: int = RESEND_MAX_BYTES
    ) -> None:
        self.owed: deque[Chunk] = deque()
        self._resend_secs = resend_secs
        self._clock = clock
        self.max_bytes = max_bytes
        self._unconfirmed: deque[Chunk] = deque()
        self._confirmed: deque[Chunk] = deque()
        self._confirmed_bytes = 0

    @property
    def unconfirmed_lines(self) -> int:
        """Lines that no peer has confirmed."""
        kept = (*self._unconfirmed, *self.owed)
        return sum(chunk.lines for chunk in kept if not chunk.confirmed)

    def __bool__(self) -> bool:
        """Return whether there is something that a lost connection would have sent again."""
        self._forget()
        return bool(self._unconfirmed or self._confirmed or self.owed)

    def written(self, chunk: Chunk, end: int) -> None:
        """Note that the chunk was written to the connection, up to position `end`."""
        chunk.end, chunk.written_at = end, self._clock()
        self._unconfirmed.append(chunk)

    def confirm(self, position: int) -> int:
        """Note that the peer has everything up to `position`.

        Returns how many lines were dropped for lack of space.
        """
        waiting = self._unconfirmed
        while waiting and waiting[0].end <= position:
            chunk = waiting.popleft()
            chunk.confirmed = True
            self._confirmed.append(chunk)
            self._confirmed_bytes += len(chunk.data)
        return self._forget()

    def ended(self, position: int, *, graceful: bool = False) -> int:
        """Note that the connection has ended, confirmed up to `position`: what is kept is owed now.

        After a `graceful` end that is only what is unconfirmed. Returns how many lines were dropped
        for lack of space.
        """
        dropped = self.confirm(position)
        self.owed.extendleft(reversed(self._unconfirmed))
        if not graceful:
            self.owed.extendleft(reversed(self._confirmed))
        self._forget_connection()
        return dropped

    def clear(self) -> None:
        """Forget everything."""
        self.owed.clear()
        self._forget_connection()

    def _forget_connection(self) -> None:
        self._unconfirmed.clear()
        self._confirmed.clear()
        self._confirmed_bytes = 0

    def _forget(self) -> int:
        """Drop confirmed chunks that are too old or too many; return the lines of the latter."""
        dropped = 0
        oldest = self._clock() - self._resend_secs if self._resend_secs else math.inf
        kept = self._confirmed
        while kept and (kept[0].written_at < oldest or self._confirmed_bytes > self.max_bytes):
            chunk = kept.popleft()
            self._confirmed_bytes -= len(chunk.data)
            if chunk.written_at >= oldest:
                dropped += chunk.lines
        return dropped
