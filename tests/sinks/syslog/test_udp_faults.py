"""What happens to collectors, one sentence each: refusals, restarts, failover, names that move."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from formats.lines import Lines
from nss.sinks import Delivered, RetryAfter
from nss.sinks.syslog.udp import SyslogUdpSink
from nss.telemetry.events import counters
from tests.parts import udp_sink
from tests.sinks.syslog.scripted import Faults, Interrupted

if TYPE_CHECKING:
    from tests.sinks.conftest import Clock, Collector

NewCollector = Callable[[], "Collector"]
LINES = [b"line %d" % number for number in range(30)]
KEYS = range(30)


def sink_to(*collectors: "Collector", **options: Any) -> SyslogUdpSink:  # noqa: ANN401
    usual: dict[str, Any] = {"jitter": lambda: 0.0, "probe_secs": 0}
    return udp_sink([collector.address for collector in collectors], **usual | options)


def refusal(collector: "Collector") -> str:
    host, port = collector.address
    return f"nothing listens at {host}:{port} (connection refused)"


@pytest.mark.parametrize("source_ports", [1, 4])
async def test_nothing_is_lost_while_the_port_is_closed(
    source_ports: int, collector: "Collector"
) -> None:
    collector.stop()
    sink = sink_to(collector, source_ports=source_ports)
    outcomes = [await sink.send(Lines.of(LINES), KEYS) for _ in range(3)]
    assert outcomes == [RetryAfter(0, secs, refusal(collector)) for secs in (0.25, 0.5, 1.0)]
    assert (sink.last_error, sink.destination) == (
        refusal(collector),
        "{}:{}".format(*collector.address),
    )
    collector.start()
    back = await sink.send(Lines.of(LINES), KEYS)
    await sink.close()
    assert (back, collector.received(), sink.last_error) == (Delivered(), LINES, None)


async def test_a_single_line_that_is_refused_is_not_delivered(collector: "Collector") -> None:
    collector.stop()
    sink = sink_to(collector)
    outcome = await sink.send(Lines.of([b"the only one"]))
    await sink.close()
    assert outcome == RetryAfter(0, 0.25, refusal(collector))


async def test_the_last_line_of_a_burst_that_is_refused_is_not_delivered(
    collector: "Collector",
) -> None:
    sink = sink_to(collector, send_run=Interrupted({30: collector.stop}))
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert outcome == RetryAfter(29, 0.25, refusal(collector))


@pytest.mark.parametrize("source_ports", [1, 4])
async def test_a_collector_that_restarts_within_a_burst_misses_nothing(
    source_ports: int, collector: "Collector"
) -> None:
    before: list[bytes] = []

    def stop() -> None:
        before.extend(collector.received())
        collector.stop()

    moments: dict[int, Callable[[], None]] = {11: stop}
    sink = sink_to(collector, send_run=Interrupted(moments), source_ports=source_ports)
    outcome = await sink.send(Lines.of(LINES), KEYS)
    collector.start()
    assert outcome == RetryAfter(10, 0.25, refusal(collector))
    rest = await sink.send(Lines.of(LINES[10:]), KEYS[10:])
    await sink.close()
    assert (rest, before, collector.received()) == (Delivered(), LINES[:10], LINES[10:])


async def test_a_collector_that_is_back_at_once_misses_nothing(collector: "Collector") -> None:
    before: list[bytes] = []

    def stop() -> None:
        before.extend(collector.received())
        collector.stop()

    sink = sink_to(collector, send_run=Interrupted({11: stop, 12: collector.start}))
    outcome = await sink.send(Lines.of(LINES))
    assert isinstance(outcome, RetryAfter)
    rest = await sink.send(Lines.of(LINES[outcome.sent :]))
    await sink.close()
    assert (rest, before + collector.received()) == (Delivered(), LINES)


async def test_a_destination_that_refuses_gets_one_message_at_a_time(
    collector: "Collector",
) -> None:
    collector.stop()
    runs = Interrupted({})
    sink = sink_to(collector, send_run=runs)
    attempts = []
    for _ in range(4):
        await sink.send(Lines.of(LINES))
        attempts.append(runs.calls)
        runs.calls = 0
    await sink.close()
    assert attempts == [2, 1, 1, 1]


async def test_a_refusal_that_comes_late_stops_the_send_after_one_message(
    collector: "Collector",
) -> None:
    """A refusal from afar arrives while the loop runs; here the port opens again meanwhile."""
    sink = sink_to(collector)
    await sink.send(Lines.of(LINES[:1]))
    collector.stop()
    assert sink._path is not None
    sink._path._sockets[0].send(b"refused after it counted as handed over")
    # Nothing reports it that could be awaited.
    while not any(stream._excq.qsize() for stream in sink._path._streams):  # noqa: ASYNC110 - see above
        await asyncio.sleep(0)
    collector.start()
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (outcome, collector.received(), counters["sink_refused_late", "feed"]) == (
        Delivered(),
        LINES,
        1,
    )


async def test_a_probe_waits_for_the_answer(collector: "Collector") -> None:
    """The probe's refusal is hidden from the send, as when it takes a while on the network."""
    collector.stop()
    sink = sink_to(collector, probe_secs=2.0)
    await sink.send(Lines.of(LINES))
    collector.start()
    waiting = asyncio.create_task(sink.send(Lines.of(LINES[:1])))
    await asyncio.sleep(0.02)
    collector.stop()
    assert sink._path is not None
    sink._path._sockets[0].send(b"draws the refusal")
    outcome = await waiting
    await sink.close()
    assert outcome == RetryAfter(0, 0.5, refusal(collector))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EPERM, "this machine does not permit sending to {} (operation not permitted)"),
        (errno.ENETDOWN, "nothing gets to {} (network is down)"),
        (errno.EINVAL, "nothing gets to {} (invalid argument)"),
    ],
)
async def test_a_fault_of_this_machine_sends_no_line_twice(
    number: int, reason: str, collector: "Collector"
) -> None:
    sink = sink_to(collector, send_run=Faults({6: number}))
    outcome = await sink.send(Lines.of(LINES))
    host, port = collector.address
    assert outcome == RetryAfter(
        5,
        0.25,
        reason.format(f"{host}:{port}"),
    )
    rest = await sink.send(Lines.of(LINES[5:]))
    await sink.close()
    assert (rest, collector.received()) == (Delivered(), LINES)


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
async def test_an_unreachable_host_costs_at_most_one_duplicate(
    number: int, collector: "Collector"
) -> None:
    sink = sink_to(collector, send_run=Faults({6: number}))
    outcome = await sink.send(Lines.of(LINES))
    assert isinstance(outcome, RetryAfter)
    rest = await sink.send(Lines.of(LINES[outcome.sent :]))
    await sink.close()
    assert (rest, collector.received()) == (Delivered(), LINES[:5] + LINES[4:])


