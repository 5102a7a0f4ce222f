"""How commands that run until they are told to end are ended: Ctrl-C, SIGTERM, SIGHUP."""

import asyncio
import signal
from collections.abc import Coroutine


def run_until_ended(work: Coroutine[object, object, None]) -> None:
    """Run it; a signal cancels it, so that it cleans up. Raises `KeyboardInterrupt` then.

    A script's shell has what it starts in the background ignore SIGINT: the others work there too.
    """
    try:
        asyncio.run(_run(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run(work: Coroutine[object, object, None]) -> None:
    task = asyncio.current_task()
    if task is None:  # never: a coroutine runs in one
        raise RuntimeError
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has it ignored
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await work
