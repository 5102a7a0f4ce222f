"""Lag is the age of the oldest batch that a feed has not passed, however many are under way."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from nss.batch import Account, Batch
from nss.spool import Cursor, Spool
from tests.parts import durable_spool, memory_spool

CLOSE_SECS = 20
"""How far two ages may be apart that are the same: the test itself takes time."""


class Clock:
    """The clock of this machine, set back while something is accepted that is to be old."""

    def __init__(self) -> None:
        self.back_secs = 0.0

    def __call__(self) -> float:
        return time.time() - self.back_secs


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "durable"])
async def spool(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Spool]:
    made: Spool
    if request.param == "memory":
        made = memory_spool(1 << 20, now=clock)
    else:
        made = await durable_spool(tmp_path / "spool.db", min_free_bytes=0, now=clock)
    yield made
    await made.close()


def batch(records: int = 1, source: str = "web") -> Batch:
    return Batch(source, b"a\n" * records, records)


async def aged(spool: Spool, clock: Clock, *ages_secs: float, source: str = "web") -> None:
    """Have a batch accepted for each of some ages."""
    for age in ages_secs:
        clock.back_secs = age
        await spool.append(batch(source=source))
    clock.back_secs = 0


def about(age_secs: float) -> object:
    return pytest.approx(age_secs, abs=CLOSE_SECS)


async def passed(cursor: Cursor, sequence: int, records: int = 1) -> None:
    await cursor.advance(sequence, Account(delivered=records))


async def test_of_several_under_way_the_oldest_counts(spool: Spool, clock: Clock) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, 1000, 700, 400)
    assert cursor.lag_secs == about(1000)

    entries = [await cursor.next() for _ in range(3)]
    assert cursor.lag_secs == about(1000)

    await passed(cursor, entries[0].sequence)
    assert cursor.lag_secs == about(700)
    await passed(cursor, entries[1].sequence)
    assert cursor.lag_secs == about(400)
    await passed(cursor, entries[2].sequence)
    assert cursor.lag_secs == 0


async def test_of_two_passed_at_once_the_next_counts(spool: Spool, clock: Clock) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, 1000, 700, 400)
    entries = [await cursor.next() for _ in range(3)]
    await passed(cursor, entries[1].sequence, 2)
    assert cursor.lag_secs == about(400)


async def test_a_batch_taken_on_beside_others_does_not_count(spool: Spool, clock: Clock) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, 1000)
    await cursor.next()
    await aged(spool, clock, 400)
    assert cursor.lag_secs == about(1000)
    await cursor.next()
    assert cursor.lag_secs == about(1000)


async def test_what_is_taken_on_when_nothing_is_under_way_counts(
    spool: Spool, clock: Clock
) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, 1000, 700, 400)
    await passed(cursor, (await cursor.next()).sequence)
    await cursor.next()
    assert cursor.lag_secs == about(700)


async def test_what_is_still_to_come_counts_when_all_under_way_is_passed(
    spool: Spool, clock: Clock
) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, 1000, 700, 400)
    await passed(cursor, (await cursor.next()).sequence)
    assert cursor.lag_secs == about(700)


async def test_what_comes_while_nothing_is_pending_is_the_oldest(
    spool: Spool, clock: Clock
) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, 1000)
    await passed(cursor, (await cursor.next()).sequence)
    await aged(spool, clock, 700, 400)
    assert cursor.lag_secs == about(700)


async def test_batches_of_others_do_not_count(spool: Spool, clock: Clock) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    other = await spool.cursor("siem", ["mail"])
    await aged(spool, clock, 1000, source="mail")
    await aged(spool, clock, 400)
    assert (cursor.lag_secs, other.lag_secs) == (about(400), about(1000))


async def test_a_clock_that_goes_back_gives_no_negative_lag(spool: Spool, clock: Clock) -> None:
    cursor = await spool.cursor("mcas", ["web"])
    await aged(spool, clock, -1000)
    assert cursor.lag_secs == 0


async def test_whatever_happens_it_is_the_age_of_the_oldest_under_way(
    spool: Spool, clock: Clock
) -> None:
    choose = Random(1)
    cursor = await spool.cursor("mcas", ["web"])
    waiting: list[float] = []
    under_way: list[tuple[int, float]] = []
    age = 1_000_000.0
    for _ in range(500):
        action = choose.choice(["append", "next", "next", "pass"])
        if action == "append":
            age -= choose.randint(2 * CLOSE_SECS, 1000)
            await aged(spool, clock, age)
            waiting.append(age)
        if action == "pass" and under_way:
            number = choose.randint(1, len(under_way))
            await passed(cursor, under_way[number - 1][0], number)
            del under_way[:number]
        if waiting and (action == "next" or not under_way):
            under_way.append(((await cursor.next()).sequence, waiting.pop(0)))
        assert cursor.lag_secs == (about(under_way[0][1]) if under_way else 0)
