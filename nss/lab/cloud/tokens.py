"""Access tokens of the lab's Entra: issued, and checked as MCAS does."""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MCAS_APP_ID = "05a65629-4c1b-48c1-a78b-804c4abdd4af"
"""The application "Microsoft Cloud App Security", whose tokens these are."""

SignedInBy = Literal["secret", "certificate"]

_KEY_BITS = 2048


class Tokens:
    """Signed JWTs (RS256) of version 1.0, as Entra issues them for MCAS.

    `clock` gives the servers' time, seconds since the epoch.
    """

    def __init__(self, tenant_id: str, clock: Callable[[], float]) -> None:
        self._tenant_id = tenant_id
        self._clock = clock
        self._valid: set[str] = set()

    def issue(
        self,
        client_id: str,
        roles: Sequence[str],
        lasts_secs: float,
        signed_in_by: SignedInBy = "secret",
        *,
        audience: str = MCAS_APP_ID,
    ) -> str:
        """Return a token; without roles it has no claim of that name."""
        now = int(self._clock())
        uti = secrets.token_urlsafe(16)
        self._valid.add(uti)
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self._tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + int(lasts_secs),
            "appid": client_id,
            "appidacr": "1" if signed_in_by == "secret" else "2",
            "idp": f"https://sts.windows.net/{self._tenant_id}/",
            "oid": str(uuid.uuid5(uuid.UUID(self._tenant_id), client_id)),
            "tid": self._tenant_id,
            "uti": uti,
            "ver": "1.0",
        }
        claims["sub"] = claims["oid"]
        if roles:
            claims["roles"] = list(roles)
        key_id = _key_id()
        return jwt.encode(claims, _key(), "RS256", headers={"kid": key_id, "x5t": key_id})

    def check(self, token: str, audience: str = MCAS_APP_ID) -> Mapping[str, Any]:
        """Return the claims of a token of this lab. Raises `jwt.InvalidTokenError`."""
        claims: dict[str, Any] = jwt.decode(
            token,
            _key().public_key(),
            ["RS256"],
            audience=audience,
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
        if not claims["nbf"] <= self._clock() < claims["exp"]:
            raise jwt.ExpiredSignatureError
        if claims["uti"] not in self._valid:
            raise jwt.InvalidTokenError("revoked")
        return claims

    def revoke(self) -> None:
        """Revoke all tokens issued so far."""
        self._valid.clear()

    @staticmethod
    def keys() -> dict[str, object]:
        """Return the public key as JWKS."""
        found = jwt.algorithms.RSAAlgorithm.to_jwk(_key().public_key(), as_dict=True)
        key_id = _key_id()
        key = {"kty": "RSA", "use": "sig", "kid": key_id, "x5t": key_id}
        return {"keys": [key | {"n": found["n"], "e": found["e"]}]}


def v1_facts(secs: int, now: int, resource: str) -> dict[str, str]:
    """Return what is sent with a token that is valid for `secs`, in version 1.0: all as text."""
    return {
        "expires_in": str(secs),
        "ext_expires_in": str(secs),
        "expires_on": str(now + secs),
        "not_before": str(now),
        "resource": resource,
    }


@cache
def _key() -> rsa.RSAPrivateKey:
    """Return the key of all labs in this process: to make one takes long."""
    return rsa.generate_private_key(65537, _KEY_BITS)


@cache
def _key_id() -> str:
    public = _key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()
