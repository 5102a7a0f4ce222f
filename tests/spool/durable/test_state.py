"""What a spool says of itself: as soon as it is open, and what it holds batches to."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import PendingLimit, Reject, SpoolError
from nss.spool.durable.packing import Packer
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable.test_committing import Disk, until
from tests.spool.durable.test_damage import change

Open = Callable[..., Awaitable[DurableSpool]]


async def test_a_new_spool_is_empty_and_well(open_spool: Open, path: Path) -> None:
    spool = await open_spool(max_bytes=12345, replay_secs=180)

    assert (spool.path, spool.folder) == (path, str(path.parent))
    assert (spool.max_bytes, spool.replay_secs, spool.durable) == (12345, 180.0, True)
    assert (spool.used_bytes, spool.kept_rejects, spool.last_sequence) == (0, 0, 0)
    assert (spool.trouble, spool.last_error, spool.full) == (None, None, False)
    assert spool.sealed is False
    assert (spool.feeds(), spool.position("web"), spool.holds_up("web")) == ({}, None, None)


async def test_a_spool_opened_again_says_at_once_what_it_has(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"1\n2\n", 2, "at 2"))
    await spool.append(Batch("web", b"3\n4\n5\n", 3, "at 5"))
    await spool.append(Batch("web", b"6\n", 1))
    await cursor.next()
    await cursor.advance(1, Account(rejected=2), [Reject("web", "", "bad", b"1")] * 2)
    await spool.settle()
    before = (spool.used_bytes, spool.kept_rejects, spool.last_sequence)
    await spool.close()

    again = await open_spool()

    assert before == (8, 2, 3)
    assert (again.used_bytes, again.kept_rejects, again.last_sequence) == before
    assert (again.feeds(), again.position("web")) == ({"mcas": 4}, "at 5")
    assert (again.full, again.trouble) == (False, None)


async def test_a_batch_is_charged_256_bytes_more_than_its_blob(path: Path) -> None:
    settings = DurableSpoolConfig(path=path, min_free_bytes=0)
    spool = await DurableSpool.open(settings)
    cursor = await spool.cursor("mcas", ["web"])
    data = b"a record as others\n" * 100
    await spool.append(Batch("web", data, 100))
    assert spool.used_bytes == cursor.pending_bytes == len(Packer().pack(data).data) + 256
    await spool.close()


async def test_what_the_disk_refuses_is_tried_again_as_soon_as_was_asked_for(
    open_spool: Open,
) -> None:
    disk = Disk()
    spool = await open_spool(at=disk)
    await spool.cursor("mcas", ["web"])
    disk.code = sqlite3.SQLITE_IOERR
    waiting = asyncio.ensure_future(spool.append(Batch("web", b"1\n", 1)))

    async with asyncio.timeout(8):  # each pause is 5 ms
        while disk.failures < 20:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.001)
    disk.code = sqlite3.SQLITE_OK

    assert await waiting == 1


async def test_the_mean_size_of_a_record_stays_known_when_none_is_pending(
    open_spool: Open,
) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    assert (cursor.pending_bytes, cursor.bytes_per_record) == (0, 0.0)

    await spool.append(Batch("web", b"123\n", 1))
    assert (cursor.pending_bytes, cursor.bytes_per_record) == (4, 4.0)
    await spool.append(Batch("web", b"1\n2\n", 2))
    assert (cursor.pending_bytes, cursor.bytes_per_record) == (8, 8 / 3)
    await cursor.next()
    await cursor.next()
    await cursor.advance(2, Account(delivered=3))
    await spool.settle()
    assert (cursor.pending_bytes, cursor.bytes_per_record) == (0, 8 / 3)


async def test_a_feed_at_its_limit_makes_its_source_wait_and_drops_nothing(
    open_spool: Open,
) -> None:
    spool = await open_spool(now=lambda: 50.0)
    cursor = await spool.cursor("mcas", ["web"], PendingLimit(5))
    other = await spool.cursor("other", ["web"])
    await spool.append(Batch("web", b"123\n", 1))
    assert (cursor.limited_since, cursor.limited_dropped) == (None, 0)
    waiting = asyncio.ensure_future(spool.append(Batch("web", b"4\n", 1)))
    await until(lambda: cursor.limited_since is not None)

    assert (cursor.limited_since, cursor.limited_dropped) == (50.0, 0)
    assert (other.limited_since, other.limited_dropped) == (None, 0)
    assert (spool.full, spool.holds_up("dns")) == (False, None)
    assert "mcas" in str(spool.holds_up("web"))
    assert counters["records_dropped", "mcas"] == 0

    await cursor.next()
    await cursor.advance(1, Account(delivered=1))
    assert await waiting == 2


async def test_what_a_full_spool_drops_is_counted_for_the_feeds_that_lose_it(
    open_spool: Open, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await open_spool(max_bytes=6, drop_oldest=True)
    slow = await spool.cursor("slow", ["web"])
    fast = await spool.cursor("fast", ["web"])
    await spool.append(Batch("web", b"1\n2\n3\n", 3))
    await fast.next()
    await fast.advance(1, Account(delivered=3))
    await spool.append(Batch("web", b"4\n5\n", 2))
    await spool.append(Batch("web", b"6\n7\n", 2))

    assert (slow.account, slow.pending_records) == (Account(dropped=5), 2)
    assert (fast.account, fast.pending_records) == (Account(delivered=3, dropped=2), 2)
    assert (counters["records_dropped", "slow"], counters["records_dropped", "fast"]) == (5, 2)
    (first, *_) = [each for each in caplog.records if each.event == "records_dropped"]  # type: ignore[attr-defined]
    assert first.component == "slow"  # type: ignore[attr-defined]
    assert first.facts == {"records": 3}  # type: ignore[attr-defined]


async def test_records_that_are_missing_at_the_start_are_a_reject_of_their_feed(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.cursor("other", ["dns"])
    for source, data in (("web", b"1\n"), ("dns", b"2\n3\n"), ("web", b"4\n")):
        await spool.append(Batch(source, data, data.count(b"\n")))
    await spool.close()
    change(path, "DELETE FROM batches WHERE sequence = 1")

    again = await open_spool(now=lambda: 70.0)

    (kept,) = await again.rejects()
    reason = "1 accepted records are not in the spool any more"
    assert (kept.feed, kept.rejected_at, kept.reject) == (
        "mcas",
        70.0,
        Reject("", "", reason, b""),
    )
    assert (kept.records, kept.record_bytes) == (1, 0)
    assert again.feeds() == {"mcas": 1, "other": 2}
    cursor = await again.cursor("mcas", ["web"])
    assert (cursor.account, cursor.pending_records) == (Account(rejected=1), 1)


async def test_records_that_the_account_does_not_know_are_no_reject(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"1\n2\n", 2))
    await spool.close()
    change(
        path,
        "UPDATE cursors SET accepted = accepted - 1, crc32 = row_crc32('cursors', feed, passed, "
        "accepted - 1, delivered, filtered, rejected, dropped, shortened, unpacked, sources, "
        "written)",
    )

    again = await open_spool()

    assert await again.rejects() == []
    cursor = await again.cursor("mcas", ["web"])
    assert (cursor.account, cursor.pending_records) == (Account(), 2)
    assert counters["records_missing", "mcas"] == 0


async def test_a_closed_spool_says_so_with_its_path(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await spool.close()
    await spool.close()

    for asked in (cursor.next(), spool.append(Batch("web", b"1\n", 1)), spool.rejects()):
        with pytest.raises(SpoolError) as raised:
            await asked
        assert str(raised.value) == f"spool: it is closed ({path})"


def test_a_spool_whose_loop_has_ended_closes_its_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[object] = []
    monkeypatch.setattr(threading, "excepthook", wrong.append)
    settings = DurableSpoolConfig(path=path, min_free_bytes=0)
    with asyncio.Runner() as runner:
        spool = runner.run(DurableSpool.open(settings))
    assert path.with_name(f"{path.name}-wal").exists()

    spool._committer.stop()

    assert wrong == []
    assert not path.with_name(f"{path.name}-wal").exists()
    spool._lock.close()
