"""What the outside sees of a running service and asks of it: the control socket, the metrics
port, and the service manager.
"""

import asyncio
from pathlib import Path
from typing import Protocol

from nss.admin.control.server import ControlServer
from nss.admin.metrics import MetricsServer
from nss.admin.operations import Reloaded, unknown_feed
from nss.admin.systemd import Notify
from nss.config.load import Config
from nss.feeds.tap import Tap
from nss.service.running import RunningFeed, RunningSource
from nss.spool import KeptReject, Spool
from nss.status.summary import Status
from nss.status.watch import Watch

LOOK_SECS = 1.0


class Overseen(Protocol):
    """The service, as far as it is looked at here."""

    config: Config
    path: Path
    sources: dict[str, RunningSource]
    feeds: dict[str, RunningFeed]
    taps: set[Tap]

    @property
    def spool(self) -> Spool:
        """The spool."""

    async def reload(self) -> Reloaded:
        """Put the configuration file in force."""


class Oversight:
    """Looks at the service every second, and is what `nss.admin.operations` asks for."""

    def __init__(self, service: Overseen) -> None:
        self._service = service
        self._watch = Watch(str(service.path.absolute()))
        self._notify = Notify()
        self._tasks: list[asyncio.Task[None]] = []
        self._servers: list[ControlServer | MetricsServer] = []

    async def start(self) -> None:
        """Begin. Raises `NssError` when the socket or the port can't be had."""
        settings = self._service.config.service
        if settings.control_socket is not None:
            await self._serve(ControlServer(settings.control_socket, self))
        if settings.metrics_listen is not None:
            await self._serve(MetricsServer(settings.metrics_listen, self))
        watchdog = self._notify.feed_watchdog(lambda: self.status().health.alive)
        self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(watchdog)]

    async def _serve(self, server: ControlServer | MetricsServer) -> None:
        self._servers.append(server)
        await server.start()

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            await server.close()
        self._notify.close()

    async def _look(self) -> None:
        while True:
            health = self.status().health
            self._notify.status("healthy" if health.ok else f"degraded: {health.reasons[0]}")
            await asyncio.sleep(LOOK_SECS)

    # What the service tells.

    def ready(self) -> None:
        """It runs, or a reload has ended."""
        self._notify.ready()

    def reloading(self) -> None:
        """A reload begins."""
        self._notify.reloading()

    def stopping(self) -> None:
        """The stop begins."""
        self._notify.stopping()

    # What the outside asks; see `nss.admin.operations`.

    def status(self) -> Status:
        """Return what is known of the service now."""
        service = self._service
        return self._watch.status(service.sources.values(), service.feeds.values(), service.spool)

    async def reload(self) -> Reloaded:
        """Put the configuration file in force."""
        return await self._service.reload()

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have a feed deliver again what was on its way between two times."""
        self._known(feed)
        return await self._service.spool.replay(feed, since, until)

    async def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects. Raises `UsageError` for a feed that there never was."""
        found = await self._service.spool.rejects(feed, limit)
        if not found:  # a feed that is gone may have left some
            self._known(feed)
        return found

    async def retry_rejects(self, feed: str | None) -> tuple[int, int]:
        """Have rejected records go through their feeds again."""
        self._known(feed)
        return await self._service.spool.retry_rejects(feed)

    def add_tap(self, tap: Tap) -> None:
        """Show a tap every slice from now on. Raises `UsageError`."""
        self._known(tap.feed)
        self._service.taps.add(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Stop showing it anything."""
        self._service.taps.discard(tap)

    def _known(self, feed: str | None) -> None:
        if feed is not None and feed not in self._service.feeds:
            raise unknown_feed(feed, self._service.feeds)
