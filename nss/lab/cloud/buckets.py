"""The lab's S3: files that are put at presigned URLs, in one piece each.

    PUT URL     the file; answered with 200 where Azure's storage answers with 201

S3 takes no blocks at such a URL: its query is signed as a whole. A file may have 5 GiB.
"""

import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.lab.cloud.bucket_errors import BucketError, answer, headers
from nss.lab.cloud.notes import Notes
from nss.lab.cloud.presigning import Signer
from nss.lab.cloud.slots import Slot, Slots, stated_md5

_METHODS = ["PUT", "GET", "HEAD", "POST", "DELETE"]


class Buckets:
    """Takes what is put at its URLs. `clock` is the servers' time.

    `base_url` is set once the server has its port.
    """

    def __init__(self, slots: Slots, notes: Notes, clock: Callable[[], float]) -> None:
        self.base_url = ""
        self.url_secs = 3600
        self.max_put_bytes = 5 << 30
        self._slots = slots
        self._notes = notes
        self._clock = clock
        self._signer = Signer(
            f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), "us-east-1"
        )

    def issue(self, name: str, source_type: str) -> str:
        """Return an upload URL for a file."""
        now = self._clock()
        place = f"{self.base_url}/discovery-logs/{uuid.uuid4().hex}"
        url = self._signer.presign("PUT", place, now, self.url_secs)
        self._slots.add(Slot(name, source_type, url, now + self.url_secs))
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
            routes=[Route("/{path:path}", self._put, methods=_METHODS)],
            exception_handlers={BucketError: answer},
        )

    async def _put(self, request: Request) -> Response:
        slot = self._authorised(request)
        self._check_size(request)
        try:
            md5 = stated_md5(request)
        except ValueError:
            raise self._complaint("InvalidDigest", "a Content-MD5 that is none") from None
        stored = await self._slots.store(request, slot)
        if md5 is not None and md5 != stored.md5:
            stored.path.unlink()
            raise self._complaint("BadDigest", "a file of another Content-MD5")
        if request.headers.get("if-none-match") == "*" and slot.path is not None:
            stored.path.unlink()
            raise BucketError("PreconditionFailed", Condition="If-None-Match")
        slot.commit(stored.path, stored.size_bytes, stored.md5, self._clock())
        slot.etag = f'"{stored.md5.hex()}"'
        more = {"etag": slot.etag, "x-amz-server-side-encryption": "AES256"}
        return Response(status_code=200, headers=headers() | more)

    def _authorised(self, request: Request) -> Slot:
        """Return the place that a request's signature is for."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            self._notes.complaints.append("a PUT to the storage carries an Authorization header")
            raise BucketError("InvalidArgument", ArgumentName="Authorization", ArgumentValue="***")
        slot = self._slots.at(request.url.path)
        if (
            slot is None
            or request.method != "PUT"
            or parse_qs(request.url.query, keep_blank_values=True)
            != parse_qs(urlsplit(slot.url).query)
        ):
            raise BucketError("SignatureDoesNotMatch")
        unsigned = sorted(name for name in request.headers if name.startswith("x-amz-"))
        if unsigned:
            raise BucketError(
                "AccessDenied",
                "There were headers present in the request which were not signed",
                HeadersNotSigned=", ".join(unsigned),
            )
        now = self._clock()
        if now >= slot.expires_at:
            raise BucketError(
                "AccessDenied",
                "Request has expired",
                X_Amz_Expires=str(self.url_secs),
                Expires=_time(slot.expires_at),
                ServerTime=_time(now),
            )
        return slot

    def _check_size(self, request: Request) -> None:
        length = request.headers.get("content-length")
        if length is None:
            self._notes.complaints.append("a PUT without Content-Length")
            if "transfer-encoding" in request.headers:
                raise BucketError("NotImplemented", Header="Transfer-Encoding")
            raise BucketError("MissingContentLength")
        if int(length) > self.max_put_bytes:
            raise BucketError(
                "EntityTooLarge", ProposedSize=length, MaxSizeAllowed=str(self.max_put_bytes)
            )

    def _complaint(self, code: str, what: str) -> BucketError:
        self._notes.complaints.append(f"the storage refuses {what}: {code}")
        return BucketError(code)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
