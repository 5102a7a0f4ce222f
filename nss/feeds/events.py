"""What happens in feeds."""

from logging import ERROR, INFO, WARNING

from nss.feeds.reject_tally import sort_of, unquoted
from nss.telemetry.counters import Counter
from nss.telemetry.events import count, event


@event(INFO, always=True)
def feed_totals(
    feed: str,
    *,
    accepted: int,
    delivered: int,
    filtered: int,
    rejected: int,
    dropped: int,
    pending: int,
    shortened: int,
) -> None:
    """The feed ended.

    All but `shortened` add up to `accepted`.
    """


@event(WARNING, component="service", always=True)
def threads_refused(wanted: int, started: int) -> None:
    """The system did not start all threads that were to render records: fewer render, or none.

    Without any the rest of the service does it by the way. See TasksMax of the unit, and memory.
    """


@event(INFO)
def format_recognised(feed: str, source: str, format_: str) -> None:
    """The form of the records was recognised."""


@event(INFO, Counter.KEYS_UNMAPPED, amount="keys_", always=True)
def keys_unmapped(feed: str, source: str, names: str, keys_: int) -> None:
    """Records have keys that no field is known for; they are not used.

    Each name is reported once, and 64 of a source at most.
    """


@event(WARNING, Counter.FIELDS_MISSING)
def fields_missing(feed: str, source: str, format_: str, missing: str) -> str:
    """No record states a part of who went where, so that placeholders are printed of it.

    See what became of each key with `nss explain`.
    """
    return source


@event(INFO)
def fields_stated(feed: str, source: str, format_: str) -> str:
    """Records state address, user and URL again, as far as the feed prints them."""
    return source


def record_rejected(feed: str, source: str, reason: str, offset: int, record_bytes: int) -> None:
    """Report a record that can't be delivered for good. Its content, which reasons quote, is not
    logged.
    """
    _record_rejected(feed, source, unquoted(reason), offset, record_bytes)


@event(ERROR, Counter.RECORDS_REJECTED, name="record_rejected")
def _record_rejected(feed: str, source: str, reason: str, offset: int, bytes_: int) -> str:
    """A record was rejected."""
    return sort_of(reason)


@event(WARNING, Counter.LINES_SHORTENED)
def line_shortened(feed: str, before_bytes: int, after_bytes: int) -> None:
    """A line was shortened to fit.

    URL, referrer or user agent were cut.
    """
    count(Counter.BYTES_CUT, feed, before_bytes - after_bytes)
