"""What feeds report: one function an event, which logs and counts."""

import logging
import re

from nss.batch import Account
from nss.telemetry.events import count, emit, report

_QUOTED = re.compile(r"'.*'|\".*\"")


_NUMBER = re.compile(r"\d+")


def feed_totals(feed: str, accepted: int, account: Account, pending: int) -> None:
    """A feed ended: its account, whose numbers add up as `nss.account` says."""
    report(
        logging.INFO,
        "feed_totals",
        feed,
        "The feed ended.",
        accepted=accepted,
        delivered=account.delivered,
        filtered=account.filtered,
        rejected=account.rejected,
        dropped=account.dropped,
        pending=pending,
        shortened=account.shortened,
    )


def format_recognised(feed: str, source: str, name: str) -> None:
    """The form of a source's records was recognised from a sample."""
    emit(
        logging.INFO,
        "format_recognised",
        feed,
        "The form of the records was recognised.",
        source=source,
        format=name,
    )


def record_rejected(feed: str, source: str, reason: str, offset: int, record_bytes: int) -> None:
    """A record can't be delivered for good. Its content, which reasons quote, is not logged."""
    count("records_rejected", feed)
    masked = _QUOTED.sub("'...'", reason)
    emit(
        logging.ERROR,
        "record_rejected",
        feed,
        "A record was rejected.",
        sort=_NUMBER.sub("N", masked),
        source=source,
        reason=masked,
        offset=offset,
        bytes=record_bytes,
    )


def line_shortened(feed: str, before_bytes: int, after_bytes: int) -> None:
    """A line was too long for its way, and URL, referrer or user agent were cut."""
    count("lines_shortened", feed)
    count("bytes_cut", feed, before_bytes - after_bytes)
    emit(
        logging.WARNING,
        "line_shortened",
        feed,
        "A line was shortened to fit.",
        before_bytes=before_bytes,
        after_bytes=after_bytes,
    )
