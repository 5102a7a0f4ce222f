"""The lab's Entra: OIDC discovery and the token endpoint, in the forms v2.0 and v1."""

import base64
import hmac
import re
import secrets
import time
import uuid
from collections.abc import Container, Mapping
from urllib.parse import unquote_plus

from cryptography.x509 import Certificate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nss.lab.cloud import aadsts, assertions
from nss.lab.cloud.aadsts import Refused
from nss.lab.cloud.bodies import form
from nss.lab.cloud.tokens import MCAS_APP_ID, SignedInBy, Tokens, v1_facts

DEFAULT_SUFFIX = "/.default"

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"(?:AADSTS)?(\d+)", re.ASCII)
_GRANT = "client_credentials"


class Entra:
    """One tenant with one application in it.

    What is a real mistake in a request is refused with the code it has; `refuse` has any other
    code answered. `base_url` is set once the server has its port.
    """

    def __init__(self) -> None:
        self.tenant_id = str(uuid.uuid4())
        self.domains = {"nsslab.onmicrosoft.com"}
        """The tenant's, in lower case; each stands for its ID in an address."""
        self.client_id = str(uuid.uuid4())
        self.secret = _new_secret()
        self.secret_id = str(uuid.uuid4())
        """The secret's ID, which is easily pasted instead of the secret."""
        self.base_url = ""
        self.roles: list[str] = ["Discovery.manage"]
        """The roles that an administrator has consented to, for tokens issued from then on."""
        self.zia_resource = f"api://{uuid.uuid4()}"
        """What stands for ZIA in this tenant, and in the scope of its tokens."""
        self.zia_roles: list[str] = []
        """The same roles for tokens that are for ZIA."""
        self.token_secs = 3599
        self.skew_secs = 0.0
        """How far the clock of all servers is ahead of this machine's."""
        self.certificates: list[Certificate] = []
        """Registered for the application."""
        self.expired_certificate_code = assertions.NOT_REGISTERED
        """For a certificate before or after its time; 1000502 is another that is known."""
        self.tokens = Tokens(self.tenant_id, self.now)
        self._refused: tuple[int, int | None] | None = None

    def now(self) -> float:
        """Return the servers' time, seconds since the epoch."""
        return time.time() + self.skew_secs

    @property
    def granted(self) -> Mapping[str, list[str]]:
        """The roles that tokens have, by what they are for; the tenant knows nothing else."""
        return {MCAS_APP_ID: self.roles, self.zia_resource: self.zia_roles}

    def refuse(self, code: str | None, times: int | None = None) -> None:
        """Answer requests with an AADSTS code: a number of them, or all until `refuse(None)`.

        Raises `KeyError` for a code that is not in `aadsts.REFUSALS`.
        """
        if code is None:
            self._refused = None
            return
        found = _CODE.fullmatch(code)
        if found is None or int(found[1]) not in aadsts.REFUSALS:
            raise KeyError(code)
        self._refused = int(found[1]), times

    def revoke_secret(self) -> None:
        """Replace the application's secret, and revoke the tokens that the old one obtained."""
        self.secret = _new_secret()
        self.tokens.revoke()

    def app(self) -> Starlette:
        """Return the server."""
        token_paths = ("/{tenant}/oauth2/v2.0/token", "/{tenant}/oauth2/token")
        discovery_paths = (
            "/{tenant}/v2.0/.well-known/openid-configuration",
            "/{tenant}/.well-known/openid-configuration",
        )
        return Starlette(
            routes=[
                *(Route(path, self._discovery) for path in discovery_paths),
                *(Route(path, self._token, methods=["POST"]) for path in token_paths),
                Route("/{tenant}/discovery/v2.0/keys", self._keys),
            ]
        )

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse(self.tokens.keys())

    async def _discovery(self, request: Request) -> Response:
        tenant = request.path_params["tenant"]
        code = self._ordered_refusal(at_discovery=True) or self._tenant_refusal(tenant)
        if code is not None:
            return aadsts.answer(
                request, Refused(code), {"tenant": tenant}, now=self.now(), is_discovery=True
            )
        version = "/v2.0" if "/v2.0/" in request.url.path else ""
        authority = f"{self.base_url}/{self.tenant_id}"  # also where the tenant is a domain
        return JSONResponse(
            {
                "token_endpoint": f"{authority}/oauth2{version}/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{authority}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{authority}{version}",
                "authorization_endpoint": f"{authority}/oauth2{version}/authorize",
                "tenant_region_scope": "EU",
            }
        )

    async def _token(self, request: Request) -> Response:
        tenant = request.path_params["tenant"]
        fields = _with_basic(request, await form(request))
        is_v2 = "/v2.0/" in request.url.path
        scope = fields.get("scope", "") if is_v2 else fields.get("resource", "")
        places = {
            "tenant": tenant,
            "client": fields.get("client_id", ""),
            "scope": scope,
            "resource": scope.removesuffix(DEFAULT_SUFFIX),
            "parameter": _missing(fields, is_v2=is_v2) or fields.get("grant_type", ""),
        }
        code = (
            self._ordered_refusal()
            or self._tenant_refusal(tenant)
            or _form_refusal(fields, scope, self.granted, is_v2=is_v2)
            or self._client_refusal(fields)
        )
        refused = None if code is None else Refused(code)
        if refused is None and "client_assertion" in fields:
            refused = self._assertion_refusal(fields)
        if refused is not None:
            return aadsts.answer(request, refused, places, now=self.now())
        by: SignedInBy = "certificate" if "client_assertion" in fields else "secret"
        resource = places["resource"].lower()
        roles = self.granted[resource]
        token = self.tokens.issue(self.client_id, roles, self.token_secs, by, audience=resource)
        return JSONResponse(self._issued(token, scope, is_v2=is_v2))

    def _issued(self, token: str, scope: str, *, is_v2: bool) -> dict[str, object]:
        secs = self.token_secs
        answer: dict[str, object] = {"token_type": "Bearer", "access_token": token}
        if is_v2:
            return answer | {"expires_in": secs, "ext_expires_in": secs}
        return answer | v1_facts(secs, int(self.now()), scope)

    def _ordered_refusal(self, *, at_discovery: bool = False) -> int | None:
        if self._refused is None:
            return None
        code, times = self._refused
        if at_discovery and aadsts.REFUSALS[code].discovery_error is None:
            return None
        if times is not None:
            self._refused = (code, times - 1) if times > 1 else None
        return code

    def _tenant_refusal(self, tenant: str) -> int | None:
        if tenant.lower() in {self.tenant_id, *self.domains}:
            return None
        return 90002 if _GUID.fullmatch(tenant) or _DOMAIN.fullmatch(tenant) else 900023

    def _client_refusal(self, fields: Mapping[str, str]) -> int | None:
        if fields["client_id"].lower() != self.client_id:
            return 700016
        if "client_assertion" in fields:
            return None
        secret = fields.get("client_secret")
        if not secret:
            return 7000218
        if not hmac.compare_digest(secret.encode(), self.secret.encode()):
            return 7000215
        return None

    def _assertion_refusal(self, fields: Mapping[str, str]) -> Refused | None:
        if fields.get("client_assertion_type") != assertions.ASSERTION_TYPE:
            return Refused(assertions.MALFORMED)
        audiences = {
            f"{self.base_url}/{tenant}/{end}"
            for tenant in (self.tenant_id, *self.domains)
            for end in ("oauth2/v2.0/token", "oauth2/token", "v2.0")
        }
        return assertions.refusal(
            fields["client_assertion"],
            self.client_id,
            audiences,
            self.certificates,
            self.now(),
            expired_code=self.expired_certificate_code,
        )


