"""Turns: one call in each turn of the event loop, whatever becomes of it."""

import asyncio

from nss.admin.turns import Turns


async def test_calls_come_one_a_turn_in_their_order() -> None:
    turns, seen = Turns(), list[tuple[int, int]]()
    turn = 0
    for number in range(3):
        turns.wait(lambda number=number: seen.append((number, turn)))  # type: ignore[misc]
    while len(seen) < 3:
        await asyncio.sleep(0)
        turn += 1

    assert [number for number, _ in seen] == [0, 1, 2]
    assert len({turn for _, turn in seen}) == 3


async def test_one_who_gives_up_keeps_nobody_waiting() -> None:
    turns = Turns()
    first, second = asyncio.create_task(turns.mine()), asyncio.create_task(turns.mine())
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(5):
        await second
