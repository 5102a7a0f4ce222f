"""Listening at an address: the accept loop of every source that others connect to."""

import asyncio
import contextlib
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Generic, Protocol, TypeVar, cast

from nss.addresses import host_port, listener
from nss.config.sources import HttpSourceConfig, TcpSourceConfig
from nss.errors import SourceError
from nss.sources import Accept, events
from nss.wording import error_text

BACKLOG_CONNECTIONS = 1024

_TLS_CLOSE_SECS = 1.0
"""How long a peer has to answer the end of a TLS connection."""

_ACCEPT_AGAIN_SECS = 0.2


class AcceptedConnection(Protocol):
    """What a `ListeningSource` needs of the asyncio protocol of a connection."""

    connected: bool
    """Whether `transport` is set; with TLS, once the handshake is done."""
    transport: asyncio.Transport
    lost: asyncio.Event
    """Set once the connection is closed."""

    def shutdown(self) -> None:
        """End the connection once what it has already received is dealt with."""


C = TypeVar("C", bound=AcceptedConnection)


class ListeningSource(ABC, Generic[C]):
    """A source that others connect to; each connection is served by a task of its own.

    At most `max_connections` are open at once: further connections are closed unread. The TLS
    handshake of a connection must be done within `handshake_secs`. An error that serving a
    connection raises is not the connection's own, and ends the source.
    """

    def __init__(
        self,
        settings: TcpSourceConfig | HttpSourceConfig,
        ssl_context: ssl.SSLContext | None,
        *,
        max_connections: int,
        handshake_secs: float,
    ) -> None:
        self.name = settings.name
        self.ready = asyncio.Event()
        self.bound_port: int | None = None
        """The port in use: the configured one, unless that is 0."""
        self._settings = settings
        self._ssl_context = ssl_context
        self._max_connections = max_connections
        self._handshake_secs = handshake_secs
        self._serving: dict[asyncio.Task[None], C] = {}
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._accept_error: str | None = None

    @abstractmethod
    def _connect(self, address: tuple[str, int]) -> C:
        """Return the asyncio protocol of a connection from an address."""

    @abstractmethod
    async def _serve(self, connection: C, peer: str, accept: Accept) -> None:
        """Hand on the records of a connection; it is closed when this returns."""

    async def run(self, accept: Accept) -> None:
        """Serve connections until `stop`; see `Source.run`.

        Then those that are open are shut down. What is still open after `_drain` is cancelled.
        Raises `SourceError` when the port can't be had, and the error given to `_fail`.
        """
        listeners = await self._listen()
        self.bound_port = listeners[0].getsockname()[1]
        accepting = [
            asyncio.create_task(self._accept_from(listening, accept)) for listening in listeners
        ]
        self.ready.set()
        events.listening(self.name, f"{self._settings.listen.host}:{self.bound_port}")
        try:
            try:
                await self._stopping.wait()
            finally:
                await cancel(accepting)
                for listening in listeners:
                    listening.close()
            for task, connection in self._serving.items():
                if connection.connected:
                    connection.shutdown()
                else:
                    task.cancel()
            await self._drain()
        finally:
            await cancel(self._serving)
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Accept no more connections and read no further; complete records are still handed on."""
        self._stopping.set()

    @property
    def last_error(self) -> str | None:
        """Why no connection can be accepted now."""
        return self._accept_error

    def _fail(self, error: BaseException) -> None:
        """Stop, and have `run` raise this error, unless there was one before."""
        self._failure = self._failure or error
        self._stopping.set()

    async def _drain(self) -> None:
        """Wait until every connection is closed."""
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _listen(self) -> list[socket.socket]:
        """Return sockets that listen, one for each address of the host, all at one port."""
        host, port = self._settings.listen
        listeners: list[socket.socket] = []
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for address in dict.fromkeys(str(address[0]) for *_, address in found):
                listeners.append(listener(address, port, BACKLOG_CONNECTIONS))
                listeners[-1].settimeout(0)
                port = listeners[-1].getsockname()[1]
        except OSError as error:
            for listening in listeners:
                listening.close()
            raise SourceError(
                f"{self._settings.kind} source: can't listen: {error_text(error)} ({host}:{port})",
                tip="choose an address of this machine and a free port; below 1024 the user "
                "that nss runs as needs CAP_NET_BIND_SERVICE",
            ) from error
        return listeners

    async def _accept_from(self, listening: socket.socket, accept: Accept) -> None:
        name, kind, host = self.name, self._settings.kind, self._settings.listen.host
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # out of descriptors, or the peer had gone already
                self._accept_error = f"{kind} source: can't accept: {error_text(error)} ({host})"
                events.source_waits(name, self._accept_error)
                await asyncio.sleep(_ACCEPT_AGAIN_SECS)
                continue
            self._accept_error = None
            peer = host_port(*address[:2])
            if len(self._serving) >= self._max_connections:
                events.connection_refused(name, peer, self._max_connections)
                accepted.close()
                continue
            events.connection_opened(name)
            connection = self._connect(address[:2])
            task = loop.create_task(self._open(accepted, connection, peer, accept))
            self._serving[task] = connection
            task.add_done_callback(partial(self._forget, accepted))

    async def _open(
        self, accepted: socket.socket, connection: C, peer: str, accept: Accept
    ) -> None:
        tls = self._ssl_context
        _set_options(accepted)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: cast("asyncio.BaseProtocol", connection),
                accepted,
                ssl=tls,
                ssl_handshake_timeout=self._handshake_secs if tls else None,
                ssl_shutdown_timeout=_TLS_CLOSE_SECS if tls else None,
            )
        except OSError as error:
            events.handshake_failed(self.name, peer, str(error) or type(error).__name__)
            return
        try:
            await self._serve(connection, peer, accept)
        finally:
            await _close(connection)

    def _forget(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        """Forget a connection that is closed."""
        accepted.close()  # still open when the task was cancelled before it began
        del self._serving[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)


async def cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)


async def _close(connection: AcceptedConnection) -> None:
    """Close a connection, with whatever is under way on it."""
    if not connection.connected:
        return
    connection.transport.close()
    try:
        async with asyncio.timeout(_TLS_CLOSE_SECS):
            await connection.lost.wait()
    except TimeoutError:
        pass
    finally:
        connection.transport.abort()


def _set_options(connection: socket.socket) -> None:
    """Send without delay, and have the kernel notice in about two minutes that a peer has gone."""
    with contextlib.suppress(OSError):  # the peer has gone already
        # asyncio does so only for sockets of its own. Head and body of an HTTP answer are two
        # writes, and the second would wait until the peer acknowledges the first.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
