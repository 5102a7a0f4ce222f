"""The API at its two places: `/api/v1` for sessions and Entra, `/zia/api/v1` for OneAPI."""

import asyncio
import re
import uuid
from collections.abc import Callable

import jwt
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from nss.lab.cloud.tokens import Tokens
from nss.lab.cloud.zia.activation import Contents
from nss.lab.cloud.zia.bodies import json_body, json_object
from nss.lab.cloud.zia.categories import Categories
from nss.lab.cloud.zia.limits import REAL_RATES, Limits
from nss.lab.cloud.zia.one_api import OneApi
from nss.lab.cloud.zia.refusals import LockForm, Refusal, coded, locked, read_only, unauthorized
from nss.lab.cloud.zia.resources import Operation, Resources
from nss.lab.cloud.zia.sessions import COOKIE, Sessions

_DIRECT, _ONE_API = "/api/v1", "/zia/api/v1"
_REAL_WRITE_SECS = 3.0
_REAL_ACTIVATION_SECS = 5.0
_ROLE = re.compile(r"([^:]+)::([^:]+)::(.+)", re.ASCII)


class Zia:
    """One organisation. `complain` takes each violation of a protocol, as one sentence.

    It answers at once and without limits, which is what most tests want, until
    `keep_real_pace()`. `resource` is what tokens of Entra (`tokens`) have to be for.
    """

    def __init__(
        self,
        tokens: Tokens,
        resource: str,
        complain: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.cloud = "zscalerbeta.net"
        self.organization_id = "24326813"
        self.api_roles = {"NSS"}
        """Those that were made in the admin portal, for tokens of Entra."""
        self.resources = Resources(complain)
        self.categories = self.resources.categories
        self.activation = self.resources.activation
        self.policies = self.resources.policies
        self.gateway = self.resources.gateway
        self.one_api = OneApi(complain, clock)
        self.sessions = Sessions(complain, self._session_ended)
        self.limits = Limits(complain, clock)
        self.write_secs = 0.0
        """How long a write takes, in which there is no other."""
        self.is_read_only = False
        """An upgrade: nothing can be written."""
        self.forbidden: dict[str, str] = {}
        """Codes that requests for a part are refused with: `sslInspectionRules: SCOPE_LIMITED`."""
        self.logout_activates = False
        """Whether the end of a session activates what is pending, as the vendor says at places."""
        self._tokens = tokens
        self._resource = resource
        self._complain = complain
        self._meddlers: list[Callable[[Categories], None]] = []
        self._locked: tuple[int, LockForm, bool] = (0, "code", False)
        self.is_writing = False
        """Whether a write is under way."""

    @property
    def role_claim(self) -> str:
        """The role that a token of Entra needs."""
        return f"{self.cloud}::{self.organization_id}::{min(self.api_roles)}"

    def keep_real_pace(self) -> None:
        """Take as long as the real ZIA, and as many requests as that."""
        self.limits.rates = REAL_RATES
        self.write_secs = _REAL_WRITE_SECS
        self.activation.secs = _REAL_ACTIVATION_SECS

    def lock(self, times: int, form: LockForm = "code", *, reads_too: bool = False) -> None:
        """Have another administrator save meanwhile: refuse the next `times` writes."""
        self._locked = times, form, reads_too

    def before_next_write(self, meddle: Callable[[Categories], None]) -> None:
        """Have another administrator do something between a client's read and its next write.

        Called in the thread of the servers, in the order given, once.
        """
        self._meddlers.append(meddle)

    def in_force(self, name: str) -> frozenset[str]:
        """Return what gateways have in a category by now. Raises `KeyError` for an unknown name."""
        found = self.activation.active.get(self.categories.shown(name)["id"], Contents())
        return found.urls | found.retaining

    def app(self) -> Starlette:
        """Return the server."""
        methods = ["GET", "POST", "DELETE"]
        session = Route("/authenticatedSession", self._session, methods=methods)
        routes = [self._route(operation) for operation in self.resources.operations()]
        return Starlette(
            routes=[Mount(_DIRECT, routes=[session, *routes]), Mount(_ONE_API, routes=routes)],
            exception_handlers={HTTPException: self._no_such_path},
        )

    def _route(self, operation: Operation) -> Route:
        part = operation.path.split("/")[1]

        async def serve(request: Request) -> Response:
            try:
                self._sign_in(request)
                if part in self.forbidden:
                    raise coded(403, self.forbidden[part], "Access to this resource is limited")
                self.limits.take(operation.method, operation.path)
                answer = await self._carry_out(operation, request)
            except Refusal as refusal:
                answer = refusal.answer()
            return self._with_headers(request, answer)

        # Starlette would serve HEAD with GET, which the real API does not document.
        route = Route(operation.path, serve, methods=[operation.method])
        route.methods = {operation.method}
        return route

    async def _carry_out(self, operation: Operation, request: Request) -> Response:
        if operation.is_write and self.is_read_only:
            raise read_only()
        times, form, reads_too = self._locked
        if times and (operation.is_write or reads_too):
            self._locked = times - 1, form, reads_too
            raise locked(form)
        if not operation.is_write:
            return await operation.handler(request)
        if self.is_writing:
            raise locked("code")
        self.is_writing = True
        try:
            await asyncio.sleep(self.write_secs)
            meddlers, self._meddlers = self._meddlers, []
            for meddle in meddlers:
                meddle(self.categories)
            return await operation.handler(request)
        finally:
            self.is_writing = False

    def _sign_in(self, request: Request) -> None:
        """Raise `Refusal` unless a request may come from this sign-in at this place."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if request.scope["root_path"] == _ONE_API:
            if scheme != "Bearer" or not self.one_api.is_valid(token):
                raise unauthorized()
        elif scheme:
            if COOKIE in request.cookies:
                self._complain("a request has both a token and a session")
            self._check_entra(scheme, token)
        else:
            self.sessions.check(request)

    def _check_entra(self, scheme: str, token: str) -> None:
        try:
            claims = self._tokens.check(token, self._resource)
        except jwt.InvalidTokenError:
            raise unauthorized() from None
        if scheme != "Bearer":
            raise unauthorized()
        for role in claims.get("roles", ()):
            parts = _ROLE.fullmatch(role)
            if parts is None or parts.group(1, 2) != (self.cloud, self.organization_id):
                continue
            if parts[3] in self.api_roles:
                return
        raise coded(403, "SCOPE_LIMITED", "The token has no API role of this organization")

    def _with_headers(self, request: Request, answer: Response) -> Response:
        answer.headers["cache-control"] = "no-store, no-cache"
        answer.headers["x-zscaler-mode"] = "read-only" if self.is_read_only else "read-write"
        if request.scope["root_path"] == _ONE_API:
            answer.headers["x-ratelimit-limit"] = "5000, 5000;w=60"
            answer.headers["x-ratelimit-remaining"] = "4999"
            answer.headers["x-ratelimit-reset"] = "60"
            answer.headers["x-oneapi-request-id"] = str(uuid.uuid4())
            answer.headers["x-transaction-id"] = str(uuid.uuid4())
        return answer

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if error.status_code in {404, 405}:
            self._complain(f"no such request: {request.method} {request.url.path[:80]}")
        return self._with_headers(request, Response(status_code=error.status_code))

    def _session_ended(self) -> None:
        if self.logout_activates:
            self.activation.start()

    async def _session(self, request: Request) -> Response:
        try:
            self.limits.take(request.method, "/authenticatedSession")
            match request.method:
                case "GET":
                    answer = self.sessions.show(request)
                case "DELETE":
                    answer = self.sessions.sign_out(request)
                case _:
                    answer = self.sessions.sign_in(json_object(await json_body(request)))
        except Refusal as refusal:
            answer = refusal.answer()
        return self._with_headers(request, answer)
