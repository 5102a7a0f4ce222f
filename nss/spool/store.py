"""The spool's tables and what is done with them; for one thread, inside of transactions.

What the store knows beside the tables is put back with `restore` when a transaction fails.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from nss.account import Account
from nss.batch import Batch
from nss.spool import Entry, KeptReject, Reject
from nss.spool.packing import Packed, Packer
from nss.spool.rejects import RejectsTable

PURGE_ROWS = 64
"""So many batches are deleted in one transaction, so that none takes long."""

MAX_DAMAGED = 100
"""So many damaged batches are kept, the newest."""

VACUUM_PAGES = 256
"""So many free pages are given back in one transaction."""

VACUUM_MIN_BYTES = 64 << 20

_WANTED = "source IN (SELECT value FROM json_each(:sources)) AND feed IN ('', :feed)"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the spool may hold, and for how long."""

    max_bytes: int
    min_free_bytes: int = 0
    drop_oldest: bool = False
    replay_secs: float = 0.0
    rejects_max_bytes: int = 64 << 20
    overhead_bytes: int = 256
    """What a batch is charged beside its blob."""


@dataclass(slots=True)
class FeedRow:
    """A row of `cursors`."""

    passed: int = 0
    accepted: int = 0
    account: Account = field(default_factory=Account)
    pending: int = 0
    """Records accepted and not passed."""
    oldest_at: float = 0.0
    """When the first of them was accepted, as far as it was looked up."""

    def copy(self) -> "FeedRow":
        """Return a row of the same numbers."""
        return replace(self, account=self.account.copy())


@dataclass(slots=True)
class State:
    """What the store knows beside the tables."""

    last_sequence: int = 0
    passed: int = 0
    """Up to here no feed waits for anything, and the rows say since when."""
    used_bytes: int = 0
    feeds: dict[str, FeedRow] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """Feeds whose rows differ from the table's."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Records dropped for room in this transaction, by feed."""

    def copy(self) -> "State":
        """Return a state that does not change with this one."""
        feeds = {name: row.copy() for name, row in self.feeds.items()}
        return replace(self, feeds=feeds, changed=set(self.changed), dropped=dict(self.dropped))


Saved = tuple[State, tuple[int, int]]
"""The state, and the size of the rejects."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A batch that was written, and the feeds that take it."""

    entry: Entry
    takers: Sequence[str]