async def test_the_next_destination_takes_over_at_once(new_collector: NewCollector) -> None:
    first, second = new_collector(), new_collector()
    first.stop()
    sink = sink_to(first, second)
    outcome = await sink.send(Lines.of(LINES))
    destination = sink.destination
    await sink.close()
    assert (outcome, second.received()) == (Delivered(), LINES)
    assert destination == "{}:{}".format(*second.address)
    assert counters["sink_failovers", "feed"] == 1


async def test_a_takeover_within_a_burst_neither_loses_nor_repeats(
    new_collector: NewCollector,
) -> None:
    first, second = new_collector(), new_collector()
    before: list[bytes] = []

    def stop() -> None:
        before.extend(first.received())
        first.stop()

    sink = sink_to(first, second, send_run=Interrupted({11: stop}))
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (outcome, before, second.received()) == (Delivered(), LINES[:10], LINES[10:])


async def test_lines_wait_when_every_destination_refuses(new_collector: NewCollector) -> None:
    first, second = new_collector(), new_collector()
    first.stop()
    second.stop()
    sink = sink_to(first, second)
    away = await sink.send(Lines.of(LINES))
    second.start()
    back = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (away, back) == (
        RetryAfter(0, 0.25, f"{refusal(first)}; {refusal(second)}"),
        Delivered(),
    )
    assert second.received() == LINES


async def test_sending_returns_to_the_first_destination_when_it_is_back(
    new_collector: NewCollector, clock: "Clock"
) -> None:
    first, second = new_collector(), new_collector()
    first.stop()
    sink = sink_to(first, second, clock=clock)
    outcomes = [await sink.send(Lines.of(LINES[:10]))]
    clock.secs += 60
    outcomes.append(
        await sink.send(Lines.of(LINES[10:20]))
    )  # the first is probed and refuses still
    first.start()
    clock.secs += 59
    outcomes.append(await sink.send(Lines.of(LINES[20:25])))
    clock.secs += 1
    outcomes.append(await sink.send(Lines.of(LINES[25:])))
    await sink.close()
    assert outcomes == [Delivered()] * 4
    assert (second.received(), first.received()) == (LINES[:25], LINES[25:])
    assert counters["sink_recoveries", "feed"] == 1


async def test_a_name_that_moves_is_followed(
    new_collector: Callable[..., "Collector"], clock: "Clock"
) -> None:
    old = new_collector("127.0.0.1")
    new = new_collector("127.0.0.2")
    new.stop()
    new.address = ("127.0.0.2", old.address[1])
    new.start()
    addresses = ["127.0.0.1"]

    async def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        return list(addresses)

    sink = udp_sink([("siem", old.address[1])], resolve=resolve, clock=clock)
    await sink.send(Lines.of(LINES[:10]))
    addresses[:] = ["127.0.0.2"]
    clock.secs += 300
    await sink.send(Lines.of(LINES[10:20]))  # the lookup runs beside this send
    await asyncio.sleep(0)
    await sink.send(Lines.of(LINES[20:]))
    destination = sink.destination
    await sink.close()
    assert (old.received(), new.received()) == (LINES[:20], LINES[20:])
    assert destination == f"siem:{old.address[1]} at 127.0.0.2"
    assert counters["sink_address_changes", "feed"] == 1


async def test_every_address_of_a_name_is_tried(collector: "Collector") -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        return ["::1", "127.0.0.1"]

    sink = udp_sink([("siem", collector.address[1])], resolve=resolve)
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (outcome, collector.received()) == (Delivered(), LINES)


async def test_a_name_nobody_knows_waits() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    sink = udp_sink([("siem", 514)], resolve=resolve, jitter=lambda: 0.0)
    await sink.open()
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    reason = "DNS does not know the collector's name siem (name or service not known)"
    assert (outcome, sink.last_error, sink.destination) == (
        RetryAfter(0, 0.25, reason),
        reason,
        "siem:514",
    )


@pytest.mark.filterwarnings(
    # uvloop leaves it to the garbage collector to close a socket that could not connect.
    "ignore:.*UVHandle.__dealloc__:pytest.PytestUnraisableExceptionWarning"
)
async def test_an_address_without_a_route_is_unreachable() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        return ["255.255.255.255"]  # connecting to it needs a permission the socket lacks

    sink = udp_sink([("siem", 514)], resolve=resolve, jitter=lambda: 0.0)
    await sink.open()
    reason = "this machine does not permit sending to siem:514 (255.255.255.255: permission denied)"
    assert sink.last_error == reason
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert outcome == RetryAfter(0, 0.25, reason)
