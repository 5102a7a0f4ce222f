"""Listening at an address: the accept loop of every source that others connect to."""

import asyncio
import contextlib
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from typing import Generic, Protocol, TypeVar, cast

from nss import tls
from nss.addresses import host_port, listener
from nss.admission import descriptors
from nss.admission.accepting import AcceptLoop, Address, Host
from nss.admission.places import Limit, NoPlaceError, Place, Places
from nss.batch import Batch
from nss.config.sources import HttpSourceConfig, TcpSourceConfig
from nss.errors import SourceError
from nss.sources import Accept, events
from nss.sources.refusals import Refusals, cause_of_handshake
from nss.wording import error_text

BACKLOG_CONNECTIONS = 1024

REFUSED_LATELY_SECS = 60.0
"""How long a connection that was refused is mentioned in the status."""

_LEAST_EACH = 4
_SHARES = 4
"""Without a setting one address has a quarter of the connections, and not less than four."""

_SETTINGS = {
    Limit.CONNECTIONS: "max_connections",
    Limit.OF_ONE_ADDRESS: "max_connections_per_address",
    Limit.DESCRIPTORS: "LimitNOFILE of the unit",
}

_TLS_CLOSE_SECS = 1.0
"""How long a peer has to answer the end of a TLS connection."""


class AcceptedConnection(Protocol):
    """What a `ListeningSource` needs of the asyncio protocol of a connection."""

    connected: bool
    """Whether `transport` is set; with TLS, once the handshake is done."""
    transport: asyncio.Transport
    lost: asyncio.Event
    """Set once the connection is closed."""

    def shutdown(self) -> None:
        """End the connection once what it has already received is dealt with."""

    def displace(self) -> None:
        """End the connection: nothing complete has come, and another needs its place."""


C = TypeVar("C", bound=AcceptedConnection)


class ListeningSource(ABC, Generic[C]):
    """A source that others connect to; each connection is served by a task of its own.

    At most `max_connections` are open at once, `max_on_trial` of them on trial; see
    `nss.admission.places`. Further connections are reset. The TLS handshake of a connection must be
    done within `handshake_secs`. An error that serving a connection raises is not the connection's
    own, and ends the source.
    """

    def __init__(
        self,
        settings: TcpSourceConfig | HttpSourceConfig,
        ssl_context: ssl.SSLContext | None,
        *,
        max_connections: int,
        handshake_secs: float,
        max_on_trial: int | None = None,
    ) -> None:
        self.name = settings.name
        self.ready = asyncio.Event()
        self.bound_port: int | None = None
        """The port in use: the configured one, unless that is 0."""
        self.refusals = Refusals()
        self._settings = settings
        self._ssl_context = ssl_context
        self._places = Places(
            max_connections,
            _most_each(settings, max_connections),
            max_on_trial,
            descriptors.for_senders,
        )
        self._handshake_secs = handshake_secs
        self._serving: dict[asyncio.Task[None], C] = {}
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._accept_loops: list[AcceptLoop] = []
        self._advice = ""
        self._advice_until = 0.0

    @abstractmethod
    def _connect(self, address: Address, place: Place) -> C:
        """Return the asyncio protocol of a connection from an address, which keeps its place
        once it has shown what it is for.
        """

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
        host = Host(partial(self._begin, self._counting(accept)), self._refused, self._waits)
        self._accept_loops = [AcceptLoop(listening, self._places, host) for listening in listeners]
        accepting = [asyncio.create_task(loop.run()) for loop in self._accept_loops]
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
        for loop in self._accept_loops:
            if loop.trouble is not None:
                return self._cannot_accept(loop.trouble)
        return None

    @property
    def advice(self) -> str | None:
        """Whether connections were refused within the last minute, and what to do."""
        return self._advice if time.monotonic() < self._advice_until else None

    def _fail(self, error: BaseException) -> None:
        """Stop, and have `run` raise this error, unless there was one before."""
        self._failure = self._failure or error
        self._stopping.set()

    def _counting(self, accept: Accept) -> Accept:
        """Return what accepts batches, and notes that refusals are no longer all that happens."""

        async def counted(batch: Batch) -> None:
            await accept(batch)
            self.refusals.accepted(batch.connection or "")

        return counted

    def _handshake_failed(self, peer: str, error: OSError) -> None:
        events.handshake_failed(self.name, peer, tls.error_text(error) or type(error).__name__)
        cause = cause_of_handshake(error)
        if cause is not None:
            self.refusals.note(cause, peer)

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

    def _waits(self, reason: str) -> None:
        events.source_waits(self.name, self._cannot_accept(reason))

    def _cannot_accept(self, reason: str) -> str:
        return (
            f"{self._settings.kind} source: can't accept: {reason} ({self._settings.listen.host})"
        )

    def _begin(
        self, accept: Accept, accepted: socket.socket, address: Address, place: Place
    ) -> None:
        """Serve a connection that has a place."""
        peer = host_port(*address)
        events.connection_opened(self.name)
        connection = self._connect(address, place)
        task = asyncio.create_task(self._open(accepted, connection, peer, accept))
        self._serving[task] = connection
        place.make_way = partial(self._displace, task, connection, peer)
        task.add_done_callback(partial(self._forget, accepted, place))

    def _displace(self, task: asyncio.Task[None], connection: C, peer: str) -> None:
        events.connection_displaced(self.name, peer)
        if connection.connected:
            connection.displace()
        else:
            task.cancel()

    def _refused(self, address: Address, refusal: NoPlaceError) -> None:
        limit, most = refusal.limit, refusal.most
        events.connection_refused(self.name, host_port(*address), most, limit.value)
        self._advice = (
            f"connections are refused: {limit.value} ({most}; see {_SETTINGS[limit]}); "
            f"the last from {address[0]}"
        )
        self._advice_until = time.monotonic() + REFUSED_LATELY_SECS

    async def _open(
        self, accepted: socket.socket, connection: C, peer: str, accept: Accept
    ) -> None:
        context = self._ssl_context
        _set_options(accepted)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: cast("asyncio.BaseProtocol", connection),
                accepted,
                ssl=context,
                ssl_handshake_timeout=self._handshake_secs if context else None,
                ssl_shutdown_timeout=_TLS_CLOSE_SECS if context else None,
            )
        except OSError as error:
            self._handshake_failed(peer, error)
            return
        try:
            await self._serve(connection, peer, accept)
        finally:
            await _close(connection)

    def _forget(self, accepted: socket.socket, place: Place, task: asyncio.Task[None]) -> None:
        """Forget a connection that is closed."""
        accepted.close()  # still open when the task was cancelled before it began
        place.leave()
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


def _most_each(settings: TcpSourceConfig | HttpSourceConfig, max_connections: int) -> int:
    """Return how many connections one address may have."""
    return settings.max_connections_per_address or max(_LEAST_EACH, max_connections // _SHARES)
