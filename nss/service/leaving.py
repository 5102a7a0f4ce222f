"""What becomes of records that wait for a feed when the configuration has no place for them."""

import time
from collections.abc import Collection, Sequence

from nss.config.model import Config
from nss.service import events
from nss.service.running import Running, RunningFeed
from nss.spool import Spool
from nss.status.readings import LeftBehindReading


async def forget_strangers(running: Running, config: Config) -> None:
    """Let the spool forget feeds that are no longer in the configuration, at the start."""
    names = {feed.name for feed in config.feeds}
    for name, pending in running.spool.feeds().items():
        if name not in names:
            at = time.time()
            await running.spool.forget(name)
            if pending:
                _report(running, _left(running.spool, name, pending, at))


async def leave_behind(
    running: Running, retired: Collection[RunningFeed]
) -> list[LeftBehindReading]:
    """Let the spool forget feeds that a reload has ended; return what these left undelivered.

    A feed that started with the reload begins with the oldest batch that anybody waited for: where
    such feeds take all sources of one that is gone, as after a change of its name, nothing is left.
    """
    found = []
    ended = {feed.settings.name for feed in retired}
    new = [f for name, f in running.feeds.items() if name not in ended and f.taken_over]
    for feed in retired:
        name, pending = feed.settings.name, feed.part.cursor.pending_records
        at, heirs = time.time(), tuple[str, ...]()
        if name in running.feeds:
            pending -= running.feeds[name].taken_over
        else:
            heirs = _heirs(feed, new)
            await running.spool.forget(name)
        if pending > 0:
            is_gone = name not in running.feeds
            left = _left(running.spool, name, pending, at, is_gone=is_gone, heirs=heirs)
            _report(running, left)
            found.append(left)
    return found


def _heirs(feed: RunningFeed, new: Sequence[RunningFeed]) -> tuple[str, ...]:
    sources = set(feed.settings.sources)
    heirs = [each for each in new if sources & set(each.settings.sources)]
    taken = {source for each in heirs for source in each.settings.sources}
    return tuple(each.settings.name for each in heirs) if sources <= taken else ()


def _left(
    spool: Spool,
    name: str,
    pending: int,
    at: float,
    *,
    is_gone: bool = True,
    heirs: tuple[str, ...] = (),
) -> LeftBehindReading:
    until = at + spool.replay_secs if spool.replay_secs else None
    return LeftBehindReading(
        feed=name, records=pending, at=at, until=until, is_gone=is_gone, heirs=heirs
    )


def _report(running: Running, left: LeftBehindReading) -> None:
    if left.heirs:
        events.records_taken_over(left.feed, left.records, list(left.heirs))
        return
    running.left_behind.append(left)
    events.records_left_behind(left.feed, left.records, durable=left.until is not None)
