"""What fails for a moment, or while nobody needs it, leaves the spool as usable as before."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool.durable import ledger, schema, suspicion
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters

Open = Callable[..., Awaitable[DurableSpool]]


def batch(number: int) -> Batch:
    """Return a batch of two records that have its number."""
    return Batch("web", b"%d a\n%d b\n" % (number, number), 2, f"at {number}")


def incompressible(size: int) -> Batch:
    """Return a batch of one record that takes as many bytes of disk."""
    return Batch("web", os.urandom(size - 1).replace(b"\n", b"\r") + b"\n", 1)


def remove(path: Path) -> None:
    path.unlink()


async def until(reached: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.005)


class Broken:
    """Lets the next transactions find that the file can't be used."""

    def __init__(self) -> None:
        self.transactions = 0
        self.code = sqlite3.SQLITE_CORRUPT

    def __call__(self, point: str) -> None:
        if point == "before commit" and self.transactions:
            self.transactions -= 1
            error = sqlite3.DatabaseError("the file can't be used")
            error.sqlite_errorcode = self.code
            raise error


async def test_a_new_connection_that_fails_is_tried_again(
    open_spool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken()
    spool = await open_spool(at=broken)
    await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    connect, attempts = schema.connect, list[Path]()

    def second_attempt(path: Path) -> sqlite3.Connection:
        attempts.append(path)
        if len(attempts) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return connect(path)

    monkeypatch.setattr(schema, "connect", second_attempt)
    broken.transactions = 1

    assert await asyncio.wait_for(spool.append(batch(2)), 30) == 2
    assert len(attempts) == 1  # the old one was still good
    broken.transactions = 1
    assert await asyncio.wait_for(spool.append(batch(3)), 30) == 3
    assert len(attempts) == 2
    assert counters["spool_files_lost", "spool"] == 0


async def test_a_connection_that_only_reads_is_replaced(
    open_spool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, connect = Broken(), schema.connect
    spool = await open_spool(at=broken)
    await spool.cursor("mcas", ["web"])

    def healed(path: Path) -> sqlite3.Connection:
        broken.transactions = 0
        return connect(path)

    monkeypatch.setattr(schema, "connect", healed)
    broken.code, broken.transactions = sqlite3.SQLITE_READONLY, 1000

    assert await asyncio.wait_for(spool.append(batch(1)), 30) == 1


async def test_marks_that_can_not_be_removed_do_not_disturb_a_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "spool.db"  # as on a file system that takes nothing

    suspicion.suspect(path)
    suspicion.found_whole(path)
    suspicion.forget(path)

    assert not suspicion.is_confirmed(path)
    assert not suspicion.is_suspect(path)
    assert suspicion.is_suspect(tmp_path / ("x" * 250))  # a name too long to ask for: unknown


async def test_a_file_that_looks_broken_for_some_seconds_is_not_believed_to_be(
    open_spool: Open,
) -> None:
    broken = Broken()
    spool = await open_spool(at=broken)
    await spool.cursor("mcas", ["web"])
    broken.transactions = 30  # two in each of 15 rounds: with new batches and without

    assert await asyncio.wait_for(spool.append(batch(1)), 30) == 1
    assert counters["spool_breaks", "spool"] == 0


async def test_files_written_again_that_can_not_be_opened_at_once_are_opened_later(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    connect, attempts = schema.connect, list[Path]()

    def second_attempt(path: Path) -> sqlite3.Connection:
        attempts.append(path)
        if len(attempts) == 1:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path)

    monkeypatch.setattr(schema, "connect", second_attempt)
    remove(path)

    await until(lambda: len(attempts) > 1)
    assert await asyncio.wait_for(spool.append(batch(2)), 30) == 2
    assert (await cursor.next()).batch.data == batch(1).data
    assert spool.last_error is None


class Killed(Exception):  # noqa: N818 - what happened
    """Stands for a kill."""


async def test_a_kill_while_files_are_written_again_loses_nothing(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if target == path:
            raise Killed  # the new file is complete, and not in its place yet
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    remove(path)
    await until(lambda: counters["spool_breaks", "spool"])
    monkeypatch.undo()
    await spool.close()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()
    assert (await cursor.next()).batch.data == batch(1).data
    assert counters["spool_losses", "spool"] == 0


async def test_a_file_system_that_does_not_say_how_much_is_free_is_asked_again(
    open_spool: Open, path: Path
) -> None:
    silent = [False]

    def free_bytes(_folder: Path) -> int:
        if silent[0]:
            raise OSError(5, "Input/output error")
        return 1 << 40

    spool = await open_spool(free_bytes=free_bytes, min_free_bytes=1 << 20)
    await spool.cursor("mcas", ["web"])
    silent[0] = True

    waiting = asyncio.ensure_future(spool.append(batch(1)))
    await until(lambda: spool.last_error)
    assert spool.last_error == (
        f"the disk of {path.parent} fails: it does not say how much is free (input/output error)"
    )
    silent[0] = False
    assert await asyncio.wait_for(waiting, 30) == 1


async def test_a_sender_that_gave_up_leaves_nothing_to_make_room_for(open_spool: Open) -> None:
    free, points = [1 << 40], list[str]()
    spool = await open_spool(
        free_bytes=lambda _: free[0], min_free_bytes=40 << 20, replay_secs=3600, at=points.append
    )
    cursor = await spool.cursor("mcas", ["web"])
    for _ in range(40):
        await spool.append(incompressible(500_000))
        await cursor.advance((await cursor.next()).sequence, Account(delivered=1))
    await spool.settle()
    free[0] = 60 << 20
    waiting = asyncio.ensure_future(spool.append(batch(1)))
    await until(lambda: spool._committer._store.shrinking)

    waiting.cancel()
    await until(lambda: not spool._committer._store.shrinking)


async def test_a_log_removed_while_somebody_reads_is_not_given_up(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM batches").fetchone()
        await spool.append(batch(2))
        path.with_name(f"{path.name}-wal").unlink()
        await until(lambda: spool.last_error)
        waiting = asyncio.ensure_future(spool.append(batch(3)))
        assert spool.last_error == (
            f"its write-ahead log was removed, and a reader keeps it in use ({path})"
        )
        assert not waiting.done()

    assert await asyncio.wait_for(waiting, 30) == 3
    killed = path.parent / "killed"
    shutil.copytree(path.parent, killed, ignore=lambda *_: [killed.name])
    with closing(sqlite3.connect(killed / path.name)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM batches").fetchone() == (3,)


async def test_what_is_dropped_before_a_feed_is_back_counts_as_dropped(open_spool: Open) -> None:
    spool = await open_spool()
    for feed in ("mcas", "late"):
        await spool.cursor(feed, ["web"])
    for _ in range(3):
        await spool.append(incompressible(50_000))
    await spool.close()

    again = await open_spool(max_bytes=199_000, drop_oldest=True)
    await again.cursor("mcas", ["web"])
    for _ in range(3):
        await again.append(incompressible(50_000))
    late = await again.cursor("late", ["web"])

    assert (late.account, late.pending_records) == (Account(dropped=3), 3)
    assert late.accepted_records == 6


async def test_a_ledger_removed_in_use_is_made_again(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(batch(1))
    ledger.ledger_path(path).unlink()

    await until(lambda: ledger.read(path))
    await spool.append(batch(2))
    await until(lambda: (noted := ledger.read(path)) and noted.last_sequence == 2)


def test_what_is_pending_follows_from_the_account() -> None:
    account = Account(delivered=5, filtered=1, rejected=2, dropped=1, unpacked=4)
    assert FeedRow.of(7, 10, account, ("web",), 1).pending == 5
