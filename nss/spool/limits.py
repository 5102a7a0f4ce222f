"""When a feed's limit of pending bytes holds: from when it is reached until there is room again."""

from collections.abc import Callable, Iterable

from nss.spool import PendingLimit, events

_ROOM = 0.75
"""Up to this share of the limit a feed has room again: not after each batch that it delivers."""


def why_waits(*, full: bool, limited: Iterable[str]) -> str | None:
    """Return why a batch would wait, as half a sentence; `None`: it would not.

    `full` is whether the spool has no room, `limited` the feeds whose limits hold it up.
    """
    if full:
        return "the spool is full"
    match sorted(set(limited)):
        case []:
            return None
        case [feed]:
            return f"feed {feed} has as much pending as it may have (max_pending_bytes)"
        case feeds:
            names = " and ".join(feeds)
            return f"feeds {names} have as much pending as they may have (max_pending_bytes)"


class LimitWatch:
    """Notes when a limit begins to hold and when it ends, and reports both.

    `now` returns seconds since the epoch.
    """

    def __init__(self, feed: str, limit: PendingLimit | None, now: Callable[[], float]) -> None:
        self.since: float | None = None
        """When it was reached, seconds since the epoch; `None`: there is room."""
        self.dropped = 0
        """Records dropped since then."""
        self._feed = feed
        self._limit = limit
        self._now = now

    def take_over(self, before: "LimitWatch") -> None:
        """Go on where that of an earlier cursor was; one for another limit, or none, ends."""
        kinds = [limit and limit.drops_oldest for limit in (self._limit, before._limit)]  # noqa: SLF001
        if before.since is None or self._limit is None or kinds[0] != kinds[1]:
            before._end()  # noqa: SLF001
        else:
            self.since, self.dropped = before.since, before.dropped
            before.since, before.dropped = None, 0

    def _end(self) -> None:
        if self.since is not None:
            secs = max(0.0, self._now() - self.since)
            events.feed_has_room(self._feed, round(secs, 1), self.dropped)
            self.since, self.dropped = None, 0

    def note(self, pending_bytes: int, *, waits: bool = False, dropped: int = 0) -> None:
        """Note what is pending, whether a batch waits for it, and how many records it cost.

        At the limit the next batch would wait, and whoever can ask for that sends none.
        """
        limit = self._limit
        if limit is None:
            return
        waits = waits or (not limit.drops_oldest and pending_bytes >= limit.max_bytes)
        if dropped:
            events.count_dropped(self._feed, dropped)
        if self.since is None and (waits or dropped):
            self.since, self.dropped = self._now(), 0
            begins = events.feed_drops_oldest if limit.drops_oldest else events.feed_sources_wait
            begins(self._feed, pending_bytes, limit.max_bytes)
        self.dropped += dropped
        has_room = not (waits or dropped) and pending_bytes <= limit.max_bytes * _ROOM
        if has_room:
            self._end()
