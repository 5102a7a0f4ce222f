"""The tap of a feed: lines or records as they pass, in an event stream or as a sample."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal.live import event, fragment
from nss.admin.portal.pages.feeds.finding import of_feed
from nss.admin.portal.pages.feeds.listing import head_of
from nss.admin.portal.pages.feeds.shown import Shown, shown
from nss.admin.portal.sessions import Session
from nss.admin.portal.view import Portal, get, session_of
from nss.errors import ServiceError, UsageError
from nss.feeds.tap import Seen, Tap, TapKind
from nss.sampling import MAX_WAITING
from nss.status.summary import FeedStatus

MAX_TAPS = 8
MAX_TAPS_EACH = 3
"""Of one session."""

RATES = (5, 20, 50)
"""How many are shown a second at most."""

GATHER_SECS = 0.5
"""How long what passes is gathered before it is sent."""

QUIET_SECS = 10.0
"""After this long without anything a comment is sent, so that a lost connection is noticed."""

SAMPLE_SECS = 1.5
SAMPLE_RECORDS = 50

SHOWN_BYTES = 4096
"""How much of a record or line is shown."""

KEPT_LINES = 200

_KINDS: Mapping[TapKind, str] = {"lines": "Lines, as they are sent", "records": "Records, as read"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a tap shows."""

    kind: TapKind = "lines"
    text: str = ""
    per_sec: int = 20
    error: str = ""
    """What is wrong with `text`."""

    @property
    def query(self) -> str:
        """The same in an address."""
        return urlencode({"kind": self.kind, "text": self.text, "rate": self.per_sec})


class Tapping:
    """`/feeds/NAME/tap`, its stream, and samples for browsers without scripts."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._open: Counter[Session] = Counter()

    def routes(self) -> list[Route]:
        """Return the routes."""
        portal = self._portal
        return [
            get("/feeds/{feed}/tap", of_feed(portal, self._page)),
            get("/feeds/{feed}/tap/live", of_feed(portal, self._stream)),
        ]

    async def _page(self, request: Request, feed: FeedStatus) -> Response:
        asked = ask(request.query_params)
        sample: list[Shown] | None = None
        left_out = 0
        if request.query_params.get("sample") and not asked.error:
            with self._tapped(session_of(request), feed.name, asked) as tap:
                found = await gathered(tap, SAMPLE_SECS, SAMPLE_RECORDS)
                sample, left_out = [_line(seen) for seen in found], tap.left_out
        return self._portal.view.page(
            request,
            "feeds/tap.html",
            status=400 if asked.error else 200,
            **head_of(feed, self._portal.operations.status()),
            asked=asked,
            kinds=list(_KINDS.items()),
            rates=[(each, f"{each} a second") for each in RATES],
            sample=sample,
            left_out=left_out,
            kept_lines=KEPT_LINES,
        )

    async def _stream(self, request: Request, feed: FeedStatus) -> Response:
        asked, session = ask(request.query_params), session_of(request)
        if asked.error:
            raise UsageError(asked.error)
        self._check_room(session)
        return self._portal.live.response(request, self._events(session, feed.name, asked))

    async def _events(self, session: Session, feed: str, asked: Asked) -> AsyncIterator[bytes]:
        loop, live = asyncio.get_running_loop(), self._portal.live
        sent: dict[str, str] = {}
        # Others may have opened theirs since there was room: the browser tries again, and is told.
        with contextlib.suppress(ServiceError), self._tapped(session, feed, asked) as tap:
            quiet_since = loop.time()
            while live.lasts(session):
                found = await gathered(tap, GATHER_SECS)
                html = self._html(found)
                for name, part in {**live.common(), **self._parts(tap)}.items():
                    if sent.get(name) != part:
                        sent[name] = part
                        html += fragment(name, part)
                if html:
                    quiet_since = loop.time()
                    yield event(html)
                elif loop.time() - quiet_since >= QUIET_SECS:
                    quiet_since = loop.time()
                    yield b":\n\n"

    def _html(self, found: list[Seen]) -> str:
        if not found:
            return ""
        lines = [_line(seen) for seen in found]
        html = self._portal.view.text("feeds/_tapped.html", lines=lines)
        return f'<hx-partial hx-target="#tapped" hx-swap="beforeend">{html}</hx-partial>'

    def _parts(self, tap: Tap) -> dict[str, str]:
        return {"left-out": self._portal.view.text("feeds/_left_out.html", left_out=tap.left_out)}

    @contextlib.contextmanager
    def _tapped(self, session: Session, feed: str, asked: Asked) -> Iterator[Tap]:
        """Open a tap that is closed at the end. Raises `ServiceError` when there are too many."""
        self._check_room(session)
        operations = self._portal.operations
        tap = Tap(feed, asked.kind, asked.text, asked.per_sec)
        operations.add_tap(tap)
        self._open[session] += 1
        try:
            yield tap
        finally:
            operations.remove_tap(tap)
            self._open[session] -= 1
            self._open += Counter()  # without those that have none

    def _check_room(self, session: Session) -> None:
        if self._open.total() >= MAX_TAPS:
            raise ServiceError(f"{MAX_TAPS} taps are open already", tip="close one, or wait")
        if self._open[session] >= MAX_TAPS_EACH:
            raise ServiceError(
                f"you have {MAX_TAPS_EACH} taps open already", tip="close one in another window"
            )


def ask(query: Mapping[str, str]) -> Asked:
    """Return what the query of an address asks for. Raises `UsageError`."""
    kind, text = query.get("kind", "lines"), query.get("text", "")
    rate = query.get("rate", "20")
    if kind not in get_args(TapKind) or rate not in map(str, RATES):
        raise UsageError("there is no such tap", tip="choose from what the page offers")
    shows: TapKind = "records" if kind == "records" else "lines"
    error = "no record or line has a line feed in it to look for" if "\n" in text else ""
    return Asked(shows, text, int(rate), error)


async def gathered(tap: Tap, secs: float, most: int = MAX_WAITING) -> list[Seen]:
    """Return what a tap shows within a time, which is over early with `most` of them."""
    found: list[Seen] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(secs):
            async for seen in tap:
                found.append(seen)
                if len(found) >= most:
                    break
    return found


def _line(seen: Seen) -> Shown:
    return shown(seen.data, seen.full_bytes, SHOWN_BYTES)
