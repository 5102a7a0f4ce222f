"""The feeds and sources: what they do, where records go, and what became of those that did not.

`listing` and `detail` are the pages to look at, with `series` for their graphs; `rejects`,
`replay`, `uploads` and `tapping` are what can be done with a feed.
"""

from starlette.routing import Route

from nss.admin.portal.pages.feeds.detail import FeedDetail, SourceDetail
from nss.admin.portal.pages.feeds.listing import Listing
from nss.admin.portal.pages.feeds.rejects import Rejects
from nss.admin.portal.pages.feeds.replay import Replay
from nss.admin.portal.pages.feeds.series import SeriesData
from nss.admin.portal.pages.feeds.tapping import Tapping
from nss.admin.portal.pages.feeds.uploads import Uploads
from nss.admin.portal.view import Portal


class FeedsPages:
    """`/feeds` and everything below."""

    def __init__(self, portal: Portal) -> None:
        data = SeriesData(portal.operations)
        # Sources come first: their pages are below a name that a feed may have as well.
        self._parts = (
            Listing(portal),
            SourceDetail(portal, data),
            FeedDetail(portal, data),
            Rejects(portal),
            Replay(portal),
            Uploads(portal),
            Tapping(portal),
        )

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [route for part in self._parts for route in part.routes()]
