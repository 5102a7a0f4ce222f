"""The overview: everything at one look, and what is wrong with its remedy."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.portal import chips
from nss.admin.portal.chips import Kind, chip
from nss.admin.portal.view import Portal, get
from nss.config.model import DurableSpoolConfig
from nss.status.machine import MachineReading, machine
from nss.status.summary import FeedStatus, Reason, SourceStatus, Status

_SYNC_CHIPS: Mapping[str, Kind] = {
    "not configured": "quiet",
    "waiting": "quiet",
    "running": "busy",
    "synced": "good",
    "failing": "bad",
}
_SOON_DAYS = 30

MACHINE_SECS = 5.0
"""How old what is shown of the machine may be."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part in the picture: what it does now, and what is wrong with it."""

    part: SourceStatus | FeedStatus
    chip: Kind
    reasons: tuple[Reason, ...]


class OverviewPage:
    """`/`, and its live parts."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._machine: MachineReading | None = None
        self._looked_at = -math.inf

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [get("/", self._page), get("/overview/live", self._live)]

    async def _page(self, request: Request) -> Response:
        await self._look_at_machine()
        return self._portal.view.page(request, "overview/index.html", **self._facts())

    async def _live(self, request: Request) -> Response:
        return self._portal.live.stream(request, "overview", self._parts, self._look_at_machine)

    async def _look_at_machine(self) -> None:
        """Read the machine anew, if that is some seconds ago; disks may not answer at once."""
        now = time.monotonic()
        if now - self._looked_at < MACHINE_SECS:
            return
        self._looked_at = now
        config = self._portal.operations.configuration()
        spool = config.spool
        folder = spool.path.parent if isinstance(spool, DurableSpoolConfig) else None
        look = partial(machine, config.service.state_directory, folder)
        self._machine = await asyncio.to_thread(look)

    def _parts(self) -> dict[str, str]:
        facts, view = self._facts(), self._portal.view
        return {name: view.text(f"overview/_{name}.html", **facts) for name in PARTS}

    def _facts(self) -> dict[str, Any]:
        portal = self._portal
        status, config = portal.operations.status(), portal.operations.configuration()
        reasons = status.health.reasons
        return {
            "now": status,
            "reasons": reasons,
            "sources": _nodes(status.sources, "source", chips.SOURCE, reasons),
            "feeds": _nodes(status.feeds, "feed", chips.FEED, reasons),
            "spool_reasons": [found for found in reasons if found.component == "spool"],
            "spool_chip": _spool_chip(status),
            "sync_chip": _SYNC_CHIPS.get(status.sync.state, "quiet") if status.sync else "quiet",
            "formats": {feed.name: feed.format.value for feed in config.feeds},
            "machine": self._machine,
            "soon_days": _SOON_DAYS,
        }


PARTS = ("summary", "picture", "reasons", "account", "deliveries", "machine", "expiries", "cloud")
"""What changes on the page by itself: templates, and ids of elements."""


def _nodes(
    parts: tuple[SourceStatus, ...] | tuple[FeedStatus, ...],
    kind: str,
    kinds: Mapping[str, Kind],
    reasons: tuple[Reason, ...],
) -> list[Node]:
    nodes = []
    for part in parts:
        own = tuple(found for found in reasons if found.component == f"{kind} {part.name}")
        nodes.append(Node(part, chip(kinds, part.state, own), own))
    return nodes


def _spool_chip(status: Status) -> Kind:
    if status.spool.last_error is not None:
        return "bad"
    if status.spool.full:
        return "warn"
    return "good" if status.spool.durable else "quiet"
