"""The spool on disk, as the event loop sees it; `nss.spool.durable.schema` describes the file.

All writing is done by one thread (`Committer`), which groups what waits into one transaction; what
is no longer in memory is read by another (`BatchReader`). What the committer has committed is
reported back in order, and only the event loop's thread touches what is kept here.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import IO, Self, cast

from nss.batch import Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import (
    At,
    Entry,
    Expectation,
    KeptReject,
    PendingLimit,
    ReasonCount,
    Reject,
    SpoolError,
    Trouble,
)
from nss.spool.cursors import Signal, least_passed
from nss.spool.durable import events, feed_rows, replay
from nss.spool.durable.accounts import Missing
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.cache import Cache
from nss.spool.durable.committer import AGAIN_SECS, Committer
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.feed_rows import Move
from nss.spool.durable.inflight import InFlight
from nss.spool.durable.opening import open_file
from nss.spool.durable.pace import Pace
from nss.spool.durable.patient_reader import PatientReader
from nss.spool.durable.reader import Lost
from nss.spool.durable.rejects import OVERHEAD_BYTES
from nss.spool.durable.replay import Retried
from nss.spool.durable.requests import Append, CommitReport, T, Work, fail
from nss.spool.durable.store import Appended, Store, free_bytes
from nss.spool.limits import why_waits

UNSAVED_BYTES = 8 << 20
"""How many bytes of rejects may wait for the committer; beyond, `advance` waits."""


class DurableSpool:
    """Holds batches in a SQLite file. Made with `open`."""

    durable = True

    def __init__(self, store: Store, lock: IO[bytes], at: At, again_secs: float) -> None:
        self.path = store.path
        self.now = store.now
        self.max_bytes = store.settings.max_bytes
        self.trouble: Trouble | None = None
        self.folder = str(store.path.parent)
        self.replay_secs = store.settings.replay_minutes * 60.0
        self.used_bytes = store.state.used_bytes
        self.kept_rejects = store.rejects.size[0]
        self.last_sequence = store.state.last_sequence
        self.sealed = False
        self.changed = Signal()
        self.cache = Cache()
        self._is_closed = False
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._positions = store.positions()
        self._known = {name: row.pending for name, row in store.state.feeds.items()}
        self._cursors: dict[str, DurableCursor] = {}
        self._in_flight = InFlight()
        self._unsaved_bytes = 0
        self._settled = Signal()
        self.taken = Signal()
        self._pace = Pace(self.cache, self._cursors, self.taken)
        self._waiting = 0
        self._reader = PatientReader(store.path, again_secs)
        self._committer = Committer(store, self._deliver, at, again_secs)
        self._note_missing(store.missing)

    @classmethod
    async def open(
        cls,
        settings: DurableSpoolConfig,
        *,
        now: Callable[[], float] = time.time,
        free_bytes: Callable[[Path], int] = free_bytes,
        overhead_bytes: int = 256,
        at: At = lambda _point: None,
        again_secs: float = AGAIN_SECS,
    ) -> Self:
        """Open or make the file. Raises `SpoolError`.

        `now` returns seconds since the epoch, `free_bytes` what the file system of a folder has
        free. A batch is charged `overhead_bytes` in addition to its blob. What failed is tried
        again after `again_secs`. `at` is a seam for crash tests.
        """
        store = Store(settings, now=now, free_bytes=free_bytes, overhead_bytes=overhead_bytes)
        opening = partial(open_file, store, at, again_secs)
        lock = await asyncio.get_running_loop().run_in_executor(None, opening)
        return cls(store, lock, at, again_secs)

    # The contract of a spool.

    async def append(self, batch: Batch) -> int:
        """Accept a batch; see the contract. Once its commit has begun it can't be cancelled."""
        await self._in_flight.enter(batch)
        future: asyncio.Future[int] = self._loop.create_future()
        future.add_done_callback(lambda _: self._in_flight.leave(batch))
        accepted, failed = partial(self._accepted, future), partial(fail, future)
        # The future is cancelled at once, long before the task that awaits it runs again.
        self._committer.ask(Append(batch, accepted, failed, future.cancelled))
        return await future

    async def keep_pace(self, source: str) -> None:
        """Wait while all feeds of a source are far behind; see the contract."""
        await self._pace.keep(source)

    def position(self, source: str) -> str | None:
        """Return the position of the last batch accepted from `source`."""
        return self._positions.get(source)

    async def cursor(
        self, feed: str, sources: Collection[str], limit: PendingLimit | None = None
    ) -> DurableCursor:
        """Return the cursor of a feed; see the contract."""
        made: list[DurableCursor] = []

        def registered(row: FeedRow) -> None:
            made.append(DurableCursor(self, feed, sources, row, limit))
            if (before := self._cursors.get(feed)) is not None:
                made[0].watch.take_over(before.watch)
            self._cursors[feed] = made[0]

        work = partial(feed_rows.register, feed=feed, sources=sources, limit=limit)
        await self._do(work, registered, writes=False)
        return made[0]

    async def forget(self, feed: str) -> None:
        """Remove a feed that is no longer configured; see the contract."""

        def gone(_: None) -> None:
            self._cursors.pop(feed, None)
            self._known.pop(feed, None)

        await self._do(partial(feed_rows.forget, feed=feed), gone, writes=False)

    def feeds(self) -> dict[str, int]:
        """Return the feeds known, each with its pending records."""
        return self._known | {
            name: cursor.pending_records for name, cursor in self._cursors.items()
        }

    async def replay(self, feed: str, since: float, until: float) -> int:
        """Have `feed` deliver again what was accepted between two times; see the contract."""
        self._check_replays()

        def replayed(records: int) -> None:
            if records:
                self._cursors[feed].accept(records, self.now())

        return await self._do(lambda store: replay.replay(store, feed, since, until), replayed)

    async def replayable(self, feed: str, since: float, until: float) -> int:
        """Return how many records `replay` would deliver again now; see the contract."""
        self._check_replays()
        work = partial(replay.replayable, feed=feed, since=since, until=until)
        return await self._do(work, writes=False)

    async def replay_range(self, feed: str) -> tuple[float, float] | None:
        """Return what times `feed` can replay; see the contract."""
        if not self.replay_secs:
            return None
        return await self._do(partial(replay.replay_range, feed=feed), writes=False)

    def _check_replays(self) -> None:
        if not self.replay_secs:
            raise SpoolError(
                "replay: the spool keeps nothing that was delivered",
                tip="set replay_minutes in [spool]",
            )

    async def rejects(self, feed: str | None = None, limit: int = 100) -> list[KeptReject]:
        """Return the newest rejects, of one feed or of all, oldest first."""
        return await self._do(lambda store: store.rejects.newest(feed, limit))

    async def reject_reasons(self, feed: str | None = None) -> list[ReasonCount]:
        """Return the kept rejects of a feed, or of all, counted by feed and reason."""
        return await self._do(lambda store: store.rejects.reasons(feed), writes=False)

    async def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        """Delete kept rejects, some in a transaction; see the contract."""

        def discard(after: int, store: Store) -> tuple[int, int]:
            return store.rejects.discard(feed, reason, after, upto)

        discarded = last = 0
        while last < upto:
            records, last = await self._do(partial(discard, last))
            discarded += records
        return discarded

    async def retry_rejects(
        self, feed: str | None = None, retrial: Expectation | None = None
    ) -> tuple[int, int]:
        """Have rejected records go through their feeds once more; see the contract."""

        def appended(step: Retried) -> None:
            for batch in step.appended:
                if retrial is not None:
                    retrial.expect(batch.entry.batch)
                self._note_appended(batch)

        upto = await self._do(lambda store: store.rejects.last_number())
        records, step = 0, Retried(feed)
        while not step.finished:
            work = partial(replay.retry_rejects, retried=step, upto=upto)
            step = await self._do(work, appended)
            records += sum(batch.entry.batch.records for batch in step.appended)
        return records, step.stay

    def passed_of(self, source: str) -> int:
        """Return up to where every feed of a source is past its batches; see the contract."""
        return least_passed(self._cursors.values(), source, self.last_sequence)

    def seal(self) -> None:
        """Expect no more batches: cursors end after the last."""
        self.sealed = True
        self.changed.notify()

    async def close(self) -> None:
        """Commit what is left to commit, and close the file.

        What still waits for something gets a `SpoolError`.
        """
        if self._is_closed:
            return
        self._is_closed = True
        await self._reader.close(self._committer.stop)  # last: it cleans up
        self._lock.close()
        self._broken(self._closed_error())

    async def settle(self) -> None:
        """Wait until all that was asked for is committed and reported."""
        await self._do(lambda _: None)

    @property
    def last_error(self) -> str | None:
        """Why nothing can be accepted now, as a sentence; `None` while all is well."""
        return None if self.trouble is None else str(self.trouble)

    @property
    def full(self) -> bool:
        """Whether an `append` is waiting for room now."""
        return self._waiting > 0

    def holds_up(self, source: str) -> str | None:
        """Return why a batch of a source would wait now; see the contract."""
        limited = [cursor.feed for cursor in self._cursors.values() if cursor.limits(source)]
        held = self._in_flight.held.get(source, ())
        return why_waits(full=self.full, limited=[*limited, *held])

    # What cursors ask for.

    async def read(
        self, after: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        """Read batches for a feed from the file; tries again while that fails."""
        return await self._reader.read(after, self.last_sequence, feed, sources)

    async def advance(self, cursor: DurableCursor, move: Move, undropped: int) -> None:
        """Have a move of a cursor committed; wait only while too much waits for that."""
        size = sum(len(reject.data) + OVERHEAD_BYTES for reject in move.rejects)
        self._unsaved_bytes += size

        def settled() -> None:
            self._unsaved_bytes -= size
            self._settled.notify()

        def advanced(counted: object) -> None:
            settled()
            if isinstance(counted, int):
                cursor.undropped(counted - undropped)

        def failed(error: BaseException) -> None:
            settled()
            self._broken(error)

        self._committer.ask(Work(lambda store: feed_rows.advance(store, move), advanced, failed))
        while self._unsaved_bytes > UNSAVED_BYTES:
            await self._settled.wait()

    def _note_missing(self, missing: Missing) -> None:
        """Keep a reject for each feed that records are missing for."""

        def keep(store: Store) -> None:
            for feed, records in missing.records.items():
                if records > 0:
                    reason = f"{records} accepted records are not in the spool any more"
                    store.rejects.keep(feed, [Reject("", "", reason, b"")])

        if missing.records:
            self._committer.ask(Work(keep, lambda _: None, self._broken))

    # What the committer reports.

    def _deliver(self, report: CommitReport) -> None:
        """Hand a report to the event loop; called by the committer's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
            self._loop.call_soon_threadsafe(self._received, report)

    def _received(self, report: CommitReport) -> None:
        for callback in report.callbacks:
            callback()
        self.last_sequence = report.last_sequence
        self.used_bytes = report.used_bytes
        self.kept_rejects = report.rejects
        self.trouble = report.trouble
        if report.reopened:
            self._reader.reopen()
        self._waiting = report.waiting
        for feed, records in report.dropped.items():
            events.records_dropped(feed, records)
        self._note_limits(report)
        if report.callbacks or report.passed:
            self.changed.notify()

    def _note_limits(self, report: CommitReport) -> None:
        self._in_flight.note_held(report.held)
        holding = frozenset[str]().union(*report.held.values())
        for feed, cursor in self._cursors.items():
            by_limit = report.dropped_by_limit.get(feed, 0)
            if feed in report.passed:
                records = report.dropped.get(feed, 0) + by_limit
                cursor.dropped(records, report.passed[feed])
            cursor.note_pending(*report.pending.get(feed, (0, 0)))
            cursor.watch.note(cursor.pending_bytes, waits=feed in holding, dropped=by_limit)

    def _accepted(self, future: "asyncio.Future[int]", appended: Appended) -> None:
        self._note_appended(appended)
        if not future.done():
            future.set_result(appended.entry.sequence)

    def _note_appended(self, appended: Appended) -> None:
        entry = appended.entry
        if entry.batch.position is not None:
            self._positions[entry.batch.source] = entry.batch.position
        self.cache.add(entry)
        for feed in appended.feeds:
            self._cursors[feed].accept(entry.batch.records, entry.accepted_at)

    def _broken(self, error: BaseException) -> None:
        """Note that work which nobody awaits has failed: the cursors raise it from now on."""
        for cursor in self._cursors.values():
            cursor.failure = error
        self.changed.notify()

    def _closed_error(self) -> SpoolError:
        return SpoolError(f"spool: it is closed ({self.path})")

    async def _do(
        self,
        work: Callable[[Store], T],
        done: Callable[[T], None] | None = None,
        *,
        writes: bool = True,
    ) -> T:
        """Have the committer do something; `done` gets the result in the order of commits."""
        future: asyncio.Future[T] = self._loop.create_future()

        def finished(result: T) -> None:
            if done is not None:
                done(result)
            if not future.done():
                future.set_result(result)

        self._committer.ask(
            Work(work, cast("Callable[[object], None]", finished), partial(fail, future), writes)
        )
        return await future
