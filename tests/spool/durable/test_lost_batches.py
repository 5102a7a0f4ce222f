"""Batches that can't be read back: set aside, counted, retried, and nothing behind them held up."""

import logging
import random
import sqlite3
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Entry, Reject, SpoolClosed
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.packing import Damaged, Packed, Packer
from nss.spool.durable.patient_reader import DAMAGED_LOOKS
from nss.spool.durable.rejects import OVERHEAD_BYTES
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable.test_damage import batch, change, filled

Open = Callable[..., Awaitable[DurableSpool]]


@pytest.fixture(autouse=True)
def from_zero() -> None:
    counters.clear()


async def with_lost(open_spool: Open, path: Path, count: int, *lost: int) -> DurableSpool:
    """Return a spool of batches of two records, some of which can't be read back."""
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, count)
    await spool.close()
    for body in lost:
        change(path, "UPDATE bodies SET data = x'00' WHERE body = ?", body)
    return await open_spool()


async def returned(cursor: DurableCursor) -> list[Entry]:
    """Return what is left in a sealed spool, without passing it."""
    entries: list[Entry] = []
    while True:
        try:
            entries.append(await cursor.next())
        except SpoolClosed:
            return entries


def reason(sequence: int) -> str:
    return f"batch {sequence} of 2 records can't be read: its checksum does not match"


