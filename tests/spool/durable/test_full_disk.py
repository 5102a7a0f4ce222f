"""The spool on a disk that is full, or gets full: nothing is lost, and it needs no help."""

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import SpoolClosed, SpoolError
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.faults.conftest import small_disk

__all__ = ["small_disk"]

BATCHES = 90
RECORD_BYTES = 64 << 10


async def opened(path: Path) -> DurableSpool:
    settings = DurableSpoolConfig(path=path, min_free_bytes=0, replay_minutes=0)
    return await DurableSpool.open(settings, again_secs=0.005)


def record(number: int) -> Batch:
    """Return a batch of one record that does not shrink."""
    data = b"%d %s\n" % (number, os.urandom(RECORD_BYTES).replace(b"\n", b"\r"))
    return Batch("web", data, 1)


async def filled(path: Path) -> DurableSpool:
    """Return a spool of about 6 MiB."""
    spool = await opened(path)
    await spool.cursor("mcas", ["web"])
    for number in range(BATCHES):
        await spool.append(record(number))
    return spool


async def fill_and_damage(path: Path) -> None:
    """Make a spool with one damaged row."""
    spool = await filled(path)
    await spool.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE batches SET source = 'wec' WHERE sequence = 5")


async def delivered(spool: DurableSpool) -> list[int]:
    """Return the numbers of all records that are left."""
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()
    numbers: list[int] = []
    while True:
        try:
            entry = await cursor.next()
        except SpoolClosed:
            return numbers
        numbers.append(int(entry.batch.data.split()[0]))
        await cursor.advance(entry.sequence, Account(delivered=1))


def fill(folder: Path, leave_bytes: int) -> Path:
    """Fill a file system up to some bytes."""
    free, hog = os.statvfs(folder), folder / "hog"
    hog.write_bytes(bytes(free.f_bavail * free.f_frsize - leave_bytes))
    return hog


def fill_up(folder: Path) -> Path:
    """Fill the rest of a file system to the last byte."""
    more = folder / "more"
    with more.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return more


async def appended_until_full(spool: DurableSpool) -> int:
    """Return how many more batches a spool takes; the last waits in vain."""
    accepted = 0
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(spool.append(record(BATCHES + accepted)), 1)
            accepted += 1
    return accepted


def logs(folder: Path) -> list[Path]:
    """Return the files that SQLite has beside a spool in use."""
    return [*folder.glob("*-wal"), *folder.glob("*-shm")]


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {"hog", "spool.db-wal", "spool.db-shm"}


@pytest.mark.parametrize("leave_mib", [0, 1, 2, 4, 6, 8])
async def test_a_salvage_without_space_changes_nothing_and_with_space_loses_nothing(
    small_disk: Path, leave_mib: int
) -> None:
    path = small_disk / "spool.db"
    await fill_and_damage(path)
    before = names(small_disk) - {"spool.db.reserve"}
    hog = fill(small_disk, leave_mib << 20)
    wanted = [number for number in range(BATCHES) if number != 4]

    found: tuple[str, set[str]] | None = None
    try:
        spool = await opened(path)
    except SpoolError as error:
        found = (str(error), names(small_disk))
        hog.unlink()
        spool = await opened(path)

    if found is not None:
        assert "database or disk is full" in found[0]
        assert found[1] == before

    assert await delivered(spool) == wanted
    assert counters["spool_salvages", "spool"] == 1
    assert counters["records_missing", "mcas"] == 1
    assert counters["spool_losses", "spool"] == 0
    await spool.close()


async def test_a_start_without_any_space_after_an_orderly_stop_delivers_what_is_pending(
    small_disk: Path,
) -> None:
    path = small_disk / "spool.db"
    spool = await filled(path)
    hog = fill(small_disk, 0)
    accepted = BATCHES + await appended_until_full(spool)
    assert str(spool.last_error).startswith(f"the disk of {path.parent} is full: ")
    await spool.close()
    more = fill_up(small_disk)  # others take what the stop gave back

    again = await opened(path)
    assert await delivered(again) == list(range(accepted))
    hog.unlink()
    more.unlink()
    again.sealed = False
    assert await asyncio.wait_for(again.append(record(accepted)), 30) == accepted + 1
    await again.close()

    last = await opened(path)
    assert await delivered(last) == [accepted]
    await last.close()
    assert names(small_disk) == {"spool.db", "spool.db.ledger", "spool.db.lock", "spool.db.reserve"}
    assert not logs(small_disk)
