"""What an operator can ask of the running service, by whatever way: socket, port or portal."""

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


class Operations(Protocol):
    """The running service, as its operator sees it. Names of feeds are checked: `UsageError`."""

    def status(self) -> Status:
        """Return what is known of the service now."""

    async def reload(self) -> Reloaded:
        """Put the configuration file in force. Raises `NssError` if the old one stays.

        Reloads happen one after the other; returns when this one is done.
        """

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have a feed deliver again what was accepted between two times, seconds since the epoch.

        Returns how many records. Raises `SpoolError` when the spool keeps nothing delivered.
        """

    async def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects of one feed or of all, oldest first."""

    async def retry_rejects(self, feed: str | None) -> tuple[int, int]:
        """Have rejected records go through their feeds again. Raises `SpoolError`.

        Returns how many, and how many could not because they had been cut.
        """

    def add_tap(self, tap: Tap) -> None:
        """Show the tap every slice of its feed from now on; of every feed, also of new ones."""

    def remove_tap(self, tap: Tap) -> None:
        """Stop showing it anything."""


def unknown_feed(name: str, known: Collection[str]) -> UsageError:
    """Return the error that a feed does not exist, with the nearest one that does."""
    tip = nearest(name, known) or f"one of {', '.join(sorted(known))}"
    return UsageError(f"feed {name!r} is not known", tip=tip if known else None)
