"""What happens to TCP collectors, one sentence each: refusals, restarts, stalls, silence."""

import asyncio
import contextlib
import errno
import fcntl
import os
import resource
import socket
import ssl
import struct
import termios
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from formats.lines import Lines
from nss.sinks import Delivered, RetryAfter
from nss.sinks.syslog.destinations import Endpoint
from nss.sinks.syslog.tcp import SyslogTcpSink
from nss.sinks.syslog.tcp_connection import Connection, _watch_over
from nss.telemetry.events import counters
from tests.parts import tcp_sink

if TYPE_CHECKING:
    from tests.sinks.conftest import Clock, TcpCollector

NewCollector = Callable[..., "TcpCollector"]
SinkTo = Callable[..., SyslogTcpSink]
LINES = [b"line %d" % number for number in range(30)]
LONG_LINES = [b"%02d" % number + b"x" * 49_997 for number in range(20)]
"""With its LF each is 50,000 bytes, and two make a chunk."""


@pytest_asyncio.fixture
async def sink_to() -> AsyncIterator[SinkTo]:
    made: list[SyslogTcpSink] = []

    def make(*collectors: "TcpCollector", **options: Any) -> SyslogTcpSink:  # noqa: ANN401 - the sink's own
        usual: dict[str, Any] = {"jitter": lambda: 0.0, "finish_secs": 0.05}
        addresses = [collector.address for collector in collectors]
        made.append(tcp_sink(addresses, **usual | options))
        return made[-1]

    yield make
    for sink in made:
        await sink.close()


def place(collector: "TcpCollector") -> str:
    return "{}:{}".format(*collector.address)


async def arrived(collector: "TcpCollector", count: int) -> list[bytes]:
    """Return what a collector gets, once it is `count` messages."""
    messages: list[bytes] = []
    async with asyncio.timeout(40):
        while len(messages) < count:
            messages += collector.received()
            await asyncio.sleep(0.001)
    return messages


def unread_bytes(collector: "TcpCollector") -> int:
    collector._accept()
    (connection,) = collector.connections
    count: int
    (count,) = struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, bytes(4)))
    return count


async def stop_with_lines_on_their_way(sink: SyslogTcpSink, collector: "TcpCollector") -> int:
    """Have `LONG_LINES` handed over and the collector die; returns how many were whole there."""
    await sink.send(Lines.of(LINES))
    assert collector.received() == LINES
    outcome = await sink.send(Lines.of(LONG_LINES))
    whole = unread_bytes(collector) // 50_000
    collector.stop()
    assert outcome == Delivered()
    assert 0 < whole < 10
    return whole


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Have the system refuse this process any further socket or file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_a_free_descriptor_lines_wait_for_one(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector)

    with no_descriptor_left():
        outcome = await sink.send(Lines.of(LINES))

    reason = (
        f"no connection to {place(tcp_collector)}: NSS has too many files open "
        "(too many open files)"
    )
    assert isinstance(outcome, RetryAfter)
    assert (outcome.sent, outcome.reason) == (0, reason)
    assert sink.last_error == reason
    assert await sink.send(Lines.of(LINES)) == Delivered()
    assert await arrived(tcp_collector, len(LINES)) == LINES


