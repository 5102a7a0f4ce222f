"""What every sink does, whatever it writes to: the same assertions over all of them."""

import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import pytest_asyncio

from formats.lines import Lines
from formats.order import order_key
from nss.sinks import Delivered, RetryAfter, Sink
from tests.kafka.brokers import Tansu, read_all
from tests.parts import file_sink, kafka_sink, tcp_sink, udp_sink

if TYPE_CHECKING:
    from tests.sinks.conftest import Collector, TcpCollector

LINES = [b"LEEF:1.0|Zscaler|NSS|4.1|%d|cat=Allowed" % number for number in range(50)]
KEYS = [order_key(f"user{number % 7}") for number in range(50)]
RFC5424_HEADER = b"<134>1 2026-01-02T03:04:05.678Z nss1 zscaler-nss - - - "
STAMP = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)


@dataclass(frozen=True)
class Rig:
    """A sink, and the hands on what it writes to."""

    sink: Sink
    received: Callable[[], list[bytes]]
    break_down: Callable[[], None]
    repair: Callable[[], None]
    cannot_carry: bytes = b"\n"
    """Bytes that a line must not have."""
    calls: int = 12
    """How often it is tried while nobody answers, which may take a second each time."""
    tries: int = 1
    """How often to send to a destination that is back: on a busy machine a broker may take longer
    than its sink waits for it."""
    close: Callable[[], None] = lambda: None
    """Closes what the hands hold."""

    async def send(self, lines: list[bytes]) -> Any:  # noqa: ANN401 - an outcome, compared whole
        return await self.sink.send(
            Lines.of(lines), KEYS[: len(lines)] if self.sink.wants_keys else None
        )

    async def send_again(self, lines: list[bytes]) -> Any:  # noqa: ANN401 - an outcome, compared whole
        """Send lines to a destination that is back."""
        for _ in range(self.tries):
            outcome = await self.send(lines)
            if not isinstance(outcome, RetryAfter):
                break
            lines = lines[outcome.sent :]
        return outcome


@dataclass(frozen=True)
class Hands:
    """What rigs are made with."""

    new_collector: Callable[..., "Collector"]
    new_tcp_collector: Callable[..., "TcpCollector"]
    folder: Path
    tls: ssl.SSLContext
    trust: ssl.SSLContext


def without(header: bytes, messages: list[bytes]) -> list[bytes]:
    assert all(message.startswith(header) for message in messages)
    return [message[len(header) :] for message in messages]


def udp(
    hands: Hands,
    *,
    host: str = "127.0.0.1",
    header: bytes = b"",
    **options: Any,  # noqa: ANN401 - the sink's own
) -> Rig:
    collector = hands.new_collector(host)
    sink = udp_sink([collector.address], now=lambda: STAMP, probe_secs=0, **options)
    received = lambda: without(header, collector.received())  # noqa: E731 - as short as the others
    return Rig(sink, received, collector.stop, collector.start)


def tcp(
    hands: Hands,
    *,
    host: str = "127.0.0.1",
    header: bytes = b"",
    tls: bool = False,
    framing: Literal["newline", "octet"] = "newline",
    **options: Any,  # noqa: ANN401 - the sink's own
) -> Rig:
    if tls:
        collector = hands.new_tcp_collector(tls=hands.tls)
    else:
        collector = hands.new_tcp_collector(host, octet=framing == "octet")
    sink = tcp_sink(
        [collector.address],
        framing=framing,
        ssl_context=hands.trust if tls else None,
        finish_secs=0.05,  # nobody reads meanwhile
        now=lambda: STAMP,
        **options,
    )
    received = lambda: without(header, collector.received())  # noqa: E731 - as short as the others
    cannot_carry = b"" if framing == "octet" else b"\n\r\0"
    return Rig(sink, received, collector.stop, collector.start, cannot_carry)


def file(hands: Hands, **options: Any) -> Rig:  # noqa: ANN401 - the sink's own
    path = hands.folder / "logs" / "web.log"
    path.parent.mkdir()

    def received() -> list[bytes]:
        # web.log.2, web.log.1, web.log: from the oldest to the newest
        files = sorted(path.parent.iterdir(), key=lambda it: -int(it.name[len("web.log.") :] or 0))
        return b"".join(file.read_bytes() for file in files).split(b"\n")[:-1]

    return Rig(
        file_sink(path, **options),
        received,
        lambda: shutil.rmtree(path.parent),
        path.parent.mkdir,
    )


def pipe(hands: Hands) -> Rig:
    path = hands.folder / "pipe"
    os.mkfifo(path)
    readers = [os.open(path, os.O_RDONLY | os.O_NONBLOCK)]

    def received() -> list[bytes]:
        try:
            return os.read(readers[-1], 65_536).split(b"\n")[:-1]
        except BlockingIOError:
            return []

    def close() -> None:
        for reader in readers:
            os.close(reader)

    return Rig(
        file_sink(path),
        received,
        lambda: os.close(readers.pop()),
        lambda: readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK)),
        close=close,
    )


