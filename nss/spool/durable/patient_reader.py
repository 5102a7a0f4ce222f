"""Reads batches in a thread of its own, again while that fails: the disk may do better then."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from nss.spool import Entry, SpoolError
from nss.spool.durable import events, suspicion
from nss.spool.durable.reader import BatchReader, Lost
from nss.spool.durable.schema import is_damage

DAMAGED_LOOKS = 5
"""How often a batch must be read wrongly before that is believed: for about 8 seconds."""

UNREADABLE_LOOKS = 12
"""The same for one that the disk does not give at all: for about a minute."""

MAX_PAUSE = 16
"""How many times longer than the first the pauses in between become."""


class PatientReader:
    """Reads the file of a spool at `path`; the first pause after a failure is `again_secs`."""

    def __init__(self, path: Path, again_secs: float) -> None:
        self._path = path
        self._again_secs = again_secs
        self._closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._malformed = False
        """Whether SQLite could not find its way to the last batch that was read."""
        self._reader = BatchReader(path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool-read")

    async def read(
        self, after: int, upto: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        """Read batches for a feed between two sequences, and up to where that was.

        What the disk did not give, or gave wrong, it may give the next time, to a new connection.
        """
        looks = 0
        while not self._closed.is_set():
            looks += 1
            work = partial(self._reader.read, after, upto, feed, sources)
            try:
                found, searched = await self._loop.run_in_executor(self._thread, work)
            except sqlite3.Error as error:
                if is_damage(error) and looks >= DAMAGED_LOOKS and not self._closed.is_set():
                    raise self._unreadable(error) from error
                reason = str(error)
            else:
                lost = found[0] if found and isinstance(found[0], Lost) else None
                if lost is None:
                    self._malformed = False
                    return found, searched
                if looks >= self._looks_at(lost):
                    self._malformed = lost.is_malformed
                    if lost.is_malformed:
                        suspicion.suspect(self._path)  # the next start may find the records
                    return found, searched
                reason = f"batch {lost.sequence}: {lost.reason}"
            events.cannot_read(feed, reason)
            pause_secs = self._again_secs * min(2 ** (looks - 1), MAX_PAUSE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), pause_secs)
            await self._loop.run_in_executor(self._thread, self._reader.close)
        raise SpoolError(f"spool: it is closed ({self._path})")

    def reopen(self) -> None:
        """Have the file opened again: there is another of its name."""
        self._thread.submit(self._reader.close)

    async def close(self, last: Callable[[], None]) -> None:
        """Close the file, and do something last in the thread."""
        self._closed.set()
        await self._loop.run_in_executor(self._thread, self._reader.close)
        await self._loop.run_in_executor(self._thread, last)
        self._thread.shutdown(wait=False)

    def _looks_at(self, lost: Lost) -> int:
        """Return how often to look at a batch before it is lost."""
        if lost.is_read_error:
            return UNREADABLE_LOOKS
        # A tree that leads nowhere hides thousands of batches: each is not waited for again.
        return 1 if lost.is_malformed and self._malformed else DAMAGED_LOOKS

    def _unreadable(self, error: sqlite3.Error) -> SpoolError:
        suspicion.suspect(self._path)
        return SpoolError(
            f"spool: can't be read: {error} ({self._path})",
            tip="start NSS again: it saves what is readable",
        )
