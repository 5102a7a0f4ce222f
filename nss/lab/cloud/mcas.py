"""The lab's MCAS API: upload in three steps, data sources, governance log, and its rate limit."""

import hmac
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import jwt
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nss.lab.cloud.bodies import form, json_error, json_object
from nss.lab.cloud.gate import throttled
from nss.lab.cloud.governance import GovernanceLog, stream_id
from nss.lab.cloud.notes import Notes
from nss.lab.cloud.parsing import Parser
from nss.lab.cloud.slots import Slot
from nss.lab.cloud.source_types import SOURCE_TYPES
from nss.lab.cloud.tokens import Tokens
from nss.lab.cloud.unsanctioned import Unsanctioned
from nss.lab.cloud.uploads import Parsed, Upload

NO_DATA_SOURCE = "CONSOLE_DISCOVERY_SETTINGS_PARSE_LOG_TASK_ERROR_NOT_FOUND_INPUT_STREAM"

# Clients keep to the minute by their own clocks, and requests arrive with delays that differ.
_WINDOW_SECS = 59.0
_MINUTE_SECS = 60.0
_LOG_TYPE = 170  # ZSCALER_QRADAR
_MANAGE, _READ = "discovery.manage", "discovery.read"
_MAX_ITEMS = 100
_GZIP_MAGIC = b"\x1f\x8b"


Provider = Literal["azure", "aws"]


class Storage(Protocol):
    """Where files are put at upload URLs."""

    def issue(self, name: str, source_type: str) -> str:
        """Return an upload URL for a file."""

    def slot(self, url: str) -> Slot | None:
        """Return the place of a URL, `None` if it was not issued."""

    def expire(self) -> None:
        """Expire all URLs issued so far."""


