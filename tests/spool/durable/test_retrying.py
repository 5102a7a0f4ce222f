"""Rejects and replays that go through their feeds again: each record once, and charged as it is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import Reject
from nss.spool.durable import replay
from nss.spool.durable.rejects import OVERHEAD_BYTES
from nss.spool.durable.replay import Retried
from nss.spool.durable.spool import DurableSpool
from tests.spool.durable.test_damage import change
from tests.spool.durable.test_rejects import rejected

Open = Callable[..., Awaitable[DurableSpool]]

PAGE = 100
"""How many rejects are read at a time."""


def numbered(numbers: range, source: str = "web") -> list[Reject]:
    """Return rejects whose records are numbers of three digits."""
    return [Reject(source, "", "bad", b"%03d" % number) for number in numbers]


async def test_all_that_several_steps_retry_and_leave_are_counted(
    open_spool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "RETRY_BYTES", 1)
    spool = await open_spool()
    await rejected(
        spool,
        [*numbered(range(40)), *numbered(range(40, 100), "gone"), *numbered(range(100, 250))],
    )

    assert await spool.retry_rejects() == (190, 60)

    cursor = spool._cursors["mcas"]
    assert (cursor.pending_records, spool.kept_rejects) == (190, 60)
    data = b""
    while data.count(b"\n") < 190:
        data += (await cursor.next()).batch.data
    assert data.split() == [b"%03d" % number for number in [*range(40), *range(100, 250)]]


@pytest.mark.parametrize(("more_bytes", "pages"), [(-1, 2), (0, 2), (1, 3)])
async def test_a_step_ends_with_the_page_that_fills_it(
    open_spool: Open, monkeypatch: pytest.MonkeyPatch, more_bytes: int, pages: int
) -> None:
    page_bytes = PAGE * (3 + OVERHEAD_BYTES)
    monkeypatch.setattr(replay, "RETRY_BYTES", 2 * page_bytes + more_bytes)
    spool = await open_spool()
    await rejected(spool, numbered(range(4 * PAGE)))

    step = await spool._do(partial(replay.retry_rejects, retried=Retried(None), upto=1 << 40))

    assert (step.last, step.finished) == (pages * PAGE, False)
    assert sum(each.entry.batch.records for each in step.appended) == pages * PAGE


async def lost(open_spool: Open, path: Path) -> DurableSpool:
    """Return a spool whose first reject is a batch that could not be read, of two records."""
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"1\n2\n", 2))
    await spool.append(Batch("web", b"3\n", 1))
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 + 1 WHERE body = 1")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    assert (await cursor.next()).sequence == 2
    await cursor.advance(2, Account(rejected=1), [Reject("web", "", "bad", b"3")])
    await spool.settle()
    await spool.close()
    return await open_spool()


async def test_a_batch_and_a_record_rejected_behind_it_are_both_retried(
    open_spool: Open, path: Path
) -> None:
    await (await lost(open_spool, path)).close()
    change(path, "UPDATE bodies SET crc32 = crc32 - 1 WHERE body = 1")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    assert [kept.number for kept in await spool.rejects()] == [1, 2]

    assert await spool.retry_rejects() == (3, 0)

    assert [(await cursor.next()).batch.data for _ in range(2)] == [b"1\n2\n", b"3\n"]
    assert spool.kept_rejects == 0


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM bodies WHERE body = 1", "UPDATE bodies SET data = x'00' WHERE body = 1"],
)
async def test_a_batch_that_still_can_not_be_read_stays_a_reject(
    open_spool: Open, path: Path, statement: str
) -> None:
    await (await lost(open_spool, path)).close()
    change(path, statement)
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])

    assert await spool.retry_rejects() == (1, 1)

    assert (await cursor.next()).batch == Batch("web", b"3\n", 1, None, "", "mcas")
    assert [kept.number for kept in await spool.rejects()] == [1]


@pytest.fixture
async def charging(path: Path) -> AsyncIterator[Open]:
    """Return what opens a spool that charges each batch 1000 bytes more than it has."""
    made: list[DurableSpool] = []

    async def opened() -> DurableSpool:
        settings = DurableSpoolConfig(path=path, min_free_bytes=0, replay_minutes=60)
        made.append(await DurableSpool.open(settings, overhead_bytes=1000))
        return made[-1]

    yield opened
    for spool in made:
        await spool.close()


async def test_a_replay_is_charged_for_each_batch_and_not_for_the_records_again(
    charging: Open,
) -> None:
    spool = await charging()
    cursor = await spool.cursor("mcas", ["web"])
    for number in (1, 2):
        await spool.append(Batch("web", b"%d\n" % number, 1))
        assert (spool.used_bytes, cursor.pending_bytes) == (number * 1002, 1002)
        await cursor.next()
        await cursor.advance(number, Account(delivered=1))
        await spool.settle()

    assert await spool.replay("mcas", 0, 1e12) == 2

    assert (spool.used_bytes, cursor.pending_bytes) == (4004, 2004)
    await spool.close()
    again = await charging()
    cursor = await again.cursor("mcas", ["web"])
    assert (again.used_bytes, cursor.pending_bytes) == (4004, 2004)
