"""Batches with several lines that can't be delivered: each reject is the record behind its line."""

import asyncio

from formats.pipeline import FeedSettings
from nss.batch import Account
from nss.feeds.pipelines import Origin
from nss.sinks import Rejected, TooLong
from tests.feeds.test_feed import FORMAT, Bench, ScriptedSink, batch, known, record


async def test_each_line_of_a_batch_that_cannot_be_shortened_is_rejected_with_its_record() -> None:
    sink = ScriptedSink(Rejected(1, "no such tenant"), max_line_bytes=20)
    bench = await Bench.of(sink, {"web": known()})
    long = [record(f"{number}{30 * 'x'}") for number in range(5)]
    url = "example.com/" + 40 * "y"
    await bench.spool.append(
        batch(long[0], record("ann"), long[1], long[2], record("bob", url), record("cid"), long[3])
    )
    await bench.spool.append(batch(record("dan"), long[4], record("eve")))

    counts = await bench.run()

    # "bob" is refused after the lines that are too long have left.
    assert sink.taken == [user + b" example.com/" for user in (b"ann", b"cid", b"dan", b"eve")]
    too_long = "longer than 20 bytes, however it is shortened"
    assert await bench.rejects() == [
        (long[0], too_long),
        (long[1], too_long),
        (long[2], too_long),
        (record("bob", url), "no such tenant"),
        (long[3], too_long),
        (long[4], too_long),
    ]
    assert counts == Account(delivered=4, rejected=6, shortened=1)


async def test_lines_that_become_too_long_one_after_the_other_keep_their_records() -> None:
    sink = ScriptedSink(Rejected(0, "no such tenant"), TooLong(1, 20), Rejected(1, "no room"))
    bench = await Bench.of(sink, {"web": known()})
    long = [record(f"{number}{30 * 'x'}") for number in range(3)]
    short = [record(user) for user in ("ann", "bob", "cid", "dan")]
    await bench.spool.append(
        batch(long[0], short[0], long[1], short[1], long[2], short[2], short[3])
    )

    counts = await bench.run()

    assert sink.taken == [user + b" example.com/" for user in (b"ann", b"bob", b"dan")]
    assert await bench.rejects() == [
        (long[0], "no such tenant"),
        (long[1], "longer than 20 bytes, however it is shortened"),
        (long[2], "longer than 20 bytes, however it is shortened"),
        (short[2], "no room"),
    ]
    assert counts == Account(delivered=3, rejected=4)


async def test_refused_lines_of_an_array_keep_their_own_records_of_it_alone() -> None:
    refused = [Rejected(sent, f"reason {number}") for number, sent in enumerate([1, 0, 1, 0])]
    sink = ScriptedSink(*refused)
    bench = await Bench.of(sink, {"web": known()})
    arrays = [b" [" + b",".join(record(f"{name}{n}") for n in range(3)) + b"]" for name in "ab"]
    await bench.spool.append(batch(arrays[0], record("c"), arrays[1], record("d")))

    counts = await bench.run()

    assert sink.taken == [user + b" example.com/" for user in (b"a0", b"c", b"b2", b"d")]
    assert await bench.rejects() == [
        (record("a1"), "reason 0"),
        (record("a2"), "reason 1"),
        (record("b0"), "reason 2"),
        (record("b1"), "reason 3"),
    ]
    assert counts == Account(delivered=4, rejected=4, unpacked=4)


async def test_records_of_a_batch_that_nobody_recognised_are_delivered_by_a_retry() -> None:
    # Nearly all of it is junk, and the only record is not among what is looked at.
    junk = 1_500 * [b"#"]
    sink = ScriptedSink()
    bench = await Bench.of(sink, {"web": Origin(None, FeedSettings(FORMAT))})
    await bench.spool.append(batch(*junk, record("ann"), *junk))
    await bench.spool.append(batch(record("bob")))
    at_work = asyncio.create_task(bench.feed.run())
    await asyncio.wait_for(sink.called.wait(), 20)

    assert sink.taken == [b"bob example.com/"]
    unknown = "the records are in no known format"
    assert [kept.reject.reason for kept in await bench.spool.rejects(None, 9_999)] == (
        3_001 * [unknown]
    )

    assert await bench.spool.retry_rejects() == (3_001, 0)
    bench.spool.seal()
    await at_work

    assert sink.taken == [b"bob example.com/", b"ann example.com/"]
    assert bench.feed.cursor.account == Account(delivered=2, rejected=6_001)
