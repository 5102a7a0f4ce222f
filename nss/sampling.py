"""Samples of what passes, for a viewer who may be slow: an allowance and a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar

MAX_WAITING = 256
"""How many wait for a slow viewer before more are left out."""

T = TypeVar("T")


class Sampler(Generic[T]):
    """What one viewer is shown: at most `max_per_sec`, spread over the second.

    Iterate over it to see; `close` ends the iteration. Nothing here waits for the viewer.
    """

    def __init__(self, max_per_sec: int, clock: Callable[[], float]) -> None:
        self.left_out = 0
        """How many passed that were not shown, as there were too many."""
        self.clock = clock
        self._max_per_sec = max_per_sec
        self._allowance = float(max_per_sec)
        self._allowed_at = clock()
        self._waiting: deque[T] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def room(self) -> int:
        """Return how many may be shown now."""
        now = self.clock()
        earned = (now - self._allowed_at) * self._max_per_sec
        self._allowance = min(self._allowance + earned, float(self._max_per_sec))
        self._allowed_at = now
        return min(int(self._allowance), MAX_WAITING - len(self._waiting))

    def put(self, seen: T) -> None:
        """Show one; `note` comes behind the last."""
        self._waiting.append(seen)

    def note(self, shown: int) -> None:
        """Take note of how many were shown."""
        if shown:
            self._allowance -= shown
            self._news.set()

    def close(self) -> None:
        """End the iteration, after what waits."""
        self._closed = True
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
