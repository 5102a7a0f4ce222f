"""When the service is healthy: rules over its status, without clocks or side effects.

Degraded: a source or a destination reports an error; records wait and none moves; the lag grows;
the spool is in trouble; an account does not add up; Cloud Discovery could not use the last upload;
a secret or certificate ends within 7 days, or has ended; the sync of unsanctioned apps has failed
three times, or has had no success for six hours; a source refuses all that comes, or a feed rejects
all of it. Only mentioned: what ends within 30 days, rejects, senders that are refused while others
are not, records that lack the address, user or URL that a feed prints, a spool that is not durable
or is full for a moment, entries of the list that are set aside, that it can't be read what became
of uploads, that ZIA may let people use unsanctioned apps, a reload that was refused, a clock that
jumped or is wrong. An idle source is fine: nobody browses at night.

`alive` is another matter: whether a restart could help. It never helps against a dead collector or
a full disk, so the watchdog does not restart the service for either.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from nss.expiry import WARN_DAYS, Expiry
from nss.status import remedies, room
from nss.status.readings import GapsReading, ParsingReading
from nss.status.remedies import parted, records
from nss.status.summary import FeedStatus, Health, Reason, SourceStatus, SpoolStatus, SyncStatus

STUCK_SECS = 45.0
"""Records that wait this long while none moves are stuck, so that it shows within a minute."""

LAG_SECS = 60.0
"""A lag below this is fine, however it grows."""

LAG_GROWTH_SECS = 30.0
"""How much a lag grows within a minute when a feed is at most half as fast as it must be."""

SYNC_FAILURES = 3
"""So many runs of the sync may fail one after the other before the service is degraded."""

REFUSED_LATELY_SECS = 3600.0
"""For this long a sender that is refused is mentioned: so long Cloud NSS repeats what it pushes."""

REFUSED_SECS = 60.0
REFUSALS = 3
"""So many refusals for one cause, over so many seconds in which no record was accepted, degrade."""

_BY_ANYBODY = {"certificate", "client_certificate", "framing"}
"""Whoever finds the port is refused so. Only of a peer that sent records before it is a fault."""

ALL_REJECTED = 100
"""So many records within a minute degrade when each of them was rejected."""

_DRY_RUN = "see what the next run would change: nss sync-unsanctioned --dry-run"


def judge(
    sources: Sequence[SourceStatus],
    feeds: Sequence[FeedStatus],
    spool: SpoolStatus,
    now: float,
    parsing: ParsingReading | None = None,
    expiries: Sequence[Expiry] = (),
    sync: SyncStatus | None = None,
    notices: Iterable[Reason] = (),
) -> Health:
    """Return the health of a service whose parts were so at `now` (seconds since the epoch).

    `notices` are what else is mentioned.
    """
    # What came before this process started is known to a spool on disk alone.
    is_new = spool.durable and not any(feed.accepted for feed in feeds)
    reasons = (
        *(reason for source in sources for reason in _source(source, now)),
        *(reason for source in sources for reason in _refused(source, now, is_new=is_new)),
        *(reason for feed in feeds for reason in _feed(feed, spool, now)),
        *(r for feed in feeds for r in room.limit_reasons(feed, spool, now, STUCK_SECS)),
        *room.spool_reasons(spool, feeds, now, STUCK_SECS),
        *_spool(spool),
        *_parsing(parsing),
        *(reason for expiry in expiries for reason in _expiry(expiry, now)),
        *(() if sync is None or not sync.ready else _sync(sync, now)),
        *notices,
    )
    return Health(
        ok=not any(reason.degrades for reason in reasons),
        alive=_alive(feeds, spool),
        reasons=tuple(sorted(reasons, key=lambda reason: not reason.degrades)),
    )


def _source(source: SourceStatus, now: float) -> Iterator[Reason]:
    component = f"source {source.name}"
    if source.last_error is not None:
        why, remedy = parted(source.last_error.removeprefix(f"{source.kind} source: "))
        yield Reason(
            component=component,
            why=why,
            since=now - source.failing_secs,
            meaning=remedies.refused_to(source),
            remedy=remedy or remedies.of_source(source),
        )
    if source.advice is not None:
        why, remedy = parted(source.advice)
        yield Reason(
            component=component,
            why=why,
            degrades=False,
            meaning="records of all others are accepted",
            remedy=remedy or remedies.of_source(source),
        )


def _refused(source: SourceStatus, now: float, *, is_new: bool) -> Iterator[Reason]:
    """Yield which senders are refused that were probably meant to send.

    It degrades when nothing else comes: at once if no record ever came (`is_new`), as then it is
    being set up. A stranger who tries a door, now and then or all night, calls nobody.
    """
    for refusal in source.refusals:
        about = remedies.REFUSED.get(refusal.cause)
        if about is None or now - refusal.last_at >= REFUSED_LATELY_SECS:
            continue
        since = refusal.unbroken_since
        meant = refusal.unbroken_known if refusal.cause in _BY_ANYBODY else refusal.unbroken
        lasts = meant >= REFUSALS and now - (since or now) >= REFUSED_SECS
        times = "once" if refusal.count == 1 else f"{refusal.count:,} times"
        yield Reason(
            component=f"source {source.name}",
            why=f"{about.why}: {times} since the start, the last from {refusal.last_peer}",
            since=refusal.first_at if since is None else since,
            degrades=since is not None and (lasts or (is_new and source.last_at is None)),
            meaning=about.meaning,
            remedy=about.remedy.format(name=source.name),
        )


def _falls_behind(feed: FeedStatus) -> bool:
    """Return whether a feed is slower than what comes.

    Of one that collects nothing is known before its first delivery since the start: what waited
    then is collected anew, and its lag grows with the clock. If it never comes, the feed is stuck.
    """
    if feed.upload is not None and feed.last_delivered_at is None:
        return False
    is_late = feed.lag_secs >= LAG_SECS + feed.patience_secs
    return is_late and feed.lag_growth_secs >= LAG_GROWTH_SECS


def _feed(feed: FeedStatus, spool: SpoolStatus, now: float) -> Iterator[Reason]:
    """Yield why records don't get through, as near to the cause as is known; then what else is."""
    component, meaning = f"feed {feed.name}", remedies.waiting(feed, spool)
    if feed.last_error is not None:
        why, remedy = parted(feed.last_error)
        yield Reason(
            component=component,
            why=why,
            since=now - feed.failing_secs,
            next_try_at=feed.next_try_at,
            meaning=meaning,
            remedy=feed.remedy or remedy or remedies.of_sink(feed),
        )
    elif feed.still_secs >= STUCK_SECS + feed.patience_secs:
        yield Reason(
            component=component,
            why="records wait and none has moved",
            since=now - feed.still_secs,
            meaning=meaning,
            remedy="see what holds it up: sudo nss troubleshoot feeds",
        )
    elif _falls_behind(feed):
        yield Reason(
            component=component,
            why=f"falls behind: the oldest record waits for {feed.lag_secs:.0f} s, "
            f"{feed.lag_growth_secs:.0f} s longer than a minute ago",
            since=now - feed.lag_secs,
            meaning=meaning,
            remedy="a faster destination, or a filter; see what is slow: sudo nss troubleshoot "
            "feeds",
        )
    yield from _mentioned(feed, component, now)


