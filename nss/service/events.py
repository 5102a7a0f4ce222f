"""What the service reports: one function an event, which logs and counts."""

import logging

from nss.telemetry.events import count, report, tell_held_back


def service_started(sources: int, feeds: int) -> None:
    """Everything is built and running."""
    report(
        logging.INFO,
        "service_started",
        "service",
        "The service is running.",
        sources=sources,
        feeds=feeds,
    )


def service_stopping(reason: str) -> None:
    """A stop began: sources stop, feeds drain."""
    report(logging.INFO, "service_stopping", "service", "The service is stopping.", reason=reason)


def service_stopped(pending: int, *, durable: bool) -> None:
    """Everything ended; `pending` records were accepted and not delivered."""
    tell_held_back()
    if pending and durable:
        report(
            logging.WARNING,
            "service_stopped",
            "service",
            "The service stopped before everything was delivered; the spool keeps the rest.",
            pending=pending,
        )
    elif pending:
        report(
            logging.ERROR,
            "service_stopped",
            "service",
            "The service stopped before everything was delivered; pending records are lost.",
            pending=pending,
        )
    else:
        report(
            logging.INFO,
            "service_stopped",
            "service",
            "The service stopped; everything accepted was delivered.",
        )


def part_ended(kind: str, name: str, why: str) -> None:
    """A source or feed ended that should not have."""
    count("parts_failed", name)
    report(logging.ERROR, "part_ended", name, f"The {kind} ended.", why=why)


def source_finished(source: str) -> None:
    """A source has handed on everything, at its end or because it was stopped."""
    report(logging.INFO, "source_finished", source, "The source ended.")


def service_forced(pending: int, *, durable: bool) -> None:
    """A second signal ended the process before the stop was done."""
    fate = "the spool keeps the pending records" if durable else "pending records are lost"
    report(
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
    report(
        logging.ERROR,
        "records_left_behind",
        feed,
        f"The configuration has no place for records that were accepted; {fate}.",
        pending=pending,
    )


def configuration_reloaded(path: str, *, ended: list[str], started: list[str]) -> None:
    """A changed configuration is in force."""
    report(
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
    report(
        logging.WARNING,
        "reload_refused",
        "service",
        "The configuration was not reloaded; the old one stays.",
        path=path,
        why=why,
    )
