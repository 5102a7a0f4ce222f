"""What happens to the sync of unsanctioned apps."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import count, event

_SYNC = "sync"


def synced(
    destination: str, urls: int, *, added: int, removed: int, set_aside: int, secs: float
) -> None:
    """Report that the target is what the list says, and was put right if need be."""
    count(Counter.SYNC_URLS_ADDED, _SYNC, added)
    count(Counter.SYNC_URLS_REMOVED, _SYNC, removed)
    if added or removed:
        _changed(destination, urls, added=added, removed=removed, set_aside=set_aside, secs=secs)
    else:
        _unchanged(destination, urls, set_aside=set_aside, secs=secs)


@event(INFO, Counter.SYNCS, name="sync_done", component=_SYNC, always=True)
def _changed(
    destination: str, urls: int, *, added: int, removed: int, set_aside: int, secs: float
) -> None:
    """Unsanctioned apps were synced."""


@event(INFO, Counter.SYNCS, name="sync_done", component=_SYNC)
def _unchanged(destination: str, urls: int, *, set_aside: int, secs: float) -> None:
    """Unsanctioned apps were synced; nothing had to be changed."""


@event(WARNING, component=_SYNC, name="sync_list_awaited")
def list_awaited(secs: float, why: str) -> None:
    """MCAS gave no list; it is asked again in {secs} s."""


@event(WARNING, Counter.SYNC_FAILURES, component=_SYNC, always=True)
def sync_failed(destination: str, why: str) -> None:
    """A sync of unsanctioned apps failed; it runs again when it is due."""


@event(WARNING, Counter.SYNCS_REFUSED, component=_SYNC, always=True)
def sync_refused(destination: str, why: str) -> None:
    """The list of unsanctioned apps is empty or much shorter; nothing was changed."""


@event(INFO, component=_SYNC, name="sync_blocked", always=True)
def blocked(destination: str) -> None:
    """ZIA blocks the unsanctioned apps that were synced."""


@event(WARNING, component=_SYNC, name="sync_may_open", always=True)
def may_open(destination: str, why: str) -> None:
    """Unsanctioned apps were synced, and ZIA may let people use them."""


@event(INFO, component=_SYNC, name="sync_blocking_unknown", always=True)
def blocking_unknown(destination: str, why: str) -> None:
    """Whether ZIA blocks the unsanctioned apps that were synced can't be said."""


@event(INFO, component=_SYNC)
def sync_stopped(destination: str) -> None:
    """A sync was cut off by a stop of the service; the next run completes it."""


@event(INFO, component=_SYNC)
def sync_elsewhere(why: str) -> None:
    """A sync is due while another process is at it; it runs when that has ended."""


@event(WARNING, Counter.SYNC_URLS_VANISHED, component=_SYNC, amount="urls", always=True)
def urls_vanished(destination: str, urls: int) -> None:
    """Somebody had removed URLs from the category that are unsanctioned; they are added again."""


@event(ERROR, component=_SYNC, name="sync_state_damaged")
def state_damaged(path: str, why: str) -> None:
    """What the sync remembered is damaged and was set aside; URLs that it added so far stay."""


@event(WARNING, component=_SYNC, name="sync_ownership_dropped")
def ownership_dropped(destination: str, urls: int) -> None:
    """URLs were added to another category, or with other credentials: they are not removed here."""
