"""What goes through a feed once more: replays of batches, and records that were rejected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from nss.batch import BATCH_MAX_BYTES, Batch
from nss.spool import KeptReject, SpoolError
from nss.spool.durable.rejects import OVERHEAD_BYTES
from nss.spool.durable.store import WANTED, Appended, Store, wanted

RETRY_BYTES = 4 * BATCH_MAX_BYTES
"""About how many bytes of rejects are retried in a transaction, so that none takes long."""


@dataclass(slots=True)
class Retried:
    """How far a retry of rejects has come."""

    feed: str | None
    last: int = 0
    """The last reject considered."""
    stay: int = 0
    """How many could not be retried: they were cut, or no feed wants them now."""
    appended: list[Appended] = field(default_factory=list)
    """What the last step appended."""
    finished: bool = False


def replay(store: Store, feed: str, since: float, until: float) -> int:
    """Write batches once more that were on their way between two times, if the feed passed them.

    They were accepted before `until` and not passed by all feeds before `since`.

    Returns how many records. Raises `SpoolError` when the feed is gone.
    """
    state, connection = store.state, store.connection
    row = state.feeds.get(feed)
    if row is None:
        raise SpoolError(f"replay: there is no feed {feed}")
    where = (
        "accepted_at <= :until AND coalesce(passed_at, accepted_at) >= :since "
        f"AND sequence <= :passed AND body = sequence AND {WANTED}"
    )
    values = {
        "since": since,
        "until": until,
        "passed": row.passed,
        **wanted(feed, store.wanted.get(feed, ())),
    }
    batches, records = connection.execute(
        f"SELECT count(*), coalesce(sum(records), 0) FROM batches WHERE {where}",  # noqa: S608 - constants
        values,
    ).fetchone()
    if not batches:
        return 0
    connection.execute(
        "INSERT INTO batches SELECT :last + row_number() OVER (ORDER BY sequence), source, "  # noqa: S608 - constants
        "connection, :feed, records, data_bytes, stored_bytes, :now, body, NULL "
        f"FROM batches WHERE {where} ORDER BY sequence",
        {**values, "last": state.last_sequence, "now": store.now()},
    )
    store.note_accepted(feed, state.last_sequence + 1, records)
    state.last_sequence += batches
    state.used_bytes += batches * store.overhead_bytes
    return int(records)


def retry_rejects(store: Store, retried: Retried, upto: int) -> Retried:
    """Append some rejected records up to a number again, each for its feed alone.

    Returns how far it came, for the next step.
    """
    step = Retried(retried.feed, retried.last, retried.stay)
    size = 0
    while size < RETRY_BYTES:
        rows = [kept for kept in store.rejects.after(step.last, step.feed) if kept.number <= upto]
        if not rows:
            step.finished = True
            break
        step.last = rows[-1].number
        again = [kept for kept in rows if _can_retry(store, kept)]
        step.stay += len(rows) - len(again)
        size += sum(len(kept.reject.data) + OVERHEAD_BYTES for kept in rows)
        for place, group in groupby(again, _place):
            step.appended.append(_append_again(store, *place, list(group)))
    return step


def _place(kept: KeptReject) -> tuple[str, str, str]:
    return kept.feed, kept.reject.source, kept.reject.connection


def _can_retry(store: Store, kept: KeptReject) -> bool:
    whole = 0 < kept.record_bytes == len(kept.reject.data)
    return whole and kept.reject.source in store.wanted.get(kept.feed, ())


def _append_again(
    store: Store, feed: str, source: str, connection: str, rejects: Sequence[KeptReject]
) -> Appended:
    data = b"".join(kept.reject.data + b"\n" for kept in rejects)
    for kept in rejects:
        store.rejects.delete(kept.number, len(kept.reject.data))
    batch = Batch(source, data, len(rejects), connection=connection, feed=feed)
    return store.append(batch, store.pack(data))
