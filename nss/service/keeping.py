"""The history of rates, lag and pending in the running service: taken note of, loaded and saved."""

import asyncio
import contextlib
from functools import partial
from pathlib import Path

from nss.service.repeated import repeated
from nss.service.threads import off_loop
from nss.status.history import History
from nss.status.history_file import HistoryFile
from nss.status.summary import Status

SAVE_SECS = 60.0
"""How often a history is written down: a crash loses that much of it."""

LAST_SAVE_SECS = 2.0
"""How long the end of the service waits for the last time."""


class HistoryKeeping:
    """Keeps a history in a folder; where the folder can't be used, as long as the service runs."""

    def __init__(self, history: History, folder: Path, save_secs: float = SAVE_SECS) -> None:
        self._history = history
        self._file = HistoryFile(folder, history)
        self._save_secs = save_secs
        self._is_loaded = False

    async def run(self) -> None:
        """Load what was kept, and save from time to time."""
        await off_loop(self._file.load)
        self._is_loaded = True
        await asyncio.sleep(self._save_secs)
        await repeated("the history", self._save, self._save_secs)

    def add(self, status: Status) -> None:
        """Take note of a status, once what was kept is there."""
        if self._is_loaded:
            self._history.add(status)

    async def close(self) -> None:
        """Save for the last time; a file system that does not answer holds up no stop."""
        if self._is_loaded:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SAVE_SECS):
                    await self._save()

    async def _save(self) -> None:
        await off_loop(partial(self._file.save, self._file.encoded()))
