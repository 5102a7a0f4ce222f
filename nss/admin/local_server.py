"""A small HTTP server in the service's own event loop, on a socket that is already bound.

Whoever connects gets an answer, whatever others do: a connection that asks for nothing is closed
after a few seconds, and makes way for the next at once when all places are taken. What it sends is
parsed a piece a turn of the event loop, whoever sends it and however it is made.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import uvicorn
from h11 import IDLE, SEND_BODY, LocalProtocolError
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from nss.addresses import host_port
from nss.admin import events
from nss.admin.turns import Turns
from nss.admission import descriptors
from nss.admission.accepting import AcceptLoop, Address, Host
from nss.admission.places import NoPlaceError, Place, Places
from nss.https.serving import App, server_config

PATIENCE_SECS = 5.0
"""How long a connection may take to ask, wait for its next request, or not read the answer."""

PEER_USER = "peer_user"
"""Where the state of a request has the number of the user at the other end of a unix socket."""

MAX_HEAD_BYTES = 16 << 10
"""Of a request, with all its headers: cookies of other services of a host are among them."""

_PIECE_BYTES = 2 << 10
"""So much is parsed at once: heads of many headers and bodies of many chunks take their time."""
_HEAD_LINES = 256
"""No browser has as many headers, each of which takes a while."""
_HELD_BYTES = 64 << 10
"""So much is read ahead of that."""

_CLOSE_SECS = 1.0
_CREDENTIALS = struct.Struct("3i")
"""`struct ucred` of unix(7): process, user, group."""


class LocalServer:
    """Serves an ASGI app. Signals, the choice of the loop and logging stay the service's own.

    At most `max_connections` are open at once, of one address `max_each`; both are lower in a
    process that may have few descriptors. With `may_stall` a peer that stops reading in the middle
    of an answer is waited for. `ssl_context` is for TLS. `part` names the server in events.
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
        self._places = Places(self.max_connections, max_each or max_connections)
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Accept connections from now on."""
        self._listener.settimeout(0)
        host = Host(self._welcome, self._turned_away, partial(events.accepting_waits, self._part))
        # Who has connected is served first: newcomers would take the places of those who wait.
        loop = AcceptLoop(self._listener, self._places, host, self._turns.mine)
        self._accepting = asyncio.create_task(loop.run())

    async def close(self) -> None:
        """Stop accepting, let responses under way end within a second, close the socket."""
        if self._accepting is not None:
            await _cancel({self._accepting})
        self._listener.close()
        for connection in list(self._state.connections):
            if isinstance(connection, _Connection):
                connection.finish()
        if self._serving:
            await asyncio.wait(self._serving, timeout=_CLOSE_SECS)
        await _cancel(self._serving)
        await _cancel(self._state.tasks)

    def _welcome(self, accepted: socket.socket, _address: Address, place: Place) -> None:
        connection = _Connection(
            self._config,
            self._state,
            part=self._part,
            place=place,
            turns=self._turns,
            patience_secs=self._patience_secs,
            may_stall=self._may_stall,
            peer_user=_peer_user(accepted),
        )
        task = asyncio.create_task(self._serve(accepted, connection))
        place.make_way = partial(self._displace, task)
        self._serving.add(task)
        task.add_done_callback(partial(self._forget, accepted, place))

    async def _serve(self, accepted: socket.socket, connection: "_Connection") -> None:
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
        connection: _Connection = scope["state"]["connection"]
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


def _peer_user(accepted: socket.socket) -> int | None:
    if accepted.family != socket.AF_UNIX:
        return None
    data = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


class _Flow(FlowControl):
    """When a connection reads: not before what has come already is parsed."""

    def __init__(self, transport: asyncio.Transport, parse: Callable[[], None]) -> None:
        super().__init__(transport)
        self._parse = parse

    def resume_reading(self) -> None:
        """Go on with what has come, then with what comes."""
        if self.read_paused:
            self.read_paused = False
            self._parse()


class _Connection(H11Protocol):
    """One connection: idle, or with a request under way.

    It keeps its place while it waits for us, and a request that has come entirely is under way.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        *,
        part: str,
        place: Place,
        turns: Turns,
        patience_secs: float,
        may_stall: bool,
        peer_user: int | None,
    ) -> None:
        known = {"connection": self, PEER_USER: peer_user}
        super().__init__(config, state, known, asyncio.get_running_loop())
        self.lost = asyncio.Event()
        self._part = part
        self._place = place
        self._turns = turns
        self._received = bytearray()
        self._has_turn = False
        """Whether it waits for one."""
        self._patience_secs = patience_secs
        self._may_stall = may_stall
        self._is_busy = False
        self._is_ended = False
        """Whether the peer sends no more: it may still read the answer."""
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Note that a request is under way."""
        self._is_busy = True
        self._settle()
        self._watch()

    def end(self) -> None:
        """Note that the request is answered, though perhaps not all of it is sent."""
        self._is_busy = False
        self._settle()
        if self._is_ended and not self._received and not self._has_turn:
            self.transport.close()
        self._watch()

    def finish(self) -> None:
        """Close the connection once the request under way, if any, is answered."""
        if self._is_busy:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def abandon(self) -> None:
        """Close the connection at once, if it is open."""
        if self.transport is not None and not self.lost.is_set():
            self.transport.abort()
            # The loop does not say so of one whose task was cancelled before it was all set up.
            self._stop_watching()
            self.connections.discard(self)
            self.lost.set()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvloop's is no Transport
        self.flow = _Flow(self.transport, self.handle_events)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Have it parsed, in turns."""
        self._unset_keepalive_if_required()
        self._received += data
        if len(self._received) > _HELD_BYTES:
            self.transport.pause_reading()
        self.handle_events()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Close, or answer first what has come and nobody has begun to answer."""
        self._is_ended = True
        is_asked = self.cycle is not None and not self.cycle.response_started
        is_waiting = is_asked or self._has_turn or bool(self._received)
        return is_waiting and self.transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Release whoever serves it."""
        self._stop_watching()
        super().connection_lost(exc)
        self.lost.set()

    def resume_writing(self) -> None:
        """Note that the peer reads."""
        super().resume_writing()
        self._settle()

    # Parsing.

    def handle_events(self) -> None:
        """Parse what has come, and begin what it asks for, in the next turns."""
        if not self._has_turn:
            self._has_turn = True
            self._settle()
            self._turns.wait(self._parse)

    def _parse(self) -> bool:
        """Parse for a turn; return whether a request begins."""
        self._has_turn = False
        if self._is_over():
            return False
        before = self.cycle
        try:
            super().handle_events()
            if self._received and self._may_go_on():
                self._take_piece()
                super().handle_events()
            if self._may_go_on() and self._has_large_head():
                self.send_400_response("There are too many headers.")
        except LocalProtocolError:  # nonsense behind a request that is being answered
            self.transport.abort()
        if self._may_go_on():
            if self._received:
                self.handle_events()
            else:
                self.transport.resume_reading()
        begins = self.cycle is not before
        if self._is_ended and not begins and not self._is_busy and not self._received:
            self.transport.close()  # what would complete the request never comes
        self._settle()
        return begins

    def _has_large_head(self) -> bool:
        is_head = self.conn.their_state is IDLE
        return is_head and self.conn.trailing_data[0].count(b"\n") > _HEAD_LINES

    def _may_go_on(self) -> bool:
        return not self.flow.read_paused and not self._is_over()

    def _is_over(self) -> bool:
        return self.lost.is_set() or self.transport.is_closing()

    def _take_piece(self) -> None:
        is_plain = self.conn.their_state is SEND_BODY and not any(
            name == b"transfer-encoding" for name, _ in self.headers
        )
        piece_bytes = _HELD_BYTES if is_plain else _PIECE_BYTES
        self.conn.receive_data(bytes(self._received[:piece_bytes]))
        del self._received[:piece_bytes]

    # Patience.

    def _settle(self) -> None:
        """Keep the place while the peer waits for us, risk it while we wait for the peer."""
        if self._has_turn:
            self._place.keep()
        elif self.conn.their_state is SEND_BODY:
            self._place.risk()
        elif self._is_busy or self.flow.write_paused or self.conn.their_state is not IDLE:
            self._place.keep()
        else:
            self._place.risk()

    def _watch(self) -> None:
        """Look again in a while; what happens until then is waited for no longer than that."""
        self._stop_watching()
        if not self.transport.is_closing() or self.transport.get_write_buffer_size():
            self._unsent_bytes = self.transport.get_write_buffer_size()
            self._timer = self.loop.call_later(self._patience_secs, self._look)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        unsent_bytes = self.transport.get_write_buffer_size()
        if self._is_ended and not unsent_bytes:
            self.transport.abort()  # nobody says whether it still reads
            return
        if unsent_bytes and unsent_bytes == self._unsent_bytes:
            if not (self._is_busy and self._may_stall):
                events.connection_stalled(self._part, unsent_bytes)
                self.transport.abort()
                return
        elif not unsent_bytes and not self._is_busy:
            self.transport.abort()
            return
        self._watch()


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
