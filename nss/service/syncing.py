"""The sync of unsanctioned apps in the running service: one schedule for the configuration."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from nss.config.model import Config
from nss.mcas.access import McasAccess
from nss.service.workers import Workers
from nss.status.sync_readings import SyncReading

if TYPE_CHECKING:
    from nss.sync.schedule import Schedule

_NAME = "sync"


class Syncing:
    """Runs the schedule of the configuration in force, and of the next one after a reload."""

    def __init__(self, workers: Workers, access: McasAccess) -> None:
        self._workers = workers
        self._access = access
        self._settings: object = None
        self._schedule: Schedule | None = None
        self._task: asyncio.Task[None] | None = None

    async def put_in_force(self, config: Config) -> tuple[list[str], list[str]]:
        """Go by a configuration; returns the names of the parts that ended and that started.

        A run under way goes on if nothing about it has changed.
        """
        settings = (config.sync, config.mcas, config.zia)
        if settings == self._settings:
            return [], []
        ended = [_NAME] if self._schedule is not None else []
        await self.stop()
        self._settings = settings
        if config.sync.target == "off":
            return ended, []
        from nss.sync.assembling import SyncSetup
        from nss.sync.schedule import Schedule

        session = partial(self._access.session, config)
        folder = config.service.state_directory
        setup = SyncSetup(folder, config.sync, config.mcas, config.zia, session)
        self._schedule = Schedule(setup, setup.store)
        self._task = self._workers.start("sync", "schedule", self._schedule.run)
        return ended, [_NAME]

    async def stop(self) -> None:
        """Cut a run off, if there is one; the next run repairs what it left."""
        self._settings = self._schedule = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def reading(self) -> SyncReading | None:
        """Return how the sync is doing, `None` when it is off."""
        return None if self._schedule is None else self._schedule.reading()
