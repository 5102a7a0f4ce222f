"""The overview: everything at one look, and what is wrong with its remedy."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal.view import Portal, get
from nss.status.machine import machine
from nss.status.remedies import Explained, explained
from nss.status.summary import FeedStatus, SourceStatus, Status

Kind = str
"""Of a chip: `good`, `warn`, `bad`, `busy` or `quiet`."""

_SOURCE_CHIPS: Mapping[str, Kind] = {
    "reading": "busy",
    "idle": "quiet",
    "failing": "bad",
    "ended": "quiet",
}
_FEED_CHIPS: Mapping[str, Kind] = {
    "moving": "busy",
    "idle": "quiet",
    "failing": "bad",
    "stuck": "bad",
}
_SYNC_CHIPS: Mapping[str, Kind] = {
    "not configured": "quiet",
    "waiting": "quiet",
    "running": "busy",
    "synced": "good",
    "failing": "bad",
}
_SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Node:
    """A part in the picture: what it does now, and what is wrong with it."""

    part: SourceStatus | FeedStatus
    chip: Kind
    reasons: tuple[Explained, ...]


class OverviewPage:
    """`/`, and its live parts."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [get("/", self._page), get("/overview/live", self._live)]

    async def _page(self, request: Request) -> Response:
        return self._portal.view.page(request, "overview/index.html", **self._facts())

    async def _live(self, request: Request) -> Response:
        return self._portal.live.stream(request, "overview", self._parts)

    def _parts(self) -> dict[str, str]:
        facts, view = self._facts(), self._portal.view
        return {name: view.text(f"overview/_{name}.html", **facts) for name in PARTS}

    def _facts(self) -> dict[str, object]:
        portal = self._portal
        status, config = portal.operations.status(), portal.operations.configuration()
        reasons = [explained(reason, status) for reason in status.health.reasons]
        return {
            "status": status,
            "reasons": reasons,
            "sources": _nodes(status.sources, "source", _SOURCE_CHIPS, reasons),
            "feeds": _nodes(status.feeds, "feed", _FEED_CHIPS, reasons),
            "spool_reasons": [found for found in reasons if found.component == "spool"],
            "spool_chip": _spool_chip(status),
            "sync_chip": _SYNC_CHIPS.get(status.sync.state, "quiet") if status.sync else "quiet",
            "formats": {feed.name: feed.format.value for feed in config.feeds},
            "machine": machine(config.service.state_directory),
            "soon_days": _SOON_DAYS,
        }


PARTS = ("summary", "picture", "reasons", "account", "deliveries", "machine", "expiries", "cloud")
"""What changes on the page by itself: templates, and ids of elements."""


def _nodes(
    parts: tuple[SourceStatus, ...] | tuple[FeedStatus, ...],
    kind: str,
    chips: Mapping[str, Kind],
    reasons: list[Explained],
) -> list[Node]:
    nodes = []
    for part in parts:
        own = tuple(found for found in reasons if found.component == f"{kind} {part.name}")
        chip = chips.get(part.state, "quiet")
        if chip != "bad" and any(found.degrades for found in own):
            chip = "bad"
        nodes.append(Node(part, chip, own))
    return nodes


def _spool_chip(status: Status) -> Kind:
    if status.spool.last_error is not None:
        return "bad"
    if status.spool.full:
        return "warn"
    return "good" if status.spool.durable else "quiet"
