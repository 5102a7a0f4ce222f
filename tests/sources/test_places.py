"""Who may connect to a source: nobody keeps the others out, not by silence and not by number."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from nss.config.sources import HttpSourceConfig, TcpSourceConfig
from nss.config.values import Address
from nss.sources.http.auth import Credentials
from nss.sources.http.source import HttpSource
from nss.sources.tcp.source import TcpSource
from nss.telemetry import events
from tests.descriptors import at_most, free_descriptor
from tests.parts import http_source, tcp_source

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"

Listening = TcpSource | HttpSource


@contextlib.asynccontextmanager
async def running(source: Listening, accepted: "Accepted") -> AsyncIterator[None]:
    task = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    try:
        yield
    finally:
        accepted.open.set()
        await source.stop()
        await asyncio.wait_for(task, 10)


class Clients:
    """Connections to a source, from addresses of this machine."""

    def __init__(self, source: Listening) -> None:
        self.source = source
        self.open: list[asyncio.StreamWriter] = []

    async def connect(
        self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.source.bound_port,
            local_addr=(address, 0),
            ssl=tls,
            server_hostname="127.0.0.1" if tls else None,
        )
        self.open.append(writer)
        return reader, writer

    async def send(
        self, line: bytes, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> bool:
        """Send a line over a connection of its own, which stays open; return whether it went."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await self.connect(address, tls)
            if isinstance(self.source, TcpSource):
                writer.write(line + b"\n")
                await writer.drain()
                return not reader.at_eof()
            writer.write(REQUEST % (b"t0ken", len(line) + 1, line + b"\n"))
            return (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        return False

    async def close(self) -> None:
        for writer in self.open:
            writer.transport.abort()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def clients_of(source: Listening) -> AsyncIterator[Clients]:
    clients = Clients(source)
    try:
        yield clients
    finally:
        await clients.close()


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not found():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)


def count(counter: str, source: Listening) -> int:
    return events.counters[counter, source.name]


def made(kind: str, **settings: Any) -> Listening:  # noqa: ANN401 - passed on as they are
    if kind == "tcp":
        return tcp_source(max_connections=16, **settings)
    return http_source(max_connections=4, token=b"t0ken", **settings)


pytestmark = pytest.mark.parametrize("kind", ["tcp", "http"])


async def test_idle_connections_keep_nobody_out(accepted: "Accepted", kind: str) -> None:
    source = made(kind)
    async with running(source, accepted), clients_of(source) as clients:
        for number in range(60):
            await clients.connect(f"127.0.1.{number % 30 + 1}")
        await until(lambda: count("source_connections", source) == 60)
        assert await clients.send(b"one", "127.0.2.1")
        await accepted.until(1)
        assert count("source_connections_displaced", source) >= 44
        assert count("source_connections_refused", source) == 0
        assert (source.last_error, source.advice) == (None, None)
    assert accepted.lines == [b"one"]


async def test_idle_connections_from_the_same_address_keep_nobody_out(
    accepted: "Accepted", kind: str
) -> None:
    source = made(kind)
    async with running(source, accepted), clients_of(source) as clients:
        for _ in range(60):
            await clients.connect()
        assert await clients.send(b"one")
        await accepted.until(1)


async def test_what_never_becomes_a_record_or_a_request_keeps_nobody_out(
    accepted: "Accepted", kind: str
) -> None:
    source = made(kind)
    async with running(source, accepted), clients_of(source) as clients:
        for _ in range(60):
            _, writer = await clients.connect()
            writer.write(b"POST / HTTP/1.1\r\nX: y"[: 20 if kind == "http" else 4])
        assert await clients.send(b"one")
        await accepted.until(1)
        assert accepted.lines == [b"one"]


async def test_handshakes_that_never_end_keep_nobody_out(accepted: "Accepted", kind: str) -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    source = made(kind, ssl_context=server)
    async with running(source, accepted), clients_of(source) as clients:
        for _ in range(60):
            _, writer = await clients.connect()
            writer.write(b"\x16\x03\x01\x02\x00\x01")
        assert await clients.send(b"one", tls=client)
        await accepted.until(1)
        assert count("source_handshakes_failed", source) == 0


