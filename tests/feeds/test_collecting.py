"""A feed whose sink collects, on a real spool: what is passed when."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from formats import filters, language
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from nss.batch import Account, Batch
from nss.feeds import collecting
from nss.feeds.collecting import CollectedDelivery
from nss.feeds.delivery import DeliveredNow
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.feeds.pool import RenderPool
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter
from nss.spool import PendingLimit
from nss.spool.durable.spool import DurableSpool
from nss.status.readings import UploadReading
from tests.parts import durable_spool

FORMAT = language.parse("%s{login} %s{eurl}\n")
DUE_RECORDS = 10


@dataclass
class Collecting:
    """A sink that is due at ten lines, and delivers unless a test makes it fail."""

    name: str = "up"
    destination: str = "nowhere"
    last_error: str | None = None
    remedy: str = ""
    max_line_bytes: int = 10_000
    wants_keys: bool = False
    max_secs: float = 300.0
    advice: str | None = None
    collected_lines: list[bytes] = field(default_factory=list)
    delivered: list[list[bytes]] = field(default_factory=list)
    batches: list[tuple[int, float]] = field(default_factory=list)
    outcomes: list[Delivered | RetryAfter] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    rejecting: bytes = b"\0"
    due_at_secs: float = 300.0
    flushes: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Flushes wait while it is closed."""
    outgoing: list[bytes] = field(default_factory=list)
    bug: Exception | None = None
    skipping: bool = False
    since: float = 0.0
    retries: list[bool] = field(default_factory=list)
    room: int | None = None
    """How many lines can be collected; `None`: any number."""
    needs_room: bool = False

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    @property
    def collected(self) -> int:
        return len(self.collected_lines)

    def begin(self, sequence: int, accepted_at: float) -> None:
        self.batches.append((sequence, accepted_at))
        self.skipping = sequence in self.known

    async def send(self, lines: Sequence[bytes], keys: Sequence[int] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        await asyncio.sleep(0)
        for index, line in enumerate(lines):
            self.needs_room = self.collected == self.room
            if self.needs_room:
                return RetryAfter(index, 0.01, "no room")
            if self.rejecting in line:
                return Rejected(index, "not wanted")
            if not self.skipping:
                self.since = self.since if self.collected_lines else time.monotonic()
                self.collected_lines.append(line)
        return Delivered()

    def due_secs(self) -> float | None:
        if not self.collected_lines:
            return None
        if self.collected >= DUE_RECORDS:
            return 0.0
        return max(0.0, self.since + self.due_at_secs - time.monotonic())

    @property
    def upload(self) -> UploadReading:
        return UploadReading(
            state="collecting",
            last_confirmed_at=None,
            next_due_at=None,
            held_until=None,
            unconfirmed=0,
        )

    def retry(self, *, again: bool = False) -> None:
        self.retries.append(again)

    async def flush(self) -> Delivered | RetryAfter:
        self.flushes += 1
        if not self.outgoing:
            self.outgoing, self.collected_lines = self.collected_lines, []
            self.needs_room = False  # as with the real one: only what is collected makes room
        await self.gate.wait()
        if self.bug is not None:
            raise self.bug
        outcome = self.outcomes.pop(0) if self.outcomes else Delivered()
        if isinstance(outcome, Delivered) and self.outgoing:
            self.delivered.append(self.outgoing)
            self.outgoing = []
        return outcome


@dataclass
class Bench:
    spool: DurableSpool
    sink: Collecting
    feed: Feed
    task: "asyncio.Task[None] | None" = None
    full: bool = False

    def start(self) -> None:
        self.task = asyncio.create_task(self.feed.run())

    async def append(self, *users: str) -> None:
        data = b"".join(b'{"login":"%s","url":"u"}\n' % user.encode() for user in users)
        await self.spool.append(Batch("web", data, len(users)))

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not done():  # noqa: ASYNC110 - what it waits for sets no event
                await asyncio.sleep(0.002)

    @property
    def account(self) -> Account:
        return replace(self.feed.cursor.account)

    @property
    def pending(self) -> int:
        return self.feed.cursor.pending_records


@pytest.fixture(params=[None, 2], ids=["alone", "threads"])
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    pool = request.param and RenderPool(request.param, min_bytes=1)
    spool = await durable_spool(tmp_path / "spool.db", min_free_bytes=0)
    settings = FeedSettings(FORMAT, filters.parse({"not_users": ["nobody"]}))
    sink = Collecting()
    sink.gate.set()
    found: list[Bench] = []
    feed = Feed(
        "up",
        await spool.cursor("up", ["web"]),
        {"web": Origin(json_names(), settings)},
        CollectedDelivery(sink, lambda: found[0].full),
        pool=pool,
    )
    found.append(Bench(spool, sink, feed))
    yield found[0]
    if found[0].task is not None:
        found[0].task.cancel()
        await asyncio.gather(found[0].task, return_exceptions=True)
    if pool is not None:
        pool.close()
    await spool.close()


def line(user: str) -> bytes:
    return f"{user} u".encode()


async def test_a_batch_without_room_for_it_is_delivered_in_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "ROOM_LOOK_SECS", 0.01)
    bench.sink.room = 3
    bench.start()
    users = [f"user{number}" for number in range(8)]
    await bench.append(*users)
    await bench.until(lambda: len(bench.sink.delivered) == 2)
    during = bench.pending
    await bench.until(lambda: bench.sink.collected == 2)
    assert await bench.feed.deliver_now() == DeliveredNow(8, None)
    assert (during, bench.pending, bench.account.delivered) == (8, 0, 8)
    assert bench.sink.delivered == [[line(user) for user in users[at : at + 3]] for at in (0, 3, 6)]


