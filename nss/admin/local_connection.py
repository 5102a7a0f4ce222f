"""One connection of a local server: parsed in turns, and not waited for long."""

import asyncio
from collections.abc import Callable

import uvicorn
from h11 import IDLE, SEND_BODY, LocalProtocolError
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from nss.admin import events
from nss.admin.turns import Turns
from nss.admission.places import Place

PEER_USER = "peer_user"
"""Where the state of a request has the number of the user at the other end of a unix socket."""

_PIECE_BYTES = 2 << 10
"""So much is parsed at once: heads of many headers and bodies of many chunks take their time."""
_HEAD_LINES = 256
"""No browser has as many headers, each of which takes a while."""
_HELD_BYTES = 64 << 10
"""So much is read ahead of that."""


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


class Connection(H11Protocol):
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
        self._is_at_end = False
        """Whether the peer sends no more, and waits for an answer."""
        self._patience_secs = patience_secs
        self._may_stall = may_stall
        self._is_busy = False
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
        self._close_at_end()
        self._settle()
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

    def connection_lost(self, exc: Exception | None) -> None:
        """Release whoever serves it."""
        self._stop_watching()
        super().connection_lost(exc)
        self.lost.set()

    def resume_writing(self) -> None:
        """Note that the peer reads."""
        super().resume_writing()
        self._settle()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's closes in any case
        """Close, but not before what has come is answered: the peer may still read.

        An answer that has begun may have no end. (With TLS there is no such state.)
        """
        is_begun = self._is_asked() and self.cycle.response_started
        is_waiting = self._has_turn or self._is_asked()
        self._is_at_end = self.scheme == "http" and is_waiting and not is_begun
        return self._is_at_end

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
            elif not self._is_at_end:
                self.transport.resume_reading()
        self._close_at_end()
        self._settle()
        return self.cycle is not before

    def _close_at_end(self) -> None:
        """Close when the peer sends no more, and has had its answers."""
        if self._is_at_end and not self._has_turn and not self._is_asked():
            self.transport.close()

    def _is_asked(self) -> bool:
        """Return whether there is a request, all of it, that is not answered."""
        is_whole = self.cycle is not None and self.conn.their_state is not SEND_BODY
        return is_whole and not self.cycle.response_complete

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
        if unsent_bytes and unsent_bytes == self._unsent_bytes:
            if not (self._is_busy and self._may_stall):
                events.connection_stalled(self._part, unsent_bytes)
                self.transport.abort()
                return
        elif not unsent_bytes and not self._is_busy:
            self.transport.abort()
            return
        self._watch()
