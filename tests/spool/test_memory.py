"""The spool in memory: its rejects, its lag, and what it does not have."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from types import FrameType

import pytest

from nss.batch import Account, Batch
from nss.spool import REJECT_MAX_BYTES, KeptReject, PendingLimit, Reject, SpoolError
from nss.spool.memory import REJECTS_MAX_BYTES, MemorySpool
from tests.parts import memory_spool


def reject(data: bytes, source: str = "web", connection: str = "") -> Reject:
    return Reject(source, connection, "bad", data)


async def rejected(spool: MemorySpool, rejects: Sequence[Reject], feed: str = "mcas") -> None:
    """Have a feed reject records of one batch."""
    cursor = spool._cursors.get(feed) or await spool.cursor(feed, ["web", "dns"])
    sequence = await spool.append(Batch("web", b"r\n" * len(rejects), len(rejects), feed=feed))
    await cursor.next()
    await cursor.advance(sequence, Account(rejected=len(rejects)), rejects)


@pytest.fixture
def comparisons() -> Iterator[Counter[str]]:
    """How many times rejects were compared to each other."""
    counted = Counter[str]()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is KeptReject.__eq__.__code__:
            counted["=="] += 1

    sys.setprofile(count)
    yield counted
    sys.setprofile(None)


def texts(kept: Sequence[KeptReject]) -> list[bytes]:
    return [each.reject.data for each in kept]


async def test_rejects_are_listed_oldest_first_and_by_feed() -> None:
    spool = memory_spool(1 << 20, now=lambda: 12.5)
    await rejected(spool, [reject(b"a"), reject(b"b")])
    await rejected(spool, [reject(b"c")], "other")
    assert await spool.rejects() == [
        KeptReject(1, "mcas", 12.5, reject(b"a"), 1),
        KeptReject(2, "mcas", 12.5, reject(b"b"), 1),
        KeptReject(3, "other", 12.5, reject(b"c"), 1),
    ]
    assert texts(await spool.rejects("mcas")) == [b"a", b"b"]
    assert texts(await spool.rejects("mcas", 1)) == [b"b"]
    assert texts(await spool.rejects(limit=2)) == [b"b", b"c"]
    assert await spool.rejects(limit=0) == []
    assert await spool.rejects("nobody") == []
    assert spool.kept_rejects == 3


async def test_a_hundred_rejects_are_listed_unless_more_are_wanted() -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [reject(b"%d" % number) for number in range(150)])
    assert texts(await spool.rejects()) == [b"%d" % number for number in range(50, 150)]
    assert len(await spool.rejects(limit=1000)) == 150


async def test_a_long_record_is_cut_and_its_length_kept() -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [reject(b"x" * (REJECT_MAX_BYTES + 1)), reject(b"y" * REJECT_MAX_BYTES)])
    long, just = await spool.rejects()
    assert (len(long.reject.data), long.record_bytes) == (REJECT_MAX_BYTES, REJECT_MAX_BYTES + 1)
    assert (len(just.reject.data), just.record_bytes) == (REJECT_MAX_BYTES, REJECT_MAX_BYTES)
    assert await spool.retry_rejects() == (1, 1)
    assert await spool.rejects() == [long]


async def test_the_oldest_rejects_go_when_there_are_too_many() -> None:
    spool = memory_spool(1 << 20, overhead_bytes=24)
    each_bytes = 1000 + 24
    fitting = REJECTS_MAX_BYTES // each_bytes
    await rejected(spool, [reject(b"%01000d" % number) for number in range(fitting)])
    assert spool.kept_rejects == fitting
    await rejected(spool, [reject(b"%01000d" % number) for number in (-1, -2, -3)])
    assert spool.kept_rejects == fitting
    assert texts(await spool.rejects(limit=fitting))[0] == b"%01000d" % 3


async def test_a_retried_reject_is_a_record_for_its_feed_alone_and_makes_room_for_others() -> None:
    spool = memory_spool(1 << 20)
    other = await spool.cursor("other", ["web", "dns"])
    await rejected(spool, [reject(b"a", "dns", "peer:1"), reject(b"b")])
    before = other.pending_records
    assert await spool.retry_rejects() == (2, 0)
    assert (await spool.rejects(), spool.kept_rejects, spool._rejects_bytes) == ([], 0, 0)
    cursor = spool._cursors["mcas"]
    first, second = await cursor.next(), await cursor.next()
    assert first.batch == Batch("dns", b"a\n", 1, None, "peer:1", "mcas")
    assert second.batch == Batch("web", b"b\n", 1, None, "", "mcas")
    assert (cursor.pending_records, other.pending_records) == (2, before)


async def test_what_no_feed_reads_any_more_is_not_retried() -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [reject(b"a")], "gone")
    await rejected(spool, [reject(b"b", "elsewhere"), reject(b"c"), reject(b"d")])
    await spool.forget("gone")
    assert await spool.retry_rejects() == (2, 2)
    assert texts(await spool.rejects()) == [b"a", b"b"]
    assert await spool.retry_rejects("other") == (0, 0)


async def test_a_retry_that_is_cancelled_for_want_of_room_keeps_the_rest() -> None:
    spool = memory_spool(700)
    await rejected(spool, [reject(b"x" * 100), reject(b"y" * 100), reject(b"z" * 100)])
    retrying = asyncio.ensure_future(spool.retry_rejects())
    await asyncio.sleep(0.02)
    retrying.cancel()
    await asyncio.gather(retrying, return_exceptions=True)
    assert spool._cursors["mcas"].pending_records == 1
    assert sorted(texts(await spool.rejects())) == [b"y" * 100, b"z" * 100]


async def test_two_retries_at_a_time_retry_each_reject_once() -> None:
    spool = memory_spool(700)
    await rejected(spool, [reject(b"x" * 100), reject(b"y" * 100), reject(b"z" * 100)])
    retrying = [asyncio.ensure_future(spool.retry_rejects()) for _ in range(2)]
    cursor = spool._cursors["mcas"]
    delivered = []
    for _ in range(3):
        entry = await asyncio.wait_for(cursor.next(), 5)
        delivered.append(entry.batch.data)
        await cursor.advance(entry.sequence, Account(delivered=1))
    await asyncio.gather(*retrying)
    assert sorted(delivered) == [letter * 100 + b"\n" for letter in (b"x", b"y", b"z")]
    assert (cursor.pending_records, spool.kept_rejects) == (0, 0)


async def test_there_is_nothing_to_replay() -> None:
    spool = memory_spool(1000)
    for asked in (spool.replay, spool.replayable):
        with pytest.raises(SpoolError) as caught:
            await asked("mcas", 0.0, 1.0)
        assert str(caught.value) == (
            "replay: a spool in memory keeps nothing that was delivered\n"
            'Try: set kind = "durable" in [spool]'
        )
    assert await spool.replay_range("mcas") is None


async def test_lag_is_the_age_of_the_oldest_batch_pending_also_of_several_under_way() -> None:
    now = 0.0
    spool = memory_spool(1 << 20, now=lambda: now)
    cursor = await spool.cursor("mcas", ["web"])
    lags = [cursor.lag_secs]
    for now in (100.0, 110.0, 120.0):  # noqa: B007 - the spool's clock reads it
        await spool.append(Batch("web", b"r\n", 1))
    now = 130.0
    lags.append(cursor.lag_secs)
    entries = [await cursor.next() for _ in range(3)]
    lags.append(cursor.lag_secs)
    for entry in entries:
        await cursor.advance(entry.sequence, Account(delivered=1))
        lags.append(cursor.lag_secs)
    now = 140.0
    await spool.append(Batch("web", b"r\n", 1))
    now = 145.0
    lags.append(cursor.lag_secs)
    now = 90.0
    lags.append(cursor.lag_secs)
    assert lags == [0, 30, 30, 20, 10, 0, 5, 0]


async def test_room_is_counted_with_the_overhead_of_each_batch() -> None:
    spool = memory_spool(1000)
    cursor = await spool.cursor("mcas", ["web"])
    for data in (b"a" * 100, b"b" * 200):
        await spool.append(Batch("web", data, 1))
    used = [spool.used_bytes]
    entries = [await cursor.next(), await cursor.next()]
    await cursor.advance(entries[0].sequence, Account(delivered=1))
    used.append(spool.used_bytes)
    await cursor.advance(entries[1].sequence, Account(delivered=1))
    used.append(spool.used_bytes)
    assert used == [100 + 200 + 2 * 256, 200 + 256, 0]


async def test_what_fits_exactly_does_not_wait() -> None:
    spool = memory_spool(1000, overhead_bytes=100)
    await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"a" * 400, 1))
    await asyncio.wait_for(spool.append(Batch("web", b"b" * 400, 1)), 5)
    assert (spool.used_bytes, spool.full) == (1000, False)
    waiting = asyncio.ensure_future(spool.append(Batch("web", b"", 1)))
    await asyncio.sleep(0)
    assert spool.full
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not spool.full


async def test_several_batches_may_be_passed_at_once_and_none_again() -> None:
    spool = memory_spool(1 << 20)
    cursor = await spool.cursor("mcas", ["web"])
    for records in (1, 2, 3):
        await spool.append(Batch("web", b"r\n" * records, records))
    entries = [await cursor.next() for _ in range(3)]
    await cursor.advance(entries[1].sequence, Account(delivered=3))
    await cursor.advance(entries[1].sequence, Account(delivered=3))
    await cursor.advance(entries[0].sequence, Account(delivered=1))
    assert (cursor.account, cursor.pending_records) == (Account(delivered=3), 3)
    assert (cursor.accepted_records, spool.feeds()) == (6, {"mcas": 3})


async def test_a_cursor_taken_again_does_not_count_what_an_array_was_unpacked_to() -> None:
    spool = memory_spool(1 << 20)
    cursor = await spool.cursor("mcas", ["web"])
    sequence = await spool.append(Batch("web", b"[{},{},{}]\n", 1))
    await cursor.next()
    await cursor.advance(sequence, Account(delivered=3, unpacked=2))
    again = await spool.cursor("mcas", ["web"])
    assert (cursor.accepted_records, again.accepted_records) == (1, 1)


async def test_any_number_of_rejects_is_retried() -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [reject(b"%d" % number) for number in range(150)])
    assert await spool.retry_rejects() == (150, 0)
    assert spool.kept_rejects == 0


async def test_a_reject_is_found_among_many_without_comparing_it_to_others(
    comparisons: Counter[str],
) -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [Reject("web", "", str(number % 3), b"r") for number in range(900)])
    before = comparisons.total()

    assert await spool.discard_rejects("mcas", "2", 1000) == 300
    assert await spool.retry_rejects() == (600, 0)

    assert comparisons.total() == before


async def test_what_another_retry_had_does_not_end_the_next() -> None:
    spool = memory_spool(700)
    await rejected(spool, [reject(b"x" * 100), reject(b"y" * 100)])
    await rejected(spool, [reject(b"z" * 100)], "other")
    await spool.append(Batch("web", b"f" * 400, 1, feed="mcas"))  # so that the first retry waits
    retrying = []
    for feed in (None, "mcas"):
        retrying.append(asyncio.ensure_future(spool.retry_rejects(feed)))
        await asyncio.sleep(0)
    for feed, count in (("mcas", 3), ("other", 1)):
        for _ in range(count):
            entry = await asyncio.wait_for(spool._cursors[feed].next(), 5)
            await spool._cursors[feed].advance(entry.sequence, Account(delivered=1))
    await asyncio.gather(*retrying)
    assert spool.kept_rejects == 0


async def test_a_batch_that_was_dropped_before_it_was_taken_is_not_returned() -> None:
    spool = memory_spool(1 << 20, overhead_bytes=0)
    cursor = await spool.cursor("mcas", ["web"], PendingLimit(4, drops_oldest=True))
    await spool.cursor("other", ["web"])  # keeps what is dropped here
    taking = asyncio.ensure_future(cursor.next())
    await asyncio.sleep(0)
    for data in (b"a\n", b"bcd\n"):
        await spool.append(Batch("web", data, 1))
    assert (await taking).batch.data == b"bcd\n"
    assert cursor.account.dropped == 1


async def test_what_a_record_takes_is_known_from_the_first() -> None:
    spool = memory_spool(1 << 20, overhead_bytes=0)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"abc\n", 1))
    assert cursor.bytes_per_record == 4.0


async def test_discarding_of_one_feed_leaves_those_of_another() -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [reject(b"a")])
    await rejected(spool, [reject(b"b")], "other")
    assert await spool.discard_rejects("other", "bad", 1000) == 1
    assert texts(await spool.rejects()) == [b"a"]


async def test_all_rejects_are_counted_and_not_only_those_that_would_be_listed() -> None:
    spool = memory_spool(1 << 20)
    await rejected(spool, [reject(b"a")] * 600)
    assert [each.records for each in await spool.reject_reasons("mcas")] == [600]