async def test_nothing_is_lost_while_the_port_is_closed(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    tcp_collector.stop()
    sink = sink_to(tcp_collector)
    outcomes = [await sink.send(Lines.of(LINES)) for _ in range(3)]
    reason = f"nothing listens at {place(tcp_collector)} (connection refused)"
    assert outcomes == [RetryAfter(0, secs, reason) for secs in (0.25, 0.5, 1.0)]
    assert (sink.last_error, sink.destination) == (reason, place(tcp_collector))
    tcp_collector.start()
    back = await sink.send(Lines.of(LINES))
    assert (back, tcp_collector.received(), sink.last_error) == (Delivered(), LINES, None)


async def test_a_restart_between_sends_swallows_nothing(
    sink_to: SinkTo, tcp_collector: "TcpCollector", clock: "Clock"
) -> None:
    sink = sink_to(tcp_collector, clock=clock)
    received = []
    for start in range(0, 30, 10):
        assert await sink.send(Lines.of(LINES[start : start + 10])) == Delivered()
        received += tcp_collector.received()
        clock.secs += 1
        tcp_collector.stop()
        tcp_collector.start()
    assert (received, counters["sink_connections_lost", "feed"]) == (LINES, 2)
    assert counters["sink_resent", "feed"] == 0


async def test_a_collector_that_hangs_up_at_once_is_left_alone_for_longer_and_longer(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector)
    delays = []
    for _ in range(4):
        assert await sink.send(Lines.of(LINES)) == Delivered()
        tcp_collector.received()
        tcp_collector.hang_up()
        lost = await sink.send(Lines.of(LINES))
        assert isinstance(lost, RetryAfter)
        assert lost.reason == (
            f"the connection to the collector at {place(tcp_collector)} broke off "
            "(it closed the connection)"
        )
        delays.append(lost.delay_secs)
    assert delays == [0.25, 0.5, 1.0, 2.0]


async def test_lines_that_were_on_their_way_come_first_on_the_next_connection(
    sink_to: SinkTo, new_tcp_collector: NewCollector, clock: "Clock"
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=150_000)
    sink = sink_to(collector, clock=clock)
    whole = await stop_with_lines_on_their_way(sink, collector)
    collector.start()
    clock.secs += 1
    sending = asyncio.ensure_future(sink.send(Lines.of([b"new"])))
    received = await arrived(collector, 20 - whole + 1)
    resent = counters["sink_resent", "feed"]
    received += await arrived(collector, resent + 1 - len(received))
    assert (await sending, 20 - whole <= resent <= 20) == (Delivered(), True)
    assert received == [*LONG_LINES[20 - resent :], b"new"]


async def test_lines_that_were_on_their_way_do_not_wait_for_new_ones(
    sink_to: SinkTo, new_tcp_collector: NewCollector
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=150_000)
    sink = sink_to(collector)
    whole = await stop_with_lines_on_their_way(sink, collector)
    collector.start()
    received = await arrived(collector, 20 - whole)
    assert received[-(20 - whole) :] == LONG_LINES[whole:]


async def test_lines_that_were_on_their_way_go_out_before_the_sink_ends(
    sink_to: SinkTo, new_tcp_collector: NewCollector
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=150_000)
    sink = sink_to(collector, finish_secs=10)
    whole = await stop_with_lines_on_their_way(sink, collector)
    collector.start()
    closing = asyncio.ensure_future(sink.close())
    received = await arrived(collector, 20 - whole)
    while not closing.done():
        received += collector.received()
        await asyncio.sleep(0)
    assert received[-(20 - whole) :] == LONG_LINES[whole:]
    assert counters["sink_never_confirmed", "feed"] == 0


async def test_a_line_torn_by_the_end_of_a_connection_is_sent_whole_again(
    sink_to: SinkTo, new_tcp_collector: NewCollector, clock: "Clock"
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=150_000)
    sink = sink_to(collector, clock=clock)
    lines = [b"first", b"x" * (20 << 20), b"third"]
    await sink.open()
    clock.secs += 1
    sending = asyncio.ensure_future(sink.send(Lines.of(lines)))
    received: list[bytes] = []
    while not any(collector._rests.values()):
        received += collector.received()
        await asyncio.sleep(0)
    collector.hang_up()
    received += await arrived(collector, 2)
    assert (await sending, received == lines, [torn[:1] for torn in collector.torn]) == (
        Delivered(),
        True,
        [b"x"],
    )


async def test_a_collector_that_never_reads_is_given_up_and_the_next_takes_over(
    sink_to: SinkTo, new_tcp_collector: NewCollector
) -> None:
    first, second = new_tcp_collector(rcvbuf_bytes=150_000), new_tcp_collector()
    sink = sink_to(first, second, stall_secs=0.3)
    lines = LONG_LINES * 10
    sending = asyncio.ensure_future(sink.send(Lines.of(lines)))
    received: list[bytes] = []
    while not sending.done():
        received += second.received()
        await asyncio.sleep(0)
    received += second.received()
    whole = unread_bytes(first) // 50_000
    assert (sending.result(), sink.destination) == (Delivered(), place(second))
    assert received == lines[-len(received) :]
    assert len(lines) - whole <= len(received) <= len(lines) - whole + 2


async def test_lines_wait_for_a_collector_that_never_reads(
    sink_to: SinkTo, new_tcp_collector: NewCollector
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=150_000)
    sink = sink_to(collector, stall_secs=0.2)
    outcome = await sink.send(Lines.of(LONG_LINES * 10))
    assert isinstance(outcome, RetryAfter)
    assert outcome.delay_secs == 0.25
    assert outcome.reason in {
        f"the collector at {place(collector)} is connected and reads nothing "
        f"(it {what} nothing for 0.2 s)"
        for what in ("accepted", "confirmed")
    }
    assert 0 < outcome.sent < 200


async def test_the_next_destination_takes_over_at_once(
    sink_to: SinkTo, new_tcp_collector: NewCollector
) -> None:
    first, second = new_tcp_collector(), new_tcp_collector()
    first.stop()
    sink = sink_to(first, second)
    outcome = await sink.send(Lines.of(LINES))
    assert (outcome, second.received(), sink.destination) == (Delivered(), LINES, place(second))
    assert counters["sink_failovers", "feed"] == 1


async def test_sending_returns_to_the_first_destination_when_it_is_back(
    sink_to: SinkTo, new_tcp_collector: NewCollector, clock: "Clock"
) -> None:
    first, second = new_tcp_collector(), new_tcp_collector()
    first.stop()
    sink = sink_to(first, second, clock=clock)
    outcomes = [await sink.send(Lines.of(LINES[:10]))]
    clock.secs += 60
    outcomes.append(await sink.send(Lines.of(LINES[10:20])))  # the first refuses still
    first.start()
    clock.secs += 59
    outcomes.append(await sink.send(Lines.of(LINES[20:25])))
    clock.secs += 1
    outcomes.append(await sink.send(Lines.of(LINES[25:])))
    assert outcomes == [Delivered()] * 4
    assert (second.received(), second.connections) == (LINES[:25], [])
    assert (first.received(), counters["sink_resent", "feed"]) == (LINES[25:], 0)


async def test_every_address_of_a_name_is_tried(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        return ["::1", "127.0.0.1"]

    sink = sink_to(tcp_collector, resolve=resolve)
    assert (await sink.send(Lines.of(LINES)), tcp_collector.received()) == (Delivered(), LINES)


async def test_lines_wait_while_the_name_is_gone_and_go_when_it_is_back(
    sink_to: SinkTo, tcp_collector: "TcpCollector", clock: "Clock"
) -> None:
    there = False

    async def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001 - a Resolve
        if not there:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["127.0.0.1"]

    sink = sink_to(tcp_collector, resolve=resolve, clock=clock)
    outcomes = [await sink.send(Lines.of(LINES))]
    there = True
    outcomes.append(await sink.send(Lines.of(LINES)))
    there = False
    clock.secs += 300
    tcp_collector.hang_up()
    outcomes.append(await sink.send(Lines.of(LINES)))  # the address known before stays in use
    reason = "DNS does not know the collector's name 127.0.0.1 (name or service not known)"
    assert outcomes == [RetryAfter(0, 0.25, reason), Delivered(), Delivered()]
    assert tcp_collector.received() == LINES


@pytest.mark.parametrize(
    ("resend_max_bytes", "expected", "cut"), [(1 << 20, LINES[10:], 0), (100, LINES[20:], 20)]
)
async def test_the_last_seconds_are_sent_again_after_a_loss(
    resend_max_bytes: int,
    expected: list[bytes],
    cut: int,
    sink_to: SinkTo,
    tcp_collector: "TcpCollector",
    clock: "Clock",
) -> None:
    sink = sink_to(tcp_collector, clock=clock, resend_secs=5, resend_max_bytes=resend_max_bytes)
    for start in range(0, 30, 10):
        assert await sink.send(Lines.of(LINES[start : start + 10])) == Delivered()
        clock.secs += 2.4
    before = tcp_collector.received()
    tcp_collector.hang_up()
    outcome = await sink.send(Lines.of([b"new"]))
    assert (outcome, before, tcp_collector.received()) == (
        Delivered(),
        LINES,
        [*expected, b"new"],
    )
    assert counters["sink_resent", "feed"] == len(expected)
    assert counters["sink_resend_cut", "feed"] == cut


async def test_the_last_seconds_are_sent_again_though_no_new_lines_come(
    sink_to: SinkTo,
    tcp_collector: "TcpCollector",
    happened: Callable[[], list[tuple[str, dict[str, Any]]]],
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60)
    await sink.send(Lines.of(LINES))
    tcp_collector.received()
    for _ in range(2):
        tcp_collector.hang_up()
        assert await arrived(tcp_collector, 30) == LINES
    lost = {"destination": place(tcp_collector), "why": "it closed the connection", "lines": 30}
    resent = {"destination": place(tcp_collector), "lines": 30}
    reported = dict(happened())
    assert (reported["sink_connection_lost"], reported["sink_resent"]) == (lost, resent)


async def test_a_connection_lost_as_the_next_lines_come_is_restored_by_their_send_alone(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60)
    await sink.send(Lines.of(LINES))
    tcp_collector.received()
    tcp_collector.hang_up()
    await arrived(tcp_collector, 30)  # by a task of the sink
    tcp_collector.hang_up()  # which the event loop hears of while the send waits for that task

    while isinstance(await sink.send(Lines.of([b"next"])), RetryAfter):
        assert sink._restoring is None

    assert sink._restoring is None
    assert tcp_collector.received() == [*LINES, b"next"]


@pytest.fixture
def lost_when_written(monkeypatch: pytest.MonkeyPatch, tcp_collector: "TcpCollector") -> None:
    """Have the first write end when the collector has read it, and hung up."""
    write, is_first = Connection.write, [True]

    async def written(connection: Connection, data: bytes | memoryview) -> int:
        end = await write(connection, data)
        if is_first:
            is_first.clear()
            assert await arrived(tcp_collector, len(LINES)) == LINES
            tcp_collector.hang_up()
            while connection.error is None:  # noqa: ASYNC110 - nothing reports it
                await asyncio.sleep(0)
        return end

    monkeypatch.setattr(Connection, "write", written)


@pytest.mark.usefixtures("lost_when_written")
async def test_a_connection_lost_behind_the_last_line_of_a_send_is_restored(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60)
    assert await sink.send(Lines.of(LINES)) == Delivered()
    assert await arrived(tcp_collector, len(LINES)) == LINES


@pytest.mark.usefixtures("lost_when_written")
async def test_a_sink_that_ends_with_a_broken_connection_sends_the_last_seconds_again(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60, finish_secs=5)
    assert await sink.send(Lines.of(LINES)) == Delivered()
    arriving = asyncio.ensure_future(arrived(tcp_collector, len(LINES)))
    await sink.close()  # at once, before the task that restores has begun
    assert await arriving == LINES


async def test_an_idle_connection_that_was_closed_is_not_made_anew_without_need(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector)
    await sink.send(Lines.of(LINES))
    tcp_collector.received()
    tcp_collector.hang_up()
    connection = sink._connection
    assert connection is not None
    while connection.error is None:  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0)
    assert (sink._restoring, tcp_collector.received(), tcp_collector.connections) == (None, [], [])


async def test_a_connection_that_nobody_accepts_is_given_up(sink_to: SinkTo) -> None:
    class Full:
        """Its backlog is full: what connects gets no answer."""

        def __init__(self) -> None:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
            self.listener.listen(0)
            self.address = self.listener.getsockname()
            self.waiting = [socket.create_connection(self.address)]

    full = Full()
    sink = sink_to(full, connect_secs=0.1)
    outcome = await sink.send(Lines.of(LINES))
    host, port = full.address
    for each in (full.listener, *full.waiting):
        each.close()
    reason = f"{host}:{port} does not answer (no connection within 0.1 s)"
    assert outcome == RetryAfter(0, 0.25, reason)


async def test_a_peer_that_the_kernel_gave_up_is_said_to_have_confirmed_nothing(
    tcp_collector: "TcpCollector", clock: "Clock"
) -> None:
    host, port = tcp_collector.address
    endpoint = Endpoint(host, port, host)
    connection = Connection(endpoint, None, stall_secs=0.5, on_lost=lambda: None, clock=clock)
    await connection.open(5)
    connection._lose(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))
    with pytest.raises(TimeoutError, match=r"it confirmed nothing for 0\.5 s") as caught:
        connection.check()
    assert caught.value.errno == errno.ETIMEDOUT


