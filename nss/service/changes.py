"""What a changed configuration means for the running parts: which of them it ends."""

import errno
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from nss.addresses import listener
from nss.config.files import MAX_BYTES
from nss.config.model import Config, FeedConfig, McasConfig
from nss.config.setting import held_by
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.config.sources import ListeningSourceConfig, SourceConfig
from nss.errors import SourceError
from nss.files.private import FileFault, read_bounded
from nss.service.running import RunningFeed, RunningSource
from nss.wording import error_text


@dataclass(frozen=True, slots=True)
class RetiredParts:
    """Parts that a new configuration does not have, or has with other settings."""

    sources: list[RunningSource]
    feeds: list[RunningFeed]
    losing: list[RunningFeed]
    """Feeds that are gone, or have lost a source."""

    @property
    def names(self) -> list[str]:
        """Their names in the log."""
        feeds = [f"feed {feed.settings.name}" for feed in self.feeds]
        return feeds + [f"source {source.settings.name}" for source in self.sources]


def retired_by(
    config: Config, sources: Mapping[str, RunningSource], feeds: Mapping[str, RunningFeed]
) -> RetiredParts:
    """Return the running parts that `config` ends."""
    new_sources = {source.name: source for source in config.sources}
    new_feeds = {feed.name: feed for feed in config.feeds}
    ended, losing = [], []
    for name, feed in feeds.items():
        new = new_feeds.get(name)
        if new is None or not set(feed.settings.sources) <= set(new.sources):
            losing.append(feed)
        same = new == feed.settings and inputs_of(feed.settings, config) == feed.inputs
        if not same or files_print(feed.settings, feed.settings.sink, *feed.inputs) != feed.files:
            ended.append(feed)
    changed = [
        source
        for name, source in sources.items()
        if new_sources.get(name) != source.settings or files_print(source.settings) != source.files
    ]
    return RetiredParts(changed, ended, losing)


def inputs_of(feed: FeedConfig, config: Config) -> tuple[SourceConfig | McasConfig, ...]:
    """Return what else a feed is built from: it is rebuilt when something differs."""
    sources = tuple(source for source in config.sources if source.name in feed.sources)
    if isinstance(feed.sink, CloudDiscoverySinkConfig):
        return (*sources, config.mcas)
    return sources


def files_print(*sections: object) -> bytes:
    """Return a digest of what is in the files that sections name: formats, certificates, secrets.

    So a reload notices that a file was renewed. Which files these are follows from the role that
    each setting declares: those that records are read from or written to are not among them.
    """
    digest = blake2b()
    for section in sections:
        for held in held_by(section):
            if held.role.is_read and held.file is not None:
                digest.update(_content(held.file))
    return digest.digest()


def _content(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES)
    except (OSError, FileFault):
        return b""  # gone since it was read, or replaced


def check_listens(
    config: Config, sources: Mapping[str, RunningSource], ending: Collection[RunningSource]
) -> None:
    """Raise `SourceError` when a source of `config` can't listen where it should.

    Addresses that running sources listen at are not tried: these stay, or are freed first, and
    with them their ports on any address.
    """
    listening = [
        source.settings.listen
        for source in sources.values()
        if isinstance(source.settings, ListeningSourceConfig)
    ]
    freed = {
        source.settings.listen.port
        for source in ending
        if isinstance(source.settings, ListeningSourceConfig)
    }
    for source in config.sources:
        if not isinstance(source, ListeningSourceConfig):
            continue
        if source.listen in listening or source.listen.port in freed:
            continue
        try:
            listener(*source.listen, 1).close()
        except OSError as error:
            taken = f"see who has the port: sudo ss -ltnp 'sport = :{source.listen.port}'"
            raise SourceError(
                f"source {source.name}: can't listen at {source.listen}: {error_text(error)}",
                tip=taken if error.errno == errno.EADDRINUSE else None,
            ) from None
