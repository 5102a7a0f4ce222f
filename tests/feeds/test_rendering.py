"""Rendering beside the event loop: order and accounts stay, whatever the sink does and when."""

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from formats import presets
from formats.compiled import mode
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from nss.batch import Account, Batch
from nss.feeds.delivery import LineDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.feeds.pool import RenderPool
from nss.sinks import RetryAfter
from nss.spool.memory import MemorySpool
from nss.telemetry import events
from tests.feeds.threads import (
    FORMAT,
    Gate,
    HeldPool,
    Moody,
    batches,
    filtering,
    mixed,
    origin,
    record,
)
from tests.parts import memory_spool

compiled = pytest.mark.skipif(mode() == "python", reason="Python is rendered on the event loop")


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()


@dataclass
class Bench:
    """A feed on a spool with some batches."""

    sink: Moody
    spool: MemorySpool
    feed: Feed
    task: "asyncio.Task[None] | None" = None

    @classmethod
    async def of(
        cls,
        sink: Moody,
        pool: RenderPool | None,
        given: Sequence[Batch],
        of: Origin | None = None,
        spool: MemorySpool | None = None,
    ) -> "Bench":
        spool = spool or memory_spool(64 << 20)
        origins = {"web": of or origin()}
        cursor = await spool.cursor("out", origins)
        for each in given:
            await spool.append(each)
        return cls(sink, spool, Feed("out", cursor, origins, LineDelivery(sink), pool=pool))

    def check(self) -> None:
        """See that no record is unaccounted for."""
        counts, cursor = self.feed.cursor.account, self.feed.cursor
        done = counts.delivered + counts.filtered + counts.rejected
        assert self.feed.accepted_records == done + cursor.pending_records

    def start(self) -> "asyncio.Task[None]":
        self.task = asyncio.create_task(self.feed.run())
        return self.task

    async def until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not done():
                self.check()
                await asyncio.sleep(0.0005)

    async def run(self) -> tuple[list[bytes], Account, list[tuple[bytes, str]]]:
        """Run to the end of the spool; return lines, account and rejects.

        Those of a slice that can't be read are noted before those that the sink rejects, so their
        order depends on where slices end.
        """
        self.spool.seal()
        task = self.start()
        await self.until(task.done)
        task.result()
        rejects = await self.spool.rejects(limit=100_000)
        found = sorted((kept.reject.data, kept.reject.reason) for kept in rejects)
        return self.sink.taken, replace(self.feed.cursor.account), found


@pytest.fixture
async def held() -> AsyncIterator[HeldPool]:
    pool = HeldPool()
    yield pool
    pool.close()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("seed", range(3))
async def test_lines_accounts_and_rejects_are_those_of_the_event_loop(
    seed: int, threads: int
) -> None:
    chance = random.Random(seed)
    given = [mixed(chance, chance.randrange(1, 400), str(number % 3)) for number in range(7)]
    keyed = seed % 2 == 1
    of = filtering() if seed == 2 else origin()
    expected = await Bench.of(Moody(random.Random(seed), wants_keys=keyed), None, given, of)
    reference = await expected.run()
    pool = RenderPool(threads, chance.choice([2000, 10_000, 1 << 20]), 1)
    sink = Moody(random.Random(seed + 100), wants_keys=keyed)
    found = await (await Bench.of(sink, pool, given, of)).run()
    pool.close()
    assert found == reference
    assert sink.keys == expected.sink.keys
    assert sink.states == ["open", "closed"]


@compiled
async def test_the_next_slice_is_rendered_while_one_is_sent(held: HeldPool) -> None:
    sink = Gate()
    bench = await Bench.of(sink, held, [*batches(1, 1), *batches(1, 100)])
    held.open = True
    sink.gate.set()
    bench.start()
    await bench.until(lambda: held.begun)  # the first is recognised, and begins the second
    sink.gate.clear()
    sends, begun = sink.sends, held.begun
    await bench.until(lambda: sink.sends > sends)
    during = held.begun
    await asyncio.sleep(0.01)
    assert (during - begun, held.begun - during) == (1, 0)
    sink.gate.set()
    await bench.until(lambda: not bench.feed.cursor.pending_records)
    bench.feed.stop()
    assert bench.task is not None
    await bench.task
    assert len(sink.taken) == 101


