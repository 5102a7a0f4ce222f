"""Turns of the event loop: what many want to do at the same moment happens one after another.

The stream of records runs in the same loop. What peers ask for takes it a few milliseconds a turn,
however many they are.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

TURN_SECS = 0.002


class Turns:
    """Calls what waits, in its order, for `TURN_SECS` in each turn of the event loop.

    A call that returns true has something begin that takes a while by itself: it is the last of its
    turn.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], bool]] = deque()
        self._next: asyncio.Handle | None = None

    def wait(self, call: Callable[[], bool]) -> None:
        """Have something called in one of the next turns."""
        self._waiting.append(call)
        self._arrange()

    async def mine(self) -> None:
        """Wait for a turn of one's own."""
        coming = asyncio.get_running_loop().create_future()

        def come() -> bool:
            if coming.done():
                return False
            coming.set_result(None)
            return True

        self.wait(come)
        await coming

    def _arrange(self) -> None:
        if self._next is None and self._waiting:
            self._next = asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        self._next = None
        until = time.perf_counter() + TURN_SECS
        is_over = False
        try:
            while self._waiting and not is_over:
                is_over = self._waiting.popleft()() or time.perf_counter() >= until
        finally:
            self._arrange()
