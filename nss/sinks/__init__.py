"""Where lines go: the contract of a sink, and the outcomes of a send."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from formats.lines import Lines
from nss.expiry import Expiry
from nss.status.readings import UploadReading


@dataclass(frozen=True, slots=True)
class Delivered:
    """Every line was handed over."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The destination can't take lines now; nothing is wrong with the lines.

    The first `sent` lines were handed over. Send the rest again after `delay_secs`, the same
    lines in the same order. `reason` is a sentence for people.
    """

    sent: int
    delay_secs: float
    reason: str


@dataclass(frozen=True, slots=True)
class TooLong:
    """The line at index `sent` is longer than the path carries; those before it were handed over.

    From now on a line must have at most `max_bytes` bytes. Shorten and send the rest again.
    """

    sent: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The line at index `sent` was refused for good; those before it were handed over."""

    sent: int
    reason: str


Outcome = Delivered | RetryAfter | TooLong | Rejected


class Sink(Protocol):
    """Accepts lines of one feed, in order, and reports what became of them."""

    name: str
    """The name of the feed it belongs to, for telemetry."""

    max_line_bytes: int
    """Lines must not be longer than this, framing not counted; may fall while running."""

    wants_keys: bool
    """Whether `send` should get the keys that order must be kept for (`formats.order`)."""

    @property
    def last_error(self) -> str | None:
        """What is wrong now, as a sentence; `None` while all is well."""

    @property
    def remedy(self) -> str:
        """What to do about `last_error`, as half a sentence; empty: that is not known."""

    @property
    def advice(self) -> str | None:
        """Something worth knowing though nothing is wrong, as a sentence; `Try: ` and what to do.

        `None` where there is nothing.
        """

    @property
    def destination(self) -> str:
        """Where lines go at the moment."""

    async def open(self) -> None:
        """Get ready. A destination that is not there yet is no error: `send` reports it."""

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:
        """Hand over lines and return the outcome.

        Whatever the network or the disk does is an outcome, not an exception. `keys` is as long
        as `lines` when `wants_keys`. Cancelling is safe: the lines of this call may then have
        been handed over or not.
        """

    async def close(self) -> None:
        """Flush, and close sockets and files."""


@runtime_checkable
class CollectingSink(Sink, Protocol):
    """A sink that collects lines of many batches and delivers them together.

    `Delivered` from a `send` means that the lines are collected. They are delivered when a `flush`
    returns it; until then they are only in the spool and in the sink's collection.
    """

    max_secs: float
    """How long lines are collected."""

    @property
    def upload(self) -> UploadReading:
        """How its uploads stand now."""

    @property
    def collected(self) -> int:
        """How many lines wait for a `flush`."""

    @property
    def needs_room(self) -> bool:
        """Whether `send` takes no more lines before some that are collected are delivered.

        It may be in the middle of a batch.
        """

    def begin(self, sequence: int, accepted_at: float) -> None:
        """The lines that follow are of this batch, as the spool names it.

        Lines of a batch that is known to be delivered, by an earlier process for example, are not
        collected again.
        """

    def due_secs(self) -> float | None:
        """Return in how many seconds to `flush`; `None` when nothing is collected."""

    def retry(self, *, again: bool = False) -> None:
        """End whatever keeps the next `flush` from trying.

        With `again`, what can't be confirmed any more is delivered a second time.
        """

    async def flush(self) -> Delivered | RetryAfter:
        """Deliver what was collected before the call; lines that come meanwhile are for the next.

        After a failure it is called again, for the same lines. With nothing to deliver it finishes
        what an earlier process began. Calls never overlap.
        """


@runtime_checkable
class ExpiringSink(Sink, Protocol):
    """A sink that knows of certificates or secrets that end; called every few seconds."""

    async def expiries(self) -> Sequence[Expiry]:
        """Return what ends when. Feeds that share something return the same of it.

        Raises nothing: what can't be read is left out.
        """
