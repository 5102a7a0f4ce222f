"""The composition root: configuration to parts; start, reload, drain and stop.

The ladder of a stop: sources stop reading and hand on what they have read, the spool is sealed,
feeds deliver what is pending for up to `drain_secs`, everything is closed. A second signal ends
the process at once. The event loop is chosen here and nowhere else.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import uvloop

from nss.admin.operations import Reloaded
from nss.batch import Batch
from nss.config import load as configuration
from nss.config.load import Config, FeedConfig
from nss.config.machine import check_environment
from nss.errors import NssError, ServiceError, unplanned
from nss.feeds import events as feed_events
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.feeds.tap import Tap
from nss.mcas.access import McasAccess
from nss.service import build, events
from nss.service.changes import Retired, check_listens, files_print, inputs_of, retired_by
from nss.service.operator import Oversight
from nss.service.running import Intake, RunningFeed, RunningSource, finished, passed
from nss.sinks import Sink
from nss.sources import Source
from nss.spool import Spool
from nss.spool.durable.schema import At
from nss.telemetry import logs

EXIT_DRAINED = 0
EXIT_NOT_DRAINED = 75  # EX_TEMPFAIL: records accepted and not delivered

_KEPT_UNTIL_RESTART = (
    "spool",
    "service.control_socket",
    "service.metrics_listen",
    "service.state_directory",
)

Plan = dict[str, tuple[Sink, dict[str, Origin]]]
"""The sink and the origins of each feed that is to be started."""


class Service:
    """All parts of one configuration, running in one event loop."""

    def __init__(self, config: Config, path: Path, at: At) -> None:
        self.config = config
        self.path = path
        self.sources: dict[str, RunningSource] = {}
        self.feeds: dict[str, RunningFeed] = {}
        self.taps: set[Tap] = set()
        self._spool: Spool | None = None
        self._at = at
        self._access = McasAccess()
        self._oversight = Oversight(self)
        self._stopping = asyncio.Event()
        self._signalled_before = False
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._failure_code: int | None = None

    async def run(self) -> int:
        """Run until all sources are at their end or a signal comes; return the exit code.

        Raises `NssError` when the spool, the control socket or the metrics port can't be had.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        try:
            async with self._reloading:  # no reload before the start is done
                self._spool = await build.open_spool(self.config.spool, self._at)
                await self._oversight.start()
                check_listens(self.config, {}, ())
                await self._or_stop(self._begin())
            await self._until_finished()
            self._oversight.stopping()
            return await self._stop()
        finally:
            try:
                await self._oversight.close()
            finally:
                await self._access.close()
                if self._spool is not None:
                    await self._spool.close()

    @property
    def spool(self) -> Spool:
        """The spool, once it is open."""
        if self._spool is None:
            raise ServiceError("the spool is not open yet")
        return self._spool

    async def _begin(self) -> None:
        await self._forget_strangers()
        await self._apply(self.config, await self._plan(self.config, Retired([], [], [])))
        if self._failure_code is None:
            events.service_started(len(self.sources), len(self.feeds))
            self._oversight.ready()

    async def _or_stop(self, work: Coroutine[object, object, object]) -> bool:
        """Work until it is done or a stop comes; return whether it was done.

        A spool that can't write makes the work wait, but not the stop.
        """
        task = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
            return True
        await _end([task])
        return False

    def _signalled(self, number: signal.Signals) -> None:
        if self._signalled_before:
            durable = self._spool is None or self._spool.durable
            events.service_forced(self._pending, durable=durable)
            os._exit(128 + number)
        self._signalled_before = True
        events.service_stopping(signal.Signals(number).name)
        self._stopping.set()

    def _reload_soon(self) -> None:
        async def told() -> None:
            with contextlib.suppress(NssError):  # which the log has told
                await self.reload()

        task = self._start("reload", "configuration", told)
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    @property
    def _pending(self) -> int:
        return sum(feed.part.cursor.pending_records for feed in self.feeds.values())

    async def _forget_strangers(self) -> None:
        """Let the spool forget feeds that the configuration has no more."""
        names = {feed.name for feed in self.config.feeds}
        for name, pending in self.spool.feeds().items():
            if name not in names:
                await self.spool.forget(name)
                if pending:
                    events.records_left_behind(name, pending, durable=self.spool.durable)

    async def reload(self) -> Reloaded:
        """Put the configuration file in force. Raises `NssError` with why the old one stays."""
        async with self._reloading:
            self._oversight.reloading()
            try:
                return await self._reload()
            except NssError as error:
                events.reload_refused(str(self.path), str(error))
                raise
            finally:
                self._oversight.ready()

    async def _reload(self) -> Reloaded:
        if self._stopped:
            raise ServiceError("reload: the service is stopping")
        config = _checked(self.path)
        for section in _KEPT_UNTIL_RESTART:
            read = attrgetter(section)
            if read(config) != read(self.config):
                raise ServiceError(f"reload: a changed {section} needs a restart")
        retired = retired_by(config, self.sources, self.feeds)
        check_listens(config, self.sources, retired.sources)
        plan = await self._plan(config, retired)  # what can't be built is found out before
        logs.configure(config.service.log_format, config.service.log_level)
        if not await self._retire(retired):
            raise ServiceError("reload: the service is stopping")  # with all parts as they are
        started: list[str] = []

        async def put_in_force() -> None:
            started.extend(await self._apply(config, plan))
            self.config = config
            await self._leave_behind(retired.feeds)

        if not await self._or_stop(put_in_force()):
            raise ServiceError("reload: the service is stopping")
        events.configuration_reloaded(str(self.path), ended=retired.names, started=started)
        return Reloaded(retired.names, started)

    async def _retire(self, retired: Retired) -> bool:
        """End parts; return whether it was done, for a stop goes first.

        Feeds that go, or lose a source, deliver for up to `drain_secs` what was accepted before.
        """
        deadline = asyncio.get_running_loop().time() + self.config.service.drain_secs
        for source in retired.sources:
            await source.part.stop()
        await finished([source.task for source in retired.sources], deadline, self._stopping)
        await passed([feed.part.cursor for feed in retired.losing], deadline, self._stopping)
        if self._stopping.is_set():
            return False
        for feed in retired.feeds:
            feed.part.stop()
        tasks = [feed.task for feed in retired.feeds]
        deadline = asyncio.get_running_loop().time() + self.config.service.drain_secs
        await finished(tasks, deadline, self._stopping)
        tasks += [source.task for source in retired.sources]
        await _end(tasks)
        for source in retired.sources:
            del self.sources[source.settings.name]
        for feed in retired.feeds:
            del self.feeds[feed.settings.name]
            self._report(feed.part)
        return True

    async def _leave_behind(self, retired: Collection[RunningFeed]) -> None:
        """Let the spool forget feeds that are gone; tell what nobody will deliver for them."""
        for feed in retired:
            name = feed.settings.name
            pending = feed.part.cursor.pending_records
            if name in self.feeds:
                pending -= self.feeds[name].taken_over
            else:
                await self.spool.forget(name)
            if pending > 0:
                events.records_left_behind(name, pending, durable=self.spool.durable)

    async def _plan(self, config: Config, retired: Retired) -> Plan:
        """Return what new feeds need. Raises `NssError` for a part that can't be built."""
        going = {feed.settings.name for feed in retired.feeds}
        stay = self.feeds.keys() - going
        for settings in config.sources:
            build.build_source(settings, None, self._is_full)
        return {
            feed.name: (
                build.build_sink(feed, config, self._access),
                build.build_origins(feed, config.sources),
            )
            for feed in config.feeds
            if feed.name not in stay
        }

    async def _apply(self, config: Config, plan: Plan) -> list[str]:
        """Start the parts that are not running yet; returns their names. Feeds come first.

        When it returns, sources that others connect to are listening, or have failed.
        """
        started = []
        for feed_settings in config.feeds:
            if feed_settings.name not in self.feeds:
                await self._start_feed(feed_settings, config, plan)
                started.append(f"feed {feed_settings.name}")
        for settings in config.sources:
            if settings.name not in self.sources:
                position = self.spool.position(settings.name)
                source = build.build_source(settings, position, self._is_full)
                intake = Intake()
                task = self._start("source", source.name, partial(self._read, source, intake))
                self.sources[source.name] = RunningSource(
                    source, settings, intake, files_print(settings), task
                )
                started.append(f"source {source.name}")
        for running in self.sources.values():
            ready = asyncio.create_task(running.part.ready.wait())
            await asyncio.wait({ready, running.task}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
        return started

    async def _start_feed(self, settings: FeedConfig, config: Config, plan: Plan) -> None:
        sink, origins = plan[settings.name]
        cursor = await self.spool.cursor(settings.name, settings.sources)
        feed = build.build_feed(
            settings.name, cursor, sink, origins, self.taps, self._at, self._waits_for_room
        )
        taken_over = cursor.pending_records
        task = self._start("feed", feed.name, feed.run)
        inputs = inputs_of(settings, config)
        print_ = files_print(settings, settings.sink, *inputs)
        self.feeds[feed.name] = RunningFeed(feed, settings, inputs, print_, taken_over, task)

    async def _read(self, source: Source, intake: Intake) -> None:
        async def accept(batch: Batch) -> None:
            await self.spool.append(batch)
            intake.count(batch)

        await source.run(accept)
        events.source_finished(source.name)

    def _waits_for_room(self) -> bool:
        return self.spool.full

    def _is_full(self) -> bool:
        return self.spool.full or self.spool.last_error is not None

    def _start(
        self, kind: str, name: str, work: Callable[[], Awaitable[None]]
    ) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work()
            except NssError as error:
                self._part_failed(kind, name, str(error), error.exit_code)
            except Exception as error:  # noqa: BLE001 - one part's fault must not go unseen
                self._part_failed(kind, name, unplanned(error), ServiceError.exit_code)

        return asyncio.create_task(guarded(), name=f"{kind} {name}")

    def _part_failed(self, kind: str, name: str, why: str, exit_code: int) -> None:
        events.part_ended(kind, name, why)
        self._failure_code = self._failure_code or exit_code
        self._stopping.set()

    async def _until_finished(self) -> None:
        """Wait for a stop, or until every source has come to its end."""
        stopping = asyncio.create_task(self._stopping.wait())
        while not stopping.done():
            tasks = {source.task for source in self.sources.values() if not source.task.done()}
            if not tasks and not self._reloading.locked():
                break
            await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
        stopping.cancel()

    async def _stop(self) -> int:
        """Go down the ladder; return the exit code."""
        async with self._reloading:  # the one at work ends first, and no other begins
            self._stopped = True
        draining = asyncio.create_task(self._drain())
        stopping = asyncio.create_task(self._stopping.wait())
        # At the end of all input there is no hurry; after a signal there is.
        await asyncio.wait({draining, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({draining}, timeout=self.config.service.drain_secs)
        ending = [source.task for source in self.sources.values()]
        ending += [feed.task for feed in self.feeds.values()]
        await _end([draining, stopping, *ending])
        for feed in self.feeds.values():
            self._report(feed.part)
        events.service_stopped(self._pending, durable=self.spool.durable)
        if self._failure_code is not None:
            return self._failure_code
        return EXIT_NOT_DRAINED if self._pending else EXIT_DRAINED

    async def _drain(self) -> None:
        for source in self.sources.values():
            await source.part.stop()
        await asyncio.gather(*(source.task for source in self.sources.values()))
        self.spool.seal()
        await asyncio.gather(*(feed.task for feed in self.feeds.values()))

    @staticmethod
    def _report(feed: Feed) -> None:
        cursor = feed.cursor
        feed_events.feed_totals(
            feed.name, feed.accepted_records, cursor.account, cursor.pending_records
        )


async def _end(tasks: Collection[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _checked(path: Path) -> Config:
    """Return the configuration of a file that this machine can run. Raises `NssError`."""
    config = configuration.load(path)
    problems = check_environment(config)
    if problems:
        raise configuration.ConfigProblems(problems, str(path))
    return config


def run(path: Path, *, at: At = lambda _point: None) -> int:
    """Run the service of a configuration file in the foreground; return the exit code.

    `at` is called at points where a crash would be interesting, with their names (tests). Raises
    `nss.errors.NssError` when the configuration can't be used.
    """
    config = _checked(path)
    logs.configure(config.service.log_format, config.service.log_level)

    async def main() -> int:
        return await Service(config, path, at).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
