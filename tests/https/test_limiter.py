"""The limit of requests a minute, with a clock that only sleeping moves."""

import asyncio

from nss.https.limiter import SPARE_LOOK_SECS, Limiter


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at

    async def sleep(self, secs: float) -> None:
        self.at += secs


async def turns(limiter: Limiter, clock: Clock, number: int) -> list[float]:
    """Return when each of the turns was had, in seconds after the first."""
    began_at, found = clock.at, []
    for _ in range(number):
        await limiter.turn()
        found.append(clock.at - began_at)
    return found


async def test_a_burst_goes_through_and_then_the_minute_has_to_pass() -> None:
    clock = Clock()
    limiter = Limiter(3, clock=clock, sleep=clock.sleep)
    assert await turns(limiter, clock, 7) == [0, 0, 0, 60, 60, 60, 120]


async def test_turns_come_back_one_by_one_as_they_were_taken() -> None:
    clock = Clock()
    limiter = Limiter(2, clock=clock, sleep=clock.sleep)
    await limiter.turn()
    clock.at += 20
    await limiter.turn()
    assert await turns(limiter, clock, 2) == [40, 60]


async def test_no_more_than_the_limit_in_any_minute_whoever_asks() -> None:
    clock = Clock()
    limiter = Limiter(30, clock=clock, sleep=clock.sleep)
    found: list[float] = []

    async def feed() -> None:
        for _ in range(25):
            await limiter.turn()
            found.append(clock.at)

    await asyncio.gather(*(feed() for _ in range(4)))
    assert all(sum(at <= other < at + 60 for other in found) <= 30 for at in found)


async def test_a_hold_keeps_everybody_back() -> None:
    clock = Clock()
    limiter = Limiter(10, clock=clock, sleep=clock.sleep)
    limiter.hold(35)
    limiter.hold(5)
    assert await turns(limiter, clock, 2) == [35, 35]


async def test_a_release_ends_a_hold_also_for_those_who_wait() -> None:
    clock = Clock()
    limiter = Limiter(10, clock=clock)  # which sleeps in earnest
    limiter.hold(3600)
    waiting = asyncio.ensure_future(limiter.turn())
    await asyncio.sleep(0)
    held = limiter.held_secs
    limiter.release()
    async with asyncio.timeout(20):
        await waiting
    assert (held, limiter.held_secs) == (3600, 0)
    assert await turns(Limiter(10, clock=clock, sleep=clock.sleep), clock, 1) == [0]


async def test_a_release_gives_no_turn_beyond_the_limit() -> None:
    clock = Clock()
    limiter = Limiter(1, clock=clock, sleep=clock.sleep)
    await limiter.turn()
    limiter.hold(30)
    limiter.release()
    assert await turns(limiter, clock, 1) == [60]


async def test_a_turn_that_is_given_up_leaves_nothing_behind() -> None:
    clock = Clock()
    limiter = Limiter(10, clock=clock)
    limiter.hold(3600)
    waiting = asyncio.ensure_future(limiter.turn())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    limiter.release()
    await limiter.turn()


async def test_a_changed_limit_holds_from_the_next_turn_on() -> None:
    clock = Clock()
    limiter = Limiter(2, clock=clock, sleep=clock.sleep)
    await turns(limiter, clock, 2)
    limiter.requests_per_minute = 3
    assert await turns(limiter, clock, 2) == [0, 60]


async def test_less_than_a_second_is_waited_for_as_well() -> None:
    clock = Clock()
    limiter = Limiter(1, clock=clock, sleep=clock.sleep)
    await limiter.turn()
    clock.at += 59.5
    assert await turns(limiter, clock, 1) == [0.5]


async def test_what_can_wait_leaves_a_third_of_the_turns_to_others() -> None:
    clock = Clock()
    limiter = Limiter(6, clock=clock, sleep=clock.sleep)
    began_at = clock.at
    for _ in range(4):
        await limiter.spare()
        await limiter.turn()
    assert clock.at == began_at
    await limiter.spare()
    assert clock.at == began_at + 60
    assert await turns(limiter, clock, 6) == [0] * 6


async def test_what_can_wait_waits_for_a_hold_to_end() -> None:
    clock = Clock()
    limiter = Limiter(6, clock=clock, sleep=clock.sleep)
    limiter.hold(35)
    await limiter.spare()
    assert clock.at == 1035


async def test_what_can_wait_holds_up_nobody_while_it_waits() -> None:
    clock = Clock()
    release = asyncio.Event()

    async def sleep(secs: float) -> None:
        if secs == SPARE_LOOK_SECS:
            await asyncio.sleep(0)
        else:
            await release.wait()
            clock.at += secs

    limiter = Limiter(1, clock=clock, sleep=sleep)
    await limiter.turn()
    waiting = asyncio.create_task(limiter.spare())
    await asyncio.sleep(0)
    upload = asyncio.create_task(limiter.turn())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    release.set()
    await upload  # and its turn is the only one of the minute
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    clock.at += 60
    await waiting


async def test_a_small_limit_leaves_something_to_what_can_wait() -> None:
    clock = Clock()
    limiter = Limiter(1, clock=clock, sleep=clock.sleep)
    await limiter.spare()
    await limiter.turn()
    await limiter.spare()
    assert clock.at == 1060
