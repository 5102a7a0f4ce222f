"""A small HTTP server in the service's own event loop, on a socket that is already bound.

Whoever connects gets an answer, whatever others do: a connection that asks for nothing is closed
after a few seconds, and makes way for the next at once when all places are taken. What it sends is
parsed a piece a turn of the event loop, whoever sends it and however it is made.
"""

import asyncio
import json
import os
import socket
import ssl
import struct
from functools import partial
from typing import Any

import msgspec
from uvicorn.server import ServerState

from nss.addresses import host_port
from nss.admin import events
from nss.admin.local_connection import Connection
from nss.admin.turns import Turns
from nss.admission import descriptors
from nss.admission.accepting import AcceptLoop, Address, Host
from nss.admission.places import NoPlaceError, Place, Places
from nss.https.serving import App, server_config

PATIENCE_SECS = 5.0
"""How long a connection may take to ask, wait for its next request, or not read the answer."""

MAX_HEAD_BYTES = 16 << 10
"""Of a request, with all its headers: cookies of other services of a host are among them."""

_CLOSE_SECS = 1.0
_CREDENTIALS = struct.Struct("3i")
"""`struct ucred` of unix(7): process, user, group."""


_OPERATORS, _OTHERS = "operators", "others"


def is_operator(user: int | None) -> bool:
    """Return whether the user at the other end of a unix socket may ask for everything."""
    return user in {0, os.getuid()}


class LocalServer:
    """Serves an ASGI app. Signals, the choice of the loop and logging stay the service's own.

    At most `max_connections` are open at once, of one address `max_each`; both are lower in a
    process that may have few descriptors. At a unix socket `max_each` is for all users together
    who are no operators. With `may_stall` a peer, there an operator, that stops reading in the
    middle of an answer is waited for. `ssl_context` is for TLS. `part` names the server in events.
    """

    def __init__(
        self,
        part: str,
        app: App,
        listener: socket.socket,
        *,
        max_connections: int,
        max_each: int | None = None,
        may_stall: bool = False,
        patience_secs: float = PATIENCE_SECS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        # The descriptors that connections of senders leave alone are for this, too.
        self.max_connections = min(max_connections, max(1, descriptors.reserved() // 4))
        self._part = part
        self._app = app
        self._listener = listener
        self._may_stall = may_stall
        self._patience_secs = patience_secs
        self._ssl_context = ssl_context
        self._config = server_config(self._serve_request, "h11", max_head_bytes=MAX_HEAD_BYTES)
        self._turns = Turns()
        self._state = ServerState()
        self._is_local = listener.family == socket.AF_UNIX
        self._places = Places(
            self.max_connections,
            max_each or max_connections,
            unlimited=_OPERATORS if self._is_local else None,
        )
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Accept connections from now on."""
        self._listener.settimeout(0)
        host = Host(self._welcome, self._turned_away, partial(events.accepting_waits, self._part))
        # Who has connected is served first: newcomers would take the places of those who wait.
        whose = _whose if self._is_local else None
        loop = AcceptLoop(self._listener, self._places, host, self._turns.mine, whose)
        self._accepting = asyncio.create_task(loop.run())

    async def close(self) -> None:
        """Stop accepting, let responses under way end within a second, close the socket."""
        if self._accepting is not None:
            await _cancel({self._accepting})
        self._listener.close()
        for connection in list(self._state.connections):
            if isinstance(connection, Connection):
                connection.finish()
        if self._serving:
            await asyncio.wait(self._serving, timeout=_CLOSE_SECS)
        await _cancel(self._serving)
        await _cancel(self._state.tasks)

    def _welcome(self, accepted: socket.socket, _address: Address, place: Place) -> None:
        user = _peer_user(accepted) if self._is_local else None
        connection = Connection(
            self._config,
            self._state,
            part=self._part,
            place=place,
            turns=self._turns,
            patience_secs=self._patience_secs,
            may_stall=self._may_stall and (not self._is_local or is_operator(user)),
            peer_user=user,
        )
        task = asyncio.create_task(self._serve(accepted, connection))
        place.make_way = partial(self._displace, task)
        self._serving.add(task)
        task.add_done_callback(partial(self._forget, accepted, place))

    async def _serve(self, accepted: socket.socket, connection: Connection) -> None:
        """Serve a connection until it is closed."""
        loop = asyncio.get_running_loop()
        # A peer that keeps the handshake waiting is not waited for longer than any other.
        handshake_secs = None if self._ssl_context is None else self._patience_secs
        try:
            if self._ssl_context is not None:
                # What a handshake computes takes milliseconds: not those of many in one turn.
                await _readable(accepted, self._patience_secs)
                await self._turns.mine()
            await loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._ssl_context,
                ssl_handshake_timeout=handshake_secs,
            )
            await connection.lost.wait()
        except OSError:  # the peer has gone already, or speaks no TLS
            return
        finally:
            connection.abandon()

    def _displace(self, task: asyncio.Task[None]) -> None:
        events.connection_displaced(self._part)
        task.cancel()

    def _forget(self, accepted: socket.socket, place: Place, task: asyncio.Task[None]) -> None:
        accepted.close()  # still open when the task was cancelled before it began
        place.leave()
        self._serving.discard(task)

    def _turned_away(self, address: Address, refusal: NoPlaceError) -> None:
        limit, most = refusal.limit, refusal.most
        events.connection_refused(self._part, host_port(*address), most, limit.value)

    async def _serve_request(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        connection: Connection = scope["state"]["connection"]
        connection.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            connection.end()


async def _readable(connection: socket.socket, within_secs: float) -> None:
    """Wait until the peer has sent something or has gone. Raises `TimeoutError`."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), within_secs)
    finally:
        loop.remove_reader(connection)


def _whose(accepted: socket.socket) -> str:
    return _OPERATORS if is_operator(_peer_user(accepted)) else _OTHERS


def _peer_user(accepted: socket.socket) -> int:
    """Return the user who connected to a unix socket."""
    data = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


def encoded(value: object) -> bytes:
    """Return a value as JSON, even when text in it (a path, say) is not Unicode."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        plain = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        return plain.encode("utf-8", "replace")
