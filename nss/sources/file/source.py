"""Records from a file: read once as a whole, or followed through rotation."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from nss.batch import Batch
from nss.config.sources import FileSourceConfig
from nss.sources import Accept
from nss.sources.file.follow import Follower
from nss.sources.file.whole import WholeFile


class FileSource:
    """Reads `path` to its end, or with `follow` for as long as the service runs.

    `position` is that of the last batch accepted; reading continues there if the file is still the
    same, whatever its name is by now. A followed file is checked every `poll_secs`, and what
    came is handed on at once. Reading is done in a thread, so a slow disk holds up nothing else.
    """

    def __init__(
        self, settings: FileSourceConfig, *, position: str | None = None, settle_secs: float = 1.0
    ) -> None:
        self.name = settings.name
        self.ready = asyncio.Event()
        self._poll_secs = settings.poll_secs
        self._stopping = asyncio.Event()
        self._reader: Follower | WholeFile
        if settings.follow:
            self._reader = Follower(settings, position, settle_secs=settle_secs)
        else:
            self._reader = WholeFile(settings, position)

    async def run(self, accept: Accept) -> None:
        """Hand on the records until the end of the file, or until `stop` when it is followed.

        Raises `SourceError` for a file that can't be followed, and for any error when it is read
        as a whole.
        """
        self.ready.set()
        # One thread does everything, so the file is closed after the read that is under way.
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"file source {self.name}")
        try:
            if isinstance(self._reader, Follower):
                await self._follow(self._reader, thread, accept)
            else:
                await self._read_whole(self._reader, thread, accept)
        finally:
            thread.submit(self._reader.close)
            thread.shutdown(wait=False)

    async def stop(self) -> None:
        """Read no further; what was read is still handed on."""
        self._stopping.set()

    @property
    def last_error(self) -> str | None:
        """Why a followed file can't be read now."""
        return self._reader.last_error if isinstance(self._reader, Follower) else None

    @property
    def advice(self) -> str | None:
        """Nothing: see `Source.advice`."""
        return None

    async def _read_whole(
        self, file: WholeFile, thread: ThreadPoolExecutor, accept: Accept
    ) -> None:
        ahead = _submit(thread, file.read)
        try:
            while (batch := await ahead) is not None:
                if self._stopping.is_set():
                    await accept(batch)
                    return
                ahead = _submit(thread, file.read)
                await accept(batch)
        finally:
            ahead.cancel()

    async def _follow(self, follower: Follower, thread: ThreadPoolExecutor, accept: Accept) -> None:
        while not self._stopping.is_set():
            batch = await _submit(thread, follower.read_available)
            if batch is not None:
                await accept(batch)
            if follower.at_end:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._poll_secs)


def _submit(
    thread: ThreadPoolExecutor, read: Callable[[], Batch | None]
) -> asyncio.Future[Batch | None]:
    reading = asyncio.get_running_loop().run_in_executor(thread, read)
    # Keeps asyncio from logging the error of a read ahead that is no longer awaited.
    reading.add_done_callback(lambda done: done.cancelled() or done.exception())
    return reading