async def test_a_connection_that_broke_has_ended(
    tcp_collector: "TcpCollector", clock: "Clock"
) -> None:
    host, port = tcp_collector.address
    endpoint = Endpoint(host, port, host)
    connection = Connection(endpoint, None, stall_secs=5, on_lost=lambda: None, clock=clock)
    await connection.open(5)
    connection._outgoing = memoryview(b"left")
    connection.error = ConnectionResetError()
    assert await connection.finish(5)


@pytest.mark.parametrize(("stall_secs", "probe_secs"), [(20, 5), (0.2, 1), (4, 1)])
def test_the_kernel_gives_up_on_a_peer_within_the_time(stall_secs: float, probe_secs: int) -> None:
    with socket.socket() as connected:
        _watch_over(connected, stall_secs)
        options = [
            socket.TCP_NODELAY,
            socket.TCP_USER_TIMEOUT,
            socket.TCP_KEEPIDLE,
            socket.TCP_KEEPINTVL,
            socket.TCP_KEEPCNT,
        ]
        found = [connected.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        assert found == [1, stall_secs * 1000, probe_secs, probe_secs, 3]
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_a_connection_that_ends_in_good_order_has_ended(
    tcp_collector: "TcpCollector", clock: "Clock"
) -> None:
    host, port = tcp_collector.address
    endpoint = Endpoint(host, port, host)
    connection = Connection(endpoint, None, stall_secs=5, on_lost=lambda: None, clock=clock)
    await connection.open(5)
    ending = asyncio.ensure_future(connection.finish(5))
    while not ending.done():
        tcp_collector.received()  # which also ends what the other side has ended
        await asyncio.sleep(0.001)
    assert ending.result()


async def test_errors_of_a_connection_have_their_numbers(
    tcp_collector: "TcpCollector", clock: "Clock"
) -> None:
    host, port = tcp_collector.address
    endpoint = Endpoint(host, port, host)
    connection = Connection(endpoint, None, stall_secs=5, on_lost=lambda: None, clock=clock)
    await connection.open(5)
    tcp_collector.received()
    tcp_collector.stop()
    await asyncio.wait_for(connection._gone.wait(), 5)
    with pytest.raises(ConnectionResetError, match="it closed the connection") as reset:
        connection.check()
    other = Connection(endpoint, None, stall_secs=5, on_lost=lambda: None, clock=clock)
    with pytest.raises(ConnectionRefusedError) as refused:
        await other.open(5)
    assert (reset.value.errno, refused.value.errno) == (errno.ECONNRESET, errno.ECONNREFUSED)


async def test_a_way_back_in_good_order_sends_nothing_again(
    sink_to: SinkTo, new_tcp_collector: NewCollector, clock: "Clock"
) -> None:
    first, second = new_tcp_collector(), new_tcp_collector()
    first.stop()
    sink = sink_to(first, second, clock=clock, resend_secs=600, finish_secs=5)
    assert await sink.send(Lines.of(LINES[:10])) == Delivered()
    assert second.received() == LINES[:10]
    first.start()
    clock.secs += 60
    sending = asyncio.ensure_future(sink.send(Lines.of(LINES[10:])))
    while not sending.done():
        second.received()  # which also ends what the other side has ended
        await asyncio.sleep(0.001)
    assert (sending.result(), first.received()) == (Delivered(), LINES[10:])
    assert counters["sink_resent", "feed"] == 0


async def test_what_a_lost_connection_owes_goes_out_before_the_sink_ends(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60, finish_secs=5)
    await sink.send(Lines.of(LINES))
    tcp_collector.received()
    tcp_collector.stop()
    assert isinstance(await sink.send(Lines.of([b"next"])), RetryAfter)
    tcp_collector.start()
    closing = asyncio.ensure_future(sink.close())
    received: list[bytes] = []
    while not closing.done():
        received += tcp_collector.received()
        await asyncio.sleep(0.001)
    assert received == LINES


async def test_a_sink_that_ends_as_it_hears_of_a_loss_sends_the_last_seconds_again(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60, finish_secs=5)
    await sink.send(Lines.of(LINES))
    assert tcp_collector.received() == LINES
    tcp_collector.hang_up()
    async with asyncio.timeout(40):
        while sink._restoring is None:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0)
    closing = asyncio.ensure_future(sink.close())
    received: list[bytes] = []
    while not closing.done():
        received += tcp_collector.received()
        await asyncio.sleep(0.001)
    assert received == LINES


async def test_a_send_interrupts_what_restores_and_is_not_interrupted_itself(
    sink_to: SinkTo, tcp_collector: "TcpCollector"
) -> None:
    sink = sink_to(tcp_collector, resend_secs=60, max_messages_per_sec=5)
    assert await sink.send(Lines.of(LINES[:1])) == Delivered()
    tcp_collector.received()
    tcp_collector.hang_up()
    async with asyncio.timeout(40):
        while sink._restoring is None:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0)
    received: list[bytes] = []
    while isinstance(await sink.send(Lines.of([b"next"])), RetryAfter):
        received += tcp_collector.received()
    received += tcp_collector.received()
    assert [line for line in received if line != LINES[0]] == [b"next"]
    assert LINES[0] in received


async def test_the_zone_of_an_address_is_no_part_of_the_name_that_is_verified(
    tcp_collector: "TcpCollector", sink_to: SinkTo
) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    sink = sink_to(tcp_collector, ssl_context=context)
    stream = sink._tls_to(Endpoint("fe80::1%eth0", 6514, "fe80::1%eth0"))
    assert stream is not None
    assert stream._tls.server_hostname == "fe80::1"
