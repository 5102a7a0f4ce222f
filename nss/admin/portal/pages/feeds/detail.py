"""The page of one feed, and that of one source: what it does now, over time, and how it is set."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.operations import Operations
from nss.admin.portal import chips
from nss.admin.portal.pages.feeds.about import About, about
from nss.admin.portal.pages.feeds.finding import feed_named, of_feed, of_source, source_named
from nss.admin.portal.pages.feeds.listing import row_of
from nss.admin.portal.pages.feeds.series import (
    REFRESH_SECS,
    SPANS,
    SeriesData,
    series_response,
    span_of,
)
from nss.admin.portal.view import Portal, get
from nss.config.model import Config
from nss.status.summary import FeedStatus, SourceStatus

FEED_PARTS = ("state", "now", "account", "upload", "about", "format")
"""What changes on the page of a feed by itself: templates, and with `feed-` ids of elements."""

SOURCE_PARTS = ("state", "now", "about")


class FeedDetail:
    """`/feeds/NAME`, its live parts and its figures."""

    def __init__(self, portal: Portal, data: SeriesData) -> None:
        self._portal = portal
        self._data = data
        self._known = Known(portal.operations, portal.path)

    def routes(self) -> list[Route]:
        """Return the routes."""
        portal = self._portal
        return [
            get("/feeds/{feed}", of_feed(portal, self._page)),
            get("/feeds/{feed}/live", of_feed(portal, self._live)),
            get("/feeds/{feed}/state/live", of_feed(portal, self._state_live)),
            get("/feeds/{feed}/series.json", of_feed(portal, self._series)),
        ]

    async def _page(self, request: Request, feed: FeedStatus) -> Response:
        span = span_of(request)
        await self._known.look(feed.name)
        return self._portal.view.page(
            request,
            "feeds/feed.html",
            span=span,
            spans=list(SPANS.items()),
            refresh_secs=REFRESH_SECS[span],
            **self._facts(feed.name),
        )

    async def _live(self, request: Request, feed: FeedStatus) -> Response:
        def parts() -> Mapping[str, str]:
            return self._parts(feed.name, FEED_PARTS)

        refresh = partial(self._known.refresh, feed.name)
        return self._portal.live.stream(request, f"feed {feed.name}", parts, refresh)

    async def _state_live(self, request: Request, feed: FeedStatus) -> Response:
        """Stream what all pages of the feed have."""

        def parts() -> Mapping[str, str]:
            return self._parts(feed.name, ("state",))

        return self._portal.live.stream(request, f"state of feed {feed.name}", parts)

    async def _series(self, request: Request, feed: FeedStatus) -> Response:
        return series_response(self._data, request, f"feed {feed.name}")

    def _parts(self, name: str, parts: tuple[str, ...]) -> dict[str, str]:
        view, facts = self._portal.view, self._facts(name)
        if facts["feed"] is None:
            return {"feed-state": view.text("feeds/_gone.html")}
        return {f"feed-{part}": view.text(f"feeds/_feed_{part}.html", **facts) for part in parts}

    def _facts(self, name: str) -> dict[str, Any]:
        status = self._portal.operations.status()
        feed = feed_named(status, name)
        row = None if feed is None else row_of(feed, status)
        uploads = None if feed is None else feed.upload
        return {
            "feed": feed,
            "row": row,
            "about": self._known.now(name),
            "upload_chip": "quiet" if uploads is None else chips.UPLOAD.get(uploads.state, "quiet"),
        }


class SourceDetail:
    """`/feeds/source/NAME`, its live parts and its figures."""

    def __init__(self, portal: Portal, data: SeriesData) -> None:
        self._portal = portal
        self._data = data

    def routes(self) -> list[Route]:
        """Return the routes."""
        portal = self._portal
        return [
            get("/feeds/source/{source}", of_source(portal, self._page)),
            get("/feeds/source/{source}/live", of_source(portal, self._live)),
            get("/feeds/source/{source}/series.json", of_source(portal, self._series)),
        ]

    async def _page(self, request: Request, source: SourceStatus) -> Response:
        span = span_of(request)
        return self._portal.view.page(
            request,
            "feeds/source.html",
            span=span,
            spans=list(SPANS.items()),
            refresh_secs=REFRESH_SECS[span],
            **self._facts(source.name),
        )

    async def _live(self, request: Request, source: SourceStatus) -> Response:
        def parts() -> Mapping[str, str]:
            view, facts = self._portal.view, self._facts(source.name)
            if facts["source"] is None:
                return {"source-state": view.text("feeds/_gone.html")}
            return {
                f"source-{part}": view.text(f"feeds/_source_{part}.html", **facts)
                for part in SOURCE_PARTS
            }

        return self._portal.live.stream(request, f"source {source.name}", parts)

    async def _series(self, request: Request, source: SourceStatus) -> Response:
        return series_response(self._data, request, f"source {source.name}")

    def _facts(self, name: str) -> dict[str, Any]:
        operations = self._portal.operations
        status, config = operations.status(), operations.configuration()
        source = source_named(status, name)
        settings = next((each for each in config.sources if each.name == name), None)
        return {
            "source": source,
            "row": None if source is None else row_of(source, status),
            "settings": settings,
            "readers": [feed.name for feed in config.feeds if name in feed.sources],
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    config: Config
    about: About | None


class Known:
    """What is configured of feeds, looked up in files when a page is opened, and after a reload."""

    def __init__(self, operations: Operations, path: Path) -> None:
        self._operations = operations
        self._path = path
        self._seen: dict[str, _Seen] = {}

    async def look(self, feed: str) -> None:
        """Look up what is configured of a feed now; in a thread, since files are read."""
        config = self._operations.configuration()
        found = await asyncio.to_thread(about, config, feed, self._path)
        self._seen[feed] = _Seen(config, found)

    async def refresh(self, feed: str) -> None:
        """Look it up if another configuration has come into force since."""
        seen = self._seen.get(feed)
        if seen is None or seen.config is not self._operations.configuration():
            await self.look(feed)

    def now(self, feed: str) -> About | None:
        """Return what was looked up last."""
        seen = self._seen.get(feed)
        return None if seen is None else seen.about
