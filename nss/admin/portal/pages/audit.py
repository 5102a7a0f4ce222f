"""The audit log: who did what, when, and what came of it; filtered, live, and to download.

It can only be read here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nss.admin.portal.pages.audit_entries import (
    MAX_FIELD,
    Filter,
    Found,
    Row,
    Watching,
    choices,
    found,
)
from nss.admin.portal.view import Portal, get
from nss.errors import UsageError
from nss.telemetry.audit import Fact

PAGE = "/audit"

DOWNLOAD = "audit download"
"""The action in the audit log."""

FILE_NAME = "nss-audit.jsonl"

MAX_DOWNLOADED = 500_000
"""Entries of a download: more than six files of 10 MB have."""

_CHUNK_ENTRIES = 500
_MAX_DOWNLOADS = 2


class AuditPages:
    """`/audit`, its live part and its download."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._path = portal.audit.path
        self._watching = Watching(self._path, self._rows)
        self._downloads = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            get(PAGE, self._index),
            get(f"{PAGE}/live", self._live),
            get(f"{PAGE}/download", self._download),
        ]

    async def _index(self, request: Request) -> Response:
        wanted = Filter.of(request.query_params)
        before = request.query_params.get("before", "")[:MAX_FIELD]
        errors = wanted.errors()
        page = Found([], 0, "")
        if not errors:
            page = await asyncio.to_thread(found, self._path, wanted, before)
        actions, outcomes = await asyncio.to_thread(choices, self._path, wanted)
        facts: dict[str, Any] = {
            "filter": wanted,
            "errors": errors,
            "rows": page.rows,
            "damaged": page.damaged,
            "older": _address(wanted, page.mark) if page.mark else "",
            "newest": _address(wanted) if before else "",
            "live": "" if errors or before else _address(wanted, place="/live"),
            "download": _address(wanted, place="/download"),
            "actions": actions,
            "outcomes": outcomes,
            "is_filtered": wanted != Filter(),
        }
        status = 400 if errors else 200
        return self._portal.view.page(request, "audit/index.html", status=status, **facts)

    async def _live(self, request: Request) -> Response:
        wanted = Filter.of(request.query_params)
        if wanted.errors():
            raise UsageError("the filter is not right")
        shown = self._watching.watched(wanted)

        async def look() -> None:
            await self._watching.look(wanted)

        return self._portal.live.stream(request, shown.name, lambda: {"entries": shown.html}, look)

    def _rows(self, rows: list[Row]) -> str:
        return self._portal.view.text("audit/_rows.html", rows=rows)

    async def _download(self, request: Request) -> Response:
        wanted = Filter.of(request.query_params)
        if wanted.errors():
            raise UsageError("the filter is not right", tip="see the page of the audit log")
        if self._downloads >= _MAX_DOWNLOADS:
            raise UsageError("others are downloading the log", tip="try again in a minute")
        facts = {name: value for name, value in asdict(wanted).items() if value}
        await asyncio.to_thread(
            self._portal.audit.write, DOWNLOAD, "done", filter=orjson.dumps(facts).decode()
        )
        headers = {"content-disposition": f'attachment; filename="{FILE_NAME}"'}
        return StreamingResponse(
            self._downloaded(wanted), headers=headers, media_type="application/x-ndjson"
        )

    async def _downloaded(self, wanted: Filter) -> AsyncIterator[bytes]:
        self._downloads += 1
        try:
            reading = wanted.read(self._path, MAX_DOWNLOADED)
            while chunk := await asyncio.to_thread(_lines, reading):
                yield chunk
                await asyncio.sleep(0)
        finally:
            self._downloads -= 1


def _address(wanted: Filter, before: str = "", place: str = "") -> str:
    query = "&".join(filter(None, (wanted.query, urlencode({"before": before}) if before else "")))
    return f"{PAGE}{place}?{query}" if query else f"{PAGE}{place}"


def _lines(reading: Iterator[dict[str, Fact]]) -> bytes:
    """Return the next entries, one a line."""
    option = orjson.OPT_APPEND_NEWLINE
    return b"".join(orjson.dumps(entry, option=option) for entry in islice(reading, _CHUNK_ENTRIES))
