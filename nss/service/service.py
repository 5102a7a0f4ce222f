"""The composition root: a configuration at work, from its start to its end.

The ladder of a stop: sources stop reading and hand on what they have read, the spool is sealed,
feeds deliver what is pending for up to `drain_secs`, everything is closed. A second signal ends
the process at once. The event loop is chosen here and nowhere else.
"""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import uvloop

from nss.admin.operations import Reloaded
from nss.admin.systemd import Notifier
from nss.admission import descriptors
from nss.config import load as configuration
from nss.config.machine import check_environment
from nss.config.model import Config
from nss.config.restart import sections_needing_restart
from nss.errors import NssError, ServiceError
from nss.feeds.pool import render_pool
from nss.mcas.access import McasAccess, remove_drafts
from nss.service import build, events
from nss.service.changes import check_listens
from nss.service.imports import import_parts
from nss.service.leaving import forget_strangers, leave_behind
from nss.service.newer_file import NewerFile
from nss.service.operator import Operator
from nss.service.refused_reload import NeedsRestartError, note_refused
from nss.service.running import Running
from nss.service.starting import Starter
from nss.service.syncing import Syncing
from nss.service.threads import check_startable, off_loop
from nss.service.workers import Workers
from nss.setup.portal_users import PortalUsers
from nss.spool import At
from nss.status.readings import LeftBehindReading
from nss.telemetry import logs

EXIT_DRAINED = 0
EXIT_NOT_DRAINED = 75  # EX_TEMPFAIL: records accepted and not delivered

_STOPPING = "reload: the service is stopping"

T = TypeVar("T")


