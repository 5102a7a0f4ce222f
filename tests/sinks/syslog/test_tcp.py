"""Syslog over TCP: framing, sizes, chunks, pace, cancelled sends and orderly ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from formats.lines import Lines
from nss.sinks import Delivered, Rejected
from nss.sinks.syslog.tcp import CHUNK_BYTES, SyslogTcpSink
from nss.telemetry.events import counters
from tests.parts import tcp_sink

if TYPE_CHECKING:
    from tests.sinks.conftest import TcpCollector

NewSink = Callable[..., SyslogTcpSink]
NewCollector = Callable[..., "TcpCollector"]
LINES = [b"line %d" % number for number in range(20)]
STAMP = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)


@pytest_asyncio.fixture
async def new_sink() -> AsyncIterator[NewSink]:
    made: list[SyslogTcpSink] = []

    def make(collector: "TcpCollector", **options: Any) -> SyslogTcpSink:  # noqa: ANN401 - the sink's own
        usual: dict[str, Any] = {"finish_secs": 0.05}
        made.append(tcp_sink([collector.address], **usual | options))
        return made[-1]

    yield make
    for sink in made:
        await sink.close()


def wire(collector: "TcpCollector") -> bytes:
    """Return everything that has come on the only connection, unparsed."""
    collector._accept()
    (connection,) = collector.connections
    return connection.recv(1 << 20)


async def received_while(
    collector: "TcpCollector", sending: "asyncio.Future[Any]", count: int
) -> list[bytes]:
    """Read while a send is under way, until it is done and `count` messages are there."""
    received: list[bytes] = []
    async with asyncio.timeout(40):
        while not sending.done() or len(received) < count:
            received += collector.received()
            await asyncio.sleep(0)
    return received


async def test_each_line_is_ended_by_a_line_feed(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector)
    await sink.send(Lines.of([b"LEEF:1.0|Zscaler|", b"", b"second"]))
    assert (wire(tcp_collector), sink.max_line_bytes) == (
        b"LEEF:1.0|Zscaler|\n\nsecond\n",
        65_536,
    )


async def test_octet_counts_are_bytes_with_the_header_and_not_characters(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector, framing="octet", pri=14, max_message_bytes=1000)
    await sink.send(Lines.of(["url=例え.jp/✓".encode(), b"\n\r\0", b""]))
    assert (wire(tcp_collector), sink.max_line_bytes) == (
        b"21 <14>" + "url=例え.jp/✓".encode() + b"7 <14>\n\r\x004 <14>",
        996,
    )


async def test_the_header_stands_before_every_line(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector, rfc5424=True, hostname="nss1", now=lambda: STAMP)
    await sink.send(Lines.of([b"first", b"second"]))
    header = b"<134>1 2026-01-02T03:04:05.678Z nss1 zscaler-nss - - - "
    assert (wire(tcp_collector), sink.max_line_bytes) == (
        header + b"first\n" + header + b"second\n",
        65_536 - len(header),
    )


@pytest.mark.parametrize("byte", [b"\n", b"\r", b"\0"])
async def test_a_line_that_would_break_the_framing_is_rejected_and_those_before_it_sent(
    byte: bytes, new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector)
    lines = [b"first", b"sec" + byte + b"ond", b"third"]
    reason = "the line has a control character that ends a message (LF, CR, NUL)"
    outcomes = [await sink.send(Lines.of(lines)), await sink.send(Lines.of(lines[2:]))]
    assert (outcomes, wire(tcp_collector)) == (
        [Rejected(1, reason), Delivered()],
        b"first\nthird\n",
    )


async def test_an_empty_line_has_no_octet_count(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector, framing="octet")
    outcome = await sink.send(Lines.of([b"first", b"", b"third"]))
    assert (outcome, wire(tcp_collector)) == (
        Rejected(1, "an empty line can't be octet-counted"),
        b"5 first",
    )


@pytest.mark.parametrize("octet", [False, True])
async def test_more_than_buffers_hold_waits_for_the_collector(
    octet: bool,  # noqa: FBT001 - a parameter of the test
    new_sink: NewSink,
    new_tcp_collector: NewCollector,
) -> None:
    collector = new_tcp_collector(octet=octet, rcvbuf_bytes=65_536)
    lines = [b"%06d" % number + b"x" * (number % 3000) for number in range(6000)]
    lines[3000] = b"y" * (4 * CHUNK_BYTES)
    sink = new_sink(collector, framing="octet" if octet else "newline")
    sending = asyncio.ensure_future(sink.send(Lines.of(lines)))
    received = await received_while(collector, sending, len(lines))
    assert (sending.result(), received == lines) == (Delivered(), True)


@pytest.mark.parametrize(("part", "is_view"), [(16, True), (14, True), (13, False), (1, False)])
async def test_a_few_lines_that_are_kept_keep_no_large_buffer(
    new_sink: NewSink, tcp_collector: "TcpCollector", part: int, *, is_view: bool
) -> None:
    sink = new_sink(tcp_collector, resend_secs=100)
    lines = Lines.of([b"x" * 99] * 16)  # 14 of 16 are seven eighths
    assert await sink.send(lines[:part]) == Delivered()
    (chunk,) = [*sink._resend._confirmed, *sink._resend._unconfirmed]
    assert isinstance(chunk.data, memoryview) is is_view
    assert chunk.data == lines.buffer[: 100 * part]


async def test_chunks_are_whole_lines_of_a_bounded_size(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector, resend_secs=100)
    chunk = b"x" * CHUNK_BYTES
    long = [chunk[:-1], b"y", chunk, b"", chunk[:-2], b"w"]  # an LF follows each
    sending = asyncio.ensure_future(sink.send(Lines.of(long)))
    received = await received_while(tcp_collector, sending, len(long))
    chunks = [*sink._resend._confirmed, *sink._resend._unconfirmed]
    assert received == long
    assert [(len(chunk.data) - CHUNK_BYTES, chunk.lines) for chunk in chunks] == [
        (0, 1),
        (2 - CHUNK_BYTES, 1),
        (1, 1),
        (0, 2),
        (2 - CHUNK_BYTES, 1),
    ]


async def test_the_pace_holds_in_real_time(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector, max_messages_per_sec=400)
    loop = asyncio.get_running_loop()
    start = loop.time()
    outcome = await sink.send(Lines.of([b"x"] * 100))
    took_secs = loop.time() - start
    assert (outcome, len(tcp_collector.received())) == (Delivered(), 100)
    assert took_secs >= 0.9 * 100 / 400 - 0.01


async def test_a_cancelled_send_tears_no_line(
    new_sink: NewSink, new_tcp_collector: NewCollector
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=4096)
    sink = new_sink(collector)
    await sink.open()
    long = [b"a" * (8 << 20), b"b"]
    sending = asyncio.ensure_future(sink.send(Lines.of(long)))
    assert sink._connection is not None
    while not sink._connection._outgoing:  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    following = asyncio.ensure_future(sink.send(Lines.of([b"after"])))
    received = await received_while(collector, following, 2)
    assert (following.result(), received == [long[0], b"after"]) == (Delivered(), True)


async def test_cancelling_while_connecting_leaves_no_connection_behind(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector)
    opening = asyncio.ensure_future(sink.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert (await sink.send(Lines.of(LINES)), tcp_collector.received()) == (Delivered(), LINES)


async def test_answers_of_a_collector_are_dropped(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector)
    outcomes = [await sink.send(Lines.of(LINES))]
    for _ in range(20):
        tcp_collector.answer(b"what do you want?" * 1000)
        outcomes.append(await sink.send(Lines.of(LINES)))
        await asyncio.sleep(0)
    assert (outcomes, tcp_collector.received()) == ([Delivered()] * 21, LINES * 21)


async def test_what_was_handed_over_arrives_though_the_sink_is_closed_at_once(
    new_sink: NewSink, new_tcp_collector: NewCollector
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=65_536)
    sink = new_sink(collector, finish_secs=10)
    lines = [b"%06d" % number + b"x" * 1000 for number in range(1000)]
    delivered: list[bytes] = []
    while len(delivered) < len(lines):
        start = len(delivered)
        outcome = await sink.send(Lines.of(lines[start : start + 100]))
        assert outcome == Delivered()
        delivered += lines[start : start + 100]
    closing = asyncio.ensure_future(sink.close())
    received = await received_while(collector, closing, len(lines))
    assert (received == lines, collector.connections, collector.torn) == (True, [], [])
    assert counters["sink_never_confirmed", "feed"] == 0


async def test_lines_that_nobody_confirmed_at_the_end_are_counted(
    new_tcp_collector: NewCollector,
) -> None:
    collector = new_tcp_collector(rcvbuf_bytes=4096)
    sink = tcp_sink([collector.address], finish_secs=0.01)
    outcome = await sink.send(Lines.of([b"x" * 100_000] * 4))
    await sink.close()
    assert (outcome, counters["sink_never_confirmed", "feed"]) == (Delivered(), 4)
    collector.answer(b"")  # takes all connections
    assert len(collector.connections) == 1  # nothing was sent again to who was too slow before


async def test_a_long_send_lets_others_run(
    new_sink: NewSink, tcp_collector: "TcpCollector"
) -> None:
    sink = new_sink(tcp_collector)
    await sink.open()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            tcp_collector.received()
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    outcome = await sink.send(Lines.of([b"x" * 1000] * 5000))
    counting.cancel()
    assert (outcome, turns >= 30) == (Delivered(), True)
