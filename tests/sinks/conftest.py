"""Collectors on loopback and a clock in the hand; every async test runs on both event loops."""

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import trustme
import uvloop

from nss.lab.ports import free_port
from nss.telemetry import events
from tests import parts


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


class Collector:
    """A UDP socket; what is sent to it on loopback is there as soon as `send` has returned.

    Its port is none that the kernel gives to others, a sink's own sockets among them, while nobody
    listens at it.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = (host, free_port(host=host))
        self.senders: list[int] = []
        self._sender: tuple[str, int] = self.address
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before if there was any."""
        self._socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 - the library's signature
        self._socket.bind(self.address)
        self.address = self._socket.getsockname()[:2]

    def stop(self) -> None:
        """Stop listening: what comes now is refused, what was not read is gone."""
        self._socket.close()

    def received(self) -> list[bytes]:
        """Return what has come since the last call; `senders` holds the source ports."""
        messages: list[bytes] = []
        self.senders = []
        while True:
            try:
                message, sender = self._socket.recvfrom(65_536)
            except BlockingIOError:
                return messages
            messages.append(message)
            self.senders.append(sender[1])
            self._sender = sender

    def answer(self, message: bytes) -> None:
        """Send something back to whom the last message came from."""
        self._socket.sendto(message, self._sender)


class TcpCollector:
    """A listening socket and its connections, read only by `received`.

    What was written on loopback is there to be read as soon as the write has returned.
    """

    def __init__(
        self, host: str = "127.0.0.1", *, octet: bool = False, rcvbuf_bytes: int | None = None
    ) -> None:
        self.address = (host, free_port(host=host))
        self.octet = octet
        self.rcvbuf_bytes = rcvbuf_bytes
        self.torn: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._rests: dict[socket.socket, bytes] = {}
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before if there was any."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.rcvbuf_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf_bytes)
        self._listener.bind(self.address)
        self._listener.listen()
        self.address = self._listener.getsockname()[:2]
        self._listener.settimeout(0)

    def stop(self) -> None:
        """Stop listening and close all connections; with something unread that is a reset."""
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close all connections, reading no further; keep listening."""
        self._accept()
        for connection in self.connections:
            self._part(connection)
        self.connections = []

    def received(self) -> list[bytes]:
        """Return the whole messages that have come since the last call.

        `torn` gets the beginnings of messages whose connection ended.
        """
        self._accept()
        messages: list[bytes] = []
        for connection in list(self.connections):
            data, at_end = _read(connection)
            data = self._rests.get(connection, b"") + data
            found, self._rests[connection] = _counted(data) if self.octet else _ended(data)
            messages += found
            if at_end:
                self._part(connection)
                self.connections.remove(connection)
        return messages

    def answer(self, message: bytes) -> None:
        """Send something back on each connection."""
        self._accept()
        for connection in self.connections:
            connection.send(message)

    def _accept(self) -> None:
        if self._listener.fileno() < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(0)
                self.connections.append(connection)

    def _part(self, connection: socket.socket) -> None:
        rest = self._rests.pop(connection, b"")
        if rest:
            self.torn.append(rest)
        connection.close()


def _read(connection: socket.socket) -> tuple[bytes, bool]:
    """Return what is there to be read, and whether nothing more will come."""
    data = b""
    try:
        while piece := connection.recv(1 << 20):
            data += piece
    except (BlockingIOError, ssl.SSLWantReadError):
        return data, False
    except ConnectionResetError:
        return data, True
    return data, True


def _ended(data: bytes) -> tuple[list[bytes], bytes]:
    *messages, rest = data.split(b"\n")
    return messages, rest


def _counted(data: bytes) -> tuple[list[bytes], bytes]:
    messages: list[bytes] = []
    while True:
        count, blank, rest = data.partition(b" ")
        if not blank or len(rest) < int(count):
            return messages, data
        messages.append(rest[: int(count)])
        data = rest[int(count) :]


class TlsCollector(TcpCollector):
    """Speaks TLS: a thread accepts and shakes hands, the rest is as without."""

    def __init__(self, context: ssl.SSLContext, *, rcvbuf_bytes: int | None = None) -> None:
        self.context = context
        self.errors: list[str] = []
        self._shaken = threading.Condition()
        self._pending = 0
        super().__init__(rcvbuf_bytes=rcvbuf_bytes)

    def start(self) -> None:
        """Listen, on the same port as before if there was any."""
        super().start()
        self._listener.settimeout(None)
        self._thread = threading.Thread(target=self._shake_hands, args=(self._listener,))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        super().stop()

    def _shake_hands(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._pending += 1
            connection.settimeout(5)
            try:
                connection = self.context.wrap_socket(connection, server_side=True)
                connection.settimeout(0)
                self.connections.append(connection)
            except OSError as error:
                self.errors.append(getattr(error, "reason", None) or str(error))
                connection.close()
            with self._shaken:
                self._pending -= 1
                self._shaken.notify_all()

    def _accept(self) -> None:
        """Wait for handshakes: when the client is done, this side may not be."""
        with self._shaken:
            assert self._shaken.wait_for(lambda: self._pending == 0, timeout=5)


class Clock:
    """Monotonic seconds that pass only when somebody says so, or sleeps."""

    def __init__(self) -> None:
        self.secs = 1000.0

    def __call__(self) -> float:
        return self.secs

    async def sleep(self, secs: float) -> None:
        self.secs += secs


@pytest.fixture
def new_collector() -> Iterator[Callable[..., Collector]]:
    started: list[Collector] = []

    def start(host: str = "127.0.0.1") -> Collector:
        started.append(Collector(host))
        return started[-1]

    yield start
    for collector in started:
        collector.stop()


@pytest.fixture
def collector(new_collector: Callable[..., Collector]) -> Collector:
    return new_collector()


@pytest.fixture
def new_tcp_collector() -> Iterator[Callable[..., TcpCollector]]:
    started: list[TcpCollector] = []

    def start(*arguments: Any, tls: ssl.SSLContext | None = None, **options: Any) -> TcpCollector:  # noqa: ANN401 - the collector's own
        new = TcpCollector(*arguments, **options) if tls is None else TlsCollector(tls, **options)
        started.append(new)
        return new

    yield start
    for collector in started:
        collector.stop()


@pytest.fixture
def tcp_collector(new_tcp_collector: Callable[..., TcpCollector]) -> TcpCollector:
    return new_tcp_collector()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return what a collector at 127.0.0.1 speaks TLS with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    """Return what a sink trusts such a collector with."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def happened(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """Return what returns the events so far, each with its facts."""
    caplog.set_level(logging.INFO, "nss")
    return lambda: parts.happened(caplog)


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()
