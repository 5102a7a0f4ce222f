"""Signing in with a certificate: the check of a client assertion (RFC 7523)."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import Certificate

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MALFORMED = 50027
NOT_OF_CLIENT = 700021
OTHER_AUDIENCE = 700023
OUT_OF_TIME = 700024
NOT_REGISTERED = 700027

_LEEWAY_SECS = 300.0
"""How wrong a client's clock may be."""


def refusal(
    assertion: str,
    client_id: str,
    audiences: Sequence[str],
    certificates: Iterable[Certificate],
    now: float,
) -> int | None:
    """Return the AADSTS code that an assertion is refused with, `None` for a good one.

    The certificate is found by its thumbprint, in `x5t` or `x5t#S256`; one that comes along in
    `x5c` proves nothing.
    """
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError:
        return MALFORMED
    # msal leaves the padding on, which RFC 7515 does not; Entra takes both.
    thumbprints = {str(header.get(name)).rstrip("=") for name in ("x5t", "x5t#S256")}
    for certificate in certificates:
        if thumbprints & set(_thumbprints(certificate)):
            break
    else:
        return NOT_REGISTERED
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return NOT_REGISTERED
    try:
        claims: dict[str, Any] = jwt.decode(
            assertion,
            key,
            ["RS256", "PS256"],
            options={
                "verify_aud": False,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidTokenError:
        return NOT_REGISTERED
    return _claims_refusal(claims, client_id, audiences, now)


def _claims_refusal(
    claims: dict[str, Any], client_id: str, audiences: Sequence[str], now: float
) -> int | None:
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return NOT_OF_CLIENT
    if claims.get("aud") not in audiences:
        return OTHER_AUDIENCE
    start, end = claims.get("nbf", claims.get("iat", now)), claims.get("exp")
    if not isinstance(end, int | float) or not isinstance(start, int | float):
        return MALFORMED
    if not start - _LEEWAY_SECS <= now < end + _LEEWAY_SECS:
        return OUT_OF_TIME
    return None


def _thumbprints(certificate: Certificate) -> list[str]:
    """Return a certificate's thumbprints as JWTs have them (RFC 7515, 4.1.7 and 4.1.8)."""
    algorithms = (hashes.SHA1(), hashes.SHA256())  # noqa: S303 - SHA-1 is what `x5t` is made of
    return [
        base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).rstrip(b"=").decode()
        for algorithm in algorithms
    ]
