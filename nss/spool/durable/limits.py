"""The limits of feeds in the store: which batches wait for them, and what is dropped for them.

A drop moves the feed past its oldest pending batches and counts their records as dropped, in the
transaction that accepts the batch which needs the room. The batches stay as long as another feed
waits for them, and then for replays, like any that were passed.
"""

from collections.abc import Iterator

from nss.batch import Batch
from nss.spool import PendingLimit
from nss.spool.durable.accounts import WANTED, wanted
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.store import Store


def holding(store: Store, batch: Batch, stored_bytes: int) -> list[str]:
    """Return the feeds that make a batch wait, because more would be pending than they may have."""
    return [
        feed for feed, limit, row in _over(store, batch, stored_bytes) if not limit.drops_oldest
    ]


def drops(store: Store, batch: Batch, stored_bytes: int) -> bool:
    """Return whether a feed would drop batches to make room for a batch."""
    return any(limit.drops_oldest for _, limit, _ in _over(store, batch, stored_bytes))


def make_room(store: Store, batch: Batch, stored_bytes: int) -> None:
    """Drop the oldest pending batches of the feeds that do so, until there is room for a batch."""
    for feed, limit, row in list(_over(store, batch, stored_bytes)):
        if limit.drops_oldest:
            most = limit.max_bytes - stored_bytes - store.overhead_bytes
            _drop_oldest(store, feed, row, most)


def _over(
    store: Store, batch: Batch, stored_bytes: int
) -> Iterator[tuple[str, PendingLimit, FeedRow]]:
    """Yield the feeds for which so much more would be over their limits. One batch always fits."""
    size = stored_bytes + store.overhead_bytes
    for feed in store.wanting(batch):
        limit, row = store.limits.get(feed), store.state.feeds[feed]
        if limit is not None and row.pending and row.pending_bytes + size > limit.max_bytes:
            yield feed, limit, row


def _drop_oldest(store: Store, feed: str, row: FeedRow, most_bytes: int) -> None:
    """Move a feed past its oldest batches until no more than so many bytes are pending for it."""
    dropped = 0
    oldest = store.connection.execute(
        "SELECT sequence, records, stored_bytes FROM batches "  # noqa: S608 - a constant
        f"WHERE sequence > :passed AND {WANTED} ORDER BY sequence",
        {"passed": row.passed, **wanted(feed, store.wanted[feed])},
    )
    while row.pending and row.pending_bytes > most_bytes:
        found = oldest.fetchone()
        if found is None:
            break
        row.passed, records, stored_bytes = found
        row.pending -= records
        row.pending_bytes -= stored_bytes + store.overhead_bytes
        dropped += records
    oldest.close()
    if dropped:
        row.account.dropped += dropped
        store.skip(feed, row)
        state = store.state
        state.changed.add(feed)
        state.dropped_by_limit[feed] = state.dropped_by_limit.get(feed, 0) + dropped