class Mcas:
    """One tenant's Cloud Discovery."""

    def __init__(
        self,
        tokens: Tokens,
        storages: Mapping[Provider, Storage],
        parser: Parser,
        notes: Notes,
        clock: Callable[[], float],
        *,
        legacy_token: str,
        requests_per_minute: int,
        results_delay_secs: float,
    ) -> None:
        self.data_sources: set[str] = {"NSS"}
        self.silent_drop = False
        """Whether an upload for an unknown data source is taken and dropped, or refused."""
        self.refuses_unknown_sources = True
        """Whether a `source` on no list of Microsoft's is refused, or taken and never parsed."""
        self.unsuccessful_status = 400
        """The status of an answer that has `"success": false`: 400, 404, or even 200."""
        self.provider: Provider = "azure"
        """Of upload URLs issued from then on."""
        self.repeat: Literal["ok", "refused", "unsuccessful"] = "ok"
        """What a second `done_upload` for the same URL is answered; it never counts twice."""
        self.streams_form: Literal["list", "object"] = "list"
        """Data sources as a list under `streams`, or the first one alone, as documented."""
        self.governance = GovernanceLog(clock)
        self.permits_governance = True
        self.tells_retry_after = True
        """Whether 429 has the header besides its text."""
        self.accepts_legacy_token = True
        self.requests_per_minute = requests_per_minute
        self.results_delay_secs = results_delay_secs
        self.unsanctioned = Unsanctioned(notes)
        self.uploads: list[Upload] = []
        """Those that were finalized, in that order."""
        self._parser = parser
        self._tokens = tokens
        self._storages = storages
        self._notes = notes
        self._clock = clock
        self._legacy_token = legacy_token
        self._created = _iso(clock())
        self._recent: deque[float] = deque()

    def expire_upload_urls(self) -> None:
        """Expire all upload URLs issued so far."""
        for storage in self._storages.values():
            storage.expire()

    def admit(self) -> Response | None:
        """Count a request; beyond the limit it is answered with 429."""
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= _WINDOW_SECS:
            self._recent.popleft()
        self._recent.append(now)
        if len(self._recent) <= self.requests_per_minute:
            return None
        self._notes.complaints.append(
            f"more than {self.requests_per_minute} API requests in a minute"
        )
        secs = int(self._recent[0] + _MINUTE_SECS - now) + 1
        return throttled(secs, {"Retry-After": str(secs)} if self.tells_retry_after else {})

    def app(self) -> Starlette:
        """Return the server."""
        upload = "/api/v1/discovery"
        return Starlette(
            routes=[
                Route(f"{upload}/upload_url", self._upload_url),
                Route(f"{upload}/done_upload", self._done_upload, methods=["POST"]),
                Route("/api/discovery/streams", self._streams),
                Route("/api/v1/governance", self._governance, methods=["POST"]),
                Route("/api/v1/governance/{id}", self._governance_entry),
                *self.unsanctioned.routes(self._authorise),
            ],
            exception_handlers={HTTPException: json_error},
        )

    async def _upload_url(self, request: Request) -> Response:
        self._authorise(request, _MANAGE)
        name, source_type = (request.query_params.get(key, "") for key in ("filename", "source"))
        for key, value in (("filename", name), ("source", source_type)):
            if not value:
                self._notes.complaints.append(f"upload_url has no {key}")
                return JSONResponse({key: ["This field is required."]}, 400)
        if source_type not in SOURCE_TYPES:
            self._notes.complaints.append(f"unknown source type {source_type[:40]!r}")
            if self.refuses_unknown_sources:
                return JSONResponse({"source": [f'"{source_type}" is not a valid choice.']}, 400)
        url = self._storages[self.provider].issue(name, source_type)
        return JSONResponse({"url": url, "provider": self.provider})

    async def _done_upload(self, request: Request) -> Response:
        self._authorise(request, _MANAGE)
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form")
        fields: dict[str, Any] = await (form if is_form else json_object)(request)
        url, stream = fields.get("uploadUrl"), fields.get("inputStreamName")
        if not isinstance(url, str) or not isinstance(stream, str) or not stream:
            raise self._refused("done_upload has no uploadUrl or no inputStreamName")
        slot, path = self._put_at(url)
        is_snapshot = fields.get("uploadAsSnapshot") in {True, "true", "True"}
        if not is_snapshot and stream not in self.data_sources:
            if not self.silent_drop:
                return self._unsuccessful(errorMessageCode=NO_DATA_SOURCE)
        elif not slot.is_finalized:
            self._take(slot, path, stream, is_snapshot=is_snapshot)
        elif self.repeat == "refused":
            return JSONResponse({"detail": "The upload was finalized before."}, 400)
        elif self.repeat == "unsuccessful":
            return self._unsuccessful()
        return JSONResponse({"success": True, "inputStreamId": stream_id(stream)})

    def _put_at(self, url: str) -> tuple[Slot, Path]:
        """Return what a finalize is for, and its file; answers 400 for what was never put."""
        slots = (storage.slot(url) for storage in self._storages.values())
        slot = next((slot for slot in slots if slot is not None), None)
        if slot is None:
            raise self._refused("done_upload of a URL that was never issued")
        if slot.path is None:
            raise self._refused("done_upload of a URL where nothing was put")
        return slot, slot.path

    def _unsuccessful(self, **more: str) -> Response:
        return JSONResponse({"success": False, **more}, self.unsuccessful_status)

    def _take(self, slot: Slot, path: Path, stream: str, *, is_snapshot: bool) -> None:
        slot.is_finalized = True
        with path.open("rb") as file:
            is_gzip = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        upload = Upload(
            slot.name, slot.source_type, stream, slot.size_bytes, path, is_gzip, is_snapshot
        )
        self.uploads.append(upload)
        self.governance.note(upload)
        self._parser.submit(upload)

    async def _streams(self, request: Request) -> Response:
        self._authorise(request, _MANAGE, _READ)
        streams = [self._stream(name) for name in sorted(self.data_sources)]
        if self.streams_form == "list":
            return JSONResponse({"streams": streams})
        return JSONResponse(streams[0] if streams else {})

    async def _governance(self, request: Request) -> Response:
        self._authorise_governance(request)
        question = await json_object(request)
        log = self.governance
        found = log.matching(log.entries(self._shown()), question)
        skip, limit = question.get("skip", 0), question.get("limit", _MAX_ITEMS)
        if type(skip) is not int or type(limit) is not int:
            raise HTTPException(400, "A valid integer is required.")
        end = skip + min(limit, _MAX_ITEMS)
        return JSONResponse(
            {"data": found[skip:end], "total": len(found), "hasNext": end < len(found)}
        )

    async def _governance_entry(self, request: Request) -> Response:
        self._authorise_governance(request)
        for found in self.governance.entries(self._shown()):
            if found["_id"] == request.path_params["id"]:
                return JSONResponse(found)
        raise HTTPException(404, "Not found.")

    def _shown(self) -> list[Parsed]:
        """Return the results that the service shows by now."""
        shown_until = time.time() - self.results_delay_secs
        return [result for result in list(self._parser.results) if result.at <= shown_until]

    def _stream(self, name: str) -> dict[str, object]:
        results = [
            result
            for result in self._shown()
            if result.upload.data_source == name and not result.upload.snapshot
        ]
        return {
            "_id": stream_id(name),
            "anonymizeUsers": False,
            "displayName": name,
            "logType": _LOG_TYPE,
            "receiverType": "syslog",
            "receiverTypeFull": "syslog-udp",
            "protocol": "udp",
            "streamType": 1,
            "isManual": False,
            "created": self._created,
            "lastModified": _iso(results[-1].at) if results else self._created,
            "logFilesHistoryCount": len(results),
            "logFilesFailsCount": sum(result.failure is not None for result in results),
            "lastDataReceived": _iso(results[-1].at) if results else None,
            "supportedEntityTypes": [],
            "supportedTrafficTypes": [1],
            "globalAggregated": True,
            "timeWithoutLogs": 0,
            "sourceStreams": [],
        }

    def _authorise(self, request: Request, *roles: str) -> None:
        """Answer 401 or 403 unless a request's token is good and has one of the roles."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Token" and self.accepts_legacy_token:
            if not hmac.compare_digest(token.encode(), self._legacy_token.encode()):
                raise HTTPException(401, "Invalid token.")
            return
        if scheme != "Bearer":
            raise HTTPException(401, "Authentication credentials were not provided.")
        try:
            claims = self._tokens.check(token)
        except jwt.InvalidTokenError:
            raise HTTPException(401, "Invalid token.") from None
        if not {role.lower() for role in claims.get("roles", [])} & set(roles):
            raise HTTPException(403, "Insufficient role based permissions")

    def _authorise_governance(self, request: Request) -> None:
        self._authorise(request, _MANAGE, _READ)
        if not self.permits_governance:
            raise HTTPException(403, "Insufficient role based permissions")

    def _refused(self, complaint: str) -> HTTPException:
        self._notes.complaints.append(complaint)
        return HTTPException(400, f"{complaint}.")


def _iso(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")
