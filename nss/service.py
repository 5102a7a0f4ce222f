"""The composition root: configuration to parts; start, reload, drain and stop.

The ladder of a stop: sources stop reading and hand on what they have read, the spool is sealed,
feeds deliver what is pending for up to `drain_secs`, everything is closed. A second signal ends
the process at once. The event loop is chosen here and nowhere else.
"""

import asyncio
import os
import signal
import socket
import ssl
import traceback
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path

import uvloop

from formats import pipeline
from formats.read_json import json_names
from formats.times import zone
from nss import config as configuration
from nss import events, logs
from nss.batch import Batch
from nss.config import (
    Config,
    FeedConfig,
    FileSinkConfig,
    FileSourceConfig,
    SourceConfig,
    StdinSourceConfig,
    SyslogUdpSinkConfig,
    TcpSourceConfig,
)
from nss.config_environment import check_environment, load_format, read_obfuscation_key
from nss.errors import NssError, ServiceError
from nss.feed import Feed, Origin
from nss.parts import Retired, RunningFeed, RunningSource, check_listens, inputs_of, retired_by
from nss.sinks import Sink
from nss.sinks.file import FileSink
from nss.sinks.syslog_udp import SyslogUdpSink
from nss.sources import Source
from nss.sources.file import FileSource
from nss.sources.stdin import StdinSource
from nss.sources.tcp import TcpSource
from nss.spool import Cursor, Spool
from nss.spool.memory import MemorySpool

EXIT_DRAINED = 0
EXIT_NOT_DRAINED = 75
"""EX_TEMPFAIL: the service ended with records accepted and not delivered."""

_LOOK_SECS = 0.05


def build_source(settings: SourceConfig, position: str | None) -> Source:
    """Return the source of a kind."""
    match settings:
        case FileSourceConfig():
            return FileSource(
                settings.name,
                settings.path,
                follow=settings.follow,
                max_record_bytes=settings.max_record_bytes,
                poll_secs=settings.poll_secs,
                position=position,
            )
        case StdinSourceConfig():
            return StdinSource(settings.name, max_record_bytes=settings.max_record_bytes)
        case TcpSourceConfig():
            return TcpSource(
                settings.name,
                settings.listen.host,
                settings.listen.port,
                framing=settings.framing,
                ssl_context=_server_context(settings),
                idle_secs=settings.idle_secs,
                max_record_bytes=settings.max_record_bytes,
                max_connections=settings.max_connections,
            )


def _server_context(settings: TcpSourceConfig) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.tls_client_ca)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def build_sink(settings: FeedConfig) -> Sink:
    """Return the sink of a feed."""
    match settings.sink:
        case SyslogUdpSinkConfig() as udp:
            return SyslogUdpSink(
                settings.name,
                udp.destinations,
                pri=udp.pri,
                rfc5424=udp.rfc5424,
                hostname=udp.hostname or socket.gethostname(),
                app_name=udp.app_name,
                max_message_bytes=udp.max_message_bytes,
                max_messages_per_sec=udp.max_messages_per_sec,
                source_ports=udp.source_ports,
                resolve_secs=udp.resolve_secs,
                failback_secs=udp.failback_secs,
            )
        case FileSinkConfig() as file:
            return FileSink(settings.name, "-" if file.path is None else file.path)


def build_origins(settings: FeedConfig, sources: tuple[SourceConfig, ...]) -> dict[str, Origin]:
    """Return how a feed reads each of its sources."""
    feed_format = load_format(settings.format)
    if feed_format is None:
        raise ServiceError(f"feed {settings.name}: {settings.format.value} is no format to render")
    key_file = settings.obfuscation_key_file
    key = b"" if key_file is None else read_obfuscation_key(key_file)
    origins = {}
    for source in sources:
        if source.name not in settings.sources:
            continue
        read_format = load_format(source.format)
        known = json_names() if source.format.kind == "json" else None
        origins[source.name] = Origin(
            known if read_format is None else pipeline.input_of(read_format),
            pipeline.FeedSettings(
                format=feed_format,
                filter=settings.filter,
                zone=zone(settings.zone),
                source_zone=zone(source.zone),
                escape_characters=settings.escape_characters,
                protect_separators=settings.protect_separators,
                obfuscation_key=key,
                max_record_bytes=source.max_record_bytes,
            ),
        )
    return origins


