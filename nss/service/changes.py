"""What a changed configuration means for the parts at work: which of them it ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path

from nss.addresses import listener
from nss.config.load import (
    CloudDiscoverySinkConfig,
    Config,
    FeedConfig,
    FormatChoice,
    ListeningSourceConfig,
    McasConfig,
    SourceConfig,
)
from nss.errors import SourceError
from nss.service.running import RunningFeed, RunningSource
from nss.wording import error_text


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
        same = new == feed.settings and inputs_of(feed.settings, config) == feed.inputs
        if not same or files_print(feed.settings, feed.settings.sink, *feed.inputs) != feed.files:
            ended.append(feed)
    changed = [
        one
        for name, one in sources.items()
        if new_sources.get(name) != one.settings or files_print(one.settings) != one.files
    ]
    return Retired(changed, ended, losing)


def inputs_of(feed: FeedConfig, config: Config) -> tuple[SourceConfig | McasConfig, ...]:
    """Return what else a feed is built from: when something differs, it is built anew."""
    sources = tuple(source for source in config.sources if source.name in feed.sources)
    if isinstance(feed.sink, CloudDiscoverySinkConfig):
        return (*sources, config.mcas)
    return sources


def files_print(*sections: object) -> bytes:
    """Return a digest of what is in the files that sections name: formats, certificates, secrets.

    So a reload notices that one was renewed. The files that records are read from or written to
    are not among them.
    """
    digest = blake2b()
    for section in sections:
        for field in fields(section):  # type: ignore[arg-type]  # every section is a dataclass
            match getattr(section, field.name):
                case Path() as path if field.name != "path":
                    digest.update(_content(path))
                case FormatChoice(kind="file", value=value):
                    digest.update(_content(Path(value)))
                case _:
                    pass
    return digest.digest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # gone since it was read


def check_listens(
    config: Config, sources: Mapping[str, RunningSource], ending: Collection[RunningSource]
) -> None:
    """Raise `SourceError` when a source of `config` can't listen where it should.

    Addresses that sources at work listen at are not tried: they stay, or become free first, with
    their ports on any address.
    """
    listening = [
        one.settings.listen
        for one in sources.values()
        if isinstance(one.settings, ListeningSourceConfig)
    ]
    freed = {
        one.settings.listen.port
        for one in ending
        if isinstance(one.settings, ListeningSourceConfig)
    }
    for source in config.sources:
        if not isinstance(source, ListeningSourceConfig):
            continue
        if source.listen in listening or source.listen.port in freed:
            continue
        try:
            listener(*source.listen, 1).close()
        except OSError as error:
            raise SourceError(
                f"source {source.name}: can't listen at {source.listen}: {error_text(error)}"
            ) from None
