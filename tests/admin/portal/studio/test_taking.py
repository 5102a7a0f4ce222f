"""Samples from the stream: what passes now, for two seconds, and then the tap is gone."""

import asyncio

import pytest

from nss.admin.portal.pages.studio.taking import AT_ONCE, Taken, Taker
from nss.errors import ServiceError, UsageError
from nss.feeds.tap import SHOWN_MAX_BYTES
from tests.admin.conftest import FakeOperations
from tests.admin.portal.studio.conftest import StudioOperations, Visitor

pytestmark = pytest.mark.long

RECORD = b'{"time": "Fri Oct  6 09:05:08 2023", "login": "ana"}\n'


async def passing(operations: FakeOperations, data: bytes, feed: str = "mcas") -> None:
    await operations.tapped.wait()
    for tap in operations.taps:
        tap.show(feed, data, [])


async def test_the_next_records_of_a_feed_are_taken_and_the_tap_ends() -> None:
    operations = FakeOperations()
    taking = asyncio.create_task(Taker(operations, 30.0).take("mcas", 2))
    await passing(operations, b"other\n", "siem")
    await passing(operations, b"a\nb\nc\n")

    assert await taking == Taken("mcas", "a\nb\n", 2, 0)
    assert operations.taps == []


async def test_what_passes_in_time_is_taken_even_if_it_is_less() -> None:
    operations = FakeOperations()
    taking = asyncio.create_task(Taker(operations, 0.2).take("mcas", 10))
    await passing(operations, b"a\n\xff\n")

    assert await taking == Taken("mcas", "a\n\ufffd\n", 2, 0)
    assert await Taker(operations, 0.01).take("mcas", 10) == Taken("mcas", "", 0, 0)
    assert operations.taps == []


async def test_records_that_a_tap_cuts_are_left_out_and_counted() -> None:
    operations = FakeOperations()
    taking = asyncio.create_task(Taker(operations, 0.2).take("mcas", 2))
    await passing(operations, b"x" * (SHOWN_MAX_BYTES + 1) + b"\na\n")

    assert await taking == Taken("mcas", "a\n", 1, 1)


async def test_a_feed_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="not known"):
        await Taker(FakeOperations(), 0.01).take("none", 1)


async def test_only_so_many_take_at_once_and_a_tap_ends_with_who_asked() -> None:
    operations = FakeOperations()
    taker = Taker(operations, 30.0)
    taking = [asyncio.create_task(taker.take("mcas", 1)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(ServiceError, match="too many"):
        await taker.take("mcas", 1)
    for task in taking:
        task.cancel()
    await asyncio.gather(*taking, return_exceptions=True)

    assert operations.taps == []
    assert await Taker(operations, 0.01).take("mcas", 1) == Taken("mcas", "", 0, 0)


async def test_what_was_taken_is_in_the_form_and_rendered(
    visitor: Visitor, studio: StudioOperations
) -> None:
    await visitor.get("/studio?load=preset%20CSV")
    asked = asyncio.create_task(visitor.page(do="take", count="10"))
    await passing(studio, RECORD * 10)
    page = await asked

    assert visitor.fields["samples"] == RECORD.decode() * 10
    assert "10 records taken as they passed feed mcas" in page
    assert "10 rendered" in page
    assert studio.taps == []


async def test_when_nothing_passes_that_is_said_and_the_samples_stay(
    visitor: Visitor, studio: StudioOperations
) -> None:
    page = await visitor.page(
        format_string="%s{login}",
        samples=RECORD.decode(),
        do="take",
        count="10",
        **{"from": "siem"},
    )

    assert "No record passed feed siem within two seconds" in page
    assert "built-in examples" in page
    assert visitor.fields["samples"] == RECORD.decode()
    assert "1 rendered" in page
    assert studio.taps == []
    assert "12 rendered" in await visitor.page(do="examples")
