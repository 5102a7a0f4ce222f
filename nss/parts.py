"""The parts at work, each with what it was built from, and which of them a reload ends."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from nss.config import Config, FeedConfig, SourceConfig
from nss.feed import Feed
from nss.sources import Source


@dataclass(frozen=True, slots=True)
class RunningSource:
    """A source at work, and the settings it was built from."""

    part: Source
    settings: SourceConfig
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class RunningFeed:
    """A feed at work, and all that it was built from."""

    part: Feed
    settings: FeedConfig
    inputs: tuple[SourceConfig, ...]
    taken_over: int
    """Records that were pending for it when it started."""
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class Retired:
    """Parts that a new configuration does not have, or has otherwise."""

    sources: list[RunningSource]
    feeds: list[RunningFeed]
    losing: list[RunningFeed]
    """Those of the feeds that are gone, or have a source less."""

    @property
    def names(self) -> list[str]:
        """What they are called in the log."""
        feeds = [f"feed {feed.settings.name}" for feed in self.feeds]
        return feeds + [f"source {source.settings.name}" for source in self.sources]


def retired_by(
    config: Config, sources: Mapping[str, RunningSource], feeds: Mapping[str, RunningFeed]
) -> Retired:
    """Return the parts at work that `config` ends."""
    new_sources = {source.name: source for source in config.sources}
    new_feeds = {feed.name: feed for feed in config.feeds}
    ended, losing = [], []
    for name, feed in feeds.items():
        new = new_feeds.get(name)
        if new is None or not set(feed.settings.sources) <= set(new.sources):
            losing.append(feed)
        if new != feed.settings or inputs_of(feed.settings, config) != feed.inputs:
            ended.append(feed)
    changed = [one for name, one in sources.items() if new_sources.get(name) != one.settings]
    return Retired(changed, ended, losing)


def inputs_of(feed: FeedConfig, config: Config) -> tuple[SourceConfig, ...]:
    """Return the sources that a feed reads: when one differs, the feed is built anew."""
    return tuple(source for source in config.sources if source.name in feed.sources)
