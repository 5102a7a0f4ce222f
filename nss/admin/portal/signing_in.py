"""Signing in and out, and one-time links."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from nss.admin.portal.attempts import Attempts, Lines
from nss.admin.portal.forms import MAX_SMALL_BYTES, form_of
from nss.admin.portal.links import Links
from nss.admin.portal.people import signed_in
from nss.admin.portal.sessions import Sessions
from nss.admin.portal.view import View, post, view_of
from nss.errors import NssError, ServiceError
from nss.setup.portal_users import PortalUsers, Role, User
from nss.telemetry.audit import AuditLog, Fact, acting_as
from nss.wording import duration_text

HOME = "/"
SIGN_IN = "/sign-in"
ONCE = "/once"

MAX_WAITING = 16
"""How many passwords wait to be looked at."""

_ACTION = "portal sign-in"
_WRONG = "the name or the password is not right"


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie of sessions; over TLS it has a prefix that only this host, and TLS, can set.

    Cookies are for all ports of a host. Through tunnels several portals are at one host, so the
    port that the browser sees is in the name.
    """

    is_secure: bool

    def name(self, request: Request) -> str:
        """Return its name, at the port that a request names."""
        port = request.headers.get("host", "").rpartition("]")[2].partition(":")[2]
        name = "__Host-nss" if self.is_secure else "nss_session"
        return f"{name}_{port}" if port.isascii() and port.isdecimal() else name

    def read(self, request: Request) -> str | None:
        """Return the token that a browser sent.

        Cookies of other services of the host are among those it sends, in whatever form. (The
        parser of Python's library stops at them, and takes seconds for some.)
        """
        own = self.name(request)
        for each in request.headers.get("cookie", "").split(";"):
            name, _, value = each.partition("=")
            if name.strip() == own:
                return value.strip()
        return None

    def write(self, request: Request, response: Response, token: str) -> None:
        """Have the browser keep a token until it is closed."""
        response.set_cookie(
            self.name(request),
            token,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="strict",
        )

    def clear(self, request: Request, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self.name(request), path="/", secure=self.is_secure, httponly=True, samesite="strict"
        )


