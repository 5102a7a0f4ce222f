"""Requests to the lab's Entra as clients send them, and what its answers say."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import jwt
import msal
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from nss.lab.cloud import CloudLab

UNKNOWN = "11111111-2222-3333-4444-555555555555"


def fields(lab: CloudLab, **changes: str | None) -> dict[str, str]:
    """The form of a good request, with changes; `None` leaves a field out."""
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_id": lab.client_id,
        "client_secret": lab.client_secret,
        "scope": lab.scope,
    }
    return {name: value for name, value in (form | changes).items() if value is not None}


def msal_client(lab: CloudLab, credential: object) -> Any:  # noqa: ANN401 - msal has no types
    session = requests.Session()
    session.trust_env = False
    session.verify = str(lab.ca_file)
    return msal.ConfidentialClientApplication(
        lab.client_id,
        client_credential=credential,
        authority=f"{lab.entra_url}/{lab.tenant_id}",
        instance_discovery=False,
        http_client=session,
    )


def claims(token: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def certificate_credential(path: Path, algorithm: str) -> dict[str, object]:
    """msal's form of a certificate: with its thumbprint it signs with RS256, else with PS256."""
    pem = path.read_text()
    if algorithm == "PS256":
        return {"private_key": pem, "public_certificate": pem}
    certificate = load_pem_x509_certificate(pem.encode())
    return {"private_key": pem, "thumbprint": certificate.fingerprint(hashes.SHA1()).hex()}  # noqa: S303 - what `x5t` is


def assertion(
    lab: CloudLab,
    signed_with: Path,
    claimed_of: Path,
    changes: Mapping[str, object] | None = None,
    header: Mapping[str, object] | None = None,
) -> str:
    """A client assertion whose header names one certificate, signed with the key of another."""
    certificate = load_pem_x509_certificate(claimed_of.read_bytes())
    thumbprint = certificate.fingerprint(hashes.SHA256())
    now = int(lab.entra.now())
    return jwt.encode(
        {
            "iss": lab.client_id,
            "sub": lab.client_id,
            "aud": lab.authentication_url,
            "nbf": now,
            "exp": now + 600,
        }
        | dict(changes or {}),
        load_pem_private_key(signed_with.read_bytes(), None),  # type: ignore[arg-type] # RSA
        "PS256",
        headers={
            "x5t#S256": base64.urlsafe_b64encode(thumbprint).decode().rstrip("="),
            **(header or {}),
        },
    )


def assertion_fields(lab: CloudLab, signed: str) -> dict[str, str]:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return fields(lab, client_secret=None, client_assertion=signed, client_assertion_type=kind)


def refusal(answer: httpx.Response) -> tuple[int, int]:
    (code,) = answer.json()["error_codes"]
    return answer.status_code, code
