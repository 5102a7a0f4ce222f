"""What the spool's writing thread knows in addition to the tables; undone with a transaction."""

from dataclasses import dataclass, field, replace

from nss.batch import Account


@dataclass(slots=True)
class FeedRow:
    """A row of `cursors`."""

    passed: int = 0
    accepted: int = 0
    account: Account = field(default_factory=Account)
    pending: int = 0
    """Records accepted and not passed."""
    pending_bytes: int = 0
    """What their batches take in the spool, with what each is charged in addition."""
    oldest_at: float = 0.0
    """When the first of them was accepted, if that was looked up."""
    registration: int = 0
    """Which cursor may move it: the last that registered."""
    sources: tuple[str, ...] = ()
    """The sources that it follows; empty in files that did not know yet."""
    written: int = 0
    """The number of the commit that wrote it."""

    @classmethod
    def of(
        cls, passed: int, accepted: int, account: Account, sources: tuple[str, ...], written: int
    ) -> "FeedRow":
        """Return the row of these numbers; what is pending follows from them."""
        pending = accepted - account.done + account.unpacked
        return cls(passed, accepted, account, pending, sources=sources, written=written)

    def copy(self) -> "FeedRow":
        """Return a row of the same numbers."""
        return replace(self, account=self.account.copy())


@dataclass(slots=True)
class State:
    """What the store knows in addition to the tables."""

    last_sequence: int = 0
    is_ahead: bool = False
    """Whether the file does not know of the last sequence yet: it is the ledger's."""
    passed: int = 0
    """Up to here no feed waits for a batch, and the rows say since when."""
    used_bytes: int = 0
    feeds: dict[str, FeedRow] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """Feeds whose rows differ from the table's."""
    forgotten: set[str] = field(default_factory=set)
    """Feeds whose rows are deleted before those that changed are written, theirs among them."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Records dropped to make room in this transaction, by feed."""
    dropped_by_limit: dict[str, int] = field(default_factory=dict)
    """The same, because of the feed's own limit."""
    registrations: int = 0
    commits: int = 0
    """The number of the last commit that wrote rows of feeds."""
    cursors_lost: bool = False
    """Whether a salvage lost rows of feeds, and nothing was accepted since."""
    unclaimed: int | None = None
    """The first batch that some feed had yet to pass when rows of feeds were lost: the feeds start
    there. Valid until something new is accepted: by then all feeds are back."""

    def copy(self) -> "State":
        """Return a state that does not change with this one."""
        feeds = {name: row.copy() for name, row in self.feeds.items()}
        return replace(
            self,
            feeds=feeds,
            changed=set(self.changed),
            forgotten=set(self.forgotten),
            dropped=dict(self.dropped),
            dropped_by_limit=dict(self.dropped_by_limit),
        )

    @property
    def horizon(self) -> int:
        """The first sequence that some feed waits for."""
        waiting = [row.passed + 1 for row in self.feeds.values() if row.pending > 0]
        if self.unclaimed is not None:
            waiting.append(self.unclaimed)
        return min(waiting, default=self.last_sequence + 1)


Saved = tuple[State, tuple[int, int]]
"""The state, and the size of the rejects."""
