"""Turns of the event loop: what many want to do at the same moment happens one after another.

The stream of records runs in the same loop. What one peer can ask for takes it a few milliseconds
at most; a hundred peers who ask together get one such turn each, with the stream's in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Calls what waits in its order, one in each turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._next: asyncio.Handle | None = None

    def wait(self, call: Callable[[], None]) -> None:
        """Have something called in a turn of its own."""
        self._waiting.append(call)
        self._arrange()

    async def mine(self) -> None:
        """Wait for a turn."""
        coming = asyncio.get_running_loop().create_future()
        self.wait(lambda: None if coming.done() else coming.set_result(None))
        await coming

    def _arrange(self) -> None:
        if self._next is None and self._waiting:
            self._next = asyncio.get_running_loop().call_soon(self._call)

    def _call(self) -> None:
        self._next = None
        call = self._waiting.popleft()
        self._arrange()
        call()
