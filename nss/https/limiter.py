"""A limit on requests a minute in the whole process: the tenant counts them together."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

WINDOW_SECS = 60.0


class Limiter:
    """Lets at most `requests_per_minute` turns pass in any 60 seconds, in the order of asking.

    Nothing is held back as long as there are turns left, so a burst goes through at once.
    `clock`, seconds that only grow, and `sleep` are seams for tests.
    """

    def __init__(
        self,
        requests_per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[float] = deque()
        self._lock = asyncio.Lock()
        self._not_before = 0.0

    async def turn(self) -> None:
        """Wait for a turn and use it up."""
        async with self._lock:
            while (wait_secs := self._wait_secs()) > 0:
                await self._sleep(wait_secs)
            self._taken.append(self._clock())

    def hold(self, secs: float) -> None:
        """Let nothing pass for a while: the service said so."""
        self._not_before = max(self._not_before, self._clock() + secs)

    def _wait_secs(self) -> float:
        now = self._clock()
        while self._taken and now - self._taken[0] >= WINDOW_SECS:
            self._taken.popleft()
        wait_secs = self._not_before - now
        if len(self._taken) >= self.requests_per_minute:
            wait_secs = max(wait_secs, self._taken[0] + WINDOW_SECS - now)
        return wait_secs
