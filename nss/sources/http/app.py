"""The ASGI application that accepts records pushed as Cloud NSS does, and how it answers.

Cloud NSS takes 200 and 204 as accepted, drops a batch on 400, and repeats it on anything else for
up to an hour. So 400 is only for what is no HTTP. A body that can't be decoded as text gets 415,
and shows in `nss status`. Bad records in a body of text are accepted: feeds reject them, each with
its reason.
"""

import asyncio
import email.utils
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

import orjson

from nss.addresses import host_port
from nss.batch import Batch
from nss.config.sources import HttpSourceConfig
from nss.sources import Accept, events
from nss.sources.http.auth import Credentials
from nss.sources.http.batching import BodyBatcher, Turn
from nss.sources.http.body import Body, GoneError, HttpRefusal, Receive, too_long
from nss.sources.http.condition import Condition
from nss.sources.http.connection import MAX_HEAD_BYTES
from nss.sources.http.origin import is_host, is_same_origin, is_this_machine
from nss.sources.http.text import NotTextError, TextCheck
from nss.sources.http.unpack import BrokenBodyError, Recognised, unpacker
from nss.sources.refusals import Refusals, cause_of_status

_RETRY_AFTER = (b"retry-after", b"5")
_ENCODINGS = (b"accept-encoding", b"gzip, deflate, zstd, identity")

Send = Callable[[dict[str, Any]], Awaitable[None]]
"""ASGI's way to answer."""

_UNUSABLE = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
"""What bodies get that are refused however often they are sent."""

_BROKEN = "the body can't be unpacked: it is damaged, or was cut off"
_NOT_TEXT = "the body is no text: it may be packed otherwise than by gzip or zstd, or not be UTF-8"


