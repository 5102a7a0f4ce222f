"""Event streams: what has changed comes within a second, once; and nothing after the session."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nss.admin.portal.live import MAX_STREAMS, MAX_STREAMS_EACH, Live, event
from nss.admin.portal.sessions import Session, Sessions


class Desk:
    """Sessions and streams, with a page whose parts a test changes."""

    def __init__(self) -> None:
        self.parts = {"a": "one", "b": "<p>two</p>"}
        self.rendered = self.prepared = 0
        self.sessions = Sessions(1800, 3600)
        self.token, self.session = self.sessions.begin("alice", "admin")
        self.ahead_secs = 0.0
        """How far the clock of the streams is ahead."""
        self.live = Live(self.sessions, lambda: {"health": "good"}, clock=self.clock)

    def clock(self) -> float:
        return time.monotonic() + self.ahead_secs

    def render(self) -> dict[str, str]:
        self.rendered += 1
        return dict(self.parts)

    async def prepare(self) -> None:
        self.prepared += 1

    def response(self, session: Session | None = None) -> Response:
        request = Request({"type": "http", "state": {"session": session or self.session}})
        return self.live.stream(request, "page", self.render, self.prepare)

    def open(self, session: Session | None = None) -> AsyncIterator[str]:
        response = self.response(session)
        assert isinstance(response, StreamingResponse)
        assert response.media_type == "text/event-stream"
        return response.body_iterator  # type: ignore[return-value]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@asynccontextmanager
async def watched(stream: AsyncIterator[str]) -> AsyncIterator[AsyncIterator[str]]:
    async with asyncio.timeout(40):
        try:
            yield stream
        finally:
            await stream.aclose()  # type: ignore[attr-defined]


async def following(stream: AsyncIterator[str]) -> str:
    found = await anext(stream)
    return found if isinstance(found, str) else bytes(found).decode()


def part(name: str, html: str) -> str:
    return f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{html}</hx-partial>'


async def test_all_parts_come_first_and_then_what_has_changed(desk: Desk) -> None:
    async with watched(desk.open()) as stream:
        first = await following(stream)
        desk.parts["b"] = "three"
        second = await following(stream)

    whole = part("health", "good") + part("a", "one") + part("b", "<p>two</p>")
    assert first == f"data: {whole}\n\n"
    assert second == f"data: {part('b', 'three')}\n\n"
    assert desk.prepared >= 2


async def test_what_many_watch_is_rendered_once(desk: Desk) -> None:
    streams = [desk.open() for _ in range(4)]
    async with watched(streams[0]), watched(streams[1]), watched(streams[2]), watched(streams[3]):
        for stream in streams:
            await following(stream)
        assert desk.rendered == 1


async def test_a_part_that_fails_is_in_the_log_and_ends_the_stream(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(desk.open()) as stream:
        await following(stream)
        desk.parts = None  # type: ignore[assignment]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    [record] = [each for each in caplog.records if "request failed" in each.getMessage()]
    assert record.levelname == "ERROR"


async def test_it_ends_with_the_session(desk: Desk) -> None:
    async with watched(desk.open()) as stream:
        await following(stream)
        desk.sessions.end(desk.token)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_it_ends_at_once_when_the_portal_closes(desk: Desk) -> None:
    async with watched(desk.open()) as stream:
        await following(stream)
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        desk.live.close()
        assert await asyncio.wait_for(waiting, 0.5) is None


async def test_one_session_can_not_take_all_streams(desk: Desk) -> None:
    streams = [desk.open() for _ in range(MAX_STREAMS_EACH)]
    for stream in streams:
        await following(stream)
    refused = desk.response()
    assert (refused.status_code, bytes(refused.body)[:19]) == (503, b"Too many live pages")
    _, other = desk.sessions.begin("bob", "viewer")
    async with watched(desk.open(other)) as stream:
        await following(stream)
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    async with watched(desk.open()) as stream:
        await following(stream)


async def test_all_together_can_not_take_more_than_there_are(desk: Desk) -> None:
    streams = []
    for number in range(MAX_STREAMS):
        _, session = desk.sessions.begin(f"user{number}", "viewer")
        streams.append(desk.open(session))
        await following(streams[-1])
    assert desk.response().status_code == 503
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]


async def test_what_nobody_watches_any_more_is_forgotten(desk: Desk) -> None:
    for number in range(3):
        request = Request({"type": "http", "state": {"session": desk.session}})
        response = desk.live.stream(request, f"page {number}", desk.render)
        assert isinstance(response, StreamingResponse)
        async with watched(response.body_iterator) as stream:  # type: ignore[arg-type]
            await following(stream)
        desk.ahead_secs += 10

    assert len(desk.live._shown) <= 2


def test_lines_in_html_can_not_end_a_message() -> None:
    assert event("a\r\n\r\nb\ndata: x") == b"data: a\ndata: \ndata: b\ndata: data: x\n\n"
    assert event("") == b"data: \n\n"
