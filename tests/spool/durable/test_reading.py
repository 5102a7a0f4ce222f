"""Reading a backlog back: in order, ahead of the feed, and within bounds."""

import asyncio
import sqlite3
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Entry, SpoolClosed
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.reader import BatchReader
from nss.spool.durable.spool import DurableSpool

Open = Callable[..., Awaitable[DurableSpool]]


def batch(number: int, size: int = 10, source: str = "web") -> Batch:
    """Return a batch of one record that contains its number."""
    return Batch(source, b"%d".ljust(size, b" ") % number + b"\n", 1)


async def filled(spool: DurableSpool, count: int, size: int = 10) -> None:
    """Append this many batches."""
    for number in range(0, count, 50):
        few = range(number, min(number + 50, count))
        await asyncio.gather(*(spool.append(batch(number, size)) for number in few))


async def all_of(cursor: DurableCursor) -> list[Entry]:
    """Return what is left in a sealed spool."""
    entries = []
    while True:
        try:
            entries.append(await cursor.next())
        except SpoolClosed:
            return entries


async def test_a_backlog_comes_out_whole_and_in_order_after_a_restart(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 1000)
    await spool.close()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert await all_of(cursor) == [Entry(n + 1, batch(n)) for n in range(1000)]


async def test_a_feed_that_wants_few_sources_among_many_finds_them(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("rare", ["dns"])
    await spool.cursor("busy", ["web"])
    await filled(spool, 600)
    await spool.append(batch(1, source="dns"))
    await filled(spool, 600)
    await spool.append(batch(2, source="dns"))
    await filled(spool, 10)
    await spool.close()

    again = await open_spool()
    cursor = await again.cursor("rare", ["dns"])
    again.seal()

    found = [Entry(601, batch(1, source="dns")), Entry(1202, batch(2, source="dns"))]
    assert await all_of(cursor) == found


async def test_memory_stays_bounded_however_long_the_backlog(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 300, 1 << 20)
    await spool.close()
    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])

    tracemalloc.start()
    for sequence in range(1, 301):
        assert (await cursor.next()).sequence == sequence
        await cursor.advance(sequence, Account(delivered=1))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 16 << 20


async def test_reading_catches_up_with_what_is_being_appended(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 300)
    await spool.close()
    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])

    async def appending() -> None:
        for number in range(300, 900):
            await again.append(batch(number))
        again.seal()

    writer = asyncio.ensure_future(appending())
    assert await all_of(cursor) == [Entry(n + 1, batch(n)) for n in range(900)]
    await writer


async def test_a_next_cancelled_anywhere_loses_and_repeats_nothing(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 700)
    await spool.close()
    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    seen: list[int] = []
    turns = 0

    while len(seen) < 700:
        waiting = asyncio.ensure_future(cursor.next())
        turns = (turns + 1) % 7
        for _ in range(turns):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            await asyncio.sleep(0.0005)
        if waiting.done() and not waiting.cancelled():
            seen.append(waiting.result().sequence)

    assert seen == list(range(1, 701))


async def test_what_was_dropped_while_it_was_read_ahead_is_not_damage(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 400)
    used = spool.used_bytes
    await spool.close()
    again = await open_spool(max_bytes=used, drop_oldest=True)
    cursor = await again.cursor("mcas", ["web"])
    seen: list[int] = []

    for number in range(400, 800):
        appending = asyncio.ensure_future(again.append(batch(number)))
        entry = await cursor.next()
        seen.append(entry.sequence)
        await cursor.advance(entry.sequence, Account(delivered=1))
        await appending
    await again.settle()

    assert seen == sorted(set(seen))
    account = cursor.account
    assert (account.delivered, account.rejected) == (len(seen), 0)
    assert cursor.accepted_records == account.done + cursor.pending_records == 800


async def test_an_old_cursor_moves_nothing_once_another_has_taken_its_place(
    open_spool: Open,
) -> None:
    spool = await open_spool()
    old = await spool.cursor("mcas", ["web", "dns"])
    await spool.append(batch(1))
    await spool.append(batch(2, source="dns"))
    await spool.append(batch(3))
    await old.next()
    await old.next()

    new = await spool.cursor("mcas", ["web"])
    await old.advance(2, Account(delivered=2))
    await spool.settle()

    assert (new.account, new.accepted_records, new.pending_records) == (Account(), 2, 2)
    assert [(await new.next()).sequence for _ in range(2)] == [1, 3]
    await new.advance(3, Account(delivered=2))
    await spool.settle()
    assert (new.account, new.pending_records, spool.used_bytes) == (Account(delivered=2), 0, 0)


async def test_a_move_asked_for_before_the_new_cursor_counts(open_spool: Open) -> None:
    spool = await open_spool()
    old = await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    await spool.append(batch(2))
    await old.next()
    await old.advance(1, Account(delivered=1))

    new = await spool.cursor("mcas", ["web"])

    assert (new.account, new.pending_records) == (Account(delivered=1), 1)
    assert (await new.next()).sequence == 2


async def test_an_old_cursor_of_a_forgotten_feed_moves_nothing(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("other", ["web"])
    old = await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    await old.next()
    await spool.forget("mcas")
    await old.advance(1, Account(delivered=1))

    new = await spool.cursor("mcas", ["web"])

    assert (new.account, new.pending_records) == (Account(), 1)
    assert spool.feeds() == {"other": 1, "mcas": 1}


async def test_a_replay_counts_for_the_cursor_at_work(open_spool: Open) -> None:
    spool = await open_spool(replay_secs=60)
    old = await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    await old.next()
    await old.advance(1, Account(delivered=1))
    taking = asyncio.ensure_future(spool.cursor("mcas", ["web"]))
    await asyncio.sleep(0)

    assert await spool.replay("mcas", 0, 1e12) == 1

    new = await taking
    assert (new.accepted_records, new.pending_records) == (2, 1)


async def test_what_was_dropped_is_not_returned_though_it_was_read_ahead(open_spool: Open) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 100)
    used = spool.used_bytes
    await spool.close()
    again = await open_spool(max_bytes=used, drop_oldest=True)
    cursor = await again.cursor("mcas", ["web"])
    assert (await cursor.next()).sequence == 1

    await filled(again, 40)
    await again.settle()

    dropped = cursor.account.dropped
    assert dropped > 10
    assert (await cursor.next()).sequence == dropped + 1


async def test_a_batch_deleted_while_it_is_read_is_read_whole(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 2)
    reader = BatchReader(path)
    read = reader._data

    def deleted_first(body: int, data_bytes: int) -> bytes:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("DELETE FROM batches")
            connection.execute("DELETE FROM bodies")
        return read(body, data_bytes)

    monkeypatch.setattr(reader, "_data", deleted_first)

    found, _ = reader.read(0, 2, "mcas", ["web"])

    reader.close()
    assert found[0] == Entry(1, batch(0))


async def test_records_beyond_one_a_line_count_for_a_cursor_taken_again(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 2)
    await cursor.next()
    await cursor.advance(1, Account(delivered=5, unpacked=4))

    again = await spool.cursor("mcas", ["web"])

    assert (again.accepted_records, again.pending_records) == (cursor.accepted_records, 1)
    await spool.close()
    last = await (await open_spool()).cursor("mcas", ["web"])
    assert last.account == Account(delivered=5, unpacked=4)  # nothing is missing
    assert last.accepted_records == cursor.accepted_records
