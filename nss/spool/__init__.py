"""The durable queue between sources and feeds: the contract, for every implementation.

A batch is accepted once `append` has returned. Every feed follows the spool with a cursor of its
own, in the order of acceptance; a batch may be deleted only when every cursor has passed it. The
spool is bounded in bytes: when it is full, `append` waits, and so does the source.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from nss.batch import Account, Batch
from nss.errors import NssError

At = Callable[[str], None]
"""Called at points where tests crash the process, with the point's name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the spool. `sequence` counts up from 1 and never repeats."""

    sequence: int
    batch: Batch
    accepted_at: float = field(default=0.0, compare=False)
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that a feed will never deliver as it is.

    `data` is the record as it came, without LF, cut to `REJECT_MAX_BYTES`.
    """

    source: str
    connection: str
    reason: str
    data: bytes


REJECT_MAX_BYTES = 64 * 1024
"""How much of a rejected record is kept; a record that was cut can't be retried."""


@dataclass(frozen=True, slots=True)
class KeptReject:
    """A reject as the spool keeps it."""

    number: int
    feed: str
    rejected_at: float
    """Seconds since the epoch."""
    reject: Reject
    record_bytes: int
    """How long the record was before it was cut."""
    records: int = 1
    """How many records it stands for: a batch that could not be read back is one reject."""


SAMPLE_MAX_BYTES = 2048
"""How much of a record stands for all that were rejected for the same reason."""

REASONS_MAX = 100
"""How many reasons of rejects are told apart at once: the newest."""


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many records a feed rejected for a reason, as far as they are kept."""

    feed: str
    reason: str
    records: int
    newest_at: float
    """When the newest was rejected, seconds since the epoch."""
    newest: KeptReject | None = field(default=None, compare=False)
    """That reject, its record cut to `SAMPLE_MAX_BYTES`."""


def sample(kept: KeptReject) -> KeptReject:
    """Return a reject that stands for others, its record cut to `SAMPLE_MAX_BYTES`."""
    return replace(kept, reject=replace(kept.reject, data=kept.reject.data[:SAMPLE_MAX_BYTES]))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing can be accepted now; what was accepted is delivered all the same."""

    kind: Literal["disk_full", "disk_fails", "folder_gone", "files_lost", "damaged", "gave_up"]
    why: str
    """As a sentence, with the folder or the file that it is about."""

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class PendingLimit:
    """How many bytes may be pending for a feed, and what happens to more."""

    max_bytes: int
    drops_oldest: bool = False
    """Whether the feed's oldest pending batches are dropped; otherwise its sources wait."""