async def test_one_address_has_not_all_the_places(accepted: "Accepted", kind: str) -> None:
    source = made(kind)
    async with running(source, accepted), clients_of(source) as clients:
        for number in range(4):
            assert await clients.send(b"%d" % number)
            await accepted.until(number + 1)
        reader, _ = await clients.connect()
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b"not to be reached"
        assert count("source_connections_refused", source) == 1
        assert source.advice == (
            "connections are refused: there are as many from one address as allowed (4; see "
            "max_connections_per_address); the last from 127.0.0.1"
        )
        assert await clients.send(b"other", "127.0.0.2")
        await accepted.until(5)
    assert accepted.lines == [b"0", b"1", b"2", b"3", b"other"]


async def test_the_share_of_an_address_can_be_set(accepted: "Accepted", kind: str) -> None:
    source = made(kind, max_connections_per_address=6)
    async with running(source, accepted), clients_of(source) as clients:
        for number in range(6):
            assert await clients.send(b"%d" % number)
            await accepted.until(number + 1)
        assert count("source_connections_refused", source) == 0


async def test_without_a_descriptor_the_source_says_why_it_waits(
    accepted: "Accepted", kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = made(kind)
    reason = f"{kind} source: can't accept: too many open files (127.0.0.1)"
    async with running(source, accepted):
        with socket.socket() as client:
            with at_most(free_descriptor()):
                client.connect(("127.0.0.1", source.bound_port))
                await until(lambda: source.last_error is not None)
                assert source.last_error == reason
            await until(lambda: source.last_error is None)
    events_of = [each.__dict__ for each in caplog.records]
    waited = [each["facts"]["why"] for each in events_of if each.get("event") == "source_waits"]
    assert waited == [reason]


async def test_a_place_is_free_again_whatever_ended_its_connection(
    accepted: "Accepted", kind: str
) -> None:
    source = made(kind)
    async with running(source, accepted):
        for number in range(40):
            async with clients_of(source) as clients:
                assert await clients.send(b"%d" % number)
            await accepted.until(number + 1)
            await until(lambda: not source._serving)
        assert count("source_connections_refused", source) == 0
        assert source._places._by_address == {}


async def test_a_sender_at_work_is_never_displaced(accepted: "Accepted", kind: str) -> None:
    source = made(kind)
    async with running(source, accepted), clients_of(source) as clients:
        reader, writer = await clients.connect("127.0.0.9")
        for number in range(30):
            line = b"%d\n" % number
            writer.write(line if kind == "tcp" else REQUEST % (b"t0ken", len(line), line))
            if kind == "http":
                assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            await accepted.until(number + 1)
            for other in range(4):
                await clients.connect(f"127.0.1.{other + 1}")
    assert accepted.lines == [b"%d" % number for number in range(30)]


async def test_without_valid_credentials_nobody_keeps_a_place(
    accepted: "Accepted", kind: str
) -> None:
    if kind == "tcp":
        pytest.skip("there are no credentials")
    source = made(kind)
    async with running(source, accepted), clients_of(source) as clients:
        for _ in range(40):
            _, writer = await clients.connect()
            writer.write(REQUEST % (b"wrong", 20_000_000, b"x"))
        assert await clients.send(b"one")
    assert accepted.lines == [b"one"]


def test_without_a_setting_it_is_a_quarter(kind: str) -> None:
    listen = Address("127.0.0.1", 0)
    source: Listening
    if kind == "tcp":
        source = TcpSource(TcpSourceConfig(name="a", listen=listen))
    else:
        settings = HttpSourceConfig(name="a", listen=listen)
        source = HttpSource(
            settings, credentials=Credentials(token=None, basic=None), held_up=lambda: None
        )
    assert (source._places.most, source._places._most_each) == (256, 64)
