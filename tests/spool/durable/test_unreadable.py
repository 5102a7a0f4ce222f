"""A backlog that can't be read back, in part or at all: rejected or reported."""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Cursor, SpoolClosed, SpoolError
from nss.spool.durable import schema
from nss.spool.durable.spool import DurableSpool
from tests.parts import durable_spool
from tests.spool.durable.test_committing import until
from tests.spool.durable.test_damage import change

Open = Callable[..., Awaitable[DurableSpool]]


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


async def few(open_spool: Open, batches: int) -> DurableSpool:
    """Return a spool opened again with a few batches to read: 1, 2, 3 and so on."""
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    for number in range(1, batches + 1):
        await spool.append(Batch("web", b"%d\n" % number, 1))
    await spool.close()
    return await open_spool()


async def test_a_lost_batch_that_was_dropped_before_it_was_passed_leaves_a_reject_without_records(
    open_spool: Open, path: Path
) -> None:
    spool = await few(open_spool, 4)
    await spool.close()
    change(path, "DELETE FROM bodies WHERE body = 2")
    spool = await open_spool(max_bytes=8, drop_oldest=True)
    cursor = await spool.cursor("mcas", ["web"])
    assert [(await cursor.next()).sequence for _ in range(2)] == [1, 3]

    for number in (5, 6):
        await spool.append(Batch("web", b"%d\n" % number, 1))
    assert cursor.account == Account(dropped=2)
    await cursor.advance(3, Account(delivered=2))
    await spool.settle()

    assert (cursor.account, cursor.pending_records) == (Account(delivered=2, rejected=1), 3)
    (kept,) = await spool.rejects()
    assert kept.reject.reason == "batch 2 of 1 records can't be read: its records are missing"
    assert (kept.reject.data, kept.record_bytes) == (b"", 0)


async def test_what_the_file_does_not_give_is_an_error_each_time_it_is_asked_for(
    open_spool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await few(open_spool, 2)
    cursor = await spool.cursor("mcas", ["web"])
    read, errors = spool.read, [SpoolError("spool: can't be read")]

    async def refused_once(*asked: object) -> object:
        if errors:
            raise errors.pop()
        return await read(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(spool, "read", refused_once)

    for _ in range(2):
        with pytest.raises(SpoolError, match=r"^spool: can't be read$"):
            await cursor.next()


async def test_a_failure_while_reading_ahead_is_told_after_what_was_read(
    open_spool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nss.spool.durable.reader.READ_ROWS", 1)
    spool = await few(open_spool, 3)
    cursor = await spool.cursor("mcas", ["web"])
    read = spool.read

    async def refused(after: int, *asked: object) -> object:
        if after:
            raise SpoolError("spool: can't be read")
        return await read(after, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(spool, "read", refused)

    assert (await cursor.next()).batch == Batch("web", b"1\n", 1)
    await until(lambda: cursor.failure is not None)
    with pytest.raises(SpoolError, match=r"^spool: can't be read$"):
        await cursor.next()
