"""The thread that writes: it commits together what waits, and tries again what failed.

Everything is done in the order it was asked for, except that a batch without room lets advances
and questions pass, since only they make room. What was done is reported once it is committed.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from nss.batch import Batch
from nss.spool import SpoolError, events, schema
from nss.spool.packing import Packed
from nss.spool.schema import At
from nss.spool.store import Appended, Saved, Store

AGAIN_SECS = 0.5
"""After an error of the disk, and while space is missing, how soon it is tried again."""

IDLE_SECS = 5.0
"""How often old batches are looked for while nothing else happens."""

CHECKPOINT_BYTES = 32 << 20
"""When the write-ahead log has grown by so much, it is carried over into the file."""

GROUP_BYTES = 16 << 20
"""A transaction takes no more than about so many bytes of records."""

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(slots=True, eq=False)
class Append:
    """A batch that wants to be accepted."""

    batch: Batch
    accepted: Callable[[Appended], None]
    failed: Callable[[BaseException], None]
    cancelled: bool = False
    packed: Packed | None = None


@dataclass(slots=True, eq=False)
class Work:
    """Anything else: `run` in a transaction, then `done` with what it returned."""

    run: Callable[[Store], object]
    done: Callable[[object], None]
    failed: Callable[[BaseException], None]


@dataclass(slots=True)
class Report:
    """What came of one transaction; the callbacks are for the thread that asked."""

    callbacks: list[Callable[[], None]] = field(default_factory=list)
    last_sequence: int = 0
    used_bytes: int = 0
    rejects: int = 0
    waiting: int = 0
    """Batches that wait for room."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Records dropped for room, by feed."""
    passed: dict[str, int] = field(default_factory=dict)
    """Where the cursors of these feeds are now."""
    last_error: str | None = None


