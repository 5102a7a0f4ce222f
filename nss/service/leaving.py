"""What becomes of records that wait for a feed when the configuration has no place for them."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from math import floor

from nss.config.model import Config, FeedConfig
from nss.service import events
from nss.service.running import Running, RunningFeed
from nss.spool import Cursor, Spool, SpoolError
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
            _note_gone(running, name)
        if pending > 0:
            is_gone = name not in running.feeds
            left = replace(
                _left(running.spool, name, pending, at, is_gone=is_gone, heirs=heirs),
                sources=tuple(feed.settings.sources),
                oldest_at=feed.part.cursor.oldest_at,
            )
            _report(running, left)
            found.append(left)
    return found


def _note_gone(running: Running, feed: str) -> None:
    """Note that a feed is not there again after all."""
    running.left_behind = [
        replace(left, replayable=None) if left.feed == feed and left.is_gone else left
        for left in running.left_behind
    ]


async def note_return(running: Running, feed: FeedConfig, cursor: Cursor) -> None:
    """Note that a feed is there again, before it passes anything with its new cursor.

    It begins with the oldest batch that another feed waits for. Where that is before all that it
    left, it has these records again, and there is nothing to tell.
    """
    kept = []
    for left in running.left_behind:
        if left.feed != feed.name or not left.is_gone or left.replayable is not None:
            kept.append(left)
            continue
        found = await _replayable(running.spool, left)
        if found or not _has_again(left, feed, cursor):
            kept.append(replace(left, replayable=found))
    running.left_behind = kept


async def _replayable(spool: Spool, left: LeftBehindReading) -> int:
    since = floor(left.at)
    try:
        return await spool.replayable(left.feed, since, since + 1)
    except SpoolError:
        return 0


def _has_again(left: LeftBehindReading, feed: FeedConfig, cursor: Cursor) -> bool:
    first, first_left = cursor.oldest_at, left.oldest_at
    if first is None or first_left is None or not set(left.sources) <= set(feed.sources):
        return False
    return first <= first_left and cursor.pending_records >= left.records


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
