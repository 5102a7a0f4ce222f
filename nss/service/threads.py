"""Work off the event loop, in a thread that nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def off_loop(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises, while the event loop goes on.

    When the caller is cancelled, the thread is left to itself: a file system that does not answer
    holds up neither a stop nor the end of the process.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # whoever waits may give up before the thread has ended

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            done.set_exception(error)

    context = copy_context()  # who acts, for the audit log
    threading.Thread(target=context.run, args=(run,), name="off the loop", daemon=True).start()
    return await asyncio.wrap_future(done)
