"""The clock is set back while records wait, are delivered and are kept for a replay."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool.durable.spool import DurableSpool
from tests.parts import durable_spool

NOON = 4_102_488_000.0
"""In the year 2100, so that what is accepted lies ahead of this machine's own clock as well."""
REPLAY_SECS = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def spool(tmp_path: Path, clock: Clock) -> AsyncIterator[DurableSpool]:
    opened = await durable_spool(
        tmp_path / "spool.db", min_free_bytes=0, replay_minutes=round(REPLAY_SECS / 60), now=clock
    )
    yield opened
    await opened.close()


async def accept(spool: DurableSpool, *numbers: int) -> None:
    for number in numbers:
        await spool.append(Batch("web", b"%d\n" % number, 1))


async def test_order_and_lag_hold_when_the_clock_is_set_back(
    spool: DurableSpool, clock: Clock
) -> None:
    cursor = await spool.cursor("out", ["web"])
    await accept(spool, 1, 2)
    clock.now -= 3_600
    await accept(spool, 3)
    clock.now += 7_200
    await accept(spool, 4)
    clock.now -= 10_800  # all of it lies ahead by now

    came, lags = [], []
    for _ in range(4):
        entry = await cursor.next()
        lags.append(cursor.lag_secs)
        await cursor.advance(entry.sequence, Account(delivered=1))
        came.append(entry.batch.data)

    assert came == [b"1\n", b"2\n", b"3\n", b"4\n"]
    assert lags == [0, 0, 0, 0]
    assert (cursor.lag_secs, cursor.pending_records) == (0, 0)


async def test_a_replay_still_finds_its_time_when_the_clock_is_set_back(
    spool: DurableSpool, clock: Clock
) -> None:
    cursor = await spool.cursor("out", ["web"])
    for number in (1, 2, 3):
        await accept(spool, number)
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=1))
        await spool.settle()
        clock.now -= 20  # each batch is accepted before the one before it

    earliest = NOON - 40
    assert await spool.replay("out", earliest - 5, earliest + 5) == 1
    assert (await cursor.next()).batch.data == b"3\n"


async def test_what_was_delivered_goes_though_the_clock_was_set_back_by_years(
    spool: DurableSpool, clock: Clock
) -> None:
    cursor = await spool.cursor("out", ["web"])
    await accept(spool, 1, 2, 3)
    for _ in range(3):
        await cursor.advance((await cursor.next()).sequence, Account(delivered=1))
    await spool.settle()
    kept_bytes = spool.used_bytes

    clock.now -= 10 * 365 * 86_400
    await spool.settle()
    assert spool.used_bytes == kept_bytes
    clock.now += REPLAY_SECS + 1
    await spool.settle()

    assert (kept_bytes > 0, spool.used_bytes) == (True, 0)
