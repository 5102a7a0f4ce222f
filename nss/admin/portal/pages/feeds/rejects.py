"""Rejects of a feed: grouped by reason, the newest records of each, and another try for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.audited import audited
from nss.admin.operations import RetriedRejects
from nss.admin.portal.pages.feeds.finding import of_feed
from nss.admin.portal.pages.feeds.listing import head_of
from nss.admin.portal.pages.feeds.shown import Shown, shown
from nss.admin.portal.view import Portal, get, post
from nss.spool import REASONS_MAX, KeptReject, ReasonCount
from nss.status.summary import FeedStatus

SHOWN_RECORDS = 10
"""How many records of a reason are shown: the newest."""

SHOWN_BYTES = 2048
"""How much of each is shown."""

RETRY_SECS = 2.0
"""How long a page waits for what becomes of a retry."""

LOOKED_AT = 200
"""Among how many of the newest rejects of the feed those of a reason are looked for."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rejects for one reason. `key` names it in addresses and ids."""

    key: str
    count: ReasonCount


@dataclass(frozen=True, slots=True)
class Record:
    """A rejected record as a page shows it."""

    kept: KeptReject
    shown: Shown


class Rejects:
    """`/feeds/NAME/rejects`, the records of a group, and Retry."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def routes(self) -> list[Route]:
        """Return the routes."""
        portal = self._portal
        return [
            get("/feeds/{feed}/rejects", of_feed(portal, self._page)),
            get("/feeds/{feed}/rejects/{group}", of_feed(portal, self._group)),
            post("/feeds/{feed}/retry", of_feed(portal, self._retry)),
        ]

    async def _page(self, request: Request, feed: FeedStatus) -> Response:
        operations = self._portal.operations
        groups = grouped(await operations.reject_reasons(feed.name))
        opened, records = request.query_params.get("group", ""), []
        for group in groups:
            if group.key == opened:
                records = await self._records(feed.name, group.count.reason)
        return self._portal.view.page(
            request,
            "feeds/rejects.html",
            **head_of(feed, self._portal.operations.status()),
            groups=groups,
            opened=opened,
            records=records,
            most_groups=REASONS_MAX,
            looked_at=LOOKED_AT,
        )

    async def _group(self, request: Request, feed: FeedStatus) -> Response:
        key = request.path_params["group"]
        groups = grouped(await self._portal.operations.reject_reasons(feed.name))
        reasons = [group.count.reason for group in groups if group.key == key]
        records = await self._records(feed.name, reasons[0]) if reasons else []
        return self._portal.view.part(
            request, "feeds/_records.html", feed=feed, records=records, looked_at=LOOKED_AT
        )

    async def _records(self, feed: str, reason: str) -> list[Record]:
        """Return the newest records that were rejected for a reason, the newest first."""
        found = await self._portal.operations.rejects(feed, LOOKED_AT)
        return [
            Record(kept, shown(kept.reject.data, kept.record_bytes, SHOWN_BYTES))
            for kept in reversed(found)
            if kept.reject.reason == reason
        ][:SHOWN_RECORDS]

    async def _retry(self, request: Request, feed: FeedStatus) -> Response:
        async with audited(self._portal.audit, "rejects-retry", feed=feed.name) as facts:
            retried = await self._portal.operations.retry_rejects(feed.name, RETRY_SECS)
            facts |= {"records": retried.records, "still_rejected": retried.stay}
        return self._portal.view.redirect(
            request,
            f"/feeds/{feed.name}/rejects",
            notice=retried_sentence(retried),
            kind="good" if retried.is_good else "warn",
        )


def grouped(counts: Sequence[ReasonCount]) -> list[Group]:
    """Return a group for each reason."""
    return [Group(_key(count.reason), count) for count in counts]


def retried_sentence(retried: RetriedRejects) -> str:
    """Return what came of a retry, as far as it is known."""
    if not retried.records and not retried.stay:
        return "There was nothing to retry."
    parts = [
        f"{number:,} {text}"
        for number, text in (
            (retried.delivered, "delivered"),
            (retried.filtered, "filtered out"),
            (retried.rejected_records, "rejected again"),
            (retried.waiting, "still pending"),
            (retried.unclear, "gone through unseen"),
        )
        if number
    ]
    goes = "1 record went" if retried.records == 1 else f"{retried.records:,} records went"
    sentence = f"{goes} through the feed again{': ' if parts else ''}{', '.join(parts)}."
    if not retried.stay:
        return sentence
    stays = (
        "1 could not, and stays" if retried.stay == 1 else f"{retried.stay:,} could not, and stay"
    )
    return (
        f"{sentence} {stays} rejected: too long to be kept whole, or still impossible to be read."
    )


def _key(reason: str) -> str:
    return sha256(reason.encode(errors="surrogatepass")).hexdigest()[:16]
