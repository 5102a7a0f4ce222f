"""Letting go of a spool's file while others are still busy with it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.spool import Entry, SpoolError
from nss.spool.durable.spool import DurableSpool
from nss.spool.durable.suspicion import mark_path

Open = Callable[..., Awaitable[DurableSpool]]

FEEDS = ("a", "b", "c", "d")


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 10])
async def test_closing_while_reading_ahead_leaves_a_sound_file(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture, turns: int
) -> None:
    spool = await open_spool()
    for feed in FEEDS:
        await spool.cursor(feed, ["web"])
    large = Batch("web", b"x" * (1 << 20) + b"\n", 1)
    await asyncio.gather(*(spool.append(large) for _ in range(20)))
    await spool.close()
    again = await open_spool()
    cursors = [await again.cursor(feed, ["web"]) for feed in FEEDS]
    reading = [asyncio.ensure_future(cursor.next()) for cursor in cursors]
    for _ in range(turns):
        await asyncio.sleep(0)

    await again.close()

    results = await asyncio.gather(*reading, return_exceptions=True)
    assert all(isinstance(result, Entry | SpoolError) for result in results), results
    assert not mark_path(path).exists()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    last = await (await open_spool()).cursor("a", ["web"])
    assert (last.pending_records, (await last.next()).sequence) == (20, 1)


async def test_a_spool_that_is_being_closed_does_not_say_that_it_accepts_again(
    open_spool: Open, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[DurableSpool] = []

    def free_bytes(_: Path) -> int:
        return 1 << 40 if made and made[0]._is_closed else 0

    made.append(await open_spool(free_bytes=free_bytes, min_free_bytes=1 << 20))
    waiting = asyncio.ensure_future(made[0].append(Batch("web", b"a\n", 1)))
    while made[0].last_error is None:  # noqa: ASYNC110 - there is nothing to wait for
        await asyncio.sleep(0.001)

    with caplog.at_level(logging.INFO):
        await made[0].close()

    assert await asyncio.gather(waiting, return_exceptions=True)
    assert "The spool accepts again." not in caplog.messages
