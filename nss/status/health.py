"""When the service is healthy: rules over its status, without clocks or side effects.

Degraded: a source or a destination reports an error; records wait and none moves; the lag grows;
the spool is in trouble; an account does not add up; Cloud Discovery could not use the last upload;
a secret or certificate ends within 7 days, or has ended; the sync of unsanctioned apps has failed
three times, or has had no success for six hours. Only mentioned: what ends within 30 days, rejects,
records that lack the address, user or URL that a feed prints, a spool that is not durable or is
full for a moment, entries of the list that are set aside, that it can't be read what became of
uploads, and that ZIA may let people use unsanctioned apps. An idle source is fine: nobody browses
at night.

`alive` is another matter: whether a restart could help. It never helps against a dead collector or
a full disk, so the watchdog does not restart the service for either.
"""

from collections.abc import Iterator, Sequence
from math import ceil

from nss.expiry import WARN_DAYS, Expiry
from nss.status import room
from nss.status.readings import GapsReading, ParsingReading
from nss.status.summary import FeedStatus, Health, Reason, SourceStatus, SpoolStatus, SyncStatus

STUCK_SECS = 45.0
"""Records that wait this long while none moves are stuck, so that it shows within a minute."""

LAG_SECS = 60.0
"""A lag below this is fine, however it grows."""

LAG_GROWTH_SECS = 30.0
"""How much a lag grows within a minute when a feed is at most half as fast as it must be."""

_MINUTE_SECS = 60.0

SYNC_FAILURES = 3
"""So many runs of the sync may fail one after the other before the service is degraded."""


def judge(
    sources: Sequence[SourceStatus],
    feeds: Sequence[FeedStatus],
    spool: SpoolStatus,
    now: float,
    parsing: ParsingReading | None = None,
    expiries: Sequence[Expiry] = (),
    sync: SyncStatus | None = None,
) -> Health:
    """Return the health of a service whose parts were so at `now` (seconds since the epoch)."""
    reasons = (
        *(reason for source in sources for reason in _source(source, now)),
        *(reason for feed in feeds for reason in _feed(feed, now)),
        *(r for feed in feeds for r in room.limit_reasons(feed, spool, now, STUCK_SECS)),
        *room.spool_reasons(spool, feeds, now, STUCK_SECS),
        *_spool(spool),
        *_parsing(parsing),
        *(reason for expiry in expiries for reason in _expiry(expiry, now)),
        *(() if sync is None or not sync.ready else _sync(sync, now)),
    )
    return Health(
        ok=not any(reason.degrades for reason in reasons),
        alive=_alive(feeds, spool),
        reasons=tuple(sorted(reasons, key=lambda reason: not reason.degrades)),
    )


def _source(source: SourceStatus, now: float) -> Iterator[Reason]:
    if source.last_error is not None:
        yield Reason(
            component=f"source {source.name}",
            why=source.last_error,
            since=now - source.failing_secs,
        )
    if source.advice is not None:
        yield Reason(component=f"source {source.name}", why=source.advice, degrades=False)


def _feed(feed: FeedStatus, now: float) -> Iterator[Reason]:
    """Yield why records don't get through, as near to the cause as is known; then what else is."""
    component, pending = f"feed {feed.name}", _records(feed.pending)
    if feed.last_error is not None:
        text = f"the destination accepts no lines, {pending} waiting: {feed.last_error}"
        if feed.upload is not None and feed.upload.held_until is not None:
            text += _next_try(feed.upload.held_until - now)
        yield Reason(component=component, why=text, since=now - feed.failing_secs)
    elif feed.still_secs >= STUCK_SECS + feed.patience_secs:
        text = f"{pending} waiting and none has moved for {feed.still_secs:.0f} s"
        yield Reason(component=component, why=text, since=now - feed.still_secs)
    elif feed.lag_secs >= LAG_SECS + feed.patience_secs and feed.lag_growth_secs >= LAG_GROWTH_SECS:
        text = (
            f"falls behind: {pending} waiting, the oldest for {feed.lag_secs:.0f} s, "
            f"{feed.lag_growth_secs:.0f} s longer than a minute ago"
        )
        yield Reason(component=component, why=text, since=now - feed.lag_secs)
    if feed.unaccounted:
        text = f"the account does not add up: {_records(feed.unaccounted)} unaccounted for"
        yield Reason(component=component, why=text)
    if feed.advice is not None:
        yield Reason(component=component, why=feed.advice, degrades=False)
    for gap in feed.gaps:
        if gap.missing:
            yield Reason(component=component, why=_missing(feed.name, gap), degrades=False)
    if feed.rejected_lately:
        text = f"{_records(feed.rejected_lately)} rejected within a minute; see nss rejects"
        yield Reason(component=component, why=text, degrades=False)


