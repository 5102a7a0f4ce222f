"""What there is at the API's paths, once a request has been let in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nss.lab.cloud.zia.activation import Activation
from nss.lab.cloud.zia.bodies import asked_urls, json_body
from nss.lab.cloud.zia.categories import Action, Categories
from nss.lab.cloud.zia.gateway import Gateway
from nss.lab.cloud.zia.policies import RULE_TYPES, Policies
from nss.lab.cloud.zia.refusals import Refusal, bad_argument, bad_body, not_found

Handler = Callable[[Request], Awaitable[Response]]
_Items = Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method at a path below the API's root; `is_write` is what needs the edit lock."""

    method: str
    path: str
    handler: Handler
    is_write: bool = False


class Resources:
    """One organisation's; `complain` takes each violation of a protocol, as one sentence."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self.activation = Activation()
        self.categories = Categories(self.activation.changed)
        self.activation.contents = lambda: self.categories.contents
        self.policies = Policies()
        self.gateway = Gateway(self.activation, self.policies)
        self._complain = complain

    def operations(self) -> list[Operation]:
        """Return everything that there is; of two that fit a request, the first is meant."""
        policies = self.policies
        lists: Mapping[str, _Items] = {
            "urlFilteringRules": lambda: policies.url_filtering,
            "sslInspectionRules": lambda: policies.ssl_inspection,
            "nssServers": lambda: policies.nss_servers,
            "integrationPartners": lambda: policies.integration_partners,
        }
        category = "/urlCategories/{id}"
        return [
            Operation("GET", "/urlCategories", self._list),
            Operation("POST", "/urlCategories", self._create, is_write=True),
            Operation("GET", "/urlCategories/lite", self._lite),
            Operation("GET", "/urlCategories/urlQuota", self._quota),
            Operation("POST", "/urlCategories/review/domains", self._review),
            Operation("PUT", "/urlCategories/review/domains", self._add_reviewed, is_write=True),
            Operation("GET", category, self._read),
            Operation("PUT", category, self._update, is_write=True),
            Operation("DELETE", category, self._delete, is_write=True),
            Operation("POST", "/urlLookup", self._look_up),
            Operation("GET", "/status", self._status),
            Operation("POST", "/status/activate", self._activate, is_write=True),
            Operation("GET", "/eusaStatus/latest", self._agreement),
            Operation("GET", "/advancedSettings", self._settings),
            Operation("GET", "/webApplicationRules/ruleTypeMapping", self._rule_types),
            Operation("GET", "/webApplicationRules/{type}", self._app_rules),
            *(Operation("GET", f"/{name}", _listed(items)) for name, items in lists.items()),
            *(Operation("GET", f"/{name}/{{id}}", _item(items)) for name, items in lists.items()),
        ]

    async def _body(self, request: Request) -> object:
        try:
            return await json_body(request)
        except Refusal as refusal:
            path = request.url.path[:80]
            self._complain(f"{request.method} {path} without JSON: {refusal.status}")
            raise

    async def _list(self, request: Request) -> Response:
        kind = request.query_params.get("type", "URL_CATEGORY")
        if kind not in {"URL_CATEGORY", "TLD_CATEGORY", "ALL"}:
            raise bad_argument("Invalid category type")
        is_custom_only = request.query_params.get("customOnly", "").lower() == "true"
        return JSONResponse(self.categories.listed(kind, is_custom_only=is_custom_only))

    async def _lite(self, _request: Request) -> Response:
        return JSONResponse(self.categories.lite())

    async def _quota(self, _request: Request) -> Response:
        return JSONResponse(self.categories.quota())

    async def _read(self, request: Request) -> Response:
        return JSONResponse(self.categories.read(request.path_params["id"]))

    async def _create(self, request: Request) -> Response:
        return self._written(self.categories.create, await self._body(request))

    async def _update(self, request: Request) -> Response:
        category_id, action = request.path_params["id"], request.query_params.get("action")
        body = await self._body(request)
        if action is None:
            return self._written(lambda given: self.categories.replace(category_id, given), body)
        if action not in {"ADD_TO_LIST", "REMOVE_FROM_LIST"}:
            self._complain(f"unknown action {action[:40]!r}")
            raise bad_argument("Invalid action")
        known: Action = "ADD_TO_LIST" if action == "ADD_TO_LIST" else "REMOVE_FROM_LIST"
        return self._written(lambda given: self.categories.change(category_id, given, known), body)

    def _written(self, write: Callable[[object], dict[str, Any]], body: object) -> Response:
        try:
            return JSONResponse(write(body))
        except Refusal as refusal:
            message = str((refusal.body or {}).get("message"))
            if message.startswith(("Request body", "Invalid urls", "Invalid category name")):
                self._complain(f"a category was sent that ZIA refuses: {message[:200]}")
            raise

    async def _delete(self, request: Request) -> Response:
        self.categories.delete(request.path_params["id"], self.policies.users)
        return Response(status_code=204)

    async def _review(self, request: Request) -> Response:
        return JSONResponse(self.categories.review(asked_urls(await self._body(request))))

    async def _add_reviewed(self, request: Request) -> Response:
        """Refuse what was recorded; the form that it takes is not documented."""
        await self._body(request)
        raise bad_body()

    async def _look_up(self, request: Request) -> Response:
        unknown = ["MISCELLANEOUS_OR_UNKNOWN"]
        return JSONResponse(
            [
                {
                    "url": url,
                    "urlClassifications": self.gateway.classified.get(url, unknown),
                    "urlClassificationsWithSecurityAlert": [],
                }
                for url in asked_urls(await self._body(request))
            ]
        )

    async def _status(self, _request: Request) -> Response:
        return JSONResponse({"status": self.activation.status})

    async def _activate(self, _request: Request) -> Response:
        return JSONResponse({"status": self.activation.start()})

    async def _agreement(self, _request: Request) -> Response:
        is_accepted = self.activation.agreement_is_accepted
        version = {"id": 7, "name": "'SLA-11-01-16'"}
        return JSONResponse({"id": 3714, "version": version, "acceptedStatus": is_accepted})

    async def _settings(self, _request: Request) -> Response:
        return JSONResponse(self.policies.advanced_settings)

    async def _rule_types(self, _request: Request) -> Response:
        return JSONResponse(RULE_TYPES)

    async def _app_rules(self, request: Request) -> Response:
        kind = request.path_params["type"]
        if kind not in RULE_TYPES.values():
            raise bad_argument("Invalid rule type")
        return JSONResponse(self.policies.cloud_app_control.get(kind, []))


def _listed(items: _Items) -> Handler:
    async def handler(_request: Request) -> Response:
        return JSONResponse(items())

    return handler


def _item(items: _Items) -> Handler:
    async def handler(request: Request) -> Response:
        wanted = request.path_params["id"]
        for item in items():
            if str(item["id"]) == wanted:
                return JSONResponse(item)
        raise not_found(wanted)

    return handler
