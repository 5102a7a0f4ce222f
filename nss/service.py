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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

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
from nss.sinks import Sink
from nss.sinks.file import FileSink
from nss.sinks.syslog_udp import SyslogUdpSink
from nss.sources import Source
from nss.sources.file import FileSource
from nss.sources.stdin import StdinSource
from nss.sources.tcp import TcpSource
from nss.spool import Spool
from nss.spool.memory import MemorySpool

EXIT_DRAINED = 0
EXIT_NOT_DRAINED = 75
"""EX_TEMPFAIL: the service ended with records accepted and not delivered."""


Part = TypeVar("Part", Source, Feed)


@dataclass(slots=True)
class _Running(Generic[Part]):
    """A part at work, and the settings it was built from."""

    part: Part
    settings: object
    task: asyncio.Task[None]


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
        self._sources: dict[str, _Running[Source]] = {}
        self._feeds: dict[str, _Running[Feed]] = {}
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._failed = False

    async def run(self) -> int:
        """Run until all sources are at their end or a signal comes; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        reloads: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(loop.create_task(self.reload())))
        self._apply(self._config)
        events.service_started(len(self._sources), len(self._feeds))
        await self._until_finished()
        return await self._stop()

    def _signalled(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            events.service_stopped(self._pending)
            os._exit(128 + number)
        events.service_stopping(signal.Signals(number).name)
        self._stopping.set()

    @property
    def _pending(self) -> int:
        return sum(running.part.cursor.pending_records for running in self._feeds.values())

    async def reload(self) -> None:
        """Read the configuration again: put it in force part by part, or keep the old one."""
        async with self._reloading:
            try:
                config = configuration.load(self._path)
                problems = check_environment(config)
                if problems:
                    raise configuration.ConfigProblems(problems, str(self._path))
                if config.spool != self._config.spool:
                    raise ServiceError("a changed [spool] needs a restart")
            except NssError as error:
                events.reload_refused(str(self._path), str(error))
                return
            logs.configure(config.service.log_format, config.service.log_level)
            await self._retire(config)
            events.configuration_reloaded(str(self._path), self._apply(config))
            self._config = config

    async def _retire(self, config: Config) -> None:
        """End the parts that a new configuration does not have, or has otherwise."""
        kept_sources = {source.name: source for source in config.sources}
        kept_feeds = {feed.name: _feed_key(feed, config) for feed in config.feeds}
        for name, source in list(self._sources.items()):
            if kept_sources.get(name) != source.settings:
                await source.part.stop()
                await source.task
                del self._sources[name]
        for name, feed in list(self._feeds.items()):
            if kept_feeds.get(name) != feed.settings:
                feed.part.stop()
                await feed.task
                self._report(feed.part)
                del self._feeds[name]
                if name not in kept_feeds:
                    self._spool.forget(name)

    def _apply(self, config: Config) -> list[str]:
        """Start the parts that are not running yet; returns their names. Feeds come first."""
        started = []
        for feed_settings in config.feeds:
            if feed_settings.name not in self._feeds:
                key = _feed_key(feed_settings, config)
                feed = Feed(
                    feed_settings.name,
                    self._spool.cursor(feed_settings.name, feed_settings.sources),
                    build_sink(feed_settings),
                    build_origins(feed_settings, config.sources),
                )
                task = self._start("feed", feed.name, feed.run)
                self._feeds[feed.name] = _Running(feed, key, task)
                started.append(f"feed {feed.name}")
        for settings in config.sources:
            if settings.name not in self._sources:
                source = build_source(settings, self._spool.position(settings.name))
                task = self._start("source", source.name, partial(self._read, source))
                self._sources[source.name] = _Running(source, settings, task)
                started.append(f"source {source.name}")
        return started

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
                self._part_failed(kind, name, str(error))
            except Exception as error:
                self._part_failed(kind, name, repr(error))
                raise

        return asyncio.create_task(guarded(), name=f"{kind} {name}")

    def _part_failed(self, kind: str, name: str, why: str) -> None:
        events.part_ended(kind, name, why)
        self._failed = True
        self._stopping.set()

    async def _until_finished(self) -> None:
        """Wait for a stop, or until every source has come to its end."""
        stopping = asyncio.create_task(self._stopping.wait())
        while not stopping.done():
            tasks = {running.task for running in self._sources.values() if not running.task.done()}
            if not tasks and not self._reloading.locked():
                break
            await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
        stopping.cancel()

    async def _stop(self) -> int:
        """Go down the ladder; return the exit code."""
        for running in self._sources.values():
            await running.part.stop()
        feeds = [running.task for running in self._feeds.values()]
        sources = [running.task for running in self._sources.values()]
        draining = asyncio.create_task(self._drain(sources, feeds))
        stopping = asyncio.create_task(self._stopping.wait())
        # At the end of all input there is no hurry; after a signal there is.
        await asyncio.wait({draining, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({draining}, timeout=self._config.service.drain_secs)
        tasks = (draining, stopping, *sources, *feeds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for running in self._feeds.values():
            self._report(running.part)
        events.service_stopped(self._pending)
        if self._failed:
            return ServiceError.exit_code
        return EXIT_NOT_DRAINED if self._pending else EXIT_DRAINED

    async def _drain(
        self, sources: list[asyncio.Task[None]], feeds: list[asyncio.Task[None]]
    ) -> None:
        await asyncio.gather(*sources, return_exceptions=True)
        self._spool.seal()
        await asyncio.gather(*feeds, return_exceptions=True)

    @staticmethod
    def _report(feed: Feed) -> None:
        counts = feed.counts
        events.feed_totals(
            feed.name,
            feed.cursor.accepted_records,
            counts.delivered,
            counts.filtered,
            counts.rejected,
            counts.shortened,
        )


def _feed_key(feed: FeedConfig, config: Config) -> object:
    """Return all that a feed is built from: when it differs, the feed is built anew."""
    return feed, tuple(source for source in config.sources if source.name in feed.sources)


def run(path: Path) -> int:
    """Run the service of a configuration file in the foreground; return the exit code.

    Raises `nss.errors.NssError` when the configuration can't be used.
    """
    config = configuration.load(path)
    problems = check_environment(config)
    if problems:
        raise configuration.ConfigProblems(problems, str(path))
    logs.configure(config.service.log_format, config.service.log_level)

    async def main() -> int:
        return await Service(config, path).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
