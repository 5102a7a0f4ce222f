"""The durable spool alone: what a batch costs, and how long a backlog delays the start.

Batches are appended, eight at a time, while one feed passes them; then a backlog is left in a new
spool, which is closed and opened again. CPU is that of the whole process, all threads. To compare
with another version, run it there as well, in turn.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool.durable.spool import DurableSpool

AT_A_TIME = 8


async def opened(folder: Path) -> DurableSpool:
    """Return the spool in a folder; what is passed does not stay."""
    settings = DurableSpoolConfig(path=folder / "spool.db", min_free_bytes=0, replay_minutes=0)
    return await DurableSpool.open(settings)


def records(count: int) -> bytes:
    """Return this many records of about 70 bytes."""
    record = '{"event":{"datetime":"2026-11-24","url":"www.example.com/%d","user":"u%d"}}\n'
    return "".join(record % (number, number * 7919 % 1000) for number in range(count)).encode()


def cpu_secs() -> float:
    """Return the CPU time that the process has taken, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def append(spool: DurableSpool, batches: int, size: int) -> None:
    """Append batches of some records, a few at a time."""
    data, turn = records(size), asyncio.Semaphore(AT_A_TIME)

    async def one(number: int) -> None:
        async with turn:
            await spool.append(Batch("web", data, size, f"at {number}"))

    await asyncio.gather(*(one(number) for number in range(batches)))


async def through(folder: Path, batches: int, size: int) -> float:
    """Pass batches through a spool; return CPU microseconds a batch."""
    spool = await opened(folder)
    cursor = await spool.cursor("out", ["web"])

    async def pass_all() -> None:
        for _ in range(batches):
            entry = await cursor.next()
            await cursor.advance(entry.sequence, Account(delivered=size))

    before = cpu_secs()
    await asyncio.gather(append(spool, batches, size), pass_all())
    await spool.settle()
    used = cpu_secs() - before
    await spool.close()
    return used * 1e6 / batches


async def start(folder: Path, batches: int) -> float:
    """Leave a backlog in a spool; return how long it then takes to open, in seconds."""
    spool = await opened(folder)
    await spool.cursor("out", ["web"])
    await append(spool, batches, 1)
    await spool.close()
    before = time.perf_counter()
    spool = await opened(folder)
    took = time.perf_counter() - before
    await spool.close()
    return took


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=3000, help="batches to pass")
    parser.add_argument("--backlog", type=int, default=20_000, help="batches left for the start")
    options = parser.parse_args()
    for size in (1000, 1):
        with tempfile.TemporaryDirectory() as folder:
            cost = asyncio.run(through(Path(folder), options.batches, size))
        print(f"{size:>5} records a batch: {cost:6.0f} us of CPU a batch")
    with tempfile.TemporaryDirectory() as folder:
        took = asyncio.run(start(Path(folder), options.backlog))
    print(f"{options.backlog:,} batches left: opened in {took:.2f} s")


if __name__ == "__main__":
    main()
