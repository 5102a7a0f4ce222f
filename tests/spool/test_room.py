"""What the durable spool keeps and for how long: its size, replays, and dropping the oldest."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Cursor, SpoolError
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters

Open = Callable[..., Awaitable[DurableSpool]]


class Clock:
    """Tells the time that a test says."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def batch(text: str, source: str = "web") -> Batch:
    """Return a batch of one record for each letter, two bytes each."""
    return Batch(source, "".join(f"{letter}\n" for letter in text).encode(), len(text))


async def delivered(cursor: Cursor, count: int) -> list[str]:
    """Deliver this many batches; return their records."""
    texts = []
    for _ in range(count):
        entry = await cursor.next()
        texts.append(entry.batch.data.decode().replace("\n", ""))
        await cursor.advance(entry.sequence, Account(delivered=entry.batch.records))
    return texts


def sequences(path: Path) -> list[int]:
    """Return the sequences of the batches in the file."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT sequence FROM batches ORDER BY sequence")
        return [sequence for (sequence,) in rows]


async def full(spool: DurableSpool) -> None:
    """Wait until an append waits for room."""
    async with asyncio.timeout(30):
        while not spool.full:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.001)


async def test_a_delivered_batch_is_kept_as_long_as_replays_may_reach(
    open_spool: Open, path: Path
) -> None:
    clock = Clock()
    spool = await open_spool(now=clock, replay_secs=60)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await delivered(cursor, 1)
    await spool.settle()

    clock.time += 59
    await spool.append(batch("b"))
    assert sequences(path) == [1, 2]

    clock.time += 2
    await spool.settle()
    assert (sequences(path), spool.used_bytes) == ([2], 2)


async def test_kept_batches_give_way_to_new_ones(open_spool: Open, path: Path) -> None:
    spool = await open_spool(max_bytes=6, replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    for text in "abc":
        await spool.append(batch(text))
    await delivered(cursor, 2)

    assert await spool.append(batch("de")) == 4

    assert (sequences(path), spool.used_bytes) == ([3, 4], 6)
    waiting = asyncio.ensure_future(spool.append(batch("f")))
    await full(spool)
    assert await delivered(cursor, 1) == ["c"]
    assert await waiting == 5


def disk_of(size_bytes: int) -> Callable[[Path], int]:
    """Return what a file system of this size has free besides the files in a folder."""

    def free_bytes(folder: Path) -> int:
        return size_bytes - sum(file.stat().st_size for file in folder.iterdir())

    return free_bytes


async def test_kept_batches_give_way_when_the_disk_has_little_space(
    open_spool: Open, path: Path
) -> None:
    free_bytes, least = disk_of(64 << 20), 4 << 20
    spool = await open_spool(free_bytes=free_bytes, min_free_bytes=least, replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    found = []
    for number in range(60):
        await asyncio.wait_for(spool.append(Batch("web", os.urandom(1 << 20).hex().encode(), 1)), 9)
        await cursor.next()
        await cursor.advance(number + 1, Account(delivered=1))
        found.append(free_bytes(path.parent))

    kept = sequences(path)
    assert min(found) >= least
    assert spool.last_error is None
    assert counters["spool_write_failures", "spool"] == 0
    assert 2 < len(kept) < 60
    assert kept == list(range(kept[0], 61))


async def test_a_disk_that_others_have_filled_costs_no_batch(open_spool: Open, path: Path) -> None:
    free = [1 << 30]
    spool = await open_spool(
        free_bytes=lambda _: free[0], min_free_bytes=1 << 20, drop_oldest=True, replay_secs=3600
    )
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await spool.append(batch("b"))
    await delivered(cursor, 1)
    free[0] = 0
    waiting = asyncio.ensure_future(spool.append(batch("c")))
    await full(spool)

    assert sequences(path) == [1, 2]
    free[0] = 1 << 30
    assert await asyncio.wait_for(waiting, 5) == 3
    assert cursor.account == Account(delivered=1)


async def test_many_old_batches_are_deleted_soon_though_nothing_happens(
    open_spool: Open, path: Path
) -> None:
    clock = Clock()
    spool = await open_spool(now=clock, replay_secs=60)
    cursor = await spool.cursor("mcas", ["web"])
    await asyncio.gather(*(spool.append(batch("a")) for _ in range(300)))
    await delivered(cursor, 300)
    await spool.settle()
    clock.time += 100
    await spool.settle()

    async with asyncio.timeout(30):
        while sequences(path):  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)
    await spool.settle()  # the table is empty before the report of it comes
    assert spool.used_bytes == 0


async def test_a_replay_delivers_again_what_was_on_its_way_at_a_time(open_spool: Open) -> None:
    clock = Clock()
    spool = await open_spool(now=clock, replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    other = await spool.cursor("other", ["web", "dns"])
    for text, source in (("a", "web"), ("bb", "web"), ("x", "dns"), ("ccc", "web")):
        await spool.append(batch(text, source))
        clock.time += 10
    await delivered(cursor, 3)
    await delivered(other, 4)
    await spool.settle()

    assert await spool.replay_range("mcas") == (1000.0, 1030.0)
    assert await spool.replay_range("other") == (1000.0, 1030.0)
    for until, records in ((999, 0), (1010, 3), (1020, 3), (1030, 6)):
        assert await spool.replayable("mcas", 0, until) == records
    assert await spool.replayable("other", 0, 1030) == 7
    assert (cursor.accepted_records, cursor.pending_records) == (6, 0)

    assert await spool.replay("mcas", 0, 999) == 0
    assert await spool.replay("mcas", 0, 1010) == 3
    assert (cursor.accepted_records, cursor.pending_records) == (9, 3)
    assert other.pending_records == 0

    await spool.append(batch("d"))
    assert await delivered(cursor, 3) == ["a", "bb", "d"]
    assert await delivered(other, 1) == ["d"]
    assert cursor.account == Account(delivered=10)


async def test_a_replay_reaches_back_to_what_was_not_passed_by_then(open_spool: Open) -> None:
    clock = Clock()
    spool = await open_spool(now=clock, replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await delivered(cursor, 1)
    await spool.settle()
    await spool.append(batch("b"))
    clock.time += 100
    await delivered(cursor, 1)
    await spool.settle()

    assert await spool.replayable("mcas", 1050, 2000) == 1
    assert await spool.replay("mcas", 1050, 2000) == 1
    assert await delivered(cursor, 1) == ["b"]


async def test_a_replay_does_not_repeat_replays_nor_what_is_pending(open_spool: Open) -> None:
    spool = await open_spool(replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await spool.append(batch("b"))
    assert await spool.replay_range("mcas") is None
    await delivered(cursor, 1)

    assert await spool.replayable("mcas", 0, 1e12) == 1
    assert await spool.replay("mcas", 0, 1e12) == 1
    assert await delivered(cursor, 2) == ["b", "a"]
    assert await spool.replayable("mcas", 0, 1e12) == 2
    assert await spool.replay("mcas", 0, 1e12) == 2
    assert await delivered(cursor, 2) == ["a", "b"]


async def test_a_replay_goes_on_after_a_restart_in_its_middle(open_spool: Open) -> None:
    spool = await open_spool(replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    for text in ("a", "b", "c"):
        await spool.append(batch(text))
    await delivered(cursor, 3)
    await spool.replay("mcas", 0, 1e12)
    assert await delivered(cursor, 1) == ["a"]
    await spool.close()

    again = await open_spool(replay_secs=3600)
    cursor = await again.cursor("mcas", ["web"])

    assert (cursor.accepted_records, cursor.pending_records) == (6, 2)
    assert await delivered(cursor, 2) == ["b", "c"]


async def test_replayed_records_outlive_the_batch_they_came_in(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool(max_bytes=3, replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await delivered(cursor, 1)
    await spool.replay("mcas", 0, 1e12)
    waiting = asyncio.ensure_future(spool.append(batch("b")))
    await full(spool)
    assert (sequences(path), spool.used_bytes) == ([2], 2)

    assert await delivered(cursor, 1) == ["a"]

    assert await waiting == 3
    assert await delivered(cursor, 1) == ["b"]


async def test_a_replay_needs_a_feed_and_something_kept(open_spool: Open) -> None:
    spool = await open_spool(replay_secs=3600)
    for asked in (spool.replay, spool.replayable):
        with pytest.raises(SpoolError, match="replay: there is no feed mcas"):
            await asked("mcas", 0, 1e12)
    with pytest.raises(SpoolError, match="replay: there is no feed mcas"):
        await spool.replay_range("mcas")
    await spool.close()

    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    for asked in (spool.replay, spool.replayable):
        with pytest.raises(SpoolError) as raised:
            await asked("mcas", 0, 1e12)
        assert str(raised.value) == (
            "replay: the spool keeps nothing that was delivered\nTry: set replay_minutes in [spool]"
        )
    assert await spool.replay_range("mcas") is None


async def test_a_full_spool_drops_the_oldest_when_told_to(open_spool: Open, path: Path) -> None:
    spool = await open_spool(max_bytes=4, drop_oldest=True)
    slow, other = await spool.cursor("slow", ["web"]), await spool.cursor("other", ["dns"])

    for text in ("a", "b", "c", "d"):
        await asyncio.wait_for(spool.append(batch(text)), 5)
    await spool.append(batch("xy", "dns"))

    assert (sequences(path), spool.used_bytes) == ([5], 4)
    assert (slow.account, slow.pending_records) == (Account(dropped=4), 0)
    assert (other.account, other.pending_records) == (Account(), 2)
    assert await delivered(other, 1) == ["xy"]
    assert counters["records_dropped", "slow"] == 4
    await spool.close()
    cursor = await (await open_spool()).cursor("slow", ["web"])
    assert (cursor.account, cursor.accepted_records) == (Account(dropped=4), 4)


async def test_a_dropped_batch_that_was_delivered_after_all_counts_as_delivered(
    open_spool: Open,
) -> None:
    spool = await open_spool(max_bytes=4, drop_oldest=True)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await spool.append(batch("b"))
    assert [(await cursor.next()).sequence for _ in range(2)] == [1, 2]
    await spool.append(batch("c"))
    assert cursor.account == Account(dropped=1)

    await cursor.advance(2, Account(delivered=2))
    assert (cursor.account, cursor.pending_records) == (Account(delivered=2), 1)
    await spool.settle()

    assert (cursor.account, cursor.pending_records) == (Account(delivered=2), 1)
    await spool.close()
    cursor = await (await open_spool()).cursor("mcas", ["web"])
    assert (cursor.account, cursor.pending_records) == (Account(delivered=2), 1)


async def test_a_batch_dropped_while_it_was_advanced_counts_as_delivered(open_spool: Open) -> None:
    spool = await open_spool(max_bytes=2, drop_oldest=True)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await cursor.next()
    appending = asyncio.ensure_future(spool.append(batch("b")))
    await asyncio.sleep(0)

    await cursor.advance(1, Account(delivered=1))
    await appending
    await spool.settle()

    assert (cursor.account, cursor.accepted_records) == (Account(delivered=1), 2)
    assert cursor.pending_records == 1


async def test_a_feed_of_rare_records_holds_back_only_from_those_on(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    rare, busy = await spool.cursor("rare", ["dns"]), await spool.cursor("busy", ["web"])
    await spool.append(batch("x", "dns"))
    for text in "abc":
        await spool.append(batch(text))
    await spool.append(batch("y", "dns"))
    assert await delivered(rare, 1) == ["x"]
    assert await delivered(busy, 3) == ["a", "b", "c"]
    await spool.settle()

    assert sequences(path) == [5]


async def test_a_source_that_is_new_to_a_feed_brings_nothing_that_all_had_passed(
    open_spool: Open,
) -> None:
    spool = await open_spool(replay_secs=3600)
    await spool.cursor("mcas", ["web"])
    other = await spool.cursor("other", ["dns"])
    await spool.append(batch("old", "dns"))
    await delivered(other, 1)
    await spool.settle()

    cursor = await spool.cursor("mcas", ["web", "dns"])
    await spool.append(batch("new", "dns"))

    assert cursor.pending_records == 3
    assert await delivered(cursor, 1) == ["new"]


async def test_lag_is_the_age_of_the_oldest_batch_pending(open_spool: Open) -> None:
    clock = Clock()
    spool = await open_spool(now=clock)
    cursor = await spool.cursor("mcas", ["web"])
    assert cursor.lag_secs == 0
    await spool.append(batch("a"))
    clock.time += 500
    await spool.append(batch("b"))
    oldest = cursor.lag_secs

    await delivered(cursor, 1)
    await cursor.next()
    assert 499 < oldest - cursor.lag_secs < 501
    await cursor.advance(2, Account(delivered=1))
    assert cursor.lag_secs == 0
