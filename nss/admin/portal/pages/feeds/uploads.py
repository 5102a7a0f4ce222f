"""Uploads to Cloud Discovery: now, and the end of a pause."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nss.admin.audited import audited
from nss.admin.operations import UploadedNow
from nss.admin.portal.pages.feeds.finding import of_feed
from nss.admin.portal.pages.feeds.shown import visible
from nss.admin.portal.view import Portal, post
from nss.status.summary import FeedStatus


class Uploads:
    """The changes of a feed that uploads."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def routes(self) -> list[Route]:
        """Return the routes."""
        portal = self._portal
        return [
            post("/feeds/{feed}/upload-now", of_feed(portal, self._upload_now)),
            post("/feeds/{feed}/resume", of_feed(portal, self._resume)),
        ]

    async def _upload_now(self, request: Request, feed: FeedStatus) -> Response:
        portal = self._portal
        async with audited(portal.audit, "upload-now", feeds=feed.name) as facts:
            (found,) = await portal.operations.upload_now([feed.name])
            facts |= {"records": found.records, "pending": found.pending}
            if found.reason is not None:
                facts["failed"] = found.reason
        return portal.view.redirect(
            request,
            f"/feeds/{feed.name}",
            notice=uploaded_sentence(found),
            kind="good" if found.reason is None else "bad",
        )

    async def _resume(self, request: Request, feed: FeedStatus) -> Response:
        portal = self._portal
        async with audited(portal.audit, "resume-uploads") as facts:
            held = portal.operations.resume_uploads()
            facts["feeds"] = ", ".join(held)
        return portal.view.redirect(
            request,
            f"/feeds/{feed.name}",
            notice=resumed_sentence(held),
            kind="good" if held else "info",
        )


def uploaded_sentence(found: UploadedNow) -> str:
    """Return what came of an upload."""
    records = "1 record is" if found.records == 1 else f"{found.records:,} records are"
    if found.reason is not None:
        wait = "1 waits" if found.pending == 1 else f"{found.pending:,} wait"
        return f"{records} uploaded, {wait}: {visible(found.reason)}"
    return f"{records} uploaded." if found.records else "Nothing was collected."


def resumed_sentence(held: list[str]) -> str:
    """Return what came of ending a pause."""
    if not held:
        return "No upload was held: there was nothing to end."
    return f"The pause is over: {', '.join(held)} will be tried again now."
