"""The ledger beside the spool: a loss is reported once, and nothing that is no loss."""

import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool.durable import ledger
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters

Open = Callable[..., Awaitable[DurableSpool]]


def batch(number: int, source: str = "web") -> Batch:
    """Return a batch of two records that have its number."""
    return Batch(source, b"%d a\n%d b\n" % (number, number), 2, f"at {number}")


async def passed(spool: DurableSpool, cursor: DurableCursor, batches: int) -> None:
    """Deliver some batches, each in a commit of its own."""
    for _ in range(batches):
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=2))
        await spool.settle()


def contents(path: Path) -> bytes:
    return path.read_bytes()


def put_back(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def as_killed(path: Path, old_ledger: bytes) -> Path:
    """Copy a spool in use, as a power cut leaves it that kept only this of the ledger."""
    folder = path.parent / "killed"
    shutil.copytree(path.parent, folder, ignore=lambda *_: [folder.name])
    killed = folder / path.name
    ledger.ledger_path(killed).write_bytes(old_ledger)
    return killed


def restore(killed: Path, path: Path) -> None:
    """Put the files of a kill in the place of a spool that was closed."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)


def assert_no_alarm(path: Path) -> None:
    assert list(path.parent.glob("*.damaged-*")) == []
    assert counters["spool_salvages", "spool"] == 0
    assert counters["spool_losses", "spool"] == 0


@pytest.mark.parametrize(("restarts", "moves"), [(0, 0), (0, 2), (1, 2)])
@pytest.mark.parametrize("comes_back", [False, True])
async def test_a_ledger_from_before_a_feed_was_forgotten_is_only_old(
    open_spool: Open, path: Path, restarts: int, moves: int, *, comes_back: bool
) -> None:
    spool = await open_spool()
    slow = await spool.cursor("slow", ["web"])
    gone = await spool.cursor("gone", ["web"])
    for number in range(9):
        await spool.append(batch(number))
    await passed(spool, gone, 6)
    old = ledger.ledger_path(path).read_bytes()

    await spool.forget("gone")
    for _ in range(restarts):
        await spool.close()
        spool = await open_spool()
        slow = await spool.cursor("slow", ["web"])
    await passed(spool, slow, moves)
    if comes_back:
        await spool.cursor("gone", ["web"])
        await spool.settle()
    killed = as_killed(path, old)
    await spool.close()
    restore(killed, path)

    again = await open_spool()
    slow = await again.cursor("slow", ["web"])
    assert slow.account == Account(delivered=2 * moves)
    assert (await slow.next()).sequence == moves + 1
    assert set(again.feeds()) == {"slow", "gone"} if comes_back else {"slow"}
    assert_no_alarm(path)


async def test_what_is_missing_is_reported_once(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(batch(0))
    await spool.close()
    backup = contents(path)
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    for number in range(1, 9):
        await spool.append(batch(number))
    await passed(spool, cursor, 2)
    await spool.close()
    put_back(path, backup)

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    await again.settle()
    assert counters["spool_losses", "spool"] == 1
    lost = counters["records_missing", "mcas"]
    killed = as_killed(path, ledger.ledger_path(path).read_bytes())
    await again.close()
    restore(killed, path)
    last = await open_spool()

    assert counters["spool_losses", "spool"] == 1
    assert counters["spool_salvages", "spool"] == 0
    assert counters["records_missing", "mcas"] == lost
    assert (await last.cursor("mcas", ["web"])).account.rejected == lost
    assert await last.append(batch(9)) == 10  # numbers are never used twice


async def test_moves_that_are_missing_alone_name_no_batch(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    for number in range(3):
        await spool.append(batch(number))
    await spool.close()
    backup = contents(path)
    spool = await open_spool()
    await passed(spool, await spool.cursor("mcas", ["web"]), 2)
    await spool.close()
    put_back(path, backup)

    with caplog.at_level(logging.ERROR):
        await open_spool()

    (report,) = [each for each in caplog.records if "lacks its last commits" in each.getMessage()]
    assert report.__dict__["facts"]["batches"] == ""
