"""Work off the event loop, in a thread that nobody has to wait for; and whether there are any."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

from nss.errors import ServiceError
from nss.feeds.pool import NOT_STARTED, start_waiting

T = TypeVar("T")

LOOP_THREADS = 4
"""How many the event loop starts to connect to anything. Without them libuv ends the process."""


def check_startable() -> None:
    """Raise `ServiceError` where the system does not start the threads of the event loop."""
    checked = threading.Event()
    started = start_waiting(LOOP_THREADS, checked)
    checked.set()
    for thread in started:
        thread.join()
    if len(started) < LOOP_THREADS:
        raise ServiceError(
            f"service: {len(started)} of {LOOP_THREADS} threads could be started",
            tip="allow more (TasksMax of the unit, the user's limit of processes), or more memory",
        )


async def off_loop(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises, while the event loop goes on.

    When the caller is cancelled, the thread is left to itself: a file system that does not answer
    holds up neither a stop nor the end of the process. If the system starts no thread, the event
    loop does the work.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # whoever waits may give up before the thread has ended

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            done.set_exception(error)

    context = copy_context()  # who acts, for the audit log
    thread = threading.Thread(target=context.run, args=(run,), name="off the loop", daemon=True)
    try:
        thread.start()
    except NOT_STARTED:
        run()
    return await asyncio.wrap_future(done)
