"""The threads that render for all feeds beside the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nss.batch import BATCH_MAX_BYTES

T = TypeVar("T")

MAX_THREADS = 64

SLICE_BYTES = BATCH_MAX_BYTES
"""How much of a batch a thread renders at a time. The way there and back takes 60 us of CPU, so all
that most batches have; up to a quarter more, or a few records would be a slice alone."""

MIN_BYTES = 32 * 1024
"""Less than that is rendered at once, on the event loop."""


class RenderPool:
    """A bounded number of threads; each is started when there is work for it.

    Work is taken up in the order in which it came. Each feed has at most one piece of work here, so
    a slow one holds up no more than a thread.
    """

    def __init__(
        self, threads: int, slice_bytes: int = SLICE_BYTES, min_bytes: int = MIN_BYTES
    ) -> None:
        self.threads = threads
        self.slice_bytes = slice_bytes
        self.min_bytes = min_bytes
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="render")

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Return the future result of `work`; what it raises is raised by the future."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """End the threads; what they are at is waited for, what has not begun is not done."""
        self._executor.shutdown(cancel_futures=True)


def render_pool(threads: int | None) -> RenderPool | None:
    """Return a pool of `threads`, by default as many as the process has cores; `None` for one.

    With one core a thread beside the event loop has nothing to gain.
    """
    if threads is None:
        threads = min(len(os.sched_getaffinity(0)), MAX_THREADS)
    return None if threads == 1 else RenderPool(threads)
