"""The thread that writes: it commits what waits in one transaction, and retries what failed.

Everything is done in the order it was asked for, except that a batch without room lets all other
work pass, since only that makes room. What was done is reported once it is committed.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from nss.errors import unplanned
from nss.spool import At, SpoolError, Trouble
from nss.spool.durable import events, feed_rows, schema, suspicion, troubles
from nss.spool.durable.admitting import incoming_bytes, write_fitting
from nss.spool.durable.files import Files
from nss.spool.durable.packing import Packed
from nss.spool.durable.requests import Append, CommitReport, Work
from nss.spool.durable.store import Store

AGAIN_SECS = 0.5
"""How soon to retry after an error of the disk, and while there is no space."""

BROKEN_LOOKS = 16
"""How often in a row the file must look broken, each time to a new connection: for 8 seconds."""

FILES_SECS = 1.0
"""How often to see whether the files are still those in the folder."""

COMMIT_BYTES = 128 << 10
"""What a transaction is assumed to write to the write-ahead log in addition to its blobs."""

PURGE_PAUSE_SECS = 0.02
"""The pause between transactions while there are many old batches to delete."""

_UNSTORABLE = (sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
"""SQLite does not store such a value."""

T = TypeVar("T")


class Committer:
    """Runs the store in a thread of its own. `report` is called there, and must not block."""

    def __init__(
        self,
        store: Store,
        report: Callable[[CommitReport], None],
        at: At,
        again_secs: float = AGAIN_SECS,
    ) -> None:
        self._store = store
        self._report = report
        self._at = at
        self._again_secs = again_secs
        self._asked: deque[Append | Work] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._appends: deque[Append] = deque()
        self._works: deque[Work] = deque()
        self._held: dict[str, frozenset[str]] = {}
        """Sources whose batches wait for the limits of feeds, each with these feeds."""
        self._saved = store.save()
        self._unsaved_bytes = 0
        self._purging = False
        self._ended: SpoolError | None = None
        self._looks = 0
        """How often in a row the file has looked broken."""
        self._files = Files(store)
        self._files_at = 0.0
        """When they were looked at, by the clock of `time.monotonic`."""
        self._trouble: Trouble | None = None
        self._pausing = False
        """Whether to wait after an error of the disk; otherwise `ask` wakes the thread."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def ask(self, what: Append | Work) -> None:
        """Have something done, from any thread. When the committer has ended, it fails at once."""
        with self._changed:
            ended = self._ended
            if ended is None:
                self._asked.append(what)
                self._changed.notify()
        if ended is not None:
            what.failed(ended)

    def stop(self) -> None:
        """Do what was asked for, if the disk allows it, and end; return once that is done."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        ended = SpoolError(f"spool: it is closed ({self._store.path})")
        try:
            while self._take():
                self._commit()
            self._commit()
            if self._works:
                events.stopped_uncommitted(str(self._store.path), str(self._trouble))
            elif not suspicion.is_suspect(self._store.path):
                suspicion.forget(self._store.path)
            if self._store.reserve.is_spent:
                self._leave_log()
            else:
                self._checkpoint("TRUNCATE")
        except BaseException as error:  # noqa: BLE001 - nothing else would report it
            ended = self._gave_up(error)
        finally:
            self._end(ended)
            with suppress(sqlite3.Error):
                self._store.connection.close()
            self._store.ledger.close()
            self._files.close()

    def _gave_up(self, error: BaseException) -> SpoolError:
        """Report that nothing is written any more. The error's text may quote a record."""
        reason = unplanned(error)
        events.gave_up(str(self._store.path), reason)
        if self._store.connection.in_transaction:
            self._undo()
        why = f"nothing is written any more: {reason} ({self._store.path})"
        self._trouble = Trouble("gave_up", why)
        return SpoolError(f"spool: {why}", tip="start NSS again, and report this as a bug")

    def _end(self, ended: SpoolError) -> None:
        """Fail what was not done, and whatever is asked for from now on."""
        with self._changed:
            self._ended = ended
            left = [*self._works, *self._appends, *self._asked]
            self._works.clear()
            self._appends.clear()
            self._asked.clear()
        self._report(self._result([partial(request.failed, ended) for request in left]))

    def _take(self) -> bool:
        """Wait for something to do; return False to end."""
        with self._changed:
            if self._pausing:
                self._changed.wait_for(lambda: self._stopping, self._again_secs)
            elif not self._asked and not self._stopping:
                self._changed.wait(self._wait_secs)
            while self._asked:
                request = self._asked.popleft()
                if isinstance(request, Append):
                    self._appends.append(request)
                else:
                    self._works.append(request)
            return not self._stopping

    @property
    def _wait_secs(self) -> float:
        if self._purging or self._store.shrinking:
            return PURGE_PAUSE_SECS
        return self._again_secs if self._appends or self._trouble else FILES_SECS

    def _commit(self) -> None:
        """Do what can be done now, and report it."""
        self._keep_files()
        for append in self._appends:
            if append.packed is None:
                append.packed = self._store.pack(append.batch.data)
        while not self._finished():
            continue  # without what failed

    def _finished(self, *, accepting: bool = True) -> bool:
        """Do all of it in one transaction; return whether there is nothing more to do now.

        If the disk refuses, all but new batches: a feed that advances may make room.
        """
        self._saved = self._store.save()
        try:
            report, left = self._transaction(accepting=accepting)
        except _WorkFailed as failure:
            self._undo()
            self._remove(failure)
            return False
        except sqlite3.Error as error:
            self._undo()
            has_space = self._failed(error, looks=int(accepting))
            if not accepting or not (self._appends or has_space):
                return True
            return self._finished(accepting=False)
        self._appends = left
        self._works.clear()
        self._looks = 0 if accepting else self._looks
        self._report(report)
        if self._trouble is not None or self._store.shrinking:
            self._checkpoint("TRUNCATE")  # the log's space is worth more outside
        elif self._unsaved_bytes > self._store.log_bytes:
            self._checkpoint("PASSIVE")
        return True

    def _transaction(self, *, accepting: bool) -> tuple[CommitReport, deque[Append]]:
        """Return the result, and the batches that are left.

        Raises `sqlite3.Error` or `_WorkFailed`; then nothing of it holds.
        """
        store, callbacks = self._store, list[Callable[[], None]]()
        store.connection.execute("BEGIN IMMEDIATE")
        for work in self._works:
            result = _attempt(work, partial(work.run, store))
            callbacks.append(partial(work.done, result))
        left, trouble = self._accept(callbacks) if accepting else (self._appends, None)
        self._purging = store.purge()
        feed_rows.save(store)
        store.give_back_pages()
        self._at("before commit")
        store.connection.execute("COMMIT")
        self._at("after commit")
        store.ledger.write(store.state)
        self._unsaved_bytes += COMMIT_BYTES
        if accepting:
            self._healthy(trouble)
        report, state = self._result(callbacks), store.state
        report.waiting = sum(append.batch.source not in self._held for append in left)
        report.dropped, state.dropped = state.dropped, {}
        report.dropped_by_limit, state.dropped_by_limit = state.dropped_by_limit, {}
        dropped = {**report.dropped, **report.dropped_by_limit}
        report.passed = {feed: state.feeds[feed].passed for feed in dropped}
        return report, left

    def _accept(self, callbacks: list[Callable[[], None]]) -> tuple[deque[Append], Trouble | None]:
        """Write the batches that there is room for; return the others, and what is wrong."""
        left = deque(append for append in self._appends if not append.is_cancelled())
        self._held = {}
        # Check for the problem even when nothing waits: a sender may have given up by now.
        if self._files.problem is not None:
            return left, troubles.files_lost(self._store.path, self._files.problem)
        if not left and self._trouble is None:
            self._store.shrinking = False  # nobody needs the space any more
        else:
            trouble = self._store.lacks_space(incoming_bytes(self._store, left))
            if trouble is not None:
                return left, None if self._store.shrinking and not self._trouble else trouble

        def write(append: Append, packed: Packed) -> None:
            self._unsaved_bytes += len(packed.data)
            appended = _attempt(append, partial(self._store.append, append.batch, packed))
            callbacks.append(partial(append.accepted, appended))

        waiting, self._held = write_fitting(self._store, left, write)
        return waiting, None

    def _result(self, callbacks: list[Callable[[], None]]) -> CommitReport:
        state = self._store.state
        return CommitReport(
            callbacks,
            last_sequence=state.last_sequence,
            used_bytes=state.used_bytes,
            rejects=self._store.rejects.size[0],
            waiting=len(self._appends),
            held=self._held if self._appends else {},
            pending={feed: (row.pending, row.pending_bytes) for feed, row in state.feeds.items()},
            trouble=self._trouble,
        )

    def _remove(self, failure: "_WorkFailed") -> None:
        """Remove what can't be done, whatever the disk does."""
        if isinstance(failure.what, Append):
            self._appends.remove(failure.what)
        else:
            self._works.remove(failure.what)
        self._report(self._result([partial(failure.what.failed, failure.error)]))

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            self._store.connection.execute("ROLLBACK")
        self._store.restore(self._saved)

    def _failed(self, error: sqlite3.Error, looks: int) -> bool:
        """Keep everything for another try, unless the file itself is broken.

        `looks` is how many looks at the file this counts as. Returns whether there is space now
        that was not there before.
        """
        path, reason = str(self._store.path), str(error)
        is_broken = schema.is_damage(error)  # or it was read wrongly, once
        self._trouble = troubles.of_error(error, self._store.path, self._store.free_bytes)
        callbacks = list[Callable[[], None]]()
        self._looks = self._looks + looks if is_broken else 0
        self._pausing = True
        if looks and self._looks == BROKEN_LOOKS:
            suspicion.suspect(self._store.path)
            events.broken(path, reason)
        if is_broken or schema.is_of_connection(error):
            self._reconnect()
        if looks and self._looks >= BROKEN_LOOKS:
            broken = SpoolError(
                f"spool: {self._trouble}", tip="start NSS again: it saves what is readable"
            )
            for waiting in (self._works, self._appends):
                callbacks += [partial(request.failed, broken) for request in waiting]
                waiting.clear()
        else:
            events.cannot_write(path, reason)
            callbacks += self._without_writing()
        self._report(self._result(callbacks))
        is_full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        return is_full and self._store.reserve.spend()

    def _reconnect(self) -> None:
        if not self._files.are_in_place():
            return  # a new connection would open others
        with suppress(sqlite3.Error):  # the next transaction fails, and it is tried again
            # The old connection stays until there is another: closing it may remove the log.
            old = self._store.connection
            self._store.use(schema.connect(self._store.path))
            old.close()

    def _without_writing(self) -> list[Callable[[], None]]:
        """Do what is first in line and writes nothing; return its callbacks.

        A feed that starts needs no commit: what it does is written as soon as that is possible.
        """
        callbacks, connection = list[Callable[[], None]](), self._store.connection
        with suppress(sqlite3.Error):
            connection.execute("BEGIN")
            while self._works and not self._works[0].writes:
                work, saved = self._works[0], self._store.save()
                try:
                    told = partial(work.done, _attempt(work, partial(work.run, self._store)))
                except sqlite3.Error:
                    self._store.restore(saved)
                    break
                except _WorkFailed as failure:
                    self._store.restore(saved)
                    told = partial(work.failed, failure.error)
                callbacks.append(told)
                self._works.popleft()
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        return callbacks

    def _keep_files(self) -> None:
        """See whether the files are still those in the folder; write them again if they can be."""
        now = time.monotonic()
        if now < self._files_at + FILES_SECS:
            return
        self._files_at = now
        self._store.ledger.keep()
        if self._files.are_in_place():
            return
        if self._files.restore():
            self._report(replace(self._result([]), reopened=True))

    def _healthy(self, trouble: Trouble | None) -> None:
        """Report when writing works again, or why nothing is accepted although it works."""
        path = self._store.path
        self._pausing = False
        if trouble is not None:
            events.cannot_write(str(path), trouble.why)
            self._trouble = trouble
        elif self._trouble is not None:
            self._trouble = None
            if not self._stopping:
                events.writes_again(str(path))

    def _leave_log(self) -> None:
        """Close the file and leave its write-ahead log: the next start has no space for another.

        SQLite removes it when the last connection is closed, unless that one only reads.
        """
        self._checkpoint("PASSIVE")
        with suppress(sqlite3.Error), closing(schema.connect_reader(self._store.path)) as reader:
            reader.execute("SELECT count(*) FROM sources").fetchone()
            self._store.connection.close()

    def _checkpoint(self, kind: str) -> None:
        """Checkpoint the write-ahead log; if that fails, a later checkpoint does it."""
        self._at("before checkpoint")
        with suppress(sqlite3.Error):
            self._store.connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()
            self._unsaved_bytes = 0
        self._at("after checkpoint")


class _WorkFailed(Exception):  # noqa: N818 - it ends a single request
    """A request can't be carried out, and the disk is not the reason."""

    def __init__(self, what: Append | Work, error: Exception) -> None:
        self.what = what
        self.error = error


def _attempt(what: Append | Work, run: Callable[[], T]) -> T:
    """Return what `run` returns. Raises `sqlite3.Error` for the disk, else `_WorkFailed`."""
    try:
        return run()
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _UNSTORABLE):
            raise
        raise _WorkFailed(what, error) from error
