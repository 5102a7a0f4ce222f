"""The spool's tables and what is done with them; for one thread, inside transactions.

What the store knows in addition to the tables is reset with `restore` when a transaction fails.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import Entry
from nss.spool.durable.bookkeeping import FeedRow, Saved, State
from nss.spool.durable.packing import Packed, Packer
from nss.spool.durable.rejects import RejectsTable

PURGE_ROWS = 64
"""How many batches are deleted in a transaction, so that none takes long."""

MAX_DAMAGED = 100
"""How many damaged batches are kept: the newest."""

VACUUM_PAGES = 256
"""How many free pages are given back in a transaction."""

VACUUM_MIN_BYTES = 64 << 20

WANTED = "source IN (SELECT value FROM json_each(:sources)) AND feed IN ('', :feed)"
"""The batches that are for a feed; with what `wanted` returns."""


@dataclass(frozen=True, slots=True)
class Appended:
    """A batch that was written, and the feeds that it is for."""

    entry: Entry
    feeds: Sequence[str]


class Store:
    """The tables.

    `now` returns seconds since the epoch, `free_bytes` what the file system of a folder has free.
    A batch is charged `overhead_bytes` in addition to its blob.
    """

    def __init__(
        self,
        settings: DurableSpoolConfig,
        *,
        now: Callable[[], float],
        free_bytes: Callable[[Path], int],
        overhead_bytes: int,
    ) -> None:
        self.path = settings.path
        self.settings = settings
        self.overhead_bytes = overhead_bytes
        self.state = State()
        self.connection: sqlite3.Connection
        self.rejects: RejectsTable
        self.wanted: dict[str, frozenset[str]] = {}
        """The sources of each feed that has a cursor."""
        self.now = now
        self._free_bytes = free_bytes
        self._packer = Packer()
        self._page_bytes = 0

    def load(self, connection: sqlite3.Connection) -> None:
        """Use a connection from now on, and read the state from its tables."""
        self.connection = connection
        (self._page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        state = State()
        (state.last_sequence,) = connection.execute(
            "SELECT max((SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'batches'),"
            "(SELECT coalesce(max(sequence), 0) FROM batches),"
            "(SELECT coalesce(max(passed), 0) FROM cursors))"
        ).fetchone()
        (state.passed,) = connection.execute(
            "SELECT coalesce(max(sequence), 0) FROM batches WHERE passed_at IS NOT NULL"
        ).fetchone()
        (state.used_bytes,) = connection.execute(
            "SELECT coalesce(sum(size), 0) + (SELECT count(*) FROM batches) * ? "
            "FROM (SELECT max(stored_bytes) AS size FROM batches GROUP BY body)",
            (self.overhead_bytes,),
        ).fetchone()
        self.rejects = RejectsTable(connection, self.settings.rejects_max_bytes, self.now)
        for feed, passed, accepted, *numbers in connection.execute(
            "SELECT feed, passed, accepted, delivered, filtered, rejected, dropped, shortened, "
            "unpacked FROM cursors"
        ):
            account = Account(*numbers)
            pending = accepted - account.done + account.unpacked
            state.feeds[feed] = FeedRow(passed, accepted, account, pending)
        if not state.feeds:
            (state.unclaimed,) = connection.execute(
                "SELECT min(sequence) FROM batches WHERE passed_at IS NULL"
            ).fetchone()
        self.state = state

    def positions(self) -> dict[str, str]:
        """Return where each source continues."""
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
        """Delete what no feed waits for, as far as needed; return whether there is room.

        A batch larger than the limit fits alone. With `drop_oldest` there always is room.
        """
        most = self.settings.max_bytes - stored_bytes - self.overhead_bytes
        while self.state.used_bytes and self.state.used_bytes > most:
            if not self._delete_oldest() and not self._drop_oldest():
                return False
        return True

    def lacks_space(self) -> bool:
        """Return whether the file system has less free than it must have.

        As with `make_room`, what no feed waits for is deleted first, and more with `drop_oldest`.
        """
        if not self.settings.min_free_bytes:
            return False
        outside = self._free_bytes(self.path.parent)
        if outside + self._free_inside() + self.state.used_bytes < self.settings.min_free_bytes:
            return True  # others fill the disk: deleting all of ours would not help
        # Free pages inside of the file can be written without growing it.
        while outside + self._free_inside() < self.settings.min_free_bytes:
            if not self._delete_oldest() and not self._drop_oldest():
                return True
        return False

    def _free_inside(self) -> int:
        (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        return int(free) * self._page_bytes

    def append(self, batch: Batch, packed: Packed) -> Appended:
        """Write a batch."""
        state, accepted_at = self.state, self.now()
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
        state.used_bytes += size + self.overhead_bytes
        state.unclaimed = None
        if not batch.feed:
            self.connection.execute(
                "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "position = coalesce(excluded.position, position), "
                "accepted = accepted + excluded.accepted",
                (batch.source, batch.position, batch.records),
            )
        feeds = [
            feed
            for feed, sources in self.wanted.items()
            if batch.source in sources and batch.feed in ("", feed)
        ]
        for feed in feeds:
            self.note_accepted(feed, sequence, batch.records)
        return Appended(Entry(sequence, batch, accepted_at), feeds)

    def note_accepted(self, feed: str, sequence: int, records: int) -> None:
        """Note that records were accepted for a feed, the first of them with this sequence."""
        row = self.state.feeds[feed]
        if not row.pending:
            row.passed = sequence - 1  # nothing in between is for it
        row.accepted += records
        row.pending += records
        self.state.changed.add(feed)

    def purge(self) -> bool:
        """Delete batches that all feeds passed before the time that replays may reach back to.

        Returns whether there may be more of them.
        """
        passed = self.state.horizon - 1
        if passed > self.state.passed:
            self.connection.execute(
                "UPDATE batches SET passed_at = ? WHERE sequence > ? AND sequence <= ? "
                "AND passed_at IS NULL",
                (self.now(), self.state.passed, passed),
            )
            self.state.passed = passed
        before = self.now() - self.settings.replay_minutes * 60
        return all(self._delete_oldest(passed_before=before) for _ in range(PURGE_ROWS))

    def give_back_pages(self) -> None:
        """Let the file shrink when a good part of it is free."""
        free = self._free_inside()
        if free <= VACUUM_MIN_BYTES:
            return
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        if free * 4 > pages * self._page_bytes:
            self.connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()

    def _delete_oldest(self, passed_before: float | None = None) -> bool:
        """Delete the oldest batch that no feed waits for; return whether there was one."""
        found = self.connection.execute(
            "SELECT sequence, body, stored_bytes, passed_at FROM batches "
            "WHERE sequence < ? ORDER BY sequence LIMIT 1",
            (self.state.horizon,),
        ).fetchone()
        if found is None:
            return False
        sequence, body, stored_bytes, passed_at = found
        if passed_before is not None and (passed_at is None or passed_at > passed_before):
            self._fix_times(passed_at)
            return False
        self._delete(sequence, body, stored_bytes)
        return True

    def _fix_times(self, passed_at: float | None) -> None:
        """Date what was passed in the future, because the clock was set back, to the present.

        Otherwise it and all that follows would stay until then.
        """
        now = self.now()
        if passed_at is not None and passed_at > now:
            self.connection.execute(
                "UPDATE batches SET passed_at = :now WHERE passed_at > :now", {"now": now}
            )

    def _delete(self, sequence: int, body: int, stored_bytes: int) -> None:
        self.connection.execute("DELETE FROM batches WHERE sequence = ?", (sequence,))
        self.state.used_bytes -= self.overhead_bytes
        others = self.connection.execute(
            "SELECT 1 FROM batches WHERE sequence = :body AND body = :body "
            "UNION ALL SELECT 1 FROM batches WHERE body = :body AND body <> sequence LIMIT 1",
            {"body": body},
        ).fetchone()
        if others is None:
            self.connection.execute("DELETE FROM bodies WHERE body = ?", (body,))
            self.state.used_bytes -= stored_bytes

    def _drop_oldest(self) -> bool:
        """Drop the oldest batch, though feeds wait for it; return whether there was one."""
        if self.settings.when_full != "drop_oldest":
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
                self.skip(feed, row)
                self.state.dropped[feed] = self.state.dropped.get(feed, 0) + records
        self._delete(sequence, body, stored_bytes)
        return True

    def skip(self, feed: str, row: FeedRow) -> None:
        """Advance a feed to the first batch it waits for: it holds up nothing before that."""
        if row.pending:
            found = self.connection.execute(
                f"SELECT sequence - 1 FROM batches WHERE sequence > :passed AND {WANTED} "  # noqa: S608 - a constant
                "ORDER BY sequence LIMIT 1",
                {"passed": row.passed, **wanted(feed, self.wanted[feed])},
            ).fetchone()
            row.passed = found[0] if found else row.passed

    def set_aside(self, sequence: int, reason: str) -> None:
        """Move a batch that can't be read back to where it holds up no feed."""
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
            (sequence, *place, self.now(), reason, found and found[0]),
        )
        self.connection.execute(
            "DELETE FROM damaged WHERE sequence NOT IN "
            "(SELECT sequence FROM damaged ORDER BY sequence DESC LIMIT ?)",
            (MAX_DAMAGED,),
        )

    def save(self) -> Saved:
        """Return what `restore` needs to undo what is done from now on."""
        return self.state.copy(), self.rejects.size

    def restore(self, saved: Saved) -> None:
        """Reset to what was known before the transaction, which was rolled back."""
        self.state, self.rejects.size = saved[0].copy(), saved[1]


def wanted(feed: str, sources: Collection[str]) -> dict[str, object]:
    """Return the values that `WANTED` needs."""
    return {"feed": feed, "sources": json.dumps(sorted(sources))}


def free_bytes(folder: Path) -> int:
    """Return how many bytes the file system of a folder has free for this user."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
