"""Records pushed over HTTP as Cloud NSS does, on uvicorn's HTTP/1.1 protocol."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial

from uvicorn import Config
from uvicorn.server import ServerState

from nss.addresses import host_port
from nss.sources import Accept, events
from nss.sources.http.app import FULL, PushApp, PushRules
from nss.sources.http.auth import Credentials
from nss.sources.http.protocol import HttpProtocol, protocol_config
from nss.sources.listening import listen, watch_peer
from nss.wording import error_text

_ACCEPT_AGAIN_SECS = 0.2
_TLS_CLOSE_SECS = 1.0
_CONNECTIONS_A_REQUEST = 4
"""So many connections may be open, busy or not, for each request that may be under way."""


class HttpSource:
    """Listens, and answers 200 to a request once every record of its body is accepted.

    A body goes on in batches of about 1 MiB, in order; `connection` of a batch is the peer's
    address. Up to 2 MiB unpacked are held back until the end of the body has come: if it is
    broken, too long, too slow or cut off, nothing of it is accepted. A longer body goes on as it
    comes. When it then fails, or the spool takes only some of the batches in time, what went on
    stays accepted, and comes twice when the sender repeats the request; the log tells how many
    records that are. Every answer but 200 and 400 makes Cloud NSS repeat it.

    A request costs at most about 10 MiB of memory and twice `max_record_bytes`, whatever its body
    unpacks to (zstd: 8 MiB more, for its window), so `max_connections` bounds the whole.
    `is_full` tells whether the spool is full: a request that comes then is answered with 503, and
    so is one of which a batch is not accepted within `accept_secs`.
    """

    # uvicorn.Server is not used: it accepts without limit, lets a TLS handshake take a minute
    # uncounted, and waits in steps of 100 ms. Its protocol does all that is HTTP.

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        max_record_bytes: int,
        path: str = "/",
        token: bytes | None = None,
        basic: bytes | None = None,
        max_body_bytes: int = 32 << 20,
        max_decompressed_bytes: int = 256 << 20,
        max_connections: int = 64,
        body_secs: float = 60.0,
        head_secs: float = 10.0,
        accept_secs: float = 5.0,
        stop_secs: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        """Set once requests are accepted."""
        self.bound_port: int | None = None
        """The port listened at, which is `port` unless that is 0."""
        self._host = host
        self._port = port
        self._rules = PushRules(
            path=path,
            credentials=Credentials(token=token, basic=basic),
            max_record_bytes=max_record_bytes,
            max_body_bytes=max_body_bytes,
            max_decompressed_bytes=max_decompressed_bytes,
            max_requests=max_connections,
            body_secs=body_secs,
            accept_secs=accept_secs,
            is_full=is_full,
        )
        self._head_secs = head_secs
        self._stop_secs = stop_secs
        self._ssl_context = ssl_context
        self._max_open = max_connections * _CONNECTIONS_A_REQUEST
        self._state = ServerState()
        self._serving: dict[asyncio.Task[None], HttpProtocol] = {}
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._accept_error: str | None = None
        self._app: PushApp | None = None

    async def run(self, accept: Accept) -> None:
        """Serve requests until `stop`. Raises `SourceError` when the port can't be had."""
        listeners = await listen("http", self._host, self._port)
        self._app = PushApp(self.name, self._rules, accept, self._fail)
        config = protocol_config(self._app.serve)
        accepting = [asyncio.create_task(self._accept_from(each, config)) for each in listeners]
        self.bound_port = listeners[0].getsockname()[1]
        self.ready.set()
        events.listening(self.name, f"{self._host}:{self.bound_port}")
        try:
            await self._stopping.wait()
            await _cancel(accepting)
            for listener in listeners:
                listener.close()
            await self._finish()
        finally:
            await _cancel(accepting)
            for listener in listeners:
                listener.close()
            await asyncio.gather(*(protocol.close() for protocol in self._serving.values()))
            await _cancel([*self._serving, *self._state.tasks])
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Accept no more requests, and finish those under way.

        A body that has not come after `stop_secs` is given up; its sender will repeat it.
        """
        self._stopping.set()

    @property
    def last_error(self) -> str | None:
        """Why requests can't be accepted now."""
        if self._accept_error is not None:
            return self._accept_error
        why = FULL if self._rules.is_full() else self._app and self._app.held_up
        return None if why is None else f"http source: requests get 503: {why} ({self._host})"

    def _fail(self, failure: BaseException) -> None:
        """End the source for an error that is none of its own."""
        self._failure = self._failure or failure
        self._stopping.set()

    async def _accept_from(self, listener: socket.socket, config: Config) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:  # out of descriptors, or the peer was gone already
                self._accept_error = (
                    f"http source: can't accept: {error_text(error)} ({self._host})"
                )
                events.source_waits(self.name, self._accept_error)
                await asyncio.sleep(_ACCEPT_AGAIN_SECS)
                continue
            self._accept_error = None
            peer = host_port(*address[:2])
            if len(self._serving) >= self._max_open:
                events.connection_refused(self.name, peer, self._max_open)
                connection.close()
                continue
            events.connection_opened(self.name)
            protocol = HttpProtocol(
                config,
                self._state,
                peer=address[:2],
                head_secs=self._head_secs,
                refused=partial(events.request_refused, self.name),
            )
            task = loop.create_task(self._serve(protocol, connection, peer))
            self._serving[task] = protocol
            task.add_done_callback(partial(self._forget, connection))

    def _forget(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        """Let go of a connection that is over; an error that is none of its own ends the source."""
        connection.close()  # which nobody has done when the task was cancelled before it began
        del self._serving[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    async def _serve(self, protocol: HttpProtocol, connection: socket.socket, peer: str) -> None:
        tls = self._ssl_context
        try:
            watch_peer(connection)
            # asyncio does so only for sockets of its own. Head and body of an answer are two
            # writes, and the second would wait until the peer acknowledges the first.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=tls,
                ssl_handshake_timeout=self._head_secs if tls else None,
                ssl_shutdown_timeout=_TLS_CLOSE_SECS if tls else None,
            )
        except OSError as error:
            events.handshake_failed(self.name, peer, str(error) or type(error).__name__)
            return
        await protocol.lost.wait()

    async def _finish(self) -> None:
        """Wait until the requests under way are answered, but not too long."""
        for task, protocol in self._serving.items():
            if protocol.connected:
                protocol.shutdown()
            else:
                task.cancel()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._stop_secs
        while self._state.tasks and (left_secs := deadline - loop.time()) > 0:
            await asyncio.wait(set(self._state.tasks), timeout=left_secs)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
