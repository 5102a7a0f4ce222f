"""The upload sink is killed around a finalize: what the next process leaves out, and what not.

What the sink gets again is what a spool gives to the next process: everything behind the last
batch whose passing it has committed.
"""

from collections import Counter
from datetime import timedelta

import pytest

from formats.lines import Lines
from nss.sinks import Delivered, Rejected, RetryAfter
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    NOW,
    Batch,
    Bench,
    batches,
    collect_batches,
    file_of,
    flushed,
    lines,
    once,
    room,
    times,
)

MANY = 50_000


@pytest.mark.parametrize("answer", ["lost", "received"])
async def test_many_small_batches_are_uploaded_once_though_it_is_killed_after_a_finalize(
    bench: Bench, answer: str
) -> None:
    bench.options |= {"max_records": 100_000, "max_bytes": 60_000_000}
    if answer == "lost":
        bench.service.fail_after["finalize"] = [DOWN]
    many = [Batch(number, [line]) for number, line in enumerate(lines(MANY), 1)]
    killed = await bench.opened()
    await collect_batches(killed, *many)
    assert isinstance(await killed.flush(), RetryAfter if answer == "lost" else Delivered)
    await killed.close()
    path = bench.folder / "uploads" / "mcas.json"
    assert path.stat().st_size < 10_000

    sink = await bench.opened()
    assert await sink.flush() == Delivered()
    await collect_batches(sink, *many)
    assert (sink.collected, sink.due_secs()) == (0, None)
    more = batches(5, first=MANY + 1, start=MANY)
    await collect_batches(sink, *more)
    assert await sink.flush() == Delivered()
    await sink.close()
    assert times(bench) == once(*many, *more)


@pytest.mark.parametrize("passed", [0, 1, 2])
async def test_it_does_not_matter_how_many_uploads_the_spool_knows_of(
    bench: Bench, passed: int
) -> None:
    uploads = [batches(700, 1, 900, first=1), batches(5, 2000, first=4, start=1601)]
    killed = await bench.opened()
    for upload in uploads:
        await collect_batches(killed, *upload)
        await flushed(killed, bench)
    await killed.close()

    sink = await bench.opened()
    for upload in uploads[passed:]:
        await collect_batches(sink, *upload)
    await flushed(sink, bench)
    await sink.close()
    assert times(bench) == once(*uploads[0], *uploads[1])


async def test_what_was_collected_with_other_slices_is_recognised(bench: Bench) -> None:
    found = batches(3000, 70, 1200)
    killed = await bench.opened()
    await collect_batches(killed, *found, slice_lines=120)
    await flushed(killed, bench)
    await killed.close()
    sink = await bench.opened()
    await collect_batches(sink, *found, slice_lines=1300)
    collected = sink.collected
    await sink.close()
    assert collected == 0


async def test_a_process_after_the_next_still_knows(bench: Bench) -> None:
    found = batches(10, 10)
    for _ in range(3):
        sink = await bench.opened()
        await sink.flush()
        await collect_batches(sink, *found)
        await flushed(sink, bench)
        await sink.close()
    assert times(bench) == once(*found)


# Batches that are not those which were delivered.


async def test_a_spool_that_went_back_and_on_is_another(bench: Bench) -> None:
    """An older copy of the spool: the same sequences once more, in the middle of what is known."""
    found = batches(10, 10, 10, 10)
    killed = await bench.opened()
    await collect_batches(killed, *found)
    await flushed(killed, bench)
    await killed.close()
    fork = [
        Batch(batch.sequence, batch.lines, 0.75) for batch in batches(10, 10, first=3, start=50)
    ]
    sink = await bench.opened()
    await collect_batches(sink, *found[:2], *fork)
    await flushed(sink, bench)
    await sink.close()
    assert times(bench) >= once(*found, *fork)


async def test_other_lines_of_the_same_batch_are_uploaded(bench: Bench) -> None:
    """The filter has been changed between two processes."""
    found = batches(10, 10)
    killed = await bench.opened()
    await collect_batches(killed, *found)
    await flushed(killed, bench)
    await killed.close()
    wider = [Batch(1, lines(10)), Batch(2, [*lines(9, 10), *lines(1, 90)])]
    sink = await bench.opened()
    await collect_batches(sink, *wider)
    await flushed(sink, bench)
    await sink.close()
    assert times(bench) >= once(*wider)


async def test_a_batch_of_which_nothing_was_wanted_then_is_uploaded_now(bench: Bench) -> None:
    killed = await bench.opened()
    await collect_batches(killed, Batch(1, lines(5)), Batch(2, []), Batch(3, lines(5, 5)))
    await flushed(killed, bench)
    await killed.close()
    wider = [Batch(1, lines(5)), Batch(2, lines(5, 50)), Batch(3, lines(5, 5))]
    sink = await bench.opened()
    await collect_batches(sink, *wider)
    await flushed(sink, bench)
    await sink.close()
    assert times(bench) >= once(*wider)


async def test_one_batch_that_is_missing_repeats_one_piece(bench: Bench) -> None:
    """It could not be read back, or was dropped to make room."""
    bench.options |= {"max_records": 10_000}
    found = batches(*[100] * 50)
    killed = await bench.opened()
    await collect_batches(killed, *found)
    await flushed(killed, bench)
    await killed.close()
    sink = await bench.opened()
    await collect_batches(sink, *found[:14], *found[15:])
    await flushed(sink, bench)
    await sink.close()
    repeated = [line for line, number in times(bench).items() if number > 1]
    assert len(repeated) == 900
    assert times(bench).keys() == once(*found).keys()


