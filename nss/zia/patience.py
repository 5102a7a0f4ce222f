"""Repeating requests that ZIA did not carry out, within the time that a run has.

`Retry-After` is the least that is waited; some more, by chance, keeps several clients apart.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nss.zia import Busy, Unreachable, ZiaError

T = TypeVar("T")

FIRST_SECS = 5.0
LONGEST_SECS = 60.0
"""Edit locks are tried again after 5, 10, 20, 40, 60, 60 .. seconds."""

MAX_SPREAD = 0.25
"""By how much of itself a pause grows, by chance."""


class Patience:
    """Repeats what may be repeated. `clock`, `sleep` and `chance` are seams for tests."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self._chance = chance

    async def repeat(
        self, attempt: Callable[[], Awaitable[T]], deadline: float, *, is_harmless: bool
    ) -> T:
        """Return what an attempt comes to, as soon as one succeeds before the deadline.

        `is_harmless` says that it may be carried out twice, so that it is also repeated when nobody
        knows whether it was. Raises the `ZiaError` of the last attempt.
        """
        pause = FIRST_SECS
        while True:
            try:
                return await attempt()
            except Busy as error:
                await self._wait(error, pause if error.retry_after_secs is None else 0.0, deadline)
            except Unreachable as error:
                if not is_harmless:
                    raise
                await self._wait(error, pause, deadline)
            pause = min(pause * 2, LONGEST_SECS)

    async def _wait(self, error: ZiaError, pause: float, deadline: float) -> None:
        secs = max(pause, error.retry_after_secs or 0.0)
        secs *= 1 + MAX_SPREAD * self._chance()
        if self.clock() + secs >= deadline:
            raise error
        await self.sleep(secs)
