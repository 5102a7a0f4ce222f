"""The contract of a spool, over every implementation."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import SAMPLE_MAX_BYTES, Cursor, Entry, Reject, Spool, SpoolClosed
from nss.spool.durable.spool import DurableSpool
from tests.parts import durable_spool, memory_spool

Later = Callable[[Awaitable[object]], Awaitable["asyncio.Future[object]"]]


class Spools:
    """Makes spools of one kind, and ends them. A batch is charged its records alone."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.made: list[Spool] = []

    async def __call__(self, max_bytes: int) -> Spool:
        """Return a spool of this many bytes."""
        if self.kind == "memory":
            self.made.append(memory_spool(max_bytes, overhead_bytes=0))
        else:
            path = self.folder / f"spool{len(self.made)}.db"
            self.made.append(
                await durable_spool(
                    path, max_bytes=max_bytes, min_free_bytes=0, replay_minutes=0, overhead_bytes=0
                )
            )
        return self.made[-1]

    async def settled(self) -> None:
        """Let every task that can continue do so."""
        for _ in range(3):
            for _ in range(10):
                await asyncio.sleep(0)
            for spool in self.made:
                if isinstance(spool, DurableSpool):
                    await spool.settle()

    async def close(self) -> None:
        """End them all."""
        for spool in self.made:
            await spool.close()


@pytest.fixture(params=["memory", "durable"])
async def new_spool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spools]:
    """Return what makes a spool of this many bytes."""
    spools = Spools(request.param, tmp_path)
    yield spools
    await spools.close()


@pytest.fixture
async def later(new_spool: Spools) -> AsyncIterator[Later]:
    """Start something that is to wait: returns once it does, or once it is done."""
    tasks: list[asyncio.Future[object]] = []

    async def start(work: Awaitable[object]) -> asyncio.Future[object]:
        tasks.append(asyncio.ensure_future(work))
        await new_spool.settled()
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def passed(cursor: Cursor, sequence: int) -> None:
    """Deliver the batches returned, up to a sequence."""
    unpassed = cursor._unpassed  # type: ignore[attr-defined]
    batches = [getattr(entry, "batch", entry) for entry in unpassed if entry.sequence <= sequence]
    records = sum(batch.records for batch in batches)
    await cursor.advance(sequence, Account(delivered=records))


def batch(text: str, source: str = "web", position: str | None = None) -> Batch:
    """Return a batch of one record for each letter, two bytes each."""
    return Batch(source, "".join(f"{letter}\n" for letter in text).encode(), len(text), position)


async def drained(cursor: Cursor) -> list[bytes]:
    """Return the data of what is left in a sealed spool."""
    data = []
    while True:
        try:
            data.append((await cursor.next()).batch.data)
        except SpoolClosed:
            return data


async def test_a_source_is_passed_up_to_the_slowest_of_its_feeds(new_spool: Spools) -> None:
    spool = await new_spool(100)
    fast, slow = await spool.cursor("fast", ["web"]), await spool.cursor("slow", ["web", "dns"])
    found = [spool.passed_of("web")]
    for source in ("web", "dns", "web"):
        await spool.append(batch("a", source))
    await new_spool.settled()

    async def look() -> None:
        await new_spool.settled()
        found.append(spool.passed_of("web"))

    await look()
    for _ in range(2):
        await fast.next()
    await passed(fast, 3)
    await look()
    for number in (1, 2, 3):
        await slow.next()
        await passed(slow, number)
        await look()
    assert found == [0, 0, 0, 1, 2, 3]
    assert (spool.passed_of("dns"), spool.passed_of("nobody's")) == (3, 3)


async def test_batches_of_others_do_not_hold_a_source_back(new_spool: Spools) -> None:
    spool = await new_spool(100)
    await spool.cursor("slow", ["dns"])
    web = await spool.cursor("web", ["web"])
    await spool.append(batch("a", "dns"))
    await spool.append(batch("b"))
    await web.next()
    await passed(web, 2)
    await new_spool.settled()
    assert (spool.passed_of("web"), spool.passed_of("dns")) == (2, 0)