def _missing(feed: str, gap: GapsReading) -> str:
    *others, last = gap.missing
    parts = f"{', '.join(others)} and {last}" if others else last
    return (
        f"records of source {gap.source}, read as {gap.form}, lack {parts}: placeholders are "
        f"printed instead. Try: nss tap --feed {feed} --records --limit 100 > sample, then nss "
        f"explain sample --feed {feed}"
    )


def _spool(spool: SpoolStatus) -> Iterator[Reason]:
    if not spool.durable:
        text = "in memory, not durable: what is pending is lost if the process ends"
        yield Reason(component="spool", why=text, degrades=False)


def _next_try(secs: float) -> str:
    """Return when it is tried again, in words that do not change every second."""
    if secs < _MINUTE_SECS:
        return " (tried again within a minute)"
    return f" (tried again in {ceil(secs / _MINUTE_SECS)} min)"


def _parsing(parsing: ParsingReading | None) -> Iterator[Reason]:
    """Yield which uploads were of no use, and what is not known of the others."""
    if parsing is None:
        return
    source = f"data source {parsing.data_source}"
    for failure in parsing.standing:
        file = "an uploaded file" if failure.file is None else f"the file {failure.file}"
        text = f"Cloud Discovery could not use {file}: {failure.text}. Try: {failure.remedy}"
        component = source if failure.feed is None else f"feed {failure.feed}"
        yield Reason(component=component, why=text, since=failure.at)
    if parsing.unreadable is not None:
        text = f"whether Cloud Discovery could use the uploads can't be read: {parsing.unreadable}"
        yield Reason(component=source, why=text, degrades=False)
    if parsing.overdue:
        text = (
            f"{parsing.overdue:,} file{'' if parsing.overdue == 1 else 's'} uploaded more than two "
            "days ago have no result in Cloud Discovery. Try: nss verify-mcas2; is the data source "
            "named so in the portal?"
        )
        yield Reason(component=source, why=text, degrades=False)


def _expiry(expiry: Expiry, now: float) -> Iterator[Reason]:
    """Yield a warning from 30 days before an end; from 7 days on it degrades."""
    days = expiry.warning_days(now)
    if days is not None:
        yield Reason(
            component=expiry.component,
            why=expiry.sentence(now),
            since=expiry.ends_at if expiry.ends_at <= now else None,
            degrades=days <= min(WARN_DAYS),
        )


def _sync(sync: SyncStatus, now: float) -> Iterator[Reason]:
    """Yield why unsanctioned apps may be open, or open again."""
    run = sync.last
    reason = sync.last_error
    if run is not None and run.error is not None:
        reason = run.error if run.tip is None else f"{run.error}. Try: {run.tip}"
    since = sync.last_success_at if sync.last_success_at is not None else sync.failing_since
    is_stale = since is not None and now - since >= sync.patience_secs
    if reason is not None:
        is_empty = run is not None and run.outcome == "empty"
        degrades = not is_empty and (sync.failures >= SYNC_FAILURES or is_stale)
        yield Reason(component="sync", why=reason, since=sync.failing_since, degrades=degrades)
    elif is_stale:
        text = f"unsanctioned apps have not been synced for {(now - (since or now)) / 3600:.0f} h"
        yield Reason(component="sync", why=text, since=since)
    elif run is not None and run.set_aside:
        text = f"{run.set_aside:,} entries are set aside; see nss sync-unsanctioned --dry-run"
        yield Reason(component="sync", why=text, degrades=False)
    if run is not None and run.advice is not None:
        yield Reason(component="sync", why=run.advice, degrades=False)
    blocking = sync.blocking
    if blocking is not None and blocking.blocked is False:
        # Rules are for people to decide, and often for some on purpose; all that NSS does works.
        text = f"unsanctioned apps may open: {blocking.reason}. Try: {blocking.remedy}"
        yield Reason(component="sync", why=text, since=blocking.since, degrades=False)


def _records(number: int) -> str:
    return f"{number:,} record{'' if abs(number) == 1 else 's'}"


def _alive(feeds: Sequence[FeedStatus], spool: SpoolStatus) -> bool:
    """Return whether everything that stands still has an error, or a right to be slow."""
    if spool.last_error is not None:
        return True
    return not any(
        feed.last_error is None
        and not feed.sending
        and feed.still_secs >= STUCK_SECS + feed.patience_secs
        for feed in feeds
    )