async def test_records_are_pending_until_they_are_delivered_together(bench: Bench) -> None:
    bench.start()
    users = [f"user{number}" for number in range(DUE_RECORDS)]
    await bench.append(*users[:4])
    await bench.append(*users[4:-1])
    await bench.until(lambda: bench.sink.collected == DUE_RECORDS - 1)
    before = (bench.pending, bench.account.delivered, bench.feed.handed_over)
    await bench.append(users[-1])
    await bench.until(lambda: not bench.pending)
    assert before == (DUE_RECORDS - 1, 0, DUE_RECORDS - 1)
    assert bench.account == Account(delivered=DUE_RECORDS)
    assert bench.sink.delivered == [[line(user) for user in users]]
    assert [sequence for sequence, _ in bench.sink.batches] == [1, 2, 3]


async def test_it_delivers_what_is_due_though_nothing_more_comes(bench: Bench) -> None:
    bench.sink.due_at_secs = 0.05
    bench.start()
    await bench.append("a")
    await bench.until(lambda: not bench.pending)
    assert bench.sink.delivered == [[b"a u"]]


async def test_a_full_spool_is_reason_enough(bench: Bench) -> None:
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.collected)
    bench.full = True
    await bench.until(lambda: not bench.pending)
    assert bench.sink.delivered == [[b"a u"]]


async def test_so_is_half_of_the_feeds_limit_though_more_batches_come(bench: Bench) -> None:
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.collected)
    before = bench.sink.flushes

    bench.feed.cursor.limit = PendingLimit(10 * bench.feed.cursor.pending_bytes, drops_oldest=True)
    for _ in range(4):
        await bench.append("a")
    await bench.until(lambda: bench.sink.delivered)

    assert (before, bench.account.dropped) == (1, 0)  # one of what an earlier process left


async def test_what_waits_under_the_limit_is_uploaded_in_files_as_large_as_without_one(
    bench: Bench,
) -> None:
    for _ in range(6 * DUE_RECORDS):
        await bench.append("a")
    bench.feed.cursor.limit = PendingLimit(bench.feed.cursor.pending_bytes)
    bench.start()
    await bench.until(lambda: not bench.pending)

    assert bench.sink.delivered[:5] == [[b"a u"] * DUE_RECORDS] * 5


async def test_what_the_filter_keeps_out_waits_for_nothing(bench: Bench) -> None:
    bench.start()
    await bench.append("nobody", "nobody")
    await bench.until(lambda: not bench.pending)
    assert (bench.account, bench.sink.delivered) == (Account(filtered=2), [])


