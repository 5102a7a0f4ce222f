"""A disk that is smaller than what would be collected: uploading makes room."""

from formats.lines import Lines
from nss.sinks import Delivered, RetryAfter
from tests.sinks.cloud_discovery.bench import (
    DOWN,
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

FULL = "upload failed: lines can't be collected: file too large"


async def test_what_is_collected_is_uploaded_in_the_middle_of_a_batch(bench: Bench) -> None:
    found = lines(50)
    sink = await bench.opened()
    sink.begin(1, 0.5)
    with room(len(file_of(found[:30]))):
        assert await sink.send(Lines.of(found[:20])) == Delivered()
        before = sink.needs_room
        refused = await sink.send(Lines.of(found[20:40]))
        needs_room = sink.needs_room
        bench.service.fail["finalize"] = [DOWN]
        await flushed(sink, bench)
        outcomes = [await sink.send(Lines.of(found[40:])), sink.needs_room, await sink.flush()]
    await sink.close()
    assert (before, refused, needs_room) == (False, RetryAfter(20, 0.25, FULL), True)
    assert outcomes == [Delivered(), False, Delivered()]
    assert times(bench) == dict.fromkeys(found, 1)


async def test_what_was_left_behind_is_uploaded_before_a_flush_says_delivered(bench: Bench) -> None:
    """Lines of an earlier batch are left behind, which the flush has the feed pass."""
    known, others = batches(10, 10), batches(10, 10, start=100)
    killed = await bench.opened()
    await collect_batches(killed, *known)
    await flushed(killed, bench)
    await killed.close()
    sink = await bench.opened()
    await collect_batches(sink, *batches(5, first=9, start=500))
    await collect_batches(sink, others[0])  # these wait: they may be what is known
    with room(len(file_of(lines(11, 100)))):
        await flushed(sink, bench)
    await sink.close()
    assert times(bench) == once(*known, others[0], *batches(5, start=500))


async def test_a_sink_that_uploads_needs_no_room(bench: Bench) -> None:
    found = lines(40)
    sink = await bench.opened()
    sink.begin(1, 0.5)
    assert await sink.send(Lines.of(found[:20])) == Delivered()
    bench.service.fail["initiate"] = [DOWN]
    assert isinstance(await sink.flush(), RetryAfter)
    with room(0):
        assert await sink.send(Lines.of(found[20:])) == RetryAfter(20, 0.5, FULL)
    needs_room = sink.needs_room
    await flushed(sink, bench)
    await flushed(sink, bench)
    await sink.close()
    assert not needs_room
    assert times(bench) == dict.fromkeys(found, 1)
