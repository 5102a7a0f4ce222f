"""The feed or source that a path names, or a page that says which one is meant."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from nss.admin.operations import unknown_feed
from nss.admin.portal.view import Endpoint, NoSuchPage, Portal
from nss.status.summary import FeedStatus, SourceStatus, Status
from nss.wording import nearest

FeedEndpoint = Callable[[Request, FeedStatus], Awaitable[Response]]
SourceEndpoint = Callable[[Request, SourceStatus], Awaitable[Response]]


def of_feed(portal: Portal, endpoint: FeedEndpoint) -> Endpoint:
    """Return an endpoint with the feed that `{feed}` names; 404 where there is none."""

    async def found(request: Request) -> Response:
        name, status = request.path_params["feed"], portal.operations.status()
        feed = feed_named(status, name)
        if feed is None:
            unknown = unknown_feed(name, [each.name for each in status.feeds])
            raise NoSuchPage(str(unknown.args[0]), tip=unknown.tip)
        return await endpoint(request, feed)

    return found


def of_source(portal: Portal, endpoint: SourceEndpoint) -> Endpoint:
    """Return an endpoint with the source that `{source}` names; 404 where there is none."""

    async def found(request: Request) -> Response:
        name, status = request.path_params["source"], portal.operations.status()
        source = source_named(status, name)
        if source is None:
            known = sorted(each.name for each in status.sources)
            tip = (nearest(name, known) or f"one of {', '.join(known)}") if known else None
            raise NoSuchPage(f"source {name!r} is not known", tip=tip)
        return await endpoint(request, source)

    return found


def feed_named(status: Status, name: str) -> FeedStatus | None:
    """Return the feed of a name."""
    return next((feed for feed in status.feeds if feed.name == name), None)


def source_named(status: Status, name: str) -> SourceStatus | None:
    """Return the source of a name."""
    return next((source for source in status.sources if source.name == name), None)