async def test_filtered_and_rejected_ones_count_with_their_batch(bench: Bench) -> None:
    bench.sink.rejecting = b"bad"
    bench.start()
    await bench.append("a", "nobody", "bad", "b")
    await bench.until(lambda: bench.sink.collected == 2)
    before = (bench.pending, bench.account, await bench.spool.rejects())
    bench.spool.seal()
    await bench.until(lambda: not bench.pending)
    kept = await bench.spool.rejects()
    assert before == (4, Account(), [])
    assert bench.account == Account(delivered=2, filtered=1, rejected=1)
    assert [(kept_reject.reject.reason, kept_reject.reject.data) for kept_reject in kept] == [
        ("not wanted", b'{"login":"bad","url":"u"}')
    ]


async def test_every_reject_of_every_batch_is_kept(bench: Bench) -> None:
    bench.sink.rejecting = b"bad"
    bench.start()
    await bench.append("bad1", "a", "bad2")
    await bench.append("b", "bad3")
    await bench.append("bad4", "bad5")
    await bench.until(lambda: len(bench.sink.batches) == 3)
    bench.spool.seal()
    await bench.until(lambda: not bench.pending)
    kept = [each.reject.data for each in await bench.spool.rejects()]
    assert kept == [b'{"login":"bad%d","url":"u"}' % number for number in (1, 2, 3, 4, 5)]
    assert bench.account == Account(delivered=2, rejected=5)


async def test_what_is_due_in_a_second_is_not_delivered_yet(bench: Bench) -> None:
    looks = 0

    def due_secs() -> float | None:
        nonlocal looks
        looks += 1
        return 1.0 if bench.sink.collected else None

    bench.sink.due_secs = due_secs  # type: ignore[method-assign]
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.collected)
    looks = 0
    await bench.until(lambda: looks == 3)
    assert bench.sink.flushes == 1  # of what an earlier process had begun


async def test_a_sealed_spool_ends_it_after_the_rest_is_delivered(bench: Bench) -> None:
    bench.sink.outcomes = [Delivered(), RetryAfter(0, 0.01, "down"), RetryAfter(0, 0.01, "down")]
    await bench.append("a", "b")
    bench.spool.seal()
    async with asyncio.timeout(20):
        await bench.feed.run()
    assert (bench.pending, bench.account.delivered, bench.sink.flushes) == (0, 2, 4)


async def test_what_can_not_be_delivered_is_tried_again(bench: Bench) -> None:
    bench.sink.outcomes = [Delivered(), RetryAfter(0, 0.02, "down"), RetryAfter(0, 3600, "still")]
    bench.sink.due_at_secs = 0
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.flushes == 3)
    assert (bench.pending, bench.account.delivered, bench.sink.outgoing) == (1, 0, [b"a u"])
    assert not bench.feed.sending


async def test_a_stop_leaves_what_was_collected_pending(bench: Bench) -> None:
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.collected)
    bench.feed.stop()
    async with asyncio.timeout(20):
        assert bench.task is not None
        await bench.task
    assert (bench.pending, bench.sink.delivered) == (1, [])


async def test_a_stop_ends_it_while_the_destination_is_down(bench: Bench) -> None:
    bench.sink.outcomes = [RetryAfter(0, 3600, "down")]
    bench.start()
    await bench.until(lambda: bench.sink.flushes)
    bench.feed.stop()
    async with asyncio.timeout(20):
        assert bench.task is not None
        await bench.task
    assert bench.sink.delivered == []


