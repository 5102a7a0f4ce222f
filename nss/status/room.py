"""What the health says where there is no room: of the spool, its disk, and the limits of feeds."""

import shlex
from collections.abc import Iterator, Sequence

from nss.status.remedies import records
from nss.status.summary import FeedStatus, Reason, SpoolStatus
from nss.wording import duration_text, size_text

SHARE = 0.5
"""A feed that has at least this share of a full spool pending is one that holds it up."""

_WAIT = "files are left where they are, TCP senders wait, and HTTP pushes get 503"
_SAFE = "what was accepted is safe and still delivered"

_REMEDIES = {
    "disk_full": "free space there, and it continues by itself: df -h {folder}",
    "disk_fails": "see what the kernel says of the disk: journalctl -k -p err",
    "folder_gone": "make the folder again, and it continues by itself: sudo install -d -o nss -g "
    "nss -m 0700 {folder}",
    "files_lost": "move away what took their place, and it continues by itself: ls -la {folder}",
    "damaged": "start NSS again, it saves what is readable: sudo nss restart",
    "gave_up": "start NSS again, and report this as a bug: sudo nss restart",
}


def spool_reasons(
    spool: SpoolStatus, feeds: Sequence[FeedStatus], now: float, stuck_secs: float
) -> Iterator[Reason]:
    """Yield why the spool accepts nothing.

    A spool in memory that is full is how a quick source is held to a feed's pace, and no trouble
    for `stuck_secs`.
    """
    if spool.last_error is not None:
        remedy = _REMEDIES.get(
            spool.trouble or "", "see free space and rights: df, ls -l; nss check"
        )
        yield Reason(
            component="spool",
            why=spool.last_error,
            since=now - spool.failing_secs,
            meaning=_meaning(spool),
            remedy=remedy.format(folder=shlex.quote(spool.folder)),
        )
    elif spool.full:
        why, remedy = _holding(spool, feeds)
        yield Reason(
            component="spool",
            why=why,
            since=now - spool.full_secs,
            degrades=spool.durable or spool.full_secs >= stuck_secs,
            meaning=f"nothing accepted is lost; {_WAIT}",
            remedy=remedy,
        )


def _meaning(spool: SpoolStatus) -> str:
    match spool.trouble:
        case "files_lost" | "folder_gone":
            risk = "what waits would be lost if the service ended now"
            return f"nothing new is accepted: {_WAIT}; {risk}"
        case "disk_fails":
            return f"nothing new is accepted: {_WAIT}; feeds deliver what the disk gives back"
        case "damaged" | "gave_up":
            return f"nothing new is accepted: {_WAIT}; what is readable stays"
        case _:
            return f"nothing new is accepted: {_WAIT}; {_SAFE}"


def _holding(spool: SpoolStatus, feeds: Sequence[FeedStatus]) -> tuple[str, str]:
    """Return why a full spool is full, with the feeds that hold it up, and the remedy."""
    full = f"full, {size_text(spool.max_bytes)}"
    pending = sorted(
        (feed for feed in feeds if feed.pending), key=lambda feed: feed.pending_bytes, reverse=True
    )
    holding = [feed for feed in pending if feed.pending_bytes >= SHARE * spool.used_bytes]
    holding = holding or pending[:1]
    if not holding:
        return full, "set a larger max_bytes in [spool], and restart: sudo nss restart"
    names = " and ".join(feed.name for feed in holding)
    who = f"feed{'' if len(holding) == 1 else 's'} {names}"
    each = "; ".join(_holder(feed) for feed in holding)
    sections = " and ".join(f"[feeds.{feed.name}]" for feed in holding)
    remedy = (
        f"see to {who}, or set max_pending_bytes and when_pending_full in {sections}, "
        "then: sudo nss reload"
    )
    return f"{full}, held up by {who}: {each}", remedy


def _holder(feed: FeedStatus) -> str:
    cause = feed.last_error or "its destination takes records more slowly than they come"
    return (
        f"{size_text(feed.pending_bytes)}, {records(feed.pending)}, the oldest for "
        f"{duration_text(feed.lag_secs)} ({cause})"
    )


def limit_reasons(
    feed: FeedStatus, spool: SpoolStatus, now: float, stuck_secs: float
) -> Iterator[Reason]:
    """Yield that a feed is at its limit of pending bytes."""
    if feed.limited_since is None or feed.max_pending_bytes is None:
        return
    limit = f"{size_text(feed.max_pending_bytes)} (max_pending_bytes)"
    section = f"[feeds.{feed.name}]"
    if feed.drops_oldest:
        again = "they are lost"
        if spool.replay_secs:
            again = (
                f"what came in the last {duration_text(spool.replay_secs)} can be sent again, once "
                f"it delivers: sudo nss replay --feed {feed.name} --since "
                f"{spool.replay_secs / 60:.0f}m"
            )
        yield Reason(
            component=f"feed {feed.name}",
            why=f"drops its oldest records: as much is pending as it may have, {limit}",
            since=feed.limited_since,
            meaning=f"{records(feed.limited_dropped)} dropped, of this feed alone; {again}",
            remedy=f"see why it does not deliver, or raise max_pending_bytes in {section}",
        )
    else:
        yield Reason(
            component=f"feed {feed.name}",
            why=f"its sources wait: as much is pending as it may have, {limit}",
            since=feed.limited_since,
            degrades=spool.durable or now - feed.limited_since >= stuck_secs,
            meaning=f"nothing accepted is lost; of its sources, {_WAIT}",
            remedy=(
                "see why it does not deliver, or have it drop its oldest records: "
                f'when_pending_full = "drop_oldest" in {section}'
            ),
        )