class SessionOfRequests:
    """Finds the session of each request; without one only paths that `is_open` are served.

    A request that `is_passive` comes from an open page by itself, and does not count as use.
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        cookie: Cookie,
        *,
        is_open: Callable[[str], bool],
        is_passive: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._cookie = cookie
        self._is_open = is_open
        self._is_passive = is_passive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        request = Request(scope)
        token = self._cookie.read(request)
        session = None
        if token is not None:
            session = self._sessions.find(token, is_used=not self._is_passive(scope))
        state = scope.setdefault("state", {})
        state["session"], state["token"] = session, token
        if session is None and not self._is_open(scope["path"]):
            await self._turned_away(request)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _turned_away(self, request: Request) -> Response:
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not is_page or request.headers.get("hx-request") == "true":
            # htmx follows HX-Redirect; an event stream shows that the session is over.
            headers = {"hx-redirect": SIGN_IN} if request.method == "POST" else {}
            return Response("Sign in first.\n", 401, headers, "text/plain")
        return RedirectResponse(SIGN_IN, 303)


class SignIn:
    """The pages of signing in and out."""

    def __init__(
        self,
        users: PortalUsers,
        sessions: Sessions,
        attempts: Attempts,
        links: Links,
        audit: AuditLog,
        cookie: Cookie,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._attempts = attempts
        self._links = links
        self._audit = audit
        self._cookie = cookie
        self._verifying = asyncio.Semaphore(1)
        """Each takes a core and tens of MiB for a while; the stream needs them more."""
        self._waiting = 0
        self._refusals = Lines()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(SIGN_IN, self._form, methods=["GET"]),
            Route(SIGN_IN, self._signed_in, methods=["POST"]),
            Route(ONCE, self._once_form, methods=["GET"]),
            Route(ONCE, self._once, methods=["POST"]),
            post("/sign-out", self._signed_out, viewers=True),
        ]

    async def _form(self, request: Request) -> Response:
        if signed_in(request) is not None:
            return RedirectResponse(HOME, 303)
        return await self._shown(view_of(request), request)

    async def _shown(
        self, view: View, request: Request, *, status: int = 200, name: str = "", error: str = ""
    ) -> Response:
        is_empty = False
        try:
            is_empty = not await asyncio.to_thread(self._users.users)
        except NssError as fault:
            error = error or str(fault.args[0])
        facts = {"name": name, "error": error, "nobody_yet": is_empty}
        return view.page(request, "sign_in.html", status=status, **facts)

    async def _signed_in(self, request: Request) -> Response:
        view = view_of(request)
        try:
            form = await form_of(request, max_bytes=MAX_SMALL_BYTES)
            name, password = form["user"].strip(), form["password"]
            address = request.client.host if request.client else ""
            wait_secs = self._attempts.check(address, name)
            if wait_secs > 0:
                await self._note_refusal(name, "locked out", "too many attempts", address)
                text = f"too many attempts: try again in {duration_text(wait_secs + 1)}"
                response = await self._shown(view, request, status=429, name=name, error=text)
                response.headers["retry-after"] = str(int(wait_secs) + 1)
                return response
        except NssError as error:
            return await self._shown(view, request, status=400, error=str(error.args[0]))
        try:
            user = await self._verified(name, password)
        except NssError as error:
            self._attempts.take_back(address, name)
            return await self._shown(view, request, status=503, error=str(error.args[0]))
        if user is None:
            self._attempts.failed(address, name)
            await self._note_refusal(name, "failed", _WRONG, address)
            return await self._shown(view, request, status=401, name=name, error=_WRONG)
        self._attempts.passed(address, name)
        await self._note(user.name, "passed", "", address)
        return self._begun(request, user.name, user.role, user.stamp)

    async def _verified(self, name: str, password: str) -> User | None:
        """Return the user whose password this is. Raises `NssError`."""
        if self._waiting >= MAX_WAITING:
            raise ServiceError("too many people sign in at this moment", tip="try again")
        self._waiting += 1
        try:
            async with self._verifying:
                began = time.monotonic()
                user = await asyncio.to_thread(self._users.verify, name, password)
                if user is None:  # strangers from everywhere get half a core, and no more
                    await asyncio.sleep(time.monotonic() - began)
                return user
        finally:
            self._waiting -= 1

    async def _once_form(self, request: Request) -> Response:
        # A link is used up by a form: what looks at links in advance does not use it up.
        return view_of(request).page(request, "once.html", token=request.query_params.get("t", ""))

    async def _once(self, request: Request) -> Response:
        view = view_of(request)
        try:
            form = await form_of(request, max_bytes=MAX_SMALL_BYTES)
            link = self._links.use(form["t"])
        except NssError as error:
            return await self._shown(view, request, status=400, error=str(error.args[0]))
        address = request.client.host if request.client else ""
        if link is None:
            reason = "the one-time link is not valid"
            await self._note_refusal("one-time link", "failed", reason, address)
            text = (
                "this link was used already, or is older than ten minutes: "
                "nss portal sign-in-link makes a new one"
            )
            return await self._shown(view, request, status=401, error=text)
        name = link.person or "one-time link"
        await self._note(name, "passed", "by a one-time link", address)
        return self._begun(request, name, link.role, "")

    def _begun(self, request: Request, name: str, role: Role, stamp: str) -> Response:
        """Begin a session with a new token, whatever the browser had before."""
        before = request.scope["state"].get("token")
        if before:
            self._sessions.end(before)
        token, _ = self._sessions.begin(name, role, stamp)
        response = RedirectResponse(HOME, 303)
        self._cookie.write(request, response, token)
        return response

    async def _signed_out(self, request: Request) -> Response:
        self._sessions.end(request.scope["state"]["token"])
        await asyncio.to_thread(self._audit.write, "portal sign-out", "done")
        response = RedirectResponse(SIGN_IN, 303)
        self._cookie.clear(request, response)
        response.headers["clear-site-data"] = '"cache"'
        return response

    async def _note_refusal(self, name: str, outcome: str, reason: str, address: str) -> None:
        """Have it in the audit log, unless there are too many; then they are counted there."""
        unrecorded = self._refusals.next()
        if unrecorded is not None:
            await self._note(name, outcome, reason, address, unrecorded or None)

    async def _note(
        self, name: str, outcome: str, reason: str, address: str, unrecorded: int | None = None
    ) -> None:
        facts: dict[str, Fact] = {"address": address, "unrecorded": unrecorded}
        with acting_as(f"{name[:64]} (portal)"):
            await asyncio.to_thread(self._audit.write, _ACTION, outcome, reason, **facts)
