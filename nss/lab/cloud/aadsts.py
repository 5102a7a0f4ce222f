"""Entra's refusals: the status, the `error` and the text of each AADSTS code.

Source: Microsoft's "Microsoft Entra authentication and authorization error codes", and replies
that were published.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a code is answered; `text` has places for `{client} {tenant} {resource} {scope}`."""

    status: int
    error: str
    text: str
    discovery_error: str | None = None
    """The `error` of the OIDC discovery document's address, where that refuses it too."""


_INSTALLED = (
    "This can happen if the application has not been installed by the administrator of the tenant "
    "or consented to by any user in the tenant. You may have sent your authentication request to "
    "the wrong tenant."
)

REFUSALS: Mapping[int, Refusal] = {
    7000215: Refusal(
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
        "secret value, not the client secret ID, for a secret added to app '{client}'.",
    ),
    7000222: Refusal(
        401,
        "invalid_client",
        "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to "
        "create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
        "certificate credentials for added security: https://aka.ms/certCreds.",
    ),
    700016: Refusal(
        400,
        "unauthorized_client",
        "Application with identifier '{client}' was not found in the directory '{tenant}'. "
        + _INSTALLED,
    ),
    90002: Refusal(
        400,
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud. Check with your subscription administrator, this may "
        "happen if there are no active subscriptions for the tenant.",
        "invalid_tenant",
    ),
    900023: Refusal(
        400,
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external "
        "domain.",
        "invalid_tenant",
    ),
    500011: Refusal(
        400,
        "invalid_resource",
        "The resource principal named {resource} was not found in the tenant named {tenant}. "
        + _INSTALLED,
    ),
    7000229: Refusal(
        401,
        "invalid_client",
        "The client application {client} is missing service principal in the tenant {tenant}. See "
        "instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
    ),
    501051: Refusal(
        400,
        "invalid_grant",
        "Application '{client}'(NSS) is not assigned to a role for the application "
        "'{resource}'(Microsoft Cloud App Security).",
    ),
    65001: Refusal(
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client}' "
        "named 'NSS'. Send an interactive authorization request for this user and resource.",
    ),
    1002012: Refusal(
        400,
        "invalid_scope",
        "The provided value for scope {scope} is not valid. Client credential flows must have a "
        "scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    70011: Refusal(
        400,
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the "
        "input parameter 'scope' is not valid. The scope {scope} is not valid.",
    ),
    70003: Refusal(
        400,
        "unsupported_grant_type",
        "The app requested an unsupported grant type '{parameter}'.",
    ),
    900144: Refusal(
        400,
        "invalid_request",
        "The request body must contain the following parameter: '{parameter}'.",
    ),
    7000218: Refusal(
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
    ),
    50027: Refusal(400, "invalid_request", "JWT token is invalid or malformed."),
    700021: Refusal(
        401,
        "invalid_client",
        "Client assertion application identifier doesn't match 'client_id' parameter.",
    ),
    700023: Refusal(
        401,
        "invalid_client",
        "Client assertion audience claim does not match Realm issuer.",
    ),
    700024: Refusal(
        401,
        "invalid_client",
        "Client assertion is not within its valid time range.",
    ),
    700027: Refusal(
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on "
        "application. [Reason - The key was not found.]",
    ),
    700213: Refusal(
        401,
        "invalid_client",
        "No matching federated identity record found for presented assertion subject '{client}'. "
        "Check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion.",
    ),
    7000112: Refusal(
        401,
        "unauthorized_client",
        "Application '{client}'(NSS) is disabled.",
    ),
}
"""By the number of the code."""


def answer(
    request: Request,
    code: int,
    places: Mapping[str, str],
    *,
    now: float,
    is_discovery: bool = False,
) -> JSONResponse:
    """Return the answer with a code; `places` are what its text names."""
    refusal = REFUSALS[code]
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace = str(uuid.uuid4())
    correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
    text = refusal.text.format_map(_Named(places))
    error = refusal.error
    if is_discovery and refusal.discovery_error is not None:
        error = refusal.discovery_error
    return JSONResponse(
        {
            "error": error,
            "error_description": f"AADSTS{code}: {text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {moment}",
            "error_codes": [code],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{request.url.scheme}://{request.url.netloc}/error?code={code}",
        },
        refusal.status,
    )


class _Named(dict[str, str]):
    """Leaves a placeholder without a value as it is: not every code has every value."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
