"""The rows of feeds: how far each feed has come, and what became of its records."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass

from nss.batch import Account
from nss.spool import Reject
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.store import WANTED, Store, wanted


@dataclass(frozen=True, slots=True)
class Move:
    """A cursor's step up to and including `sequence`."""

    feed: str
    registration: int
    sequence: int
    passed: Sequence[tuple[int, int]]
    """The batches passed: sequence and records of each."""
    done: Account
    rejects: Sequence[Reject]


def register(store: Store, feed: str, sources: Collection[str]) -> FeedRow:
    """Note that a feed has a cursor from now on; return its row."""
    state = store.state
    row = state.feeds.get(feed)
    if row is None:
        row = FeedRow(state.horizon - 1)
        state.feeds[feed] = row
    # Nothing before that was for it, even if a source that is new to it brought batches.
    row.passed = max(row.passed, state.passed)
    state.registrations += 1
    row.registration = state.registrations
    row.pending, row.oldest_at = store.connection.execute(
        "SELECT coalesce(sum(records), 0), coalesce(min(accepted_at), 0) FROM batches "  # noqa: S608 - a constant
        f"WHERE sequence > :passed AND {WANTED}",
        {"passed": row.passed, **wanted(feed, sources)},
    ).fetchone()
    store.wanted[feed] = frozenset(sources)
    store.skip(feed, row)
    row.accepted = row.account.done - row.account.unpacked + row.pending
    state.changed.add(feed)
    return row.copy()


def forget(store: Store, feed: str) -> None:
    """Delete a feed."""
    store.state.feeds.pop(feed, None)
    store.wanted.pop(feed, None)
    store.state.changed.discard(feed)
    store.connection.execute("DELETE FROM cursors WHERE feed = ?", (feed,))


def advance(store: Store, move: Move) -> int | None:
    """Move a cursor; return how many records no longer count as dropped.

    Those are the records that were dropped to make room while they were on their way. Returns
    `None` for a cursor that another has replaced: what it did no longer counts.
    """
    row = store.state.feeds.get(move.feed)
    if row is None or row.registration != move.registration:
        return None
    pending = sum(records for sequence, records in move.passed if sequence > row.passed)
    undropped = sum(records for _, records in move.passed) - pending
    row.passed = max(row.passed, move.sequence)
    row.pending -= pending
    store.skip(move.feed, row)
    row.account.add(move.done)
    row.account.dropped -= undropped
    store.state.changed.add(move.feed)
    store.rejects.keep(move.feed, move.rejects)
    return undropped


def save(store: Store) -> None:
    """Write the rows that have changed."""
    for feed in store.state.changed:
        row = store.state.feeds[feed]
        store.connection.execute(
            "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (feed, row.passed, row.accepted, *astuple(row.account)),
        )
    store.state.changed.clear()
