"""Records pushed over HTTP as Cloud NSS does, on uvicorn's HTTP/1.1 protocol."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from nss.admission.accepting import Address
from nss.admission.places import Place
from nss.config.sources import HttpSourceConfig
from nss.https.serving import server_config
from nss.sources import Accept, events
from nss.sources.http.app import PushApp, Send
from nss.sources.http.auth import Credentials
from nss.sources.http.body import Receive
from nss.sources.http.connection import KEEP_ALIVE_SECS, HttpConnection
from nss.sources.listening import ListeningSource, cancel
from nss.sources.refusals import cause_of_status

_CONNECTIONS_A_REQUEST = 4
"""How many connections may be open, busy or not, for each request that may be under way."""


class HttpSource(ListeningSource[HttpConnection]):
    """Listens, and answers 200 to a request once every record of its body is accepted.

    A body is handed on in batches of about 1 MiB, in order; `connection` of a batch is the peer's
    address. Up to 2 MiB unpacked are held back until the end of the body has come: if it is
    broken, too long, too slow or cut off, nothing of it is accepted. A longer body is handed on as
    it comes. If it then fails, or the spool accepts only some of the batches in time, those stay
    accepted, and come twice when the sender repeats the request; the log says how many records
    these are. Every answer but 200 and 400 makes Cloud NSS repeat it.

    A request costs at most about 10 MiB of memory and twice `max_record_bytes`, whatever its body
    unpacks to (zstd: 8 MiB more, for its window), so `max_connections` bounds the total. A request
    is answered with 503 when `held_up` says why nothing can be accepted, and when a batch of it is
    not accepted within `accept_secs`.
    """

    # uvicorn.Server is not used: it accepts without limit, does not count connections whose TLS
    # handshake takes up to a minute, and waits in steps of 100 ms. Its protocol does all the HTTP.

    _settings: HttpSourceConfig

    def __init__(
        self,
        settings: HttpSourceConfig,
        *,
        credentials: Credentials,
        held_up: Callable[[], str | None],
        ssl_context: ssl.SSLContext | None = None,
        head_secs: float = 10.0,
        accept_secs: float = 5.0,
        stop_secs: float = 5.0,
    ) -> None:
        super().__init__(
            settings,
            ssl_context,
            max_connections=settings.max_connections * _CONNECTIONS_A_REQUEST,
            max_on_trial=settings.max_connections * _CONNECTIONS_A_REQUEST // 2,
            handshake_secs=head_secs,
        )
        self._credentials = credentials
        self._held_up = held_up
        self._accept_secs = accept_secs
        self._stop_secs = stop_secs
        self._state = ServerState()
        self._app: PushApp | None = None
        self._config: Config

    async def run(self, accept: Accept) -> None:
        """Serve requests until `stop`, and finish those under way.

        A body that has not come `stop_secs` later is given up; its sender will repeat it.
        """
        self._app = app = PushApp(
            self._settings,
            self._credentials,
            self._counting(accept),
            refusals=self.refusals,
            accept_secs=self._accept_secs,
            held_up=self._held_up,
            fail=self._fail,
        )

        # uvicorn first calls what it gets without arguments, to see whether that makes an
        # application; a function with three parameters is none, however `PushApp` is wrapped.
        def serve(scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
            return app.serve(scope, receive, send)

        # uvicorn has no limit of its own here: its 503 has no Retry-After.
        self._config = server_config(serve, HttpConnection, keep_alive_secs=KEEP_ALIVE_SECS)
        try:
            await super().run(accept)
        finally:
            await cancel(self._state.tasks)

    @property
    def last_error(self) -> str | None:
        """Why requests can't be accepted now, or the bodies of some sender can't be used."""
        if (error := super().last_error) is not None:
            return error
        trouble = self._app and self._app.trouble
        if (reason := self._held_up()) is not None:
            trouble = f"requests get 503: {reason}"
        host = self._settings.listen.host
        return None if trouble is None else f"http source: {trouble} ({host})"

    def _connect(self, address: Address, place: Place) -> HttpConnection:
        return HttpConnection(
            self._config,
            self._state,
            peer=address,
            place=place,
            head_secs=self._handshake_secs,
            refused=self._request_refused,
        )

    def _request_refused(self, peer: str, status: int, reason: str) -> None:
        events.request_refused(self.name, peer, status, reason)
        self.refusals.note(cause_of_status(status), peer)

    async def _serve(self, connection: HttpConnection, peer: str, accept: Accept) -> None:
        del peer, accept  # the application has the requests
        await connection.lost.wait()

    async def _drain(self) -> None:
        """Wait until the requests under way are answered, but at most `stop_secs`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._stop_secs
        while self._state.tasks and (left_secs := deadline - loop.time()) > 0:
            await asyncio.wait(set(self._state.tasks), timeout=left_secs)