async def test_a_line_that_has_grown_too_old_meanwhile_repeats_one_piece(bench: Bench) -> None:
    bench.options |= {"max_records": 10_000}
    (found,) = batches(5000)
    killed = await bench.opened()
    await collect_batches(killed, found, slice_lines=100)
    await flushed(killed, bench)
    await killed.close()
    sink = await bench.opened()
    sink.begin(found.sequence, found.accepted_at)
    old = lines(1, at=NOW - timedelta(days=91))
    outcome = await sink.send(Lines.of([*found.lines[:5], *old, *found.lines[6:50]]))
    for at in (6, *range(50, 5000, 50)):
        await sink.send(Lines.of(found.lines[at : at + 50 - at % 50]))
    await flushed(sink, bench)
    await sink.close()
    assert outcome == Rejected(5, "older than 90 days, which MCAS refuses")
    repeated = [line for line, number in times(bench).items() if number > 1]
    assert len(repeated) == 999


async def test_a_disk_that_is_full_as_lines_turn_out_to_be_new_loses_none(bench: Bench) -> None:
    found = batches(10, 10)
    killed = await bench.opened()
    await collect_batches(killed, *found)
    await flushed(killed, bench)
    await killed.close()
    others = [Batch(1, lines(10)), Batch(2, lines(10, 50))]
    sink = await bench.opened()
    await collect_batches(sink, others[0])
    sink.begin(2, 0.5)
    with room(0):
        outcomes = [
            await sink.send(Lines.of(lines(10, 50))),
            await sink.send(Lines.of(lines(5, 60))),
        ]
        outcomes.append(await sink.flush())
        during = [sink.collected, sink.due_secs()]
    outcomes.append(await sink.send(Lines.of(lines(5, 60))))
    await flushed(sink, bench)
    await sink.close()
    reason = "upload failed: lines can't be collected: file too large"
    assert outcomes == [
        RetryAfter(10, 0.25, reason),
        RetryAfter(0, 0.5, reason),
        RetryAfter(0, 1.0, "upload failed: file too large"),
        Delivered(),
    ]
    assert during == [20, 0]
    assert times(bench) == once(*found, *others) + Counter(lines(5, 60))


async def test_a_replay_is_another_batch(bench: Bench) -> None:
    found = batches(10)
    sink = await bench.opened()
    await collect_batches(sink, *found)
    await flushed(sink, bench)
    await collect_batches(sink, Batch(2, found[0].lines))
    await flushed(sink, bench)
    await sink.close()
    assert bench.service.received == [file_of(lines(10))] * 2


async def test_half_a_piece_does_not_wait_for_its_end(bench: Bench) -> None:
    """The rest of it never comes: the spool is another one now."""
    found = batches(10, 10)
    killed = await bench.opened()
    await collect_batches(killed, *found)
    await flushed(killed, bench)
    await killed.close()
    sink = await bench.opened()
    await collect_batches(sink, found[0])
    before = (sink.collected, sink.due_secs())
    bench.at += 300
    after = sink.due_secs()
    await flushed(sink, bench)
    rest = (sink.collected, sink.due_secs())
    await sink.close()
    assert (before, after, rest) == ((10, 300), 0, (0, None))
    assert times(bench) == once(*found) + once(found[0])


async def test_a_piece_without_end_is_not_waited_for(bench: Bench) -> None:
    (bench.folder / "uploads").mkdir()
    (bench.folder / "uploads" / "mcas.json").write_text(
        f'{{"form":2,"delivered":[[1,0.5,0,{10**12},"ab"]],"unfinished":null}}'
    )
    bench.options |= {"max_bytes": 10**9}
    sink = await bench.opened()
    sink.begin(1, 0.5)
    long = lines(1)[0] + b"x" * (1 << 20)
    due = []
    for _ in range(65):
        assert await sink.send(Lines.of([long])) == Delivered()
        due.append(sink.due_secs())
    bench.at += 1
    await sink.send(Lines.of(lines(1)))
    due.append(sink.due_secs())
    await flushed(sink, bench)
    await sink.close()
    assert due == [300] * 65 + [299]
    assert bench.service.received == [file_of([long] * 65, lines(1))]


async def test_what_form_1_knew_is_left_out(bench: Bench) -> None:
    bench.service.put_at["https://storage.example/0?sig=private"] = file_of(lines(5))
    (bench.folder / "uploads").mkdir()
    (bench.folder / "uploads" / "mcas.json").write_text(
        '{"form":1,"delivered":[[1,0.5]],"unfinished":'
        '{"url":"https://storage.example/0?sig=private","batches":[[2,0.5]]}}'
    )
    sink = await bench.opened()
    assert await sink.flush() == Delivered()
    await collect_batches(sink, Batch(1, lines(5, 100)), Batch(2, lines(5)), Batch(3, lines(5, 5)))
    await flushed(sink, bench)
    await sink.close()
    assert bench.service.received == [file_of(lines(5)), file_of(lines(5, 5))]
