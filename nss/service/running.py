"""The running parts, each with what it was built from, and their readings."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from nss.batch import Batch
from nss.config.model import FeedConfig, McasConfig
from nss.config.sources import SourceConfig
from nss.errors import ServiceError
from nss.expiry import Expiry
from nss.feeds.feed import Feed
from nss.feeds.tap import Tap
from nss.sinks import ExpiringSink
from nss.sources import GroupSource, RefusingSource, Source
from nss.sources.watching import MessageTap, WatchableSource
from nss.spool import Spool
from nss.status.readings import (
    ClockReading,
    ElsewhereReading,
    FeedReading,
    GroupReading,
    LeftBehindReading,
    NewerFileReading,
    ParsingReading,
    RefusalReading,
    RefusedReloadReading,
    ServiceReading,
    SourceReading,
    SpoolReading,
    UnreadPartitionReading,
    UnwritableReading,
    UpdateReading,
)
from nss.status.sync_readings import SyncReading

LOST_SECS = 3600.0
"""How long the status mentions records that were lost with their feed."""


@dataclass(slots=True)
class SourceCounts:
    """What the spool accepted from a source since the source started."""

    records: int = 0
    data_bytes: int = 0
    last_at: float | None = None
    """Seconds since the epoch."""

    def count(self, batch: Batch) -> None:
        """Count a batch that was accepted."""
        self.records += batch.records
        self.data_bytes += len(batch.data)
        self.last_at = time.time()


@dataclass(frozen=True, slots=True)
class RunningSource:
    """A running source, and the settings it was built from."""

    part: Source
    settings: SourceConfig
    counts: SourceCounts
    files: bytes
    """The digest that `files_print` made for it."""
    task: asyncio.Task[None]
    expiries: tuple[Expiry, ...]
    """When the certificate ends that it shows."""

    def reading(self, held_up: str | None) -> SourceReading:
        """Return its reading now; `held_up` is why its records can't be accepted."""
        return SourceReading(
            name=self.settings.name,
            kind=self.settings.kind,
            records=self.counts.records,
            data_bytes=self.counts.data_bytes,
            last_at=self.counts.last_at,
            ended=self.task.done(),
            last_error=self.part.last_error,
            advice=self.part.advice,
            refusals=_refusals(self.part),
            held_up=held_up,
            group=_group(self.part),
        )


@dataclass(frozen=True, slots=True)
class RunningFeed:
    """A running feed, and all that it was built from."""

    part: Feed
    settings: FeedConfig
    inputs: tuple[SourceConfig | McasConfig, ...]
    files: bytes
    """The digest that `files_print` made for it and its inputs."""
    taken_over: int
    """Records that were pending for it when it started."""
    task: asyncio.Task[None]
    expiries: tuple[Expiry, ...]
    """When the certificate ends that it shows."""

    def reading(self) -> FeedReading:
        """Return its reading now."""
        feed, cursor = self.part, self.part.cursor
        return FeedReading(
            name=self.settings.name,
            kind=self.settings.sink.kind,
            destination=feed.sink.destination,
            account=cursor.account.copy(),
            accepted=feed.accepted_records,
            pending=cursor.pending_records,
            pending_bytes=cursor.pending_bytes,
            max_pending_bytes=self.settings.max_pending_bytes,
            drops_oldest=self.settings.when_pending_full == "drop_oldest",
            limited_since=cursor.limited_since,
            limited_dropped=cursor.limited_dropped,
            lag_secs=cursor.lag_secs,
            handed_over=feed.handed_over,
            patience_secs=feed.patience_secs,
            sending=feed.sending,
            last_error=feed.last_error,
            advice=feed.advice,
            upload=feed.upload,
            gaps=feed.gaps,
            next_try_at=feed.next_try_at,
            remedy=feed.remedy,
            common_reject=feed.common_reject,
        )


def _clock() -> ClockReading | None:
    """Return what the last answer of a server says; without clients nothing is imported for it."""
    clock = sys.modules.get("nss.https.clock")
    last = None if clock is None else clock.server_dates.last
    return None if last is None else ClockReading(ahead_secs=last.secs, host=last.host, at=last.at)


def _refusals(part: Source) -> tuple[RefusalReading, ...]:
    if not isinstance(part, RefusingSource):
        return ()
    return tuple(RefusalReading(**asdict(each)) for each in part.refusals.all)


def _group(part: Source) -> GroupReading | None:
    if not isinstance(part, GroupSource):
        return None
    found = asdict(part.group)
    unread = tuple(UnreadPartitionReading(**each) for each in found.pop("unread"))
    return GroupReading(**found, unread=unread)


