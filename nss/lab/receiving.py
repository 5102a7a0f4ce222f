"""The collector of `nss lab`: syslog over UDP and TCP at one port, counted and shown."""

import asyncio
import contextlib
from typing import Self

from nss.errors import ServiceError
from nss.lab.collector import Collector
from nss.sources.framing.lines import FramingError, StreamFramer
from nss.wording import error_text

WANTED_PORT = 1514
"""Taken if it is free."""

_PORTS = (WANTED_PORT, 0, 0, 0)
_READ_BYTES = 1 << 16
_MAX_LINE_BYTES = 1 << 20


class Receiver:
    """Listens at `host` for UDP and TCP (LF or octet counts), used with `async with`."""

    def __init__(self, host: str) -> None:
        self.port = 0
        self._host = host
        self._tcp_lines = 0
        self._tcp_last = b""
        self._exits = contextlib.AsyncExitStack()
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def udp_lines(self) -> int:
        """How many datagrams have come, each a line."""
        return self._udp.messages

    @property
    def udp_last(self) -> bytes:
        """The last datagram."""
        return self._udp.last

    @property
    def tcp_lines(self) -> int:
        """How many lines have come over TCP."""
        return self._tcp_lines

    @property
    def tcp_last(self) -> bytes:
        """The last line that came over TCP."""
        return self._tcp_last

    async def __aenter__(self) -> Self:
        for port in _PORTS:
            try:
                await self._listen(port)
            except OSError as error:
                reason = error_text(error)
                await self._exits.aclose()
            else:
                return self
        raise ServiceError(f"lab: the collector can't listen: {reason} ({self._host})")

    async def __aexit__(self, *_exc: object) -> None:
        await self._exits.aclose()

    async def _listen(self, port: int) -> None:
        server = await asyncio.start_server(self._connected, self._host, port)
        self._exits.push_async_callback(server.wait_closed)
        self._exits.callback(self._hang_up)
        self._exits.callback(server.close)
        self.port = server.sockets[0].getsockname()[1]
        self._udp = await self._exits.enter_async_context(Collector(self._host, self.port))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        framer = StreamFramer(_MAX_LINE_BYTES)
        with contextlib.suppress(OSError, FramingError), contextlib.closing(writer):
            while block := await reader.read(_READ_BYTES):
                self._take(framer.feed(block), framer.records)
            self._take(framer.flush(), framer.records)
        self._connections.discard(writer)

    def _hang_up(self) -> None:
        for writer in self._connections:
            writer.transport.abort()

    def _take(self, data: bytes, lines: int) -> None:
        if data:
            self._tcp_lines += lines
            self._tcp_last = data.removesuffix(b"\n").rpartition(b"\n")[2]
