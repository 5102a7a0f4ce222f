"""The list of sources and feeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal import chips
from nss.admin.portal.view import Portal, get
from nss.status.summary import FeedStatus, Reason, SourceStatus, Status

LIVE = "/feeds-list/live"
"""Outside of `/feeds`: every name below may be that of a feed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A source or feed, the kind of its chip, and what there is to know about it."""

    part: SourceStatus | FeedStatus
    chip: chips.Kind
    reasons: tuple[Reason, ...]


class Listing:
    """`/feeds`, and its live rows."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [get("/feeds", self._page), get(LIVE, self._live)]

    async def _page(self, request: Request) -> Response:
        return self._portal.view.page(request, "feeds/index.html", live=LIVE, **self._facts())

    async def _live(self, request: Request) -> Response:
        return self._portal.live.stream(request, "feeds", self._parts)

    def _parts(self) -> Mapping[str, str]:
        facts, view = self._facts(), self._portal.view
        return {
            "feed-rows": view.text("feeds/_feed_rows.html", **facts),
            "source-rows": view.text("feeds/_source_rows.html", **facts),
        }

    def _facts(self) -> dict[str, Any]:
        status = self._portal.operations.status()
        return {
            "feeds": [row_of(feed, status) for feed in status.feeds],
            "sources": [row_of(source, status) for source in status.sources],
        }


def row_of(part: FeedStatus | SourceStatus, status: Status) -> Row:
    """Return a part with what the health of `status` says about it."""
    is_feed = isinstance(part, FeedStatus)
    component = f"{'feed' if is_feed else 'source'} {part.name}"
    reasons = tuple(found for found in status.health.reasons if found.component == component)
    kinds = chips.FEED if is_feed else chips.SOURCE
    return Row(part, chips.chip(kinds, part.state, reasons), reasons)


def head_of(feed: FeedStatus, status: Status) -> dict[str, Any]:
    """Return what all pages of a feed show of it."""
    return {"feed": feed, "row": row_of(feed, status)}
