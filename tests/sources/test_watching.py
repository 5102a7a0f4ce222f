"""A tap at a source: what it samples, what it leaves out, and that it takes a share of the time."""

from dataclasses import dataclass

import pytest

from nss.sources.watching import MAX_SECS, TIME_SHARE, MessageTap, SeenMessage
from tests.admin.conftest import Clock


@dataclass
class Message:
    """A message that takes its time to be looked at."""

    text: bytes
    clock: Clock | None = None
    secs: float = 0.0
    looked_at: int = 0

    def holds(self, text: bytes) -> bool:
        self.looked_at += 1
        if self.clock is not None:
            self.clock.secs += self.secs
        return text in self.text

    def seen(self, source: str, left_out: int) -> SeenMessage:
        size = len(self.text)
        return SeenMessage(source, "web", 0, 1, None, None, 0, (), 0, self.text, size, left_out)


async def seen(tap: MessageTap) -> list[tuple[bytes | None, int]]:
    """Return the values of all that waits and what had been left out, and end the tap."""
    tap.close()
    return [(message.value, message.left_out) async for message in tap]


async def test_messages_of_its_source_that_contain_a_text_are_shown() -> None:
    tap = MessageTap("in", "b\n")
    assert (tap.watches("in"), tap.watches("other")) == (True, False)
    tap.show("other", [Message(b"b\n of another")], 5)
    tap.show("in", [Message(b"ab\nc"), Message(b"xyz"), Message(b"b\n")], 0)
    assert await seen(tap) == [(b"ab\nc", 0), (b"b\n", 0)]
    assert tap.left_out == 0


async def test_messages_beyond_the_allowance_are_counted_and_not_looked_at() -> None:
    clock = Clock()
    tap = MessageTap("in", max_per_sec=10, clock=clock)
    many = [Message(b"x") for _ in range(25)]
    tap.show("in", many, 3)
    clock.secs += 0.5
    tap.show("in", [Message(b"y")] * 7, 100)
    assert await seen(tap) == [(b"x", 3)] * 10 + [(b"y", 118)] * 5
    assert tap.left_out == 120
    assert sum(message.looked_at for message in many) == 10


@pytest.mark.parametrize("text", ["", "not in there"])
async def test_what_takes_long_to_look_at_has_a_share_of_the_time(text: str) -> None:
    clock = Clock()
    tap = MessageTap("in", text, max_per_sec=10_000, clock=clock)
    began, busy, steps = clock.secs, 0.0, 200
    for _ in range(steps):
        before = clock.secs
        tap.show("in", [Message(b"x", clock, 0.002) for _ in range(100)], 0)
        busy += clock.secs - before
        clock.secs += 0.05
    share = busy / (clock.secs - began)
    assert share <= TIME_SHARE + (MAX_SECS + 0.002) / (clock.secs - began)
    shown = len(await seen(tap))
    assert tap.left_out + (shown or round(busy / 0.002)) == steps * 100


async def test_a_single_message_that_takes_for_ever_is_made_up_for() -> None:
    clock = Clock()
    tap = MessageTap("in", clock=clock)
    tap.show("in", [Message(b"slow", clock, 1.0)], 0)
    clock.secs += 10
    tap.show("in", [Message(b"left out", clock, 1.0)], 0)
    clock.secs += 10
    tap.show("in", [Message(b"shown")], 0)
    assert await seen(tap) == [(b"slow", 0), (b"shown", 1)]


async def test_a_viewer_that_does_not_look_costs_a_bounded_queue() -> None:
    tap = MessageTap("in", max_per_sec=10_000, clock=Clock())
    for _ in range(10):
        tap.show("in", [Message(b"x")] * 100, 0)
    assert len(await seen(tap)) == 256
    assert tap.left_out == 1000 - 256