class Service:
    """All parts of one configuration, running in one event loop."""

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._spool: Spool = MemorySpool(config.spool.max_bytes)
        self._sources: dict[str, RunningSource] = {}
        self._feeds: dict[str, RunningFeed] = {}
        self._stopping = asyncio.Event()
        self._signalled_before = False
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._failure_code: int | None = None

    async def run(self) -> int:
        """Run until all sources are at their end or a signal comes; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        self._apply(self._config)
        events.service_started(len(self._sources), len(self._feeds))
        await self._until_finished()
        return await self._stop()

    def _signalled(self, number: signal.Signals) -> None:
        if self._signalled_before:
            events.service_forced(self._pending)
            os._exit(128 + number)
        self._signalled_before = True
        events.service_stopping(signal.Signals(number).name)
        self._stopping.set()

    def _reload_soon(self) -> None:
        task = self._start("reload", "configuration", self.reload)
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    @property
    def _pending(self) -> int:
        return sum(feed.part.cursor.pending_records for feed in self._feeds.values())

    async def reload(self) -> None:
        """Read the configuration again: put it in force part by part, or keep the old one."""
        async with self._reloading:
            if self._stopped:
                return
            try:
                config = _checked(self._path)
                if config.spool != self._config.spool:
                    raise ServiceError("a changed [spool] needs a restart")
                check_listens(config, self._sources)
            except NssError as error:
                events.reload_refused(str(self._path), str(error))
                return
            logs.configure(config.service.log_format, config.service.log_level)
            retired = retired_by(config, self._sources, self._feeds)
            if not await self._retire(retired):
                return  # a stop came: it drains all parts as they are
            started = self._apply(config)
            self._config = config
            self._leave_behind(retired.feeds)
            events.configuration_reloaded(str(self._path), ended=retired.names, started=started)

    async def _retire(self, retired: Retired) -> bool:
        """End parts; return whether it was done, for a stop goes first.

        Feeds that go, or lose a source, deliver for up to `drain_secs` what was accepted before.
        """
        deadline = asyncio.get_running_loop().time() + self._config.service.drain_secs
        for source in retired.sources:
            await source.part.stop()
        await self._wait([source.task for source in retired.sources], deadline)
        await self._passed([feed.part.cursor for feed in retired.losing], deadline)
        if self._stopping.is_set():
            return False
        for feed in retired.feeds:
            feed.part.stop()
        tasks = [feed.task for feed in retired.feeds]
        if tasks:
            await asyncio.wait(tasks, timeout=self._config.service.drain_secs)
        tasks += [source.task for source in retired.sources]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for source in retired.sources:
            del self._sources[source.settings.name]
        for feed in retired.feeds:
            del self._feeds[feed.settings.name]
            self._report(feed.part)
        return True

    async def _wait(self, tasks: Collection[asyncio.Task[None]], deadline: float) -> None:
        """Wait until all tasks have ended, but not after `deadline` or a stop."""
        clock = asyncio.get_running_loop().time
        while not all(task.done() for task in tasks) and clock() < deadline:
            if self._stopping.is_set():
                return
            await asyncio.wait(tasks, timeout=_LOOK_SECS)

    async def _passed(self, cursors: Collection[Cursor], deadline: float) -> None:
        """Wait until cursors are past all accepted so far, but not after `deadline` or a stop."""
        clock = asyncio.get_running_loop().time
        goals = [(cursor, cursor.accepted_records) for cursor in cursors]
        while any(one.accepted_records - one.pending_records < goal for one, goal in goals):
            if self._stopping.is_set() or clock() >= deadline:
                return
            await asyncio.sleep(_LOOK_SECS)

    def _leave_behind(self, retired: Collection[RunningFeed]) -> None:
        """Let the spool forget feeds that are gone; tell what nobody will deliver for them."""
        for feed in retired:
            name = feed.settings.name
            pending = feed.part.cursor.pending_records
            if name in self._feeds:
                pending -= self._feeds[name].taken_over
            else:
                self._spool.forget(name)
            if pending > 0:
                events.records_left_behind(name, pending)

    def _apply(self, config: Config) -> list[str]:
        """Start the parts that are not running yet; returns their names. Feeds come first."""
        started = []
        for feed_settings in config.feeds:
            if feed_settings.name not in self._feeds:
                self._start_feed(feed_settings, config)
                started.append(f"feed {feed_settings.name}")
        for settings in config.sources:
            if settings.name not in self._sources:
                source = build_source(settings, self._spool.position(settings.name))
                task = self._start("source", source.name, partial(self._read, source))
                self._sources[source.name] = RunningSource(source, settings, task)
                started.append(f"source {source.name}")
        return started

    def _start_feed(self, settings: FeedConfig, config: Config) -> None:
        sink, origins = build_sink(settings), build_origins(settings, config.sources)
        cursor = self._spool.cursor(settings.name, settings.sources)
        taken_over = cursor.accepted_records
        feed = Feed(settings.name, cursor, sink, origins)
        task = self._start("feed", feed.name, feed.run)
        inputs = inputs_of(settings, config)
        self._feeds[feed.name] = RunningFeed(feed, settings, inputs, taken_over, task)

    async def _read(self, source: Source) -> None:
        async def accept(batch: Batch) -> None:
            await self._spool.append(batch)

        await source.run(accept)
        events.source_finished(source.name)

    def _start(
        self, kind: str, name: str, work: Callable[[], Awaitable[None]]
    ) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work()
            except NssError as error:
                self._part_failed(kind, name, str(error), error.exit_code)
            except Exception as error:  # noqa: BLE001 - one part's fault must not go unseen
                self._part_failed(kind, name, _unplanned(error), ServiceError.exit_code)

        return asyncio.create_task(guarded(), name=f"{kind} {name}")

    def _part_failed(self, kind: str, name: str, why: str, exit_code: int) -> None:
        events.part_ended(kind, name, why)
        self._failure_code = self._failure_code or exit_code
        self._stopping.set()

    async def _until_finished(self) -> None:
        """Wait for a stop, or until every source has come to its end."""
        stopping = asyncio.create_task(self._stopping.wait())
        while not stopping.done():
            tasks = {source.task for source in self._sources.values() if not source.task.done()}
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
        await asyncio.wait({draining}, timeout=self._config.service.drain_secs)
        tasks = [draining, stopping, *self._tasks()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for feed in self._feeds.values():
            self._report(feed.part)
        events.service_stopped(self._pending)
        if self._failure_code is not None:
            return self._failure_code
        return EXIT_NOT_DRAINED if self._pending else EXIT_DRAINED

    def _tasks(self) -> list[asyncio.Task[None]]:
        sources = [source.task for source in self._sources.values()]
        return sources + [feed.task for feed in self._feeds.values()]

    async def _drain(self) -> None:
        for source in self._sources.values():
            await source.part.stop()
        await asyncio.gather(*(source.task for source in self._sources.values()))
        self._spool.seal()
        await asyncio.gather(*(feed.task for feed in self._feeds.values()))

    @staticmethod
    def _report(feed: Feed) -> None:
        counts = feed.counts
        events.feed_totals(
            feed.name,
            accepted=feed.accepted_records,
            delivered=counts.delivered,
            filtered=counts.filtered,
            rejected=counts.rejected,
            pending=feed.cursor.pending_records,
            shortened=counts.shortened,
        )


def _unplanned(error: Exception) -> str:
    """Return what happened and where, without the error's own text: it may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = ", ".join(f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in frames)
    return f"unplanned {type(error).__name__} ({where})"


def _checked(path: Path) -> Config:
    """Return the configuration of a file that this machine can run. Raises `NssError`."""
    config = configuration.load(path)
    problems = check_environment(config)
    if problems:
        raise configuration.ConfigProblems(problems, str(path))
    return config


def run(path: Path) -> int:
    """Run the service of a configuration file in the foreground; return the exit code.

    Raises `nss.errors.NssError` when the configuration can't be used.
    """
    config = _checked(path)
    logs.configure(config.service.log_format, config.service.log_level)

    async def main() -> int:
        return await Service(config, path).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
