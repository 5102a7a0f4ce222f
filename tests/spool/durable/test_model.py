"""Random histories of a durable spool, with crashes, against a model that remembers everything."""

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import PendingLimit, Reject
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.spool import DurableSpool

SOURCES = {"web only": ("web",), "all": ("web", "dns")}
NAMES = st.sampled_from(sorted(SOURCES))

WHOLE = 1 << 16
SHARE = st.integers(0, WHOLE)
"""How much of something to take. How much there is depends on threads, so it can't be drawn from:
Hypothesis wants to be asked the same whenever it answers the same."""
SHARES = st.tuples(SHARE, SHARE, SHARE, st.integers(0, 2))
Shares = tuple[int, int, int, int]
OVERHEAD_BYTES = 10
MIN_FREE_BYTES = 1 << 30
PLENTY = 1 << 40

T = TypeVar("T")


@dataclass
class Kept:
    """A batch that a feed has yet to pass."""

    sequence: int
    batch: Batch
    dropped: bool = False


def part(share: int, low: int, high: int) -> int:
    """Return a number from `low` to `high`, by a share."""
    return low + (high - low) * share // WHOLE


@dataclass
class Follower:
    """What a feed should have, and its cursor."""

    cursor: DurableCursor
    account: Account = field(default_factory=Account)
    accepted: int = 0
    returned: int = 0
    unpassed: list[Kept] = field(default_factory=list)

    @property
    def pending(self) -> int:
        return sum(batch.batch.records for batch in self.unpassed if not batch.dropped)


@dataclass
class Step:
    """An advance, and what it should come to."""

    name: str
    sequence: int
    done: Account
    rejects: list[Reject]


