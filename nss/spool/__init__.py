"""The durable queue between sources and feeds: the contract, for every implementation.

A batch that `append` returned for is accepted. Every feed follows the spool with a cursor of its
own, in the order of acceptance; a batch may be dropped from the spool only when every cursor has
passed it. The spool is bounded in bytes: full means that `append` waits, and so the source.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from nss.batch import Batch


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the spool. `sequence` counts up from 1 and never repeats."""

    sequence: int
    batch: Batch


class Cursor(Protocol):
    """How far one feed has come. One reader at a time."""

    async def next(self) -> Entry:
        """Return the first batch after the last one returned; wait until there is one.

        A new cursor object starts after the last batch passed with `advance`. Raises
        `SpoolClosed` when the spool was sealed and everything has been returned.
        """

    def advance(self, sequence: int) -> None:
        """Everything up to and including `sequence` is delivered, filtered or rejected."""

    @property
    def accepted_records(self) -> int:
        """Records of the feed's sources accepted since the cursor was made."""

    @property
    def pending_records(self) -> int:
        """Records accepted for the feed and not yet passed with `advance`."""


class Spool(Protocol):
    """Holds batches until every feed is past them."""

    durable: bool
    """Whether what was accepted survives the process."""

    async def append(self, batch: Batch) -> int:
        """Accept a batch; wait while the spool is full. Returns its sequence.

        With a durable spool the batch and its source's position are committed together.
        """

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""

    def cursor(self, feed: str, sources: Collection[str]) -> Cursor:
        """Return the cursor of a feed over batches of `sources`; others pass it by.

        A new feed starts with the oldest batch kept; a known one after the last batch passed.
        """

    def forget(self, feed: str) -> None:
        """A feed is gone from the configuration: it no longer holds batches back."""

    def seal(self) -> None:
        """No more batches will come; cursors end after the last one."""

    @property
    def used_bytes(self) -> int:
        """Bytes of the records held."""

    @property
    def full(self) -> bool:
        """Whether an `append` is waiting for room now."""


class SpoolClosed(Exception):  # noqa: N818 - it is not an error: it ends the loop
    """The spool is sealed and the cursor has returned everything in it."""
