"""What feeds and the service report: one function an event, which logs and counts."""

import logging
import re

from nss.account import Account
from nss.telemetry.events import count, emit, log, tell_held_back

_QUOTED = re.compile(r"'.*'|\".*\"")
_NUMBER = re.compile(r"\d+")


def _tell(level: int, event: str, component: str, message: str, **facts: object) -> None:
    """Write one log line, always: what a person did is never held back as a repetition."""
    log.log(level, message, extra={"event": event, "component": component, "facts": facts})


def service_started(sources: int, feeds: int) -> None:
    """Everything is built and running."""
    _tell(
        logging.INFO,
        "service_started",
        "service",
        "The service is running.",
        sources=sources,
        feeds=feeds,
    )


def service_stopping(reason: str) -> None:
    """A stop began: sources stop, feeds drain."""
    _tell(logging.INFO, "service_stopping", "service", "The service is stopping.", reason=reason)


def service_stopped(pending: int, *, durable: bool) -> None:
    """Everything ended; `pending` records were accepted and not delivered."""
    tell_held_back()
    if pending and durable:
        _tell(
            logging.WARNING,
            "service_stopped",
            "service",
            "The service stopped before everything was delivered; the spool keeps the rest.",
            pending=pending,
        )
    elif pending:
        _tell(
            logging.ERROR,
            "service_stopped",
            "service",
            "The service stopped before everything was delivered; pending records are lost.",
            pending=pending,
        )
    else:
        _tell(
            logging.INFO,
            "service_stopped",
            "service",
            "The service stopped; everything accepted was delivered.",
        )


def part_ended(kind: str, name: str, why: str) -> None:
    """A source or feed ended that should not have."""
    count("parts_failed", name)
    _tell(logging.ERROR, "part_ended", name, f"The {kind} ended.", why=why)


def source_finished(source: str) -> None:
    """A source has handed on everything, at its end or because it was stopped."""
    _tell(logging.INFO, "source_finished", source, "The source ended.")


def feed_totals(feed: str, accepted: int, account: Account, pending: int) -> None:
    """A feed ended: its account, whose numbers add up as `nss.account` says."""
    _tell(
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


def service_forced(pending: int, *, durable: bool) -> None:
    """A second signal ended the process before the stop was done."""
    fate = "the spool keeps the pending records" if durable else "pending records are lost"
    _tell(
        logging.WARNING if durable else logging.ERROR,
        "service_forced",
        "service",
        f"A second signal ended the service at once; {fate}.",
        pending=pending,
    )


def records_left_behind(feed: str, pending: int, *, durable: bool) -> None:
    """A feed, or a source of it, is gone before everything was delivered."""
    fate = "they are lost"
    if durable:
        fate = "for replay_minutes another feed can have them (nss replay)"
    count("records_left_behind", feed, pending)
    _tell(
        logging.ERROR,
        "records_left_behind",
        feed,
        f"The configuration has no place for records that were accepted; {fate}.",
        pending=pending,
    )


def configuration_reloaded(path: str, *, ended: list[str], started: list[str]) -> None:
    """A changed configuration is in force."""
    _tell(
        logging.INFO,
        "configuration_reloaded",
        "service",
        "The configuration was reloaded.",
        path=path,
        ended=ended,
        started=started,
    )


def reload_refused(path: str, why: str) -> None:
    """A changed configuration is wrong; the old one stays in force."""
    count("reloads_refused", "service")
    _tell(
        logging.WARNING,
        "reload_refused",
        "service",
        "The configuration was not reloaded; the old one stays.",
        path=path,
        why=why,
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
