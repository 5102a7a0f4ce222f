"""A feed between a real spool and a sink whose outcomes are scripted."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import pytest

from formats import filters, language, presets
from formats.order import order_key
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from nss.batch import Account, Batch
from nss.feeds.delivery import LineDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter, TooLong
from nss.spool.memory import MemorySpool
from nss.spool.memory_cursor import MemoryCursor
from nss.telemetry import events
from tests.parts import happened, memory_spool

FORMAT = language.parse("%s{login} %s{eurl}\n")
WAIT_SECS = 3600.0
"""A delay that no test waits for: only a stop ends it."""


class ScriptedSink:
    """Gives the outcomes it was given, one a send, then takes everything."""

    def __init__(
        self,
        *outcomes: Outcome,
        max_line_bytes: int = 10_000,
        wants_keys: bool = False,
        yields: bool = True,
    ) -> None:
        self.yields = yields
        """Whether others have a turn while it sends, as they do where the network is slow."""
        self.name = self.destination = "scripted"
        self.last_error: str | None = None
        self.remedy = ""
        self.advice: str | None = None
        self.max_line_bytes = max_line_bytes
        self.wants_keys = wants_keys
        self.sends: list[tuple[list[bytes], list[int] | None]] = []
        self.taken: list[bytes] = []
        self.states: list[str] = []
        self.called = asyncio.Event()
        self.on_send: Callable[[], None] = lambda: None
        self._outcomes = list(outcomes)

    async def open(self) -> None:
        self.states.append("open")

    async def send(self, lines: Sequence[bytes], keys: Sequence[int] | None = None) -> Outcome:
        if self.yields:
            await asyncio.sleep(0)
        self.sends.append((list(lines), None if keys is None else list(keys)))
        outcome = self._outcomes.pop(0) if self._outcomes else Delivered()
        if isinstance(outcome, Delivered):
            self.taken += lines
        else:
            self.taken += lines[: outcome.sent]
        if isinstance(outcome, TooLong):
            self.max_line_bytes = outcome.max_bytes
        self.on_send()
        self.called.set()
        return outcome

    async def close(self) -> None:
        self.states.append("closed")


@dataclass
class Bench:
    """A spool, a sink and a feed between them, whose account is looked at all the time."""

    sink: ScriptedSink
    origins: Mapping[str, Origin]
    cursor: MemoryCursor
    spool: MemorySpool
    feed: Feed = field(init=False)

    @classmethod
    async def of(
        cls, sink: ScriptedSink, origins: Mapping[str, Origin], spool: MemorySpool | None = None
    ) -> "Bench":
        """Return a bench with a cursor of its own."""
        spool = spool or memory_spool(1 << 20)
        return cls(sink, origins, await spool.cursor("mcas", origins), spool)

    def __post_init__(self) -> None:
        self.feed = Feed("mcas", self.cursor, self.origins, LineDelivery(self.sink))
        self.sink.on_send = self.check

    def check(self) -> None:
        """See that no record is unaccounted for."""
        counts = self.feed.cursor.account
        done = counts.delivered + counts.filtered + counts.rejected
        assert self.feed.accepted_records == done + self.cursor.pending_records

    async def rejects(self) -> list[tuple[bytes, str]]:
        """Return the records that were rejected, and why."""
        return [(kept.reject.data, kept.reject.reason) for kept in await self.spool.rejects()]

    async def run(self) -> Account:
        """Run the feed until everything in the spool is done with."""
        self.spool.seal()
        await asyncio.wait_for(self._look_on(self.feed.run()), 5)
        assert self.cursor.pending_records == 0
        return self.feed.cursor.account

    async def _look_on(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            self.check()
            await asyncio.wait({task}, timeout=0)
            await asyncio.sleep(0)
        await task
        self.check()


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()


def known(**settings: object) -> Origin:
    """Return the origin of JSON records with NSS field names."""
    return Origin(json_names(), FeedSettings(FORMAT, **settings))  # type: ignore[arg-type]


def record(user: str, url: str = "example.com/") -> bytes:
    return orjson.dumps({"login": user, "eurl": url})


def batch(*records: bytes, source: str = "web") -> Batch:
    return Batch(source, b"".join(record + b"\n" for record in records), len(records))


async def test_batches_are_rendered_and_sent_in_order() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    await bench.spool.append(batch(record("ann"), record("bob", "b.example/")))
    await bench.spool.append(batch(record("cid")))

    counts = await bench.run()

    assert bench.sink.sends == [
        ([b"ann example.com/", b"bob b.example/"], None),
        ([b"cid example.com/"], None),
    ]
    assert counts == Account(delivered=3)
    assert bench.sink.states == ["open", "closed"]


async def test_what_was_not_sent_is_sent_again_after_the_delay_and_nothing_twice() -> None:
    sink = ScriptedSink(
        RetryAfter(1, 0.001, "the collector is away"),
        RetryAfter(0, 0.001, "the collector is away"),
        RetryAfter(1, 0.0, "the collector is away"),
    )
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(*(record(user) for user in "abcd")))
    errors: list[str | None] = []
    sink.on_send = lambda: errors.append(bench.feed.last_error)

    counts = await bench.run()

    lines = [b"%c example.com/" % user for user in b"abcd"]
    assert [sent for sent, _ in sink.sends] == [lines, lines[1:], lines[1:], lines[2:]]
    assert (sink.taken, counts) == (lines, Account(delivered=4))
    assert errors == [None, *["the collector is away"] * 3]
    assert bench.feed.last_error is None


async def test_a_line_too_long_for_the_path_is_shortened_and_the_rest_is_sent_again() -> None:
    sink = ScriptedSink(TooLong(1, 20))
    bench = await Bench.of(sink, {"web": known()})
    long_url = "example.com/" + 40 * "x"
    await bench.spool.append(
        batch(record("ann"), record("bob", long_url), record("cid"), record("dan", long_url))
    )

    counts = await bench.run()

    fitted = [b"bob example.com[...]", b"dan example.com[...]"]
    assert sink.sends[1][0] == [fitted[0], b"cid example.com/", fitted[1]]
    assert sink.taken == [b"ann example.com/", fitted[0], b"cid example.com/", fitted[1]]
    assert counts == Account(delivered=4, shortened=2)


async def test_a_line_longer_than_the_sink_takes_is_shortened_before_it_is_sent() -> None:
    sink = ScriptedSink(max_line_bytes=20)
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(record("ann", "example.com/" + 40 * "x"), record("bob")))

    counts = await bench.run()

    assert sink.sends == [([b"ann example.com[...]", b"bob example.com/"], None)]
    assert counts == Account(delivered=2, shortened=1)


async def test_a_line_that_cannot_be_shortened_enough_is_rejected_alone() -> None:
    sink = ScriptedSink(max_line_bytes=20)
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(record("ann"), record(30 * "b"), record("cid")))
    await bench.spool.append(batch(record(30 * "d")))

    counts = await bench.run()

    assert sink.sends == [([b"ann example.com/", b"cid example.com/"], None)]
    assert counts == Account(delivered=2, rejected=2)
    assert [data for data, _ in await bench.rejects()] == [record(30 * "b"), record(30 * "d")]
    assert events.counters["records_rejected", "mcas"] == 2


async def test_a_line_refused_for_good_is_counted_and_the_next_ones_go_on() -> None:
    sink = ScriptedSink(Rejected(1, "no such tenant"), Rejected(0, "no such tenant"))
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(*(record(user) for user in "abcd")))

    counts = await bench.run()

    assert sink.taken == [b"a example.com/", b"d example.com/"]
    assert counts == Account(delivered=2, rejected=2)
    assert await bench.rejects() == [
        (record("b"), "no such tenant"),
        (record("c"), "no such tenant"),
    ]


async def test_the_last_line_refused_ends_the_batch() -> None:
    sink = ScriptedSink(Rejected(0, "no such tenant"))
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(record("a")))

    assert await bench.run() == Account(rejected=1)
    assert len(sink.sends) == 1


async def test_bad_records_are_rejected_and_their_neighbours_delivered() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    await bench.spool.append(
        batch(record("ann"), b"{", b'"text"', b'{"login": "\xff"}', record("bob"))
    )

    counts = await bench.run()

    assert bench.sink.taken == [b"ann example.com/", b"bob example.com/"]
    assert counts == Account(delivered=2, rejected=3)
    assert [data for data, _ in await bench.rejects()] == [b"{", b'"text"', b'{"login": "\xff"}']


async def test_a_record_over_its_size_is_rejected() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known(max_record_bytes=64)})
    await bench.spool.append(batch(record("ann"), record("bob", 64 * "x")[:65], record("cid")))

    assert await bench.run() == Account(delivered=2, rejected=1)


async def test_the_filter_keeps_records_back_and_they_are_counted() -> None:
    kept = filters.parse({"users": ["ann", "c*"]})
    bench = await Bench.of(ScriptedSink(), {"web": known(filter=kept)})
    await bench.spool.append(batch(*(record(user) for user in ("ann", "bob", "cid", "dan"))))
    await bench.spool.append(batch(record("eve")))

    counts = await bench.run()

    assert bench.sink.sends == [([b"ann example.com/", b"cid example.com/"], None)]
    assert counts == Account(delivered=2, filtered=3)


async def test_the_form_of_the_records_is_recognised() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": Origin(None, FeedSettings(FORMAT))})
    await bench.spool.append(batch(record("ann")))
    await bench.spool.append(batch(record("bob"), b"not a record"))

    counts = await bench.run()

    assert bench.sink.taken == [b"ann example.com/", b"bob example.com/"]
    assert counts == Account(delivered=2, rejected=1)


async def test_records_in_no_known_form_are_rejected_until_there_are_some_that_are() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": Origin(None, FeedSettings(FORMAT))})
    await bench.spool.append(batch(b"what", b"is", b"this"))
    await bench.spool.append(batch(record("ann")))

    counts = await bench.run()

    assert bench.sink.taken == [b"ann example.com/"]
    assert counts == Account(delivered=1, rejected=3)
    assert await bench.rejects() == [
        (word, "the records are in no known format") for word in (b"what", b"is", b"this")
    ]


@pytest.mark.parametrize("first", [b"not a record", b"", record("bob", "x" * 60_000)])
async def test_the_form_is_recognised_whatever_the_first_record_is(first: bytes) -> None:
    bench = await Bench.of(ScriptedSink(), {"web": Origin(None, FeedSettings(FORMAT))})
    await bench.spool.append(batch(first, record("ann")))

    counts = await bench.run()

    assert bench.sink.taken[-1] == b"ann example.com/"
    assert counts.rejected == (first == b"not a record")


async def test_a_record_too_long_to_be_looked_at_with_others_is_recognised_alone() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": Origin(None, FeedSettings(FORMAT))})
    await bench.spool.append(batch(record("ann", "x" * 70_000)))

    assert await bench.run() == Account(delivered=1, shortened=1)


async def test_what_a_record_says_is_not_in_the_log_of_its_reject(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = await Bench.of(ScriptedSink(Rejected(0, "no tenant 'secret 7' here")), {"web": known()})
    await bench.spool.append(batch(record("ann")))

    await bench.run()

    facts = {"source": "web", "reason": "no tenant '...' here", "offset": 0, "bytes": 16}
    assert happened(caplog) == [("record_rejected", facts)]


async def test_a_sender_may_change_the_form_of_its_records() -> None:
    csv = Pipeline(json_names(), FeedSettings(presets.load("CSV")))
    [line] = csv.run(b'{"login": "ann", "epochtime": 1767225600}\n').lines
    bench = await Bench.of(
        ScriptedSink(), {"web": Origin(None, FeedSettings(language.parse("%s{login}")))}
    )
    for data in (record("bob"), line, b"neither", record("cid")):
        await bench.spool.append(batch(data))

    counts = await bench.run()

    assert bench.sink.taken == [b"bob", b"ann", b"cid"]
    assert counts == Account(delivered=3, rejected=1)


async def test_each_source_is_read_in_its_own_form() -> None:
    words = Origin(input_of(language.parse("%s{eurl};%s{login}\n")), FeedSettings(FORMAT))
    bench = await Bench.of(ScriptedSink(), {"web": known(), "words": words})
    await bench.spool.append(batch(record("ann")))
    await bench.spool.append(batch(b"w.example/;bob", source="words"))
    await bench.spool.append(batch(b"other", source="of another feed"))
    await bench.spool.append(batch(record("cid")))

    counts = await bench.run()

    assert bench.sink.taken == [b"ann example.com/", b"bob w.example/", b"cid example.com/"]
    assert counts == Account(delivered=3)


async def test_a_sink_that_wants_keys_gets_the_users_of_the_lines_it_gets() -> None:
    sink = ScriptedSink(RetryAfter(1, 0.001, "away"), Rejected(1, "refused"), wants_keys=True)
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(*(record(user) for user in ("ann", "bob", "cid", "dan"))))

    await bench.run()

    assert [keys for _, keys in sink.sends] == [
        list(map(order_key, users))
        for users in (["ann", "bob", "cid", "dan"], ["bob", "cid", "dan"], ["dan"])
    ]


async def test_a_stop_while_the_destination_is_away_returns_at_once_and_passes_nothing() -> None:
    sink = ScriptedSink(RetryAfter(1, WAIT_SECS, "away"))
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(record("ann"), record("bob")))
    running = asyncio.ensure_future(bench.feed.run())
    await sink.called.wait()

    bench.feed.stop()
    await asyncio.wait_for(running, 1)

    bench.check()
    assert (bench.cursor.pending_records, bench.feed.cursor.account) == (2, Account())
    assert sink.states == ["open", "closed"]


async def test_a_stop_while_there_is_nothing_to_do_returns_at_once() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    running = asyncio.ensure_future(bench.feed.run())
    await asyncio.sleep(0)

    bench.feed.stop()
    await asyncio.wait_for(running, 1)

    assert bench.sink.states == ["open", "closed"]


async def test_a_stop_between_batches_leaves_the_next_ones_to_the_next_feed() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    for user in "abc":
        await bench.spool.append(batch(record(user)))
    bench.sink.on_send = bench.feed.stop

    await asyncio.wait_for(bench.feed.run(), 1)
    bench.check()
    assert (bench.sink.taken, bench.cursor.pending_records) == ([b"a example.com/"], 2)

    again = await Bench.of(ScriptedSink(), {"web": known()}, bench.spool)
    assert await again.run() == Account(delivered=3)
    assert again.sink.taken == [b"b example.com/", b"c example.com/"]


async def test_a_cancelled_feed_closes_its_sink_and_its_batch_stays_pending() -> None:
    sink = ScriptedSink(RetryAfter(0, WAIT_SECS, "away"))
    bench = await Bench.of(sink, {"web": known()})
    await bench.spool.append(batch(record("ann")))
    running = asyncio.ensure_future(bench.feed.run())
    await sink.called.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (sink.states, bench.cursor.pending_records) == (["open", "closed"], 1)


async def test_a_feed_gives_others_a_turn_between_batches() -> None:
    bench = await Bench.of(ScriptedSink(yields=False), {"web": known()})
    for _ in range(50):
        await bench.spool.append(batch(record("ann")))
    bench.spool.seal()
    turns = 0
    turns_at_send: list[int] = []

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    bench.sink.on_send = lambda: turns_at_send.append(turns)
    counting = asyncio.ensure_future(other())
    await asyncio.wait_for(bench.feed.run(), 5)
    counting.cancel()

    assert len(set(turns_at_send)) == 50


async def test_a_feed_gives_others_a_turn_between_slices_of_a_batch() -> None:
    bench = await Bench.of(ScriptedSink(yields=False), {"web": known()})
    await bench.spool.append(batch(*(record("ann", "x" * 1000) for _ in range(2000))))
    bench.spool.seal()
    turns = 0
    turns_at_send: list[int] = []

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    bench.sink.on_send = lambda: turns_at_send.append(turns)
    counting = asyncio.ensure_future(other())
    await asyncio.wait_for(bench.feed.run(), 5)
    counting.cancel()

    assert len(set(turns_at_send)) == len(bench.sink.sends) > 5


async def test_no_batch_leaves_a_task_behind() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    for _ in range(50):
        await bench.spool.append(batch(record("ann")))
    bench.spool.seal()
    tasks_at_send: list[int] = []
    bench.sink.on_send = lambda: tasks_at_send.append(len(asyncio.all_tasks()))
    await asyncio.wait_for(bench.feed.run(), 5)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert max(tasks_at_send) == tasks_at_send[0]


async def test_an_array_that_framing_left_whole_counts_as_its_records() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    array = b" [" + record("ann") + b"," + record("bob") + b"]"
    await bench.spool.append(batch(record("cid"), array))

    counts = await bench.run()

    assert counts == Account(delivered=3, unpacked=1)
    assert bench.feed.accepted_records == 3


async def test_each_connection_of_a_source_is_read_in_its_own_form() -> None:
    bench = await Bench.of(ScriptedSink(), {"web": Origin(None, FeedSettings(FORMAT))})
    preset = orjson.dumps(
        {
            "event": {
                "datetime": "2023-10-06 09:05:08",
                "user": "bob",
                "url": "b.example/",
                "event_id": "1",
            }
        }
    )
    plain = orjson.dumps({"time": "2023-10-06 09:05:08", "login": "ann", "eurl": "a.example/"})
    for connection, data in (("1", plain), ("2", preset), ("1", plain), ("2", preset)):
        await bench.spool.append(Batch("web", data + b"\n", 1, connection=connection))

    await bench.run()

    lines = [line for sent, _ in bench.sink.sends for line in sent]
    assert lines == [b"ann a.example/", b"bob b.example/"] * 2


async def test_lines_of_white_space_are_no_records_in_the_account_either() -> None:
    # Sources hand none over; a spool of an older version may have some.
    bench = await Bench.of(ScriptedSink(), {"web": known()})
    await bench.spool.append(batch(b" ", record("ann"), b"\t", record("bob"), b"no record"))
    await bench.spool.append(batch(b" \t "))

    counts = await bench.run()

    assert bench.sink.taken == [b"ann example.com/", b"bob example.com/"]
    assert counts == Account(delivered=2, rejected=1, unpacked=-3)
    assert bench.feed.accepted_records == 3
