"""A stand-in for Azure's instance metadata service: tokens for managed identities, plain HTTP."""

import uuid

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nss.lab.cloud.entra import Entra
from nss.lab.cloud.tokens import v1_facts

TOKEN_PATH = "/metadata/identity/oauth2/token"  # noqa: S105 - a path

_TOKEN_SECS = 86_399


class Identity:
    """The machine's identities: one of its own, and one assigned by a user."""

    def __init__(self, entra: Entra) -> None:
        self.is_assigned = True
        """Whether this machine has a managed identity."""
        self.system_client_id = str(uuid.uuid4())
        self.client_id = str(uuid.uuid4())
        """Of the identity that a user assigned."""
        self.token_secs = _TOKEN_SECS
        self._entra = entra

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(routes=[Route(TOKEN_PATH, self._token)])

    async def _token(self, request: Request) -> Response:
        query = request.query_params
        if request.headers.get("metadata", "").lower() != "true":
            return _refused("invalid_request", "Required metadata header not specified")
        if not query.get("api-version"):
            return _refused("invalid_request", "Required query variable 'api-version' not found")
        resource = query.get("resource", "")
        if not resource:
            return _refused("invalid_request", "Required query variable 'resource' is missing")
        client_id = query.get("client_id", self.system_client_id)
        if not self.is_assigned or client_id not in {self.client_id, self.system_client_id}:
            return _refused("invalid_request", "Identity not found")
        audience = resource.rstrip("/").lower()
        if audience not in self._entra.granted:
            return _refused(
                "invalid_resource",
                f"AADSTS500011: The resource principal named {resource} was not found in the "
                f"tenant named {self._entra.tenant_id}.",
            )
        entra, secs = self._entra, self.token_secs
        roles = entra.granted[audience]
        token = entra.tokens.issue(client_id, roles, secs, "certificate", audience=audience)
        facts = v1_facts(secs, int(entra.now()), resource)
        answer = {"access_token": token, "client_id": client_id, "token_type": "Bearer"}
        return JSONResponse(answer | facts)


def _refused(error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, 400)