class Cursor(Protocol):
    """How far one feed has come. One reader at a time."""

    pending_bytes: int
    """What the batches accepted for the feed and not yet passed take in the spool: its share of
    `used_bytes`, as if no other feed had them. Whole batches, as of the last commit."""

    bytes_per_record: float
    """The mean of that over its records, when last there were some."""

    limit: PendingLimit | None
    """How many there may be."""

    account: Account
    """What became of the feed's records: with a durable spool ever since the feed was new, with
    one in memory since the spool was made. Moves with `advance`."""

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one.

        A new cursor object starts after the last batch passed with `advance`. Raises
        `SpoolClosed` when the spool was sealed and everything has been returned.
        """

    async def advance(self, sequence: int, done: Account, rejects: Sequence[Reject] = ()) -> None:
        """Everything up to and including `sequence` is delivered, filtered or rejected.

        `done` is what became of it, `rejects` the records it counts as rejected. With a durable
        spool all of it is committed together, soon: after a crash the feed resumes after the last
        batch so committed. Waits only while too much is waiting to be committed.
        """

    @property
    def accepted_records(self) -> int:
        """Records accepted for the feed, over the same time as `account`."""

    @property
    def pending_records(self) -> int:
        """Records accepted for the feed and not yet passed with `advance`."""

    @property
    def lag_secs(self) -> float:
        """How many seconds ago the oldest batch not yet passed was accepted; 0 without one."""

    @property
    def oldest_at(self) -> float | None:
        """When that was, seconds since the epoch; `None` without one."""

    @property
    def nears_limit(self) -> bool:
        """Whether half of the limit is pending: a feed that collects delivers early."""

    @property
    def limited_since(self) -> float | None:
        """Since when the limit has made sources wait, or records be dropped; `None`: it does not.

        Seconds since the epoch. It lasts until a good part of the limit is free again.
        """

    @property
    def limited_dropped(self) -> int:
        """How many records were dropped in that time."""


class Expectation(Protocol):
    """Whoever wants to know which batches hold retried records."""

    def expect(self, batch: Batch) -> None:
        """Note that a batch is about to be accepted for its feed."""


class Spool(Protocol):
    """Holds batches until every feed is past them, and rejects until there are too many."""

    durable: bool
    """Whether what was accepted survives the process."""

    max_bytes: int
    """How many bytes it may hold."""

    trouble: Trouble | None
    """Why nothing can be accepted now; `None` while all is well."""

    folder: str
    """Where its files are; empty without any."""

    replay_secs: float
    """How long what was delivered or dropped is kept for a replay, space permitting."""

    async def append(self, batch: Batch) -> int:
        """Accept a batch; wait while the spool is full. Returns its sequence.

        With a durable spool the batch and its source's position are committed together.
        """

    async def keep_pace(self, source: str) -> None:
        """Wait while all feeds of a source are so far behind that they would read from the disk.

        For sources that lose nothing by it. Not for long when no feed catches up.
        """

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""

    async def cursor(
        self, feed: str, sources: Collection[str], limit: PendingLimit | None = None
    ) -> Cursor:
        """Return the cursor of a feed over batches of `sources`; it skips all others.

        While more than `limit` would be pending for the feed, batches for it wait, and so do their
        sources; or its oldest are dropped, which no other feed notices. One batch always fits. A
        dropped batch that the feed had in its hands and delivers counts as delivered.

        A new feed starts with the oldest batch that some feed has yet to pass; a known one after
        the last batch passed.
        """

    async def forget(self, feed: str) -> None:
        """Remove a feed that is no longer configured: it holds back no batches from now on."""

    def feeds(self) -> dict[str, int]:
        """Return the feeds known, each with its pending records, also those without a cursor."""

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have `feed` deliver again what was on its way between two times (seconds since epoch).

        That is what was accepted before `until` and not passed by all feeds before `since`.
        Returns how many records: they count as accepted once more, for this feed
        alone. Raises `SpoolError` when the spool keeps nothing that was delivered.
        """

    async def replayable(self, feed: str, since: float, until: float) -> int:
        """Return how many records `replay` would deliver again now. Raises what it raises."""

    async def replay_range(self, feed: str) -> tuple[float, float] | None:
        """Return when the oldest and the newest that `feed` can replay were accepted.

        Both are seconds since the epoch; `None` when there is nothing.
        """

    async def rejects(self, feed: str | None = None, limit: int = 100) -> list[KeptReject]:
        """Return the newest rejects, of one feed or of all, oldest first."""

    async def reject_reasons(self, feed: str | None = None) -> list[ReasonCount]:
        """Return the kept rejects of a feed, or of all, counted by feed and reason.

        The newest reason comes first; there are at most `REASONS_MAX`.
        """

    async def retry_rejects(
        self, feed: str | None = None, retrial: Expectation | None = None
    ) -> tuple[int, int]:
        """Have rejected records go through their feeds once more, as if newly accepted.

        They leave the rejects. Returns how many, and how many could not because they were cut.
        `retrial` is told of each batch before the feed can have it.
        """

    async def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        """Delete kept rejects of a feed, or of all, for a reason, or any, up to a number.

        Returns how many records they stood for. They stay counted as rejected.
        """

    def passed_of(self, source: str) -> int:
        """Return up to which sequence every feed of a source is past its batches.

        Of feeds that have a cursor. Without any batch pending for them it is `last_sequence`.
        """

    @property
    def last_sequence(self) -> int:
        """The sequence of the last batch accepted; 0 before the first."""

    def seal(self) -> None:
        """Expect no more batches: cursors end after the last."""

    async def close(self) -> None:
        """Commit what is left to commit, and close the file."""

    @property
    def last_error(self) -> str | None:
        """The sentence of `trouble`."""

    @property
    def used_bytes(self) -> int:
        """Bytes held, as far as `max_bytes` limits them."""

    @property
    def kept_rejects(self) -> int:
        """How many rejects are kept."""

    @property
    def full(self) -> bool:
        """Whether an `append` is waiting for room in the spool now."""

    def holds_up(self, source: str) -> str | None:
        """Return why a batch of a source would wait now, as half a sentence; `None`: it would not.

        It is for room in the spool, or for the limits of feeds.
        """


class SpoolClosed(Exception):  # noqa: N818 - it is not an error: it ends the loop
    """The spool is sealed and the cursor has returned everything in it."""


class SpoolError(NssError):
    """The spool can't be used, or can't do what it is asked for."""

    exit_code = 74
