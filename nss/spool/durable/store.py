"""The spool's tables and what is done with them; for one thread, inside transactions.

What the store knows in addition to the tables is reset with `restore` when a transaction fails.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nss.batch import Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import Entry, PendingLimit, Reject, Trouble
from nss.spool.durable import accounts, checking, troubles
from nss.spool.durable.accounts import WANTED, Missing, wanted
from nss.spool.durable.bookkeeping import FeedRow, Saved, State
from nss.spool.durable.ledger import Ledger, LedgerEntry
from nss.spool.durable.packing import Packed, Packer
from nss.spool.durable.rejects import RejectedBatch, RejectsTable
from nss.spool.durable.reserve import WORKING_BYTES, Reserve
from nss.spool.durable.schema import BODY_USES, MIGRATIONS, row_crc32

PURGE_ROWS = 64
"""How many batches are deleted in a transaction, so that none takes long."""

LOG_BYTES = 32 << 20
"""When the write-ahead log has grown by this much, it is checkpointed."""

SMALL_LOG_BYTES = 4 << 20
"""The same where space is short, as a small `min_free_bytes` says."""

VACUUM_PAGES = 256
"""How many free pages are given back in a transaction."""

VACUUM_MIN_BYTES = 64 << 20

_ROW_CRC32 = (
    "row_crc32('batches', sequence, source, connection, feed, records, data_bytes, stored_bytes, "
    "accepted_at, body, {passed_at})"
)

_NOTE_PASSED = (
    f"UPDATE batches SET passed_at = :now, crc32 = {_ROW_CRC32.format(passed_at=':now')} "  # noqa: S608 - constants
)

_NOTE_SOURCE = """
    INSERT INTO sources
        VALUES (:name, :position, :records, row_crc32('sources', :name, :position, :records))
    ON CONFLICT (name) DO UPDATE SET
        position = coalesce(excluded.position, position),
        accepted = accepted + excluded.accepted,
        crc32 = row_crc32('sources', name, coalesce(excluded.position, position),
            accepted + excluded.accepted)