class PushApp:
    """Answers requests. An error of the spool is given to `fail`, which ends the source.

    The spool has `accept_secs` to accept a batch; `held_up` returns why it accepts
    nothing of this source now, as half a sentence.
    """

    def __init__(
        self,
        settings: HttpSourceConfig,
        credentials: Credentials,
        accept: Accept,
        *,
        refusals: Refusals,
        accept_secs: float,
        held_up: Callable[[], str | None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._accept = accept
        self._refusals = refusals
        self._accept_secs = accept_secs
        self._held_up = held_up
        self._fail = fail
        self._condition = Condition()
        self._requests = 0
        self._queue = asyncio.Lock()

    @property
    def trouble(self) -> str | None:
        """Why recent requests were refused; `None` once it is known to be over."""
        return self._condition.reason

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = PushRequest(scope, receive, self._settings)
        name = self._settings.name
        try:
            try:
                records = await self._accept_request(request)
            except HttpRefusal as refusal:
                status = refusal.status
                is_push = status is not HTTPStatus.UNAUTHORIZED or request.is_push
                cause = cause_of_status(status) if is_push else "path"
                self._refusals.note(cause, request.peer)
                events.request_refused(
                    name, request.peer, status.value, refusal.reason, request.accepted
                )
                if status in _UNUSABLE:
                    self._condition.unusable(request.peer, status.value, refusal.reason)
                if status is not HTTPStatus.REQUEST_TIMEOUT and request.worth_discarding:
                    await request.body.discard()
                await request.answer(send, status, {"error": refusal.reason}, refusal.headers)
                return
            events.request_accepted(name)
            self._condition.accepted(request.peer, records)
            await request.answer(send, HTTPStatus.OK, {"records": records})
        except GoneError:
            events.request_broken_off(
                name, request.peer, request.body.received_bytes, request.accepted
            )
        except asyncio.CancelledError:  # the source is being stopped
            await request.answer(send, HTTPStatus.SERVICE_UNAVAILABLE, {"error": "stopped"})

    async def _accept_request(self, request: "PushRequest") -> int:
        """Hand on the records of a request; return how many. Raises `HttpRefusal`, `GoneError`."""
        unpack = request.check(self._credentials)
        request.keep_place()
        if self._requests >= self._settings.max_connections:
            raise _busy("too many requests at once")
        if (reason := self._held_up()) is not None:
            raise _busy(reason)
        self._requests += 1
        try:
            return await self._hand_on_body(request, unpack)
        finally:
            self._requests -= 1

    async def _hand_on_body(self, request: "PushRequest", unpack: Recognised) -> int:
        async def hand_on(data: bytes, records: int) -> None:
            batch = Batch(self._settings.name, data, records, connection=request.peer)
            await self._hand_on(batch)
            request.accepted += records

        turn = Turn(self._queue)
        batcher = BodyBatcher(self._settings.max_record_bytes, hand_on, turn)
        text = TextCheck()
        left_bytes = self._settings.max_decompressed_bytes
        try:
            while not request.body.ended:
                for piece in unpack.unpack(await request.body.read()):
                    left_bytes -= len(piece)
                    if left_bytes < 0:
                        raise too_long(self._settings.max_decompressed_bytes, "unpacked")
                    text.add(piece)
                    await batcher.add(piece)
                    await turn.pause()
            rest = unpack.end()
            text.add(rest)
            text.end()
            await batcher.add(rest)
        except BrokenBodyError:
            raise _unsupported(_BROKEN) from None
        except NotTextError:
            raise _unsupported(_NOT_TEXT) from None
        await batcher.end()
        return batcher.records

    async def _hand_on(self, batch: Batch) -> None:
        limit = asyncio.timeout(self._accept_secs)
        try:
            async with limit:
                await self._accept(batch)
        except Exception as error:
            if not limit.expired():
                self._fail(error)
                raise _busy("the spool is broken") from error
            reason = self._held_up() or f"the spool took nothing for {self._accept_secs:g} s"
            self._condition.held_up(reason)
            raise _busy(reason) from None


class PushRequest:
    """One request: what its head says, and its body."""

    def __init__(self, scope: dict[str, Any], receive: Receive, settings: HttpSourceConfig) -> None:
        self.peer = host_port(*scope["client"][:2])
        self.accepted = 0
        """Records that are accepted already: they come twice if the request is repeated."""
        self.body = Body(receive, max_bytes=settings.max_body_bytes, secs=settings.body_secs)
        self._settings = settings
        self._scope = scope

    def check(self, credentials: Credentials) -> Recognised:
        """Return what unpacks the body. Raises `HttpRefusal` if the head is reason enough."""
        if sum(len(name) + len(value) for name, value in self._scope["headers"]) > MAX_HEAD_BYTES:
            raise HttpRefusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long")
        self._check_version_and_host()
        if not credentials.admit(self._scope["headers"]):
            asked = [(b"www-authenticate", challenge) for challenge in credentials.challenges]
            raise HttpRefusal(
                HTTPStatus.UNAUTHORIZED, "the credentials are missing or wrong", asked
            )
        if not credentials.required:
            self._check_origin()
        if self._scope["path"] != self._settings.path:
            raise HttpRefusal(HTTPStatus.NOT_FOUND, "records are taken at another path")
        if self._scope["method"] != "POST":
            raise HttpRefusal(
                HTTPStatus.METHOD_NOT_ALLOWED, "records are taken by POST", [(b"allow", b"POST")]
            )
        self._check_length()
        unpack = unpacker(b",".join(self._values(b"content-encoding")))
        if unpack is None:
            raise _unsupported(
                "the content encoding is none of gzip, deflate, zstd and identity, or several"
            )
        return unpack

    def keep_place(self) -> None:
        """Have the connection keep its place: whoever sent the request may send records."""
        self._scope["state"]["place"].keep()

    @property
    def is_push(self) -> bool:
        """Whether it looks like records that are pushed, whatever its credentials."""
        path, method = self._scope["path"], self._scope["method"]
        return bool(path == self._settings.path and method == "POST")

    @property
    def worth_discarding(self) -> bool:
        """Whether to read the body though it is not wanted."""
        # A sender that asks before it sends the body must not be asked for it now.
        return not self.body.ended and not self._values(b"expect")

    async def answer(
        self,
        send: Send,
        status: HTTPStatus,
        description: dict[str, object],
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Answer; the connection stays open after a well-formed request, read to its end."""
        content = orjson.dumps(description)
        head = [
            (b"date", email.utils.formatdate(usegmt=True).encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            *headers,
        ]
        stays_open = status in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
        if not stays_open or not self.body.ended:
            head.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status.value, "headers": head})
        await send({"type": "http.response.body", "body": content})

    def _check_version_and_host(self) -> None:
        version, hosts = self._scope["http_version"], self._values(b"host")
        if version not in {"1.0", "1.1"}:
            raise HttpRefusal(
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "records are taken over HTTP/1.1"
            )
        if len(hosts) > 1 or not all(map(is_host, hosts)) or (version == "1.1" and not hosts):
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, "the request needs one valid Host header")

    def _check_origin(self) -> None:
        host = next(iter(self._values(b"host")), None)
        if host is not None and not is_this_machine(host, self._settings.listen.host):
            raise HttpRefusal(
                HTTPStatus.FORBIDDEN,
                "without a token, records are taken only for localhost or the address in listen",
            )
        origins = self._values(b"origin")
        if not all(is_same_origin(each, self._scope["scheme"], host or b"") for each in origins):
            raise HttpRefusal(HTTPStatus.FORBIDDEN, "without a token, no web page may push records")

    def _check_length(self) -> None:
        codings = self._values(b"transfer-encoding")
        if codings:
            if self._scope["http_version"] == "1.0":
                # RFC 9112, 6.1: somebody on the way does not know chunked.
                raise HttpRefusal(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer encoding")
            if [coding.strip().lower() for coding in codings] != [b"chunked"]:
                raise HttpRefusal(HTTPStatus.NOT_IMPLEMENTED, "only chunked is known here")
            return
        lengths = self._values(b"content-length")
        if not lengths:
            # In HTTP/1.0 such a body extends to the end of the connection; here it would be lost.
            raise HttpRefusal(HTTPStatus.LENGTH_REQUIRED, "the length of the body is missing")
        if int(lengths[0]) > self._settings.max_body_bytes:
            raise too_long(self._settings.max_body_bytes, "as sent")

    def _values(self, name: bytes) -> list[bytes]:
        return [value for header, value in self._scope["headers"] if header == name]


def _busy(reason: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, [_RETRY_AFTER])


def _unsupported(reason: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason, [_ENCODINGS])
