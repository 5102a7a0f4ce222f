"""Builds, wires and starts the parts of a configuration that are not running yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from nss.batch import Batch
from nss.config.model import Config, FeedConfig
from nss.config.sources import FileSourceConfig, SourceConfig
from nss.expiry import Expiry
from nss.feeds.delivery import wait_first
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.feeds.pool import RenderPool
from nss.mcas.access import McasAccess
from nss.service import build, events
from nss.service.build import SourceFiles
from nss.service.changes import RetiredParts, files_print, inputs_of, retired_by
from nss.service.leaving import note_return
from nss.service.parsing import ParseWatching
from nss.service.running import Running, RunningFeed, RunningSource, SourceCounts
from nss.service.workers import Workers
from nss.sinks import Sink
from nss.sources import Passing, Source
from nss.sources.watching import WatchableSource
from nss.spool import At


@dataclass(frozen=True, slots=True)
class NewFeed:
    """What a feed that is to be started is made of."""

    files: bytes
    """The digest that `files_print` made for it."""
    sink: Sink
    origins: dict[str, Origin]
    expiries: tuple[Expiry, ...]
    """When the certificate ends that it shows."""


@dataclass(frozen=True, slots=True)
class NewSource:
    """What a source that is to be started is made of."""

    files: bytes
    """The digest that `files_print` made for it."""
    read: SourceFiles


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration ends, and what it starts, with all files read."""

    retired: RetiredParts
    feeds: dict[str, NewFeed]
    sources: dict[str, NewSource]


class Starter:
    """Builds and starts parts; `pool` renders for feeds. `at` is a seam for crash tests."""

    def __init__(
        self,
        running: Running,
        workers: Workers,
        access: McasAccess,
        pool: RenderPool | None,
        at: At,
    ) -> None:
        self._running = running
        self._workers = workers
        self._access = access
        self._pool = pool
        self._at = at
        self._parsing = ParseWatching(access)
        running.parsing = self._parsing.reading

    async def close(self) -> None:
        """Close what watches over uploads; what feeds share is the service's."""
        await self._parsing.close()

    def plan(
        self,
        config: Config,
        sources: Mapping[str, RunningSource],
        feeds: Mapping[str, RunningFeed],
    ) -> Plan:
        """Return what a configuration means for running parts. Raises `NssError` if it can't be.

        It reads every file that the configuration names, so it runs in a thread of its own.
        """
        retired = retired_by(config, sources, feeds)
        staying = feeds.keys() - {feed.settings.name for feed in retired.feeds}
        return Plan(
            retired,
            {
                feed.name: self._new_feed(feed, config)
                for feed in config.feeds
                if feed.name not in staying
            },
            # Those that stay are read as well: a file that is no good is found out now.
            {settings.name: _new_source(settings) for settings in config.sources},
        )

    def _new_feed(self, feed: FeedConfig, config: Config) -> NewFeed:
        # The digest first: what changes between the two is noticed by the next reload.
        files = files_print(feed, feed.sink, *inputs_of(feed, config))
        sink = build.build_sink(feed, config, self._access)
        origins = build.build_origins(feed, config.sources)
        return NewFeed(files, sink, origins, build.shown_to_collectors(feed))

    async def start(self, config: Config, plan: Plan) -> list[str]:
        """Start the parts that are not running yet; returns their names. Feeds come first.

        When it returns, sources that others connect to are listening, or have failed.
        """
        started = []
        for feed in config.feeds:
            if feed.name not in self._running.feeds:
                await self._start_feed(feed, config, plan.feeds[feed.name])
                started.append(f"feed {feed.name}")
        for settings in config.sources:
            if settings.name not in self._running.sources:
                self._start_source(settings, plan.sources[settings.name])
                started.append(f"source {settings.name}")
        for source in self._running.sources.values():
            await wait_first([source.task], source.part.ready)
        await self._parsing.follow(config)
        return started

    async def _start_feed(self, settings: FeedConfig, config: Config, new: NewFeed) -> None:
        running, name = self._running, settings.name
        spool, limit = running.spool, build.pending_limit(settings)
        cursor = await spool.cursor(name, settings.sources, limit)
        await note_return(running, settings, cursor)

        def is_full() -> bool:
            return spool.full or spool.last_error is not None or cursor.nears_limit

        delivery = build.build_delivery(new.sink, is_full)
        feed = Feed(name, cursor, new.origins, delivery, running.taps, self._at, self._pool)
        taken_over = cursor.pending_records
        task = self._workers.start("feed", name, feed.run)
        inputs = inputs_of(settings, config)
        running.feeds[name] = RunningFeed(
            feed, settings, inputs, new.files, taken_over, task, new.expiries
        )

    def _start_source(self, settings: SourceConfig, new: NewSource) -> None:
        running, name = self._running, settings.name
        position = running.spool.position(name)
        spool = running.spool

        def passing() -> Passing:
            return Passing(spool.passed_of(name), spool.last_sequence)

        held_up = partial(running.held_up, name)
        source = build.build_source(settings, new.read, position, held_up, passing)
        if isinstance(source, WatchableSource):
            source.watchers = running.message_taps
        counts = SourceCounts()
        can_wait = isinstance(settings, FileSourceConfig) and not settings.follow
        task = self._workers.start("source", name, partial(self._read, source, counts, can_wait))
        expiries = new.read.expiries
        running.sources[name] = RunningSource(source, settings, counts, new.files, task, expiries)

    async def _read(self, source: Source, counts: SourceCounts, can_wait: bool) -> None:  # noqa: FBT001 - of `partial`
        spool = self._running.spool

        async def accept(batch: Batch) -> int:
            if can_wait:  # a followed file may be rotated away meanwhile
                await spool.keep_pace(source.name)
            sequence = await spool.append(batch)
            counts.count(batch)
            return sequence

        await source.run(accept)
        events.source_finished(source.name)


def _new_source(settings: SourceConfig) -> NewSource:
    return NewSource(files_print(settings), build.read_source_files(settings))
