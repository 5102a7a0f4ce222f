"""Turns of the event loop: calls take them up for no longer than a moment."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from nss.admin.turns import TURN_SECS, Turns


async def turns_of(calls: list[Callable[[], bool]]) -> list[int]:
    """Return in which turn each is called."""
    turns, seen, turn = Turns(), dict[int, int](), 0

    def called(number: int) -> bool:
        assert number == len(seen), "not in their order"
        seen[number] = turn
        return calls[number]()

    for number in range(len(calls)):
        turns.wait(partial(called, number))
    while len(seen) < len(calls):
        await asyncio.sleep(0)
        turn += 1
    return list(seen.values())


def slow() -> bool:
    time.sleep(2 * TURN_SECS)
    return False


async def test_what_takes_long_or_has_something_begin_is_the_last_of_its_turn() -> None:
    assert len(set(await turns_of([slow] * 3))) == 3
    assert len(set(await turns_of([lambda: True] * 3))) == 3


async def test_what_is_quick_shares_turns() -> None:
    assert len(set(await turns_of([lambda: False] * 100))) < 50


async def test_what_fails_keeps_nobody_waiting() -> None:
    turns, called = Turns(), asyncio.Event()
    loop, reported = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: reported.append(context))

    def fails() -> bool:
        raise ValueError

    turns.wait(fails)
    turns.wait(lambda: called.set() or False)  # type: ignore[func-returns-value]
    async with asyncio.timeout(20):
        await called.wait()
    assert len(reported) == 1


async def test_one_who_gives_up_keeps_nobody_waiting() -> None:
    turns = Turns()
    first, second = asyncio.create_task(turns.mine()), asyncio.create_task(turns.mine())
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(20):
        await second
