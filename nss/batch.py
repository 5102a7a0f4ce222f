"""The batch: records that travel together, with the source position after them."""

from dataclasses import dataclass

BATCH_MAX_BYTES = 1 << 20
"""A source closes a batch at about this many bytes (one larger record still makes a batch)."""

BATCH_MAX_SECS = 0.2
"""A source waits no longer than this for a batch to fill."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw records of one source, in the order they came.

    `data` holds one record a line, each line ended by LF, no blank lines. A record too long to
    keep is cut by the source to one byte more than its limit, so that the reader can tell.
    `records` is the number of lines. `position` is where the source goes on after this batch
    (opaque JSON-able text of the source's own, `None` for sources that cannot go back), and
    `connection` tells records of one sender from another's (order is kept inside one). `feed` is
    empty except for a batch that goes to one feed alone, because it went to the others before.
    """

    source: str
    data: bytes
    records: int
    position: str | None = None
    connection: str = ""
    feed: str = ""
