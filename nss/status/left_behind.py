"""What people are told of records that were pending for a feed when the configuration lost it."""

from datetime import datetime
from math import floor

from nss.status.readings import LeftBehindReading
from nss.status.remedies import records
from nss.status.summary import Reason


def headline(left: LeftBehindReading) -> str:
    """Return what happened."""
    if left.replayable:
        return f"configured again; {records(left.replayable)} wait for a replay"
    if left.replayable is not None:
        return f"configured again; {records(left.records)} waited for it before"
    if left.is_gone:
        return f"no longer configured; {records(left.records)} waited for it"
    return f"no longer takes a source; {records(left.records)} of it waited"


def meaning(left: LeftBehindReading) -> str:
    """Return what it means for the records."""
    if left.heirs:
        feeds = "the new feed" if len(left.heirs) == 1 else "the new feeds"
        begin = "begins" if len(left.heirs) == 1 else "begin"
        return f"{feeds} {' and '.join(left.heirs)} {begin} with what waited"
    if left.replayable is not None and not left.replayable and left.until is not None:
        return "a replay finds none: they are pending again, or no longer kept"
    if left.until is None:
        return "lost, as this spool keeps nothing for a replay"
    until = _time(left.until)
    return f"kept in the spool until {until}, if there is room, and delivered by no feed"


def remedy(left: LeftBehindReading) -> str:
    """Return what brings them, as half a sentence; empty if nothing does or is needed."""
    if left.heirs or left.until is None or left.replayable == 0:
        return ""
    if left.replayable:
        return f"send them, those delivered before come twice: {command(left)}"
    what = "the feed" if left.is_gone else "the source"
    return f"put {what} back, sudo nss reload, then: {command(left)}"


def command(left: LeftBehindReading) -> str:
    """Return the command that replays them, once the feed takes them again."""
    since = floor(left.at)
    return f"sudo nss replay --feed {left.feed} --since {_time(since)} --until {_time(since + 1)}"


def sentences(left: LeftBehindReading) -> list[str]:
    """Return all of it for the answer to a reload."""
    found = [f"feed {left.feed} is {headline(left)}: {meaning(left)}"]
    if not left.is_gone:
        found = [f"feed {left.feed} {headline(left)}: {meaning(left)}"]
    return found + [f"Try: {text}" for text in (remedy(left),) if text]


def reason(left: LeftBehindReading) -> Reason:
    """Return it as a reason of the health."""
    return Reason(
        component=f"feed {left.feed}",
        why=headline(left),
        since=left.at,
        degrades=False,
        meaning=meaning(left),
        remedy=remedy(left) or _without(left),
    )


def _without(left: LeftBehindReading) -> str:
    """Return what to do where nothing is known that brings them."""
    if left.replayable is not None and left.until is not None:
        return "see what is pending and delivered: nss status"
    return "nothing brings them back; next time let the feed deliver first"


def _time(at: float) -> str:
    """Return a time with its zone, as `nss replay` takes it."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
