"""The sockets of a UDP destination: when they are kept, when they are new, how they are used."""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from formats.lines import Lines
from nss.sinks import Delivered, RetryAfter
from tests.parts import udp_sink
from tests.sinks.syslog.scripted import Faults

if TYPE_CHECKING:
    from tests.sinks.conftest import Collector

Happened = Callable[[], list[tuple[str, dict[str, Any]]]]
LINES = [b"line %d" % number for number in range(30)]


async def test_a_refusal_keeps_the_socket_and_another_error_makes_a_new_one(
    collector: "Collector",
) -> None:
    sink = udp_sink([collector.address], send_run=Faults({1: errno.EHOSTUNREACH}), probe_secs=0)
    assert isinstance(await sink.send(Lines.of(LINES[:1])), RetryAfter)
    assert sink._path is None
    assert await sink.send(Lines.of(LINES[:1])) == Delivered()
    path = sink._path
    collector.stop()
    assert isinstance(await sink.send(Lines.of(LINES)), RetryAfter)
    assert sink._path is path
    await sink.close()


async def test_two_source_ports_are_two(collector: "Collector") -> None:
    sink = udp_sink([collector.address], source_ports=2)
    await sink.send(Lines.of(LINES), range(30))
    await sink.close()
    assert sorted(collector.received()) == sorted(LINES)
    assert len(set(collector.senders)) == 2


async def test_sockets_never_wait_and_have_the_buffer_that_was_asked_for(
    collector: "Collector",
) -> None:
    sizes = []
    for sndbuf_bytes in (None, 10_000):
        sink = udp_sink([collector.address], sndbuf_bytes=sndbuf_bytes)
        await sink.send(Lines.of(LINES))
        assert sink._path is not None
        (used,) = sink._path._sockets
        assert used.gettimeout() == 0
        sizes.append(used.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        await sink.close()
    assert sizes[1] == 20_000 != sizes[0]  # the kernel doubles it (socket(7))


async def test_time_that_was_waited_is_forgotten_when_something_was_sent(
    collector: "Collector",
) -> None:
    script = dict.fromkeys([3, 5, 7], errno.EAGAIN)
    sink = udp_sink([collector.address], send_run=Faults(script), stall_secs=0.0015)
    assert await sink.send(Lines.of(LINES)) == Delivered()
    await sink.close()
    assert collector.received() == LINES


async def test_a_probe_that_could_not_be_sent_is_repeated_alone(collector: "Collector") -> None:
    collector.stop()
    # The first send draws a refusal, of which the second tells.
    faults = Faults({3: errno.EAGAIN})
    sink = udp_sink([collector.address], send_run=faults, probe_secs=0)
    await sink.send(Lines.of(LINES))
    assert faults.calls == 2
    assert isinstance(await sink.send(Lines.of(LINES)), RetryAfter)
    assert faults.calls == 4
    await sink.close()


async def test_after_one_probe_the_rest_is_sent_at_once(collector: "Collector") -> None:
    collector.stop()
    sink = udp_sink([collector.address], probe_secs=0.5)
    await sink.send(Lines.of(LINES))
    collector.start()
    assert (
        await asyncio.wait_for(sink.send(Lines.of(LINES)), 10) == Delivered()
    )  # and not half a second each
    await sink.close()
    assert collector.received() == LINES


@pytest.mark.parametrize("late", [errno.ECONNREFUSED, errno.EMSGSIZE])
async def test_an_error_that_comes_late_is_reported_and_a_refusal_makes_the_next_send_a_probe(
    collector: "Collector", happened: Happened, late: int
) -> None:
    faults = Faults({})
    sink = udp_sink([collector.address], send_run=faults, probe_secs=0)
    await sink.send(Lines.of(LINES[:1]))
    assert sink._path is not None
    sink._path._errors[0] = OSError(late, "scripted")
    collector.stop()
    faults.calls = 0
    assert isinstance(await sink.send(Lines.of(LINES)), RetryAfter)
    await sink.close()
    assert faults.calls == (1 if late == errno.ECONNREFUSED else 2)
    event, facts = happened()[0]
    assert (event, facts["destination"]) == (
        "sink_refused_late",
        "{}:{}".format(*collector.address),
    )
