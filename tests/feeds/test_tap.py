"""The tap: what it samples, what it leaves out, and that it never waits."""

import asyncio
import time

import pytest

from nss.feeds.tap import Seen, Tap, TapKind
from tests.admin.conftest import Clock


async def seen(tap: Tap) -> list[Seen]:
    """Return all that waits, and end the tap."""
    tap.close()
    return [sample async for sample in tap]


def show(tap: Tap, *records: bytes, feed: str = "mcas") -> None:
    tap.show(
        feed,
        b"".join(record + b"\n" for record in records),
        [b"<" + record + b">" for record in records],
    )


async def test_lines_are_shown_as_they_are_sent() -> None:
    tap = Tap(kind="lines")
    show(tap, b"one", b"two")
    assert await seen(tap) == [Seen("mcas", b"<one>", 5, 0), Seen("mcas", b"<two>", 5, 0)]


async def test_records_are_shown_as_they_came() -> None:
    tap = Tap(kind="records")
    show(tap, b"one", b"two")
    assert await seen(tap) == [Seen("mcas", b"one", 3, 0), Seen("mcas", b"two", 3, 0)]


async def test_a_last_record_without_a_line_feed_is_shown_too() -> None:
    tap = Tap(kind="records")
    tap.show("mcas", b"one\ntwo", [])
    assert [sample.data for sample in await seen(tap)] == [b"one", b"two"]


async def test_an_empty_record_is_one_too() -> None:
    tap = Tap(kind="records")
    tap.show("mcas", b"\none\n\ntwo\n", [])
    assert [sample.data for sample in await seen(tap)] == [b"", b"one", b"", b"two"]


async def test_a_tap_at_one_feed_does_not_show_others() -> None:
    tap = Tap("siem")
    show(tap, b"one")
    show(tap, b"two", feed="siem")
    assert await seen(tap) == [Seen("siem", b"<two>", 5, 0)]


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("records", "b", [b"abc", b"b", b"zb"]),
        ("lines", "b", [b"<abc>", b"<b>", b"<zb>"]),
        ("records", "é", ["é".encode()]),
        ("records", "nope", []),
        ("lines", "nope", []),
        ("records", "abc", [b"abc"]),
    ],
)
async def test_a_text_chooses_those_that_contain_it(
    kind: TapKind, text: str, shown: list[bytes]
) -> None:
    tap = Tap(kind=kind, text=text)
    show(tap, b"abc", b"xyz", b"b", "é".encode(), b"\xff\x00", b"zb")
    assert [sample.data for sample in await seen(tap)] == shown
    assert tap.left_out == 0


@pytest.mark.parametrize("kind", ["records", "lines"])
async def test_at_most_so_many_a_second_are_shown_and_the_rest_is_counted(kind: TapKind) -> None:
    clock = Clock()
    tap = Tap(kind=kind, max_per_sec=10, clock=clock)
    show(tap, *([b"x"] * 100))
    show(tap, *([b"y"] * 100))
    clock.secs += 0.5
    show(tap, *([b"z"] * 100))

    left = [(sample.data.strip(b"<>"), sample.left_out) for sample in await seen(tap)]

    assert left == [(b"x", 0)] * 10 + [(b"z", 190)] * 5
    assert tap.left_out == 285


async def test_an_allowance_is_not_saved_up() -> None:
    clock = Clock()
    tap = Tap(max_per_sec=10, clock=clock)
    clock.secs += 3600
    show(tap, *([b"x"] * 100))
    assert len(await seen(tap)) == 10


async def test_a_viewer_that_does_not_look_costs_a_bounded_queue() -> None:
    tap = Tap(max_per_sec=10_000)
    for _ in range(10):
        show(tap, *([b"x"] * 100))
    assert len(await seen(tap)) == 256
    assert tap.left_out == 1000 - 256


@pytest.mark.parametrize("kind", ["records", "lines"])
async def test_a_huge_record_is_cut_and_its_length_reported(kind: TapKind) -> None:
    tap = Tap(kind=kind)
    tap.show("mcas", b"x" * 1_000_000 + b"\n", [b"x" * 1_000_000])
    assert await seen(tap) == [Seen("mcas", b"x" * 16_384, 1_000_000, 0)]


async def test_a_viewer_waits_for_what_comes_and_for_the_end() -> None:
    tap = Tap()
    waiting = asyncio.ensure_future(anext(tap))
    await asyncio.sleep(0)
    assert not waiting.done()
    show(tap, b"one")
    assert await waiting == Seen("mcas", b"<one>", 5, 0)
    ending = asyncio.ensure_future(anext(tap))
    await asyncio.sleep(0)
    tap.close()
    with pytest.raises(StopAsyncIteration):
        await ending


@pytest.mark.parametrize("text", ["", "no record has this"])
async def test_the_stream_does_not_feel_it(text: str) -> None:
    record = b"x" * 1023
    data, lines = (record + b"\n") * 128, [record] * 128
    tap = Tap(kind="records", text=text)
    tap.show("mcas", data, lines)
    began = time.process_time()
    for _ in range(200):
        tap.show("mcas", data, lines)
    secs_a_record = (time.process_time() - began) / (200 * 128)
    # A record costs some microseconds on its way; this is ample for a busy machine.
    assert secs_a_record < 1e-6