async def test_a_batch_that_is_damaged_is_one_reject_and_all_behind_it_is_delivered(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await with_lost(open_spool, path, 6, 1, 3, 4)
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()

    seen: list[int] = []
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            entry = await cursor.next()
            seen.append(entry.sequence)
            await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.settle()

    assert seen == [2, 5, 6]
    assert cursor.account == Account(delivered=6, rejected=6)
    assert (cursor.accepted_records, cursor.pending_records) == (12, 0)
    kept = await spool.rejects()
    assert [each.reject for each in kept] == [
        Reject("web", "", reason(number), b"") for number in (1, 3, 4)
    ]
    assert [each.records for each in kept] == [2, 2, 2]
    assert counters["batches_damaged", "mcas"] == 3
    assert "A batch in the spool is damaged" in caplog.text
    await spool.close()
    again = await open_spool()
    assert (await again.cursor("mcas", ["web"])).account == Account(delivered=6, rejected=6)
    assert counters["records_missing", "mcas"] == 0


async def test_lost_batches_among_others_that_are_passed_together_are_counted_too(
    open_spool: Open, path: Path
) -> None:
    spool = await with_lost(open_spool, path, 6, 2, 3, 6)
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()
    good = Reject("web", "", "bad", b"1 a")

    assert [entry.sequence for entry in await returned(cursor)] == [1, 4, 5]
    await cursor.advance(4, Account(delivered=3, rejected=1), [good])
    await spool.settle()

    assert cursor.account == Account(delivered=3, rejected=5)
    assert (cursor.accepted_records, cursor.pending_records) == (12, 4)
    kept = [each.reject for each in await spool.rejects()]
    assert kept == [
        Reject("web", "", reason(2), b""),
        Reject("web", "", reason(3), b""),
        good,
    ]
    await cursor.advance(5, Account(delivered=2))
    await spool.settle()
    assert cursor.account == Account(delivered=5, rejected=7)
    assert (await spool.rejects())[-1].reject.reason == reason(6)
    await spool.close()
    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    assert (cursor.account, cursor.pending_records) == (Account(delivered=5, rejected=7), 0)


async def test_a_lost_batch_is_not_passed_before_those_in_front_of_it(
    open_spool: Open, path: Path
) -> None:
    spool = await with_lost(open_spool, path, 3, 2)
    cursor = await spool.cursor("mcas", ["web"])

    assert [(await cursor.next()).sequence for _ in range(2)] == [1, 3]
    await spool.settle()

    assert (cursor.account, cursor.pending_records, spool.kept_rejects) == (Account(), 6, 0)
    await spool.close()
    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    assert [(await cursor.next()).sequence for _ in range(2)] == [1, 3]


async def test_a_batch_set_aside_comes_back_once_it_can_be_read(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.cursor("other", ["web"])
    await filled(spool, 3)
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 + 1 WHERE body = 2")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    other = await spool.cursor("other", ["web"])
    for number in (1, 3):
        assert (await cursor.next()).sequence == number
        assert (await other.next()).sequence == number
        await cursor.advance(number, Account(delivered=2))
        await other.advance(number, Account(delivered=2))
    await spool.settle()

    assert await spool.retry_rejects() == (0, 2)  # it still can't be read
    assert spool.kept_rejects == 2
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 - 1 WHERE body = 2")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    other = await spool.cursor("other", ["web"])

    assert await spool.retry_rejects("mcas") == (2, 0)
    again = await cursor.next()
    assert again.batch == Batch("web", batch(1).data, 2, None, "", "mcas")
    await cursor.advance(again.sequence, Account(delivered=2))
    await spool.settle()
    assert (await spool.retry_rejects("other"), spool.kept_rejects) == ((2, 0), 0)
    again = await other.next()
    assert again.batch == Batch("web", batch(1).data, 2, None, "", "other")
    assert (cursor.pending_records, other.pending_records) == (0, 2)


async def test_a_lost_batch_that_was_dropped_on_its_way_is_a_reject_without_its_blob(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    used = spool.used_bytes
    await spool.close()
    change(path, "UPDATE bodies SET data = x'00' WHERE body = 2")
    spool = await open_spool(max_bytes=used, drop_oldest=True)
    cursor = await spool.cursor("mcas", ["web"])
    for number in (1, 3):
        assert (await cursor.next()).sequence == number

    await spool.append(batch(3))
    await spool.append(batch(4))
    await cursor.advance(3, Account(delivered=4))
    await spool.settle()

    (kept,) = await spool.rejects()
    assert (kept.reject.reason, kept.records) == (reason(2), 1)
    assert cursor.account == Account(delivered=4, rejected=2)
    assert cursor.accepted_records == 10 == cursor.account.done + cursor.pending_records


async def test_a_batch_that_can_be_read_at_the_last_look_is_not_lost(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await with_lost(open_spool, path, 2)
    cursor = await spool.cursor("mcas", ["web"])
    looks = 0
    unpack = Packer.unpack

    def failing(self: Packer, packed: Packed, data_bytes: int) -> bytes:
        nonlocal looks
        looks += 1
        if looks < DAMAGED_LOOKS:
            raise Damaged("not this time")
        return unpack(self, packed, data_bytes)

    monkeypatch.setattr(Packer, "unpack", failing)

    assert [(await cursor.next()).sequence for _ in range(2)] == [1, 2]
    assert counters["spool_read_failures", "mcas"] == DAMAGED_LOOKS - 1
    assert counters["batches_damaged", "mcas"] == 0


async def test_a_read_that_fails_is_reported_and_tried_again(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await with_lost(open_spool, path, 2)
    cursor = await spool.cursor("mcas", ["web"])
    for suffix in ("", "-wal"):  # a new connection finds nothing to open
        path.with_name(path.name + suffix).rename(path.with_name(f"away{suffix}"))
    with caplog.at_level(logging.ERROR):
        found, searched = await spool.read(0, "mcas", ["web"])  # the writer puts them back

    assert ([entry.sequence for entry in found], searched) == ([1, 2], 2)
    assert counters["spool_read_failures", "mcas"] > 0
    assert "The spool can't be read now; it is tried again." in caplog.text
    assert (await cursor.next()).sequence == 1


async def test_advancing_to_what_was_passed_changes_nothing(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    for _ in range(2):
        await cursor.next()
    await cursor.advance(2, Account(delivered=4))

    for passed in (2, 1, 0):
        await cursor.advance(
            passed, Account(delivered=9, rejected=1), [Reject("web", "", "bad", b"x")]
        )
    await spool.settle()

    assert (cursor.account, cursor.pending_records) == (Account(delivered=4), 2)
    assert spool.kept_rejects == 0
    assert (await cursor.next()).sequence == 3
    await spool.close()
    again = await open_spool()
    assert (await again.cursor("mcas", ["web"])).account == Account(delivered=4)


async def set_aside(spool: DurableSpool, feeds: Sequence[str], passed: int) -> None:
    """Have feeds pass what can be read, and so everything else up to there."""
    for feed in feeds:
        cursor = await spool.cursor(feed, ["web"])
        while (entry := await cursor.next()).sequence < passed:
            await cursor.advance(entry.sequence, Account(delivered=2))
        await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.settle()


def blobs(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM bodies ORDER BY body")]


async def test_the_blob_of_a_reject_stays_until_the_last_reject_of_it_has_gone(
    open_spool: Open, path: Path
) -> None:
    spool = await with_lost(open_spool, path, 3, 2)
    await spool.cursor("other", ["web"])
    await set_aside(spool, ["mcas", "other"], 3)
    assert blobs(path) == [2]
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = ? WHERE body = 2", zlib.crc32(b"\0"))
    change(path, "UPDATE rejects SET data_bytes = 1")
    change(
        path,
        "UPDATE rejects SET crc32 = row_crc32('rejects', feed, source, connection, reason, "
        "rejected_at, record_bytes, data, body, records, data_bytes)",
    )
    spool = await open_spool()
    for feed in ("mcas", "other"):
        await spool.cursor(feed, ["web"])

    assert await spool.retry_rejects("mcas") == (2, 0)
    assert blobs(path) == [2, 4]
    assert await spool.retry_rejects("other") == (2, 0)
    assert blobs(path) == [4, 5]


async def test_rejected_batches_are_charged_their_blobs_and_go_when_there_are_too_many(
    open_spool: Open, path: Path
) -> None:
    large = random.Random(1).randbytes(3000).replace(b"\n", b"\r") + b"\n"
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    for _ in range(4):
        await spool.append(Batch("web", large, 1))
    await spool.append(Batch("web", b"x\n", 1))
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 + 1 WHERE body < 5")
    spool = await open_spool(rejects_max_bytes=2 * (len(large) + OVERHEAD_BYTES))
    await set_aside(spool, ["mcas"], 5)

    assert [each.reject.reason[:7] for each in await spool.rejects()] == ["batch 3", "batch 4"]
    assert blobs(path) == [3, 4]
    await spool.close()
    smaller = await open_spool(rejects_max_bytes=2 * (len(large) + OVERHEAD_BYTES) - 1)
    cursor = await smaller.cursor("mcas", ["web"])
    assert smaller.kept_rejects == 2
    sequence = await smaller.append(Batch("web", b"x\n", 1))
    await cursor.next()
    await cursor.advance(sequence, Account(rejected=1), [Reject("web", "", "bad", b"")])
    await smaller.settle()
    assert [each.reject.reason[:7] for each in await smaller.rejects()] == ["batch 4", "bad"]
    assert blobs(path) == [4]


async def test_each_rejected_batch_is_a_batch_again(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 4)
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 + 1 WHERE body IN (1, 2, 3)")
    spool = await open_spool()
    await set_aside(spool, ["mcas"], 4)
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 - 1 WHERE body <> 2")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])

    assert await spool.retry_rejects() == (4, 1)

    again = [(await cursor.next()).batch.data for _ in range(2)]
    assert again == [batch(0).data, batch(2).data]


async def test_a_damaged_reject_is_shown_as_such_and_not_retried(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 1)
    await cursor.next()
    rejects = [Reject("web", "c", "bad", data) for data in (b"one", b"two")]
    await cursor.advance(1, Account(rejected=2), rejects)
    await spool.close()
    change(path, "UPDATE rejects SET data = x'6f6e65' WHERE number = 2")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])

    assert [each.reject for each in await spool.rejects()] == [
        rejects[0],
        Reject("", "", "this reject is damaged in the spool's file", b""),
    ]
    assert await spool.retry_rejects() == (1, 1)
    assert (await cursor.next()).batch.data == b"one\n"
