"""The lab's servers: uvicorn's protocol in a thread and an event loop of their own."""

import asyncio
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from nss.https.serving import server_config

HOST = "127.0.0.1"

_TRANSPORT = "nss.transport"
_BACKLOG = 512
_KEEP_ALIVE_SECS = 75
_START_SECS = 10.0
_TURNS = 4
"""After this many turns of the loop the protocol above TLS knows that a connection is aborted."""
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close() sends RST, socket(7)

# A client that breaks off is nothing to warn of here; an app's own errors are logged.
_log = logging.getLogger("nss.lab")
_log.setLevel(logging.ERROR)


class App(Protocol):
    """An ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...  # noqa: ANN401, D102 - as ASGI has them


@dataclass(frozen=True, slots=True)
class Site:
    """One server: its app, the socket it listens at, and its TLS unless it speaks plain HTTP."""

    app: App
    listener: socket.socket
    tls: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self.listener.getsockname()[1]
        return port


def listener(host: str = HOST) -> socket.socket:
    """Return a socket on a free port of an address, to be given to a `Site`."""
    # asyncio turns Nagle's algorithm off only where the protocol is given.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind((host, 0))
    sock.listen(_BACKLOG)
    sock.settimeout(0)
    return sock


def reset(scope: Any) -> None:  # noqa: ANN401 - as ASGI has it
    """Break off the connection of a request at once, with RST."""
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]["transport"]
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def hang_up(scope: Any) -> None:  # noqa: ANN401 - as ASGI has it
    """Close the connection of a request once what was written has gone."""
    scope["extensions"][_TRANSPORT]["transport"].close()


class Servers:
    """Runs sites between `start` and `stop`; they end with all that is under way."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = sites
        self._thread = threading.Thread(target=self._run, name="cloud-lab", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._connections: set[Any] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Return when all of them accept connections."""
        self._thread.start()
        if not self._started.wait(_START_SECS) or self._failure is not None:
            raise RuntimeError("the lab's servers can't be started") from self._failure

    def stop(self) -> None:
        """Close all connections and return when the thread has ended."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        servers = [await self._open(site) for site in self._sites]
        self._started.set()
        await self._stopping.wait()
        for server in servers:
            server.close()
        for connection in list(self._connections):
            connection.transport.abort()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks)

    async def _open(self, site: Site) -> asyncio.Server:
        config = server_config(site.app, _HttpProtocol, keep_alive_secs=_KEEP_ALIVE_SECS)
        state = ServerState()
        state.connections, state.tasks = self._connections, self._tasks
        return await asyncio.get_running_loop().create_server(
            lambda: _HttpProtocol(config, state), sock=site.listener, ssl=site.tls
        )


class _HttpProtocol(HttpToolsProtocol):
    """One connection, which an app can get at to break it off."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config, state, {})
        self.logger = _log
        self.access_log = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}
