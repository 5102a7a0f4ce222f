"""What happens to collectors: nothing accepted is lost, and the status says what is wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from formats import presets
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from nss.batch import Batch
from nss.feeds.delivery import LineDelivery
from nss.feeds.feed import Feed
from nss.feeds.pipelines import Origin
from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.crash.collectors import TcpCollector, UdpCollector, until
from tests.faults.conftest import Scene, settled, sink, web
from tests.parts import durable_spool, udp_sink
from tests.service.conftest import rendered


@pytest.fixture
async def udp() -> AsyncIterator[UdpCollector]:
    collector = UdpCollector()
    yield collector
    collector.close()


@pytest.fixture
async def tcp() -> AsyncIterator[TcpCollector]:
    collector = TcpCollector()
    yield collector
    await collector.close()


async def arrived(collector: UdpCollector | TcpCollector, lines: int) -> None:
    await until(lambda: len(collector.lines) >= lines)


async def arrived_all(collector: TcpCollector, lines: list[bytes]) -> None:
    await until(lambda: set(lines) <= set(collector.lines))


async def test_what_came_while_the_udp_port_was_closed_is_delivered_once_it_is_open(
    scene: Scene, udp: UdpCollector
) -> None:
    (port,) = free_ports(1)
    data = RecordGenerator(1).batch(500)
    (scene.folder / "web.log").write_bytes(data)
    running = await scene.start(web(), sink("syslog_udp", f'destinations = ["127.0.0.1:{port}"]'))
    down = await scene.until(lambda status: not status.health.ok and status.feeds[0].pending == 500)
    exit_code, told = await scene.command("status")
    before = await scene.feed()

    await udp.open(port)
    await arrived(udp, 500)
    up = await scene.until(lambda status: settled(status) and status.health.ok)

    assert "connection refused" in down.health.reasons[0].why
    assert (exit_code, told.splitlines()[0].split()[0]) == (1, "degraded")
    assert (before.accepted, before.delivered, before.pending) == (500, 0, 500)
    assert udp.lines == rendered(data, "QRADAR")
    assert (up.feeds[0].delivered, up.feeds[0].last_error) == (500, None)
    assert await scene.stop(running) == 0


async def test_what_came_while_the_tcp_port_was_closed_is_delivered_once_it_is_open(
    scene: Scene, tcp: TcpCollector
) -> None:
    (port,) = free_ports(1)
    data = RecordGenerator(1).batch(500)
    (scene.folder / "web.log").write_bytes(data)
    running = await scene.start(web(), sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]'))
    down = await scene.until(lambda status: not status.health.ok and status.feeds[0].pending == 500)
    before = await scene.feed()

    await tcp.open(port)
    await arrived(tcp, 500)
    await scene.until(lambda status: settled(status) and status.health.ok)

    assert "connection refused" in down.health.reasons[0].why
    assert (before.accepted, before.delivered, before.pending) == (500, 0, 500)
    assert tcp.lines == rendered(data, "QRADAR")
    assert await scene.stop(running) == 0


async def test_a_collector_that_is_killed_again_and_again_misses_nothing(
    scene: Scene, tcp: TcpCollector
) -> None:
    (port,) = free_ports(1)
    generator = RecordGenerator(1)
    (scene.folder / "web.log").touch()
    running = await scene.start(web(), sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]'))
    data = b""
    for _ in range(4):
        await tcp.open(port)
        data += (more := generator.batch(200))
        with (scene.folder / "web.log").open("ab") as stream:
            stream.write(more)
        await arrived_all(tcp, rendered(data, "QRADAR"))
        await tcp.close()

    assert list(dict.fromkeys(tcp.lines)) == rendered(data, "QRADAR")
    await scene.until(settled)
    assert await scene.stop(running) == 0


async def test_a_tcp_peer_that_never_reads_is_told_of_and_left_for_the_next(
    scene: Scene, tcp: TcpCollector
) -> None:
    await tcp.open()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ports = f'"127.0.0.1:{deaf.getsockname()[1]}", "127.0.0.1:{tcp.port}"'
        data = RecordGenerator(1).batch(12_000)
        (scene.folder / "web.log").write_bytes(data)
        settings = (f"destinations = [{ports}]", "stall_secs = 0.4")
        running = await scene.start(web(), sink("syslog_tcp", *settings))
        failed = await running.reported("sink_failed")
        expected = rendered(data, "QRADAR")
        await arrived(tcp, len(expected))
        await scene.until(settled)

    assert str(failed["destination"]).endswith(f":{deaf_port(ports)}")
    assert tcp.lines == expected
    assert await scene.stop(running) == 0


def deaf_port(ports: str) -> str:
    return ports.split('"')[1].rpartition(":")[2]


async def test_records_wait_while_the_name_is_gone_and_go_when_it_is_back(
    tmp_path: Path, udp: UdpCollector
) -> None:
    await udp.open()
    asked = asyncio.Event()
    gone = True

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.set()
        if gone:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")
        return ["127.0.0.1"]

    spool = await durable_spool(tmp_path / "spool.db", min_free_bytes=0)
    cursor = await spool.cursor("out", ["web"])
    target = ("collector.example.com", udp.port)
    destination = udp_sink([target], resolve=resolve)
    origin = Origin(json_names(), FeedSettings(presets.load("QRADAR"), None))
    feed = Feed("out", cursor, {"web": origin}, LineDelivery(destination))
    running = asyncio.create_task(feed.run())
    data = RecordGenerator(1).batch(100)
    await spool.append(Batch("web", data, 100))
    await asked.wait()
    await until(lambda: feed.last_error is not None)
    told, pending = str(feed.last_error), cursor.pending_records

    gone = False
    spool.seal()
    async with asyncio.timeout(40):
        await running
    await udp.settle()
    await spool.close()

    assert "DNS does not know" in told
    assert "collector.example.com" in told
    assert pending == 100
    assert udp.lines == rendered(data, "QRADAR")
    assert (cursor.account.delivered, cursor.pending_records) == (100, 0)
