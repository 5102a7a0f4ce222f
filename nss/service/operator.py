"""The operator's side of a running service: control socket, metrics port and service manager."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nss.admin.operations import (
    Reloaded,
    RetriedRejects,
    SignInLinks,
    UploadedNow,
    unknown_component,
    unknown_feed,
    unwatchable,
)
from nss.admin.systemd import Notifier
from nss.config.model import Config
from nss.config.portal import warnings
from nss.config.stored import StoredError
from nss.errors import UsageError
from nss.feeds.tap import Tap
from nss.mcas.access import audit_log
from nss.service import build, events, last_update, state_folder
from nss.service.keeping import HistoryKeeping
from nss.service.newer_file import NewerFile
from nss.service.repeated import repeated
from nss.service.retrying import retry
from nss.service.running import Running
from nss.service.threads import off_loop
from nss.setup.portal_users import PortalUsers, Role
from nss.sources.watching import MessageTap
from nss.spool import KeptReject, ReasonCount
from nss.status.alarms import ExpiryAlarms
from nss.status.history import History, Series, Span
from nss.status.readings import ElsewhereReading
from nss.status.summary import Status
from nss.status.sync_readings import SyncReading
from nss.status.watch import Watch

if TYPE_CHECKING:
    from nss.admin.control.server import ControlServer
    from nss.admin.metrics import MetricsServer
    from nss.admin.portal.server import PortalServer

STATUS_SECS = 1.0
"""How often the status is checked."""

_UPLOAD_KIND = 'feeds whose sink has kind "cloud_discovery" upload'

EXPIRIES_SECS = 2.0
"""How often to ask what ends when: a renewed certificate shows in the status that soon."""


class Operator:
    """Checks the status every second, and performs `nss.admin.operations.Operations`.

    `configuration` returns the one in force. A `history` is kept in the state directory; with a
    portal there always is one, for its graphs.
    """

    def __init__(
        self,
        path: Path,
        running: Running,
        newer_file: NewerFile,
        syncing: Callable[[], SyncReading | None],
        notifier: Notifier,
        reload: Callable[[], Coroutine[None, None, Reloaded]],
        configuration: Callable[[], Config],
        history: History | None = None,
    ) -> None:
        self._path = path
        self._watch = Watch(str(path.absolute()))
        self._running = running
        self._newer_file = newer_file
        self._syncing = syncing
        self._notifier = notifier
        self._reload = reload
        self._configuration = configuration
        self._history = history
        self._keeping: HistoryKeeping | None = None
        self.links: SignInLinks | None = None
        """The portal, if it is on."""
        self._tasks: list[asyncio.Task[None]] = []
        self._servers: list[ControlServer | MetricsServer | PortalServer] = []

    async def start(self, config: Config) -> None:
        """Begin. Raises `NssError` when the socket or the port can't be listened at."""
        settings = config.service
        audit = audit_log(settings.state_directory)
        if settings.control_socket is not None:
            from nss.admin.control.server import ControlServer

            self._servers.append(ControlServer(settings.control_socket, self, audit))
        if settings.metrics_listen is not None:
            from nss.admin.metrics import MetricsServer

            self._servers.append(MetricsServer(settings.metrics_listen, self))
        for server in self._servers:
            await server.start()
        if config.portal.listen is not None:
            await self._start_portal(config)
        if self._history is not None:
            self._keeping = HistoryKeeping(self._history, settings.state_directory)
            self._tasks.append(asyncio.create_task(self._keeping.run()))
        watchdog = self._notifier.feed_watchdog(lambda: self.status().health.alive)
        folder = self._watch_folder(settings.state_directory)
        looking = repeated("the status", self._look, STATUS_SECS)
        works = (looking, watchdog, folder, self._newer_file.watch())
        self._tasks += [asyncio.create_task(work) for work in works]

    async def _start_portal(self, config: Config) -> None:
        """Serve the portal, report who can reach it and sign in, and keep a history for it."""
        from nss.admin.portal.server import PortalServer

        settings = config.portal
        self._running.portal_expiries = await off_loop(partial(build.shown_by_portal, settings))
        self.links = portal = PortalServer(config, self._path, self)
        self._servers.append(portal)
        await portal.start()
        self._history = self._history or History()
        if any(warnings(settings)):
            events.portal_open(str(settings.listen))
        try:
            if not await off_loop(PortalUsers(config.service.state_directory).users):
                events.portal_without_users()
        except StoredError as error:
            events.portal_users_unusable(str(error.args[0]))

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._keeping is not None:
            await self._keeping.close()
        for server in self._servers:
            await server.close()
        self._notifier.close()

    async def _look(self) -> None:
        status = self.status()
        health = status.health
        self._notifier.status("healthy" if health.ok else f"degraded: {health.reasons[0]}")
        if self._keeping is not None:
            self._keeping.add(status)

    async def _watch_folder(self, folder: Path) -> None:
        """Ask what ends and warn of it, as is kept in the state directory; look at that, too."""
        alarms = ExpiryAlarms(folder)
        await off_loop(alarms.load)
        await repeated("what ends when", partial(self._look_at, folder, alarms), EXPIRIES_SECS)

    async def _look_at(self, folder: Path, alarms: ExpiryAlarms) -> None:
        await self._running.ask_for_expiries()
        alarms.report(self._running.expiries(), time.time())
        await off_loop(alarms.save)
        self._running.update = await off_loop(partial(last_update.look, time.time()))
        look = partial(state_folder.look, folder, self._running.unwritable)
        self._running.unwritable = await off_loop(look)

    def status(self) -> Status:
        """Return what is known of the service now."""
        config = self._configuration()
        elsewhere = ElsewhereReading(config.sync.synced_by, config.mcas.uploaded_by)
        reading = self._running.reading(self._syncing(), self._newer_file.reading, elsewhere)
        return self._watch.status(reading)

    def configuration(self) -> Config:
        """Return the configuration in force."""
        return self._configuration()

    def series(self, component: str, span: Span) -> Series:
        """Return the numbers of a part over time."""
        if self._history is None:
            raise UsageError("no history is kept", tip="set listen in [portal], and restart")
        known = {f"source {name}" for name in self._running.sources}
        known |= {f"feed {name}" for name in self._running.feeds} | self._history.seen.keys()
        if component not in known:
            raise unknown_component(component, known)
        return self._history.series(component, span)

    async def reload(self) -> Reloaded:
        """Put the configuration file in force."""
        return await self._reload()

    async def upload_now(self, feeds: Sequence[str]) -> list[UploadedNow]:
        """Have feeds upload what they have collected."""
        parts = {name: feed.part for name, feed in self._running.feeds.items()}
        uploading = [name for name, part in parts.items() if part.upload is not None]
        for name in feeds:
            self._check(name)
            if name not in uploading:
                raise UsageError(f"feed {name!r} does not upload", tip=_UPLOAD_KIND)
        if not uploading:
            raise UsageError("no feed uploads", tip=_UPLOAD_KIND)

        async def upload(name: str) -> UploadedNow:
            done = await parts[name].deliver_now()
            return UploadedNow(name, done.records, parts[name].cursor.pending_records, done.reason)

        return await asyncio.gather(*map(upload, dict.fromkeys(feeds or uploading)))

    def resume_uploads(self) -> list[str]:
        """End what holds uploads."""
        return self._running.resume_uploads()

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have a feed deliver again what was accepted between two times."""
        self._check(feed)
        records = await self._running.spool.replay(feed, since, until)
        if records:
            self._running.replayed(since, until)
        return records

    async def replayable(self, feed: str, since: float, until: float) -> int:
        """Return how many records a replay would deliver again now."""
        self._check(feed)
        return await self._running.spool.replayable(feed, since, until)

    async def replay_range(self, feed: str) -> tuple[float, float] | None:
        """Return when the oldest and the newest that a feed can replay were accepted."""
        self._check(feed)
        return await self._running.spool.replay_range(feed)

    async def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects, also those of a feed that is gone."""
        found = await self._running.spool.rejects(feed, limit)
        if not found:
            self._check(feed)
        return found

    async def reject_reasons(self, feed: str | None) -> list[ReasonCount]:
        """Return the kept rejects by reason, also those of a feed that is gone."""
        found = await self._running.spool.reject_reasons(feed)
        if not found:
            self._check(feed)
        return found

    async def retry_rejects(self, feed: str | None, within_secs: float) -> RetriedRejects:
        """Have rejected records go through their feeds again, and see what becomes of them."""
        self._check(feed)
        return await retry(self._running, feed, within_secs)

    async def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        """Delete kept rejects, also those of a feed that is gone."""
        return await self._running.spool.discard_rejects(feed, reason, upto)

    def sign_in_link(self, role: Role) -> str:
        """Return a URL that signs in at the portal once."""
        if self.links is None:
            raise UsageError(
                "the portal is off",
                tip='set listen = "127.0.0.1:9633" in [portal], then: sudo nss restart',
            )
        return self.links.new(role)

    def add_tap(self, tap: Tap) -> None:
        """Show a tap every slice from now on."""
        self._check(tap.feed)
        self._running.taps.add(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Stop showing it anything."""
        self._running.taps.discard(tap)

    def add_message_tap(self, tap: MessageTap) -> None:
        """Show a tap what its source reads from now on."""
        watchable = self._running.watchable
        if tap.source not in watchable:
            raise unwatchable(tap.source, self._running.sources, watchable)
        self._running.message_taps.add(tap)

    def remove_message_tap(self, tap: MessageTap) -> None:
        """Stop showing it anything."""
        self._running.message_taps.discard(tap)

    def _check(self, feed: str | None) -> None:
        if feed is not None and feed not in self._running.feeds:
            raise unknown_feed(feed, self._running.feeds)
