"""The lab's control page: what came in, and everything that can be made to go wrong.

GET    /           the page
GET    /state      what came in, as JSON
POST   /faults     switches a fault on: the fields of `Fault`, as JSON
DELETE /faults     switches all of them off
POST   /switches   {"refuse": "AADSTS7000222", "roles": [..], "skew_secs": 400, ..}, as JSON

What is about ZIA is in `nss.lab.cloud.control_zia`.
"""

from dataclasses import fields
from typing import Any, Literal, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from nss.lab.cloud.bodies import json_error, json_object
from nss.lab.cloud.control_page import page
from nss.lab.cloud.control_zia import ZiaControl
from nss.lab.cloud.entra import Entra
from nss.lab.cloud.faults import Fault, Faults
from nss.lab.cloud.mcas import Mcas, Provider
from nss.lab.cloud.notes import Notes
from nss.lab.cloud.parsing import Parser
from nss.lab.cloud.zia import Zia

_Kind = TypeVar("_Kind")

_OF_MCAS = (
    *("data_sources", "silent_drop", "repeat", "unsuccessful_status", "provider"),
    *("refuses_unknown_sources", "permits_governance", "results_delay_secs"),
)


class Switches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What can be switched besides faults; what is left out stays as it is."""

    refuse: str | msgspec.UnsetType | None = msgspec.UNSET
    """An AADSTS code for every sign-in, or null for none."""
    roles: list[str] | msgspec.UnsetType = msgspec.UNSET
    token_secs: int | msgspec.UnsetType = msgspec.UNSET
    skew_secs: float | msgspec.UnsetType = msgspec.UNSET
    data_sources: set[str] | msgspec.UnsetType = msgspec.UNSET
    silent_drop: bool | msgspec.UnsetType = msgspec.UNSET
    repeat: Literal["ok", "refused", "unsuccessful"] | msgspec.UnsetType = msgspec.UNSET
    unsuccessful_status: int | msgspec.UnsetType = msgspec.UNSET
    provider: Provider | msgspec.UnsetType = msgspec.UNSET
    refuses_unknown_sources: bool | msgspec.UnsetType = msgspec.UNSET
    permits_governance: bool | msgspec.UnsetType = msgspec.UNSET
    results_delay_secs: float | msgspec.UnsetType = msgspec.UNSET
    expire_sas: bool = False
    revoke_secret: bool = False
    revoke_tokens: bool = False


class Control:
    """Serves the page. Only JSON is accepted, which no other site's page can send by a form."""

    def __init__(
        self, entra: Entra, mcas: Mcas, parser: Parser, zia: Zia, faults: Faults, notes: Notes
    ) -> None:
        self._zia = ZiaControl(zia, entra, mcas.unsanctioned, _json)
        self._entra = entra
        self._mcas = mcas
        self._parser = parser
        self._faults = faults
        self._notes = notes

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/state", self._state),
                Route("/faults", self._add, methods=["POST"]),
                Route("/faults", self._clear, methods=["DELETE"]),
                Route("/switches", self._switch, methods=["POST"]),
                *self._zia.routes(),
            ],
            exception_handlers={HTTPException: json_error},
        )

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(page(self._seen(), self._faults.active))

    async def _state(self, _request: Request) -> Response:
        return JSONResponse(self._seen())

    async def _add(self, request: Request) -> Response:
        self._faults.add(_fault(await _json(request)))
        return JSONResponse({"active": len(self._faults.active)}, 201)

    async def _clear(self, _request: Request) -> Response:
        self._faults.clear()
        return Response(status_code=204)

    async def _switch(self, request: Request) -> Response:
        wanted = _converted(await _json(request), Switches)
        if wanted.refuse is not msgspec.UNSET:
            try:
                self._entra.refuse(wanted.refuse)
            except KeyError:
                raise HTTPException(400, "refuse: not a code that the lab knows") from None
        for server, name in (
            *((self._entra, name) for name in ("roles", "token_secs", "skew_secs")),
            *((self._mcas, name) for name in _OF_MCAS),
        ):
            value = getattr(wanted, name)
            if value is not msgspec.UNSET:
                setattr(server, name, value)
        for is_wanted, act in (
            (wanted.expire_sas, self._mcas.expire_upload_urls),
            (wanted.revoke_secret, self._entra.revoke_secret),
            (wanted.revoke_tokens, self._entra.tokens.revoke),
        ):
            if is_wanted:
                act()
        return Response(status_code=204)

    def _seen(self) -> dict[str, int]:
        return {
            "requests": len(self._notes.requests),
            "complaints": len(self._notes.complaints),
            "uploads": len(self._mcas.uploads),
            "records": self._parser.records,
            "malformed": self._parser.malformed,
            "too_old": self._parser.too_old,
        }


async def _json(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "Send JSON.")
    return await json_object(request)


def _fault(given: dict[str, Any]) -> Fault:
    unknown = given.keys() - {field.name for field in fields(Fault)}
    if unknown:
        raise HTTPException(400, f"Object contains unknown field `{min(unknown)[:40]}`")
    if isinstance(given.get("body"), str):
        given["body"] = given["body"].encode()
    return _converted(given, Fault)


def _converted(given: dict[str, Any], kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise HTTPException(400, str(error)) from None
