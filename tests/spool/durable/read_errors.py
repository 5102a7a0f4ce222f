"""Runs with `failing_reads.c` preloaded: reads a spool while single reads of the disk fail.

Prints JSON for the test that started it.
"""

import asyncio
import ctypes
import logging
import random
import shutil
import sys
from pathlib import Path

import orjson

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import SpoolClosed
from nss.spool.durable.spool import DurableSpool
from nss.telemetry import events
from nss.telemetry.events import counters

disk = ctypes.CDLL(None)
BATCHES = 12


async def opened(path: Path) -> DurableSpool:
    settings = DurableSpoolConfig(path=path, min_free_bytes=0, replay_minutes=60)
    return await DurableSpool.open(settings, again_secs=0.0005)


def record(number: int) -> bytes:
    """Return a record that does not shrink, so that it is found in the file."""
    filling = random.Random(number).randbytes(60_000)
    return b"%d %s\n" % (number, filling.replace(b"\n", b"\r"))


async def filled(path: Path) -> None:
    spool = await opened(path)
    await spool.cursor("mcas", ["web"])
    for number in range(BATCHES):
        await spool.append(Batch("web", record(number), 1, f"at {number}"))
    shutil.copytree(path.parent, path.parent.with_name("killed"))
    await spool.close()


async def drained(spool: DurableSpool) -> list[int]:
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()
    found: list[int] = []
    while True:
        try:
            entry = await cursor.next()
        except SpoolClosed:
            await spool.settle()
            return found
        found.append(int(entry.batch.data.split()[0]))
        await cursor.advance(entry.sequence, Account(delivered=1))


async def one_failed_read(origin: Path, number: int) -> dict[str, object]:
    """Return what became of a spool, of which the read with this number fails."""
    folder = origin.with_name(f"read{number}")
    shutil.copytree(origin, folder)
    events.clear()
    counters.clear()
    disk.fail_read(number)
    spool = await opened(folder / "spool.db")
    found = await drained(spool)
    reads = disk.reads()
    disk.fail_read(0)
    await spool.close()
    result = {
        "read": number,
        "reads": reads,
        "found": found,
        "rejected": spool.kept_rejects,
        "aside": [file.name for file in folder.glob("*.damaged-*")],
        "missing": counters["records_missing", "mcas"],
    }
    shutil.rmtree(folder)
    return result


async def bad_sector(origin: Path) -> dict[str, object]:
    """Return what became of a batch that can't be read for a while."""
    folder = origin.with_name("sector")
    shutil.copytree(origin, folder)
    spool = await opened(folder / "spool.db")
    await spool.close()  # all is in the database now
    sector = (folder / "spool.db").read_bytes().index(record(7)[-5000:])
    spool = await opened(folder / "spool.db")
    disk.fail_range(sector, sector + 512)
    first = await drained(spool)
    kept = await spool.rejects()
    stays = await spool.retry_rejects()
    disk.fail_range(0, 0)
    retried = await spool.retry_rejects()
    spool.sealed = False
    second = await drained(spool)
    await spool.close()
    return {
        "first": first,
        "reasons": [reject.reject.reason for reject in kept],
        "records": [reject.records for reject in kept],
        "stays": stays,
        "retried": retried,
        "second": second,
        "left": spool.kept_rejects,
    }


async def main(folder: Path, last: int, step: int) -> None:
    logging.disable(logging.CRITICAL)
    await filled(folder / "origin" / "spool.db")
    killed = folder / "killed"
    results = [await one_failed_read(killed, number) for number in range(1, last + 1, step)]
    sys.stdout.buffer.write(orjson.dumps({"reads": results, "sector": await bad_sector(killed)}))


if __name__ == "__main__":
    (Path(sys.argv[1]) / "origin").mkdir()
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