async def test_a_stop_behind_the_last_batch_begins_no_other_upload(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    bench.sink.gate.clear()
    await bench.append(*["a"] * DUE_RECORDS)
    await bench.until(lambda: bench.sink.flushes == 2)
    bench.spool.seal()
    await asyncio.sleep(0.05)
    bench.feed.stop()
    async with asyncio.timeout(20):
        assert bench.task is not None
        await bench.task
    assert (bench.sink.flushes, bench.pending) == (2, DUE_RECORDS)


async def test_an_upload_that_is_cut_short_is_over_before_the_sink_is_closed(
    bench: Bench,
) -> None:
    order: list[str] = []

    async def flush() -> Delivered | RetryAfter:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            order.append("flush ended")
        return Delivered()

    async def close() -> None:
        order.append("closed")

    bench.sink.flush, bench.sink.close = flush, close  # type: ignore[method-assign]
    bench.start()
    await asyncio.sleep(0.02)
    bench.feed.stop()
    async with asyncio.timeout(20):
        assert bench.task is not None
        await bench.task
    assert order == ["flush ended", "closed"]


async def test_what_an_earlier_process_had_begun_comes_first(bench: Bench) -> None:
    await bench.append("a")
    bench.sink.outcomes = [RetryAfter(0, 0.01, "down"), RetryAfter(0, 3600, "down")]
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 2)
    assert (bench.sink.batches, bench.pending) == ([], 1)


async def test_a_batch_known_to_be_delivered_is_passed_and_counted(bench: Bench) -> None:
    bench.sink.known = {1}
    bench.sink.rejecting = b"bad"
    await bench.append("a", "bad", "nobody")
    await bench.append("b")
    bench.start()
    await bench.until(lambda: bench.sink.collected == 1)
    before = (bench.pending, bench.account)
    bench.spool.seal()
    await bench.until(lambda: not bench.pending)
    assert before == (1, Account(delivered=1, filtered=1, rejected=1))
    assert bench.sink.delivered == [[b"b u"]]


async def test_it_may_take_its_time_without_anything_being_wrong(bench: Bench) -> None:
    assert bench.feed.patience_secs == 300


async def test_many_rejects_are_not_held_for_long(bench: Bench) -> None:
    bench.sink.rejecting = b"bad"
    bench.start()
    await bench.append("a")
    for _ in range(9):
        await bench.append("bad" * 350_000)
    await bench.until(lambda: bench.account.rejected >= 8)
    assert bench.sink.delivered == [[b"a u"]]