def _mentioned(feed: FeedStatus, component: str, now: float) -> Iterator[Reason]:
    """Yield what there is to know of a feed whether or not its records get through."""
    if feed.unaccounted:
        yield Reason(
            component=component,
            why="the account does not add up",
            meaning=f"it is not known what became of {records(feed.unaccounted)}",
            remedy="this is a fault of NSS; collect what helps to find it: sudo nss "
            "collect-diagnostics",
        )
    if feed.advice is not None:
        why, remedy = parted(feed.advice)
        yield Reason(
            component=component,
            why=why,
            degrades=False,
            meaning="records are delivered",
            remedy=remedy or remedies.of_sink(feed),
        )
    for gap in feed.gaps:
        if gap.missing:
            yield _missing(feed.name, gap)
    if feed.rejected_lately:
        yield _rejects(feed, now)


def _rejects(feed: FeedStatus, now: float) -> Reason:
    """Return why records are rejected; it degrades when nothing else becomes of many."""
    why = f"{records(feed.rejected_lately)} rejected within a minute"
    if feed.common_reject is not None:
        common = feed.common_reject
        why += f"; the commonest reason, of {common.records:,} since the start: {common.reason}"
    is_all = feed.rejected_lately == feed.processed_lately
    return Reason(
        component=f"feed {feed.name}",
        why=why,
        since=now - feed.rejecting_secs,
        degrades=is_all and feed.rejected_lately >= ALL_REJECTED,
        meaning="they are not delivered; the newest are kept, and can be retried",
        remedy=f"see the records and reasons: nss rejects --feed {feed.name}",
    )


