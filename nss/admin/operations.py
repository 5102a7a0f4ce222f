"""What an operator can ask of the running service, by whatever way: socket, port or portal."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nss.config.model import Config
from nss.errors import UsageError
from nss.feeds.tap import Tap
from nss.setup.portal_users import Role
from nss.sources.watching import MessageTap
from nss.spool import KeptReject, ReasonCount
from nss.status.history import Series, Span
from nss.status.readings import LeftBehindReading
from nss.status.summary import Status
from nss.wording import nearest


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: the parts that ended and those that started, as `feed mcas`."""

    ended: list[str]
    started: list[str]
    left_behind: list[LeftBehindReading] = field(default_factory=list)
    """What was pending for feeds that are gone, or for sources that they no longer take."""


@dataclass(frozen=True, slots=True)
class UploadedNow:
    """What came of `upload_now` for a feed."""

    feed: str
    records: int
    """How many were uploaded, and count as delivered now."""
    pending: int
    """How many wait, those accepted meanwhile included."""
    reason: str | None
    """Why what was collected is not uploaded, as a sentence; `None`: it is."""


@dataclass(frozen=True, slots=True)
class RetriedRejects:
    """What came of a retry of rejects, as far as it was waited for; numbers are of records."""

    records: int
    """How many go through their feeds again."""
    stay: int
    """How many could not, and stay rejected: they were cut, or still can't be read."""
    delivered: int
    filtered: int
    rejected: dict[str, int]
    """Those rejected again, for up to `REJECTED_REASONS_MAX` reasons, the most frequent ones."""
    rejected_records: int
    """All of those."""
    waiting: int
    """How many are still pending."""
    unclear: int
    """How many went through unseen: the feed was restarted, or they were dropped."""

    @property
    def is_good(self) -> bool:
        """Whether every one of them was delivered, or filtered out."""
        return not (self.stay or self.rejected_records or self.waiting or self.unclear)


REJECTED_REASONS_MAX = 20


class SignInLinks(Protocol):
    """The portal, as far as the command line lets somebody in."""

    def new(self, role: Role) -> str:
        """Return a URL that signs in once, within ten minutes."""


class Operations(Protocol):
    """The running service, as its operator sees it. Names of feeds are checked: `UsageError`."""

    def status(self) -> Status:
        """Return what is known of the service now."""

    def configuration(self) -> Config:
        """Return the configuration in force."""

    def series(self, component: str, span: Span) -> Series:
        """Return the numbers of a part over time; `component` is `feed mcas` or `source web`.

        A part that has just started has gaps; one that is no longer configured is known for a day.
        Raises `UsageError` for a part that is not known, and where no history is kept.
        """

    async def reload(self) -> Reloaded:
        """Put the configuration file in force. Raises `NssError` if the old one stays.

        Reloads happen one after the other; returns when this one is done.
        """

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have a feed deliver again what was accepted between two times, seconds since the epoch.

        Returns how many records. Raises `SpoolError` when the spool keeps nothing delivered.
        """

    async def replayable(self, feed: str, since: float, until: float) -> int:
        """Return how many records `replay` would deliver again now. Raises what it raises."""

    async def replay_range(self, feed: str) -> tuple[float, float] | None:
        """Return when the oldest and the newest that a feed can replay were accepted.

        Both are seconds since the epoch; `None` when there is nothing.
        """

    async def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects of one feed or of all, oldest first."""

    async def reject_reasons(self, feed: str | None) -> list[ReasonCount]:
        """Return the kept rejects of a feed or of all by reason, the newest of up to 100 first."""

    async def retry_rejects(self, feed: str | None, within_secs: float) -> RetriedRejects:
        """Have rejected records go through their feeds again. Raises `SpoolError`.

        Returns what became of them `within_secs`, or when that is known.
        """

    async def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        """Delete kept rejects up to a number, of a feed that may be gone, and for a reason, or any.

        Returns how many records they stood for.
        """

    async def upload_now(self, feeds: Sequence[str]) -> list[UploadedNow]:
        """Have feeds, all that upload if none is named, upload what they have collected.

        Whatever holds their uploads is ended before. Returns when each was tried. Raises
        `UsageError` for a feed that does not upload, and when there is none.
        """

    def resume_uploads(self) -> list[str]:
        """End what holds uploads; return the names of the feeds that were held."""

    def sign_in_link(self, role: Role) -> str:
        """Return a URL that signs in at the portal once, within ten minutes, with this role.

        Raises `UsageError` when the portal is off.
        """

    def add_tap(self, tap: Tap) -> None:
        """Show the tap every slice of its feed from now on; of every feed, also of new ones."""

    def remove_tap(self, tap: Tap) -> None:
        """Stop showing it anything."""

    def add_message_tap(self, tap: MessageTap) -> None:
        """Show the tap what its source reads from now on, also after a reload.

        Raises `UsageError` for a source that does not exist, or that reads no messages.
        """

    def remove_message_tap(self, tap: MessageTap) -> None:
        """Stop showing it anything."""


def unknown_feed(name: str, known: Collection[str]) -> UsageError:
    """Return the error that a feed does not exist, with the nearest one that does."""
    tip = nearest(name, known) or f"one of {', '.join(sorted(known))}"
    return UsageError(f"feed {name!r} is not known", tip=tip if known else None)


def unknown_component(name: str, known: Collection[str]) -> UsageError:
    """Return the error that a part does not exist, with the nearest one that does."""
    return UsageError(f"{name!r} is no part that is known", tip=nearest(name, known))


def unwatchable(name: str, known: Collection[str], watchable: Collection[str]) -> UsageError:
    """Return the error that a source has no messages to show, or does not exist."""
    if name in known:
        tip = "only sources of the kind kafka have messages; what feeds read: nss tap --records"
        return UsageError(f"source {name!r} reads no messages", tip=tip)
    tip = nearest(name, watchable) or f"one of {', '.join(sorted(watchable))}"
    if not watchable:
        tip = "only sources of the kind kafka have messages, and there is none"
    return UsageError(f"source {name!r} is not known", tip=tip)