class DurableSpoolAgainstModel(RuleBasedStateMachine):
    """Everything that was settled must hold, whatever happens to the process after."""

    drop_oldest = False
    limits: Mapping[str, PendingLimit] = {}
    """Of feeds that drop their oldest records themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "spool.db"
        self.time = 1_000_000.0
        self.free_bytes = PLENTY
        self.crash_at = ""
        self.count = 0
        self.sequence = 0
        self.accepted: dict[int, Batch] = {}
        self.positions: dict[str, str] = {}
        self.feeds: dict[str, Follower] = {}
        self.waiting: list[tuple[Batch, asyncio.Task[int]]] = []

    @initialize(replay_minutes=st.sampled_from([0, 2]), max_bytes=st.integers(1000, 9000))
    def open(self, replay_minutes: int, max_bytes: int) -> None:
        self.settings = DurableSpoolConfig(
            path=self.path,
            max_bytes=max_bytes,
            min_free_bytes=MIN_FREE_BYTES,
            when_full="drop_oldest" if self.drop_oldest else "wait",
            replay_minutes=replay_minutes,
            rejects_max_bytes=2000,
        )
        self._open()
        for name in SOURCES:
            self.feeds[name] = Follower(self._cursor(name))

    def teardown(self) -> None:
        self._abandon_waiting()
        self._run(self.spool.close())
        self._run(self._turns())
        self.loop.close()
        shutil.rmtree(self.folder)

    # What may happen.

    @rule(
        source=st.sampled_from(["web", "dns", "ftp"]),
        connection=st.sampled_from(["", "a"]),
        sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    )
    def append(self, source: str, connection: str, sizes: list[int]) -> None:
        self.waiting.append(self._append(source, connection, sizes))

    @rule(share=SHARE)
    def cancel_an_append(self, share: int) -> None:
        if self.waiting:
            self.waiting.pop(part(share, 0, len(self.waiting) - 1))[1].cancel()

    @rule(name=NAMES, count=st.integers(1, 4))
    def read(self, name: str, count: int) -> None:
        feed = self.feeds[name]
        following = [e for e in feed.unpassed if e.sequence > feed.returned and not e.dropped]
        for expected in following[:count]:
            entry = self._run(feed.cursor.next())
            seen = entry.batch
            assert (entry.sequence, seen.source, seen.connection, seen.records, seen.data) == (
                expected.sequence,
                expected.batch.source,
                expected.batch.connection,
                expected.batch.records,
                expected.batch.data,
            )
            feed.returned = entry.sequence

    @rule(name=NAMES, shares=SHARES)
    def advance(self, name: str, shares: Shares) -> None:
        step = self._begin_step(name, shares)
        if step is not None:
            self._finish_step(step)

    @rule(seconds=st.integers(1, 80))
    def wait(self, seconds: int) -> None:
        self.time += seconds

    @rule(name=NAMES)
    def take_cursor_again(self, name: str) -> None:
        self._take_cursor(name)

    @rule(name=NAMES)
    def forget_and_begin_anew(self, name: str) -> None:
        self._abandon_waiting()
        self._run(self.spool.forget(name))
        del self.feeds[name]
        waited_for = [e.sequence for f in self.feeds.values() for e in f.unpassed if not e.dropped]
        first = min(waited_for, default=self.sequence + 1)
        feed = Follower(self._cursor(name))
        for sequence, only in self._rows("sequence, feed FROM batches"):
            batch = self.accepted[sequence]
            if sequence >= first and only in {"", name} and batch.source in SOURCES[name]:
                feed.unpassed.append(Kept(sequence, batch))
        feed.accepted = feed.pending
        self.feeds[name] = feed

    @precondition(lambda self: self.settings.replay_minutes)
    @rule(name=NAMES)
    def replay(self, name: str) -> None:
        pending = {batch.sequence for batch in self.feeds[name].unpassed}
        kept = [
            self.accepted[sequence]
            for sequence, body, only in self._rows("sequence, body, feed FROM batches")
            if sequence == body
            and sequence not in pending
            and only in {"", name}
            and self.accepted[sequence].source in SOURCES[name]
        ]
        assert self._run(self.spool.replay(name, 0, self.time)) == sum(b.records for b in kept)
        for batch in kept:
            self._accepted(batch, name)

    @rule(name=NAMES)
    def retry_rejects(self, name: str) -> None:
        kept = self._run(self.spool.rejects(name, 1000))
        self._abandon_waiting()
        assert self._run(self.spool.retry_rejects(name)) == (len(kept), 0)
        query = f"source, connection, records FROM batches WHERE sequence > {self.sequence}"
        rows = self._rows(query, "sequence")
        left = iter(kept)
        for source, connection, records in rows:
            rejects = [next(left).reject for _ in range(records)]
            assert {(reject.source, reject.connection) for reject in rejects} == {
                (source, connection)
            }
            data = b"".join(reject.data + b"\n" for reject in rejects)
            self._accepted(Batch(source, data, records, None, connection), name)
        assert list(left) == []
        assert self._run(self.spool.rejects(name)) == []

    @rule()
    def close_and_open(self) -> None:
        self._abandon_waiting()
        self._run(self.spool.close())
        self._open()
        for name in self.feeds:
            self._take_cursor(name)

    @rule(
        point=st.sampled_from(["before commit", "after commit"]),
        sources=st.lists(st.sampled_from(["web", "dns"]), max_size=3),
        name=NAMES,
        shares=SHARES,
        cut_share=SHARE,
        torn=st.binary(max_size=20),
    )
    def crash(
        self,
        point: str,
        sources: list[str],
        name: str,
        shares: Shares,
        cut_share: int,
        torn: bytes,
    ) -> None:
        self._abandon_waiting()
        settled_bytes = self._log(self.path).stat().st_size
        self.crash_at = point
        step = self._begin_step(name, shares)
        asked = [self._append(source, "", [5]) for source in sources]
        self._settle()
        self._run(self.spool.close())
        self._run(self._turns())
        assert [task.done() for _, task in asked] == [True] * len(asked)
        for _, task in asked:
            task.exception()  # those without room: the spool is closed
        log = self._log(self.path)
        written = log.read_bytes()
        cut = part(cut_share, min(settled_bytes, len(written)), len(written))
        log.write_bytes(written[:cut] + torn)
        self._open()
        self._find_out([batch for batch, _ in asked], step)
        for feed in self.feeds:
            self._take_cursor(feed)

    @rule(sources=st.lists(st.sampled_from(["web", "dns"]), min_size=1, max_size=3))
    def disk_fills_and_space_returns(self, sources: list[str]) -> None:
        self._limit_pages(1)
        self.waiting += [self._append(source, "", [400] * 20) for source in sources]
        self._run(self._turns())
        self._limit_pages(1 << 30)
        self._until(lambda: self.spool.last_error is None)

    @rule(sources=st.lists(st.sampled_from(["web", "dns"]), min_size=1, max_size=3))
    def space_is_short_and_returns(self, sources: list[str]) -> None:
        self.free_bytes = 0
        self.waiting += [self._append(source, "", [3]) for source in sources]
        self._until(lambda: self.spool.last_error is not None)
        self._settle()
        assert not any(task.done() for _, task in self.waiting)
        self.free_bytes = PLENTY
        self._until(lambda: self.spool.last_error is None)

    # What always holds.

    @invariant()
    def agrees(self) -> None:
        if not self.feeds:
            return
        self._catch_up()
        for feed in self.feeds.values():
            cursor = feed.cursor
            assert cursor.account == feed.account
            assert (cursor.accepted_records, cursor.pending_records) == (
                feed.accepted,
                feed.pending,
            )
            assert feed.accepted + feed.account.unpacked == feed.account.done + feed.pending
        assert (self.spool.last_error, self.spool.full) == (None, bool(self.waiting))
        if not any(feed.pending for feed in self.feeds.values()):
            assert self.waiting == []
        for source, position in self.positions.items():
            assert self.spool.position(source) == position
        self._tables_agree()

    def _tables_agree(self) -> None:
        batches = self._rows("sequence, source, feed, records, body, stored_bytes FROM batches")
        for name, passed, accepted, *numbers in self._rows(
            "feed, passed, accepted, delivered, filtered, rejected, dropped, shortened, unpacked "
            "FROM cursors"
        ):
            feed = self.feeds[name]
            left = [
                (records, stored_bytes + OVERHEAD_BYTES)
                for sequence, source, only, records, _, stored_bytes in batches
                if sequence > passed and source in SOURCES[name] and only in {"", name}
            ]
            assert (accepted, Account(*numbers), sum(records for records, _ in left)) == (
                feed.accepted,
                feed.account,
                feed.pending,
            )
            assert feed.cursor.pending_bytes == sum(charged for _, charged in left)
        bodies = {body: stored_bytes for *_, body, stored_bytes in batches}
        assert self.spool.used_bytes == sum(bodies.values()) + OVERHEAD_BYTES * len(batches)
        assert {body for (body,) in self._rows("body FROM bodies")} == set(bodies)

    # What the model does.

    def _catch_up(self) -> None:
        """Accept what the spool has accepted, in order, and drop what it has dropped."""
        self._settle()
        while self.waiting and self.waiting[0][1].done():
            batch, task = self.waiting.pop(0)
            self._accepted(batch)
            assert task.result() == self.sequence
        assert not any(task.done() for _, task in self.waiting)
        self._drop()

    def _accepted(self, batch: Batch, only: str = "") -> None:
        self.sequence += 1
        self.accepted[self.sequence] = batch
        if not only and batch.position is not None:
            self.positions[batch.source] = batch.position
        for name, feed in self.feeds.items():
            if only in {"", name} and batch.source in SOURCES[name]:
                feed.accepted += batch.records
                feed.unpassed.append(Kept(self.sequence, batch))

    def _drop(self) -> None:
        there = {sequence for (sequence,) in self._rows("sequence FROM batches")}
        passed = dict(self._rows("feed, passed FROM cursors"))
        for name, feed in self.feeds.items():
            for batch in feed.unpassed:
                gone = batch.sequence not in there or batch.sequence <= passed.get(name, 0)
                if gone and not batch.dropped:
                    assert self.drop_oldest or name in self.limits
                    batch.dropped = True
                    feed.account.dropped += batch.batch.records
            feed.unpassed = [
                batch
                for batch in feed.unpassed
                if not batch.dropped or batch.sequence <= feed.returned
            ]

    def _begin_step(self, name: str, shares: Shares) -> Step | None:
        """Advance a cursor over some of what it has returned."""
        feed = self.feeds[name]
        read = [batch for batch in feed.unpassed if batch.sequence <= feed.returned]
        if not read:
            return None
        of_read, of_bad, of_filtered, unpacked = shares
        passed = read[: part(of_read, 1, len(read))]
        lines = [(batch.batch, line) for batch in passed for line in batch.batch.data.splitlines()]
        bad = lines[: part(of_bad, 0, min(3, len(lines)))]
        filtered = part(of_filtered, 0, len(lines) - len(bad))
        delivered = len(lines) - len(bad) - filtered + unpacked
        done = Account(delivered, filtered, len(bad), 0, min(1, delivered), unpacked)
        rejects = [Reject(batch.source, batch.connection, "bad", line) for batch, line in bad]
        step = Step(name, passed[-1].sequence, done, rejects)
        self._run(feed.cursor.advance(step.sequence, done, rejects))
        return step

    def _finish_step(self, step: Step) -> None:
        feed = self.feeds[step.name]
        passed = [batch for batch in feed.unpassed if batch.sequence <= step.sequence]
        feed.unpassed = feed.unpassed[len(passed) :]
        feed.account.add(step.done)
        feed.account.dropped -= sum(batch.batch.records for batch in passed if batch.dropped)

    def _take_cursor(self, name: str) -> None:
        feed = self.feeds[name]
        feed.cursor = self._cursor(name)
        self._catch_up()
        feed.unpassed = [batch for batch in feed.unpassed if not batch.dropped]
        feed.returned = 0

    def _find_out(self, asked: Sequence[Batch], step: Step | None) -> None:
        """Learn what of it was committed before the crash: all that was settled, and maybe more."""
        query = f"source, data, feed FROM batches JOIN bodies USING (body) WHERE sequence > {self.sequence}"  # noqa: E501
        rows = self._rows(query, "sequence")
        for (source, _, only), batch in zip(rows, asked, strict=False):
            assert (source, only) == (batch.source, "")
        assert len(rows) <= len(asked)
        for batch in asked[: len(rows)]:
            self._accepted(batch)
        if step is not None:
            feed, done = self.feeds[step.name], step.done
            query = "delivered, filtered, rejected, unpacked FROM cursors WHERE feed = ?"
            (found,) = self._rows(query, "1", step.name)
            before = feed.account
            if found != (before.delivered, before.filtered, before.rejected, before.unpacked):
                assert done.done
                self._finish_step(step)
        self._drop()

    # How it is done.

    def _cursor(self, name: str) -> DurableCursor:
        return self._run(self.spool.cursor(name, SOURCES[name], self.limits.get(name)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    async def _turns(self) -> None:
        for _ in range(10 + 4 * len(self.waiting)):
            await asyncio.sleep(0)

    def _settle(self) -> None:
        for _ in range(2):
            self._run(self._turns())
            self._run(self.spool.settle())

    def _until(self, reached: Callable[[], bool]) -> None:
        async def polled() -> None:
            while not reached():  # noqa: ASYNC110 - there is nothing to wait for
                await asyncio.sleep(0.001)

        self._run(polled())

    def _open(self) -> None:
        opening = DurableSpool.open(
            replace(self.settings, path=self.path),
            now=lambda: self.time,
            free_bytes=lambda _: self.free_bytes,
            overhead_bytes=OVERHEAD_BYTES,
            at=self._at,
            again_secs=0.002,
        )
        self.spool = self._run(opening)

    def _at(self, point: str) -> None:
        """In the committer's thread: leave the files as a crash at this point would."""
        if point == self.crash_at:
            self.crash_at = ""
            self.count += 1
            copy = self.path.with_name(f"crash{self.count}.db")
            for of in (lambda path: path, self._log):
                shutil.copy(of(self.path), of(copy))
            self.path = copy

    @staticmethod
    def _log(path: Path) -> Path:
        return path.with_name(f"{path.name}-wal")

    def _limit_pages(self, pages: int) -> None:
        self._run(
            self.spool._do(
                lambda store: store.connection.execute(f"PRAGMA max_page_count = {pages}")
            )
        )

    def _append(
        self, source: str, connection: str, sizes: list[int]
    ) -> "tuple[Batch, asyncio.Task[int]]":
        self.count += 1
        chance = random.Random(self.count)
        data = b"".join(chance.randbytes(size).hex().encode() + b"\n" for size in sizes)
        batch = Batch(source, data, len(sizes), f"at {self.count}", connection)
        return batch, self.loop.create_task(self.spool.append(batch))

    def _abandon_waiting(self) -> None:
        if self.feeds:
            self._catch_up()
        for _, task in self.waiting:
            task.cancel()
        self.waiting.clear()
        self._settle()

    def _rows(self, query: str, order: str = "1", *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(f"SELECT {query} ORDER BY {order}", values).fetchall()


class DroppingSpoolAgainstModel(DurableSpoolAgainstModel):
    """The same of a spool that drops the oldest when it is full."""

    drop_oldest = True


class LimitedFeedAgainstModel(DurableSpoolAgainstModel):
    """The same with a feed that drops its oldest at its limit; the other loses nothing."""

    limits: Mapping[str, PendingLimit] = {"web only": PendingLimit(700, drops_oldest=True)}


TestDurableSpoolAgainstModel = DurableSpoolAgainstModel.TestCase
TestDurableSpoolAgainstModel.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None
)
TestDroppingSpoolAgainstModel = DroppingSpoolAgainstModel.TestCase
TestDroppingSpoolAgainstModel.settings = TestDurableSpoolAgainstModel.settings
TestLimitedFeedAgainstModel = LimitedFeedAgainstModel.TestCase
TestLimitedFeedAgainstModel.settings = TestDurableSpoolAgainstModel.settings
