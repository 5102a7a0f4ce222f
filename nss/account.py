"""The account of a feed: what became of the records that were accepted for it."""

from dataclasses import astuple, dataclass, fields


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
    """Let go of undelivered, because the spool was full and `when_full` says so."""
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
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def subtract(self, other: "Account") -> None:
        """Take back what `other` counted."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) - getattr(other, one.name))

    def copy(self) -> "Account":
        """Return an account of the same numbers."""
        return Account(*astuple(self))
