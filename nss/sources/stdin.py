"""Records from standard input: a pipe, a terminal or a redirected file."""

import asyncio
import contextlib
import os
import select
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from nss.batch import BATCH_MAX_BYTES, BATCH_MAX_SECS, Batch
from nss.config.sources import StdinSourceConfig
from nss.errors import SourceError
from nss.sources import Accept, events
from nss.sources.framing.json import AutoFramer
from nss.wording import error_text


class StdinSource:
    """Reads a descriptor to its end, in a thread that `stop` can always interrupt.

    (The event loop can't watch a redirected regular file, and a read from a terminal that waits
    for a key can't be interrupted. So the thread waits in `poll`, on the descriptor and on a pipe
    of its own that `stop` writes to.)
    """

    def __init__(self, settings: StdinSourceConfig, *, fd: int = 0) -> None:
        self.name = settings.name
        self.last_error: str | None = None
        self.advice: str | None = None
        self.ready = asyncio.Event()
        self._fd = fd
        self._framer = AutoFramer(settings.max_record_bytes)
        self._stopping = asyncio.Event()
        self._wake: int | None = None

    async def run(self, accept: Accept) -> None:
        """Hand on records until the input ends, or until `stop`.

        Raises `SourceError` when the input can't be read.
        """
        if self._fd == 0 and sys.stdin is None:  # the number may belong to something else by now
            raise _unreadable("it was closed when the program started", self._fd)
        self.ready.set()
        woken, self._wake = os.pipe()
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"stdin source {self.name}")
        try:
            await self._read_all(accept, thread, woken)
        finally:
            os.close(self._wake)  # the end of the pipe ends the thread's wait
            self._wake = None
            thread.submit(os.close, woken)
            thread.shutdown(wait=False)

    async def stop(self) -> None:
        """Read no further; complete records that were read are still handed on."""
        self._stopping.set()
        if self._wake is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake, b"\n")

    async def _read_all(self, accept: Accept, thread: ThreadPoolExecutor, woken: int) -> None:
        loop = asyncio.get_running_loop()
        ended = False
        while not ended and not self._stopping.is_set():
            block, ended = await loop.run_in_executor(thread, self._read, woken)
            await self._hand_on(accept, self._framer.feed(block))
        if ended:
            await self._hand_on(accept, self._framer.flush())
        elif self._framer.held_bytes:
            events.half_record_dropped(self.name, self._framer.held_bytes, "the source was stopped")

    async def _hand_on(self, accept: Accept, data: bytes) -> None:
        if data:
            await accept(Batch(self.name, data, self._framer.records))

    def _read(self, woken: int) -> tuple[bytes, bool]:
        """Return about 1 MiB, or what came in 200 ms, and whether the input has ended."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(woken, select.POLLIN)
        blocks: list[bytes] = []
        wanted_bytes = BATCH_MAX_BYTES
        deadline: float | None = None
        while wanted_bytes > 0:
            wait_ms = deadline and max(0.0, deadline - time.monotonic()) * 1000
            ready = poll.poll(wait_ms)
            if not ready or any(fd == woken for fd, _ in ready):
                break
            try:
                block = os.read(self._fd, wanted_bytes)
            except OSError as error:
                if blocks:  # they go out first; the error will come again
                    break
                raise _unreadable(error_text(error), self._fd) from error
            if not block:
                return b"".join(blocks), True
            blocks.append(block)
            wanted_bytes -= len(block)
            deadline = deadline or time.monotonic() + BATCH_MAX_SECS
        return b"".join(blocks), False


def _unreadable(reason: str, fd: int) -> SourceError:
    return SourceError(
        f"stdin source: can't read: {reason} (descriptor {fd})",
        tip="redirect a file or a pipe to nss",
    )
