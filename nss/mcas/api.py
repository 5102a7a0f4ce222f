"""The API of MCAS that NSS needs: upload in three steps, and the reads that prove arrival.

    GET  /api/v1/discovery/upload_url/?filename=..&source=..   -> {"url": .., "provider": ..}
    PUT  that url                                              the file, to a storage of its own
    POST /api/v1/discovery/done_upload/  {"uploadUrl": .., "inputStreamName": ..}
    GET  /api/discovery/streams/                               the data sources
    GET  /api/discovery_block_scripts/?..                      see `nss.mcas.unsanctioned`
    POST /api/v1/governance/                                   see `nss.mcas.governance`

An upload URL is a secret: whoever has it may write there.
"""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

import httpx
import orjson

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import (
    RequestRefused,
    Unconfirmed,
    Unreachable,
    api_errors,
    governance,
    unreachable,
)
from nss.secret import Secret
from nss.wording import error_text

SINGLE_PUT_BYTES = 64 << 20
"""Larger files go in blocks: the storage's oldest limit for one PUT."""

BLOCK_BYTES = 32 << 20

PIECE_BYTES = 256 << 10

MAX_ANSWER_BYTES = 4 << 20

_MAX_PORT = 65_535


class Authorization(Protocol):
    """What the `Authorization` header is made of."""

    async def header(self) -> Secret:
        """Return the header's value. Raises `McasError`."""

    def refused(self) -> None:
        """MCAS refused the last header (401). Raises `McasError` if there will be no other."""


class UploadUrl(Secret):
    """A URL to upload a file to, and whose storage is there."""

    __slots__ = ("is_s3",)

    def __init__(self, text: str, *, is_s3: bool) -> None:
        super().__init__(text)
        self.is_s3 = is_s3


@dataclass(frozen=True, slots=True)
class Stream:
    """A data source of Cloud Discovery."""

    name: str
    last_received: str | None
    """As the service writes it (ISO 8601, UTC)."""
    failed_files: int
    log_type: int | None
    receiver: str
    """The receiver's type and protocol, as the service names them."""
    stream_id: str | None = None
    """What entries of the governance log name it by."""