class Store:
    """The tables. `now` gives seconds since the epoch; `free_bytes` what the file system has."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        now: Callable[[], float],
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        self.path = path
        self.limits = limits
        self.state = State()
        self.connection: sqlite3.Connection
        self.rejects: RejectsTable
        self.wanted: dict[str, frozenset[str]] = {}
        """The sources of each feed that has a cursor at work."""
        self._now = now
        self._free_bytes = free_bytes or _free_bytes
        self._packer = Packer()

    def load(self, connection: sqlite3.Connection) -> None:
        """Take a connection, and read the state from the tables."""
        self.connection = connection
        state = State()
        row = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
        ).fetchone()
        state.last_sequence = row[0] if row else 0
        (state.passed,) = connection.execute(
            "SELECT coalesce(max(sequence), 0) FROM batches WHERE passed_at IS NOT NULL"
        ).fetchone()
        overhead = self.limits.overhead_bytes
        (state.used_bytes,) = connection.execute(
            "SELECT coalesce(sum(size), 0) + (SELECT count(*) FROM batches) * ? "
            "FROM (SELECT max(stored_bytes) AS size FROM batches GROUP BY body)",
            (overhead,),
        ).fetchone()
        self.rejects = RejectsTable(connection, self.limits.rejects_max_bytes, self._now)
        for feed, passed, accepted, *numbers in connection.execute(
            "SELECT feed, passed, accepted, delivered, filtered, rejected, dropped, shortened, "
            "unpacked FROM cursors"
        ):
            account = Account(*numbers)
            pending = accepted - account.done + account.unpacked
            state.feeds[feed] = FeedRow(passed, accepted, account, pending)
        self.state = state

    def positions(self) -> dict[str, str]:
        """Return where each source goes on."""
        return dict(
            self.connection.execute(
                "SELECT name, position FROM sources WHERE position IS NOT NULL"
            ).fetchall()
        )

    # Batches.

    def pack(self, data: bytes) -> Packed:
        """Return the blob of some records."""
        return self._packer.pack(data)

    def make_room(self, stored_bytes: int) -> bool:
        """Delete what nobody waits for, as far as needed; return whether there is room.

        A batch larger than all fits alone. With `drop_oldest` there always is room.
        """
        need = stored_bytes + self.limits.overhead_bytes
        while not self._fits(need):
            if not self._delete_oldest() and not self._drop_oldest():
                return False
        return True

    def lacks_space(self) -> bool:
        """Return whether the file system has less free than it should have left."""
        if not self.limits.min_free_bytes:
            return False
        (free_pages,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = self.connection.execute("PRAGMA page_size").fetchone()
        # Pages that are free inside of the file can be written without growing it.
        free = self._free_bytes(self.path.parent) + int(free_pages) * int(page_bytes)
        return free < self.limits.min_free_bytes

    def append(self, batch: Batch, packed: Packed) -> Appended:
        """Write a batch."""
        state, accepted_at = self.state, self._now()
        state.last_sequence += 1
        sequence = state.last_sequence
        size = len(packed.data)
        self.connection.execute(
            "INSERT INTO bodies VALUES (?, ?, ?, ?)",
            (sequence, packed.codec, packed.crc32, packed.data),
        )
        self.connection.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                *(sequence, batch.source, batch.connection, batch.feed, batch.records),
                *(len(batch.data), size, accepted_at, sequence),
            ),
        )
        state.used_bytes += size + self.limits.overhead_bytes
        if not batch.feed:
            self._note_source(batch)
        takers = [
            feed
            for feed, sources in self.wanted.items()
            if batch.source in sources and batch.feed in ("", feed)
        ]
        for feed in takers:
            state.feeds[feed].accepted += batch.records
            state.feeds[feed].pending += batch.records
            state.changed.add(feed)
        return Appended(Entry(sequence, batch, accepted_at), takers)

    def _note_source(self, batch: Batch) -> None:
        self.connection.execute(
            "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "position = coalesce(excluded.position, position), "
            "accepted = accepted + excluded.accepted",
            (batch.source, batch.position, batch.records),
        )

    def purge(self) -> None:
        """Delete batches that no feed has waited for since longer than replays may reach."""
        passed = self._horizon() - 1
        if passed > self.state.passed:
            self.connection.execute(
                "UPDATE batches SET passed_at = ? WHERE sequence > ? AND sequence <= ? "
                "AND passed_at IS NULL",
                (self._now(), self.state.passed, passed),
            )
            self.state.passed = passed
        before = self._now() - self.limits.replay_secs
        for _ in range(PURGE_ROWS):
            if not self._delete_oldest(passed_before=before):
                return

    def give_back_pages(self) -> None:
        """Let the file shrink when a good part of it is free."""
        (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = self.connection.execute("PRAGMA page_size").fetchone()
        if free * page_bytes > VACUUM_MIN_BYTES and free * 4 > pages:
            self.connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()

    def _fits(self, need_bytes: int) -> bool:
        used = self.state.used_bytes
        return not used or used + need_bytes <= self.limits.max_bytes

    def _horizon(self) -> int:
        """Return the first sequence that some feed waits for."""
        waiting = [row.passed for row in self.state.feeds.values() if row.pending > 0]
        return min(waiting, default=self.state.last_sequence) + 1

    def _delete_oldest(self, passed_before: float | None = None) -> bool:
        """Delete the oldest batch that nobody waits for; return whether there was one."""
        found = self.connection.execute(
            "SELECT sequence, body, stored_bytes, passed_at FROM batches "
            "WHERE sequence < ? ORDER BY sequence LIMIT 1",
            (self._horizon(),),
        ).fetchone()
        if found is None:
            return False
        sequence, body, stored_bytes, passed_at = found
        if passed_before is not None and (passed_at is None or passed_at > passed_before):
            return False
        self._delete(sequence, body, stored_bytes)
        return True

    def _delete(self, sequence: int, body: int, stored_bytes: int) -> None:
        self.connection.execute("DELETE FROM batches WHERE sequence = ?", (sequence,))
        self.state.used_bytes -= self.limits.overhead_bytes
        others = self.connection.execute(
            "SELECT 1 FROM batches WHERE sequence = :body AND body = :body "
            "UNION ALL SELECT 1 FROM batches WHERE body = :body AND body <> sequence LIMIT 1",
            {"body": body},
        ).fetchone()
        if others is None:
            self.connection.execute("DELETE FROM bodies WHERE body = ?", (body,))
            self.state.used_bytes -= stored_bytes

    def _drop_oldest(self) -> bool:
        """Let go of the oldest batch, though feeds wait for it; return whether there was one."""
        if not self.limits.drop_oldest:
            return False
        found = self.connection.execute(
            "SELECT sequence, source, feed, records, body, stored_bytes FROM batches "
            "ORDER BY sequence LIMIT 1"
        ).fetchone()
        if found is None:
            return False
        sequence, source, only_feed, records, body, stored_bytes = found
        for feed, row in self.state.feeds.items():
            if row.passed >= sequence:
                continue
            row.passed = sequence
            self.state.changed.add(feed)
            if source in self.wanted.get(feed, ()) and only_feed in ("", feed):
                row.account.dropped += records
                row.pending -= records
                self.state.dropped[feed] = self.state.dropped.get(feed, 0) + records
        self._delete(sequence, body, stored_bytes)
        return True

    # Feeds.

    def register(self, feed: str, sources: Collection[str]) -> FeedRow:
        """A feed has a cursor at work from now on. Returns its row."""
        state = self.state
        row = state.feeds.get(feed)
        if row is None:
            row = FeedRow(self._horizon() - 1)
            state.feeds[feed] = row
        row.pending, row.oldest_at = self.connection.execute(
            "SELECT coalesce(sum(records), 0), coalesce(min(accepted_at), 0) FROM batches "  # noqa: S608 - a constant
            f"WHERE sequence > :passed AND {_WANTED}",
            {"passed": row.passed, **_wanted(feed, sources)},
        ).fetchone()
        self.wanted[feed] = frozenset(sources)
        row.accepted = row.account.done - row.account.unpacked + row.pending
        state.changed.add(feed)
        return row.copy()

    def forget(self, feed: str) -> None:
        """A feed is gone."""
        self.state.feeds.pop(feed, None)
        self.wanted.pop(feed, None)
        self.state.changed.discard(feed)
        self.connection.execute("DELETE FROM cursors WHERE feed = ?", (feed,))

    def advance(
        self, feed: str, sequence: int, records: int, done: Account, rejects: Sequence[Reject]
    ) -> bool:
        """Move a cursor past so many records; return False if they had been dropped before."""
        row = self.state.feeds.get(feed)
        if row is None or sequence <= row.passed:
            return False
        row.passed = sequence
        row.pending -= records
        row.account.add(done)
        self.state.changed.add(feed)
        self.rejects.keep(feed, rejects)
        return True

    def save_feeds(self) -> None:
        """Write the rows that have changed."""
        for feed in self.state.changed:
            row = self.state.feeds[feed]
            account = row.account
            self.connection.execute(
                "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(feed, row.passed, row.accepted, account.delivered, account.filtered),
                    *(account.rejected, account.dropped, account.shortened, account.unpacked),
                ),
            )
        self.state.changed.clear()

    def replay(self, feed: str, since: float, until: float) -> int:
        """Write batches that were on their way in a time once more, if a feed has passed them.

        That is, accepted before its end, and not passed by all feeds before it began.

        Returns how many records.
        """
        row = self.state.feeds[feed]
        wanted = _wanted(feed, self.wanted.get(feed, ()))
        where = (
            "accepted_at <= :until AND coalesce(passed_at, accepted_at) >= :since "
            f"AND sequence <= :passed AND body = sequence AND {_WANTED}"
        )
        values = {"since": since, "until": until, "passed": row.passed, **wanted}
        batches, records = self.connection.execute(
            f"SELECT count(*), coalesce(sum(records), 0) FROM batches WHERE {where}",  # noqa: S608 - constants
            values,
        ).fetchone()
        self.connection.execute(
            "INSERT INTO batches (source, connection, feed, records, data_bytes, stored_bytes, "  # noqa: S608 - constants
            "accepted_at, body) SELECT source, connection, :feed, records, data_bytes, "
            f"stored_bytes, :now, body FROM batches WHERE {where} ORDER BY sequence",
            {**values, "now": self._now()},
        )
        state = self.state
        state.last_sequence += batches
        state.used_bytes += batches * self.limits.overhead_bytes
        row.accepted += records
        row.pending += records
        state.changed.add(feed)
        return int(records)

    def retry_rejects(self, feed: str | None) -> tuple[list[Appended], int]:
        """Append rejected records anew, each for its feed alone.

        Returns what was appended, and how many records stay rejected: they were cut, or nobody
        takes them now.
        """
        appended: list[Appended] = []
        stay = last = 0
        while rows := self.rejects.after(last, feed):
            last = rows[-1].number
            again = [one for one in rows if self._can_retry(one)]
            stay += len(rows) - len(again)
            for place, ones in groupby(
                again, lambda one: (one.feed, one.reject.source, one.reject.connection)
            ):
                appended.append(self._append_again(*place, list(ones)))
        return appended, stay

    def _can_retry(self, kept: KeptReject) -> bool:
        whole = 0 < kept.record_bytes == len(kept.reject.data)
        return whole and kept.reject.source in self.wanted.get(kept.feed, ())

    def _append_again(
        self, feed: str, source: str, connection: str, kept: Sequence[KeptReject]
    ) -> Appended:
        data = b"".join(one.reject.data + b"\n" for one in kept)
        for one in kept:
            self.rejects.delete(one.number, len(one.reject.data))
        batch = Batch(source, data, len(kept), connection=connection, feed=feed)
        return self.append(batch, self.pack(data))

    def set_aside(self, sequence: int, why: str) -> None:
        """Keep a batch that can't be read back where it holds up nobody."""
        row = self.connection.execute(
            "SELECT source, connection, records, body FROM batches WHERE sequence = ?", (sequence,)
        ).fetchone()
        if row is None:
            return
        *place, body = row
        try:
            found = self.connection.execute(
                "SELECT data FROM bodies WHERE body = ?", (body,)
            ).fetchone()
        except sqlite3.DatabaseError:
            found = None
        self.connection.execute(
            "INSERT OR IGNORE INTO damaged VALUES (?, ?, ?, ?, ?, ?, ?)",
            (sequence, *place, self._now(), why, found and found[0]),
        )
        self.connection.execute(
            "DELETE FROM damaged WHERE sequence NOT IN "
            "(SELECT sequence FROM damaged ORDER BY sequence DESC LIMIT ?)",
            (MAX_DAMAGED,),
        )

    def save(self) -> Saved:
        """Return what `restore` needs to undo all that is done from now on."""
        return self.state.copy(), self.rejects.size

    def restore(self, saved: Saved) -> None:
        """The transaction was rolled back: know again what was known before it."""
        self.state, self.rejects.size = saved[0].copy(), saved[1]


def _wanted(feed: str, sources: Collection[str]) -> dict[str, object]:
    return {"feed": feed, "sources": json.dumps(sorted(sources))}


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