async def test_the_next_collection_grows_while_one_is_delivered(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    bench.sink.gate.clear()
    await bench.append(*["a"] * DUE_RECORDS)
    await bench.until(lambda: bench.sink.flushes == 2)
    await bench.append(*["b"] * (DUE_RECORDS - 1))
    await bench.append("nobody")
    await bench.until(lambda: bench.sink.collected == DUE_RECORDS - 1)
    before = (bench.pending, bench.account, bench.feed.sending)
    bench.sink.gate.set()
    await bench.until(lambda: bench.pending == DUE_RECORDS)
    between = (bench.account, bench.feed.sending)
    bench.spool.seal()
    await bench.until(lambda: not bench.pending)
    assert before == (2 * DUE_RECORDS, Account(), True)
    assert between == (Account(delivered=DUE_RECORDS), False)
    assert bench.account == Account(delivered=2 * DUE_RECORDS - 1, filtered=1)
    assert bench.sink.delivered == [[b"a u"] * DUE_RECORDS, [b"b u"] * (DUE_RECORDS - 1)]


async def test_what_was_filtered_meanwhile_is_passed_behind_what_is_delivered(
    bench: Bench,
) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    bench.sink.gate.clear()
    await bench.append(*["a"] * DUE_RECORDS)
    await bench.until(lambda: bench.sink.flushes == 2)
    await bench.append("nobody")
    await bench.until(lambda: len(bench.sink.batches) == 2)
    await asyncio.sleep(0.05)
    before = (bench.pending, bench.account)
    bench.sink.gate.set()
    await bench.until(lambda: not bench.pending)
    assert before == (DUE_RECORDS + 1, Account())
    assert bench.account == Account(delivered=DUE_RECORDS, filtered=1)


async def test_a_spool_that_is_full_of_batches_to_come_is_no_reason(bench: Bench) -> None:
    bench.full = True
    for _ in range(DUE_RECORDS):
        await bench.append("a")
    bench.start()
    await bench.until(lambda: not bench.pending)
    assert bench.sink.delivered == [[b"a u"] * DUE_RECORDS]


async def test_a_bug_in_the_sink_ends_the_feed_though_nothing_more_comes(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    bench.sink.gate.clear()
    await bench.append(*["a"] * DUE_RECORDS)
    await bench.until(lambda: bench.sink.flushes == 2)
    bench.sink.bug = RuntimeError("unplanned")
    bench.sink.gate.set()
    assert bench.task is not None
    with pytest.raises(RuntimeError, match="unplanned"):
        await asyncio.wait_for(asyncio.shield(bench.task), 5)
    assert bench.pending == DUE_RECORDS


# At once.


async def test_what_is_collected_is_delivered_at_once_when_somebody_wants_it(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    await bench.append("a", "b", "nobody")
    await bench.until(lambda: bench.sink.collected == 2)
    async with asyncio.timeout(20):
        done = await bench.feed.deliver_now()
    again = await bench.feed.deliver_now()
    assert (done, again) == (DeliveredNow(2, None), DeliveredNow(0, None))
    assert bench.sink.delivered == [[b"a u", b"b u"]]
    assert bench.sink.retries == [True, True]


async def test_a_delay_ends_when_somebody_wants_it_and_the_reason_is_that_of_the_new_try(
    bench: Bench,
) -> None:
    outcomes = [RetryAfter(0, 3600, "first"), RetryAfter(0, 3600, "second")]
    bench.sink.outcomes = [Delivered(), *outcomes, Delivered()]
    bench.sink.due_at_secs = 0
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.flushes == 2)
    async with asyncio.timeout(20):
        failed = await bench.feed.deliver_now()
        delivered = await bench.feed.deliver_now()
    assert (failed, delivered) == (DeliveredNow(0, "second"), DeliveredNow(1, None))
    assert not bench.pending


async def test_a_delay_ends_when_holds_are_ended(bench: Bench) -> None:
    bench.sink.outcomes = [Delivered(), RetryAfter(0, 3600, "held")]
    bench.sink.due_at_secs = 0
    bench.start()
    await bench.append("a")
    await bench.until(lambda: bench.sink.flushes == 2)
    bench.feed.retry()
    await bench.until(lambda: not bench.pending)
    assert bench.sink.retries == [False]


async def test_both_what_is_on_its_way_and_what_was_collected_are_delivered(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    bench.sink.gate.clear()
    await bench.append(*["a"] * DUE_RECORDS)
    await bench.until(lambda: bench.sink.flushes == 2)
    await bench.append("b", "b")
    await bench.until(lambda: bench.sink.collected == 2)
    wish = asyncio.ensure_future(bench.feed.deliver_now())
    await asyncio.sleep(0.02)
    was_done = wish.done()
    bench.sink.gate.set()
    async with asyncio.timeout(20):
        done = await wish
    assert (was_done, done) == (False, DeliveredNow(DUE_RECORDS + 2, None))


async def test_a_wish_ends_with_the_feed(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    bench.sink.gate.clear()
    await bench.append(*["a"] * DUE_RECORDS)
    await bench.until(lambda: bench.sink.flushes == 2)
    wish = asyncio.ensure_future(bench.feed.deliver_now())
    given_up = asyncio.ensure_future(bench.feed.deliver_now())
    await asyncio.sleep(0)
    given_up.cancel()
    bench.feed.stop()
    async with asyncio.timeout(20):
        stopped = await wish
        assert bench.task is not None
        await bench.task
        ended = await bench.feed.deliver_now()
    assert (stopped.reason, ended.reason) == ("the feed was stopped", "the feed has ended")


async def test_what_comes_after_a_wish_is_collected_as_usual(bench: Bench) -> None:
    bench.start()
    await bench.until(lambda: bench.sink.flushes == 1)
    await bench.append("a")
    await bench.until(lambda: bench.sink.collected == 1)
    async with asyncio.timeout(20):
        await bench.feed.deliver_now()
    await bench.append("b")
    await bench.until(lambda: bench.sink.collected == 1)
    await asyncio.sleep(0.05)
    assert (bench.sink.delivered, bench.pending) == ([[b"a u"]], 1)