@compiled
async def test_the_next_batch_is_rendered_ahead_but_no_more_than_that(held: HeldPool) -> None:
    sink = Gate()
    bench = await Bench.of(sink, held, batches(5, 10))
    bench.start()
    await bench.until(lambda: sink.sends)
    held.release()
    await asyncio.sleep(0.01)
    assert (sink.sends, held.begun, bench.feed.cursor.pending_records) == (1, 1, 50)
    sink.gate.set()
    bench.spool.seal()
    held.open = True
    held.release()
    assert bench.task is not None
    await asyncio.wait_for(bench.task, 5)
    assert (held.begun, len(sink.taken)) == (4, 50)


async def test_little_is_rendered_at_once_on_the_event_loop() -> None:
    pool = HeldPool()
    pool.min_bytes = 100_000
    bench = await Bench.of(Moody(random.Random(1)), pool, batches(5, 10))
    await bench.run()
    pool.close()
    assert (pool.begun, len(bench.sink.taken)) == (0, 50)


async def test_python_is_rendered_on_the_event_loop(held: HeldPool) -> None:
    of = origin(protect_for=frozenset({"pairs"}))
    if mode() == "compiled":  # batches that Python has to read make the core rest
        first, *given = [
            replace(each, data=each.data.replace(b"{", b'{"\\u0061":1,'))
            for each in batches(4, 200)
        ]
        held.min_bytes = len(first.data)
        bench = await Bench.of(Moody(random.Random(1)), held, [first, *given], origin())
    else:
        bench = await Bench.of(Moody(random.Random(1)), held, batches(4, 200), of)
    await bench.run()
    assert (held.begun, len(bench.sink.taken)) == (0, 800)


@compiled
@pytest.mark.parametrize("threads", [1, 2])
async def test_a_sender_that_changes_its_form_loses_no_more_records_for_threads(
    threads: int,
) -> None:
    records = [record(f"ann{number}", second=number) for number in range(9000)]
    leef = Pipeline(json_names(), FeedSettings(presets.load("QRADAR"))).run(b"".join(records))
    changing = b"".join(records[:500]) + leef.lines[:3000].data.tobytes()
    given = [Batch("web", data, data.count(b"\n")) for data in (b"".join(records[:2000]), changing)]
    accounts = []
    for pool in (None, RenderPool(threads)):
        sink = Gate()
        sink.gate.set()
        bench = await Bench.of(sink, pool, given, Origin(None, FeedSettings(FORMAT)))
        accounts.append((await bench.run())[1])
        if pool is not None:
            pool.close()
    assert accounts[0] == accounts[1]
    assert accounts[0].delivered > 3000


# Stops and cancellations.


async def _at_the_first_slice(bench: Bench, pool: HeldPool, sink: Gate) -> None:
    sink.gate.set()
    await bench.until(lambda: pool.begun == 1)
    await bench.until(lambda: len(sink.taken) == 10)


async def _while_one_is_sent_and_one_rendered(bench: Bench, pool: HeldPool, sink: Gate) -> None:
    await bench.until(lambda: sink.sends == 1 and pool.begun == 1)


async def _while_one_is_sent_and_one_has_been_rendered(
    bench: Bench, pool: HeldPool, sink: Gate
) -> None:
    await bench.until(lambda: sink.sends == 1 and pool.begun == 1)
    pool.release()


async def _while_the_sink_makes_it_wait(bench: Bench, pool: HeldPool, sink: Gate) -> None:
    sink.gate.set()
    await bench.until(lambda: pool.begun == 1)
    pool.release()
    await bench.until(lambda: bench.feed.last_error)


async def _while_nothing_comes(bench: Bench, pool: HeldPool, sink: Gate) -> None:
    pool.open = True
    sink.gate.set()
    await bench.until(lambda: not bench.feed.cursor.pending_records)


STATES: dict[Callable[[Bench, HeldPool, Gate], Awaitable[None]], tuple[RetryAfter, ...]] = {
    _at_the_first_slice: (),
    _while_one_is_sent_and_one_rendered: (),
    _while_one_is_sent_and_one_has_been_rendered: (),
    _while_the_sink_makes_it_wait: (RetryAfter(3, 3600, "down"),),
    _while_nothing_comes: (),
}


