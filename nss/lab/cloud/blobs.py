"""The lab's blob storage: files that are put at upload URLs, in one piece or in blocks.

    PUT URL                              the file        x-ms-blob-type: BlockBlob
    PUT URL&comp=block&blockid=BASE64    a piece
    PUT URL&comp=blocklist               <BlockList><Latest>BASE64</Latest>...</BlockList>
    HEAD URL                             what is there, where the URL permits reading

The query of an upload URL is a shared access signature (SAS), which is all that authorises it.
"""

import asyncio
import hashlib
import hmac
import secrets
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.lab.cloud import block_lists
from nss.lab.cloud.blob_errors import VERSION, BlobError, answer, headers
from nss.lab.cloud.bodies import small_body
from nss.lab.cloud.notes import Notes
from nss.lab.cloud.slots import Slot, Slots, Stored, base64_text, stated_md5

ACCOUNT = "adaprodlab"
"""Has no host name of its own on loopback, so it is in the path, as in Microsoft's emulator."""

_METHODS = ["PUT", "HEAD", "GET", "POST", "DELETE"]


class Blobs:
    """Takes what is put at its URLs. `clock` is the servers' time.

    `base_url` is set once the server has its port.
    """

    def __init__(self, slots: Slots, notes: Notes, clock: Callable[[], float]) -> None:
        self.base_url = ""
        self.sas_secs = 3600.0
        self.permissions = "cw"
        """Of URLs issued from then on: create and write; `rcw` also lets them be read."""
        self.single_use = False
        """Whether a URL is refused after one file was put there."""
        self.refuses_authorization: Literal["InvalidAuthenticationInfo", "AuthenticationFailed"]
        self.refuses_authorization = "InvalidAuthenticationInfo"
        """The code for an Authorization header beside the SAS: 400 or 403."""
        self.max_put_bytes = 64 << 20
        self.max_block_bytes = 100 << 20
        self._slots = slots
        self._notes = notes
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def issue(self, name: str, source_type: str) -> str:
        """Return an upload URL for a file."""
        path = f"/{ACCOUNT}/discovery-logs/{uuid.uuid4().hex}"
        now = self._clock()
        signed = {
            "sv": VERSION,
            "sr": "b",
            "sp": self.permissions,
            "st": _time(now),
            "se": _time(now + self.sas_secs),
        }
        signature = hmac.digest(self._key, f"{path}?{urlencode(signed)}".encode(), hashlib.sha256)
        query = urlencode(signed | {"sig": base64_text(signature)}, quote_via=quote, safe="")
        url = f"{self.base_url}{path}?{query}"
        self._slots.add(Slot(name, source_type, url, now + self.sas_secs))
        return url

    def slot(self, url: str) -> Slot | None:
        """Return the place of a URL, `None` if it was not issued."""
        return self._slots.find(url)

    def expire(self) -> None:
        """Expire all URLs issued so far."""
        self._slots.expire()

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(
            routes=[Route("/{path:path}", self._serve, methods=_METHODS)],
            exception_handlers={BlobError: answer},
        )

    async def _serve(self, request: Request) -> Response:
        slot = self._authorised(request)
        if request.method == "HEAD":
            return self._properties(request, slot)
        if request.method != "PUT":
            raise BlobError("UnsupportedHttpVerb")
        size_bytes = self._stated_bytes(request)
        match request.query_params.get("comp"):
            case None:
                more = await self._put_blob(request, slot, size_bytes)
            case "block":
                more = await self._put_block(request, slot, size_bytes)
            case "blocklist":
                more = await self._put_block_list(request, slot)
            case other:
                raise self._complaint(
                    "InvalidQueryParameterValue",
                    f"comp={other[:20]}",
                    QueryParameterName="comp",
                    QueryParameterValue=other[:20],
                )
        self._authorised(request, was_put=True)  # it may have expired meanwhile
        more["x-ms-request-server-encrypted"] = "true"
        return Response(status_code=201, headers=headers(request) | more)

    def _authorised(self, request: Request, *, was_put: bool = False) -> Slot:
        """Return the place that a request's signature is for."""
        slot = self._slots.at(request.url.path)
        own = {
            name: value
            for name, value in parse_qs(request.url.query, keep_blank_values=True).items()
            if name not in {"comp", "blockid", "timeout"}
        }
        if "authorization" in request.headers:
            self._notes.complaints.append("a PUT to the storage carries an Authorization header")
            raise BlobError(self.refuses_authorization)
        if slot is None or own != parse_qs(urlsplit(slot.url).query):
            raise _unauthenticated("Signature did not match.")
        now = self._clock()
        if now >= slot.expires_at:
            raise _unauthenticated(
                f"Signed expiry time [{_time(slot.expires_at)}] must be after signed start time "
                f"[{_time(now)}]"
            )
        if request.method != "PUT":
            if "r" not in own["sp"][0]:
                raise BlobError("AuthorizationPermissionMismatch")
        elif self.single_use and slot.path is not None and not was_put:
            raise _unauthenticated("The signature was used before.")
        return slot

    def _properties(self, request: Request, slot: Slot) -> Response:
        if slot.path is None:
            raise BlobError("BlobNotFound")
        md5 = {} if slot.md5 is None else {"content-md5": base64_text(slot.md5)}
        more = {
            "content-length": str(slot.size_bytes),
            "content-type": "application/octet-stream",
            "accept-ranges": "bytes",
            "x-ms-blob-type": "BlockBlob",
            "x-ms-server-encrypted": "true",
        }
        return Response(status_code=200, headers=headers(request) | _stamp(slot) | md5 | more)

    def _stated_bytes(self, request: Request) -> int:
        length = request.headers.get("content-length")
        if length is None:
            raise self._complaint("MissingContentLengthHeader", "a PUT without Content-Length")
        return int(length)

    async def _put_blob(self, request: Request, slot: Slot, size_bytes: int) -> dict[str, str]:
        kind = request.headers.get("x-ms-blob-type")
        name = "x-ms-blob-type"
        if kind is None:
            raise self._complaint(
                "MissingRequiredHeader", "a PUT without x-ms-blob-type", HeaderName=name
            )
        if kind != "BlockBlob":
            raise self._complaint(
                "InvalidHeaderValue",
                f"an x-ms-blob-type of {kind[:20]}",
                HeaderName=name,
                HeaderValue=kind[:20],
            )
        if size_bytes > self.max_put_bytes:
            what = f"a PUT of {size_bytes} bytes"
            raise self._complaint("RequestBodyTooLarge", what, MaxLimit=str(self.max_put_bytes))
        stored = await self._store(request, slot)
        try:
            _check_conditions(request, slot)
        except BlobError:
            stored.path.unlink()
            raise
        slot.commit(stored.path, stored.size_bytes, stored.md5, self._clock())
        _keep_blocks(slot, {})
        return _stamp(slot) | {"content-md5": base64_text(stored.md5)}

    async def _put_block(self, request: Request, slot: Slot, size_bytes: int) -> dict[str, str]:
        block_id = request.query_params.get("blockid", "")
        if not block_lists.is_block_id(block_id):
            raise self._complaint(
                "InvalidQueryParameterValue",
                "a block with a wrong blockid",
                QueryParameterName="blockid",
                QueryParameterValue=block_id[:100],
                Reason="Not a valid base64 string.",
            )
        if any(len(other) != len(block_id) for other in slot.blocks):
            raise self._complaint("InvalidBlobOrBlock", "a blockid of another length")
        if size_bytes == 0:
            raise self._complaint(
                "InvalidHeaderValue",
                "an empty block",
                HeaderName="Content-Length",
                HeaderValue="0",
            )
        if size_bytes > self.max_block_bytes:
            what = f"a block of {size_bytes} bytes"
            raise self._complaint("RequestBodyTooLarge", what, MaxLimit=str(self.max_block_bytes))
        stored = await self._store(request, slot)
        before = slot.blocks.get(block_id)
        slot.blocks[block_id] = stored.path
        if before is not None:
            before.unlink()
        return {"content-md5": base64_text(stored.md5)}

    async def _put_block_list(self, request: Request, slot: Slot) -> dict[str, str]:
        body = await small_body(request)
        self._check_md5(request, hashlib.md5(body, usedforsecurity=False).digest())
        wanted = block_lists.parse(body)
        if wanted is None:
            raise self._complaint("InvalidXmlDocument", "a list of blocks that is none")
        _check_conditions(request, slot)
        blocks = block_lists.choose(wanted, slot.blocks, slot.committed)
        if blocks is None:
            raise self._complaint("InvalidBlockList", "a list of blocks never put")
        path = self._slots.next_path(slot)
        size_bytes = await asyncio.to_thread(_join, [block for _, block in blocks], path)
        slot.commit(path, size_bytes, None, self._clock())
        _keep_blocks(slot, dict(blocks))
        return _stamp(slot)

    async def _store(self, request: Request, slot: Slot) -> Stored:
        stored = await self._slots.store(request, slot)
        try:
            self._check_md5(request, stored.md5)
        except BlobError:
            stored.path.unlink()
            raise
        return stored

    def _check_md5(self, request: Request, found: bytes) -> None:
        try:
            stated = stated_md5(request)
        except ValueError:
            raise self._complaint("InvalidMd5", "a Content-MD5 that is none") from None
        if stated is not None and stated != found:
            raise self._complaint(
                "Md5Mismatch",
                "a body of another Content-MD5",
                UserSpecifiedMd5=base64_text(stated),
                ServerCalculatedMd5=base64_text(found),
            )

    def _complaint(self, code: str, what: str, **facts: str) -> BlobError:
        self._notes.complaints.append(f"the storage refuses {what}: {code}")
        return BlobError(code, **facts)


def _unauthenticated(detail: str) -> BlobError:
    return BlobError("AuthenticationFailed", AuthenticationErrorDetail=detail)


def _check_conditions(request: Request, slot: Slot) -> None:
    """Raise `BlobError` where a request is for another state of the blob than its own."""
    exists = slot.path is not None
    match, none_match = (request.headers.get(name) for name in ("if-match", "if-none-match"))
    if none_match == "*" and exists:
        raise BlobError("BlobAlreadyExists")
    if none_match is not None and exists and none_match == slot.etag:
        raise BlobError("ConditionNotMet")
    if match is not None and (not exists or match not in {"*", slot.etag}):
        raise BlobError("ConditionNotMet")


def _stamp(slot: Slot) -> dict[str, str]:
    return {"etag": slot.etag, "last-modified": formatdate(slot.modified_at, usegmt=True)}


def _keep_blocks(slot: Slot, kept: dict[str, Path]) -> None:
    for block in {*slot.blocks.values(), *slot.committed.values()} - set(kept.values()):
        block.unlink()
    slot.blocks, slot.committed = {}, kept


def _join(blocks: list[Path], path: Path) -> int:
    with path.open("wb") as whole:
        for block in blocks:
            with block.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
        return whole.tell()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
