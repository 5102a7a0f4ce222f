"""All routes of the portal, put together: the only module that knows every page."""

from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nss.admin.operations import Operations
from nss.admin.portal.attempts import Attempts
from nss.admin.portal.guard import Guard, known_hosts
from nss.admin.portal.links import SignInLinks
from nss.admin.portal.live import Live
from nss.admin.portal.pages.overview import OverviewPage
from nss.admin.portal.sessions import Sessions
from nss.admin.portal.signing_in import ONCE, SIGN_IN, Cookie, SessionOfRequests, SignIn
from nss.admin.portal.static import PREFIX, StaticFiles
from nss.admin.portal.view import Portal, View
from nss.config.model import Config
from nss.mcas.access import audit_log
from nss.setup.portal_users import PortalUsers

_LIVE = "/live"
_DATA = ".json"


class PortalApp:
    """The ASGI application of one running service."""

    def __init__(self, config: Config, path: Path, operations: Operations) -> None:
        settings, folder = config.portal, config.service.state_directory
        is_tls = settings.tls_certificate is not None
        static = StaticFiles()
        view = View(operations, static)
        audit = audit_log(folder)
        self._users = PortalUsers(folder)
        self._links = SignInLinks()
        sessions = Sessions(
            idle_secs=settings.idle_minutes * 60.0, max_secs=settings.session_hours * 3600.0
        )
        self._sessions = sessions
        self._live = Live(sessions, lambda: _common(view, operations))
        portal = Portal(operations, path, audit, view, self._live)
        cookie = Cookie(is_secure=is_tls)
        signing_in = SignIn(self._users, sessions, Attempts(), self._links, audit, cookie)
        pages = [OverviewPage(portal)]
        app = Starlette(
            routes=[
                *signing_in.routes(),
                *static.routes(),
                *(route for page in pages for route in page.routes()),
                Route("/{path:path}", _not_found),
            ]
        )
        app.state.view = view
        inner = SessionOfRequests(app, sessions, cookie, is_open=_is_open, is_passive=_is_passive)
        hosts = known_hosts(settings.listen.host if settings.listen else "", settings.hosts)
        self._app = Guard(inner, hosts, is_tls=is_tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._app(scope, receive, send)

    async def start(self) -> None:
        """Begin to watch who may still sign in."""

    def close(self) -> None:
        """End live pages."""
        self._live.close()

    def sign_in_path(self, role: str) -> str:
        """Return the path and query that sign in once."""
        return f"{ONCE}?t={quote(self._links.new(role))}"


def _common(view: View, operations: Operations) -> dict[str, str]:
    return {"health": view.text("_health.html", health=operations.status().health)}


def _is_open(path: str) -> bool:
    return path in {SIGN_IN, ONCE} or path.startswith(PREFIX)


def _is_passive(scope: Scope) -> bool:
    """Return whether a request comes by itself from an open page: nobody may be there."""
    path = scope["path"]
    return path.endswith((_LIVE, _DATA))


async def _not_found(request: Request) -> Response:
    view: View = request.app.state.view
    facts = {"sentence": "there is no such page", "tip": None, "status": 404}
    return view.page(request, "error.html", status=404, **facts)