@compiled
@pytest.mark.parametrize("ending", ["stop", "cancel"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_"))
async def test_a_feed_that_is_ended_leaves_the_rest_to_the_next(
    held: HeldPool, state: Callable[[Bench, HeldPool, Gate], Awaitable[None]], ending: str
) -> None:
    sink = Gate(*STATES[state])
    bench = await Bench.of(sink, held, batches(6, 10))
    task = bench.start()
    await state(bench, held, sink)
    bench.feed.stop() if ending == "stop" else task.cancel()
    sink.gate.set()
    await asyncio.sleep(0.01)
    # For the slice that a thread is at, and for nothing else.
    await bench.until(lambda: task.done() != bool(held.held))
    held.release()
    await asyncio.wait_for(asyncio.wait({task}), 5)
    bench.check()
    assert sink.states == ["open", "closed"]
    rest = await Bench.of(Moody(random.Random(1)), None, (), spool=bench.spool)
    await rest.run()
    expected = await (await Bench.of(Moody(random.Random(1)), None, batches(6, 10))).run()
    repeated = len(sink.taken) + len(rest.sink.taken) - 60
    assert 0 <= repeated <= 10  # what was sent of the batch at hand
    assert sink.taken + rest.sink.taken[repeated:] == expected[0]
    assert rest.feed.cursor.account.delivered <= 60


@compiled
async def test_what_a_thread_fails_with_ends_the_feed(held: HeldPool) -> None:
    sink = Gate()
    sink.gate.set()
    held.failing = MemoryError()
    bench = await Bench.of(sink, held, batches(6, 10))
    task = bench.start()
    await bench.until(lambda: held.begun)
    held.release()
    with pytest.raises(MemoryError):
        await asyncio.wait_for(task, 5)
    bench.check()
    assert (len(sink.taken), sink.states) == (10, ["open", "closed"])


@compiled
async def test_what_failed_ahead_of_a_stop_is_not_reported(held: HeldPool) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    sink = Gate()
    held.failing = MemoryError()
    bench = await Bench.of(sink, held, batches(6, 10))
    task = bench.start()
    await bench.until(lambda: held.begun)
    held.release()
    bench.feed.stop()
    sink.gate.set()
    await asyncio.wait_for(task, 5)
    gc.collect()
    assert (reported, bench.feed.cursor.account.delivered) == ([], 10)


async def test_records_behind_rejected_lines_are_found_while_a_thread_renders() -> None:
    given = [
        replace(each, data=each.data.replace(b"ann7", b"refused"))
        for each in batches(6, 200, connection="c")
    ]
    pool = RenderPool(2, 4000, 1)
    bench = await Bench.of(Moody(random.Random(3)), pool, given)
    _, account, rejects = await bench.run()
    pool.close()
    expected = [line for each in given for line in each.data.splitlines() if b"refused" in line]
    assert [data for data, _ in rejects] == sorted(expected)
    assert account.rejected == len(expected) > 10


async def test_batches_that_come_one_by_one_are_all_delivered() -> None:
    pool = RenderPool(2, 2000, 1)
    bench = await Bench.of(Moody(random.Random(3)), pool, ())
    task = bench.start()
    for each in batches(20, 30):
        await bench.spool.append(each)
        await asyncio.sleep(random.Random(5).choice([0, 0.001]))
    await bench.until(lambda: not bench.feed.cursor.pending_records)
    bench.spool.seal()
    await asyncio.wait_for(task, 5)
    pool.close()
    assert [line.split()[5] for line in bench.sink.taken] == [b"ann%d" % at for at in range(600)]


async def test_a_form_that_changes_on_the_way_is_recognised() -> None:
    leef = b"%s\n"
    text = b"".join(leef % record(f"bob{number}").rstrip() for number in range(50))
    envelope = b"".join(
        b'{"sourcetype":"zscalernss-web","event":' + line + b"}\n" for line in text.splitlines()
    )
    given = [Batch("web", data, 50) for data in (text, envelope, text, envelope)]
    of = Origin(None, origin().settings)
    pool = RenderPool(2, 1000, 1)
    reference = await (await Bench.of(Moody(random.Random(1)), None, given, of)).run()
    found = await (await Bench.of(Moody(random.Random(2)), pool, given, of)).run()
    pool.close()
    assert found == reference
    assert len(found[0]) == 200
