"""Since when the oldest batch pending for a feed waits, wherever that batch is now."""

from collections.abc import Awaitable, Callable

import pytest

from nss.batch import Account, Batch
from nss.spool.durable.spool import DurableSpool

Open = Callable[..., Awaitable[DurableSpool]]


class Clock:
    """Says when a batch is accepted: the n-th at n."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batch(number: int) -> Batch:
    return Batch("web", b"%d\n" % number, 1)


async def append(spool: DurableSpool, clock: Clock, *numbers: int) -> None:
    for number in numbers:
        clock.now = float(number)
        await spool.append(batch(number))


async def backlog(open_spool: Open, clock: Clock, count: int, **settings: object) -> DurableSpool:
    """Return a spool opened again with a backlog of batches, accepted at 1, 2, 3 and so on."""
    spool = await open_spool(now=clock)
    await spool.cursor("mcas", ["web"])
    await append(spool, clock, *range(1, count + 1))
    await spool.close()
    return await open_spool(now=clock, **settings)


async def test_it_may_have_been_read_ahead(open_spool: Open) -> None:
    clock = Clock()
    spool = await backlog(open_spool, clock, 3)
    cursor = await spool.cursor("mcas", ["web"])
    assert cursor.oldest_at == 1.0

    for sequence in (1, 2, 3):
        assert (await cursor.next()).sequence == sequence
        assert cursor.oldest_at == float(sequence)
        await cursor.advance(sequence, Account(delivered=1))
        assert cursor.oldest_at == (sequence + 1.0 if sequence < 3 else None)
    clock.now = 10.0
    assert cursor.lag_secs == 0.0


async def test_it_may_still_be_in_the_file_though_newer_ones_are_in_memory(
    open_spool: Open,
) -> None:
    clock = Clock()
    spool = await backlog(open_spool, clock, 2)
    cursor = await spool.cursor("mcas", ["web"])

    await append(spool, clock, 3)

    assert (cursor.oldest_at, cursor.lag_secs) == (1.0, 2.0)
    assert [(await cursor.next()).sequence for _ in range(3)] == [1, 2, 3]
    await cursor.advance(2, Account(delivered=2))
    assert cursor.oldest_at == 3.0


async def test_it_may_be_in_memory_behind_batches_of_others(open_spool: Open) -> None:
    clock = Clock()
    spool = await open_spool(now=clock)
    cursor = await spool.cursor("mcas", ["web"])
    await append(spool, clock, 1)
    clock.now = 2.0
    await spool.append(Batch("dns", b"x\n", 1))
    await append(spool, clock, 3)

    await cursor.next()
    await cursor.advance(1, Account(delivered=1))

    assert cursor.oldest_at == 3.0


@pytest.mark.parametrize("taken", [1, 2])
async def test_what_was_dropped_does_not_wait_any_more(open_spool: Open, taken: int) -> None:
    clock = Clock()
    spool = await backlog(open_spool, clock, 4, max_bytes=8, drop_oldest=True)
    cursor = await spool.cursor("mcas", ["web"])
    for _ in range(taken):
        await cursor.next()

    await append(spool, clock, 5)
    assert (cursor.account.dropped, cursor.oldest_at) == (1, 2.0)
    await append(spool, clock, 6)
    assert (cursor.account.dropped, cursor.oldest_at) == (2, 3.0)

    assert (await cursor.next()).sequence == 3