class McasApi:
    """One tenant's API. Every call raises `McasError`, and only that.

    `api_url` has no path. All calls that share a `limiter` share its turns; what goes to the
    storage is not counted there.
    """

    def __init__(
        self, api_url: str, authorization: Authorization, network: Network, limiter: Limiter
    ) -> None:
        self.api_url = api_url
        self._authorization = authorization
        self._limiter = limiter
        self._client = network.client()
        self._proxy = network.proxy_place
        self._under_way = 0

    @property
    def is_busy(self) -> bool:
        """Whether an answer is waited for: `close` would break it off."""
        return self._under_way > 0

    async def close(self) -> None:
        """Close the connections; what is asked from then on is `Unreachable`."""
        await self._client.aclose()

    async def initiate(self, filename: str, source_type: str) -> Secret:
        """Return a URL to upload a file to."""
        try:
            answer = await self._object(
                "GET",
                "/api/v1/discovery/upload_url/",
                {"params": {"filename": filename, "source": source_type}},
            )
        except RequestRefused as error:
            raise _about_type(error, source_type, self.api_url) from None
        url = answer.get("url")
        if not isinstance(url, str) or not _is_upload_url(url):
            raise Unreachable(f"MCAS gave no upload URL ({self.api_url})")
        provider = answer.get("provider")
        return UploadUrl(url, is_s3=isinstance(provider, str) and provider.lower() == "aws")

    async def put(
        self,
        upload_url: Secret,
        file: IO[bytes],
        size_bytes: int,
        *,
        single_put_bytes: int = SINGLE_PUT_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """Upload the first `size_bytes` of a file. Raises `UploadExpired` for an old URL.

        To S3 it goes in one piece, whatever its size: the URL is signed for one request.
        """
        url = httpx.URL(upload_url.reveal())
        if isinstance(upload_url, UploadUrl) and upload_url.is_s3:
            await self._store(url, _pieces(file, 0, size_bytes), size_bytes, {}, is_s3=True)
            return
        if size_bytes <= single_put_bytes:
            kind = {"x-ms-blob-type": "BlockBlob"}
            await self._store(url, _pieces(file, 0, size_bytes), size_bytes, kind)
            return
        names: list[str] = []
        for at in range(0, size_bytes, block_bytes):
            name = base64.b64encode(f"{len(names):08d}".encode()).decode()
            block = url.copy_merge_params({"comp": "block", "blockid": name})
            length = min(block_bytes, size_bytes - at)
            await self._store(block, _pieces(file, at, length), length, {})
            names.append(name)
        latest = "".join(f"<Latest>{name}</Latest>" for name in names)
        text = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'.encode()
        blocks = url.copy_merge_params({"comp": "blocklist"})
        await self._store(blocks, text, len(text), {"content-type": "application/xml"})

    async def finalize(self, upload_url: Secret, data_source: str) -> str | None:
        """Hand an uploaded file over to Cloud Discovery; return the id of its stream, if known.

        Only `success` in the answer is a yes. Raises `Unconfirmed` for an answer without it that is
        no refusal either.
        """
        try:
            answer = await self._json(
                "POST",
                "/api/v1/discovery/done_upload/",
                {"json": {"uploadUrl": upload_url.reveal(), "inputStreamName": data_source}},
            )
        except _Senseless:
            answer = None
        if not isinstance(answer, dict) or answer.get("success") is not True:
            raise Unconfirmed(f"MCAS answered with neither a yes nor a no ({self.api_url})")
        return _text(answer.get("inputStreamId"))

    async def streams(self) -> list[Stream]:
        """Return the data sources."""
        answer = await self._json("GET", "/api/discovery/streams/", {})
        # Documented as one object, seen as a list of such objects under `streams`.
        if isinstance(answer, dict):
            answer = answer.get("streams", answer.get("data", [answer]))
        if not isinstance(answer, list):
            raise Unreachable(f"MCAS gave no list of data sources ({self.api_url})")
        return [
            _stream(entry)
            for entry in answer
            if isinstance(entry, dict) and _text(entry.get("displayName"))
        ]

    async def governance(self, since: float, skip: int = 0) -> governance.Page:
        """Return entries of the governance log from a time on, seconds since the epoch.

        Raises `UnreadableLog` for an answer of an unknown shape.
        """
        request = {"json": governance.question(since, skip)}
        answer = await self._json("POST", "/api/v1/governance/", request)
        return governance.page(answer, skip, self.api_url)

    async def get(self, path: str, params: Mapping[str, str | int]) -> tuple[httpx.Headers, bytes]:
        """Return headers and body of a successful answer, whatever is in it."""
        _, headers, body = await self._accepted("GET", path, {"params": params})
        return headers, body

    # One request.

    async def _object(
        self, method: str, path: str, request: Mapping[str, object]
    ) -> dict[str, object]:
        answer = await self._json(method, path, request)
        if not isinstance(answer, dict):
            raise self._makes_no_sense()
        return answer

    def _makes_no_sense(self) -> Unreachable:
        return _Senseless(f"MCAS gave an answer that makes no sense ({self.api_url})")

    async def _json(self, method: str, path: str, request: Mapping[str, object]) -> object:
        status, headers, body = await self._accepted(method, path, request)
        try:
            found: object = orjson.loads(body) if body.strip() else {}
        except orjson.JSONDecodeError:
            if body.lstrip()[:1] == b"<":
                raise unreachable.web_page("MCAS", self.api_url) from None
            raise self._makes_no_sense() from None
        if api_errors.is_refusal(found):
            raise api_errors.refusal(status, headers, body, self.api_url)
        return found

    async def _accepted(
        self, method: str, path: str, request: Mapping[str, object]
    ) -> tuple[int, httpx.Headers, bytes]:
        """Return an answer whose status is no refusal."""
        status, headers, body = await self._ask(method, path, request)
        if status == httpx.codes.UNAUTHORIZED:
            if not api_errors.is_of_other_region(body):
                self._authorization.refused()  # it may have been revoked before its time
            status, headers, body = await self._ask(method, path, request)
        if status >= httpx.codes.MULTIPLE_CHOICES:
            raise api_errors.refusal(status, headers, body, self.api_url)
        return status, headers, body

    async def _ask(
        self, method: str, path: str, request: Mapping[str, object]
    ) -> tuple[int, httpx.Headers, bytes]:
        header = await self._authorization.header()
        await self._limiter.turn()
        headers = {"authorization": header.reveal(), "accept": "application/json"}
        return await self._answer(method, f"{self.api_url}{path}", {"headers": headers, **request})

    async def _store(
        self,
        url: httpx.URL,
        content: bytes | AsyncIterator[bytes],
        size_bytes: int,
        headers: dict[str, str],
        *,
        is_s3: bool = False,
    ) -> None:
        """Send something to the storage; the URL's query is what authorises it.

        Azure's yes is 201, that of S3 is 200 without a body: a sign-in page has one.
        """
        request = {"headers": headers | {"content-length": str(size_bytes)}, "content": content}
        status, answered, body = await self._answer("PUT", url, request)
        is_done = status == httpx.codes.OK and not body if is_s3 else status == httpx.codes.CREATED
        if not is_done:
            raise api_errors.storage_refusal(status, answered, body, f"https://{url.host}")

    async def _answer(
        self, method: str, url: httpx.URL | str, request: dict[str, Any]
    ) -> tuple[int, httpx.Headers, bytes]:
        """Send a request; all that the network does to it becomes an `McasError`."""
        place = f"https://{httpx.URL(url).netloc.decode()}"
        if self._client.is_closed:  # while a turn or a token was waited for
            raise Unreachable(f"the credentials were replaced meanwhile ({place})")
        body = bytearray()
        self._under_way += 1
        try:
            async with self._client.stream(method, url, **request) as response:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise Unreachable(f"the answer is too long to be one ({place})")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # Without its text: httpx quotes URLs.
            raise unreachable.no_answer(error, place, self._proxy) from None
        finally:
            self._under_way -= 1
        return response.status_code, response.headers, bytes(body)


class _Senseless(Unreachable):
    """What came is not JSON, or JSON of another shape."""


def _is_upload_url(text: str) -> bool:
    """Return whether a request can be sent there: what is no URL would end in any exception."""
    try:
        url = httpx.URL(text)
        return url.scheme == "https" and bool(url.host) and (url.port or 0) <= _MAX_PORT
    except (httpx.InvalidURL, ValueError):  # `ValueError`: no host by the rules of IDNA
        return False


def _about_type(error: RequestRefused, source_type: str, place: str) -> RequestRefused:
    """Return what a refusal to begin an upload means: the type is all that can be wrong in it."""
    if error.status != httpx.codes.BAD_REQUEST or error.code is not None:
        return error
    return RequestRefused(
        f"MCAS begins no upload of a file of the type {source_type}: HTTP {error.status} ({place})",
        tip="see that source_type in [mcas] is a type of files that Cloud Discovery documents",
        status=error.status,
    )


async def _pieces(file: IO[bytes], at: int, size_bytes: int) -> AsyncIterator[bytes]:
    """Yield some bytes of a file; it was written just now, so that no disk is waited for."""
    file.seek(at)
    while size_bytes:
        try:
            piece = file.read(min(size_bytes, PIECE_BYTES))
        except OSError as error:
            raise Unreachable(f"the file to upload can't be read: {error_text(error)}") from None
        if not piece:
            raise Unreachable("the file to upload is shorter than it was")
        size_bytes -= len(piece)
        yield piece


def _stream(found: Mapping[str, Any]) -> Stream:
    receiver = _text(found.get("receiverType")), _text(found.get("protocol"))
    failed, log_type = found.get("logFilesFailsCount"), found.get("logType")
    return Stream(
        found["displayName"],
        _text(found.get("lastDataReceived")),
        failed if isinstance(failed, int) else 0,
        log_type if isinstance(log_type, int) else None,
        " ".join(word for word in receiver if word),
        _text(found.get("_id")),
    )


def _text(value: object) -> str | None:
    """Return what is text and not empty; what has another shape says nothing."""
    return value if isinstance(value, str) and value else None