def kafka(hands: Hands, **options: Any) -> Rig:  # noqa: ANN401 - the sink's own
    broker = Tansu(hands.folder)
    broker.start()
    broker.create("web")

    def received() -> list[bytes]:
        found = read_all(broker.address, "web", len(LINES), secs=2)
        messages = [message.value() for message in found]
        return [line for message in messages for line in message.split(b"\n")]

    sink = kafka_sink(broker.address, confirm_secs=4.0, **options)
    return Rig(sink, received, broker.pause, broker.resume, tries=8, close=broker.kill)


RIGS: dict[str, Callable[[Hands], Rig]] = {
    "udp": udp,
    "udp-ipv6": partial(udp, host="::1"),
    "udp-pri": partial(udp, pri=13, header=b"<13>"),
    "udp-rfc5424": partial(udp, rfc5424=True, hostname="nss1", header=RFC5424_HEADER),
    "udp-paced": partial(udp, max_messages_per_sec=20_000),
    "udp-ports": partial(udp, source_ports=4),
    "tcp": tcp,
    "tcp-ipv6": partial(tcp, host="::1"),
    "tcp-pri": partial(tcp, pri=13, header=b"<13>"),
    "tcp-octet": partial(tcp, framing="octet"),
    "tcp-octet-rfc5424": partial(
        tcp, framing="octet", rfc5424=True, hostname="nss1", header=RFC5424_HEADER
    ),
    "tcp-paced": partial(tcp, max_messages_per_sec=20_000),
    "tls": partial(tcp, tls=True),
    "file": file,
    "file-rotated": partial(file, rotate_bytes=700, rotate_keep=100),
    "file-synced": partial(file, sync=True),
    "pipe": pipe,
    "kafka": kafka,
}


@pytest.fixture
def hands(
    new_collector: Callable[..., "Collector"],
    new_tcp_collector: Callable[..., "TcpCollector"],
    tmp_path: Path,
    tls: ssl.SSLContext,
    trust: ssl.SSLContext,
) -> Hands:
    return Hands(new_collector, new_tcp_collector, tmp_path, tls, trust)


@pytest_asyncio.fixture(params=RIGS)
async def unopened(request: pytest.FixtureRequest, hands: Hands) -> AsyncIterator[Rig]:
    made = RIGS[request.param](hands)
    yield made
    await made.sink.close()
    made.close()


@pytest_asyncio.fixture
async def rig(unopened: Rig) -> Rig:
    await unopened.sink.open()
    return unopened


async def test_all_lines_arrive_in_order(rig: Rig) -> None:
    assert (await rig.send(LINES), rig.received()) == (Delivered(), LINES)


async def test_sends_follow_one_another(rig: Rig) -> None:
    outcomes = [await rig.send(LINES[start : start + 10]) for start in range(0, 50, 10)]
    assert (outcomes, rig.received()) == ([Delivered()] * 5, LINES)


async def test_nothing_to_send_is_delivered(rig: Rig) -> None:
    assert (await rig.send([]), rig.received()) == (Delivered(), [])


async def test_bytes_arrive_as_they_are(rig: Rig) -> None:
    every = bytes(set(range(256)) - set(rig.cannot_carry))
    lines = ["usrName=Müller\turl=例え.jp/✓".encode(), every, b" ", b"\xff"]
    assert (await rig.send(lines), rig.received()) == (Delivered(), lines)


async def test_lines_wait_for_a_destination_that_is_away(rig: Rig) -> None:
    rig.break_down()
    away = await rig.send(LINES)
    rig.repair()
    assert isinstance(away, RetryAfter)
    assert (away.sent, 0 < away.delay_secs <= 0.25, len(away.reason) > 0) == (0, True, True)
    assert (await rig.send_again(LINES[away.sent :]), rig.received()) == (Delivered(), LINES)


async def test_delays_grow_while_a_destination_stays_away(rig: Rig) -> None:
    rig.break_down()
    delays = [(await rig.send(LINES)).delay_secs for _ in range(rig.calls)]
    rig.repair()
    assert delays[0] < delays[2] < delays[4] < delays[6]
    assert max(delays) <= 30


async def test_a_destination_may_come_back_and_go_again(rig: Rig) -> None:
    rig.break_down()
    outcomes = [type(await rig.send(LINES))]
    rig.repair()
    outcomes.append(type(await rig.send_again(LINES)))
    rig.break_down()
    outcomes.append(type(await rig.send(LINES)))
    rig.repair()
    assert outcomes == [RetryAfter, Delivered, RetryAfter]


async def test_a_destination_that_is_away_when_opened_is_no_error(unopened: Rig) -> None:
    unopened.break_down()
    await unopened.sink.open()
    unopened.repair()
    assert (await unopened.send_again(LINES), unopened.received()) == (Delivered(), LINES)


async def test_closing_twice_is_fine(rig: Rig) -> None:
    await rig.send(LINES[:1])
    await rig.sink.close()
    await rig.sink.close()
