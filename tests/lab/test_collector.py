import socket
from collections.abc import Iterator

import pytest

from nss.lab.collector import Collector
from nss.lab.discovery import Traffic

LINE = (
    "Jan 01 00:00:00 zscaler-nss: LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed\tusrName={user}"
    "\tsrcBytes=100\tdstBytes=2000\turl=a/?b=c|d\tappname=Box\tdevicehostname="
)


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


async def test_lines_are_added_up_per_app_and_user(sender: socket.socket) -> None:
    async with Collector() as collector:
        sender.connect(("127.0.0.1", collector.port))
        lines = [LINE.format(user=user).encode() for user in ("ana", "ben", "ana")]
        for line in lines:
            sender.send(line)
        await collector.arrived(3)
    assert collector.discovery.apps == {"Box": Traffic(3, 300, 6000, {"ana", "ben"})}
    assert collector.discovery.users["ana"].transactions == 2
    assert (collector.messages, collector.bytes) == (3, sum(map(len, lines)))
    assert (collector.malformed, collector.malformed_examples) == (0, [])


async def test_a_burst_larger_than_any_read_is_counted_whole(sender: socket.socket) -> None:
    async with Collector(rcvbuf_bytes=16 << 20) as collector:
        sender.connect(("127.0.0.1", collector.port))
        sent = min(5_000, collector.rcvbuf_bytes // 2_304)
        line = LINE.format(user="ana").encode()
        for _ in range(sent):
            sender.send(line)
        await collector.arrived(sent)
        assert collector.kernel_drops == 0
    assert (collector.messages, collector.malformed) == (sent, 0)


async def test_closing_takes_what_still_waits_in_the_kernel(sender: socket.socket) -> None:
    async with Collector() as collector:
        sender.connect(("127.0.0.1", collector.port))
        for _ in range(50):
            sender.send(LINE.format(user="ana").encode())
    assert collector.messages == 50


async def test_dropped_datagrams_are_reported_by_the_kernel(sender: socket.socket) -> None:
    async with Collector(rcvbuf_bytes=4_096) as collector:
        sender.connect(("127.0.0.1", collector.port))
        for _ in range(100):
            sender.send(LINE.format(user="ana").encode())
        drops = collector.kernel_drops
    assert drops is not None
    assert drops > 0
    assert collector.messages + drops == 100


async def test_malformed_messages_are_counted_and_the_first_are_kept(
    sender: socket.socket,
) -> None:
    async with Collector() as collector:
        sender.connect(("127.0.0.1", collector.port))
        for message in (b"hello", b"\xff", *[b"LEEF:1.0|a|b|c|d|cat=x"] * 10):
            sender.send(message)
        await collector.arrived(12)
    assert collector.malformed == collector.messages == 12
    assert sorted(set(collector.malformed_examples)) == [
        (b"LEEF:1.0|a|b|c|d|cat=x", "attribute 'appname' is missing"),
        (b"hello", "no LEEF:1.0 or LEEF:2.0 header with five fields"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ]
    assert len(collector.malformed_examples) == 5


async def test_it_listens_on_ipv6_too() -> None:
    async with Collector("::1") as collector:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.sendto(LINE.format(user="ana").encode(), ("::1", collector.port))
        await collector.arrived(1)
        assert collector.kernel_drops == 0
    assert collector.discovery.users == {"ana": Traffic(1, 100, 2000, {"Box"})}
