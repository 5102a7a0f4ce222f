"""Signing in with a certificate: the check of a client assertion (RFC 7523)."""

import base64
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import Certificate, load_der_x509_certificate

from nss.lab.cloud.aadsts import Refused

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MALFORMED = 50027
NOT_OF_CLIENT = 700021
OTHER_AUDIENCE = 700023
OUT_OF_TIME = 700024
NOT_REGISTERED = 700027

_INVALID_SIGNATURE = (
    "Client assertion contains an invalid signature. [Reason - The key was found, but use of the "
    "key to verify the signature failed.]"
)

_LEEWAY_SECS = 300.0
"""How wrong a client's clock may be."""


def refusal(
    assertion: str,
    client_id: str,
    audiences: Collection[str],
    certificates: Iterable[Certificate],
    now: float,
    *,
    expired_code: int = NOT_REGISTERED,
) -> Refused | None:
    """Return why an assertion is refused, `None` for a good one.

    The certificate is found by its thumbprint, in `x5t` or `x5t#S256`, and counts from its first
    moment to its last; one that comes along in `x5c` proves nothing and has to be the same.
    """
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError:
        return Refused(MALFORMED)
    # msal leaves the padding on, which RFC 7515 does not; Entra takes both.
    thumbprints = {str(header.get(name)).rstrip("=") for name in ("x5t", "x5t#S256")}
    for certificate in certificates:
        if thumbprints & set(_thumbprints(certificate)):
            break
    else:
        return Refused(NOT_REGISTERED)
    if not _brings(header, certificate):
        return Refused(NOT_REGISTERED, _INVALID_SIGNATURE)
    moment = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        text = _expired(certificate) if expired_code == NOT_REGISTERED else None
        return Refused(expired_code, text)
    code = _signed_refusal(assertion, certificate, client_id, audiences, now)
    if code == NOT_REGISTERED:
        return Refused(code, _INVALID_SIGNATURE)
    return None if code is None else Refused(code)


def _signed_refusal(
    assertion: str,
    certificate: Certificate,
    client_id: str,
    audiences: Collection[str],
    now: float,
) -> int | None:
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
    claims: dict[str, Any], client_id: str, audiences: Collection[str], now: float
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


def _brings(header: Mapping[str, Any], certificate: Certificate) -> bool:
    """Return whether the certificate that comes along, if there is one, is this one."""
    chain = header.get("x5c")
    if chain is None:
        return True
    try:
        # msal leaves the line ends of PEM in it; Entra takes that too.
        der = base64.b64decode("".join(chain[0].split()), validate=True)
        return load_der_x509_certificate(der) == certificate
    except (ValueError, TypeError, LookupError, AttributeError):
        return False


def _expired(certificate: Certificate) -> str:
    """Return Entra's text, which is the same for a certificate whose time has yet to come."""
    start, end = (
        f"{moment:%m/%d/%Y %H:%M:%S}"
        for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - as Entra writes it
    return (
        "The certificate with identifier used to sign the client assertion is expired on "
        "application. [Reason - The key used is expired., Thumbprint of key used by client: "
        f"'{thumbprint}', Found key 'Start={start}, End={end}']"
    )


def _thumbprints(certificate: Certificate) -> list[str]:
    """Return a certificate's thumbprints as JWTs have them (RFC 7515, 4.1.7 and 4.1.8)."""
    algorithms = (hashes.SHA1(), hashes.SHA256())  # noqa: S303 - SHA-1 is what `x5t` is made of
    return [
        base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).rstrip(b"=").decode()
        for algorithm in algorithms
    ]
