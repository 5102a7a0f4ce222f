"""A whole feed uploads batches that are divided: what is rejected, and when a batch is passed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pytest

from formats import filters, language
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from nss.batch import Account, Batch
from nss.feeds.collecting import CollectedDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink
from nss.spool.durable.spool import DurableSpool
from tests.parts import durable_spool
from tests.sinks.cloud_discovery.bench import DOWN, NOW, Bench

FORMAT = language.parse("%s{login} %s{eurl}\tdevTime=%s{action}\n")
OLD_AT = {7, 100, 101, 251, 299}
"""Which records of the batch are older than MCAS takes."""


def time_of(number: int) -> str:
    at = NOW - timedelta(days=91) if number in OLD_AT else NOW
    return f"{at:%b %d %Y %H:%M:%S} GMT"


def record(number: int, user: str = "u") -> bytes:
    return b'{"login":"%s%d","url":"x","action":"%s"}' % (
        *(user.encode(), number, time_of(number).encode()),
    )


def line(number: int, user: str = "u") -> bytes:
    return f"{user}{number} x\tdevTime={time_of(number)}".encode()


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[DurableSpool]:
    found = await durable_spool(tmp_path / "spool.db", min_free_bytes=0)
    yield found
    await found.close()


async def feed(bench: Bench, spool: DurableSpool, sink: CloudDiscoverySink | None = None) -> Feed:
    """Return the feed as a process makes it at its start."""
    settings = FeedSettings(FORMAT, filters.parse({"not_users": ["nobody"]}))
    cursor = await spool.cursor("mcas", ["web"])
    origins = {"web": Origin(json_names(), settings)}
    delivery = CollectedDelivery(sink or bench.sink(), lambda: False)
    return Feed("mcas", cursor, origins, delivery)


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(40):
        while not done():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.005)


async def test_rejects_within_a_divided_batch_are_the_right_records(
    bench: Bench, spool: DurableSpool
) -> None:
    bench.options |= {"max_records": 100}
    data = b"".join(record(number) + b"\n" for number in range(300)) + b"no record\n"
    found = await feed(bench, spool)
    await spool.append(Batch("web", data, 301))
    spool.seal()
    await found.run()
    kept = [each.reject.data for each in await spool.rejects()]
    files = [file.splitlines() for file in bench.service.received]
    assert sorted(kept) == sorted([*map(record, OLD_AT), b"no record"])
    assert [len(file) for file in files] == [100, 100, 95]
    assert [*chain(*files)] == [line(number) for number in range(300) if number not in OLD_AT]
    assert found.cursor.account == Account(delivered=295, rejected=6)


@pytest.mark.parametrize("confirmed", [0, 1, 2])
async def test_a_batch_of_which_parts_are_uploaded_is_pending_and_its_rest_comes_later(
    bench: Bench, spool: DurableSpool, confirmed: int
) -> None:
    """Between the parts the process is killed, that is, it does nothing more and another starts."""
    bench.options |= {"max_records": 100}
    hung = asyncio.Event()
    initiate = bench.service.initiate

    async def hang(*about: str) -> object:
        if len(bench.service.finalized) == confirmed:
            hung.set()
            await asyncio.sleep(3600)
        return await initiate(*about)

    bench.service.initiate = hang  # type: ignore[method-assign,assignment]
    data = b"".join(record(number) + b"\n" for number in range(300))
    killed = await feed(bench, spool)
    task = asyncio.create_task(killed.run())
    await spool.append(Batch("web", data, 300))
    await asyncio.wait_for(hung.wait(), 10)
    pending, account = killed.cursor.pending_records, replace(killed.cursor.account)
    rejects = await spool.rejects()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (pending, account, rejects) == (300, Account(), [])

    del bench.service.initiate
    found = await feed(bench, spool)
    await spool.append(Batch("web", record(300) + b"\n", 1))
    spool.seal()
    await found.run()
    files = [file.splitlines() for file in bench.service.received]
    good = [number for number in range(301) if number not in OLD_AT]
    assert [*chain(*files)] == [line(number) for number in good]
    assert max(map(len, files)) <= 100
    assert found.cursor.account == Account(delivered=len(good), rejected=len(OLD_AT))
    assert sorted(each.reject.data for each in await spool.rejects()) == sorted(map(record, OLD_AT))


async def test_no_line_is_longer_than_a_file(bench: Bench, spool: DurableSpool) -> None:
    bench.options |= {"max_bytes": 200}
    found = await feed(bench, spool)
    long = record(1).replace(b'"x"', b'"%s"' % (b"x" * 300))
    await spool.append(Batch("web", long + b"\n" + record(2, "v" * 300) + b"\n", 2))
    spool.seal()
    await found.run()
    (kept,) = await spool.rejects()
    assert kept.reject.reason == "longer than 199 bytes, however it is shortened"
    assert [len(file) for file in bench.service.received] == [200]
    assert found.cursor.account == Account(delivered=1, rejected=1, shortened=1)


async def test_batches_known_to_be_delivered_wait_for_no_upload(
    bench: Bench, spool: DurableSpool
) -> None:
    """Not even while the service is down: they are passed as they come."""
    sink = bench.sink()
    killed = await feed(bench, spool, sink)
    task = asyncio.create_task(killed.run())
    for number in range(5):
        await spool.append(Batch("web", record(number) + b"\n", 1))
    await until(lambda: sink.collected == 5)
    await sink.flush()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    bench.service.fail["initiate"] = [DOWN] * 1000
    sink = bench.sink()
    found = await feed(bench, spool, sink)
    task = asyncio.create_task(found.run())
    await until(lambda: not found.cursor.pending_records)
    await spool.append(Batch("web", record(20) + b"\n", 1))
    await until(lambda: sink.collected)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert found.cursor.account == Account(delivered=5)
    assert Counter(bench.service.received[0].splitlines()) == Counter(map(line, range(5)))
