"""A salvage on a disk that gets full: all of it, or nothing and the damaged file as it was."""

import os
import sqlite3
from contextlib import closing
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


async def fill_and_damage(path: Path) -> None:
    """Make a spool of about 6 MiB with one damaged row."""
    spool = await opened(path)
    await spool.cursor("mcas", ["web"])
    for number in range(BATCHES):
        data = b"%d %s\n" % (number, os.urandom(RECORD_BYTES).replace(b"\n", b"\r"))
        await spool.append(Batch("web", data, 1))
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
