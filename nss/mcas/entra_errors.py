"""What Entra's refusals mean: the code in them, the field to change, and what to do.

Microsoft advises against program logic on these codes: they choose the sentence here, and whether
the certificate's files are read once more, and nothing else depends on them. Entra's own
description is never shown: it is long, and its content comes from outside.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nss.mcas import Field, SignInRefused
from nss.mcas.credentials import Method
from nss.mcas.fields import DEFAULT_SCOPE


@dataclass(frozen=True, slots=True)
class Meaning:
    """A sentence without its code, the field it names, and what to do."""

    sentence: str
    field: Field | None
    tip: str


_CONSENT = (
    "in Entra, API permissions of the application: add Microsoft Cloud App Security, application "
    "permission Discovery.manage, and grant admin consent"
)
_TENANT_ID = "copy the Directory (tenant) ID from the application's Overview page in Entra"
_SCOPE = f"use the usual Scope, {DEFAULT_SCOPE}"
_UPLOAD = (
    "upload its public part under Certificates & secrets of the application with this Client ID"
)
_RENEW = f"make a new certificate, and {_UPLOAD}"

MEANINGS: Mapping[int, Meaning] = {
    7000215: Meaning(
        "the Client Secret is not the right one",
        "client_secret",
        "paste the secret's Value, not its ID; if it is not known any more, make a new secret",
    ),
    7000222: Meaning(
        "the Client Secret has expired",
        "client_secret",
        "make a new secret in Entra, Certificates & secrets of the application, and store it: "
        "sudo nss configure-mcas2",
    ),
    700016: Meaning(
        "the Client ID is not known in this tenant",
        "client_id",
        "see that Client ID and Authentication URL are of the same tenant",
    ),
    90002: Meaning(
        "the tenant in the Authentication URL does not exist", "authentication_url", _TENANT_ID
    ),
    900023: Meaning(
        "the tenant in the Authentication URL is neither an ID nor a domain",
        "authentication_url",
        _TENANT_ID,
    ),
    500011: Meaning(
        "the Scope names a service that this tenant does not have",
        "scope",
        f"{_SCOPE}; see that Defender for Cloud Apps is set up in the tenant, and that the "
        "Authentication URL is of its cloud",
    ),
    7000229: Meaning(
        "the application of the Client ID is not installed in this tenant",
        "client_id",
        "grant admin consent under API permissions of the application: that installs it",
    ),
    501051: Meaning(
        "the application of the Client ID has no role in the service that the Scope names",
        "role",
        _CONSENT,
    ),
    65001: Meaning(
        "an administrator has not consented to the permissions of the Client ID's application",
        "role",
        _CONSENT,
    ),
    1002012: Meaning("the Scope does not end in /.default", "scope", _SCOPE),
    70011: Meaning("the Scope is not valid", "scope", _SCOPE),
    900144: Meaning(
        "a part of the sign-in is missing", None, "run nss configure-mcas2 and answer everything"
    ),
    700027: Meaning(
        "the certificate does not belong to the Client ID's application", "certificate", _UPLOAD
    ),
    700213: Meaning(
        "the certificate matches no federated identity of the Client ID's application",
        "certificate",
        _UPLOAD,
    ),
    700024: Meaning(
        "the clock of this machine is wrong, so that the sign-in is not valid now",
        "clock",
        "set the clock, for example with timedatectl set-ntp true",
    ),
    1000502: Meaning(
        "the certificate is not valid now: it has expired, or begins later",
        "certificate",
        f"see that the clock is right; otherwise renew the certificate, and {_UPLOAD}",
    ),
    7000214: Meaning("the certificate was revoked", "certificate", _RENEW),
    7000274: Meaning(
        "the sign-in is not signed with the key of the certificate", "certificate", _RENEW
    ),
    7000277: Meaning("the certificate was revoked", "certificate", _RENEW),
    7000112: Meaning(
        "the application of the Client ID is disabled",
        "client_id",
        "enable it in Entra under Enterprise applications, Properties",
    ),
}
"""By the number of the AADSTS code."""

WORTH_NEW_FILES = frozenset(
    f"AADSTS{number}" for number in (700024, 700027, 1000502, 7000214, 7000274, 7000277)
)
"""Codes after which certificate and key are read again: they may have been renewed meanwhile.

