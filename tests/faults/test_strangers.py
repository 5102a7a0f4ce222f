"""Strangers that connect and ask for nothing: whoever sends, and `nss status`, get through."""

import asyncio
import contextlib
import resource
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.faults.conftest import Scene, sink
from tests.service.conftest import Running

pytestmark = pytest.mark.long

DESCRIPTORS = 300
"""What the service may have: half of it is for connections of senders."""

STRANGERS = 300
"""Connections to each port, more than there are places and descriptors."""

OWN_DESCRIPTORS = 12
"""Further ones that the service opens when it needs them: to read the spool, to write lines."""

SOURCES = """\
[sources.relay]
kind = "tcp"
listen = "127.0.0.1:{tcp}"
format = "json"
[sources.push]
kind = "http"
listen = "127.0.0.1:{http}"
format = "json"
"""


class Attack:
    """Connections of strangers, from many addresses of this machine or from one."""

    def __init__(self, ports: tuple[int, ...], control: Path) -> None:
        self.ports = ports
        self.control = control
        self.sockets: list[socket.socket] = []

    async def connect(self, data: bytes = b"", *, addresses: int) -> None:
        """Connect to everything, and send the same few bytes."""
        for number in range(STRANGERS):
            for port in self.ports:
                await self._connect(port, f"127.0.{2 + number // 200}.{number % addresses + 1}")
            made = socket.socket(socket.AF_UNIX)
            self.sockets.append(made)
            made.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                made.connect(str(self.control))
            await asyncio.sleep(0)
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.send(data)

    async def storm(self) -> None:
        """Connect and reset at once, again and again."""
        for _ in range(5):
            await self.connect(b"POST", addresses=200)
            for each in self.sockets:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.end()

    def end(self) -> None:
        for each in self.sockets:
            each.close()
        self.sockets.clear()

    async def _connect(self, port: int, address: str) -> None:
        made = socket.socket()
        self.sockets.append(made)
        made.settimeout(0)
        made.bind((address, 0))
        with contextlib.suppress(OSError):
            async with asyncio.timeout(10):
                await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))


async def sent_over_tcp(port: int, record: bytes) -> None:
    """Send a record over a connection of its own; the source's clean end says it is accepted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(record)
    writer.write_eof()
    async with asyncio.timeout(40):
        assert await reader.read() == b""
    writer.close()


async def sent_over_http(client: httpx.AsyncClient, port: int, record: bytes) -> None:
    response = await client.post(f"http://127.0.0.1:{port}/", content=record)
    assert response.status_code == 200, response.text


async def asked_for(url: str) -> None:
    """Ask on new connections, three at most, as a scraper asks again the next time.

    One that waits for a request makes way for strangers, maybe while that request is on its way.
    """
    for tries_left in (2, 1, 0):
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            try:
                response = await client.get(url)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                if not tries_left:
                    raise
            else:
                assert response.status_code == 200, response.text
                return


@pytest.fixture
def _many_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
async def ports() -> tuple[int, int, int]:
    tcp, http, metrics = free_ports(3)
    return tcp, http, metrics


@pytest.fixture
async def running(scene: Scene, ports: tuple[int, int, int]) -> AsyncIterator[Running]:
    """A service with few descriptors."""
    tcp, http, metrics = ports
    scene.write(SOURCES.format(tcp=tcp, http=http), sink("file", 'path = "lines"'))
    text = scene.config.read_text()
    listen = f'[service]\nmetrics_listen = "127.0.0.1:{metrics}"\n'
    scene.config.write_text(text.replace("[service]\n", listen, 1))
    made = await scene.run()
    await made.reported("service_started")
    limits = (DESCRIPTORS, DESCRIPTORS)
    resource.prlimit(made.process.pid, resource.RLIMIT_NOFILE, limits)
    yield made
    assert await scene.stop(made) == 0


@pytest.fixture
def attack(scene: Scene, ports: tuple[int, int, int]) -> Iterator[Attack]:
    made = Attack(ports, scene.folder / "control.sock")
    yield made
    made.end()


def descriptors(running: Running) -> int:
    return len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))


@pytest.mark.usefixtures("_many_descriptors")
@pytest.mark.parametrize(
    ("addresses", "data"), [(1, b""), (200, b""), (200, b"POST / HTTP/1.1\r\n"[:12])]
)
async def test_senders_and_the_status_get_through_while_strangers_are_connected(
    scene: Scene,
    running: Running,
    ports: tuple[int, int, int],
    attack: Attack,
    addresses: int,
    data: bytes,
) -> None:
    tcp, http, metrics = ports
    records = RecordGenerator(1).batch(40).splitlines(keepends=True)
    before = descriptors(running)
    strangers = asyncio.create_task(attack.connect(data, addresses=addresses))
    peak = 0
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for number in range(0, len(records), 2):
            if number == len(records) // 2:
                await strangers
            await sent_over_tcp(tcp, records[number])
            await sent_over_http(client, http, records[number + 1])
            await asked_for(f"http://127.0.0.1:{metrics}/metrics")
            await scene.status()
            peak = max(peak, descriptors(running))
    assert peak < DESCRIPTORS
    attack.end()
    await scene.until(lambda status: status.feeds[0].delivered == len(records))
    async with asyncio.timeout(15):
        while descriptors(running) > before + OWN_DESCRIPTORS:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("_many_descriptors")
async def test_storms_of_connections_that_are_reset_stop_nobody(
    scene: Scene, running: Running, ports: tuple[int, int, int], attack: Attack
) -> None:
    tcp, http, metrics = ports
    records = RecordGenerator(1).batch(40).splitlines(keepends=True)
    before = descriptors(running)
    storm = asyncio.create_task(attack.storm())
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for number in range(0, len(records), 2):
            await sent_over_tcp(tcp, records[number])
            await sent_over_http(client, http, records[number + 1])
            await asked_for(f"http://127.0.0.1:{metrics}/readyz")
            await scene.status()
    await storm
    status = await scene.until(lambda status: status.feeds[0].delivered >= len(records))
    assert status.health.alive
    async with asyncio.timeout(15):
        while descriptors(running) > before + OWN_DESCRIPTORS:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
