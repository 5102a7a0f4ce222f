"""What happens to the whole service. Most of it is what people do, and reported each time."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import count, event, report_held_back

_SERVICE = "service"


@event(INFO, component=_SERVICE, always=True)
def service_started(sources: int, feeds: int) -> None:
    """The service is running."""


@event(INFO, component=_SERVICE, always=True)
def service_stopping(reason: str) -> None:
    """The service is stopping."""


def service_stopped(pending: int, *, durable: bool) -> None:
    """Report that everything ended; `pending` records were accepted and not delivered."""
    report_held_back()
    if not pending:
        _stopped()
    elif durable:
        _stopped_keeping(pending)
    else:
        _stopped_losing(pending)


@event(INFO, name="service_stopped", component=_SERVICE, always=True)
def _stopped() -> None:
    """The service stopped; everything accepted was delivered."""


@event(WARNING, name="service_stopped", component=_SERVICE, always=True)
def _stopped_keeping(pending: int) -> None:
    """The service stopped before everything was delivered; the spool keeps the rest."""


@event(ERROR, name="service_stopped", component=_SERVICE, always=True)
def _stopped_losing(pending: int) -> None:
    """The service stopped before everything was delivered; pending records are lost."""


@event(ERROR, Counter.PARTS_FAILED, component="part", always=True)
def part_ended(kind: str, part: str, why: str) -> None:
    """The {kind} ended.

    It should not have.
    """


@event(WARNING, component=_SERVICE)
def look_failed(what: str, why: str) -> str:
    """What the service looks at from time to time could not be looked at.

    It is tried again.
    """
    return what


@event(INFO, always=True)
def source_finished(source: str) -> None:
    """The source ended.

    It has handed on everything, at its end or because it was stopped.
    """


def service_forced(pending: int, *, durable: bool) -> None:
    """Report that a second signal ended the process before the stop was done."""
    (_forced_keeping if durable else _forced_losing)(pending)


@event(WARNING, name="service_forced", component=_SERVICE, always=True)
def _forced_keeping(pending: int) -> None:
    """A second signal ended the service at once; the spool keeps the pending records."""


@event(ERROR, name="service_forced", component=_SERVICE, always=True)
def _forced_losing(pending: int) -> None:
    """A second signal ended the service at once; pending records are lost."""


def records_left_behind(feed: str, pending: int, *, durable: bool) -> None:
    """Report that a feed, or a source of it, is gone before everything was delivered."""
    count(Counter.RECORDS_LEFT_BEHIND, feed, pending)
    (_left_for_replay if durable else _left_behind)(feed, pending)


@event(ERROR, name="records_left_behind", always=True)
def _left_for_replay(feed: str, pending: int) -> None:
    """The configuration has no place for records that were accepted; for replay_minutes
    another feed can have them (nss replay).
    """


@event(ERROR, name="records_left_behind", always=True)
def _left_behind(feed: str, pending: int) -> None:
    """The configuration has no place for records that were accepted; they are lost."""


@event(INFO, always=True)
def records_taken_over(feed: str, pending: int, by: list[str]) -> None:
    """The feed is gone; feeds that are new begin with the records that waited for it."""


def configuration_reloaded(path: str, *, ended: list[str], started: list[str]) -> None:
    """Report that the configuration is in force; only reloads that change nothing are held back."""
    (_parts_changed if ended or started else _nothing_changed)(path, ended=ended, started=started)


@event(INFO, name="configuration_reloaded", component=_SERVICE, always=True)
def _parts_changed(path: str, *, ended: list[str], started: list[str]) -> None:
    """The configuration was reloaded."""


@event(INFO, name="configuration_reloaded", component=_SERVICE)
def _nothing_changed(path: str, *, ended: list[str], started: list[str]) -> None:
    """The configuration was reloaded; no part of it needed a restart."""


@event(WARNING, Counter.RELOADS_REFUSED, component=_SERVICE)
def reload_refused(path: str, why: str) -> str:
    """The configuration was not reloaded; the old one stays."""
    return why  # for another reason it is reported at once


@event(WARNING, component="portal", always=True)
def portal_open(listen: str) -> None:
    """The portal can be reached from other machines.

    Restrict access with a firewall.
    """


@event(WARNING, component="portal", always=True)
def portal_without_users() -> None:
    """Nobody can sign in at the portal yet; run: sudo nss portal set-password."""


@event(WARNING, component="portal", always=True)
def portal_users_unusable(why: str) -> None:
    """Nobody can sign in at the portal.

    The file with its users can't be used.
    """