They are those after which Microsoft.Identity.Web does so, once.
"""

_MISSING_PART = 900144
_PARTS: Mapping[str, tuple[Field, str]] = {
    "client_id": ("client_id", "the Client ID"),
    "client_secret": ("client_secret", "the Client Secret"),
    "client_assertion": ("certificate", "the certificate"),
    "scope": ("scope", "the Scope"),
    "resource": ("scope", "the Scope"),
}
"""What the description of `_MISSING_PART` calls the part."""

_KINDS: Mapping[str, tuple[Field, str]] = {
    "invalid_client": ("client_secret", "the Client ID or the Client Secret"),
    "unauthorized_client": ("client_id", "the Client ID"),
    "invalid_scope": ("scope", "the Scope"),
    "invalid_resource": ("scope", "the Scope"),
    "invalid_tenant": ("authentication_url", "the Authentication URL"),
}
"""What `error` is about, when the code says nothing that is known."""

_CODE = re.compile(r"AADSTS(\d{4,9})(?!\d)")
_ERROR = re.compile(r"[a-z_]{1,40}")
_PART = re.compile(r"parameter:? '([a-z_]{1,20})'")
_MAX_SEARCHED = 1000


def refusal(error: Mapping[str, object], *, method: Method = "secret") -> SignInRefused:
    """Return a refusal for the error object of the token endpoint, as msal hands it on."""
    number = _number(error)
    kind = _kind(error)
    meaning = _meaning(error, number, kind, method)
    code = kind if number is None else f"AADSTS{number}"
    sentence = meaning.sentence if number is None else f"{meaning.sentence} ({code})"
    return SignInRefused(sentence, tip=meaning.tip, field=meaning.field, code=code)


def _meaning(error: Mapping[str, object], number: int | None, kind: str, method: Method) -> Meaning:
    if number is None and method == "managed_identity":  # Azure's metadata service has no codes
        if kind == "invalid_resource":
            return MEANINGS[500011]
        return Meaning(
            f"Azure gives this machine no token for a managed identity: {kind}",
            "managed_identity",
            "assign an identity to the virtual machine; with a Client ID, see that it is that of "
            "an identity assigned to it",
        )
    if number == _MISSING_PART:
        found = _PART.search(_description(error))
        field, what = _PARTS.get(found[1] if found is not None else "", (None, ""))
        if field is not None:
            return Meaning(f"{what} is missing in the sign-in", field, MEANINGS[number].tip)
    if number is not None and number in MEANINGS:
        return MEANINGS[number]
    field, what = _KINDS.get(kind, (None, "the sign-in"))
    if kind == "invalid_client" and method == "certificate":
        field, what = "certificate", "the Client ID or the certificate"
    tip = "see the sign-in logs of the application in Entra"
    if number is not None:
        tip = f"look the code up at https://login.microsoftonline.com/error?code={number}"
    return Meaning(f"Entra refuses {what}: {kind}", field, tip)


def _number(error: Mapping[str, object]) -> int | None:
    codes = error.get("error_codes")
    text = _description(error)
    if isinstance(codes, list) and codes and type(codes[0]) is int:
        text = f"AADSTS{codes[0]}"
    found = _CODE.search(text)
    return int(found[1]) if found is not None else None


def _description(error: Mapping[str, object]) -> str:
    text = error.get("error_description")
    return text[:_MAX_SEARCHED] if isinstance(text, str) else ""


def _kind(error: Mapping[str, object]) -> str:
    kind = error.get("error")
    return kind if isinstance(kind, str) and _ERROR.fullmatch(kind) else "error"
