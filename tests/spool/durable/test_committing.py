"""What the durable spool's writing thread does: together, in order, and again after a failure."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Reject, SpoolError, Trouble
from nss.spool.durable.inflight import INFLIGHT_BYTES
from nss.spool.durable.spool import DurableSpool
from nss.spool.durable.store import Store
from nss.telemetry.events import counters

Open = Callable[..., Awaitable[DurableSpool]]


class Gate:
    """Holds the committer before a commit until it may continue, and counts commits."""

    def __init__(self) -> None:
        self.commits = 0
        self.reached = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def __call__(self, point: str) -> None:
        if point == "before commit":
            self.reached.set()
            self._open.wait(5)
        if point == "after commit":
            self.commits += 1

    def shut(self) -> None:
        self.reached.clear()
        self._open.clear()

    def release(self) -> None:
        self._open.set()


class Disk:
    """Fails with an error of SQLite's while it is broken."""

    def __init__(self) -> None:
        self.code = sqlite3.SQLITE_OK
        self.failures = 0

    def __call__(self, point: str) -> None:
        if point == "before commit" and self.code:
            self.failures += 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error


def batch(text: str, source: str = "web", position: str | None = None) -> Batch:
    """Return a batch of one record for each letter."""
    return Batch(source, "".join(f"{letter}\n" for letter in text).encode(), len(text), position)


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.001)


async def limit_pages(spool: DurableSpool, pages: int) -> None:
    """Let the file grow to this many pages, at least to what it has."""
    await spool._do(lambda store: store.connection.execute(f"PRAGMA max_page_count = {pages}"))


def incompressible(number: int) -> Batch:
    """Return a batch that takes 100,000 bytes of disk."""
    data = b"".join(bytes([65 + (number + n * n * 7919 >> 3) % 50]) for n in range(10))
    blob = b"".join(data[n % 10 :] + str(n * 7919 * (number + 1)).encode() for n in range(20_000))
    return Batch("web", blob + b"\n", 1)


async def test_batches_that_wait_at_the_same_time_share_a_commit(open_spool: Open) -> None:
    gate = Gate()
    spool = await open_spool(at=gate)
    await spool.cursor("mcas", ["web"])
    gate.shut()
    first = asyncio.ensure_future(spool.append(batch("a")))
    await until(gate.reached.is_set)
    before = gate.commits

    others = [asyncio.ensure_future(spool.append(batch("b"))) for _ in range(50)]
    await asyncio.sleep(0)
    gate.release()

    assert await asyncio.gather(first, *others) == list(range(1, 52))
    assert gate.commits - before == 2


async def test_a_batch_and_its_position_are_committed_together_or_not_at_all(
    open_spool: Open, path: Path
) -> None:
    found: list[tuple[int, str | None]] = []

    def looked(point: str) -> None:
        if point in {"before commit", "after commit"}:
            with sqlite3.connect(path) as other:
                row = other.execute(
                    "SELECT (SELECT count(*) FROM batches), (SELECT max(position) FROM sources)"
                )
                found.append(row.fetchone())
            other.close()

    spool = await open_spool(at=looked)
    await spool.cursor("mcas", ["web"])
    found.clear()

    await spool.append(batch("a", position="1"))
    await spool.append(batch("b", position="2"))

    assert found[:4] == [(0, None), (1, "1"), (1, "1"), (2, "2")]


