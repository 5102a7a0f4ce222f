"""A limit on messages a second that lets no bursts through."""

import asyncio
import time
from collections.abc import Awaitable, Callable

SLICE_SECS = 0.005
"""Messages leave in slices of this much time, or one at a time at rates too low for that."""

CATCH_UP_SECS = 2 * SLICE_SECS
"""How much of a late wake-up is made up for. Timers are always late by a millisecond or so, which
would otherwise lower the rate; a long pause must not turn into a burst."""


class Pace:
    """Gives out turns so that `messages_per_sec` is the average and nearly the maximum."""

    def __init__(
        self,
        messages_per_sec: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._secs_per_message = 1 / messages_per_sec
        self._slice = max(1, int(messages_per_sec * SLICE_SECS))
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    async def turn(self, wanted: int) -> int:
        """Wait for a turn and return how many messages may be sent in it: 1 to `wanted`."""
        now = self._clock()
        if now < self._free_at:
            await self._sleep(self._free_at - now)
            now = self._clock()
        granted = min(wanted, self._slice)
        start = max(self._free_at, now - CATCH_UP_SECS)
        self._free_at = start + granted * self._secs_per_message
        return granted