def _with_basic(request: Request, fields: Mapping[str, str]) -> Mapping[str, str]:
    """Return the fields of a form with the client's ID and secret from an Authorization header.

    That is `client_secret_basic`: both are form-encoded in it (RFC 6749, 2.3.1).
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return fields
    try:
        given = base64.b64decode(text, validate=True).decode()
    except ValueError:  # no base64, or no UTF-8 in it
        return fields
    client_id, _, secret = given.partition(":")
    named = {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}
    return {**named, **fields}


def _missing(fields: Mapping[str, str], *, is_v2: bool) -> str | None:
    for name in ("grant_type", "client_id", "scope" if is_v2 else "resource"):
        if not fields.get(name):
            return name
    return None


def _form_refusal(
    fields: Mapping[str, str], scope: str, known: Container[str], *, is_v2: bool
) -> int | None:
    if _missing(fields, is_v2=is_v2) is not None:
        return 900144
    if fields["grant_type"] != _GRANT:
        return 70003
    if is_v2:
        if len(scope.split()) > 1:
            return 70011
        if not scope.endswith(DEFAULT_SUFFIX):
            return 1002012
        scope = scope.removesuffix(DEFAULT_SUFFIX)
    return None if scope.lower() in known else 500011


def _new_secret() -> str:
    """Return a secret in the form of Entra's."""
    return f"{secrets.token_urlsafe(3)[:3]}8Q~{secrets.token_urlsafe(32)[:34]}"
