"""Batches that are larger than a file: how they are divided, and kills between their parts."""

from collections import Counter

import pytest

from nss.sinks import Delivered, RetryAfter
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    GONE,
    STEPS,
    Bench,
    batches,
    collect_batches,
    file_of,
    flushed,
    lines,
    once,
    times,
)


async def test_no_file_has_more_records_than_it_may(bench: Bench) -> None:
    sink = await bench.opened()
    await collect_batches(sink, *batches(300, 2600, 1))
    await flushed(sink, bench)
    await sink.close()
    found = lines(2901)
    assert bench.service.received == [
        file_of(found[at : at + 1000]) for at in range(0, len(found), 1000)
    ]
    assert [name for name, _ in bench.service.names] == [
        "mcas-20261124T120000-1.log",
        "mcas-20261124T120000-2-700.log",
        "mcas-20261124T120000-2-1700.log",
    ]


async def test_files_are_full_again_behind_a_batch_larger_than_a_file(bench: Bench) -> None:
    bench.options |= {"max_records": 100}
    sink = await bench.opened()
    for batch in batches(250, *[1] * 250):
        await collect_batches(sink, batch)
        if sink.due_secs() == 0:
            await flushed(sink, bench)
    await flushed(sink, bench)
    await sink.close()
    sizes = [file.count(b"\n") for file in bench.service.received]
    assert sizes == [100, 100, 50, 51, 100, 99]


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("point", [*STEPS, "finalize carried out"])
async def test_a_kill_between_the_parts_of_a_batch_neither_loses_nor_repeats(
    bench: Bench, part: int, point: str
) -> None:
    step = point.split(maxsplit=1)[0]
    fail = bench.service.fail_after if " " in point else bench.service.fail
    asked = 0

    def on_step() -> None:
        nonlocal asked
        if bench.service.asked[-1] == step:
            if asked == part:
                fail[step] = [DOWN]
            asked += 1

    bench.service.on_step = on_step
    found = batches(300, 2600)
    killed = await bench.opened()
    await collect_batches(killed, *found)
    assert isinstance(await killed.flush(), RetryAfter)
    await killed.close()

    sink = await bench.opened()
    assert await sink.flush() == Delivered()
    more = batches(500, first=3, start=2900)
    await collect_batches(sink, *found, *more)
    await flushed(sink, bench)
    await sink.close()
    assert times(bench) == once(*found, *more)
    assert max(file.count(b"\n") for file in bench.service.received) <= 1000


async def test_a_batch_is_not_delivered_before_its_last_part_is(bench: Bench) -> None:
    sink = await bench.opened()
    await collect_batches(sink, *batches(2500))
    bench.service.on_step = lambda: bench.service.fail.update(
        put=[DOWN] if len(bench.service.finalized) == 2 and sink.last_error is None else []
    )
    outcomes = await flushed(sink, bench)
    await sink.close()
    assert [type(outcome) for outcome in outcomes] == [RetryAfter, Delivered]
    assert times(bench) == once(*batches(2500))


async def test_a_part_that_is_uploaded_ends_what_was_wrong_before(bench: Bench) -> None:
    sink = await bench.opened()
    await collect_batches(sink, *batches(2500))
    bench.service.fail["put"] = [DOWN]
    await sink.flush()
    seen = [sink.last_error]
    bench.service.on_step = lambda: seen.append(sink.last_error)
    await flushed(sink, bench)
    await sink.close()
    failed = "upload failed: the connection broke off (https://mcas.example)"
    assert seen == [failed] * 3 + [None] * 6


async def test_what_an_earlier_process_put_is_not_taken_for_what_was_collected(
    bench: Bench,
) -> None:
    bench.service.fail["finalize"] = [DOWN]
    killed = await bench.opened()
    await collect_batches(killed, *batches(10))
    await killed.flush()
    await killed.close()
    sink = await bench.opened()
    await collect_batches(sink, *(more := batches(10, first=2, start=10)))
    assert await sink.flush() == Delivered()
    await sink.close()
    assert times(bench) == once(*batches(10), *more)


async def test_a_part_that_is_finalized_by_other_credentials_is_not_uploaded_again(
    bench: Bench,
) -> None:
    bench.service.fail_after["finalize"] = [DOWN]
    sink = await bench.opened()
    await collect_batches(sink, *batches(2500))
    await sink.flush()
    bench.service = bench.service.signed_in_again()
    assert await sink.flush() == Delivered()
    await sink.close()
    assert times(bench) == once(*batches(2500))


async def test_parts_that_can_not_be_known_are_uploaded_again_alone(bench: Bench) -> None:
    bench.service.fail_after["finalize"] = [DOWN]
    killed = await bench.opened()
    await collect_batches(killed, *batches(2500))
    await killed.flush()
    await killed.close()
    bench.service.fail["finalize"] = [GONE]
    sink = await bench.opened()
    await sink.flush()
    await collect_batches(sink, *batches(2500))
    await flushed(sink, bench)
    await sink.close()
    assert times(bench) == once(*batches(2500)) + Counter(lines(1000))