class Running:
    """All running parts."""

    def __init__(self) -> None:
        self.sources: dict[str, RunningSource] = {}
        self.feeds: dict[str, RunningFeed] = {}
        self.taps: set[Tap] = set()
        self.message_taps: set[MessageTap] = set()
        self.opened_spool: Spool | None = None
        self.parsing: Callable[[], ParsingReading | None] = lambda: None
        """Returns what is known of uploaded files."""
        self.portal_expiries: tuple[Expiry, ...] = ()
        """When the certificate ends that the portal shows."""
        self.left_behind: list[LeftBehindReading] = []
        """What feeds left undelivered that the configuration no longer has."""
        self.refused_reload: RefusedReloadReading | None = None
        """`None`: the last reload was not refused."""
        self.unwritable: UnwritableReading | None = None
        """`None`: the state directory can be written, or there is none."""
        self.update: UpdateReading | None = None
        """`None`: the last update ended well, or there was none."""
        self._expiries: dict[str, Sequence[Expiry]] = {}
        """What the sinks said last, by feed."""

    @property
    def spool(self) -> Spool:
        """The spool. Raises `ServiceError` before it is open."""
        if self.opened_spool is None:
            raise ServiceError("the spool is not open yet")
        return self.opened_spool

    @property
    def durable(self) -> bool:
        """Whether what was accepted survives the process; nothing is accepted without a spool."""
        return self.opened_spool is None or self.opened_spool.durable

    @property
    def pending_records(self) -> int:
        """Records accepted and not delivered, counted for each feed that the spool knows.

        A feed that could not be started has some, too.
        """
        return 0 if self.opened_spool is None else sum(self.opened_spool.feeds().values())

    @property
    def watchable(self) -> list[str]:
        """The sources whose messages can be watched."""
        parts = {name: source.part for name, source in self.sources.items()}
        return [name for name, part in parts.items() if isinstance(part, WatchableSource)]

    def close_taps_of_what_is_gone(self) -> None:
        """End the views of feeds and sources that are not there any more: nothing would come."""
        for tap in self.taps:
            if tap.feed is not None and tap.feed not in self.feeds:
                tap.close()
        for message_tap in self.message_taps:
            if message_tap.source not in self.watchable:
                message_tap.close()

    def held_up(self, source: str) -> str | None:
        """Return why records of a source can't be accepted now; see `SourceReading.held_up`."""
        if self.spool.last_error is not None:
            return "the spool accepts nothing now"
        return self.spool.holds_up(source)

    def resume_uploads(self) -> list[str]:
        """End what holds uploads; return the names of the feeds that were held."""
        uploads = {name: feed.part.upload for name, feed in self.feeds.items()}
        for feed in self.feeds.values():
            feed.part.retry()
        return [name for name, upload in uploads.items() if upload and upload.held_until]

    async def ask_for_expiries(self) -> None:
        """Ask the sinks what ends when, for the readings from now on."""
        found: dict[str, Sequence[Expiry]] = {}
        for name, feed in list(self.feeds.items()):
            if isinstance(feed.part.sink, ExpiringSink):
                found[name] = await feed.part.sink.expiries()
        self._expiries = found

    def expiries(self) -> tuple[Expiry, ...]:
        """Return what ends, the next first, each once."""
        found: set[Expiry] = set(self.portal_expiries)
        for source in self.sources.values():
            found.update(source.expiries)
        for name, feed in self.feeds.items():
            found.update(feed.expiries, self._expiries.get(name, ()))
        return tuple(sorted(found, key=lambda expiry: (expiry.ends_at, str(expiry))))

    def replayed(self, since: float, until: float) -> None:
        """Note that a feed got once more what was on its way between two times."""
        self.left_behind = [left for left in self.left_behind if not since <= left.at <= until]

    def reading(
        self,
        sync: SyncReading | None = None,
        newer_file: NewerFileReading | None = None,
        elsewhere: ElsewhereReading | None = None,
    ) -> ServiceReading:
        """Return the readings of all parts now; those of others are given."""
        spool, now = self.spool, time.time()
        self.left_behind = [
            left for left in self.left_behind if now < (left.until or left.at + LOST_SECS)
        ]
        return ServiceReading(
            tuple(source.reading(self.held_up(name)) for name, source in self.sources.items()),
            tuple(feed.reading() for feed in self.feeds.values()),
            SpoolReading(
                durable=spool.durable,
                used_bytes=spool.used_bytes,
                max_bytes=spool.max_bytes,
                full=spool.full and spool.last_error is None,  # or it waits for the disk
                last_error=spool.last_error,
                kept_rejects=spool.kept_rejects,
                trouble=None if spool.trouble is None else spool.trouble.kind,
                folder=spool.folder,
                replay_secs=spool.replay_secs,
            ),
            parsing=self.parsing(),
            expiries=self.expiries(),
            sync=sync,
            elsewhere=elsewhere or ElsewhereReading(),
            left_behind=tuple(self.left_behind),
            newer_file=newer_file,
            refused_reload=self.refused_reload,
            unwritable=self.unwritable,
            update=self.update,
            clock=_clock(),
        )
