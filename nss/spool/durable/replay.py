"""What goes through a feed once more: replays of batches, and records that were rejected."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from math import inf

from nss.batch import BATCH_MAX_BYTES, Batch
from nss.spool import SpoolError
from nss.spool.durable.accounts import WANTED, wanted
from nss.spool.durable.packing import Damaged, Packed
from nss.spool.durable.rejects import OVERHEAD_BYTES, RejectedBatch, RejectRow
from nss.spool.durable.schema import connect_reader
from nss.spool.durable.store import Appended, Store

RETRY_BYTES = 4 * BATCH_MAX_BYTES
"""About how many bytes of rejects are retried in a transaction, so that none takes long."""


@dataclass(slots=True)
class Retried:
    """How far a retry of rejects has come."""

    feed: str | None
    last: int = 0
    """The last reject considered."""
    stay: int = 0
    """How many could not be retried: they were cut, no feed wants them now, or it is a batch that
    still can't be read."""
    appended: list[Appended] = field(default_factory=list)
    """What the last step appended."""
    finished: bool = False


_REPLAYED = (
    "accepted_at <= :until AND coalesce(passed_at, accepted_at) >= :since "
    f"AND sequence <= :passed AND body = sequence AND {WANTED}"
)
"""The batches that a replay repeats, with what `_replayed` returns."""


def _replayed(store: Store, feed: str, since: float, until: float) -> dict[str, object]:
    row = store.state.feeds.get(feed)
    if row is None:
        raise SpoolError(f"replay: there is no feed {feed}")
    sources = wanted(feed, store.wanted.get(feed, ()))
    return {"since": since, "until": until, "passed": row.passed, **sources}


def _counted(store: Store, values: dict[str, object]) -> tuple[int, int, int]:
    """Return how many batches would be repeated, and how many records and bytes are in them."""
    batches, records, stored_bytes = store.connection.execute(
        "SELECT count(*), coalesce(sum(records), 0), coalesce(sum(stored_bytes), 0) "  # noqa: S608 - constants
        f"FROM batches WHERE {_REPLAYED}",
        values,
    ).fetchone()
    return int(batches), int(records), int(stored_bytes)


def replayable(store: Store, feed: str, since: float, until: float) -> int:
    """Return how many records `replay` would write once more. Raises what it raises."""
    return _counted(store, _replayed(store, feed, since, until))[1]


def replay_range(store: Store, feed: str) -> tuple[float, float] | None:
    """Return when the oldest and the newest that a feed can replay were accepted.

    Raises `SpoolError` when the feed is gone.
    """
    oldest, newest = store.connection.execute(
        f"SELECT min(accepted_at), max(accepted_at) FROM batches WHERE {_REPLAYED}",  # noqa: S608 - constants
        _replayed(store, feed, -inf, inf),
    ).fetchone()
    return None if oldest is None else (oldest, newest)


def replay(store: Store, feed: str, since: float, until: float) -> int:
    """Write batches once more that were on their way between two times, if the feed passed them.

    They were accepted before `until` and not passed by all feeds before `since`.

    Returns how many records. Raises `SpoolError` when the feed is gone.
    """
    state, values = store.state, _replayed(store, feed, since, until)
    batches, records, stored_bytes = _counted(store, values)
    if not batches:
        return 0
    store.connection.execute(
        "WITH again AS (SELECT :last + row_number() OVER (ORDER BY sequence) AS next, source, "  # noqa: S608 - constants
        "connection, :feed AS only_feed, records, data_bytes, stored_bytes, :now AS at, body "
        f"FROM batches WHERE {_REPLAYED} ORDER BY sequence) "
        "INSERT INTO batches SELECT *, NULL, row_crc32('batches', next, source, connection, "
        "only_feed, records, data_bytes, stored_bytes, at, body, NULL) FROM again",
        {**values, "last": state.last_sequence, "now": store.now()},
    )
    overhead_bytes = batches * store.overhead_bytes
    store.note_accepted(feed, state.last_sequence + 1, records, stored_bytes + overhead_bytes)
    state.last_sequence += batches
    state.used_bytes += overhead_bytes
    return records


def retry_rejects(store: Store, retried: Retried, upto: int) -> Retried:
    """Append some rejected records up to a number again, each for its feed alone.

    Returns how far it came, for the next step.
    """
    step = Retried(retried.feed, retried.last, retried.stay)
    size = 0
    while size < RETRY_BYTES:
        rows = [row for row in store.rejects.after(step.last, step.feed) if row.kept.number <= upto]
        if not rows:
            step.finished = True
            break
        step.last = rows[-1].kept.number
        size += sum(row.charged_bytes + OVERHEAD_BYTES for row in rows)
        for _, group in groupby(rows, _place):
            together = list(group)
            fit = [row for row in together if _can_retry(store, row)]
            appended = _append_again(store, fit)
            step.stay += len(together) - (0 if appended is None else len(fit))
            step.appended += [] if appended is None else [appended]
    return step


def _place(row: RejectRow) -> tuple[str, str, str, int]:
    """Return what records must share to be one batch again; a rejected batch stands alone."""
    kept = row.kept
    place = (kept.feed, kept.reject.source, kept.reject.connection)
    return (*place, 0 if row.batch is None else kept.number)


def _can_retry(store: Store, row: RejectRow) -> bool:
    kept = row.kept
    whole = row.batch is not None or 0 < kept.record_bytes == len(kept.reject.data)
    return whole and kept.reject.source in store.wanted.get(kept.feed, ())


def _append_again(store: Store, rows: Sequence[RejectRow]) -> Appended | None:
    """Append rejects of one place as a batch; `None` if there is nothing that can be read."""
    batch = _rejected_batch(store, rows)
    if batch is None:
        return None
    appended = store.append(batch, store.pack(batch.data))
    for row in rows:
        store.rejects.delete(row)
    return appended


def _rejected_batch(store: Store, rows: Sequence[RejectRow]) -> Batch | None:
    """Return rejects of one place as a batch for their feed; `None` if nothing can be read."""
    if not rows:
        return None
    kept, batch = rows[0].kept, rows[0].batch
    if batch is None:
        records = len(rows)
        data = b"".join(row.kept.reject.data + b"\n" for row in rows)
    else:
        records, data = batch.records, _read_again(store, batch)
    place = kept.reject
    if not data:
        return None
    return Batch(place.source, data, records, None, place.connection, kept.feed)


def _read_again(store: Store, batch: RejectedBatch) -> bytes:
    """Return the records of a batch, none if they still can't be read."""
    try:
        # A read that fails would spoil the transaction of the connection that writes.
        with closing(connect_reader(store.path)) as connection:
            row = connection.execute(
                "SELECT codec, crc32, data FROM bodies WHERE body = ?", (batch.body,)
            ).fetchone()
            return store.unpack(Packed(*row), batch.data_bytes) if row else b""
    except (Damaged, sqlite3.Error):
        return b""
