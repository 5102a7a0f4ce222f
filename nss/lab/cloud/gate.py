"""What stands before each server of the lab: it notes requests, and lets the faults happen."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response

from nss.lab.cloud import blob_errors, bucket_errors
from nss.lab.cloud.blob_errors import BlobError
from nss.lab.cloud.bucket_errors import BucketError
from nss.lab.cloud.faults import Fault, Faults
from nss.lab.cloud.notes import Notes, Request, ServerName
from nss.lab.cloud.serving import App, hang_up, reset
from nss.lab.cloud.zia import refusals

# Scopes and messages are what ASGI says they are.
Scope = Any
Message = Any
Receive = Callable[[], Any]
Send = Callable[[Any], Any]

_PAGE = "<!DOCTYPE html><html><title>Sign in to the network</title><p>Guest access</p></html>"
_NO_BODY = b"{}              "
"""Stands for the body of an answer that has none and is to be cut."""
_THROTTLED = 429
_THROTTLED_SECS = 35


class Gate:
    """An ASGI application around another one; paths lose their final slash here.

    An answer goes out when the request's body has come: a client that is still sending may not
    see it before. `admit` may answer in the app's place; `clock` is what the server takes for the
    time, in seconds since the epoch.
    """

    def __init__(
        self,
        server: ServerName,
        app: App,
        notes: Notes,
        faults: Faults,
        *,
        admit: Callable[[], Response | None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._app = app
        self._notes = notes
        self._faults = faults
        self._admit = admit
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["path"] = path = scope["path"].rstrip("/") or "/"
        exchange = _Exchange(self, scope, receive, send)
        query = scope["query_string"].decode("ascii", "replace")
        fault = self._faults.take(self._server, f"{scope['method']} {path}?{query}")
        # A connection that is broken off ends its request, also when the lab itself does that.
        with contextlib.suppress(ClientDisconnect, asyncio.CancelledError):
            app = self._admit() or self._app
            if fault is None:
                await app(scope, exchange.receive, exchange.send)
            else:
                await _fail(fault, app, exchange)
        exchange.note(0)

    def note(self, scope: Scope, status: int) -> None:
        """Note a request and the status of its answer; 0: none was sent."""
        self._notes.requests.append(
            Request(time.time(), self._server, scope["method"], scope["path"], status)
        )

    def date(self) -> bytes:
        """Return the server's time, for a `Date` header."""
        return formatdate(self._clock(), usegmt=True).encode()


class _Exchange:
    """One request and its answer, which is noted once, before the client can see it."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._gate = gate
        self._receive = receive
        self._send = send
        self._has_come = False
        self._is_gone = False
        self._is_noted = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._has_come = not message.get("more_body", False)
        self._is_gone = message["type"] == "http.disconnect"
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            while not self._has_come:
                await self.receive()
            self.note(0 if self._is_gone else message["status"])
            message["headers"] = [*message["headers"], (b"date", self._gate.date())]
        await self._send(message)

    def note(self, status: int) -> None:
        if not self._is_noted:
            self._is_noted = True
            self._gate.note(self.scope, status)

    async def disconnected(self) -> None:
        """Wait until the client has gone, which it does not before its body has come."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def break_off(self) -> None:
        self.note(0)
        reset(self.scope)
        await self.disconnected()


async def _fail(fault: Fault, app: App, exchange: _Exchange) -> None:
    scope, receive, send = exchange.scope, exchange.receive, exchange.send
    match fault.kind:
        case "status":
            await _refusal(fault)(scope, receive, send)
        case "html":
            await HTMLResponse(_PAGE)(scope, receive, send)
        case "latency":
            await asyncio.sleep(fault.secs)
            await app(scope, receive, send)
        case "reset":
            await exchange.break_off()
        case "hang":
            exchange.note(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(fault.secs or None):
                    await exchange.disconnected()
            await exchange.break_off()
        case "after":
            await app(scope, receive, _discard)
            await exchange.break_off()
        case "replaced":
            await app(scope, receive, _discard)
            await _refusal(fault)(scope, receive, send)
        case "truncated":
            await _truncate(app, exchange)


async def _truncate(app: App, exchange: _Exchange) -> None:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(exchange.scope, exchange.receive, keep)
    start, *rest = messages
    body = b"".join(message.get("body", b"") for message in rest) or _NO_BODY
    headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
    start["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
    await exchange.send(start)
    half = body[: len(body) // 2]
    await exchange.send({"type": "http.response.body", "body": half, "more_body": True})
    hang_up(exchange.scope)
    await exchange.disconnected()


async def _discard(_message: Message) -> None:
    """Withhold an answer from its client."""


def _refusal(fault: Fault) -> App:
    """Return an answer with a fault's status, in the words of such a server."""
    status = fault.status
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.body is not None:
        media_type = "application/json" if fault.body[:1] in {b"{", b"["} else None
        return Response(fault.body, status, headers, media_type)
    match fault.server:
        case "entra" | "imds" | "zidentity":
            error = "temporarily_unavailable"
            answer: Response = JSONResponse({"error": error, "error_description": error}, status)
        case "blob":
            return _blob_refusal(status, headers)
        case "s3":
            answer = bucket_errors.refusal(BucketError(bucket_errors.code_of(status)), status)
        case "zia":
            answer = refusals.usual(status)
        case "mcas" if status == _THROTTLED:
            answer = throttled(_THROTTLED_SECS)
        case _:
            answer = JSONResponse({"detail": "The lab was told to refuse this."}, status)
    answer.headers.update(headers)
    return answer


def _blob_refusal(status: int, headers: dict[str, str]) -> App:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        error = BlobError(blob_errors.code_of(status))
        refusal = blob_errors.refusal(HttpRequest(scope), error, status)
        refusal.headers.update(headers)
        await refusal(scope, receive, send)

    return refuse


def throttled(secs: int, headers: dict[str, str] | None = None) -> Response:
    """Return Django REST's text for too many requests, which MCAS presumably sends."""
    text = f"Request was throttled. Expected available in {secs} seconds."
    return JSONResponse({"detail": text}, _THROTTLED, headers)
