"""When a feed reads the file, and when it has the next batch in memory."""

from collections.abc import Awaitable, Callable, Collection

import pytest

from nss.batch import Batch
from nss.spool import Entry
from nss.spool.durable import reader
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.reader import Lost
from nss.spool.durable.spool import DurableSpool

Open = Callable[..., Awaitable[DurableSpool]]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return behind which batches the file was read."""
    made: list[int] = []
    read = DurableSpool.read

    async def noted(
        spool: DurableSpool, after: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        made.append(after)
        return await read(spool, after, feed, sources)

    monkeypatch.setattr(DurableSpool, "read", noted)
    return made


async def appended(spool: DurableSpool, count: int) -> None:
    for number in range(count):
        await spool.append(Batch("web", b"%d\n" % number, 1))


async def next_of(cursor: DurableCursor, count: int) -> list[int]:
    return [(await cursor.next()).sequence for _ in range(count)]


async def test_what_is_in_memory_is_not_read(open_spool: Open, reads: list[int]) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await appended(spool, 3)
    assert await next_of(cursor, 3) == [1, 2, 3]
    await appended(spool, 1)
    assert await next_of(cursor, 1) == [4]
    assert reads == []


async def test_what_is_left_from_before_is_read_once(open_spool: Open, reads: list[int]) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await appended(spool, 3)
    await spool.close()
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    assert await next_of(cursor, 3) == [1, 2, 3]
    assert cursor._reading is None
    await appended(spool, 2)
    assert await next_of(cursor, 2) == [4, 5]
    assert reads == [0]


async def test_the_next_are_read_while_the_last_of_those_read_is_worked_on(
    open_spool: Open, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "READ_ROWS", 2)
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await appended(spool, 5)
    await spool.close()
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    assert await next_of(cursor, 1) == [1]
    assert (reads, cursor._reading) == ([0], None)
    assert await next_of(cursor, 1) == [2]
    reading = cursor._reading
    assert reading is not None
    await reading
    assert reads == [0, 2]
    assert await next_of(cursor, 3) == [3, 4, 5]
    assert reads == [0, 2, 4]


async def test_a_batch_before_those_in_memory_is_read(open_spool: Open, reads: list[int]) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await appended(spool, 3)
    await spool.close()
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await appended(spool, 1)
    assert spool.cache.first == 4
    assert await next_of(cursor, 4) == [1, 2, 3, 4]
    assert reads == [0]
    cursor.searched = 2
    assert not cursor._in_memory(), "batch 3 is not"
    assert await next_of(cursor, 2) == [3, 4]
    assert reads == [0, 2]
