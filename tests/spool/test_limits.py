"""How much may be pending for a feed, over every implementation of a spool."""

import asyncio
import logging
import random
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Cursor, PendingLimit
from nss.spool.durable.store import LOG_BYTES
from nss.telemetry.events import counters
from tests.parts import durable_spool
from tests.spool.test_contract import Later, Spools, batch, later, new_spool, passed

__all__ = ["later", "new_spool"]

WAITS = PendingLimit(4)
DROPS = PendingLimit(4, drops_oldest=True)
AT_LIMIT = "feed mcas has as much pending as it may have (max_pending_bytes)"


def conserved(cursor: Cursor) -> bool:
    """Return whether each record that was accepted is accounted for."""
    account = cursor.account
    known = account.delivered + account.filtered + account.rejected + account.dropped
    return cursor.accepted_records == known + cursor.pending_records


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the names of the events reported."""
    return [record.event for record in caplog.records if hasattr(record, "event")]


async def test_pending_bytes_are_those_of_the_batches_not_passed(new_spool: Spools) -> None:
    spool = await new_spool(100)
    web, both = await spool.cursor("web", ["web"]), await spool.cursor("both", ["web", "dns"])
    await spool.append(batch("abc"))
    await spool.append(batch("d", "dns"))
    await new_spool.settled()
    assert (web.pending_bytes, both.pending_bytes) == (6, 8)

    await both.next()
    await passed(both, 1)
    await new_spool.settled()
    assert (web.pending_bytes, both.pending_bytes) == (6, 2)
    assert (await spool.cursor("both", ["web", "dns"])).pending_bytes == 2


async def test_what_a_record_takes_does_not_depend_on_what_is_not_committed_yet(
    new_spool: Spools,
) -> None:
    spool = await new_spool(100)
    web = await spool.cursor("web", ["web"])
    for _ in range(4):
        await spool.append(batch("abcd"))
    await new_spool.settled()

    takes = []
    for sequence in range(1, 5):
        await web.next()
        await passed(web, sequence)
        takes.append(web.bytes_per_record)
    await new_spool.settled()

    assert [*takes, web.bytes_per_record] == [2.0] * 5
    assert (web.pending_records, web.pending_bytes) == (0, 0)


async def test_at_its_limit_a_feed_makes_its_sources_wait_and_no_others(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], WAITS)
    other = await spool.cursor("other", ["web", "dns"])
    await spool.append(batch("ab"))

    waiting = await later(spool.append(batch("c")))
    second = await later(spool.append(batch("d")))
    await spool.append(batch("x", "dns"))

    assert (waiting.done(), second.done(), spool.full) == (False, False, False)
    assert (spool.holds_up("web"), spool.holds_up("dns")) == (AT_LIMIT, None)
    assert mcas.limited_since is not None
    assert other.limited_since is None
    assert [(await other.next()).batch for _ in range(2)] == [batch("ab"), batch("x", "dns")]

    await mcas.next()
    await passed(mcas, 1)
    assert [await waiting, await second] == [3, 4]
    assert [(await mcas.next()).batch for _ in range(2)] == [batch("c"), batch("d")]
    assert conserved(mcas)


async def test_however_much_waits_for_a_feed_no_other_source_does(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(1 << 30)
    mcas = await spool.cursor("mcas", ["web"], WAITS)
    await spool.cursor("siem", ["dns"])
    large = Batch("web", b"x" * (1 << 20) + b"\n", 1)
    await spool.append(batch("ab"))

    waiting = asyncio.gather(*(spool.append(large) for _ in range(24)))
    await later(waiting)
    async with asyncio.timeout(40):
        assert await spool.append(batch("x", "dns")) == 2
    assert (waiting.done(), spool.full, spool.holds_up("dns")) == (False, False, None)

    async with asyncio.timeout(40):
        for _ in range(25):
            await passed(mcas, (await mcas.next()).sequence)
        assert await waiting == list(range(3, 27))
    assert conserved(mcas)


async def test_a_small_batch_behind_one_that_waits_for_a_feed_holds_up_no_other_source(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], PendingLimit(6))
    near = await spool.cursor("near", ["web"], PendingLimit(1000))
    await spool.append(batch("a"))

    waiting = [await later(spool.append(batch(text))) for text in ("bcd", "e")]
    other = await later(spool.append(batch("x", "dns")))

    assert [each.done() for each in (*waiting, other)] == [False, False, True]
    assert (spool.full, spool.holds_up("web"), spool.holds_up("dns")) == (False, AT_LIMIT, None)
    await near.next()
    await passed(near, 1)
    await new_spool.settled()
    assert (mcas.limited_since is None, near.limited_since) == (False, None)

    await mcas.next()
    await passed(mcas, 1)
    assert await waiting[0] == 3
    assert [waiting[1].done(), spool.full] == [False, False]
    await mcas.next()
    await passed(mcas, 3)
    assert await waiting[1] == 4


async def test_one_batch_fits_whatever_the_limit(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], WAITS)

    await spool.append(batch("abcdef"))
    waiting = await later(spool.append(batch("g")))
    assert not waiting.done()
    await mcas.next()
    await passed(mcas, 1)

    assert await waiting == 2


async def test_whoever_gives_up_waiting_for_a_feed_holds_up_nobody(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], WAITS)
    await spool.append(batch("a"))
    waiting = await later(spool.append(batch("bb")))
    assert spool.holds_up("web")

    waiting.cancel()
    await new_spool.settled()

    assert not spool.holds_up("web")
    assert await spool.append(batch("c")) == 2
    assert mcas.pending_records == 2


async def test_a_spool_that_ends_leaves_nobody_waiting_for_a_feed(
    new_spool: Spools, later: Later
) -> None:
    if new_spool.kind == "memory":
        pytest.skip("its end is that of the process")
    spool = await new_spool(100)
    await spool.cursor("mcas", ["web"], WAITS)
    await spool.append(batch("ab"))
    waiting = [await later(spool.append(batch("c"))) for _ in range(3)]

    await spool.close()

    async with asyncio.timeout(40):
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error).split(" (")[0] for error in ended] == ["spool: it is closed"] * 3


async def test_a_feed_that_drops_loses_its_oldest_and_no_other_feed_any(
    new_spool: Spools, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], DROPS)
    other = await spool.cursor("other", ["web"])

    for text in "abcd":
        await spool.append(batch(text))
    await new_spool.settled()

    assert mcas.account == Account(dropped=2)
    assert (mcas.pending_records, mcas.pending_bytes, mcas.limited_dropped) == (2, 4, 2)
    assert (other.account, other.pending_records) == (Account(), 4)
    assert conserved(mcas)
    assert [(await mcas.next()).batch for _ in range(2)] == [batch("c"), batch("d")]
    assert [(await other.next()).batch for _ in range(4)] == [batch(text) for text in "abcd"]
    assert not spool.full
    assert logged(caplog) == ["feed_drops_oldest"]  # once, not for each batch
    assert counters["records_dropped", "mcas"] == 2

    await passed(mcas, 4)
    await new_spool.settled()
    assert mcas.limited_since is None
    assert logged(caplog) == ["feed_drops_oldest", "feed_has_room"]
    assert caplog.records[-1].facts["dropped"] == 2  # type: ignore[attr-defined]
    assert conserved(mcas)


async def test_what_a_feed_had_in_its_hands_counts_as_delivered_or_dropped_never_both(
    new_spool: Spools,
) -> None:
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], DROPS)
    await spool.append(batch("a"))
    await spool.append(batch("b"))
    assert (await mcas.next()).batch == batch("a")

    await spool.append(batch("c"))
    await new_spool.settled()
    assert (mcas.account, mcas.pending_records) == (Account(dropped=1), 2)

    await mcas.advance(1, Account(delivered=1))
    await new_spool.settled()
    assert (mcas.account, mcas.pending_records) == (Account(delivered=1), 2)
    assert mcas.pending_bytes == 4
    assert [(await mcas.next()).batch for _ in range(2)] == [batch("b"), batch("c")]
    assert conserved(mcas)


async def test_a_batch_dropped_for_every_feed_takes_no_room(new_spool: Spools) -> None:
    spool = await new_spool(6)
    mcas = await spool.cursor("mcas", ["web"], DROPS)

    for text in "abcdef":
        await spool.append(batch(text))
    await new_spool.settled()

    assert (mcas.account, spool.used_bytes) == (Account(dropped=4), 4)


async def test_nothing_is_dropped_for_a_batch_that_the_spool_has_no_room_for(
    new_spool: Spools, later: Later
) -> None:
    spool = await new_spool(10)
    mcas = await spool.cursor("mcas", ["web"], DROPS)
    other = await spool.cursor("other", ["web"])
    for text in "abcde":
        await spool.append(batch(text))
    await new_spool.settled()
    assert (mcas.account, mcas.pending_records) == (Account(dropped=3), 2)

    waiting = await later(spool.append(batch("f")))
    assert (waiting.done(), spool.full) == (False, True)
    assert (mcas.account, mcas.pending_records) == (Account(dropped=3), 2)

    waiting.cancel()
    await new_spool.settled()
    assert [(await mcas.next()).batch for _ in range(2)] == [batch("d"), batch("e")]
    for _ in range(5):
        await passed(other, (await other.next()).sequence)
    await passed(mcas, 5)
    await new_spool.settled()
    assert (mcas.account, spool.used_bytes) == (Account(delivered=2, dropped=3), 0)
    assert conserved(mcas)


async def test_a_lower_limit_holds_from_the_next_batch_on(new_spool: Spools) -> None:
    spool = await new_spool(100)
    await spool.cursor("mcas", ["web"])
    for text in "abcdef":
        await spool.append(batch(text))

    mcas = await spool.cursor("mcas", ["web"], DROPS)
    assert (mcas.pending_records, mcas.account) == (6, Account())
    await spool.append(batch("g"))
    await new_spool.settled()

    assert (mcas.pending_records, mcas.account) == (2, Account(dropped=5))
    assert [(await mcas.next()).batch for _ in range(2)] == [batch("f"), batch("g")]


async def test_a_feed_that_is_at_its_limit_is_named_though_no_batch_waits_for_it(
    new_spool: Spools, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await new_spool(100)
    mcas = await spool.cursor("mcas", ["web"], WAITS)
    dns = await spool.cursor("dns", ["dns", "web"], PendingLimit(6))
    await spool.append(batch("a"))
    await spool.append(batch("b", "dns"))
    await new_spool.settled()
    assert (spool.holds_up("web"), mcas.limited_since) == (None, None)

    await spool.append(batch("c"))
    await new_spool.settled()

    assert (mcas.limited_since is None, dns.limited_since is None) == (False, False)
    assert spool.holds_up("dns") == AT_LIMIT.replace("mcas", "dns")
    assert spool.holds_up("web") == (
        "feeds dns and mcas have as much pending as they may have (max_pending_bytes)"
    )
    assert logged(caplog) == ["feed_sources_wait"] * 2


async def test_so_is_one_that_a_reload_gives_less_than_is_pending(new_spool: Spools) -> None:
    spool = await new_spool(100)
    await spool.cursor("mcas", ["web"])
    await spool.append(batch("abc"))
    mcas = await spool.cursor("mcas", ["web"], WAITS)
    await new_spool.settled()
    assert (spool.holds_up("web"), mcas.limited_since is None) == (AT_LIMIT, False)


async def test_so_is_one_that_gets_more_by_a_replay(path: Path) -> None:
    spool = await durable_spool(path, min_free_bytes=0, replay_minutes=60, overhead_bytes=0)
    mcas = await spool.cursor("mcas", ["web"], WAITS)
    for number in (1, 2):
        await spool.append(batch("a"))
        await mcas.next()
        await passed(mcas, number)
    await spool.settle()
    assert (spool.holds_up("web"), mcas.limited_since) == (None, None)

    assert await spool.replay("mcas", 0, 1e12) == 2
    await spool.settle()

    assert (spool.holds_up("web"), mcas.limited_since is None) == (AT_LIMIT, False)
    await spool.close()


async def test_a_cursor_that_replaces_another_knows_since_when_the_limit_holds(
    new_spool: Spools, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spool = await new_spool(100)
    first = await spool.cursor("mcas", ["web"], DROPS)
    for text in "abcd":
        await spool.append(batch(text))
    await new_spool.settled()
    since = first.limited_since

    second = await spool.cursor("mcas", ["web"], DROPS)
    await new_spool.settled()
    assert (second.limited_since, second.limited_dropped, since is None) == (since, 2, False)
    third = await spool.cursor("mcas", ["web"])
    await new_spool.settled()

    assert (third.limited_since, third.limited_dropped) == (None, 0)
    assert logged(caplog) == ["feed_drops_oldest", "feed_has_room"]


async def test_a_full_spool_holds_up_all_sources(new_spool: Spools, later: Later) -> None:
    spool = await new_spool(4)
    await spool.cursor("mcas", ["web"])
    await spool.append(batch("ab"))
    await later(spool.append(batch("c")))
    assert (spool.holds_up("web"), spool.holds_up("dns")) == ("the spool is full",) * 2


async def test_half_of_the_limit_is_near(new_spool: Spools) -> None:
    spool = await new_spool(100)
    mcas, free = await spool.cursor("mcas", ["web"], WAITS), await spool.cursor("free", ["web"])
    assert not mcas.nears_limit
    await spool.append(batch("a"))
    await new_spool.settled()
    assert (mcas.nears_limit, free.nears_limit) == (True, False)


async def test_what_was_dropped_is_dropped_after_a_restart_and_can_be_replayed(
    path: Path,
) -> None:
    spool = await durable_spool(path, min_free_bytes=0, replay_minutes=60, overhead_bytes=0)
    await spool.cursor("mcas", ["web"], DROPS)
    for text in "abcd":
        await spool.append(batch(text))
    await spool.close()

    spool = await durable_spool(path, min_free_bytes=0, replay_minutes=60, overhead_bytes=0)
    mcas = await spool.cursor("mcas", ["web"], DROPS)
    assert (mcas.account, mcas.pending_records, mcas.pending_bytes) == (Account(dropped=2), 2, 4)
    assert await spool.replay("mcas", 0, 1e12) == 2
    await spool.settle()
    assert (mcas.pending_records, mcas.pending_bytes) == (4, 8)
    assert conserved(mcas)
    await spool.close()


def large(chance: random.Random, size: int, source: str = "web") -> Batch:
    """Return a batch of one record that takes as many bytes of disk, or a few more."""
    return Batch(source, chance.randbytes(size).hex().encode() + b"\n", 1)


async def test_what_waits_for_a_limit_takes_no_space_of_the_disk_from_others(
    path: Path, later: Later
) -> None:
    free, chance = [1 << 40], random.Random(7)
    spool = await durable_spool(
        path,
        min_free_bytes=40 << 20,
        replay_minutes=0,
        when_full="drop_oldest",
        free_bytes=lambda _folder: free[0],
    )
    mcas = await spool.cursor("mcas", ["web"], PendingLimit(1_500_000))
    other = await spool.cursor("other", ["dns"])
    for source in ("web", "dns"):
        await spool.append(large(chance, 500_000, source))
    waiting = [await later(spool.append(large(chance, 1_000_000))) for _ in range(6)]
    await spool.settle()
    assert spool.holds_up("web") == AT_LIMIT

    # Beside what must stay free, there is room for the log and for a small batch, not for these.
    free[0] = (40 << 20) + LOG_BYTES + (4 << 20)
    await spool.append(batch("x", "dns"))

    assert (other.account.dropped, mcas.account.dropped) == (0, 0)
    assert not any(each.done() for each in waiting)
    for each in waiting:
        each.cancel()
    await spool.close()
