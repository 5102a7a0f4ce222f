"""Long bodies leave others their turn: by counted steps and a clock set by hand, not by time."""

import asyncio

import pytest

from nss.sources.http.batching import TURN_SECS, BodyBatcher, Turn


class CountedTurn(Turn):
    """Counts how often others could have had their turn."""

    pauses = 0

    async def pause(self) -> None:
        self.pauses += 1
        await super().pause()


@pytest.mark.parametrize(
    ("body", "step_bytes"),
    [
        (b"\n" * (2 << 20), 64 << 10),
        (b"[]\n" * (1 << 19), 16 << 10),
        (b'{"a":\n' * (1 << 17) + b" " * (1 << 19), 16 << 10),
        (b'{"a":' * (1 << 18), 64 << 10),
    ],
)
async def test_others_have_their_turn_after_each_step_of_framing(
    body: bytes, step_bytes: int
) -> None:
    async def forget(_data: bytes, _records: int) -> None:
        pass

    turn = CountedTurn(asyncio.Lock())
    batcher = BodyBatcher(1000, forget, turn)
    await batcher.add(body)
    await batcher.end()
    assert turn.pauses >= len(body) // step_bytes


@pytest.mark.parametrize(("secs", "others_first"), [(TURN_SECS * 0.9, False), (TURN_SECS, True)])
async def test_a_turn_ends_after_some_milliseconds(secs: float, *, others_first: bool) -> None:
    now = 0.0
    done: list[str] = []
    turn = Turn(asyncio.Lock(), lambda: now)
    asyncio.get_running_loop().call_soon(done.append, "others")
    now += secs
    await turn.pause()
    assert done == (["others"] if others_first else [])
    asyncio.get_running_loop().call_soon(done.append, "later")
    await turn.pause()
    assert "later" not in done  # the next turn has only begun


async def test_who_had_a_turn_resumes_alone() -> None:
    queue, now = asyncio.Lock(), 0.0
    turns = [Turn(queue, lambda: now) for _ in range(3)]
    now += TURN_SECS
    async with queue:
        pausing = [asyncio.create_task(turn.pause()) for turn in turns]
        for _ in range(5):
            await asyncio.sleep(0)
        assert not any(task.done() for task in pausing)
    resumed = []
    while not all(task.done() for task in pausing):
        resumed.append(sum(task.done() for task in pausing))
        await asyncio.sleep(0)
    assert {1, 2} <= set(resumed)
