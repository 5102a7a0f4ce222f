"""The part of the control page that is about the way back: unsanctioned apps and ZIA.

GET    /zia   what is in the categories and in force, and which apps are marked, as JSON
POST   /zia   {"mark": {"Box": [".box.com"]}, "lock": 3, "read_only": true, ..}, as JSON
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nss.lab.cloud.entra import Entra
from nss.lab.cloud.unsanctioned import AS_DELIVERED, Unsanctioned, many
from nss.lab.cloud.zia import Categories, LockForm, Rate, ThrottleForm, Zia

_Unset = msgspec.UnsetType
_UNSET = msgspec.UNSET


class Edit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What another administrator does to a category, which is made if there is none."""

    add: list[str] = []
    retain: list[str] = []
    remove: list[str] = []
    delete: bool = False


class ZiaSwitches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What can be switched; what is left out stays as it is."""

    unsanctioned: dict[str, list[str]] | Literal["as delivered"] | int | _Unset = _UNSET
    """Apps and their domains, everything that real lists have had, or so many apps."""
    mark: dict[str, list[str]] = {}
    """Apps and their domains, besides those that are marked already."""
    unmark: list[str] = []
    line_end: str | _Unset = _UNSET
    list_body: str | _Unset | None = _UNSET
    """What is sent in place of the block script, or null for the script."""
    real_pace: bool = False
    write_secs: float | _Unset = _UNSET
    activation_secs: float | _Unset = _UNSET
    rates: dict[str, Rate] | _Unset = _UNSET
    throttle_form: ThrottleForm | _Unset = _UNSET
    read_only: bool | _Unset = _UNSET
    lock: int | _Unset = _UNSET
    lock_form: LockForm = "code"
    lock_reads: bool = False
    max_urls: int | _Unset = _UNSET
    forbidden: dict[str, str] | _Unset = _UNSET
    roles: list[str] | _Unset = _UNSET
    """Of tokens that Entra issues for ZIA."""
    agreement_is_accepted: bool | _Unset = _UNSET
    logout_activates: bool | _Unset = _UNSET
    session_idle_secs: float | _Unset = _UNSET
    lose_sessions: bool = False
    revoke_tokens: bool = False
    categories: dict[str, Edit] = {}
    """What another administrator does, by the name of the category."""
    before_next_write: bool = False
    """Whether he does it at once, or between a client's read and its next write."""
    url_filtering: list[dict[str, Any]] | _Unset = _UNSET
    cloud_app_control: dict[str, list[dict[str, Any]]] | _Unset = _UNSET
    ssl_inspection: list[dict[str, Any]] | _Unset = _UNSET
    advanced_settings: dict[str, Any] = {}
    """Those that are to change, as `cascadeUrlFiltering`."""


class ZiaControl:
    """Serves that part; `read` returns the object of a request that has JSON."""

    def __init__(
        self, zia: Zia, entra: Entra, unsanctioned: Unsanctioned, read: Callable[[Request], Any]
    ) -> None:
        self._zia = zia
        self._entra = entra
        self._unsanctioned = unsanctioned
        self._read = read

    def routes(self) -> list[Route]:
        """Return the paths."""
        return [
            Route("/zia", self._show),
            Route("/zia", self._switch, methods=["POST"]),
        ]

    async def _show(self, _request: Request) -> Response:
        zia = self._zia
        return JSONResponse(
            {
                "unsanctioned": self._unsanctioned.apps,
                "categories": {
                    found["configuredName"]: {
                        "urls": sorted(found["urls"]),
                        "retaining": sorted(found["dbCategorizedUrls"]),
                        "in_force": sorted(zia.in_force(found["configuredName"])),
                    }
                    for found in zia.categories.listed("ALL", is_custom_only=True)
                },
                "status": zia.activation.status,
                "sessions": zia.sessions.open_count,
                "changes": len(zia.categories.changes),
            }
        )

    async def _switch(self, request: Request) -> Response:
        try:
            wanted = msgspec.convert(await self._read(request), ZiaSwitches)
        except msgspec.ValidationError as error:
            raise HTTPException(400, str(error)) from None
        self._mark(wanted)
        self._set_attributes(wanted)
        self._act(wanted)
        for name, edit in wanted.categories.items():
            meddle = partial(_meddle, name=name, edit=edit)
            if wanted.before_next_write:
                self._zia.before_next_write(meddle)
            else:
                meddle(self._zia.categories)
        return Response(status_code=204)

    def _mark(self, wanted: ZiaSwitches) -> None:
        match wanted.unsanctioned:
            case dict(apps):
                self._unsanctioned.apps = apps
            case "as delivered":
                self._unsanctioned.apps = {**AS_DELIVERED}
            case int(count):
                self._unsanctioned.apps = many(count)
        marked = self._unsanctioned.apps | wanted.mark
        gone = frozenset(wanted.unmark)
        self._unsanctioned.apps = {app: marked[app] for app in marked if app not in gone}
        if isinstance(wanted.list_body, str):
            self._unsanctioned.raw = wanted.list_body.encode()
        elif wanted.list_body is None:
            self._unsanctioned.raw = None

    def _set_attributes(self, wanted: ZiaSwitches) -> None:
        zia = self._zia
        if wanted.real_pace:
            zia.keep_real_pace()
        targets: Mapping[str, tuple[object, str]] = {
            "line_end": (self._unsanctioned, "line_end"),
            "write_secs": (zia, "write_secs"),
            "activation_secs": (zia.activation, "secs"),
            "rates": (zia.limits, "rates"),
            "throttle_form": (zia.limits, "form"),
            "read_only": (zia, "is_read_only"),
            "max_urls": (zia.categories, "max_urls"),
            "forbidden": (zia, "forbidden"),
            "roles": (self._entra, "zia_roles"),
            "agreement_is_accepted": (zia.activation, "agreement_is_accepted"),
            "logout_activates": (zia, "logout_activates"),
            "session_idle_secs": (zia.sessions, "idle_secs"),
            "url_filtering": (zia.policies, "url_filtering"),
            "cloud_app_control": (zia.policies, "cloud_app_control"),
            "ssl_inspection": (zia.policies, "ssl_inspection"),
        }
        for name, (target, attribute) in targets.items():
            value = getattr(wanted, name)
            if value is not _UNSET:
                setattr(target, attribute, value)
        zia.policies.advanced_settings |= wanted.advanced_settings

    def _act(self, wanted: ZiaSwitches) -> None:
        if not isinstance(wanted.lock, _Unset):
            self._zia.lock(wanted.lock, wanted.lock_form, reads_too=wanted.lock_reads)
        if wanted.lose_sessions:
            self._zia.sessions.lose()
        if wanted.revoke_tokens:
            self._zia.one_api.revoke()


def _meddle(categories: Categories, name: str, edit: Edit) -> None:
    names = {found["configuredName"] for found in categories.listed("ALL", is_custom_only=True)}
    if edit.delete and name in names:
        categories.drop(name)
    elif name in names:
        categories.edit(name, add=edit.add, retain=edit.retain, remove=edit.remove)
    elif not edit.delete:
        categories.put(name, edit.add, edit.retain)
