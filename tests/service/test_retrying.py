"""A retry of rejects says what became of each record, and nothing that is not known."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nss.admin.operations import REJECTED_REASONS_MAX, RetriedRejects
from nss.config.load import parse
from nss.feeds.retrial import Retrial
from nss.service.retrying import retry
from nss.service.running import Running, RunningFeed
from nss.sinks import Outcome, Rejected, RetryAfter
from nss.spool import Reject
from tests.admin.conftest import TOML
from tests.feeds import test_collecting
from tests.feeds.test_feed import Bench, ScriptedSink, batch, known, record

uploading = test_collecting.bench


def running_feeds(spool: Any, parts: Sequence[Any]) -> Running:  # noqa: ANN401 - of two kinds
    settings = parse(TOML, Path("/etc/nss")).feeds[0]
    running = Running()
    running.opened_spool = spool
    for part in parts:
        task: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        feed = RunningFeed(part, settings, (), b"", 0, task, ())  # type: ignore[arg-type]
        running.feeds[part.name] = feed
    return running


class Retrying:
    """A feed at work whose sink gives the outcomes of a test."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.running = running_feeds(bench.spool, [bench.feed])
        self.task = asyncio.create_task(bench.feed.run())

    async def rejected(self, *records: bytes) -> None:
        """Have all of the records rejected."""
        await self.bench.spool.append(batch(*records))
        await self.passed()
        assert self.bench.spool.kept_rejects == len(records)

    async def passed(self) -> None:
        async with asyncio.timeout(20):
            while self.bench.cursor.pending_records:  # noqa: ASYNC110 - there is no signal
                await asyncio.sleep(0)


class Ends:
    """Begins feeds, and ends them."""

    def __init__(self) -> None:
        self.made: list[Retrying] = []

    async def __call__(self, *outcomes: Outcome, **settings: Any) -> Retrying:  # noqa: ANN401
        sink = ScriptedSink(*outcomes)
        bench = await Bench.of(sink, {"web": known(**settings)})
        bench.sink.on_send = lambda: None
        self.made.append(Retrying(bench))
        return self.made[-1]


@pytest.fixture
async def at_work() -> AsyncIterator[Ends]:
    ends = Ends()
    yield ends
    for each in ends.made:
        each.bench.feed.stop()
        await asyncio.wait_for(each.task, 20)


REFUSED = [Rejected(0, "no such tenant")]


async def test_records_that_are_delivered_now_are_counted_as_delivered(at_work: Ends) -> None:
    made = await at_work(*REFUSED * 2)
    await made.rejected(record("ann"), record("bob"))

    found = await retry(made.running, None, 20)

    assert found == RetriedRejects(2, 0, 2, 0, {}, 0, 0, 0)
    assert found.is_good
    assert made.bench.sink.taken == [b"ann example.com/", b"bob example.com/"]
    assert made.bench.feed.retrials == set()


async def test_records_that_are_refused_again_are_counted_by_their_new_reason(
    at_work: Ends,
) -> None:
    again = [Rejected(0, "a full disk"), Rejected(0, "no room"), Rejected(0, "no room")]
    made = await at_work(*REFUSED * 4, *again)
    await made.rejected(*map(record, ("ann", "bob", "cid", "dan")))

    found = await retry(made.running, "mcas", 20)

    assert found == RetriedRejects(4, 0, 1, 0, {"no room": 2, "a full disk": 1}, 3, 0, 0)
    assert not found.is_good


async def test_other_records_that_pass_meanwhile_are_not_counted(at_work: Ends) -> None:
    made = await at_work(*REFUSED)
    await made.rejected(record("ann"))
    await made.bench.spool.append(batch(record("bob"), b"nonsense", record("cid")))

    found = await retry(made.running, None, 20)

    assert found == RetriedRejects(1, 0, 1, 0, {}, 0, 0, 0)


async def test_what_a_sink_does_not_take_in_time_is_pending_and_not_delivered(
    at_work: Ends,
) -> None:
    made = await at_work(*REFUSED, RetryAfter(0, 3600.0, "the collector is away"))
    await made.rejected(record("ann"))

    found = await retry(made.running, None, 0.2)

    assert found == RetriedRejects(1, 0, 0, 0, {}, 0, 1, 0)
    assert not found.is_good


async def test_without_waiting_nothing_is_claimed(at_work: Ends) -> None:
    made = await at_work(*REFUSED)
    await made.rejected(record("ann"))

    found = await retry(made.running, None, 0.0)

    assert (found.records, found.delivered + found.waiting) == (1, 1)
    assert found.waiting == 1


async def test_reasons_are_bounded_in_number_and_all_are_counted(at_work: Ends) -> None:
    count = REJECTED_REASONS_MAX + 5
    again = [Rejected(0, f"reason {number}") for number in range(count)]
    made = await at_work(*REFUSED * count, *again)
    await made.rejected(*(record(f"user{number}") for number in range(count)))

    found = await retry(made.running, None, 20)

    assert (len(found.rejected), found.rejected_records) == (REJECTED_REASONS_MAX, count)


async def test_what_a_feed_passes_unseen_is_not_called_delivered(at_work: Ends) -> None:
    class Deaf(set[Retrial]):
        """As the feed is that takes over from one that was asked."""

        def add(self, _: Retrial) -> None:
            pass

    made = await at_work(*REFUSED)
    await made.rejected(record("ann"))
    made.bench.feed.retrials = Deaf()

    found = await retry(made.running, None, 20)

    assert found == RetriedRejects(1, 0, 0, 0, {}, 0, 0, 1)


async def test_what_is_only_collected_is_pending_until_it_is_uploaded(
    uploading: test_collecting.Bench,
) -> None:
    running = running_feeds(uploading.spool, [uploading.feed])
    uploading.sink.rejecting = b"ann"
    uploading.start()
    await uploading.append("ann", "nobody")
    await uploading.until(lambda: uploading.account.rejected == 1)
    uploading.sink.rejecting = b"\0"

    early = await retry(running, "up", 0.2)
    assert early == RetriedRejects(1, 0, 0, 0, {}, 0, 1, 0)

    await uploading.feed.deliver_now()
    uploading.sink.rejecting = b"bob"
    await uploading.append("bob")
    await uploading.until(lambda: uploading.account.rejected == 2)
    uploading.sink.rejecting = b"\0"
    retrying = asyncio.create_task(retry(running, "up", 20))
    await uploading.until(lambda: uploading.sink.collected)
    await uploading.feed.deliver_now()
    assert await retrying == RetriedRejects(1, 0, 1, 0, {}, 0, 0, 0)


async def test_nothing_to_retry_is_nothing(at_work: Ends) -> None:
    made = await at_work()
    assert await retry(made.running, None, 20) == RetriedRejects(0, 0, 0, 0, {}, 0, 0, 0)


async def test_what_the_spool_has_for_a_feed_that_does_not_run_is_pending(at_work: Ends) -> None:
    made = await at_work(*REFUSED)
    spool = made.bench.spool
    await made.rejected(record("ann"))
    await spool.cursor("gone", ["web"])  # as while a reload takes it away, or brings it
    spool.reject("gone", [Reject("web", "", "bad", record("bob"))] * 2)

    found = await retry(made.running, None, 20)

    assert found == RetriedRejects(3, 0, 1, 0, {}, 0, 2, 0)
    assert (spool.kept_rejects, spool.feeds()["gone"]) == (0, 2)
    assert await retry(made.running, "gone", 20) == RetriedRejects(0, 0, 0, 0, {}, 0, 0, 0)