class Committer:
    """Runs the store in a thread of its own. `tell` gets reports there, and must not block."""

    def __init__(self, store: Store, tell: Callable[[Report], None], at: At) -> None:
        self._store = store
        self._tell = tell
        self._at = at
        self._asked: deque[Append | Work] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._appends: deque[Append] = deque()
        self._works: deque[Work] = deque()
        self._unsaved_bytes = 0
        self._last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, what: Append | Work) -> None:
        """Have something done; any thread may ask."""
        with self._changed:
            self._asked.append(what)
            self._changed.notify()

    def stop(self) -> None:
        """Do what was asked for, if the disk lets it, and end; returns when it has."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._take():
                self._commit()
            self._commit()
            if self._works or self._appends:
                events.stopped_uncommitted(str(self._store.path), self._last_error or "no room")
            self._checkpoint("TRUNCATE")
        finally:
            self._store.connection.close()

    def _take(self) -> bool:
        """Wait for something to do; return False to end."""
        with self._changed:
            if self._last_error is not None:
                self._changed.wait_for(lambda: self._stopping, AGAIN_SECS)
            elif not self._asked and not self._stopping:
                self._changed.wait(AGAIN_SECS if self._appends else IDLE_SECS)
            while self._asked:
                one = self._asked.popleft()
                if isinstance(one, Append):
                    self._appends.append(one)
                else:
                    self._works.append(one)
            return not self._stopping

    def _commit(self) -> None:
        """Do what can be done now in one transaction, and report it."""
        saved = self._store.save()
        self._pack()
        try:
            report, left = self._transaction()
        except sqlite3.Error as error:
            self._undo(saved)
            self._failed(error)
        except _Refused as refused:
            self._undo(saved)
            self._works.remove(refused.work)
            self._tell(self._report([partial(refused.work.failed, refused.error)]))
        else:
            self._appends = left
            self._works.clear()
            self._tell(report)
            if self._unsaved_bytes > CHECKPOINT_BYTES:
                self._checkpoint("PASSIVE")

    def _pack(self) -> None:
        size = 0
        for one in self._appends:
            size += len(one.batch.data)
            if size > GROUP_BYTES:
                return
            if one.packed is None:
                one.packed = self._store.pack(one.batch.data)

    def _transaction(self) -> tuple[Report, deque[Append]]:
        """Return what came of it, and the batches that are left.

        Raises `sqlite3.Error` or `_Refused`, after which nothing of it holds.
        """
        store, callbacks = self._store, list[Callable[[], None]]()
        store.connection.execute("BEGIN IMMEDIATE")
        for work in self._works:
            callbacks.append(partial(work.done, _result(work, store)))
        left, problem = self._accept(callbacks)
        store.purge()
        store.save_feeds()
        store.give_back_pages()
        self._at("before commit")
        store.connection.execute("COMMIT")
        self._at("after commit")
        self._healthy(problem)
        report = self._report(callbacks)
        report.waiting = len(left)
        report.dropped, store.state.dropped = store.state.dropped, {}
        report.passed = {feed: store.state.feeds[feed].passed for feed in report.dropped}
        return report, left

    def _accept(self, callbacks: list[Callable[[], None]]) -> tuple[deque[Append], str | None]:
        """Write the batches that there is room for; return the others, and what is wrong."""
        left = deque(one for one in self._appends if not one.cancelled)
        if left and self._store.lacks_space():
            least = self._store.limits.min_free_bytes
            return left, f"the file system has less than {least} bytes free"
        while left and left[0].packed is not None:
            one, packed = left[0], left[0].packed
            if not self._store.make_room(len(packed.data)):
                break
            left.popleft()
            self._unsaved_bytes += len(packed.data)
            callbacks.append(partial(one.accepted, self._store.append(one.batch, packed)))
        return left, None

    def _report(self, callbacks: list[Callable[[], None]]) -> Report:
        state = self._store.state
        return Report(
            callbacks,
            last_sequence=state.last_sequence,
            used_bytes=state.used_bytes,
            rejects=self._store.rejects.size[0],
            waiting=len(self._appends),
            last_error=self._last_error,
        )

    def _undo(self, saved: Saved) -> None:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            self._store.connection.execute("ROLLBACK")
        self._store.restore(saved)

    def _failed(self, error: sqlite3.Error) -> None:
        """Keep everything for another try, unless the file itself is broken."""
        why = str(error)
        callbacks = list[Callable[[], None]]()
        self._last_error = f"spool: can't write: {why} ({self._store.path})"
        if error.sqlite_errorcode & 0xFF in _BROKEN:
            schema.suspect(self._store.path)
            broken = SpoolError(self._last_error, tip="start NSS again: it saves what is readable")
            events.broken(str(self._store.path), why)
            callbacks += [partial(one.failed, broken) for one in self._works]
            callbacks += [partial(one.failed, broken) for one in self._appends]
            self._works.clear()
            self._appends.clear()
        else:
            events.cannot_write(str(self._store.path), why)
        self._tell(self._report(callbacks))

    def _healthy(self, problem: str | None) -> None:
        """Tell when writing works again, or why nothing is accepted though it works."""
        path = self._store.path
        if problem is not None:
            events.cannot_write(str(path), problem)
            self._last_error = f"spool: nothing is accepted: {problem} ({path})"
        elif self._last_error is not None:
            self._last_error = None
            events.writes_again(str(path))

    def _checkpoint(self, kind: str) -> None:
        """Carry the log over into the file; if it can't be done now, it is later."""
        self._at("before checkpoint")
        with suppress(sqlite3.Error):
            self._store.connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()
            self._unsaved_bytes = 0
        self._at("after checkpoint")


class _Refused(Exception):  # noqa: N818 - it ends one piece of work
    """A piece of work can't be done, which is not the disk's fault."""

    def __init__(self, work: Work, error: Exception) -> None:
        self.work = work
        self.error = error


def _result(work: Work, store: Store) -> object:
    try:
        return work.run(store)
    except sqlite3.Error:
        raise
    except Exception as error:
        raise _Refused(work, error) from error
