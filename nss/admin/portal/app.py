"""All routes of the portal, put together: the only module that knows every page."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nss.admin.operations import Operations
from nss.admin.portal import handover
from nss.admin.portal.attempts import Attempts
from nss.admin.portal.guard import Guard, known_hosts
from nss.admin.portal.links import Links
from nss.admin.portal.live import Live
from nss.admin.portal.pages.audit import AuditPages
from nss.admin.portal.pages.configuration import ConfigurationPages
from nss.admin.portal.pages.feeds import FeedsPages
from nss.admin.portal.pages.integrations.index import IntegrationsPages
from nss.admin.portal.pages.overview import OverviewPage
from nss.admin.portal.pages.studio import StudioPages
from nss.admin.portal.sessions import Sessions
from nss.admin.portal.signing_in import ONCE, SIGN_IN, Cookie, SessionOfRequests, SignIn
from nss.admin.portal.static import PREFIX, StaticFiles
from nss.admin.portal.view import NoSuchPage, Portal, View, view_of
from nss.config.model import Config
from nss.errors import NssError
from nss.mcas.access import audit_log
from nss.setup.password_hashes import Cost
from nss.setup.portal_users import PortalUsers, Role
from nss.telemetry.audit import person_at_work

USERS_SECS = 1.0
"""How soon a password that was changed on the command line ends sessions."""

UNREADABLE_LOOKS = 10
"""After this many failures to read the users, one after the other, nobody is signed in any more."""

_LIVE = "/live"
_DATA = ".json"


class Page(Protocol):
    """A page, or several that belong together."""

    def routes(self) -> list[Route]:
        """Return the routes."""


@runtime_checkable
class ClosingPage(Protocol):
    """A page that has something under way."""

    async def close(self) -> None:
        """End it."""


class PortalApp:
    """The ASGI application of one running service. `cost` is that of new hashes of passwords."""

    def __init__(
        self,
        config: Config,
        path: Path,
        operations: Operations,
        *,
        cost: Cost = Cost(),  # noqa: B008 - it is frozen
    ) -> None:
        settings = config.portal
        self._folder = folder = config.service.state_directory
        is_tls = settings.tls_certificate is not None
        static = StaticFiles()
        self._view = view = View(operations, static)
        audit = audit_log(folder)
        self._users = PortalUsers(folder, cost=cost)
        self._links = Links()
        sessions = Sessions(
            idle_secs=settings.idle_minutes * 60.0, max_secs=settings.session_hours * 3600.0
        )
        self._sessions = sessions
        self._live = Live(sessions, lambda: _common(view, operations))
        portal = Portal(operations, path, audit, view, self._live)
        cookie = Cookie(is_secure=is_tls)
        signing_in = SignIn(self._users, sessions, Attempts(), self._links, audit, cookie)
        self._pages: list[Page] = [
            OverviewPage(portal),
            IntegrationsPages(portal, sessions.is_alive),
            FeedsPages(portal),
            StudioPages(portal),
            ConfigurationPages(portal),
            AuditPages(portal),
        ]
        app = Starlette(
            routes=[
                *signing_in.routes(),
                *static.routes(),
                *(route for page in self._pages for route in page.routes()),
                Route("/{path:path}", _not_found),
            ]
        )
        app.state.view = view
        inner = SessionOfRequests(app, sessions, cookie, is_open=_is_open, is_passive=_is_passive)
        hosts = known_hosts(settings.listen.host if settings.listen else "", settings.hosts)
        self._app = Guard(inner, hosts, is_tls=is_tls)
        self._watching: asyncio.Task[None] | None = None
        self._users_seen: object = None
        """The stamp of the file with users, as is"""
        self._stamps: Mapping[str, str] = {}
        """that of each user in it."""
        self._unreadable_looks = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._app(scope, receive, send)

    async def start(self) -> None:
        """Go on with the sessions of the service before, and watch who may still sign in."""
        await asyncio.to_thread(self._view.compile)
        await asyncio.to_thread(handover.take, self._folder, self._sessions)
        await self._look_at_users()
        self._watching = asyncio.create_task(self._watch_users())

    def end_live(self) -> None:
        """End live pages, which would go on as long as their readers."""
        self._live.close()

    async def close(self) -> None:
        """End what pages have under way, and leave the sessions for the next service.

        Nobody may be served any more: who signed out meanwhile would be signed in again.
        """
        self.end_live()
        for page in self._pages:
            if isinstance(page, ClosingPage):
                await page.close()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.to_thread(handover.leave, self._folder, self._sessions)

    async def _watch_users(self) -> None:
        """End the sessions of those whose password or role has changed, or who are gone."""
        while True:
            await self._look_at_users()
            await asyncio.sleep(USERS_SECS)

    async def _look_at_users(self) -> None:
        """End sessions of all but those who could begin one now.

        Also when nothing has changed: one may have begun with a password that was right before.
        """
        # What can't be read is said where somebody signs in. `RuntimeError`: there is no thread.
        with contextlib.suppress(OSError, RuntimeError):
            found = await asyncio.to_thread(self._users.stamp)
            if found != self._users_seen:
                await self._read_users(found)
        if self._users_seen is not None:
            stamps = self._stamps
            self._sessions.end_where(
                lambda each: each.stamp != "" and stamps.get(each.user) != each.stamp
            )

    async def _read_users(self, stamp: object) -> None:
        """Learn who may still be signed in; of a file that stays unreadable, nobody."""
        try:
            users = await asyncio.to_thread(self._users.users)
        except NssError:
            self._unreadable_looks += 1
            if self._unreadable_looks >= UNREADABLE_LOOKS:
                self._stamps, self._users_seen = {}, ()
            return
        self._stamps = {user.name: user.stamp for user in users}
        self._users_seen, self._unreadable_looks = stamp, 0

    def sign_in_path(self, role: Role) -> str:
        """Return the path and query that sign in once, as whoever asks for it."""
        return f"{ONCE}?t={quote(self._links.new(role, person_at_work()))}"


def _common(view: View, operations: Operations) -> dict[str, str]:
    return {"health": view.text("_health.html", health=operations.status().health)}


def _is_open(path: str) -> bool:
    return path in {SIGN_IN, ONCE} or path.startswith(PREFIX)


def _is_passive(scope: Scope) -> bool:
    """Return whether a request comes by itself from an open page: nobody may be there."""
    path: str = scope["path"]
    return path.endswith((_LIVE, _DATA))


async def _not_found(request: Request) -> Response:
    return view_of(request).error(request, NoSuchPage("there is no such page"))