class Service:
    """All parts of one configuration, running in one event loop."""

    def __init__(self, config: Config, path: Path, at: At) -> None:
        self._config = config
        self._path = path
        self._at = at
        self._running = Running()
        self._workers = Workers(self._running)
        self._access = McasAccess()
        self._pool = render_pool(config.service.threads)
        self._starter = Starter(self._running, self._workers, self._access, self._pool, at)
        self._syncing = Syncing(self._workers, self._access)
        self._notifier = Notifier()
        self._newer_file = NewerFile(path, self._running, lambda: self._config)
        self._operator = Operator(
            path,
            self._running,
            self._newer_file,
            self._syncing.reading,
            self._notifier,
            self.reload,
            configuration=lambda: self._config,
        )
        self._signalled_before = False
        self._reloading = asyncio.Lock()
        self._reload_waits = False
        self._reloads: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def run(self) -> int:
        """Run until all sources are at their end or a signal comes; return the exit code.

        Raises `NssError` when the spool, the control socket or the metrics port can't be used.
        """
        try:
            return await self._run()
        finally:
            if self._pool is not None:
                self._pool.close()  # last: a start that failed leaves feeds that are at work

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        try:
            async with self._reloading:  # no reload before the start is done
                self._running.opened_spool = await build.open_spool(self._config.spool, self._at)
                await self._operator.start(self._config)
                check_listens(self._config, {}, ())
                await self._workers.unless_stopped(self._begin())
            await self._workers.until_finished(self._reloading)
            self._notifier.stopping()
            return await self._stop()
        finally:
            try:
                await self._operator.close()
            finally:
                await self._syncing.stop()
                await self._starter.close()
                await self._access.close()
                if self._running.opened_spool is not None:
                    await self._running.spool.close()

    async def _begin(self) -> None:
        await forget_strangers(self._running, self._config)
        plan = await off_loop(partial(self._starter.plan, self._config, {}, {}))
        await self._starter.start(self._config, plan)
        if self._workers.failure_code is None:
            await self._syncing.put_in_force(self._config)
            events.service_started(len(self._running.sources), len(self._running.feeds))
            self._notifier.ready()
            # What parts are made of stays: looking at it again would hold everybody up.
            gc.collect()
            gc.freeze()

    def _signalled(self, number: signal.Signals) -> None:
        if self._signalled_before:
            events.service_forced(self._running.pending_records, durable=self._running.durable)
            os._exit(128 + number)
        self._signalled_before = True
        events.service_stopping(signal.Signals(number).name)
        self._workers.stopping.set()

    def _reload_soon(self) -> None:
        if self._reload_waits:
            return  # it will read what is in the file then

        async def logged() -> None:
            async with self._reloading:
                self._reload_waits = False
                with contextlib.suppress(NssError):  # it is in the log
                    await self._reload()

        self._reload_waits = True
        task = self._workers.start("reload", "configuration", logged)
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def reload(self) -> Reloaded:
        """Put the configuration file in force. Raises `NssError` if the old one stays."""
        async with self._reloading:
            return await self._reload()

    async def _reload(self) -> Reloaded:
        self._notifier.reloading()
        try:
            return await self._put_in_force()
        except NssError as error:
            events.reload_refused(str(self._path), str(error))
            await self._newer_file.refused()
            note_refused(self._running, self._path, error)
            raise
        finally:
            self._notifier.ready()

    async def _put_in_force(self) -> Reloaded:
        if self._stopped:
            raise ServiceError(_STOPPING)
        config = await self._off_loop(partial(_checked, self._path))
        for section in sections_needing_restart(self._config, config):
            raise NeedsRestartError(f"reload: a changed {section} needs a restart")
        running, workers = self._running, self._workers
        now = dict(running.sources), dict(running.feeds)
        plan = await self._off_loop(partial(self._starter.plan, config, *now))
        retired = plan.retired
        check_listens(config, running.sources, retired.sources)
        logs.configure(config.service.log_format, config.service.log_level)
        if not await workers.retire(retired, self._config.service.drain_secs):
            raise ServiceError(_STOPPING)  # with all parts as they are
        ended, started = retired.names, list[str]()
        left = list[LeftBehindReading]()

        async def start() -> None:
            started.extend(await self._starter.start(config, plan))
            self._config = config
            sync = await self._syncing.put_in_force(config)
            ended.extend(sync[0])
            started.extend(sync[1])
            left.extend(await leave_behind(running, retired.feeds))

        if not await workers.unless_stopped(start()):
            raise ServiceError(_STOPPING)
        running.resume_uploads()
        running.close_taps_of_what_is_gone()
        running.refused_reload = None
        events.configuration_reloaded(str(self._path), ended=ended, started=started)
        self._newer_file.reloaded()
        return Reloaded(ended, started, left)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        """Return what work that reads files returns. Raises `ServiceError` when a stop comes."""
        found: list[T] = []

        async def wait() -> None:
            found.append(await off_loop(work))

        if not await self._workers.unless_stopped(wait()):
            raise ServiceError(_STOPPING)
        return found[0]

    async def _stop(self) -> int:
        """Go down the ladder; return the exit code."""
        async with self._reloading:  # a reload at work ends first, and no other begins
            self._stopped = True
        await self._syncing.stop()
        await self._workers.stop(self._config.service.drain_secs)
        pending = self._running.pending_records
        events.service_stopped(pending, durable=self._running.durable)
        if self._workers.failure_code is not None:
            return self._workers.failure_code
        return EXIT_NOT_DRAINED if pending else EXIT_DRAINED


def _checked(path: Path) -> Config:
    """Return the configuration of a file that this machine can run. Raises `NssError`."""
    config = configuration.load(path)
    problems = check_environment(config)
    if problems:
        raise configuration.ConfigProblems(problems, str(path))
    import_parts(config)
    return config


def run(path: Path, *, at: At = lambda _point: None) -> int:
    """Run the service of a configuration file in the foreground; return the exit code.

    `at` is called at points where a crash would be interesting, with their names (tests). Raises
    `nss.errors.NssError` when the configuration can't be used.
    """
    config = _checked(path)
    # What was imported stays, 60,000 objects: looking for cycles there takes 20 ms each time.
    gc.freeze()
    gc.enable()
    logs.configure(config.service.log_format, config.service.log_level)
    remove_drafts(config.service.state_directory, config.mcas)
    PortalUsers(config.service.state_directory).file.remove_drafts()
    descriptors.raise_limit()
    check_startable()

    async def main() -> int:
        return await Service(config, path, at).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
