"""A source that can wait does not run away from the feeds, and no dead feed holds it up."""

import asyncio
from collections.abc import Awaitable, Callable

from nss.batch import Batch
from nss.spool.durable.cache import CACHE_BYTES
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.pace import AHEAD_BYTES, PACE_SECS, Pace
from nss.spool.durable.spool import DurableSpool

Opener = Callable[..., Awaitable[DurableSpool]]

BATCHES = AHEAD_BYTES // (1 << 20)
LONG_SECS = 40.0


async def append(spool: DurableSpool, batches: int) -> None:
    for _ in range(batches):
        await spool.append(Batch("web", b"a" * ((1 << 20) - 1) + b"\n", 1))


def pace_of(spool: DurableSpool, cursors: list[DurableCursor], pace_secs: float = 0.02) -> Pace:
    return Pace(spool.cache, {each.feed: each for each in cursors}, spool.taken, pace_secs)


async def waits(pace: Pace) -> "asyncio.Task[None]":
    """Return the wait for a feed, which has begun."""
    waiting = asyncio.create_task(pace.keep("web"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    return waiting


async def test_a_source_close_to_its_feed_does_not_wait(open_spool: Opener) -> None:
    spool = await open_spool()
    pace = pace_of(spool, [await spool.cursor("out", ["web"])], LONG_SECS)
    await append(spool, BATCHES)

    await pace.keep("web")
    await spool.keep_pace("web")


async def test_one_far_ahead_waits_until_a_feed_has_taken_what_is_in_memory(
    open_spool: Opener,
) -> None:
    spool = await open_spool()
    slow, fast = await spool.cursor("slow", ["web"]), await spool.cursor("fast", ["web"])
    pace = pace_of(spool, [slow, fast], LONG_SECS)
    await append(spool, BATCHES + 2)

    waiting = await waits(pace)
    await fast.next()
    await asyncio.sleep(0)
    assert not waiting.done()
    await fast.next()
    await waiting


async def test_a_dead_feed_holds_it_up_once_until_it_has_caught_up(open_spool: Opener) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("out", ["web"])
    pace = pace_of(spool, [cursor])
    await append(spool, BATCHES + 2)

    await pace.keep("web")  # for 20 ms
    pace._pace_secs = LONG_SECS
    await pace.keep("web")
    for _ in range(BATCHES):
        await cursor.next()
    await pace.keep("web")
    await append(spool, BATCHES)

    waiting = await waits(pace)
    await cursor.next()
    await cursor.next()
    await waiting


async def test_nobody_waits_for_feeds_of_other_sources(open_spool: Opener) -> None:
    spool = await open_spool()
    pace = pace_of(spool, [await spool.cursor("out", ["other"])], LONG_SECS)
    await append(spool, BATCHES + 2)

    await pace.keep("web")


def test_what_it_waits_for_fits_into_memory() -> None:
    assert AHEAD_BYTES <= CACHE_BYTES / 2
    assert PACE_SECS <= 1
