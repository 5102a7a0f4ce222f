"""The records that feeds could not deliver: kept, bounded, and tried again."""

import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from nss.batch import Account, Batch
from nss.spool import REJECT_MAX_BYTES, KeptReject, Reject
from nss.spool.durable.spool import DurableSpool

Open = Callable[..., Awaitable[DurableSpool]]


async def rejected(spool: DurableSpool, rejects: Sequence[Reject], feed: str = "mcas") -> None:
    """Have a feed reject records."""
    cursor = spool._cursors.get(feed) or await spool.cursor(feed, ["web", "dns"])
    sequence = await spool.append(Batch("web", b"r\n" * len(rejects), len(rejects)))
    await cursor.next()
    await cursor.advance(sequence, Account(rejected=len(rejects)), rejects)
    await spool.settle()


def reject(data: bytes, source: str = "web", connection: str = "") -> Reject:
    """Return a reject."""
    return Reject(source, connection, "bad", data)


async def test_rejects_are_listed_oldest_first_and_by_feed(open_spool: Open) -> None:
    spool = await open_spool(now=lambda: 12.5)
    await rejected(spool, [reject(b"a"), reject(b"b")])
    await rejected(spool, [reject(b"c")], "other")

    assert [(kept.feed, kept.reject.data) for kept in await spool.rejects()] == [
        ("mcas", b"a"),
        ("mcas", b"b"),
        ("other", b"c"),
    ]
    assert [kept.reject.data for kept in await spool.rejects("mcas", 1)] == [b"b"]
    assert await spool.rejects("nobody") == []
    (kept,) = await spool.rejects("other")
    assert (kept.number, kept.rejected_at, kept.record_bytes) == (3, 12.5, 1)
    assert spool.kept_rejects == 3


async def test_rejects_survive_a_restart_and_their_numbers_go_on(open_spool: Open) -> None:
    spool = await open_spool()
    await rejected(spool, [reject(b"a\xff\0"), reject(b"b")])
    before = await spool.rejects()
    await spool.close()

    again = await open_spool()
    assert (await again.rejects(), again.kept_rejects) == (before, 2)
    await again.cursor("mcas", ["web"])
    assert await again.retry_rejects() == (2, 0)
    await rejected(again, [reject(b"c")], "other")
    assert [kept.number for kept in await again.rejects()] == [3]


async def test_the_oldest_rejects_go_when_there_are_too_many(open_spool: Open) -> None:
    spool = await open_spool(rejects_max_bytes=3 * (256 + 10))
    await rejected(spool, [reject(b"%010d" % number) for number in range(10)])
    assert [kept.reject.data for kept in await spool.rejects()] == [
        b"0000000007",
        b"0000000008",
        b"0000000009",
    ]

    await rejected(spool, [reject(b"x" * 5000)])
    assert (await spool.rejects(), spool.kept_rejects) == ([], 0)


async def test_a_long_reject_is_cut_and_can_not_be_retried(open_spool: Open) -> None:
    spool = await open_spool()
    long = b"x" * (REJECT_MAX_BYTES + 1)
    await rejected(spool, [reject(long), reject(b""), reject(b"a"), reject(b"b", "gone")])

    kept = await spool.rejects()
    assert [(len(each.reject.data), each.record_bytes) for each in kept] == [
        (REJECT_MAX_BYTES, REJECT_MAX_BYTES + 1),
        (0, 0),
        (1, 1),
        (1, 1),
    ]
    assert await spool.retry_rejects() == (1, 3)
    assert [kept.number for kept in await spool.rejects()] == [1, 2, 4]


async def test_retried_rejects_go_through_their_own_feed_as_new_records(open_spool: Open) -> None:
    spool = await open_spool()
    await rejected(spool, [reject(b"a", "web", "one"), reject(b"b", "web", "one")])
    await rejected(spool, [reject(b"c", "dns", "two")], "other")
    mcas, other = spool._cursors["mcas"], spool._cursors["other"]
    await mcas.next()
    await mcas.advance(2, Account(delivered=1))

    assert await spool.retry_rejects("mcas") == (2, 0)
    assert (mcas.accepted_records, mcas.pending_records) == (5, 2)
    again = await mcas.next()
    assert again.batch == Batch("web", b"a\nb\n", 2, None, "one", "mcas")
    assert other.pending_records == 0
    assert await spool.retry_rejects() == (1, 0)
    assert (await other.next()).batch == Batch("dns", b"c\n", 1, None, "two", "other")
    assert spool.kept_rejects == 0


async def test_retried_rejects_survive_a_restart(open_spool: Open) -> None:
    spool = await open_spool()
    await rejected(spool, [reject(b"a")])
    await spool.retry_rejects()
    await spool.close()

    cursor = await (await open_spool()).cursor("mcas", ["web"])

    assert (cursor.accepted_records, cursor.pending_records) == (2, 1)
    assert (await cursor.next()).batch.data == b"a\n"


async def test_very_many_rejects_are_retried_in_steps_and_in_order(open_spool: Open) -> None:
    commits: list[str] = []
    spool = await open_spool(rejects_max_bytes=64 << 20, at=commits.append)
    data = [b"%06d" % number for number in range(40_000)]
    await rejected(spool, [reject(record) for record in data])
    cursor = spool._cursors["mcas"]
    commits.clear()

    assert await spool.retry_rejects() == (40_000, 0)

    assert commits.count("after commit") > 2
    seen: list[bytes] = []
    while len(seen) < len(data):
        seen += (await cursor.next()).batch.data.split()
    assert seen == data


async def test_reasons_are_counted_whatever_a_damaged_row_has(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await rejected(spool, [reject(b"a"), reject(b"b")])
    await spool.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(
            "UPDATE rejects SET reason = x'ff00', records = ?, rejected_at = 'x' WHERE number = 2",
            (2**63 - 1,),
        )
    again = await open_spool()

    found = {each.reason: each for each in await again.reject_reasons()}

    assert found["bad"].records == 1
    (other,) = (each for reason, each in found.items() if reason != "bad")
    assert (other.records, other.newest_at) == (int(float(2**63)), 0.0)


async def test_a_damaged_reject_is_listed_as_one_of_its_feed_and_stays(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await rejected(spool, [reject(b"a"), reject(b"b")])
    await spool.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE rejects SET data = x'00' WHERE number = 1")
    again = await open_spool()
    await again.cursor("mcas", ["web"])

    damaged = Reject("", "", "this reject is damaged in the spool's file", b"")
    kept = await again.rejects()
    assert kept[0] == KeptReject(1, "mcas", 0.0, damaged, 0)
    assert kept[1].reject == reject(b"b")
    assert await again.retry_rejects() == (1, 1)
    assert await again.rejects() == kept[:1]


async def test_twice_as_many_rejects_take_twice_as_much_to_discard(open_spool: Open) -> None:
    spool = await open_spool(rejects_max_bytes=64 << 20)
    steps = []
    for count in (1500, 3000):
        other, bad = Reject("web", "", "other", b"r"), Reject("web", "", "bad", b"r")
        await rejected(spool, [other] * count + [bad] * count)
        done = Counter[str]()
        handler = partial(done.update, ["steps"])
        await spool._do(lambda store: store.connection.set_progress_handler(handler, 100))  # noqa: B023 - at once

        assert await spool.discard_rejects("mcas", "bad", 1 << 60) == count
        steps.append(done["steps"])
        assert await spool.discard_rejects("mcas", None, 1 << 60) == count

    assert steps[1] < 3 * steps[0]
