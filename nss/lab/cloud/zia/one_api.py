"""ZIdentity: access tokens for OneAPI, for a secret or for an assertion that a key signs."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nss.lab.cloud.assertions import ASSERTION_TYPE
from nss.lab.cloud.bodies import form

AUDIENCE = "https://api.zscaler.com"

_MAX_ASSERTION_SECS = 600.0
_LEEWAY_SECS = 60.0
_RATE = {
    "x-ratelimit-limit": "150, 150;w=1, 10000;w=60, 10000;w=60",
    "x-ratelimit-remaining": "149",
    "x-ratelimit-reset": "1",
}


class OneApi:
    """One API client. `clock` gives the server's time, seconds since the epoch."""

    def __init__(self, complain: Callable[[str], None], clock: Callable[[], float]) -> None:
        self.client_id = secrets.token_hex(7)
        self.secret = secrets.token_urlsafe(24)
        self.keys: list[rsa.RSAPublicKey] = []
        """Registered for the client: what its assertions may be signed with."""
        self.token_secs = 3600
        self.is_enabled = True
        self._complain = complain
        self._clock = clock
        self._expires_at: dict[str, float] = {}

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(routes=[Route("/oauth2/v1/token", self._token, methods=["POST"])])

    def is_valid(self, token: str) -> bool:
        """Return whether a token was issued here and is still good."""
        return self._expires_at.get(token, 0.0) > self._clock()

    def revoke(self) -> None:
        """Revoke all tokens issued so far."""
        self._expires_at.clear()

    async def _token(self, request: Request) -> Response:
        fields = await form(request)
        error = self._refusal(fields)
        if error is not None:
            code, text = error
            if code == "invalid_request":
                self._complain(f"OneAPI sign-in: {text}")
            status = 401 if code == "invalid_client" else 400
            return JSONResponse({"error": code, "error_description": text}, status, _RATE)
        token = secrets.token_urlsafe(48)
        self._expires_at[token] = self._clock() + self.token_secs
        issued = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": max(0, self.token_secs),
        }
        return JSONResponse(issued, headers=_RATE)

    def _refusal(self, fields: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the code and the text that a request is refused with."""
        if fields.get("grant_type") != "client_credentials":
            return "unsupported_grant_type", "grant_type has to be client_credentials"
        if fields.get("audience") != AUDIENCE:
            return "invalid_request", f"audience has to be {AUDIENCE}"
        assertion, secret = fields.get("client_assertion"), fields.get("client_secret")
        if assertion is None and secret is None:
            return "invalid_request", "client_secret or client_assertion is required"
        is_known = fields.get("client_id") == self.client_id and self.is_enabled
        if assertion is not None:
            if fields.get("client_assertion_type") != ASSERTION_TYPE:
                return "invalid_request", "client_assertion_type is wrong"
            is_good = self._is_signed(assertion)
        else:
            is_good = hmac.compare_digest(str(secret).encode(), self.secret.encode())
        if is_known and is_good:
            return None
        return "invalid_client", "Client authentication failed"

    def _is_signed(self, assertion: str) -> bool:
        for key in self.keys:
            try:
                claims = jwt.decode(
                    assertion,
                    key,
                    ["RS256"],
                    audience=AUDIENCE,
                    options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
                )
            except jwt.InvalidTokenError:
                continue
            return self._are_good(claims)
        return False

    def _are_good(self, claims: Mapping[str, Any]) -> bool:
        expires_at = claims.get("exp")
        if claims.get("iss") != self.client_id or claims.get("sub") != self.client_id:
            return False
        if not isinstance(expires_at, int | float):
            return False
        left = expires_at - self._clock()
        if left > _MAX_ASSERTION_SECS + _LEEWAY_SECS:
            self._complain("an assertion is good for more than ten minutes")
            return False
        return left > -_LEEWAY_SECS
