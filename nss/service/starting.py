"""Builds, wires and starts the parts of a configuration that are not running yet."""

from collections.abc import Collection
from functools import partial

from nss.batch import Batch
from nss.config.model import Config, FeedConfig
from nss.config.sources import SourceConfig
from nss.feeds.delivery import wait_first
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.mcas.access import McasAccess
from nss.service import build, events
from nss.service.changes import files_print, inputs_of
from nss.service.running import Running, RunningFeed, RunningSource, SourceCounts
from nss.service.workers import Workers
from nss.sinks import Sink
from nss.sources import Source
from nss.spool.durable.schema import At

NewFeeds = dict[str, tuple[Sink, dict[str, Origin]]]
"""The sink and the origins of each feed that is to be started."""


class Starter:
    """Builds and starts parts. `at` is a seam for crash tests."""

    def __init__(self, running: Running, workers: Workers, at: At) -> None:
        self._running = running
        self._workers = workers
        self._at = at
        self._access = McasAccess()

    async def close(self) -> None:
        """Close what feeds share."""
        await self._access.close()

    def plan(self, config: Config, retired: Collection[RunningFeed]) -> NewFeeds:
        """Return what new feeds need. Raises `NssError` for a part that can't be built."""
        ending = {feed.settings.name for feed in retired}
        staying = self._running.feeds.keys() - ending
        for settings in config.sources:
            build.build_source(settings, None, self._source_must_wait)
        return {
            feed.name: (
                build.build_sink(feed, config, self._access),
                build.build_origins(feed, config.sources),
            )
            for feed in config.feeds
            if feed.name not in staying
        }

    async def start(self, config: Config, new_feeds: NewFeeds) -> list[str]:
        """Start the parts that are not running yet; returns their names. Feeds come first.

        When it returns, sources that others connect to are listening, or have failed.
        """
        started = []
        for feed in config.feeds:
            if feed.name not in self._running.feeds:
                sink, origins = new_feeds[feed.name]
                await self._start_feed(feed, config, sink, origins)
                started.append(f"feed {feed.name}")
        for settings in config.sources:
            if settings.name not in self._running.sources:
                self._start_source(settings)
                started.append(f"source {settings.name}")
        for source in self._running.sources.values():
            await wait_first([source.task], source.part.ready)
        return started

    async def _start_feed(
        self, settings: FeedConfig, config: Config, sink: Sink, origins: dict[str, Origin]
    ) -> None:
        running, name = self._running, settings.name
        cursor = await running.spool.cursor(name, settings.sources)
        delivery = build.build_delivery(sink, lambda: running.spool.full)
        feed = Feed(name, cursor, origins, delivery, running.taps, self._at)
        taken_over = cursor.pending_records
        task = self._workers.start("feed", name, feed.run)
        inputs = inputs_of(settings, config)
        files = files_print(settings, settings.sink, *inputs)
        running.feeds[name] = RunningFeed(feed, settings, inputs, files, taken_over, task)

    def _start_source(self, settings: SourceConfig) -> None:
        running, name = self._running, settings.name
        source = build.build_source(settings, running.spool.position(name), self._source_must_wait)
        counts = SourceCounts()
        task = self._workers.start("source", name, partial(self._read, source, counts))
        files = files_print(settings)
        running.sources[name] = RunningSource(source, settings, counts, files, task)

    async def _read(self, source: Source, counts: SourceCounts) -> None:
        async def accept(batch: Batch) -> None:
            await self._running.spool.append(batch)
            counts.count(batch)

        await source.run(accept)
        events.source_finished(source.name)

    def _source_must_wait(self) -> bool:
        return self._running.spool.full or self._running.spool.last_error is not None