async def test_a_batch_larger_than_all_that_may_wait_goes_in(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    large = Batch("web", b"x" * (INFLIGHT_BYTES + 1) + b"\n", 1)

    async with asyncio.timeout(30):
        accepted = await asyncio.gather(
            spool.append(batch("a")), spool.append(large), spool.append(batch("b"))
        )
    assert list(accepted) == [1, 2, 3]

    assert [(await cursor.next()).batch for _ in range(3)] == [batch("a"), large, batch("b")]


async def test_after_an_error_of_the_disk_everything_is_done_in_order(open_spool: Open) -> None:
    disk = Disk()
    spool = await open_spool(at=disk)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await cursor.next()
    disk.code = sqlite3.SQLITE_IOERR

    await cursor.advance(1, Account(delivered=1))
    waiting = [asyncio.ensure_future(spool.append(batch(text))) for text in "bcd"]
    await until(lambda: disk.failures > 3)
    assert spool.trouble == Trouble(
        "disk_fails",
        f"the disk of {spool.path.parent} fails: it does not take what is written (disk I/O error)",
    )
    assert (spool.full, [append.done() for append in waiting]) == (True, [False] * 3)
    disk.code = sqlite3.SQLITE_OK

    assert await asyncio.gather(*waiting) == [2, 3, 4]
    assert [(await cursor.next()).batch for _ in range(3)] == [batch("b"), batch("c"), batch("d")]
    assert not spool.last_error
    assert not spool.full
    assert counters["spool_write_failures", "spool"] == disk.failures


async def test_when_the_disk_is_full_batches_wait_until_there_is_space(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await limit_pages(spool, 1)

    waiting = [asyncio.ensure_future(spool.append(incompressible(n))) for n in range(3)]
    await until(lambda: spool.last_error is not None)
    assert "full" in str(spool.last_error)
    await limit_pages(spool, 1 << 30)

    assert await asyncio.gather(*waiting) == [1, 2, 3]
    assert [(await cursor.next()).batch for _ in range(3)] == [incompressible(n) for n in range(3)]
    assert spool.last_error is None


async def test_a_feed_that_goes_on_makes_room_on_a_full_disk(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(incompressible(1))
    await limit_pages(spool, 1)
    waiting = asyncio.ensure_future(spool.append(incompressible(2)))
    await until(lambda: spool.last_error is not None)

    await cursor.next()
    await cursor.advance(1, Account(delivered=1))

    assert await asyncio.wait_for(waiting, 5) == 2
    await until(lambda: spool.last_error is None)


async def test_little_free_space_holds_batches_up_and_nothing_else(open_spool: Open) -> None:
    free = [0]
    spool = await open_spool(free_bytes=lambda _: free[0], min_free_bytes=1 << 20)
    cursor = await spool.cursor("mcas", ["web"])
    waiting = asyncio.ensure_future(spool.append(batch("a")))
    await until(lambda: spool.last_error is not None)
    assert spool.last_error == (
        f"the disk of {spool.path.parent} is full: 0 B free, less than min_free_bytes (1.0 MiB)"
    )

    assert await spool.rejects() == []
    await spool.forget("other")
    free[0] = 1 << 30

    assert await asyncio.wait_for(waiting, 5) == 1
    assert (await cursor.next()).batch == batch("a")


async def test_close_does_not_wait_for_a_full_disk_and_tells_who_waits(open_spool: Open) -> None:
    disk = Disk()
    spool = await open_spool(at=disk)
    cursor = await spool.cursor("mcas", ["web"])
    disk.code = sqlite3.SQLITE_FULL
    appending = asyncio.ensure_future(spool.append(batch("a")))
    asking = asyncio.ensure_future(spool.rejects())
    reading = asyncio.ensure_future(cursor.next())
    await until(lambda: disk.failures > 0)

    await asyncio.wait_for(spool.close(), 5)

    results = await asyncio.gather(appending, asking, reading, return_exceptions=True)
    assert [str(result) for result in results] == [f"spool: it is closed ({spool.path})"] * 3


async def test_a_batch_without_room_is_told_when_the_spool_is_closed(open_spool: Open) -> None:
    spool = await open_spool(max_bytes=2)
    await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    waiting = asyncio.ensure_future(spool.append(batch("b")))
    await until(lambda: spool.full)

    await spool.close()

    with pytest.raises(SpoolError, match="it is closed"):
        await waiting
    await spool.close()
    with pytest.raises(SpoolError, match="it is closed"):
        await spool.append(batch("c"))


async def test_more_rejects_than_may_wait_do_not_hold_a_feed_in_a_closed_spool(
    open_spool: Open,
) -> None:
    disk = Disk()
    spool = await open_spool(at=disk)
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await cursor.next()
    disk.code = sqlite3.SQLITE_FULL
    rejects = [Reject("web", "", "bad", b"x" * (1 << 20)) for _ in range(9)]
    advancing = asyncio.ensure_future(cursor.advance(1, Account(rejected=1), rejects))
    await until(lambda: disk.failures > 0)
    assert not advancing.done()

    await spool.close()

    await asyncio.wait_for(advancing, 5)


async def test_what_nobody_planned_is_told_to_everybody(open_spool: Open) -> None:
    wrong: list[Exception] = []

    def surprised(point: str) -> None:
        if point == "before commit" and wrong:
            raise wrong.pop()

    spool = await open_spool(at=surprised)
    cursor = await spool.cursor("mcas", ["web"])
    wrong.append(KeyError("secret of a record"))
    waiting = [asyncio.ensure_future(spool.append(batch(text))) for text in "ab"]

    for append in waiting:
        with pytest.raises(SpoolError, match="unplanned KeyError") as raised:
            await append
        assert "secret" not in str(raised.value)
    assert "unplanned KeyError" in str(spool.last_error)
    with pytest.raises(SpoolError, match="unplanned KeyError"):
        await spool.append(batch("c"))
    await cursor.advance(0, Account())
    assert counters["spool_breaks", "spool"] == 1


async def test_what_cannot_be_stored_is_refused_alone(open_spool: Open) -> None:
    gate = Gate()
    spool = await open_spool(at=gate)
    cursor = await spool.cursor("mcas", ["web"])
    bad = Batch("web", b"b\n", 1, connection="\ud800")
    gate.shut()
    held = asyncio.ensure_future(spool.settle())
    await until(gate.reached.is_set)

    waiting = [asyncio.ensure_future(spool.append(each)) for each in (batch("a"), bad, batch("c"))]
    asking = [asyncio.ensure_future(each) for each in (spool._do(_fails), spool.rejects())]
    await asyncio.sleep(0)
    gate.release()

    results = await asyncio.gather(*waiting, *asking, held, return_exceptions=True)
    assert [type(result) for result in results] == [
        *(int, UnicodeEncodeError, int, ZeroDivisionError, list, type(None)),
    ]
    assert [(await cursor.next()).batch for _ in range(2)] == [batch("a"), batch("c")]
    assert cursor.pending_records == 2


def _fails(_store: Store) -> None:
    raise ZeroDivisionError


async def test_the_reason_of_a_reject_may_quote_anything(open_spool: Open) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch("a"))
    await cursor.next()

    await cursor.advance(1, Account(rejected=1), [Reject("web", "", "bad \ud800 \0 !", b"\xff\0")])

    (kept,) = await spool.rejects()
    assert kept.reject == Reject("web", "", "bad \\ud800 \0 !", b"\xff\0")


async def test_cancelled_appends_leave_no_hole_and_no_debt(open_spool: Open) -> None:
    gate = Gate()
    spool = await open_spool(at=gate)
    cursor = await spool.cursor("mcas", ["web"])
    accepted: list[bytes] = []
    for turns in range(12):
        gate.shut()
        tasks = [asyncio.ensure_future(spool.append(batch(c))) for c in "abc"]
        for _ in range(turns):
            await asyncio.sleep(0)
        tasks[1].cancel()
        gate.release()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
    last = await spool.append(batch("z"))
    while (entry := await cursor.next()).sequence != last:
        accepted.append(entry.batch.data)

    assert [each for each in accepted if each != b"b\n"] == [b"a\n", b"c\n"] * 12
    assert cursor.pending_records == len(accepted) + 1 == last
    assert not spool._in_flight._bytes


async def test_the_log_stays_small_while_only_cursors_move(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    sequences = [await spool.append(batch("a")) for _ in range(700)]
    for sequence in sequences:
        await cursor.next()
        await cursor.advance(sequence, Account(delivered=1))
        await spool.settle()

    log = path.with_name(f"{path.name}-wal")
    assert log.stat().st_size < 40 << 20


async def test_little_space_is_told_until_there_is_some_though_nobody_waits(
    open_spool: Open,
) -> None:
    free = [0]
    spool = await open_spool(free_bytes=lambda _: free[0], min_free_bytes=1 << 20)
    given_up = asyncio.ensure_future(spool.append(batch("a")))
    await until(lambda: spool.last_error is not None)
    given_up.cancel()
    for _ in range(3):
        await spool.settle()
    assert spool.last_error is not None

    free[0] = 1 << 30

    await until(lambda: spool.last_error is None)
