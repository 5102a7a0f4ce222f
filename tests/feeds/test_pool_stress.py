"""Several feeds and connections on a pool of threads for some seconds: all lines must be right.

Set `NSS_STRESS_SECS` for longer, or to run it under a sanitizer.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from formats.lines import Lines
from formats.pipeline import Pipeline
from nss.batch import Batch
from nss.feeds.delivery import LineDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.feeds.pool import RenderPool
from nss.sinks import Outcome
from nss.telemetry import events
from tests.feeds.threads import Moody, filtering, mixed, origin
from tests.parts import memory_spool

pytestmark = pytest.mark.long

SECS = float(os.environ.get("NSS_STRESS_SECS", "12"))
SOURCES = ("web", "dns", "proxy")


class Lazy(Moody):
    """A sink that is slow for a while, now and then."""

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:
        if self._chance.random() < 0.01:
            await asyncio.sleep(0.005)
        return await super().send(lines, keys)


def expected(batch: Batch, of: Origin) -> tuple[list[bytes], Counter[str]]:
    """Return the lines of a batch, each record rendered alone, and what else becomes of it."""
    assert of.input is not None
    pipeline, lines, fates = Pipeline(of.input, of.settings), list[bytes](), Counter[str]()
    for row in batch.data.splitlines(keepends=True):
        rendered = pipeline.run(row)
        fates["filtered"] += rendered.filtered
        fates["rejected"] += len(rendered.bad)
        for index, line in enumerate(rendered.lines):
            fitted: bytes | None = line
            if len(line) > 1000:
                fitted = pipeline.renderer.fit(rendered.records[index], 1000)
            if fitted is None or b"refused" in fitted:
                fates["rejected"] += 1
            else:
                fates["delivered"] += 1
                lines.append(fitted)
    return lines, fates


async def _one_round(chance: random.Random) -> None:
    """Give some batches to several feeds at once, and compare what comes of them."""
    events.clear()
    given = []
    for number in range(chance.randrange(4, 16)):
        some = mixed(chance, chance.choice([1, 30, 300, 1000]), f"c{number % 3}")
        given.append(Batch(chance.choice(SOURCES), some.data, some.records, None, some.connection))
    spool = memory_spool(64 << 20)
    pool = RenderPool(chance.randrange(1, 5), chance.choice([500, 5000, 1 << 17, 1 << 20]), 1)
    feeds, sinks, origins = [], [], []
    for number in range(chance.randrange(1, 7)):
        of = chance.choice([origin, filtering])()
        found = dict.fromkeys(SOURCES, of)
        sink = Lazy(random.Random(chance.random()), wants_keys=chance.random() < 0.3)
        cursor = await spool.cursor(f"feed{number}", found)
        feeds.append(Feed(f"feed{number}", cursor, found, LineDelivery(sink), pool=pool))
        sinks.append(sink)
        origins.append(of)

    async def append() -> None:
        for batch in given:
            await spool.append(batch)
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        spool.seal()

    async with asyncio.timeout(40):
        await asyncio.gather(append(), *(feed.run() for feed in feeds))
    pool.close()
    for feed, sink, of in zip(feeds, sinks, origins, strict=True):
        lines, fates = [], Counter[str]()
        for batch in given:
            more, counts = expected(batch, of)
            lines += more
            fates.update(counts)
        assert sink.taken == lines
        account = feed.cursor.account
        found_fates = (account.delivered, account.filtered, account.rejected)
        assert found_fates == (fates["delivered"], fates["filtered"], fates["rejected"])
        assert (feed.cursor.pending_records, feed.accepted_records) == (0, sum(found_fates))


async def test_many_feeds_and_connections_share_the_threads() -> None:
    seed = int(os.environ.get("NSS_STRESS_SEED", "0")) or time.time_ns()
    print(f"NSS_STRESS_SEED={seed}")  # noqa: T201 - to repeat it
    chance, ends_at = random.Random(seed), time.monotonic() + SECS / 2  # on two event loops
    rounds = 0
    while time.monotonic() < ends_at or not rounds:
        await _one_round(chance)
        rounds += 1
    print(f"{rounds} rounds")  # noqa: T201
