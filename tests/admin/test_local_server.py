"""The metrics port and the control socket answer whoever asks, whatever others do with them."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nss.admin import metrics
from nss.admin.control import server as control_server
from nss.admin.control.client import ControlClient
from nss.admin.control.server import ControlServer
from nss.admin.local_server import LocalServer
from nss.admin.metrics import MetricsServer
from nss.config.values import Address
from nss.errors import ServiceError
from nss.telemetry import events
from tests.admin.conftest import STATUS, FakeOperations

PATIENCE_SECS = 0.3
LARGE = b"x" * (16 << 20)
"""More than any socket buffer takes."""

CHUNKED = b"POST /form HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def reading(writer: asyncio.StreamWriter) -> asyncio.Transport:
    """Return the transport of a connection, whose reading can be paused."""
    return cast("asyncio.Transport", writer.transport)


class Clients:
    """Connections that stay open until the end."""

    def __init__(self) -> None:
        self.open: list[asyncio.StreamWriter] = []

    async def connect(self, port: int, address: str = "127.0.0.1") -> Connection:
        made = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        self.open.append(made[1])
        return made

    async def connect_unix(self, path: Path) -> Connection:
        made = await asyncio.open_unix_connection(path)
        self.open.append(made[1])
        return made


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    made = Clients()
    yield made
    for writer in made.open:
        writer.transport.abort()
    await asyncio.sleep(0)


async def _short(_request: Request) -> Response:
    return Response(b"short")


async def _late(_request: Request) -> Response:
    await asyncio.sleep(PATIENCE_SECS / 3)
    return Response(b"short")


async def _large(_request: Request) -> Response:
    return Response(LARGE)


async def _endless(_request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield LARGE[:65_536]
            await asyncio.sleep(0)  # as what really comes in parts does

    return StreamingResponse(parts())


async def _form(request: Request) -> Response:
    return Response(await request.body())


PAGES = Starlette(
    routes=[
        Route("/short", _short),
        Route("/late", _late),
        Route("/large", _large),
        Route("/endless", _endless, methods=["GET", "POST"]),
        Route("/form", _form, methods=["POST"]),
    ]
)


@contextlib.asynccontextmanager
async def serving(
    *, max_connections: int = 8, may_stall: bool = False, patience_secs: float = PATIENCE_SECS
) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    server = LocalServer(
        "metrics",
        PAGES,
        listener,
        max_connections=max_connections,
        may_stall=may_stall,
        patience_secs=patience_secs,
    )
    await server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        async with asyncio.timeout(20):
            await server.close()
        assert server._serving == set()
        assert server._places._by_address == {}


async def get(port: int, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


async def ended(connection: Connection) -> bytes:
    """Return what comes until the server ends the connection."""
    reader, _ = connection
    found = bytearray()
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionResetError):
            while part := await reader.read(65_536):
                found += part
    return bytes(found)


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not found():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.01)


async def test_a_connection_that_asks_for_nothing_is_closed(clients: Clients) -> None:
    async with serving() as port:
        assert await ended(await clients.connect(port)) == b""


async def test_bodies_that_come_slowly_keep_nobody_out(clients: Clients) -> None:
    async with serving() as port:
        for _ in range(8):
            _, writer = await clients.connect(port)
            writer.write(b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
        await asyncio.sleep(PATIENCE_SECS / 2)
        assert (await get(port, "/short")).content == b"short"


async def test_who_asks_at_once_is_answered_however_many_come_behind(clients: Clients) -> None:
    async def answer(number: int) -> bytes:
        connection = await clients.connect(port, f"127.0.0.{number % 50 + 1}")
        request = b"GET /short HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        connection[1].write(request)
        return await ended(connection)

    async with serving() as port:
        answers = await asyncio.gather(*map(answer, range(90)))

    assert [each for each in answers if not each.startswith(b"HTTP/1.1 200")] == []


async def test_what_is_sent_a_byte_a_time_arrives(clients: Clients) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        for byte in b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.readuntil(b"abc")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/short", "/late"])
async def test_who_sends_no_more_gets_his_answer(clients: Clients, path: str) -> None:
    async with serving() as port:
        connection = await clients.connect(port)
        connection[1].write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        connection[1].write_eof()
        assert (await ended(connection)).endswith(b"short")


@pytest.mark.parametrize("sent", [b"", b"GET /sh", CHUNKED, CHUNKED + b"1\r\na\r\n"])
async def test_who_sends_no_more_of_a_request_is_not_waited_for(
    clients: Clients, sent: bytes
) -> None:
    async with serving() as port:
        connection = await clients.connect(port)
        connection[1].write(sent)
        connection[1].write_eof()
        async with asyncio.timeout(PATIENCE_SECS / 2):
            assert b" 200 " not in await ended(connection)


async def test_an_answer_without_end_ends_with_its_reader(clients: Clients) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        writer.write(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readexactly(100)
        writer.write_eof()
        await ended((reader, writer))


async def test_requests_behind_one_another_are_answered_in_their_order(clients: Clients) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        writer.write(
            b"".join(
                b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n%03d" % number
                for number in range(300)
            )
        )
        async with asyncio.timeout(30):
            for number in range(300):
                assert await reader.readuntil(b"\r\n\r\n%03d" % number)


async def longest_turn(clients: Clients, request_bytes: bytes) -> float:
    """Send bytes while others ask; return the longest turn of the loop, seconds of CPU."""
    longest_secs = 0.0

    async def watch() -> None:
        nonlocal longest_secs
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest_secs, before = max(longest_secs, now - before), now

    async with serving() as port:
        _, writer = await clients.connect(port)
        watching = asyncio.create_task(watch())
        writer.write(request_bytes)
        for _ in range(3):
            await asyncio.sleep(PATIENCE_SECS / 2)
            assert (await get(port, "/short")).content == b"short"
        watching.cancel()

    return longest_secs


@pytest.mark.parametrize(
    "request_bytes",
    [
        CHUNKED + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n",
        b"GET /short HTTP/1.1\r\nhost: x\r\n" + b"a:\r\n" * 30_000 + b"\r\n",
        b"GET /short?" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        (CHUNKED + b"0\r\n\r\n") * 30 + CHUNKED + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n",
    ],
    ids=["chunks", "headers", "address", "chunks behind others"],
)
async def test_nothing_that_is_sent_holds_the_loop_up(
    clients: Clients, request_bytes: bytes
) -> None:
    # A busy machine adds to a turn now and then; what holds the loop up does so each time.
    tries = [await longest_turn(clients, request_bytes) for _ in range(3)]
    assert min(tries) < 0.1


async def test_a_head_that_is_larger_than_any_is_refused(clients: Clients) -> None:
    async with serving() as port:
        connection = await clients.connect(port)
        connection[1].write(b"GET /short HTTP/1.1\r\nhost: x\r\ncookie: " + b"x" * 40_000)
        assert (await ended(connection)).startswith(b"HTTP/1.1 400")


async def test_nonsense_behind_the_beginning_of_an_answer_ends_the_connection(
    clients: Clients,
) -> None:
    async with serving(may_stall=True) as port:
        reader, writer = await clients.connect(port)
        writer.write(CHUNKED.replace(b"/form", b"/endless"))
        await reader.readexactly(100)
        writer.write(b"nonsense\r\n\r\n")
        await ended((reader, writer))


async def test_a_head_that_never_ends_is_given_up(clients: Clients) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        closed = asyncio.create_task(ended((reader, writer)))
        while not closed.done():
            if not writer.is_closing():  # what reads it is told later
                writer.write(b"GET /short HTTP/1.1\r\n"[:1])
            await asyncio.sleep(0.05)
        assert closed.result() == b""


async def test_a_connection_between_two_requests_is_closed_in_the_end(clients: Clients) -> None:
    async with serving() as port:
        connection = await clients.connect(port)
        for _ in range(3):
            connection[1].write(b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await connection[0].readuntil(b"short")).startswith(b"HTTP/1.1 200 OK\r\n")
            await asyncio.sleep(PATIENCE_SECS / 2)
        assert await ended(connection) == b""


@pytest.mark.parametrize("path", ["/large", "/endless"])
async def test_a_peer_that_does_not_read_is_not_waited_for(clients: Clients, path: str) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        reading(writer).pause_reading()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: events.counters["connections_stalled", "metrics"] == 1)
        reading(writer).resume_reading()
        await ended((reader, writer))


async def test_a_peer_that_reads_slowly_gets_all_of_it(clients: Clients) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        left = len(LARGE)
        while left:
            part = await reader.readexactly(min(left, 1 << 20))
            left -= len(part)
            await asyncio.sleep(PATIENCE_SECS / 10)
        assert await ended((reader, writer)) == b""
        assert events.counters["connections_stalled", "metrics"] == 0


async def test_a_viewer_may_pause_where_that_is_allowed(clients: Clients) -> None:
    async with serving(may_stall=True) as port:
        reader, writer = await clients.connect(port)
        reading(writer).pause_reading()
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(3 * PATIENCE_SECS)
        reading(writer).resume_reading()
        await reader.readexactly(32 << 20)
        assert events.counters["connections_stalled", "metrics"] == 0


async def test_idle_connections_make_way_at_once(clients: Clients) -> None:
    async with serving(patience_secs=60) as port:  # none of them ends because it was idle
        for _ in range(50):
            await clients.connect(port)
        assert (await get(port, "/short")).content == b"short"
        assert events.counters["connections_displaced", "metrics"] >= 40
        assert events.counters["connections_refused", "metrics"] == 0


async def test_connections_at_work_do_not_make_way(clients: Clients) -> None:
    async with serving(max_connections=2, may_stall=True) as port:
        busy = [await clients.connect(port) for _ in range(2)]
        for reader, writer in busy:
            writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        assert await ended(await clients.connect(port)) == b""
        assert events.counters["connections_refused", "metrics"] == 1
        for reader, _ in busy:
            await reader.readexactly(1000)


async def test_resets_in_any_state_leave_nothing_behind(clients: Clients) -> None:
    requests = [b"", b"GET", b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 100]
    requests += [b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /short HTTP/1.1\r\n\r\n" * 50]
    async with serving() as port:
        for request in requests * 5:
            _, writer = await clients.connect(port)
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.write(request)
            await asyncio.sleep(0)
            writer.transport.abort()
        assert (await get(port, "/short")).content == b"short"


async def test_a_close_does_not_wait_for_an_answer_without_end(clients: Clients) -> None:
    async with serving() as port:
        reader, writer = await clients.connect(port)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")


# The metrics port.


@pytest.fixture
async def metrics_port(operations: FakeOperations) -> AsyncIterator[int]:
    made = MetricsServer(Address("127.0.0.1", 0), operations)
    await made.start()
    assert made.bound_port is not None
    yield made.bound_port
    await made.close()


async def test_metrics_are_scraped_while_hundreds_are_idle(
    clients: Clients, metrics_port: int
) -> None:
    for number in range(300):
        await clients.connect(metrics_port, f"127.0.1.{number % 100 + 1}")
    assert (await get(metrics_port, "/readyz")).status_code == 200
    connected = events.counters["connections_displaced", "metrics"]
    assert connected >= 300 - metrics.MAX_CONNECTIONS


# The control socket.


async def test_the_status_is_there_while_hundreds_are_idle(
    clients: Clients, client: ControlClient, socket_path: Path
) -> None:
    for _ in range(300):
        await clients.connect_unix(socket_path)
    assert await asyncio.to_thread(client.status) == STATUS


async def test_the_status_is_there_while_everything_else_hangs(
    clients: Clients, control: ControlServer, client: ControlClient, socket_path: Path
) -> None:
    for _ in range(control_server.MAX_CONNECTIONS):
        _, writer = await clients.connect_unix(socket_path)
        writer.write(b"GET /tap HTTP/1.1\r\nHost: nss\r\n\r\n")
    most = control_server.MAX_CONNECTIONS * 3 // 4
    await until(lambda: len(control._taps) == most)
    assert await asyncio.to_thread(client.status) == STATUS
    with pytest.raises(ServiceError) as refused:
        await asyncio.to_thread(client.reload)
    assert str(refused.value) == (
        f"control socket: {most} requests are under way\n"
        "Try: end some: nss tap, nss replay, nss reload, nss upload-now"
    )
    for writer in clients.open:
        writer.transport.abort()
    await until(lambda: not control._taps)
    await asyncio.to_thread(client.reload)
