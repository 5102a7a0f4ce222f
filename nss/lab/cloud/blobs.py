"""The lab's blob storage: files that are put at upload URLs, in one piece or in blocks.

    PUT URL                              the file        x-ms-blob-type: BlockBlob
    PUT URL&comp=block&blockid=BASE64    a piece
    PUT URL&comp=blocklist               <BlockList><Latest>BASE64</Latest>...</BlockList>

The query of an upload URL is a shared access signature (SAS), which is all that authorises it.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nss.lab.cloud.blob_errors import BlobError, answer
from nss.lab.cloud.bodies import small_body
from nss.lab.cloud.notes import Notes

VERSION = "2018-03-28"

_LATEST = re.compile(r"<(?:Latest|Uncommitted)>([^<]*)</")
_BLOCK_ID = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_MAX_BLOCK_ID_CHARS = 88  # 64 bytes in base64
_MAX_BLOCKS = 50_000
_START_OF_MULTIPART = b"--"


@dataclass(slots=True)
class Slot:
    """A place for one file, with the URL that was issued for it."""

    name: str
    source_type: str
    url: str
    expires_at: float
    path: Path | None = None
    """Where the file is that was put last, `None` before."""
    size_bytes: int = 0
    is_finalized: bool = False
    puts: int = 0
    blocks: dict[str, Path] = field(default_factory=dict)


class Blobs:
    """Keeps what is put in files in `folder`. Every PUT gets a file of its own.

    `clock` is the servers' time. `base_url` is set once the server has its port.
    """

    def __init__(self, folder: Path, notes: Notes, clock: Callable[[], float]) -> None:
        self.base_url = ""
        self.sas_secs = 3600.0
        self.single_use = False
        """Whether a URL is refused after one file was put there."""
        self.max_put_bytes = 64 << 20
        self.max_block_bytes = 100 << 20
        self._folder = folder
        self._notes = notes
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._slots: dict[str, Slot] = {}

    def issue(self, name: str, source_type: str) -> str:
        """Return an upload URL for a file."""
        path = f"/discovery-logs/{uuid.uuid4().hex}"
        now = self._clock()
        signed = {
            "sv": VERSION,
            "sr": "b",
            "sp": "cw",
            "st": _time(now),
            "se": _time(now + self.sas_secs),
        }
        signature = hmac.digest(self._key, f"{path}?{urlencode(signed)}".encode(), hashlib.sha256)
        query = urlencode(signed | {"sig": signature.hex()}, quote_via=quote)
        url = f"{self.base_url}{path}?{query}"
        self._slots[path] = Slot(name, source_type, url, now + self.sas_secs)
        return url

    def slot(self, url: str) -> Slot | None:
        """Return the place of a URL, `None` if it was not issued."""
        found = self._slots.get(urlsplit(url).path)
        return found if found is not None and found.url == url else None

    def expire(self) -> None:
        """Expire all URLs issued so far."""
        for slot in list(self._slots.values()):
            slot.expires_at = 0.0

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(
            routes=[Route("/{path:path}", self._put, methods=["PUT"])],
            exception_handlers={BlobError: answer},
        )

    async def _put(self, request: Request) -> Response:
        if "authorization" in request.headers:
            self._notes.complaints.append("a PUT to the storage carries an Authorization header")
        slot = self._authorised(request)
        size_bytes = self._stated_bytes(request)
        match request.query_params.get("comp"):
            case None:
                await self._put_blob(request, slot, size_bytes)
            case "block":
                await self._put_block(request, slot, size_bytes)
            case "blocklist":
                await self._put_block_list(request, slot)
            case other:
                raise self._complaint("InvalidQueryParameterValue", f"comp={other[:20]}")
        self._authorised(request, was_put=True)  # it may have expired meanwhile
        return Response(
            status_code=201,
            headers={
                "ETag": f'"0x{secrets.token_hex(8).upper()}"',
                "x-ms-request-id": str(uuid.uuid4()),
                "x-ms-version": VERSION,
                "x-ms-request-server-encrypted": "true",
            },
        )

    def _authorised(self, request: Request, *, was_put: bool = False) -> Slot:
        """Return the place that a request's signature is for."""
        slot = self._slots.get(request.url.path)
        own = {
            name: value
            for name, value in parse_qs(request.url.query).items()
            if name not in {"comp", "blockid"}
        }
        if slot is None or own != parse_qs(urlsplit(slot.url).query):
            raise BlobError("AuthenticationFailed", "Signature did not match.")
        now = self._clock()
        if now >= slot.expires_at:
            raise BlobError(
                "AuthenticationFailed",
                f"Signed expiry time [{_time(slot.expires_at)}] must be after signed start time "
                f"[{_time(now)}]",
            )
        if self.single_use and slot.path is not None and not was_put:
            raise BlobError("AuthenticationFailed", "The signature was used before.")
        return slot

    def _stated_bytes(self, request: Request) -> int:
        length = request.headers.get("content-length")
        if length is None:
            raise self._complaint("MissingContentLengthHeader", "a PUT without Content-Length")
        if request.headers.get("content-type", "").startswith("multipart/"):
            self._notes.complaints.append("a PUT to the storage is multipart form data")
        return int(length)

    async def _put_blob(self, request: Request, slot: Slot, size_bytes: int) -> None:
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise self._complaint("MissingRequiredHeader", "a PUT without x-ms-blob-type")
        if size_bytes > self.max_put_bytes:
            raise self._complaint("RequestBodyTooLarge", f"a PUT of {size_bytes} bytes")
        slot.path = await self._store(request, slot)
        slot.size_bytes = size_bytes

    async def _put_block(self, request: Request, slot: Slot, size_bytes: int) -> None:
        block_id = request.query_params.get("blockid", "")
        if (
            not block_id
            or len(block_id) > _MAX_BLOCK_ID_CHARS
            or not _BLOCK_ID.fullmatch(block_id)
            or any(len(other) != len(block_id) for other in slot.blocks)
        ):
            raise self._complaint("InvalidQueryParameterValue", "a block with a wrong blockid")
        if size_bytes > self.max_block_bytes:
            raise self._complaint("RequestBodyTooLarge", f"a block of {size_bytes} bytes")
        slot.blocks[block_id] = await self._store(request, slot)

    async def _put_block_list(self, request: Request, slot: Slot) -> None:
        text = (await small_body(request)).decode("utf-8", "replace")
        block_ids = _LATEST.findall(text)
        if len(block_ids) > _MAX_BLOCKS or not set(block_ids) <= slot.blocks.keys():
            raise self._complaint("InvalidBlockList", "a list of blocks never put")
        path = self._next_path(slot)
        blocks = [slot.blocks[block_id] for block_id in block_ids]
        slot.size_bytes = await asyncio.to_thread(_join, blocks, path)
        for block in slot.blocks.values():
            block.unlink(missing_ok=True)
        slot.blocks.clear()
        slot.path = path

    async def _store(self, request: Request, slot: Slot) -> Path:
        """Write a body to a file as it comes; a body that breaks off leaves none."""
        path = self._next_path(slot)
        try:
            with path.open("wb") as file:
                first = b""
                async for piece in request.stream():
                    first = first or piece[: len(_START_OF_MULTIPART)]
                    file.write(piece)
        except ClientDisconnect:
            path.unlink(missing_ok=True)
            raise
        if first == _START_OF_MULTIPART:
            self._notes.complaints.append("a file begins with --, as multipart form data does")
        return path

    def _next_path(self, slot: Slot) -> Path:
        slot.puts += 1
        return self._folder / f"{urlsplit(slot.url).path.rpartition('/')[2]}-{slot.puts}"

    def _complaint(self, code: str, what: str) -> BlobError:
        self._notes.complaints.append(f"the storage refuses {what}: {code}")
        return BlobError(code)


def _join(blocks: list[Path], path: Path) -> int:
    with path.open("wb") as whole:
        for block in blocks:
            with block.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
        return whole.tell()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
