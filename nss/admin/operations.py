"""What the control socket and the metrics port ask the service for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from nss.errors import UsageError
from nss.feeds.tap import Tap
from nss.spool import KeptReject
from nss.status.summary import Status
from nss.wording import nearest


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: the parts that ended and those that started, as `feed mcas`."""

    ended: list[str]
    started: list[str]


class Operation(Protocol):
    """The service at work, as its operator sees it."""

    def status(self) -> Status:
        """Return what is known of it now."""

    async def reload(self) -> Reloaded:
        """Put the configuration file in force. Raises `NssError` with why it keeps the old one.

        One reload follows the other; returns when this one is done.
        """

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have a feed deliver again what was accepted between two times, seconds since the epoch.

        Returns how many records. Raises `UsageError` for a feed that is not there, and
        `SpoolError` when the spool keeps nothing that was delivered.
        """

    async def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects of one feed or of all, oldest first. Raises `UsageError`."""

    async def retry_rejects(self, feed: str | None) -> tuple[int, int]:
        """Have rejected records go through their feeds again. Raises `UsageError`, `SpoolError`.

        Returns how many, and how many could not since they were cut.
        """

    def add_tap(self, tap: Tap) -> None:
        """Show the tap every slice of every feed from now on, also of feeds yet to come."""

    def remove_tap(self, tap: Tap) -> None:
        """Stop showing it anything."""


def unknown_feed(name: str, known: Collection[str]) -> UsageError:
    """Return the error that a feed is not there, with the nearest one that is."""
    tip = nearest(name, known) or f"one of {', '.join(sorted(known))}"
    return UsageError(f"feed {name!r} is not known", tip=tip if known else None)