"""


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
        # SQLite puts its files beside the one that a link leads to; so do we, and the lock holds
        # whatever the file is called.
        self.path = Path(os.path.realpath(settings.path))
        self.settings = settings
        self.overhead_bytes = overhead_bytes
        self.state = State()
        self.connection: sqlite3.Connection
        self.rejects: RejectsTable
        self.reserve = Reserve(self.path, free_bytes)
        self.ledger = Ledger(self.path, len(MIGRATIONS))
        self.missing = Missing()
        """What the file lacked when it was loaded."""
        self.wanted: dict[str, frozenset[str]] = {}
        """The sources of each feed that has a cursor."""
        self.limits: dict[str, PendingLimit] = {}
        """How much may be pending for each feed that has a limit."""
        self.now = now
        self.free_bytes = free_bytes
        self.log_bytes = min(LOG_BYTES, max(SMALL_LOG_BYTES, settings.min_free_bytes))
        """How large the write-ahead log becomes before it is checkpointed."""
        self.shrinking = False
        """Whether the file is giving space back that is needed outside."""
        self._packer = Packer()
        self._page_bytes = 0

    def load(self, connection: sqlite3.Connection, ledger: LedgerEntry | None) -> None:
        """Use a connection from now on, and read the state from its tables.

        What the ledger knows to be missing there is left in `missing`, and counts as rejected.
        """
        self.use(connection)
        (self._page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        state = State()
        state.last_sequence = checking.last_sequence(connection)
        (state.passed,) = connection.execute(
            "SELECT coalesce(max(sequence), 0) FROM batches WHERE passed_at IS NOT NULL"
        ).fetchone()
        (state.used_bytes,) = connection.execute(
            "SELECT coalesce(sum(size), 0) + (SELECT count(*) FROM batches) * ? "
            "FROM (SELECT max(stored_bytes) AS size FROM batches GROUP BY body)",
            (self.overhead_bytes,),
        ).fetchone()
        accounts.load_feeds(connection, state)
        accounts.load_lost_feeds(connection, state, ledger)
        self.missing = accounts.reconcile(connection, state, ledger, self.overhead_bytes)
        state.passed = min(state.passed, state.horizon - 1)  # whatever the batches say
        self.state = state

    def use(self, connection: sqlite3.Connection) -> None:
        """Use another connection from now on, to what is the same file, or a copy of it."""
        self.rejects = RejectsTable(connection, self.settings.rejects_max_bytes, self.now)
        self.connection = connection

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

    def unpack(self, packed: Packed, data_bytes: int) -> bytes:
        """Return the records of a blob. Raises `Damaged`."""
        return self._packer.unpack(packed, data_bytes)

    def make_room(self, stored_bytes: int) -> bool:
        """Delete what no feed waits for, as far as needed; return whether there is room.

        A batch larger than the limit fits alone. With `drop_oldest` there always is room.
        """
        most = self.settings.max_bytes - stored_bytes - self.overhead_bytes
        while self.state.used_bytes and self.state.used_bytes > most:
            if not self._delete_oldest() and not self._drop_oldest():
                return False
        return True

    def lacks_space(self, incoming_bytes: int) -> Trouble | None:
        """Return what is wrong if the file system would have less free than it must have.

        `incoming_bytes` are the blobs to be written. As with `make_room`, what no feed waits for is
        deleted first, and more with `drop_oldest`. `shrinking` says afterwards whether that is
        about to make space, with a few more calls.
        """
        self.shrinking = False
        try:
            problem = self._space_problem(incoming_bytes)
            if problem is None and not self.reserve.restore():
                folder = self.path.parent
                problem = troubles.no_reserve(folder, self.free_bytes(folder), WORKING_BYTES)
        except OSError as error:
            return troubles.unknown_space(self.path.parent, error)
        if problem is None:
            return None
        if self._free_inside():
            self._vacuum()
            self.shrinking = True
        return problem

    def _no_space(self) -> Trouble:
        folder = self.path.parent
        return troubles.no_space(folder, self.free_bytes(folder), self.settings.min_free_bytes)

    def _space_problem(self, incoming_bytes: int) -> Trouble | None:
        least = self.settings.min_free_bytes
        if not least:
            return None
        # The write-ahead log grows to its full size before it begins again, and then the file by
        # the pages that only the log has; what is incoming goes into both.
        log_grows = max(0, self.log_bytes - _size_of(self.path.with_name(f"{self.path.name}-wal")))
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        file_grows = max(0, pages * self._page_bytes - _size_of(self.path))
        grows = log_grows + file_grows + 2 * incoming_bytes
        outside = self.free_bytes(self.path.parent) - grows
        if outside + self._free_inside() + self.state.used_bytes < least:
            return self._no_space()  # others fill the disk: deleting all of ours would not help
        # Free pages inside of the file can be written without growing it.
        while outside + self._free_inside() < least:
            if not self._delete_oldest() and not self._drop_oldest():
                return self._no_space()
        # But the log can't use them: they are given back.
        return self._no_space() if log_grows and outside < least else None

    def _free_inside(self) -> int:
        (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        return int(free) * self._page_bytes

    def append(self, batch: Batch, packed: Packed) -> Appended:
        """Write a batch."""
        state, accepted_at = self.state, float(self.now())
        state.last_sequence = sequence = state.last_sequence + 1
        size = len(packed.data)
        self.connection.execute(
            "INSERT INTO bodies VALUES (?, ?, ?, ?)",
            (sequence, packed.codec, packed.crc32, packed.data),
        )
        row = (
            *(sequence, batch.source, batch.connection, batch.feed, batch.records),
            *(len(batch.data), size, accepted_at, sequence, None),
        )
        values = (*row, row_crc32("batches", *row))
        self.connection.execute(
            "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
        )
        state.used_bytes += size + self.overhead_bytes
        state.unclaimed = None
        if state.cursors_lost:
            self.connection.execute("UPDATE salvages SET cursors_lost = 0")
            state.cursors_lost = False
        if not batch.feed:
            self.connection.execute(
                _NOTE_SOURCE,
                {"name": batch.source, "position": batch.position, "records": batch.records},
            )
        feeds = self.wanting(batch)
        for feed in feeds:
            self.note_accepted(feed, sequence, batch.records, size + self.overhead_bytes)
        return Appended(Entry(sequence, batch, accepted_at), feeds)

    def wanting(self, batch: Batch) -> list[str]:
        """Return the feeds that a batch is for."""
        return [
            feed
            for feed, sources in self.wanted.items()
            if batch.source in sources and batch.feed in ("", feed)
        ]

    def note_accepted(self, feed: str, sequence: int, records: int, charged_bytes: int) -> None:
        """Note that records were accepted for a feed, the first of them with this sequence.

        `charged_bytes` is what their batches take, and are charged in addition.
        """
        row = self.state.feeds[feed]
        if not row.pending:
            row.passed = sequence - 1  # nothing in between is for it
        row.accepted += records
        row.pending += records
        row.pending_bytes += charged_bytes
        self.state.changed.add(feed)

    def purge(self) -> bool:
        """Delete batches that all feeds passed before the time that replays may reach back to.

        Returns whether there may be more of them.
        """
        passed = self.state.horizon - 1
        if passed > self.state.passed:
            self.connection.execute(
                f"{_NOTE_PASSED} WHERE sequence > :after AND sequence <= :upto "
                "AND passed_at IS NULL",
                {"now": float(self.now()), "after": self.state.passed, "upto": passed},
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
            self._vacuum()

    def _vacuum(self) -> None:
        # Python steps the statement once, and each step gives back one page.
        for _ in range(min(VACUUM_PAGES, self._free_inside() // self._page_bytes)):
            self.connection.execute("PRAGMA incremental_vacuum(1)")

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
        now = float(self.now())
        if passed_at is not None and passed_at > now:
            self.connection.execute(f"{_NOTE_PASSED} WHERE passed_at > :now", {"now": now})

    def _delete(self, sequence: int, body: int, stored_bytes: int) -> None:
        self.connection.execute("DELETE FROM batches WHERE sequence = ?", (sequence,))
        self.state.used_bytes -= self.overhead_bytes
        used = {use for (use,) in self.connection.execute(BODY_USES, {"body": body})}
        if "batch" not in used:
            self.state.used_bytes -= stored_bytes
        if not used:
            self.connection.execute("DELETE FROM bodies WHERE body = ?", (body,))

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
            if source in self.wanted.get(feed, row.sources) and only_feed in ("", feed):
                row.account.dropped += records
                row.pending -= records
                row.pending_bytes -= stored_bytes + self.overhead_bytes
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
                {"passed": row.passed, **wanted(feed, self.wanted.get(feed, row.sources))},
            ).fetchone()
            row.passed = found[0] if found else row.passed

    def set_aside(self, feed: str, sequence: int, reject: Reject) -> None:
        """Keep a batch that can't be read back now as a reject of a feed, for a later retry."""
        row = self.connection.execute(
            "SELECT body, records, data_bytes, stored_bytes FROM batches WHERE sequence = ?",
            (sequence,),
        ).fetchone()
        if row is None:  # it was dropped meanwhile
            self.rejects.keep(feed, [reject])
        else:
            self.rejects.keep_batch(feed, reject, RejectedBatch(*row))

    def save(self) -> Saved:
        """Return what `restore` needs to undo what is done from now on."""
        return self.state.copy(), self.rejects.size

    def restore(self, saved: Saved) -> None:
        """Reset to what was known before the transaction, which was rolled back."""
        self.state, self.rejects.size = saved[0].copy(), saved[1]


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def free_bytes(folder: Path) -> int:
    """Return how many bytes the file system of a folder has free for this user."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
