"""Syslog over UDP: framing, sizes, buffers and source ports."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from formats.lines import Lines
from formats.order import order_key
from nss.sinks import Delivered, Rejected, RetryAfter, TooLong
from nss.sinks.syslog.udp import SyslogUdpSink
from nss.sinks.syslog.wire import SendRun, active
from nss.telemetry.events import counters
from tests.parts import udp_sink
from tests.sinks.syslog.scripted import Faults

if TYPE_CHECKING:
    from tests.sinks.conftest import Collector

NewSink = Callable[..., SyslogUdpSink]
Happened = Callable[[], list[tuple[str, dict[str, Any]]]]
LINES = [b"line %d" % number for number in range(20)]


@pytest_asyncio.fixture
async def new_sink(collector: "Collector") -> AsyncIterator[NewSink]:
    made: list[SyslogUdpSink] = []

    def make(**options: Any) -> SyslogUdpSink:  # noqa: ANN401 - the sink's own
        made.append(udp_sink([collector.address], **options))
        return made[-1]

    yield make
    for sink in made:
        await sink.close()


def limited_to(max_bytes: int) -> SendRun:
    """Return a run that refuses longer messages as a path with a small MTU does."""

    def send_run(
        lines: Lines, header: bytes, descriptors: Sequence[int], ports: bytes | None
    ) -> tuple[int, int]:
        sizes = [len(header + line) for line in lines]
        count = next((n for n, size in enumerate(sizes) if size > max_bytes), len(lines))
        sent, error = active().send_run(lines[:count], header, descriptors, ports)
        return sent, error or (errno.EMSGSIZE if count < len(lines) else 0)

    return send_run


async def test_a_datagram_is_the_line_and_nothing_else(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink()
    assert (
        await sink.send(Lines.of([b"LEEF:1.0|Zscaler|"])),
        collector.received(),
        sink.max_line_bytes,
    ) == (
        Delivered(),
        [b"LEEF:1.0|Zscaler|"],
        8192,
    )


async def test_pri_stands_directly_before_the_line(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(pri=14, max_message_bytes=1000)
    await sink.send(Lines.of([b"LEEF:1.0|Zscaler|"]))
    assert (collector.received(), sink.max_line_bytes) == ([b"<14>LEEF:1.0|Zscaler|"], 996)


async def test_the_rfc_5424_header_is_exact_and_in_utc(
    new_sink: NewSink, collector: "Collector"
) -> None:
    berlin = timezone(timedelta(hours=2))
    times = iter([datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 1, 1, 2, 3, 4567, berlin)])
    sink = new_sink(
        rfc5424=True,
        pri=165,
        hostname="nss 1.example.com\n",
        app_name="äpp",
        max_message_bytes=1000,
        now=lambda: next(times),
    )
    await sink.send(Lines.of([b"LEEF:1.0|Zscaler|", b"second"]))
    header = b"<165>1 2026-06-30T23:02:03.004Z nss_1.example.com_ _pp - - - "
    assert (collector.received(), sink.max_line_bytes) == (
        [header + b"LEEF:1.0|Zscaler|", header + b"second"],
        1000 - len(header),
    )


async def test_rfc_5424_has_a_priority_and_may_have_a_nil_host(
    new_sink: NewSink, collector: "Collector"
) -> None:
    stamp = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await new_sink(rfc5424=True, hostname="-", now=lambda: stamp).send(Lines.of([b"x"]))
    assert collector.received() == [b"<134>1 2026-01-02T03:04:05.000Z - zscaler-nss - - - x"]


async def test_rfc_5424_has_the_name_of_the_machine_by_default(
    new_sink: NewSink, collector: "Collector"
) -> None:
    stamp = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await new_sink(rfc5424=True, now=lambda: stamp).send(Lines.of([b"x"]))
    host = socket.gethostname().encode()
    assert collector.received() == [
        b"<134>1 2026-01-02T03:04:05.000Z %b zscaler-nss - - - x" % host
    ]


async def test_a_line_no_datagram_can_hold_lowers_the_limit_and_keeps_the_socket(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(pri=13, max_message_bytes=100_000)
    outcome = await sink.send(Lines.of([b"before", b"x" * 65_504, b"after"]))
    rest = await sink.send(Lines.of([b"y" * 65_503, b"after"]))
    messages = collector.received()
    assert (outcome, rest, sink.max_line_bytes) == (TooLong(1, 65_503), Delivered(), 65_503)
    assert messages == [b"<13>before", b"<13>" + b"y" * 65_503, b"<13>after"]
    assert len(set(collector.senders)) == 1


async def test_a_line_no_ipv6_datagram_can_hold_lowers_the_limit(
    new_collector: Callable[[str], "Collector"],
) -> None:
    sink = udp_sink([new_collector("::1").address], max_message_bytes=100_000)
    outcome = await sink.send(Lines.of([b"x" * 65_528]))
    await sink.close()
    assert outcome == TooLong(0, 65_527)


async def test_a_path_that_must_not_fragment_has_the_limit_of_its_mtu(
    new_collector: Callable[[str], "Collector"],
) -> None:
    ipv6_mtu_discover, pmtudisc_do, loopback_mtu = 23, 2, 65_536

    collector = new_collector("::1")
    sink = udp_sink([collector.address], max_message_bytes=100_000)
    await sink.open()
    assert sink._path is not None
    (used,) = sink._path._sockets
    used.setsockopt(socket.IPPROTO_IPV6, ipv6_mtu_discover, pmtudisc_do)
    limit = loopback_mtu - 48
    outcomes = [
        await sink.send(Lines.of([b"x" * (limit + 1)])),
        await sink.send(Lines.of([b"x" * limit])),
    ]
    await sink.close()
    assert outcomes == [TooLong(0, limit), Delivered()]


async def test_a_size_error_that_nothing_explains_halves_the_line(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(send_run=limited_to(1400))
    outcomes = [await sink.send(Lines.of([b"x" * size])) for size in (4000, 2000, 1000)]
    assert (outcomes, collector.received()) == (
        [TooLong(0, 2000), TooLong(0, 1000), Delivered()],
        [b"x" * 1000],
    )


async def test_the_longest_datagram_that_is_refused_nevertheless_gets_a_second_chance(
    new_sink: NewSink, happened: Happened, collector: "Collector"
) -> None:
    longest = 65_507
    faults = Faults({1: errno.EMSGSIZE, 2: errno.EMSGSIZE})
    sink = new_sink(send_run=faults, max_message_bytes=longest)
    outcome = await sink.send(Lines.of([b"x" * longest]))
    half = longest // 2
    assert (outcome, faults.calls) == (TooLong(0, half), 2)
    facts = {"destination": "{}:{}".format(*collector.address)}
    assert happened() == [
        ("sink_line_too_long", facts | {"line_bytes": longest, "max_bytes": half})
    ]


async def test_a_size_error_about_an_earlier_datagram_sends_that_one_again(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(send_run=Faults({4: errno.EMSGSIZE}))
    outcome = await sink.send(Lines.of(LINES[:5]))
    assert (outcome, collector.received(), sink.max_line_bytes) == (
        Delivered(),
        [LINES[0], LINES[1], LINES[2], LINES[2], LINES[3], LINES[4]],
        8192,
    )


async def test_a_short_line_that_is_too_long_for_the_path_is_rejected(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(send_run=limited_to(400))
    outcome = await sink.send(Lines.of([b"before", b"x" * 480, b"after"]))
    host, port = collector.address
    assert outcome == Rejected(
        1, f"a message of 480 bytes is too long for the path ({host}:{port})"
    )


@pytest.mark.parametrize("full", [errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM])
@pytest.mark.parametrize("source_ports", [1, 3])
async def test_full_send_buffers_are_waited_for_and_lose_nothing(
    full: int, source_ports: int, new_sink: NewSink, collector: "Collector"
) -> None:
    script = dict.fromkeys([1, 2, 9, 15, 16, 17, 26], full)
    sink = new_sink(send_run=Faults(script), source_ports=source_ports)
    outcome = await sink.send(Lines.of(LINES), range(20))
    assert (outcome, collector.received(), counters["sink_waits", "feed"]) == (
        Delivered(),
        LINES,
        7,
    )


async def test_a_send_buffer_that_stays_full_gives_the_lines_back(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(
        send_run=Faults(dict.fromkeys(range(6, 100), errno.EAGAIN)),
        stall_secs=0.03,
        jitter=lambda: 0.0,
    )
    outcome = await sink.send(Lines.of(LINES))
    host, port = collector.address
    reason = (
        f"this machine does not get rid of what is sent to {host}:{port}: the send buffers are full"
    )
    assert (outcome, sink.last_error) == (RetryAfter(5, 0.25, reason), reason)
    assert collector.received() == LINES[:5]


async def test_a_send_buffer_is_waited_for_until_the_time_is_over(
    new_sink: NewSink, happened: Happened, collector: "Collector"
) -> None:
    faults = Faults(dict.fromkeys(range(1, 100), errno.EAGAIN))
    outcome = await new_sink(send_run=faults, stall_secs=0.001).send(Lines.of(LINES))
    assert isinstance(outcome, RetryAfter)
    facts = {"destination": "{}:{}".format(*collector.address)}
    assert happened()[0] == ("sink_waited", facts | {"why": "the send buffers are full"})
    assert faults.calls == 2


async def test_the_kernel_reports_all_errors_while_a_burst_runs_and_only_then(
    new_sink: NewSink,
) -> None:
    found: list[int] = []

    def reporting(sender: socket.socket) -> int:
        return sender.getsockopt(socket.IPPROTO_IP, 11)  # IP_RECVERR

    def send_run(
        lines: Lines, header: bytes, descriptors: Sequence[int], ports: bytes | None
    ) -> tuple[int, int]:
        assert sink._path is not None
        found.extend(map(reporting, sink._path._sockets))
        return active().send_run(lines, header, descriptors, ports)

    sink = new_sink(send_run=send_run, source_ports=2)
    assert await sink.send(Lines.of(LINES[:4]), [4, 5, 6, 7]) == Delivered()
    assert sink._path is not None
    assert (found, [reporting(each) for each in sink._path._sockets]) == ([1, 1], [0, 0])


async def test_the_smallest_send_buffer_loses_nothing(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(sndbuf_bytes=1)
    lines = [b"%06d" % number + b"x" * 900 for number in range(1000)]
    received: list[bytes] = []
    for start in range(0, 1000, 50):
        assert await sink.send(Lines.of(lines[start : start + 50])) == Delivered()
        received += collector.received()
    assert received == lines


async def test_one_users_lines_leave_through_one_port_in_order(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(source_ports=4)
    keys = [order_key(f"user{number % 9}") for number in range(90)]
    lines = [f"{key} {number}".encode() for number, key in enumerate(keys)]
    outcome = await sink.send(Lines.of(lines), keys)
    received = collector.received()
    port_of_key: dict[bytes, set[int]] = {}
    for line, port in zip(received, collector.senders, strict=True):
        port_of_key.setdefault(line.split()[0], set()).add(port)
    assert (outcome, received, sink.wants_keys) == (Delivered(), lines, True)
    assert {len(ports) for ports in port_of_key.values()} == {1}
    assert 2 <= len(set(collector.senders)) <= 4


async def test_keys_find_the_same_port_in_every_send(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(source_ports=3)
    ports: list[int] = []
    for _ in range(3):
        await sink.send(Lines.of([b"x"]), [order_key("walter")])
        collector.received()
        ports += collector.senders
    assert len(set(ports)) == 1


async def test_the_pace_holds_in_real_time(new_sink: NewSink, collector: "Collector") -> None:
    sink = new_sink(max_messages_per_sec=400)
    loop = asyncio.get_running_loop()
    start = loop.time()
    outcome = await sink.send(Lines.of([b"x"] * 100))
    took_secs = loop.time() - start
    assert (outcome, len(collector.received())) == (Delivered(), 100)
    assert took_secs >= 0.9 * 100 / 400 - 0.01


async def test_cancelling_a_send_leaves_the_sink_usable(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink(max_messages_per_sec=50)
    sending = asyncio.create_task(sink.send(Lines.of(LINES)))
    begun: list[bytes] = []
    while not begun:
        await asyncio.sleep(0)
        begun = collector.received()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert begun == LINES[: len(begun)]
    assert (await sink.send(Lines.of([b"after"])), collector.received()[-1:]) == (
        Delivered(),
        [b"after"],
    )


async def test_cancelling_while_connecting_leaves_no_socket_behind(new_sink: NewSink) -> None:
    sink = new_sink(source_ports=4)
    opening = asyncio.create_task(sink.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await sink.send(Lines.of(LINES[:1])) == Delivered()


async def test_answers_of_a_collector_are_dropped(
    new_sink: NewSink, collector: "Collector"
) -> None:
    sink = new_sink()
    await sink.send(Lines.of([b"first"]))
    collector.received()
    for _ in range(50):
        collector.answer(b"what do you want?")
        await asyncio.sleep(0)
    assert (await sink.send(Lines.of([b"second"])), collector.received()) == (
        Delivered(),
        [b"second"],
    )
    assert sink._path is not None
    (stream,) = sink._path._streams
    # It never empties without a reader; nothing reports it that could be awaited.
    while stream._recvq.qsize():  # noqa: ASYNC110 - see above
        await asyncio.sleep(0)


async def test_a_long_send_lets_others_run(new_sink: NewSink, collector: "Collector") -> None:
    sink = new_sink()
    await sink.open()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            collector.received()
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    outcome = await sink.send(Lines.of([b"x"] * 5000))
    counting.cancel()
    assert (outcome, turns >= 4) == (Delivered(), True)
