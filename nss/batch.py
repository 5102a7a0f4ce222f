"""The batch: records that travel together; and the account of what became of them."""

from dataclasses import fields, replace

from formats.dataclass import dataclass

BATCH_MAX_BYTES = 1 << 20
"""A source closes a batch at about this many bytes (one larger record still makes a batch)."""

BATCH_MAX_SECS = 0.2
"""A source waits no longer than this for a batch to fill."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw records of one source, in the order they came.

    `data` holds one record a line, each line ended by LF, no blank lines. A record too long to
    keep is cut by the source to one byte more than its limit, so that the reader can tell.
    `records` is the number of lines. `position` is where the source continues after this batch
    (opaque text of the source's own, `None` for sources that can't go back), and `connection` says
    which sender the records are from (order is kept within it). `feed` is empty except for a batch
    that goes to one feed alone, because it went to the others before.
    """

    source: str
    data: bytes
    records: int
    position: str | None = None
    connection: str = ""
    feed: str = ""


@dataclass(slots=True)
class Account:
    """Numbers of records.

    At every moment, for each feed:

    accepted = delivered + filtered + rejected + dropped + pending
    """

    delivered: int = 0
    """Shortened ones too."""
    filtered: int = 0
    rejected: int = 0
    dropped: int = 0
    """Deleted undelivered, because the spool was full and `when_full` says so."""
    shortened: int = 0
    unpacked: int = 0
    """Records beyond one a line: JSON arrays that no framing took apart. They count as accepted
    once their line is done with."""

    @property
    def done(self) -> int:
        """Records that are no longer pending."""
        return self.delivered + self.filtered + self.rejected + self.dropped

    def add(self, other: "Account") -> None:
        """Count what `other` counted."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def copy(self) -> "Account":
        """Return an account of the same numbers."""
        return replace(self)
