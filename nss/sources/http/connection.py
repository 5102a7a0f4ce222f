"""uvicorn's HTTP/1.1 protocol, bounded where uvicorn is not: heads, trailers and silence.

uvicorn and llhttp below it already do the following: heads that can be read in two ways
(`Content-Length` with `Transfer-Encoding`, or twice; a bare LF; a blank before the colon), which
request smuggling needs, are refused with 400; a body is not read faster than it is used;
pipelined requests are answered in sequence. tests/sources/http/test_ends.py holds them to it.
"""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from nss.addresses import host_port
from nss.admission.places import Place

MAX_HEAD_BYTES = 32 << 10
"""A longer request head is refused; llhttp alone has no limit."""

KEEP_ALIVE_SECS = 75
"""How long a connection may wait for its next request: longer than proxies keep theirs, which
would otherwise send one into a connection that is being closed."""

_CLOSE_SECS = 1.0

# uvicorn warns for every bad request; events report those, at a limited rate.
_log = logging.getLogger("nss.uvicorn")
_log.setLevel(logging.ERROR)

OnRefused = Callable[[str, int, str], None]
"""Called for a request that was refused before it was complete: peer, status, reason."""


class HttpConnection(HttpToolsProtocol):
    """One connection. A head must come within `head_secs` and `MAX_HEAD_BYTES`."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        *,
        peer: tuple[str, int],
        place: Place,
        head_secs: float,
        refused: OnRefused,
    ) -> None:
        # Requests find the state in their scope: with valid credentials they keep the place.
        super().__init__(config, state, {"place": place}, asyncio.get_running_loop())
        self.logger = _log
        self.access_log = False
        self._peer = peer
        self._head_secs = head_secs
        self._refused = refused
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._overhead_bytes = 0
        """Bytes since the last that were body or ended a head or a message."""
        self._over = False
        """Whether the connection was refused: what still comes is ignored."""
        self._answers_due = False
        """Whether complete requests are answered before it is closed."""
        self.connected = False
        self.lost = asyncio.Event()

    def displace(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and wait for a head."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.client = self._peer
        self.connected = True
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way."""
        self._stop_timer()
        super().connection_lost(exc)
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._over or self.transport.is_closing():
            return
        if not self._busy:  # uvicorn has just stopped its timer for keeping alive
            self._expect_head()
        self._overhead_bytes += len(data)
        super().data_received(data)
        if self._overhead_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long")

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's, not as uvicorn has it
        """Keep the connection for answers to come, if the peer only ended its own side."""
        return self.transport.can_write_eof() and self._end_input()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers, which come after the body, are ignored."""
        if self._in_head:
            super().on_header(name, value.rstrip(b" \t"))  # llhttp leaves what is at the end

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._in_head = False
        self._overhead_bytes = 0
        self._stop_timer()
        if self.parser.should_upgrade():
            # The parser would skip the body, or take it for the next request.
            reason = "records are taken over HTTP/1.1: send the request without Upgrade"
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, reason)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body until the request reads it."""
        self._overhead_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._overhead_bytes = 0
        if not self.parser.should_upgrade():  # else it is of a request that was refused
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        del msg
        self._refuse(HTTPStatus.BAD_REQUEST, "it is no valid HTTP/1.1")

    def on_response_complete(self) -> None:
        """Begin the next request, or close if none can come."""
        if self._over and not self.pipeline:
            self.transport.close()
        super().on_response_complete()

    def _end_input(self) -> bool:
        """Read no further; return whether complete requests are still to be answered.

        A request that is not complete then is forgotten, as it never will be.
        """
        if not self._over and self._busy:
            if not self.cycle.more_body:
                self.cycle.keep_alive = False
                self._answers_due = True
            elif self.pipeline:
                self.pipeline.popleft()
                self._answers_due = True
            self._over = self._answers_due
        return self._answers_due

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_secs, self._head_late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        if self._overhead_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "its head takes too long")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer, and close a moment later; silently after requests still to be answered.

        Closed at once, with bytes unread, the kernel would reset the connection, and the peer
        might never see the answer.
        """
        if self._over or self.transport.is_closing():
            return
        self._refused(host_port(*self._peer[:2]), status.value, reason)
        if self._end_input():
            self.flow.pause_reading()
            return
        self._over = True
        if self._busy:
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
        body = b'{"error":"request refused: %s"}' % reason.encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._stop_timer()
        self._head_timer = self.loop.call_later(_CLOSE_SECS, self.transport.close)
