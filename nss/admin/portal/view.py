"""What page modules work with: templates, forms, sessions of requests, and routes."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from nss.admin import events
from nss.admin.operations import Operations
from nss.admin.portal import texts
from nss.admin.portal.forms import Form, form_of
from nss.admin.portal.live import Live
from nss.admin.portal.people import Forbidden, NoSuchPage, SignInNeeded, session_of, signed_in
from nss.admin.portal.sessions import Notice, NoticeKind
from nss.admin.portal.static import StaticFiles
from nss.errors import NssError, UsageError, unplanned
from nss.telemetry.audit import AuditLog, acting_as
from nss.wording import own_version

TEMPLATES = Path(__file__).parent / "templates"

Endpoint = Callable[[Request], Awaitable[Response]]

__all__ = ["Form", "NoSuchPage", "Portal", "View", "form_of", "get", "post", "session_of"]


class View:
    """Renders templates; `health` and other facts of every page are asked of the service."""

    def __init__(self, operations: Operations, static: StaticFiles) -> None:
        self._operations = operations
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters |= texts.FILTERS
        self._templates.globals |= {"static": static.url, "version": own_version() or "unknown"}

    def compile(self) -> None:
        """Compile all templates, which blocks: each page would when it is first asked for."""
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def page(
        self, request: Request, template: str, /, *, status: int = 200, **facts: object
    ) -> Response:
        """Return a whole page; the notices of the session are shown in it."""
        session = signed_in(request)
        notices = [] if session is None else session.take_notices()
        return _html(self._rendered(request, template, facts, notices), status)

    def part(
        self, request: Request, template: str, /, *, status: int = 200, **facts: object
    ) -> Response:
        """Return a fragment, for htmx."""
        return _html(self._rendered(request, template, facts, []), status)

    def text(self, template: str, /, **facts: object) -> str:
        """Return a fragment as text, for event streams: it is the same for everybody."""
        return self._templates.get_template(template).render(facts)

    def redirect(
        self,
        request: Request,
        path: str,
        *,
        notice: str = "",
        kind: NoticeKind = "good",
        tip: str = "",
    ) -> Response:
        """Send the browser to a page of ours, which shows the notice."""
        if notice:
            session_of(request).note(kind, notice, tip)
        return RedirectResponse(path, 303)

    def error(self, request: Request, error: Exception) -> Response:
        """Return what a request gets that ended in an error: a page, or for htmx a notice."""
        sentence, tip, status = _described(error)
        facts: dict[str, Any] = {"sentence": sentence, "tip": tip, "code": status}
        if is_htmx(request):
            # With 200 htmx shows it in the place of what was asked for.
            return self.part(request, "error_part.html", **facts)
        return self.page(request, "error.html", status=status, **facts)

    def _rendered(
        self, request: Request, template: str, facts: Mapping[str, object], notices: list[Notice]
    ) -> str:
        session = signed_in(request)
        common: dict[str, object] = {
            "path": request.url.path,
            "user": None if session is None else session.user,
            "is_admin": session is not None and session.is_admin,
            "csrf": "" if session is None else session.csrf,
            "health": None if session is None else self._operations.status().health,
            "notices": notices,
        }
        return self._templates.get_template(template).render(common | dict(facts))


@dataclass(frozen=True, slots=True)
class Portal:
    """What pages have at hand. `path` is that of the configuration file."""

    operations: Operations
    path: Path
    audit: AuditLog
    view: View
    live: Live


def _html(text: str, status: int) -> Response:
    return HTMLResponse(texts.sendable(text), status)


def is_htmx(request: Request) -> bool:
    """Return whether htmx asks, and shows the answer inside of a page."""
    return request.headers.get("hx-request") == "true"


def get(path: str, endpoint: Endpoint) -> Route:
    """Return the route of a page, for everybody who has signed in."""
    return Route(path, _answering(endpoint), methods=["GET"])


def post(path: str, endpoint: Endpoint, *, viewers: bool = False) -> Route:
    """Return the route of a change, for administrators; with `viewers` for everybody.

    The form must have the token of the session.
    """

    async def changed(request: Request) -> Response:
        session = session_of(request)
        form = await form_of(request)
        if not hmac.compare_digest(form["csrf"].encode(), session.csrf.encode()):
            raise Forbidden("the form is not of this session", tip="load the page again")
        if not (session.is_admin or viewers):
            raise Forbidden("this needs the role admin", tip="sign in as an administrator")
        return await endpoint(request)

    return Route(path, _answering(changed), methods=["POST"])


def _answering(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that acts for the person at work and answers errors with a page."""

    async def answered(request: Request) -> Response:
        try:
            with acting_as(f"{session_of(request).user} (portal)"):
                return await endpoint(request)
        except NssError as error:
            return view_of(request).error(request, error)
        except Exception as error:  # noqa: BLE001 - a page must not hurt the stream
            asked = f"{request.method} {request.scope['route'].path}"
            events.request_failed("portal", asked, unplanned(error))
            return view_of(request).error(request, error)

    return answered


def view_of(request: Request) -> View:
    """Return the view of the app that serves a request."""
    found = request.app.state.view
    assert isinstance(found, View)  # noqa: S101 - app.py puts it there
    return found


def _described(error: Exception) -> tuple[str, str | None, int]:
    """Return sentence, tip and HTTP status of an error."""
    match error:
        case SignInNeeded():
            return str(error.args[0]), error.tip, 401
        case Forbidden():
            return str(error.args[0]), error.tip, 403
        case NoSuchPage():
            return str(error.args[0]), error.tip, 404
        case UsageError():
            return str(error.args[0]), error.tip, 400
        case NssError():
            return str(error.args[0]), error.tip, 409
    return f"this went wrong here: {unplanned(error)}", "see the log of the service", 500
