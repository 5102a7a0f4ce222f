"""Many rejects: listed, counted and discarded some at a time."""

from collections.abc import Awaitable, Callable

from nss.spool import Reject
from nss.spool.durable.spool import DurableSpool
from tests.spool.durable.test_rejects import rejected

Open = Callable[..., Awaitable[DurableSpool]]

MANY = 250
"""More than two pages of rejects."""


def numbered(count: int, reason: str = "bad") -> list[Reject]:
    """Return rejects whose records are numbers."""
    return [Reject("web", "", reason, b"%d" % number) for number in range(count)]


async def test_the_newest_hundred_are_listed_unless_more_are_wanted(open_spool: Open) -> None:
    spool = await open_spool()
    await rejected(spool, numbered(101))

    assert [kept.number for kept in await spool.rejects()] == list(range(2, 102))
    assert len(await spool.rejects(limit=101)) == 101


async def test_only_those_of_one_feed_are_discarded_however_many(open_spool: Open) -> None:
    spool = await open_spool()
    for number in range(3):
        await rejected(spool, numbered(MANY // 3 + 1), "mcas")
        await rejected(spool, numbered(number + 1), "other")

    assert await spool.discard_rejects("mcas", None, 1 << 40) == 3 * (MANY // 3 + 1)

    assert (await spool.rejects("mcas"), spool.kept_rejects) == ([], 6)
    assert {(kept.feed, kept.reject.data) for kept in await spool.rejects()} == {
        ("other", b"%d" % number) for number in range(3)
    }
    assert await spool.discard_rejects("mcas", None, 1 << 40) == 0
    assert await spool.discard_rejects("other", None, 1 << 40) == 6


async def test_those_of_a_reason_are_discarded_up_to_a_number_however_many(
    open_spool: Open,
) -> None:
    spool = await open_spool()
    both = [
        each for pair in zip(numbered(MANY), numbered(MANY, "other"), strict=True) for each in pair
    ]
    await rejected(spool, both)

    assert await spool.discard_rejects(None, "bad", 2 * MANY - 10) == MANY - 5

    left = await spool.rejects(limit=1000)
    assert [kept.number for kept in left if kept.reject.reason == "bad"] == [
        *range(2 * MANY - 9, 2 * MANY, 2)
    ]
    assert sum(kept.reject.reason == "other" for kept in left) == MANY


async def test_a_reason_is_that_of_records_of_one_feed_alone(open_spool: Open) -> None:
    spool = await open_spool()
    await rejected(spool, numbered(2), "mcas")
    await rejected(spool, numbered(3), "other")

    counts = [(each.feed, each.records, each.newest) for each in await spool.reject_reasons()]

    newest = await spool.rejects("mcas", 1) + await spool.rejects("other", 1)
    assert counts == [("other", 3, newest[1]), ("mcas", 2, newest[0])]
