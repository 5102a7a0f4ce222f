"""What the watch reads of parts at work. It asks for no more than this, and changes nothing."""

import asyncio
from typing import Protocol

from nss.batch import Account
from nss.config.load import FeedConfig, SourceConfig


class Intake(Protocol):
    """What the spool accepted from a source since it started."""

    @property
    def records(self) -> int:
        """Return the number of records."""

    @property
    def data_bytes(self) -> int:
        """Return the number of bytes in them, LF included."""

    @property
    def last_at(self) -> float | None:
        """Return when the last came, seconds since the epoch."""


class WatchedSource(Protocol):
    """A source at work."""

    @property
    def settings(self) -> SourceConfig:
        """Return what it was built from."""

    @property
    def part(self) -> "Telling":
        """Return the source itself."""

    @property
    def task(self) -> asyncio.Task[None]:
        """Return its task, done when there is nothing more to come."""

    @property
    def intake(self) -> Intake:
        """Return what was accepted from it."""


class WatchedFeed(Protocol):
    """A feed at work."""

    @property
    def settings(self) -> FeedConfig:
        """Return what it was built from."""

    @property
    def part(self) -> "FeedPart":
        """Return the feed itself."""


class WatchedSpool(Protocol):
    """A spool at work; `nss.spool.Spool` says what these are."""

    @property
    def durable(self) -> bool:
        """Whether what was accepted survives the process."""

    @property
    def max_bytes(self) -> int:
        """Return how many bytes it may hold."""

    @property
    def used_bytes(self) -> int:
        """Return how many it holds."""

    @property
    def full(self) -> bool:
        """Whether something waits for room now."""

    @property
    def last_error(self) -> str | None:
        """Return why nothing can be accepted now."""

    @property
    def kept_rejects(self) -> int:
        """Return how many rejects are kept."""


class Telling(Protocol):
    """A part that tells what is wrong with it."""

    @property
    def last_error(self) -> str | None:
        """Return what is wrong now, as a sentence."""


class FeedPart(Telling, Protocol):
    """A feed itself."""

    @property
    def sink(self) -> "Reaching":
        """Return its sink."""

    @property
    def cursor(self) -> "Following":
        """Return its cursor."""

    @property
    def accepted_records(self) -> int:
        """Return the records accepted for it, as its account counts them."""

    @property
    def handed_over(self) -> int:
        """Return how many lines its sink took; this moves inside of batches, the account not."""

    @property
    def advice(self) -> str | None:
        """What somebody should know though nothing is wrong, as a sentence."""

    @property
    def patience_secs(self) -> float:
        """How long records may wait without anything being wrong: it collects them."""

    @property
    def sending(self) -> bool:
        """Whether its sink is at work on lines now."""


class Reaching(Protocol):
    """A sink that tells where lines go."""

    @property
    def destination(self) -> str:
        """Return where lines go at the moment."""


class Following(Protocol):
    """A cursor that tells how far it has come."""

    @property
    def account(self) -> Account:
        """Return what became of the feed's records."""

    @property
    def pending_records(self) -> int:
        """Return how many wait."""

    @property
    def lag_secs(self) -> float:
        """Return how long ago the oldest that waits was accepted."""
