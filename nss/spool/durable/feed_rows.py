"""The rows of feeds: how far each feed has come, and what became of its records."""

import json
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass

from nss.batch import Account
from nss.spool import PendingLimit, Reject
from nss.spool.durable.accounts import PENDING, WANTED, wanted
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.schema import row_crc32
from nss.spool.durable.store import Store


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
    lost: Sequence[tuple[int, Reject]] = ()
    """Batches among these that could not be read back, each with the reject that stands for it."""


def register(
    store: Store, feed: str, sources: Collection[str], limit: PendingLimit | None
) -> FeedRow:
    """Note that a feed has a cursor from now on; return its row. Writes nothing: `save` does."""
    state = store.state
    row = state.feeds.get(feed)
    if row is None:
        row = FeedRow(state.horizon - 1)
        state.feeds[feed] = row
    # Nothing before that was for it, even if a source that is new to it brought batches.
    row.passed = max(row.passed, state.passed)
    row.sources = tuple(sorted(sources))
    state.registrations += 1
    row.registration = state.registrations
    row.pending, row.pending_bytes, row.oldest_at = store.connection.execute(
        PENDING,
        {"passed": row.passed, "overhead": store.overhead_bytes, **wanted(feed, sources)},
    ).fetchone()
    store.wanted[feed] = frozenset(sources)
    store.limits.pop(feed, None)
    if limit is not None:
        store.limits[feed] = limit
    store.skip(feed, row)
    row.accepted = row.account.done - row.account.unpacked + row.pending
    state.changed.add(feed)
    return row.copy()


def forget(store: Store, feed: str) -> None:
    """Delete a feed. Writes nothing: `save` does."""
    store.state.feeds.pop(feed, None)
    store.wanted.pop(feed, None)
    store.limits.pop(feed, None)
    store.state.changed.discard(feed)
    store.state.forgotten.add(feed)


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
    if pending:
        row.pending_bytes -= _charged(store, move.feed, row.passed, move.sequence)
    row.passed = max(row.passed, move.sequence)
    row.pending -= pending
    store.skip(move.feed, row)
    row.account.add(move.done)
    row.account.dropped -= undropped
    store.state.changed.add(move.feed)
    for sequence, reject in move.lost:
        store.set_aside(move.feed, sequence, reject)
    store.rejects.keep(move.feed, move.rejects)
    return undropped


def _charged(store: Store, feed: str, after: int, upto: int) -> int:
    """Return what the batches of a feed are charged that follow a sequence, up to another."""
    (charged,) = store.connection.execute(
        "SELECT coalesce(sum(stored_bytes), 0) + count(*) * :overhead FROM batches "  # noqa: S608 - a constant
        f"WHERE sequence > :after AND sequence <= :upto AND {WANTED}",
        {
            "after": after,
            "upto": upto,
            "overhead": store.overhead_bytes,
            **wanted(feed, store.wanted.get(feed, ())),
        },
    ).fetchone()
    return int(charged)


def save(store: Store) -> None:
    """Write the rows that have changed, and what else was found to be missing at the start."""
    state = store.state
    if state.is_ahead:
        _note_last_sequence(store)
    for feed in state.forgotten:
        store.connection.execute("DELETE FROM cursors WHERE feed = ?", (feed,))
    state.forgotten.clear()
    state.commits += bool(state.changed)
    for feed in state.changed:
        row = state.feeds[feed]
        row.written = state.commits
        values = (
            *(feed, row.passed, row.accepted, *astuple(row.account)),
            *(json.dumps(row.sources), row.written),
        )
        store.connection.execute(
            "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, row_crc32("cursors", *values)),
        )
    state.changed.clear()


def _note_last_sequence(store: Store) -> None:
    """Write the number of the last batch, so that the next start does not miss it again."""
    store.connection.execute("DELETE FROM sqlite_sequence WHERE name = 'batches'")
    store.connection.execute(
        "INSERT INTO sqlite_sequence VALUES ('batches', ?)", (store.state.last_sequence,)
    )
    store.state.is_ahead = False