def _missing(feed: str, gap: GapsReading) -> Reason:
    *others, last = gap.missing
    parts = f"{', '.join(others)} and {last}" if others else last
    return Reason(
        component=f"feed {feed}",
        why=f"records of source {gap.source}, read as {gap.form}, lack {parts}",
        degrades=False,
        meaning="placeholders are printed instead",
        remedy=f"nss tap --feed {feed} --records --limit 100 > sample, then nss explain sample "
        f"--feed {feed}",
    )


def _spool(spool: SpoolStatus) -> Iterator[Reason]:
    if not spool.durable:
        yield Reason(
            component="spool",
            why="in memory, not durable",
            degrades=False,
            meaning="what is pending is lost if the process ends",
            remedy='set kind = "durable" in [spool], unless losing what waits is fine',
        )


def _parsing(parsing: ParsingReading | None) -> Iterator[Reason]:
    """Yield which uploads were of no use, and what is not known of the others."""
    if parsing is None:
        return
    source = f"data source {parsing.data_source}"
    for failure in parsing.standing:
        file = "an uploaded file" if failure.file is None else f"the file {failure.file}"
        yield Reason(
            component=source if failure.feed is None else f"feed {failure.feed}",
            why=f"Cloud Discovery could not use {file}: {failure.text}",
            since=failure.at,
            meaning="its records count as delivered, and show nowhere in MCAS",
            remedy=failure.remedy,
        )
    if parsing.unreadable is not None:
        why, remedy = parted(parsing.unreadable)
        yield Reason(
            component=source,
            why=f"whether Cloud Discovery could use the uploads can't be read: {why}",
            degrades=False,
            meaning="uploads continue",
            remedy=remedy or "sudo nss verify-mcas2",
        )
    if parsing.overdue:
        files = f"{parsing.overdue:,} file{'' if parsing.overdue == 1 else 's'}"
        yield Reason(
            component=source,
            why=f"{files} uploaded more than two days ago have no result in Cloud Discovery",
            degrades=False,
            meaning="it is not known whether their records show in MCAS",
            remedy="nss verify-mcas2; is the data source named so in the portal?",
        )


def _expiry(expiry: Expiry, now: float) -> Iterator[Reason]:
    """Yield a warning from 30 days before an end; from 7 days on it degrades."""
    days = expiry.warning_days(now)
    if days is not None:
        yield Reason(
            component=expiry.component,
            why=expiry.finding(now),
            since=expiry.ends_at if expiry.ends_at <= now else None,
            degrades=days <= min(WARN_DAYS),
            meaning=expiry.meaning(now),
            remedy=expiry.remedy,
        )


def _sync(sync: SyncStatus, now: float) -> Iterator[Reason]:
    """Yield why unsanctioned apps may be open, or open again."""
    run = sync.last
    reason, remedy = parted(sync.last_error or "")
    remedy = sync.remedy or remedy
    if run is not None and run.error is not None:
        reason, remedy = parted(run.error)
        remedy = run.tip or remedy
    since = sync.last_success_at if sync.last_success_at is not None else sync.failing_since
    is_stale = since is not None and now - since >= sync.patience_secs
    found = partial(
        Reason, component="sync", next_try_at=sync.next_at, meaning=_meaning(sync), remedy=_DRY_RUN
    )
    if reason:
        is_empty = run is not None and run.outcome == "empty"
        degrades = not is_empty and (sync.failures >= SYNC_FAILURES or is_stale)
        remedy = remedy or _DRY_RUN
        yield found(why=reason, since=sync.failing_since, degrades=degrades, remedy=remedy)
    elif is_stale:
        hours = (now - (since or now)) / 3600
        yield found(why=f"unsanctioned apps have not been synced for {hours:.0f} h", since=since)
    elif run is not None and run.set_aside:
        yield found(
            why=f"{run.set_aside:,} entries are set aside",
            degrades=False,
            meaning="these are not blocked; records are not concerned",
        )
    if run is not None and run.advice is not None:
        why, remedy = parted(run.advice)
        yield found(why=why, degrades=False, remedy=remedy or _DRY_RUN)
    blocking = sync.blocking
    if blocking is not None and blocking.blocked is False:
        # Rules are for people to decide, and often for some on purpose; all that NSS does works.
        yield found(
            why=f"unsanctioned apps may open: {blocking.reason}",
            since=blocking.since,
            degrades=False,
            next_try_at=None,
            remedy=blocking.remedy or "nss verify-blocking",
        )


def _meaning(sync: SyncStatus) -> str:
    if sync.last_success_at is None:
        return "nothing has been synced; records are not concerned"
    return "what was synced stays as it is; records are not concerned"


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
