"""How many bytes of rejects may wait for a disk that takes nothing."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

from nss.batch import Account, Batch
from nss.spool import Reject
from nss.spool.durable.rejects import OVERHEAD_BYTES
from nss.spool.durable.spool import UNSAVED_BYTES, DurableSpool
from tests.spool.durable.test_committing import Disk

Open = Callable[..., Awaitable[DurableSpool]]

HALF = UNSAVED_BYTES // 2


def rejects(count: int, size_bytes: int) -> list[Reject]:
    """Return rejects that are charged this much together."""
    return [Reject("web", "", "bad", bytes(size_bytes // count - OVERHEAD_BYTES))] * count


async def test_a_feed_goes_on_until_so_many_wait_and_then_waits_for_the_disk(
    open_spool: Open,
) -> None:
    disk = Disk()
    spool = await open_spool(at=disk)
    cursor = await spool.cursor("mcas", ["web"])
    for _ in range(3):
        await spool.append(Batch("web", b"r\n", 1))
        await cursor.next()
    disk.code = sqlite3.SQLITE_FULL

    async with asyncio.timeout(40):
        await cursor.advance(1, Account(rejected=1), rejects(1, HALF))
        await cursor.advance(2, Account(rejected=1), rejects(1024, HALF))
    last = asyncio.ensure_future(cursor.advance(3, Account(rejected=1), rejects(1, 257)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not last.done()

    disk.code = sqlite3.SQLITE_OK
    async with asyncio.timeout(40):
        await last
    await spool.settle()
    assert cursor.account == Account(rejected=3)
    disk.code = sqlite3.SQLITE_FULL
    async with asyncio.timeout(40):
        await cursor.advance(4, Account(), rejects(1, UNSAVED_BYTES))
