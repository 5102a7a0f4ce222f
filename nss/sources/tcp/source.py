"""Records from TCP connections, plain or TLS, framed by line feeds or octet counts."""

import asyncio
import socket
import ssl
from functools import partial
from typing import Literal

from nss.addresses import host_port
from nss.batch import Batch
from nss.sources import Accept, events
from nss.sources.framing.lines import Framer, FramingError, LineFramer, OctetFramer, StreamFramer
from nss.sources.listening import listen, watch_peer
from nss.sources.tcp.connection import End, Inflow
from nss.wording import error_text

_ACCEPT_AGAIN_SECS = 0.2


class TcpSource:
    """Listens, and hands on the records of each connection in the order they came.

    A connection is read only when its last batch was accepted. It costs at most about 1 MiB of
    memory and twice `max_record_bytes`, so `max_connections` bounds the whole. A record that the
    peer's end cut off is handed on if it is a line, as the sender may end without line feed; it
    is dropped and counted if the connection broke, fell silent or the source stopped.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        max_record_bytes: int,
        framing: Literal["auto", "newline", "octet"] = "auto",
        ssl_context: ssl.SSLContext | None = None,
        idle_secs: float = 600.0,
        handshake_secs: float = 10.0,
        max_connections: int = 256,
    ) -> None:
        self.name = name
        self.last_error: str | None = None
        self.ready = asyncio.Event()
        """Set once connections are accepted."""
        self.bound_port: int | None = None
        """The port listened at, which is `port` unless that is 0."""
        self._host = host
        self._port = port
        self._max_record_bytes = max_record_bytes
        self._framing = framing
        self._ssl_context = ssl_context
        if ssl_context is not None:
            # A sender that never reads would close with the tickets unread, which makes its
            # kernel reset the connection, and records on the way are lost.
            ssl_context.num_tickets = 0
        self._idle_secs = idle_secs
        self._handshake_secs = handshake_secs
        self._max_connections = max_connections
        self._serving: dict[asyncio.Task[None], Inflow] = {}
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None

    async def run(self, accept: Accept) -> None:
        """Serve connections until `stop`. Raises `SourceError` when the port can't be had."""
        listeners = await listen("tcp", self._host, self._port)
        self.bound_port = listeners[0].getsockname()[1]
        self.ready.set()
        events.listening(self.name, f"{self._host}:{self.bound_port}")
        accepting = [asyncio.create_task(self._accept_from(each, accept)) for each in listeners]
        try:
            await self._stopping.wait()
            await _cancel(accepting)
            for task, inflow in self._serving.items():
                if inflow.connected:
                    inflow.stop()
                else:
                    task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
        finally:
            await _cancel([*accepting, *self._serving])
            for listener in listeners:
                listener.close()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Accept no more connections and read no further; what came whole is handed on."""
        self._stopping.set()

    async def _accept_from(self, listener: socket.socket, accept: Accept) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:  # out of descriptors, or the peer was gone already
                self.last_error = f"tcp source: can't accept: {error_text(error)} ({self._host})"
                events.source_waits(self.name, self.last_error)
                await asyncio.sleep(_ACCEPT_AGAIN_SECS)
                continue
            self.last_error = None
            peer = host_port(*address[:2])
            if len(self._serving) >= self._max_connections:
                events.connection_refused(self.name, peer, self._max_connections)
                connection.close()
                continue
            events.connection_opened(self.name)
            inflow = Inflow()
            task = loop.create_task(self._serve(inflow, connection, peer, accept))
            self._serving[task] = inflow
            task.add_done_callback(partial(self._forget, connection))

    def _forget(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        """Let go of a connection that is over; an error that is none of its own ends the source."""
        connection.close()  # which nobody has done when the task was cancelled before it began
        del self._serving[task]
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
            self._stopping.set()

    async def _serve(
        self, inflow: Inflow, connection: socket.socket, peer: str, accept: Accept
    ) -> None:
        watch_peer(connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: inflow,
                connection,
                ssl=self._ssl_context,
                ssl_handshake_timeout=self._handshake_secs if self._ssl_context else None,
            )
        except OSError as error:
            events.handshake_failed(self.name, peer, str(error) or type(error).__name__)
            return
        try:
            await self._hand_on_all(inflow, peer, accept)
        finally:
            await inflow.close()

    async def _hand_on_all(self, inflow: Inflow, peer: str, accept: Accept) -> None:
        framer = self._framer()

        async def hand_on(data: bytes, records: int) -> None:
            if data:
                await accept(Batch(self.name, data, records, connection=peer))

        while block := await inflow.read(self._idle_secs):
            try:
                data = framer.feed(block)
            except FramingError as fault:
                await hand_on(fault.data, fault.records)
                events.framing_failed(self.name, peer, str(fault))
                return
            await hand_on(data, framer.records)
        if inflow.end is End.CLOSED:
            await hand_on(framer.flush(), framer.records)
        self._tell_end(inflow, peer, framer.held_bytes)

    def _tell_end(self, inflow: Inflow, peer: str, held_bytes: int) -> None:
        if inflow.end is End.BROKEN:
            events.connection_failed(self.name, peer, inflow.why)
        if inflow.end is End.SILENT:
            events.connection_idle(self.name, peer, self._idle_secs)
        if held_bytes and inflow.end is not None:
            events.half_record_dropped(self.name, held_bytes, inflow.end.value)

    def _framer(self) -> Framer:
        match self._framing:
            case "newline":
                return LineFramer(self._max_record_bytes)
            case "octet":
                return OctetFramer(self._max_record_bytes)
            case "auto":
                return StreamFramer(self._max_record_bytes)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
