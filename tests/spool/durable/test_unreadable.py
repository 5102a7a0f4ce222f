"""A backlog that can't be read back, in part or at all: rejected or reported."""

import asyncio
import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Cursor, SpoolClosed, SpoolError
from nss.spool.durable import schema
from tests.parts import durable_spool


async def delivered(cursor: Cursor) -> list[int]:
    """Deliver what a sealed spool has; return the sequences."""
    sequences = list[int]()
    while True:
        try:
            entry = await cursor.next()
        except SpoolClosed:
            return sequences
        sequences.append(entry.sequence)
        await cursor.advance(entry.sequence, Account(delivered=1))


async def backlog(path: Path) -> None:
    """Make a spool with 200 batches to read, more than a cursor reads at a time."""
    noise = random.Random(5)
    spool = await durable_spool(path, min_free_bytes=0)
    await spool.cursor("mcas", ["web"])
    for _ in range(200):
        await spool.append(Batch("web", noise.randbytes(15_000).hex().encode() + b"\n", 1))
    await spool.close()


async def test_batches_that_can_not_be_read_back_are_rejected_wherever_they_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    await backlog(path)
    lost = {1, 2, *range(50, 61), 140, 199, 200}
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for number in lost:
            connection.execute("UPDATE bodies SET data = x'00' WHERE body = ?", (number,))
    spool = await durable_spool(path, min_free_bytes=0, again_secs=0.001)
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()

    sequences = await delivered(cursor)
    await spool.settle()

    assert sequences == [number for number in range(1, 201) if number not in lost]
    assert cursor.account == Account(delivered=len(sequences), rejected=len(lost))
    assert (cursor.pending_records, spool.kept_rejects) == (0, len(lost))
    await spool.close()


async def test_a_backlog_that_can_not_be_read_at_all_is_reported_each_time_it_is_asked_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    await backlog(path)
    spool = await durable_spool(path, min_free_bytes=0, again_secs=0.001)
    with path.open("r+b") as file:
        file.seek(schema.PAGE_BYTES)
        file.write(random.Random(6).randbytes(path.stat().st_size - schema.PAGE_BYTES))
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()

    for _ in range(2):
        with pytest.raises(SpoolError, match=r"^spool: can't be read: "):
            await asyncio.wait_for(cursor.next(), 20)

    assert (cursor.account, cursor.pending_records) == (Account(), 200)
    await spool.close()
