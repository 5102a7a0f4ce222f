"""Event streams: parts of a page, sent again whenever they have changed.

    data: <hx-partial hx-target="#health" hx-swap="innerMorph">...</hx-partial>

htmx puts each into its place (https://html.spec.whatwg.org/#server-sent-events). A page has one
stream. What a stream shows is rendered once for all who watch the same.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from nss.admin import events
from nss.admin.portal.people import session_of
from nss.admin.portal.sessions import Session, Sessions
from nss.admin.portal.texts import sendable
from nss.errors import unplanned

EVERY_SECS = 1.0
QUIET_SECS = 10.0
"""After this long without a change a comment is sent, so that a lost connection is noticed."""

_KEPT_SECS = 2 * EVERY_SECS

MAX_STREAMS = 40
MAX_STREAMS_EACH = 5
"""Of one session: a browser has six connections to a server, of which pages need one to load."""

Render = Callable[[], Mapping[str, str]]
"""Returns HTML by the id of the element that it fills."""

Prepare = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Shown:
    at: float
    parts: Mapping[str, str]


class Live:
    """The streams of one portal. `common` renders what every page has, its header."""

    def __init__(
        self,
        sessions: Sessions,
        common: Render,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._common = common
        self._clock = clock
        self._shown: dict[str, _Shown] = {}
        self._open: dict[Session, int] = {}
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams; browsers will connect again."""
        self._closing.set()

    def stream(
        self, request: Request, key: str, render: Render, prepare: Prepare | None = None
    ) -> Response:
        """Return a stream of parts; requests with the same `key` share what `render` returns.

        `prepare` is awaited before each turn, for what must not be read in the event loop.
        """
        session = session_of(request)

        async def parts() -> AsyncIterator[bytes]:
            sent: dict[str, str] = {}
            quiet_since = self._clock()
            while self.lasts(session):
                if prepare is not None:
                    await prepare()
                found = {**self.common(), **self._rendered(key, render)}
                changed = {name: html for name, html in found.items() if sent.get(name) != html}
                now = self._clock()
                if changed:
                    sent, quiet_since = found, now
                    yield event("".join(map(fragment, changed, changed.values())))
                elif now - quiet_since >= QUIET_SECS:
                    quiet_since = now
                    yield b":\n\n"
                await self.pause()

        return self.response(request, self._reported(key, parts()))

    def response(self, request: Request, messages: AsyncIterator[bytes]) -> Response:
        """Return the response of a stream; 503 when there are too many.

        That is no error page: the page that asks would take it for a stream that says nothing.
        """
        session = session_of(request)
        if (
            self._open.get(session, 0) >= MAX_STREAMS_EACH
            or sum(self._open.values()) >= MAX_STREAMS
        ):
            return PlainTextResponse("Too many live pages are open: close some.\n", 503)

        async def counted() -> AsyncIterator[bytes]:
            self._open[session] = self._open.get(session, 0) + 1
            try:
                async for found in messages:
                    yield found
            finally:
                self._open[session] -= 1
                if not self._open[session]:
                    del self._open[session]

        return StreamingResponse(counted(), media_type="text/event-stream")

    async def _reported(self, key: str, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what a stream has; that it fails is in the log, and the browser connects again."""
        try:
            async for found in messages:
                yield found
        except Exception as error:  # noqa: BLE001 - a page must not hurt the stream of records
            events.request_failed("portal", f"live {key}", unplanned(error))

    def lasts(self, session: Session) -> bool:
        """Return whether streams of a session go on: it is not over, and neither is the portal."""
        return not self._closing.is_set() and self._sessions.is_alive(session)

    def common(self) -> Mapping[str, str]:
        """Return the parts that every page has."""
        return self._rendered("", self._common)

    async def pause(self) -> None:
        """Wait for the next turn of all streams, which share the work; or for the end."""
        secs = EVERY_SECS - self._clock() % EVERY_SECS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), secs)

    def _rendered(self, key: str, render: Render) -> Mapping[str, str]:
        now = self._clock()
        shown = self._shown.get(key)
        if shown is None or now - shown.at >= EVERY_SECS / 2:
            shown = _Shown(now, render())
            # What nobody watches any more is forgotten: keys may have what was asked for in them.
            self._shown = {
                name: each for name, each in self._shown.items() if now - each.at < _KEPT_SECS
            }
            self._shown[key] = shown
        return shown.parts


def fragment(name: str, html: str) -> str:
    """Return what has htmx put HTML into the element with an id."""
    return f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{html}</hx-partial>'


def event(html: str) -> bytes:
    """Return a message of a stream."""
    lines = html.splitlines() or [""]
    return sendable("".join(f"data: {line}\n" for line in lines)) + b"\n"