async def test_batches_come_out_in_the_order_they_were_accepted(new_spool: Spools) -> None:
    spool = await new_spool(100)
    cursor = await spool.cursor("mcas", ["web"])
    batches = [batch("a"), batch("bc"), batch("d")]

    sequences = [await spool.append(each) for each in batches]

    assert sequences == [1, 2, 3]
    expected = [Entry(number, each) for number, each in enumerate(batches, 1)]
    assert [await cursor.next() for _ in batches] == expected


async def test_a_cursor_waits_for_the_next_batch(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(100)
    cursor = await spool.cursor("mcas", ["web"])
    waiting = await later(cursor.next())
    assert not waiting.done()

    await spool.append(batch("a"))

    assert await waiting == Entry(1, batch("a"))


async def test_a_cursor_sees_only_its_own_sources(new_spool: Spools) -> None:
    spool = await new_spool(100)
    web, both = await spool.cursor("web", ["web"]), await spool.cursor("both", ["dns", "web"])

    await spool.append(batch("a", "dns"))
    await spool.append(batch("bb", "web"))
    await spool.append(batch("c", "ftp"))
    await spool.append(batch("d", "dns"))
    spool.seal()

    assert await drained(web) == [b"b\nb\n"]
    assert await drained(both) == [b"a\n", b"b\nb\n", b"d\n"]
    assert (web.accepted_records, both.accepted_records) == (2, 4)


async def test_a_batch_that_nobody_wants_takes_no_room(new_spool: Spools) -> None:
    spool = await new_spool(2)
    await spool.cursor("mcas", ["web"])

    for number in range(1, 4):
        assert await spool.append(batch("a", "ftp")) == number

    assert spool.used_bytes == 0


async def test_each_cursor_goes_at_its_own_pace_and_the_slowest_holds_the_room(
    new_spool: Spools,
) -> None:
    spool = await new_spool(100)
    fast, slow = await spool.cursor("fast", ["web"]), await spool.cursor("slow", ["web"])
    for text in ("a", "bc", "d"):
        await spool.append(batch(text))

    for number in (1, 2, 3):
        assert (await fast.next()).sequence == number
        await passed(fast, number)
    assert (spool.used_bytes, fast.pending_records, slow.pending_records) == (8, 0, 4)

    for number, left_bytes in ((1, 6), (2, 2), (3, 0)):
        assert (await slow.next()).sequence == number
        await passed(slow, number)
        await new_spool.settled()
        assert spool.used_bytes == left_bytes


async def test_append_waits_while_full_and_goes_on_after_advance(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(4)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("ab"))
    assert not spool.full

    waiting = await later(spool.append(batch("c")))
    assert (waiting.done(), spool.full, cursor.accepted_records) == (False, True, 2)
    await cursor.next()
    await new_spool.settled()
    assert not waiting.done()

    await passed(cursor, 1)

    assert await waiting == 2
    assert (spool.full, spool.used_bytes, cursor.accepted_records) == (False, 2, 3)


async def test_a_batch_larger_than_the_spool_goes_in_alone(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(4)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    large = await later(spool.append(batch("bcdefg")))
    assert not large.done()

    await cursor.next()
    await passed(cursor, 1)

    assert await large == 2
    assert spool.used_bytes == 12
    small = await later(spool.append(batch("h")))
    assert not small.done()
    assert (await cursor.next()).batch == batch("bcdefg")
    await passed(cursor, 2)
    assert await small == 3


async def test_a_large_batch_is_not_passed_by_small_ones(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(4)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    large = await later(spool.append(batch("bcd")))
    small = await later(spool.append(batch("e")))
    assert (large.done(), small.done()) == (False, False)

    await cursor.next()
    await passed(cursor, 1)

    assert await large == 2
    await cursor.next()
    await passed(cursor, 2)
    assert await small == 3


async def test_seal_ends_cursors_after_the_last_batch(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(100)
    read, unread = await spool.cursor("read", ["web"]), await spool.cursor("unread", ["web"])
    await spool.append(batch("a"))
    await read.next()
    waiting = await later(read.next())

    spool.seal()

    with pytest.raises(SpoolClosed):
        await waiting
    assert await drained(unread) == [b"a\n"]
    with pytest.raises(SpoolClosed):
        await unread.next()


async def test_a_cursor_taken_again_goes_on_after_the_last_batch_passed(
    new_spool: Spools,
) -> None:
    spool = await new_spool(100)
    before = await spool.cursor("mcas", ["web"])
    for text in ("a", "bb", "ccc"):
        await spool.append(batch(text))
    await before.next()
    await before.next()
    await passed(before, 1)

    again = await spool.cursor("mcas", ["web"])

    assert (again.accepted_records, again.pending_records) == (6, 5)
    assert await again.next() == Entry(2, batch("bb"))
    await spool.append(batch("d"))
    assert (again.accepted_records, again.pending_records) == (7, 6)
    await passed(again, 2)
    assert await again.next() == Entry(3, batch("ccc"))


async def test_a_cursor_taken_again_lets_go_of_sources_it_no_longer_has(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(2)
    await spool.cursor("mcas", ["web", "dns"])
    await spool.append(batch("a", "dns"))
    waiting = await later(spool.append(batch("b", "web")))

    again = await spool.cursor("mcas", ["web"])

    assert await waiting == 2
    assert await again.next() == Entry(2, batch("b", "web"))
    assert again.accepted_records == 1


async def test_a_new_feed_starts_with_the_oldest_batch_kept(new_spool: Spools) -> None:
    spool = await new_spool(100)
    slow = await spool.cursor("slow", ["web"])
    for text in ("a", "bb"):
        await spool.append(batch(text))
    await slow.next()
    await passed(slow, 1)

    late = await spool.cursor("late", ["web"])

    assert (late.accepted_records, late.pending_records) == (2, 2)
    assert await late.next() == Entry(2, batch("bb"))


async def test_a_forgotten_feed_holds_nothing_back(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(2)
    alive = await spool.cursor("alive", ["web"])
    await spool.cursor("dead", ["web"])
    await spool.append(batch("a"))
    await alive.next()
    await passed(alive, 1)
    waiting = await later(spool.append(batch("b")))
    assert not waiting.done()

    await spool.forget("dead")

    assert await waiting == 2
    assert await alive.next() == Entry(2, batch("b"))
    await spool.forget("never there")


async def test_a_forgotten_feed_that_returns_is_a_new_one(new_spool: Spools) -> None:
    spool = await new_spool(100)
    other = await spool.cursor("other", ["web"])
    feed = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await feed.next()
    await passed(feed, 1)

    await spool.forget("mcas")

    assert await (await spool.cursor("mcas", ["web"])).next() == Entry(1, batch("a"))
    assert other.pending_records == 1


async def test_the_position_is_that_of_the_last_batch_accepted(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(4)
    await spool.cursor("mcas", ["web", "dns"])
    assert spool.position("web") is None

    await spool.append(batch("a", "web", "1"))
    await spool.append(batch("b", "dns", "7"))
    await later(spool.append(batch("c", "web", "2")))

    assert (spool.position("web"), spool.position("dns")) == ("1", "7")


async def test_accepted_and_pending_are_counted_in_records(new_spool: Spools) -> None:
    spool = await new_spool(100)
    cursor = await spool.cursor("mcas", ["web"])
    counts = []
    for text in ("aaa", "b", "cc"):
        await spool.append(batch(text))
        counts.append((cursor.accepted_records, cursor.pending_records))
    await cursor.next()
    await cursor.next()
    counts.append((cursor.accepted_records, cursor.pending_records))
    await passed(cursor, 2)
    counts.append((cursor.accepted_records, cursor.pending_records))

    assert counts == [(3, 3), (4, 4), (6, 6), (6, 6), (6, 2)]


async def test_a_cancelled_append_leaves_nothing_and_holds_up_nobody(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(2)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await cursor.next()
    cancelled = await later(spool.append(batch("b", position="2")))
    behind = await later(spool.append(batch("c", position="3")))

    cancelled.cancel()
    await passed(cursor, 1)
    time.sleep(0.1)  # noqa: ASYNC251 - a spool's thread is quicker than the cancelled task

    assert await behind == 2
    assert await cursor.next() == Entry(2, batch("c", position="3"))
    assert (cursor.accepted_records, spool.used_bytes, spool.full) == (2, 2, False)
    assert spool.position("web") == "3"


async def test_a_cancelled_next_loses_no_batch(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(100)
    cursor = await spool.cursor("mcas", ["web"])
    cancelled = await later(cursor.next())
    cancelled.cancel()
    await new_spool.settled()

    await spool.append(batch("a"))

    assert await cursor.next() == Entry(1, batch("a"))


async def test_a_next_cancelled_as_the_batch_arrives_loses_nothing_to_the_next_cursor(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(100)
    cursor = await spool.cursor("mcas", ["web"])
    cancelled = await later(cursor.next())

    await spool.append(batch("a"))
    cancelled.cancel()
    await new_spool.settled()

    assert await (await spool.cursor("mcas", ["web"])).next() == Entry(1, batch("a"))


async def test_advancing_to_what_was_passed_changes_nothing(new_spool: Spools) -> None:
    spool = await new_spool(100)
    cursor = await spool.cursor("mcas", ["web"])
    for text in ("a", "bc", "d"):
        await spool.append(batch(text))
    for _ in range(3):
        await cursor.next()
    await cursor.advance(2, Account(delivered=3))
    reject = Reject("web", "", "never", b"b")

    for passed_before in (0, 1, 2):
        await cursor.advance(passed_before, Account(delivered=1, rejected=1), [reject])

    await new_spool.settled()
    assert cursor.account == Account(delivered=3)
    assert (cursor.pending_records, spool.used_bytes, spool.kept_rejects) == (1, 2, 0)
    assert await (await spool.cursor("mcas", ["web"])).next() == Entry(3, batch("d"))


async def test_many_batches_are_passed_at_once_with_many_rejects_of_many_sources(
    new_spool: Spools,
) -> None:
    spool = await new_spool(1000)
    both, web = await spool.cursor("both", ["dns", "web"]), await spool.cursor("web", ["web"])
    for source, text in (("web", "abc"), ("dns", "de"), ("web", "f"), ("dns", "ghij")):
        await spool.append(batch(text, source))
    for cursor, count in ((both, 4), (web, 2)):
        for _ in range(count):
            await cursor.next()
    of_both = [
        Reject(source, "", "odd", data)
        for source, data in (("web", b"a"), ("web", b"c"), ("dns", b"e"))
    ]
    more = [Reject("dns", "", "odd", b"g"), Reject("dns", "", "too long", b"j")]
    of_web = [Reject("web", "", "odd", b"b"), Reject("web", "", "odd", b"f")]

    await both.advance(3, Account(delivered=2, filtered=1, rejected=3), of_both)
    await web.advance(3, Account(delivered=2, rejected=2), of_web)
    await both.advance(4, Account(delivered=2, rejected=2), more)

    await new_spool.settled()
    assert both.account == Account(delivered=4, filtered=1, rejected=5)
    assert web.account == Account(delivered=2, rejected=2)
    assert (both.pending_records, web.pending_records, spool.used_bytes) == (0, 0, 0)
    assert [kept.reject for kept in await spool.rejects("both")] == [*of_both, *more]
    assert [kept.reject for kept in await spool.rejects("web")] == of_web
    assert [kept.reject for kept in await spool.rejects()] == [*of_both, *of_web, *more]


async def test_rejects_are_counted_by_feed_and_reason_the_newest_first(new_spool: Spools) -> None:
    spool = await new_spool(1000)
    begun = time.time()
    for feed, reasons in (("a", ("no JSON", "too long", "no JSON")), ("b", ("no JSON",))):
        cursor = await spool.cursor(feed, ["web"])
        sequence = await spool.append(
            Batch("web", b"r\n" * len(reasons), len(reasons), None, "", feed)
        )
        await cursor.next()
        rejects = [Reject("web", "", reason, b"r") for reason in reasons]
        await cursor.advance(sequence, Account(rejected=len(reasons)), rejects)
        await new_spool.settled()

    found = await spool.reject_reasons()
    assert [(each.feed, each.reason, each.records) for each in found] == [
        ("b", "no JSON", 1),
        ("a", "no JSON", 2),
        ("a", "too long", 1),
    ]
    assert all(begun <= each.newest_at <= time.time() for each in found)
    assert await spool.reject_reasons("a") == found[1:]
    assert await spool.reject_reasons("gone") == []


async def test_only_the_newest_reasons_are_told_apart(new_spool: Spools) -> None:
    spool = await new_spool(1000)
    cursor = await spool.cursor("mcas", ["web"])
    sequence = await spool.append(batch("a" * 150))
    await cursor.next()
    rejects = [Reject("web", "", f"reason {number}", b"") for number in range(150)]
    await cursor.advance(sequence, Account(rejected=150), rejects)

    found = await spool.reject_reasons("mcas")

    assert [each.reason for each in found] == [f"reason {number}" for number in range(149, 49, -1)]


async def rejected(spool: Spool, feed: str, *rejects: Reject) -> None:
    """Have a feed reject records of one batch."""
    cursor = await spool.cursor(feed, ["web"])
    sequence = await spool.append(Batch("web", b"r\n" * len(rejects), len(rejects), feed=feed))
    await cursor.next()
    await cursor.advance(sequence, Account(rejected=len(rejects)), rejects)


async def test_the_newest_reject_stands_for_all_of_a_reason(new_spool: Spools) -> None:
    spool = await new_spool(10_000)
    long = b"x" * (SAMPLE_MAX_BYTES + 1)
    await rejected(spool, "mcas", Reject("web", "", "bad", b"a"), Reject("web", "", "bad", b"b"))
    await rejected(spool, "mcas", Reject("web", "one", "long", long))

    longest, bad = await spool.reject_reasons("mcas")

    assert longest.newest is not None
    assert (longest.newest.reject.data, longest.newest.record_bytes) == (long[:-1], len(long))
    assert bad.newest == (await spool.rejects("mcas"))[1]


async def test_rejects_are_discarded_by_feed_and_reason_up_to_a_number(new_spool: Spools) -> None:
    spool = await new_spool(100_000)
    bad, worse = Reject("web", "", "bad", b"a"), Reject("web", "", "worse", b"b")
    await rejected(spool, "mcas", *[bad, worse] * 150)
    await rejected(spool, "other", bad, worse, worse)

    assert await spool.discard_rejects("mcas", "bad", 290) == 145
    assert await spool.discard_rejects("mcas", "bad", 290) == 0
    assert await spool.discard_rejects("other", "no such", 1000) == 0
    assert await spool.discard_rejects(None, "worse", 302) == 151
    kept = await spool.rejects(None, 1000)
    assert [(each.feed, each.reject.reason, each.number) for each in kept] == [
        *(("mcas", "bad", number) for number in range(291, 300, 2)),
        ("other", "bad", 301),
        ("other", "worse", 303),
    ]
    assert await spool.discard_rejects(None, None, 1000) == 7
    await new_spool.settled()
    assert (await spool.rejects(), spool.kept_rejects) == ([], 0)


async def test_discarded_rejects_stay_counted_and_leave_room_for_others(
    new_spool: Spools,
) -> None:
    spool = await new_spool(100_000)
    await rejected(spool, "mcas", Reject("web", "", "bad", b"x" * 60_000))
    await spool.discard_rejects(None, None, 1)
    cursor = await spool.cursor("mcas", ["web"])
    assert (cursor.account.rejected, cursor.pending_records) == (1, 0)
    await rejected(spool, "mcas", Reject("web", "", "bad", b"y"))
    (kept,) = await spool.rejects()
    assert (kept.number, kept.reject.data) == (2, b"y")


async def test_whoever_follows_a_retry_hears_of_each_batch_before_its_feed(
    new_spool: Spools,
) -> None:
    class Follower:
        def __init__(self) -> None:
            self.batches: list[Batch] = []

        def expect(self, batch: Batch) -> None:
            self.batches.append(batch)

    spool, follower = await new_spool(10_000), Follower()
    await rejected(spool, "mcas", Reject("web", "one", "bad", b"a"))
    cursor = await spool.cursor("mcas", ["web"])
    assert await spool.retry_rejects("mcas", follower) == (1, 0)
    assert follower.batches == [Batch("web", b"a\n", 1, None, "one", "mcas")]
    assert (await cursor.next()).batch == follower.batches[0]
