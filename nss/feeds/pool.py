"""The threads that render for all feeds beside the event loop."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nss.batch import BATCH_MAX_BYTES
from nss.feeds import events

T = TypeVar("T")

MAX_THREADS = 64

SPARE_THREADS = 8
"""As many more must be possible: for the spool, files and names, which need them more."""

ENDING_SECS = 0.2
"""So long the system may take to get back the memory of threads that have ended."""

NOT_STARTED = RuntimeError, MemoryError
"""What Python raises when the system starts no thread: there are as many as there may be."""

SLICE_BYTES = BATCH_MAX_BYTES
"""How much of a batch a thread renders at a time. The way there and back takes 60 us of CPU, so all
that most batches have; up to a quarter more, or a few records would be a slice alone."""

MIN_BYTES = 32 * 1024
"""Less than that is rendered at once, on the event loop."""


class ThreadsRefused(Exception):  # noqa: N818 - fewer are as good
    """The system does not start all threads of a pool."""

    def __init__(self, possible: int) -> None:
        super().__init__(possible)
        self.possible = possible
        """How many it may have."""


class RenderPool:
    """Some threads, which are all started at once. Raises `ThreadsRefused`.

    Work is taken up in the order in which it came. Each feed has at most one piece of work here, so
    a slow one holds up no more than a thread.
    """

    def __init__(
        self, threads: int, slice_bytes: int = SLICE_BYTES, min_bytes: int = MIN_BYTES
    ) -> None:
        self.threads = threads
        self.slice_bytes = slice_bytes
        self.min_bytes = min_bytes
        # Without a thread to do it, work would end whoever asks for it: so none is started later.
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="render")
        started = _start_all(self._executor, threads)
        if started < threads:
            self.close()
            raise ThreadsRefused(started)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Return the future result of `work`; what it raises is raised by the future."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """End the threads; what they are at is waited for, what has not begun is not done."""
        self._executor.shutdown(cancel_futures=True)


def _start_all(executor: ThreadPoolExecutor, threads: int) -> int:
    """Start all threads of an executor; return how many there are if spare ones are possible."""
    started, all_started = 0, threading.Event()
    spare = start_waiting(SPARE_THREADS, all_started)
    try:
        while started < threads and len(spare) == SPARE_THREADS:
            executor.submit(all_started.wait)  # nobody is free, so it starts one
            started += 1
    except NOT_STARTED:
        pass
    finally:
        all_started.set()
        for thread in spare:
            thread.join()
    return started


def start_waiting(count: int, until: threading.Event) -> list[threading.Thread]:
    """Start threads that wait for an event, up to `count`, and return those that could be."""
    waiting: list[threading.Thread] = []
    with contextlib.suppress(*NOT_STARTED):
        while len(waiting) < count:
            thread = threading.Thread(target=until.wait)
            thread.start()
            waiting.append(thread)
    return waiting


def render_pool(threads: int | None) -> RenderPool | None:
    """Return a pool of `threads`, by default as many as the process has cores; `None` for one.

    With one core a thread beside the event loop has nothing to gain. If the system starts fewer, it
    has those, and `None` is returned if it starts none; either is reported.
    """
    if threads is None:
        threads = min(len(os.sched_getaffinity(0)), MAX_THREADS)
    if threads == 1:
        return None
    pool, possible = None, threads
    while pool is None and possible:
        try:
            pool = RenderPool(possible)
        except ThreadsRefused as refused:
            possible = refused.possible
            time.sleep(ENDING_SECS)
    if possible < threads:
        events.threads_refused(threads, possible)
    return pool
