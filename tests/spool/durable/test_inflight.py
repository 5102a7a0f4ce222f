"""How much may be on its way to the disk, and who waits until it is less."""

import asyncio

import pytest

from nss.batch import Batch
from nss.spool.durable import inflight
from nss.spool.durable.inflight import InFlight


@pytest.fixture
def flight(monkeypatch: pytest.MonkeyPatch) -> InFlight:
    """Return one with room for 100 bytes."""
    monkeypatch.setattr(inflight, "INFLIGHT_BYTES", 100)
    return InFlight()


def batch(size_bytes: int, source: str = "web") -> Batch:
    return Batch(source, bytes(size_bytes), 1)


async def turns() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def enter(flight: InFlight, *batches: Batch) -> None:
    """Enter with batches that there is room for."""
    async with asyncio.timeout(40):
        for each in batches:
            await flight.enter(each)


async def waits(flight: InFlight, batch: Batch) -> "asyncio.Task[None]":
    """Return the wait of a batch, which has begun."""
    waiting = asyncio.ensure_future(flight.enter(batch))
    await turns()
    assert not waiting.done()
    return waiting


async def enters(waiting: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(40):
        await waiting


async def test_what_fits_goes_in_and_one_byte_more_waits(flight: InFlight) -> None:
    await enter(flight, batch(60), batch(40, "dns"))
    waiting = await waits(flight, batch(1))

    flight.leave(batch(40, "dns"))

    await enters(waiting)
    last = await waits(flight, batch(40))
    flight.leave(batch(1))
    await enters(last)


async def test_one_that_is_too_large_goes_in_alone(flight: InFlight) -> None:
    await enter(flight, batch(1))
    waiting = await waits(flight, batch(101))
    flight.leave(batch(1))
    await enters(waiting)
    small = await waits(flight, batch(1))
    flight.leave(batch(101))
    await enters(small)


async def test_nobody_passes_a_batch_that_waits_for_room(flight: InFlight) -> None:
    await enter(flight, batch(60))
    large = await waits(flight, batch(50))
    small = await waits(flight, batch(1, "dns"))
    flight.leave(batch(60))
    await enters(large)
    await enters(small)


async def test_what_waits_for_a_feed_takes_no_room_from_other_sources(flight: InFlight) -> None:
    await enter(flight, batch(100))
    other = await waits(flight, batch(100, "dns"))

    flight.note_held({"web": frozenset({"mcas"})})

    await enters(other)
    third = await waits(flight, batch(1, "syslog"))
    flight.leave(batch(100, "dns"))
    await enters(third)


async def test_a_source_that_waits_for_a_feed_waits_whatever_room_there_is(
    flight: InFlight,
) -> None:
    held = {"web": frozenset({"mcas"})}
    flight.note_held(held)
    waiting = await waits(flight, batch(1))
    await enter(flight, batch(99, "dns"))
    flight.leave(batch(99, "dns"))
    flight.note_held(dict(held))
    await turns()
    assert not waiting.done()

    flight.note_held({})

    await enters(waiting)


async def test_one_that_comes_to_wait_for_a_feed_lets_others_pass(flight: InFlight) -> None:
    await enter(flight, batch(60, "dns"))
    first = await waits(flight, batch(60))
    second = await waits(flight, batch(40, "dns"))

    flight.note_held({"web": frozenset({"mcas"})})

    await enters(second)
    assert not first.done()
    flight.leave(batch(60, "dns"))
    flight.note_held({})
    await enters(first)
