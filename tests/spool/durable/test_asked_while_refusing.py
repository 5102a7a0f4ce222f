"""What a spool answers while the disk takes nothing: all that needs no writing."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

import pytest

from nss.batch import Account, Batch
from nss.spool import Reject
from nss.spool.durable.spool import DurableSpool
from tests.spool.durable.test_committing import Disk, until

Open = Callable[..., Awaitable[DurableSpool]]

ANSWER_SECS = 40.0
"""How long a test waits for an answer that comes at once."""


@pytest.fixture(params=[sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR], ids=["full", "failing"])
def code(request: pytest.FixtureRequest) -> int:
    """Return why the disk takes nothing."""
    found: int = request.param
    return found


async def refusing(open_spool: Open, code: int) -> tuple[DurableSpool, Disk]:
    """Return a spool that can replay two batches and has a reject; its disk takes nothing now."""
    disk = Disk()
    at = [100.0]
    spool = await open_spool(replay_secs=60, at=disk, now=lambda: at[0])
    cursor = await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"a\nb\n", 2))
    at[0] = 130.0
    await spool.append(Batch("web", b"c\n", 1))
    for sequence, done in ((1, Account(delivered=2)), (2, Account(rejected=1))):
        await cursor.next()
        rejects = [Reject("web", "", "bad", b"c")] * done.rejected
        await cursor.advance(sequence, done, rejects)
    await spool.settle()
    disk.code = code
    return spool, disk


async def test_what_can_be_replayed_is_told(open_spool: Open, code: int) -> None:
    spool, disk = await refusing(open_spool, code)
    async with asyncio.timeout(ANSWER_SECS):
        assert await spool.replay_range("mcas") == (100.0, 130.0)
        assert await spool.replayable("mcas", 0, 1e12) == 3
    assert disk.failures
    assert spool.trouble is not None


async def test_rejects_are_counted_by_reason(open_spool: Open, code: int) -> None:
    spool, disk = await refusing(open_spool, code)
    async with asyncio.timeout(ANSWER_SECS):
        (count,) = await spool.reject_reasons("mcas")
    assert (count.feed, count.reason, count.records) == ("mcas", "bad", 1)
    assert disk.failures


async def test_a_feed_is_forgotten_for_good(open_spool: Open, code: int) -> None:
    spool, disk = await refusing(open_spool, code)
    async with asyncio.timeout(ANSWER_SECS):
        await spool.forget("mcas")
    assert (spool.feeds(), disk.failures > 0) == ({}, True)
    disk.code = sqlite3.SQLITE_OK
    await until(lambda: spool.trouble is None)
    await spool.close()
    assert (await open_spool()).feeds() == {}


async def test_a_feed_gets_its_cursor(open_spool: Open, code: int) -> None:
    spool, disk = await refusing(open_spool, code)
    async with asyncio.timeout(ANSWER_SECS):
        cursor = await spool.cursor("other", ["web"])
    assert (cursor.account, spool.feeds(), disk.failures > 0) == (
        Account(),
        {"mcas": 0, "other": 0},
        True,
    )


async def test_a_feed_that_is_forgotten_is_no_longer_known_though_it_never_had_a_cursor(
    open_spool: Open,
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"a\n", 1))
    await spool.close()
    spool = await open_spool()
    assert spool.feeds() == {"mcas": 1}

    await spool.forget("mcas")
    await spool.forget("nobody")

    assert spool.feeds() == {}
