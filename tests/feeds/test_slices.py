"""Batches that are worked at in several slices, with several records of each kind in each."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson
import pytest

from formats import filters, language, presets
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from nss.batch import Account, Batch
from nss.feeds.delivery import LineDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin, Pipelines
from nss.sinks import Delivered, Outcome, Rejected
from nss.spool.memory import MemorySpool
from nss.telemetry import events
from tests.parts import happened, memory_spool

if TYPE_CHECKING:
    from nss.sinks import Sink

FORMAT = language.parse("%s{login} %s{eurl}\n")
LONG = "x" * 1000
SLICE_BYTES = 256 << 10


class Choosy:
    """A sink that refuses the lines of some users for good, and takes no line over a length."""

    wants_keys = False

    def __init__(self, max_line_bytes: int = 10_000) -> None:
        self.name = self.destination = "choosy"
        self.last_error: str | None = None
        self.remedy = ""
        self.advice: str | None = None
        self.max_line_bytes = max_line_bytes
        self.sends: list[list[bytes]] = []
        self.taken: list[bytes] = []

    async def open(self) -> None:
        pass

    async def send(self, lines: Sequence[bytes], keys: Sequence[int] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        self.sends.append(list(lines))
        assert max(map(len, lines)) <= self.max_line_bytes
        for index, line in enumerate(lines):
            if line.startswith(b"refused"):
                self.taken += lines[:index]
                return Rejected(index, "not wanted")
        self.taken += lines
        return Delivered()

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()


def record(user: str, url: str = LONG) -> bytes:
    return orjson.dumps({"login": user, "eurl": url})


async def fed(sink: "Sink", origin: Origin, *records: bytes) -> tuple[Feed, MemorySpool]:
    """Have a feed work at one batch to its end."""
    spool = memory_spool(16 << 20)
    origins = {"web": origin}
    feed = Feed("mcas", await spool.cursor("mcas", origins), origins, LineDelivery(sink))
    data = b"".join(each + b"\n" for each in records)
    await spool.append(Batch("web", data, len(records)))
    spool.seal()
    await asyncio.wait_for(feed.run(), 20)
    return feed, spool


def known(**settings: object) -> Origin:
    return Origin(json_names(), FeedSettings(FORMAT, **settings))  # type: ignore[arg-type]


async def test_every_slice_counts() -> None:
    kinds = [
        *(record("ann"), record("nobody"), b"{" + LONG.encode(), record("refused")),
        *(record("refused"), record("bob", "y" * 3000), record("z" * 2500), b"[" + LONG.encode()),
    ]
    records = kinds * 100
    assert sum(map(len, records)) > 4 * SLICE_BYTES
    sink = Choosy(max_line_bytes=2000)
    feed, spool = await fed(sink, known(filter=filters.parse({"not_users": "nobody"})), *records)
    assert feed.cursor.account == Account(delivered=200, filtered=100, rejected=500, shortened=100)
    assert (feed.handed_over, feed.cursor.pending_records) == (200, 0)
    kept = [each.reject.data for each in await spool.rejects(limit=1000)]
    assert sorted(kept) == sorted((kinds[2], kinds[3], kinds[4], kinds[6], kinds[7]) * 100)
    assert [line[:3] for line in sink.taken] == [b"ann", b"bob"] * 100


async def test_slices_are_whole_lines_and_nearly_full() -> None:
    sink = Choosy()
    records = [record(f"{number:04}") for number in range(1000)]
    await fed(sink, known(), *records)
    line_bytes = len(records[0]) + 1
    sizes = [len(lines) * line_bytes for lines in sink.sends]
    assert [SLICE_BYTES - line_bytes < size <= SLICE_BYTES for size in sizes[:-1]] == [True] * 3
    assert sink.taken == [b"%04d %s" % (number, LONG.encode()) for number in range(1000)]


async def test_a_record_larger_than_a_slice_is_one_alone() -> None:
    sink = Choosy(max_line_bytes=1 << 20)
    huge = "x" * (2 * SLICE_BYTES)
    await fed(sink, known(), record("ann"), record("bob", huge), record("cid"), record("dan"))
    names = [[line[:3] for line in lines] for lines in sink.sends]
    assert names == [[b"ann"], [b"bob"], [b"cid", b"dan"]]


async def test_the_place_of_a_reject_is_that_in_its_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = [record("ann")] * 300
    await fed(Choosy(), known(), *records, b"{")
    ((name, facts),) = happened(caplog)
    offset = sum(len(each) + 1 for each in records)
    assert (name, facts["offset"], facts["bytes"]) == ("record_rejected", offset, 1)


async def test_a_line_of_just_the_length_is_not_shortened_beside_one_that_is() -> None:
    sink = Choosy(max_line_bytes=100)
    exact = record("ann", "x" * 96)
    feed, _ = await fed(sink, known(), exact, record("bob", "x" * 97), exact)
    assert feed.cursor.account == Account(delivered=3, shortened=1)
    assert [len(line) for line in sink.taken] == [100, 100, 100]
    assert sink.taken[0] == b"ann " + b"x" * 96


async def test_a_line_before_those_that_fit_nowhere_is_shortened() -> None:
    sink = Choosy(max_line_bytes=100)
    unfit = record("z" * 200)
    feed, spool = await fed(sink, known(), record("ann"), unfit, record("bob"), unfit)
    assert feed.cursor.account == Account(delivered=2, rejected=2, shortened=2)
    assert [each.reject.data for each in await spool.rejects()] == [unfit, unfit]
    assert [line[:3] for line in sink.taken] == [b"ann", b"bob"]


@pytest.mark.parametrize("user", ["ann", "z" * 20_000])
async def test_a_stop_at_the_end_of_a_batch_leaves_nothing_of_it(user: str) -> None:
    """Whether its line was sent, or rejected before."""
    spool = memory_spool(1 << 20)
    origins = {"web": known()}
    points: list[str] = []

    def at(point: str) -> None:
        points.append(point)
        feed.stop()

    cursor = await spool.cursor("mcas", origins)
    feed = Feed("mcas", cursor, origins, LineDelivery(Choosy()), at=at)
    await spool.append(Batch("web", record(user) + b"\n", 1))
    await asyncio.wait_for(feed.run(), 5)
    assert (points, cursor.pending_records) == (["mid-send"], 0)


async def test_a_feed_is_sending_while_its_sink_sends() -> None:
    states: list[bool] = []

    class Looking(Choosy):
        async def send(self, lines: Sequence[bytes], keys: Sequence[int] | None = None) -> Outcome:
            states.append(feed.sending)
            return await super().send(lines, keys)

    spool = memory_spool(1 << 20)
    origins = {"web": known()}
    feed = Feed("mcas", await spool.cursor("mcas", origins), origins, LineDelivery(Looking()))
    await spool.append(Batch("web", record("ann") + b"\n", 1))
    spool.seal()
    await asyncio.wait_for(feed.run(), 5)
    assert (states, feed.sending) == ([True], False)


# The forms of senders.

CSV = Pipeline(json_names(), FeedSettings(presets.load("CSV")))
USERS = FeedSettings(language.parse("%s{login}"), filters.parse({"not_users": "nobody"}))


def csv(user: str) -> bytes:
    return CSV.run(b'{"login": "%s", "epochtime": 1767225600}\n' % user.encode()).lines[0] + b"\n"


@pytest.mark.parametrize("user", ["bob", "nobody"])
def test_a_form_that_reads_anything_of_a_slice_stays(user: str) -> None:
    pipelines = Pipelines("mcas", {"web": Origin(None, USERS)})
    pipelines.render(("web", "1"), record("ann") + b"\n")
    _, rendered = pipelines.render(("web", "1"), record(user) + b"\n" + csv("cid") * 2)
    assert (len(rendered.lines) + rendered.filtered, len(rendered.bad)) == (1, 2)


def test_a_form_is_compiled_once_for_all_connections_and_reported_with_its_source(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "nss")
    pipelines = Pipelines("mcas", {"web": Origin(None, USERS)})
    first, _ = pipelines.render(("web", "1"), record("ann") + b"\n")
    second, _ = pipelines.render(("web", "2"), record("bob") + b"\n")
    assert first is second is not None
    assert happened(caplog) == [("format_recognised", {"source": "web", "format": "json"})]


def test_a_form_that_was_given_is_not_reported_as_recognised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "nss")
    Pipelines("mcas", {"web": known()}).render(("web", "1"), record("ann") + b"\n")
    assert happened(caplog) == []


def test_the_forms_of_a_bounded_number_of_senders_are_remembered() -> None:
    pipelines = Pipelines("mcas", {"web": Origin(json_names(), USERS)})
    counts = []
    for number in range(4097):
        _, rendered = pipelines.render(("web", str(number)), record("ann") + b"\n")
        assert rendered.lines == [b"ann"]
        counts.append(len(pipelines._of_sender))
    assert max(counts) == 4096
    assert counts[-1] == 1
