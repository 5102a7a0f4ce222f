"""The accounts of feeds at a start: read, and held against what the file has.

The row of a feed says how many records were accepted for it and what became of them; what is left
must be in `batches`. What is not there is lost, and counts as rejected: otherwise nobody would hear
of it.
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field

from nss.batch import Account
from nss.spool.durable.bookkeeping import FeedRow, State
from nss.spool.durable.ledger import LedgerEntry

WANTED = "source IN (SELECT value FROM json_each(:sources)) AND feed IN ('', :feed)"
"""The batches that are for a feed; with what `wanted` returns."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a file lacks."""

    records: dict[str, int] = field(default_factory=dict)
    """By feed, how many of its records are not there. Negative: how many more there are."""
    is_behind: bool = False
    """Whether there were later commits: the file was replaced or cut off."""
    batches: str = ""
    """The batches that these commits had written: 118-120."""


def wanted(feed: str, sources: Collection[str]) -> dict[str, object]:
    """Return the values that `WANTED` needs."""
    return {"feed": feed, "sources": json.dumps(sorted(sources))}


def load_feeds(connection: sqlite3.Connection, state: State) -> None:
    """Read the rows of feeds into the state."""
    for feed, passed, accepted, *numbers, sources, written in connection.execute(
        "SELECT feed, passed, accepted, delivered, filtered, rejected, dropped, shortened, "
        "unpacked, sources, written FROM cursors"
    ):
        known = tuple(json.loads(sources)) if sources else ()
        state.feeds[feed] = FeedRow.of(passed, accepted, Account(*numbers), known, written)
        state.commits = max(state.commits, written)


def load_lost_feeds(
    connection: sqlite3.Connection, state: State, ledger: LedgerEntry | None
) -> None:
    """Put feeds whose rows a salvage could not read back to where they were.

    The ledger knows; without it they start with the first batch that somebody waited for.
    """
    (state.cursors_lost,) = connection.execute(
        "SELECT count(*) FROM salvages WHERE cursors_lost"
    ).fetchone()
    if state.cursors_lost and ledger is not None:
        state.feeds = {name: row.copy() for name, row in ledger.feeds.items()} | state.feeds
    if not state.feeds or (state.cursors_lost and (ledger is None or not ledger.feeds)):
        (state.unclaimed,) = connection.execute(
            "SELECT min(sequence) FROM batches WHERE passed_at IS NULL"
        ).fetchone()


PENDING = (
    "SELECT coalesce(sum(records), 0), coalesce(sum(stored_bytes), 0) + count(*) * :overhead, "  # noqa: S608 - a constant
    f"coalesce(min(accepted_at), 0) FROM batches WHERE sequence > :passed AND {WANTED}"
)
"""What is pending for a feed: records, bytes, and since when; with what `wanted` returns."""


def reconcile(
    connection: sqlite3.Connection,
    state: State,
    ledger: LedgerEntry | None,
    overhead_bytes: int,
) -> Missing:
    """Hold the accounts against the batches; adopt what the ledger knows better.

    A batch is charged `overhead_bytes` in addition to its blob.
    """
    is_behind, batches, records = False, "", dict[str, int]()
    written = {name: row.written for name, row in state.feeds.items()}
    # The rows of the latest commits may be gone with their feeds. Numbers are never used twice.
    state.commits = max(state.commits, ledger.commits if ledger is not None else 0)
    if ledger is not None and ledger.is_newer(state.last_sequence, written):
        is_behind = True
        if ledger.last_sequence > state.last_sequence:
            batches = f"{state.last_sequence + 1}-{ledger.last_sequence}"
            state.last_sequence = ledger.last_sequence
            state.is_ahead = True
        state.feeds |= {name: row.copy() for name, row in ledger.feeds.items()}
        state.changed |= set(ledger.feeds)
    for feed, row in state.feeds.items():
        if not row.sources:
            continue  # written by a version that did not note them
        found, row.pending_bytes, _ = connection.execute(
            PENDING, {"passed": row.passed, "overhead": overhead_bytes, **wanted(feed, row.sources)}
        ).fetchone()
        lost = row.pending - found
        if lost:
            records[feed] = lost
            row.account.rejected += max(lost, 0)
            row.accepted += max(-lost, 0)
            row.pending = found
            state.changed.add(feed)
    return Missing(records, is_behind, batches)
