"""A limit on requests in a time, in the whole process: the tenant counts them together."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

WINDOW_SECS = 60.0

SPARE_LOOK_SECS = 1.0
"""How often what can wait looks for turns to spare."""


class Limiter:
    """Lets at most `requests_per_minute` turns pass in any minute, in the order of asking.

    The minute may be another time, `window_secs`.

    Nothing is held back as long as there are turns left, so a burst goes through at once.
    `clock`, seconds that only grow, and `sleep` are seams for tests.
    """

    def __init__(
        self,
        requests_per_minute: int,
        *,
        window_secs: float = WINDOW_SECS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self._window_secs = window_secs
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[float] = deque()
        self._lock = asyncio.Lock()
        self._not_before = 0.0
        self._released = asyncio.Event()

    async def turn(self) -> None:
        """Wait for a turn and use it up."""
        async with self._lock:
            while (wait_secs := self._wait_secs()) > 0:
                await self._pause(wait_secs)
            self._taken.append(self._clock())

    async def spare(self) -> None:
        """Wait until there are turns to spare, without taking one: for what can wait.

        Then nobody waits for a turn, and a third of those of a minute are left to others.
        """
        while self._lock.locked() or self._is_scarce():
            await self._sleep(SPARE_LOOK_SECS)

    def _is_scarce(self) -> bool:
        is_held = self._wait_secs() > 0
        return is_held or len(self._taken) >= max(1, self.requests_per_minute * 2 // 3)

    def hold(self, secs: float) -> None:
        """Let nothing pass for a while: the service said so."""
        self._not_before = max(self._not_before, self._clock() + secs)

    @property
    def held_secs(self) -> float:
        """For how long nothing passes because of a `hold`."""
        return max(0.0, self._not_before - self._clock())

    def release(self) -> None:
        """End a `hold`, also for those that wait already. The limit stays in force."""
        self._not_before = 0.0
        self._released.set()

    async def _pause(self, secs: float) -> None:
        """Sleep, but not beyond a `release`."""
        self._released.clear()
        waiting = [
            asyncio.ensure_future(self._sleep(secs)),
            asyncio.ensure_future(self._released.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _wait_secs(self) -> float:
        now = self._clock()
        while self._taken and now - self._taken[0] >= self._window_secs:
            self._taken.popleft()
        wait_secs = self._not_before - now
        if len(self._taken) >= self.requests_per_minute:
            wait_secs = max(wait_secs, self._taken[0] + self._window_secs - now)
        return wait_secs
