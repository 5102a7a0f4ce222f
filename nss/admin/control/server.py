"""The service's end of the control socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nss.admin import events
from nss.admin.control.audit_trail import AuditTrail
from nss.admin.control.faults import Fault
from nss.admin.control.listener import Listener
from nss.admin.local_connection import PEER_USER
from nss.admin.local_server import LocalServer, encoded, is_operator
from nss.admin.operations import Operations
from nss.errors import NotAllowed, NssError, ServiceError, UsageError, unplanned
from nss.feeds.tap import Tap, TapKind
from nss.setup.portal_users import Role
from nss.sources.watching import MessageTap
from nss.telemetry.audit import AuditLog, Fact

MAX_CONNECTIONS = 64

MAX_OF_OTHERS = 16
"""Of users who may ask for the status alone."""

STATUS_SHARE = 4
"""A quarter of the connections are for the status alone: it must be there when all else hangs."""

MAX_REJECTS = 500
"""How many rejects an answer has at most, of up to 64 KiB each."""

MAX_AUDITED = 200
"""Characters of the reason of rejects in the audit log: it may quote a record."""

MAX_RETRY_SECS = 60.0
"""How long a retry may be watched."""

T = TypeVar("T")

_Endpoint = Callable[[Request], Awaitable[Response]]


class _Replay(msgspec.Struct):
    feed: str
    since: float
    until: float


class _Chosen(msgspec.Struct):
    feed: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_REJECTS)] = 100


class _Retry(msgspec.Struct):
    feed: str | None = None
    within_secs: Annotated[float, msgspec.Meta(ge=0, le=MAX_RETRY_SECS)] = 0.0


class _Discard(msgspec.Struct):
    upto: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    feed: str | None = None
    reason: str | None = None


class _Linked(msgspec.Struct):
    role: Role = "admin"


class _Tapping(msgspec.Struct):
    feed: str | None = None
    kind: TapKind = "lines"
    text: str = ""
    max_per_sec: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class _Watching(msgspec.Struct):
    source: str
    text: str = ""
    max_per_sec: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class ControlServer:
    """Serves the operations at the control socket at `path`; see the package for the routes."""

    def __init__(self, path: Path, operations: Operations, audit: AuditLog | None = None) -> None:
        self._path = path
        self._trail = AuditTrail(audit)
        self._operations = operations
        self._taps: set[Tap | MessageTap] = set()
        self._listener: Listener | None = None
        self._server: LocalServer | None = None
        self._lengthy = 0
        """Requests under way that may take long."""
        self._app = Starlette(
            routes=[
                _route("GET", "/status", self._status),
                _route("POST", "/reload", self._reload),
                _route("GET", "/replay", self._replayable),
                _route("POST", "/replay", self._replay),
                _route("GET", "/rejects", self._rejects),
                _route("GET", "/rejects/reasons", self._reject_reasons),
                _route("POST", "/rejects/retry", self._retry),
                _route("POST", "/rejects/discard", self._discard),
                _route("POST", "/uploads/now", self._upload_now),
                _route("POST", "/uploads/resume", self._resume_uploads),
                _route("POST", "/portal/link", self._sign_in_link),
                _route("GET", "/tap", self._tap),
                _route("GET", "/messages", self._messages),
            ]
        )

    async def start(self) -> None:
        """Listen. Raises `ConfigError` and `ServiceError`, see `Listener`."""
        self._listener = Listener(self._path)
        self._server = LocalServer(
            "control",
            self._serve,
            self._listener.socket,
            max_connections=MAX_CONNECTIONS,
            max_each=MAX_OF_OTHERS,
            may_stall=True,  # a viewer of a tap may pause
        )
        await self._server.start()

    async def close(self) -> None:
        """End all taps, stop listening, remove the socket file, if there is one."""
        for tap in self._taps:
            tap.close()
        if self._server is not None:
            await self._server.close()
        if self._listener is not None:
            self._listener.close()

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Serve a request, unless its user may not, or too many that take long are under way."""
        if self._server is None or (scope["path"], scope["method"]) == ("/status", "GET"):
            await self._app(scope, receive, send)
            return
        if not is_operator(scope["state"].get(PEER_USER)):
            refusal = NotAllowed(
                f"{scope['path'][1:]}: this user may ask for the status only",
                tip="ask as root or as the user the service runs as: sudo nss ...",
            )
            await _answer(Fault.of(refusal), 403)(scope, receive, send)
            return
        most = self._server.max_connections * (STATUS_SHARE - 1) // STATUS_SHARE
        if self._lengthy >= most:
            busy = ServiceError(
                f"control socket: {most} requests are under way",
                tip="end some: nss tap, nss replay, nss reload, nss upload-now",
            )
            await _answer(Fault.of(busy), 503)(scope, receive, send)
            return
        self._lengthy += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._lengthy -= 1

    async def _status(self, _request: Request) -> Response:
        return _answer(self._operations.status())

    async def _reload(self, request: Request) -> Response:
        async with self._trail.asked(request, "reload"):
            return _answer(await self._operations.reload())

    async def _replayable(self, request: Request) -> Response:
        asked = _asked_replay(request)
        return _answer(await self._operations.replayable(asked.feed, asked.since, asked.until))

    async def _replay(self, request: Request) -> Response:
        asked = _asked_replay(request)
        facts: dict[str, Fact] = {"feed": asked.feed, "since": asked.since, "until": asked.until}
        async with self._trail.asked(request, "replay", **facts) as found:
            found["records"] = await self._operations.replay(asked.feed, asked.since, asked.until)
            return _answer(found["records"])

    async def _rejects(self, request: Request) -> Response:
        asked = _asked(request, _Chosen)
        return _answer(await self._operations.rejects(asked.feed, asked.limit))

    async def _reject_reasons(self, request: Request) -> Response:
        return _answer(await self._operations.reject_reasons(_asked(request, _Chosen).feed))

    async def _retry(self, request: Request) -> Response:
        asked = _asked(request, _Retry)
        async with self._trail.asked(request, "rejects-retry", feed=asked.feed) as found:
            retried = await self._operations.retry_rejects(asked.feed, asked.within_secs)
            found |= {
                "records": retried.records,
                "delivered": retried.delivered,
                "rejected": retried.rejected_records,
                "waiting": retried.waiting,
            }
            return _answer(retried)

    async def _discard(self, request: Request) -> Response:
        asked = _asked(request, _Discard)
        facts: dict[str, Fact] = {
            "feed": asked.feed,
            "for_reason": asked.reason and asked.reason[:MAX_AUDITED],
        }
        async with self._trail.asked(request, "rejects-discard", **facts) as found:
            found["records"] = await self._operations.discard_rejects(
                asked.feed, asked.reason, asked.upto
            )
            return _answer(found["records"])

    async def _upload_now(self, request: Request) -> Response:
        feeds = request.query_params.getlist("feed")
        named = ", ".join(feeds) or None
        async with self._trail.asked(request, "upload-now", feeds=named) as found:
            uploaded = await self._operations.upload_now(feeds)
            found["records"] = sum(each.records for each in uploaded)
            return _answer(uploaded)

    async def _resume_uploads(self, _request: Request) -> Response:
        return _answer(self._operations.resume_uploads())

    async def _sign_in_link(self, request: Request) -> Response:
        role = _asked(request, _Linked).role
        async with self._trail.asked(request, "portal-sign-in-link", role=role):
            return _answer(self._operations.sign_in_link(role))

    async def _tap(self, request: Request) -> Response:
        asked = _asked(request, _Tapping)
        if "\n" in asked.text:
            raise UsageError("tap: no record or line has a line feed in it to look for")
        tap = Tap(asked.feed, asked.kind, asked.text, asked.max_per_sec)
        self._operations.add_tap(tap)
        return self._shown(tap, partial(self._operations.remove_tap, tap))

    async def _messages(self, request: Request) -> Response:
        asked = _asked(request, _Watching)
        tap = MessageTap(asked.source, asked.text, asked.max_per_sec)
        self._operations.add_message_tap(tap)
        return self._shown(tap, partial(self._operations.remove_message_tap, tap))

    def _shown(self, tap: Tap | MessageTap, remove: Callable[[], None]) -> Response:
        self._taps.add(tap)
        return StreamingResponse(self._seen(tap, remove), media_type="application/x-ndjson")

    async def _seen(
        self, tap: Tap | MessageTap, remove: Callable[[], None]
    ) -> AsyncIterator[bytes]:
        try:
            async for seen in tap:
                yield msgspec.json.encode(seen) + b"\n"
        finally:
            remove()
            self._taps.discard(tap)


def _route(method: str, path: str, endpoint: _Endpoint) -> Route:
    """Return a route that answers errors with a fault."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NssError as error:
            fault = Fault.of(error)
        except Exception as error:  # noqa: BLE001 - an operator's question must not hurt the stream
            where = unplanned(error)
            events.request_failed("control", f"{method} {path}", where)
            fault = Fault.of(ServiceError(f"{path[1:]}: {where}"))
        return _answer(fault, fault.http_status)

    return Route(path, answered, methods=[method])


def _asked(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.convert(dict(request.query_params), kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{request.url.path[1:]}: {error}") from None


def _asked_replay(request: Request) -> _Replay:
    asked = _asked(request, _Replay)
    if not (isfinite(asked.since) and isfinite(asked.until)) or asked.since > asked.until:
        raise UsageError("replay: the time it starts at must be before the one it ends at")
    return asked


def _answer(value: object, status: int = 200) -> Response:
    return Response(encoded(value), status, media_type="application/json")
