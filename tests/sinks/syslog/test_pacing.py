"""The pace of messages, measured with a clock that the test holds."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from nss.sinks.syslog.pacing import Pace

if TYPE_CHECKING:
    from tests.sinks.conftest import Clock


@pytest.mark.parametrize("rate", [1, 7.5, 200, 4_999, 100_000, 1_000_000])
async def test_the_average_is_the_rate(rate: float, clock: "Clock") -> None:
    pace = Pace(rate, clock=clock, sleep=clock.sleep)
    start, sent = clock(), 0
    while clock() - start < 100 / rate + 1:
        sent += await pace.turn(1_000_000)
    assert sent / (clock() - start) == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("rate", [1, 200, 100_000])
async def test_late_wake_ups_do_not_lower_the_average(rate: float, clock: "Clock") -> None:
    async def sleep_late(secs: float) -> None:
        clock.secs += secs + 0.002

    pace = Pace(rate, clock=clock, sleep=sleep_late)
    start, sent = clock(), 0
    while clock() - start < 100 / rate + 1:
        sent += await pace.turn(1_000_000)
    assert sent / (clock() - start) == pytest.approx(rate, rel=0.1)


async def test_a_turn_is_a_small_slice_and_at_least_one_message(clock: "Clock") -> None:
    fast = Pace(100_000, clock=clock, sleep=clock.sleep)
    slow = Pace(1, clock=clock, sleep=clock.sleep)
    assert [await fast.turn(10_000), await slow.turn(10_000)] == [500, 1]


async def test_a_turn_is_never_more_than_what_is_there_to_send(clock: "Clock") -> None:
    assert await Pace(100_000, clock=clock, sleep=clock.sleep).turn(3) == 3


async def test_who_comes_when_the_turn_is_due_does_not_wait(clock: "Clock") -> None:
    slept: list[float] = []

    async def sleep(secs: float) -> None:
        slept.append(secs)

    pace = Pace(1, clock=clock, sleep=sleep)
    await pace.turn(1)
    clock.secs += 1
    await pace.turn(1)
    assert slept == []


@pytest.mark.parametrize(("rate", "burst"), [(1_000, 15), (100_000, 1_500), (200, 3), (1, 1)])
async def test_a_pause_does_not_end_in_a_burst(rate: float, burst: int, clock: "Clock") -> None:
    """What leaves at once is what is due in 15 ms: two slices made up for, and the next."""
    pace = Pace(rate, clock=clock, sleep=clock.sleep)
    clock.secs += 3600
    start, sent = clock(), 0
    while clock() == start:
        granted = await pace.turn(1_000_000)
        sent += granted if clock() == start else 0
    assert sent == burst


async def test_turns_wait_in_real_time() -> None:
    pace = Pace(200)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for _ in range(41):
        await pace.turn(1)
    assert loop.time() - start >= 0.17
