"""What happens in every kind of spool."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import count, event


@event(WARNING, always=True)
def feed_sources_wait(feed: str, pending_bytes: int, max_pending_bytes: int) -> None:
    """As much is pending for the feed as it may have: its sources wait until it has delivered."""


@event(ERROR, always=True)
def feed_drops_oldest(feed: str, pending_bytes: int, max_pending_bytes: int) -> None:
    """As much is pending for the feed as it may have: from now on its oldest records are dropped.

    `feed_has_room` says how many.
    """


@event(INFO, always=True)
def feed_has_room(feed: str, secs: float, dropped: int) -> None:
    """Less is pending for the feed again than it may have, or its limit is another.

    `dropped` is how many of its records were dropped meanwhile.
    """


def count_dropped(feed: str, records: int) -> None:
    """Count records dropped because of a feed's limit; only the first of many is reported."""
    count(Counter.RECORDS_DROPPED, feed, records)
