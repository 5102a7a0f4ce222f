"""Work on files off the event loop that ends before anything else is done, even when cancelled."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def unbroken(work: Callable[[], T]) -> T:
    """Return what `work` returns, in a thread.

    A caller that is cancelled waits for the end of it: nothing is written behind the back of
    whoever comes next.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
