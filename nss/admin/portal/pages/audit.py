"""The audit log: who did what, when, and what came of it; filtered, live, and to download.

It can only be read here. What is in it may come from anybody.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nss.admin.portal.view import Portal, get
from nss.errors import UsageError
from nss.files.private import stamp
from nss.telemetry.audit import Fact
from nss.telemetry.audit_reader import Entries, entries

PAGE = "/audit"

DOWNLOAD = "audit download"
"""The action in the audit log."""

FILE_NAME = "nss-audit.jsonl"

PAGE_ENTRIES = 100
MAX_DOWNLOADED = 500_000
"""Entries of a download: more than six files of 10 MB have."""

CHOICES_ENTRIES = 1000
"""The newest, whose actions and outcomes can be chosen."""

LIVE_SHARE = 20
"""What a look through the log took, times this, passes before the next: a rare word in a large log
must not cost the stream."""

_CHUNK_ENTRIES = 500
_MAX_DOWNLOADS = 2
_MAX_FIELD = 200
_SLOTS = 64
"""More than there are streams: none that is watched is given away."""

_GOOD = frozenset(
    {"ok", "done", "passed", "stored", "put in force", "synced", "blocked", "cleared"}
)
_BAD = frozenset({"failed", "refused", "locked out", "stopped", "not blocked"})
_USUAL = ("at", "who", "action", "outcome", "reason")
_TIMES = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for, as it is in the address; times are UTC."""

    person: str = ""
    action: str = ""
    outcome: str = ""
    text: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "Filter":
        """Return the filter of an address; fields that it does not know are left out."""
        return cls(**{name: query.get(name, "")[:_MAX_FIELD].strip() for name in asdict(cls())})

    @property
    def query(self) -> str:
        """The query of an address, without what is empty."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def errors(self) -> dict[str, str]:
        """Return what is wrong, by field."""
        text = "must be a time like 2026-11-26T09:30, in UTC"
        times = {"since": self.since, "until": self.until}
        return {name: text for name, value in times.items() if value and _secs(value) is None}

    def read(self, path: Path, limit: int, before: str = "") -> Entries:
        """Return the entries; reads as they are taken."""
        until = _secs(self.until)
        return entries(
            path,
            limit=limit,
            before=before,
            since=_secs(self.since),
            until=None if until is None else until + _span_secs(self.until),
            person=self.person,
            action=self.action,
            outcome=self.outcome,
            text=self.text,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is shown; all of it is text that anybody may have written."""

    at: float | None
    at_text: str
    who: str
    action: str
    outcome: str
    chip: str
    reason: str
    further: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Watched:
    """What a live page shows, and when it is looked for again."""

    stamp: object = None
    html: str = ""
    next_at: float = 0.0


class AuditPages:
    """`/audit`, its live part and its download."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._path = portal.audit.path
        self._watched: OrderedDict[Filter, tuple[str, _Watched]] = OrderedDict()
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
        before = request.query_params.get("before", "")[:_MAX_FIELD]
        errors = wanted.errors()
        page = Found([], 0, "")
        if not errors:
            page = await asyncio.to_thread(_found, self._path, wanted, before)
        actions, outcomes = await asyncio.to_thread(_choices, self._path, wanted)
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
        slot, watched = self._slot(wanted)

        async def look() -> None:
            self._slot(wanted)  # in use
            await self._look(wanted, watched)

        return self._portal.live.stream(request, slot, lambda: {"entries": watched.html}, look)

    def _slot(self, wanted: Filter) -> tuple[str, _Watched]:
        """Return where the streams of a filter share what they show; there are not many such."""
        found = self._watched.get(wanted)
        if found is None:
            name = f"audit {len(self._watched)}"
            if len(self._watched) >= _SLOTS:
                _, (name, _) = self._watched.popitem(last=False)
            found = self._watched[wanted] = name, _Watched()
        self._watched.move_to_end(wanted)
        return found

    async def _look(self, wanted: Filter, watched: _Watched) -> None:
        """Read the newest entries again, if there may be others."""
        now = time.monotonic()
        current = await asyncio.to_thread(stamp, self._path)
        if watched.html and (current == watched.stamp or now < watched.next_at):
            return
        began = time.monotonic()
        watched.stamp = current
        page = await asyncio.to_thread(_found, self._path, wanted, "")
        watched.next_at = now + LIVE_SHARE * (time.monotonic() - began)
        watched.html = self._portal.view.text("audit/_rows.html", rows=page.rows)

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
            found = wanted.read(self._path, MAX_DOWNLOADED)
            while chunk := await asyncio.to_thread(_lines, found):
                yield chunk
                await asyncio.sleep(0)
        finally:
            self._downloads -= 1


@dataclass(frozen=True, slots=True)
class Found:
    """A page of entries."""

    rows: list[Row]
    damaged: int
    """Lines on the way that are no entries."""
    mark: str
    """Behind which there are older ones; empty if there are none."""


def _found(path: Path, wanted: Filter, before: str) -> Found:
    found = wanted.read(path, PAGE_ENTRIES + 1, before)
    rows: list[Row] = []
    mark = ""
    for entry in found:
        if len(rows) == PAGE_ENTRIES:
            return Found(rows, found.damaged, mark)
        mark = found.mark
        rows.append(_row(entry))
    return Found(rows, found.damaged, "")


def _choices(path: Path, wanted: Filter) -> tuple[list[str], list[str]]:
    """Return actions and outcomes to choose from: those of the newest entries, and the chosen."""
    actions, outcomes = {wanted.action} - {""}, {wanted.outcome} - {""}
    for entry in entries(path, limit=CHOICES_ENTRIES):
        actions.add(str(entry["action"]))
        outcomes.add(str(entry["outcome"]))
    return sorted(actions), sorted(outcomes)


def _row(entry: Mapping[str, Fact]) -> Row:
    at, outcome = str(entry["at"]), str(entry["outcome"])
    further = ((name, str(value)) for name, value in entry.items() if name not in _USUAL)
    chip = "good" if outcome in _GOOD else "bad" if outcome in _BAD else "quiet"
    return Row(
        _moment(at),
        at,
        str(entry["who"]),
        str(entry["action"]),
        outcome,
        chip,
        str(entry.get("reason") or ""),
        tuple(further),
    )


def _moment(text: str) -> float | None:
    """Return the time of an entry, seconds since the epoch."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _secs(text: str) -> float | None:
    """Return a time of a filter, seconds since the epoch; `None` for none and for a wrong one."""
    for pattern in _TIMES:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            continue
    return None


def _span_secs(text: str) -> float:
    """Return how long lasts what is written: until 9:30 includes 9:30:59, until a day all of it."""
    if len(text) <= len("2026-11-26"):
        return 86_399.0
    return 59.0 if text.count(":") == 1 else 0.0


def _address(wanted: Filter, before: str = "", place: str = "") -> str:
    query = "&".join(filter(None, (wanted.query, urlencode({"before": before}) if before else "")))
    return f"{PAGE}{place}?{query}" if query else f"{PAGE}{place}"


def _lines(found: Iterator[dict[str, Fact]]) -> bytes:
    """Return the next entries, one a line."""
    option = orjson.OPT_APPEND_NEWLINE
    return b"".join(orjson.dumps(entry, option=option) for entry in islice(found, _CHUNK_ENTRIES))
