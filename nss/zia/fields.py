"""The fields of the ZIA configuration, as people type or paste them: normalised, or refused.

Hosts may be given in full, since those of government clouds are not the same in all sources; the
name of a cloud or of a tenant is enough where the usual host follows from it.
"""

import re
from collections.abc import Callable
from urllib.parse import SplitResult

from nss.addresses import https_place
from nss.answers import AROUND, HOST, MASK, NO_URL, Question, is_placeholder
from nss.secret import Secret

CLOUDS = (
    *("zscaler", "zscalerone", "zscalertwo", "zscalerthree", "zscloud"),
    *("zscalerbeta", "zscalergov", "zscalerten", "zspreview"),
)
"""The clouds of ZIA that the vendor's documentation names."""

ONE_API_URL = "https://api.zsapi.net/zia/api/v1"
AUDIENCE = "https://api.zscaler.com"

MIN_SECRET_CHARS = 8
API_KEY_CHARS = 12
"""The vendor's way to obfuscate an API key takes its first twelve characters."""

_TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - a path
_ONE_API_PATH = "/zia/api/v1"
_API_PATH = "/api/v1"
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_KEY = re.compile(r"[0-9A-Za-z]{12,64}", re.ASCII)
_MASKS = set("*\u2022\u25cf\u2026 ")
_SCOPE = re.compile(r"\S+/\.default", re.ASCII)

_CLIENT_ID = Question(
    "client_id", "Client ID", "copy it from the API client's page in ZIdentity, API Clients"
)
_CLIENT_SECRET = Question(
    "client_secret",
    "Client Secret",
    "copy it from the API client's page in ZIdentity; it is shown once, so else make a new one",
)
_TOKEN_URL = Question(
    "token_url",
    "vanity domain",
    "use the first part of the address where administrators sign in: acme of acme.zslogin.net",
)
_API_URL = Question(
    "api_url", "cloud", f"use the name of your cloud, one of {', '.join(CLOUDS)}, or the API's URL"
)
_USERNAME = Question(
    "username", "user name", "use the name of the API administrator, as admin@example.com"
)
_PASSWORD = Question("password", "password", "use the password of that administrator")
_API_KEY = Question(
    "api_key",
    "API key",
    "copy it from the admin portal: Administration, Cloud Service API Security",
)
_ZIA_SCOPE = Question(
    "scope",
    "Scope",
    "use RESOURCE/.default, with the Application ID URI that the OAuth server in the admin portal "
    "expects",
)


def client_id(text: str) -> str:
    """Return the API client's id."""
    found = _CLIENT_ID.cleaned(text)
    if is_placeholder(found):
        raise _CLIENT_ID.bad("is only a placeholder")
    return found


def client_secret(text: str) -> Secret:
    """Return the API client's secret."""
    return _secret(_CLIENT_SECRET, text)


def password(text: str) -> Secret:
    """Return a password, as it is but for the line end: it may have blanks and quotes."""
    found = text.rstrip("\r\n")
    if not found.strip(AROUND):
        raise _PASSWORD.bad("is empty")
    if set(found) <= _MASKS:
        raise _PASSWORD.bad("is only what is shown in its place")
    return Secret(found)


def api_key(text: str) -> Secret:
    """Return the API key of the organisation."""
    if MASK.search(text):
        raise _API_KEY.bad("is only what is shown in its place")
    found = _API_KEY.cleaned(text)
    if not _KEY.fullmatch(found):
        raise _API_KEY.bad(f"is not {API_KEY_CHARS} letters and digits")
    return Secret(found)


def username(text: str) -> str:
    """Return the name of an administrator."""
    found = _USERNAME.cleaned(text)
    name, _, domain = found.rpartition("@")
    if not name or not domain or is_placeholder(found):
        raise _USERNAME.bad("is not of the form NAME@DOMAIN")
    return found


def scope(text: str) -> str:
    """Return `RESOURCE/.default`, for tokens of Entra that ZIA accepts."""
    found = _ZIA_SCOPE.cleaned(text)
    if is_placeholder(found) or not _SCOPE.fullmatch(found):
        raise _ZIA_SCOPE.bad("is not of the form RESOURCE/.default")
    return found


def token_url(text: str) -> str:
    """Return the token endpoint of OneAPI, from a vanity domain, a host or a URL."""
    found = _TOKEN_URL.cleaned(text)
    if _LABEL.fullmatch(found.lower()):
        return f"https://{found.lower()}.zslogin.net{_TOKEN_PATH}"
    return _in_full(_TOKEN_URL, found, _TOKEN_PATH, ("", "/oauth2", "/oauth2/v1", _TOKEN_PATH))


def one_api_url(text: str) -> str:
    """Return the base of OneAPI; nothing typed is the usual one."""
    found = text.strip(AROUND)
    if not found:
        return ONE_API_URL
    found = _API_URL.cleaned(found)
    word = found.lower()
    if _LABEL.fullmatch(word):
        if word in {"zscaler", "production"}:
            return ONE_API_URL
        return f"https://api.{word}.zsapi.net{_ONE_API_PATH}"
    return _in_full(_API_URL, found, _ONE_API_PATH, ("", "/zia", _ONE_API_PATH))


def api_url(text: str) -> str:
    """Return the base of a cloud's own API, from the cloud's name, a host or a URL."""
    found = _API_URL.cleaned(text)
    word = found.lower().removesuffix(".net").removeprefix("zsapi.").removeprefix("admin.")
    if word in CLOUDS:
        host = "admin" if word == "zspreview" else "zsapi"
        return f"https://{host}.{word}.net{_API_PATH}"
    if _LABEL.fullmatch(word):
        raise _API_URL.bad("is not known")
    return _in_full(_API_URL, found, _API_PATH, ("", "/api", _API_PATH))


def read(name: str, url: Callable[[str], str]) -> Callable[[str], str]:
    """Return what normalises the text of a field; `url` is for `api_url`."""
    known: dict[str, Callable[[str], str]] = {
        "client_id": client_id,
        "token_url": token_url,
        "username": username,
        "scope": scope,
        "api_url": url,
    }
    return known[name]


def _secret(question: Question, text: str) -> Secret:
    if MASK.search(text):
        raise question.bad("is only what is shown in its place")
    found = question.cleaned(text)
    if is_placeholder(found):
        raise question.bad("is only a placeholder")
    if len(found) < MIN_SECRET_CHARS:
        raise question.bad(f"is too short: it has {len(found)} characters")
    return Secret(found)


def _in_full(question: Question, text: str, path: str, known: tuple[str, ...]) -> str:
    """Return a URL with its usual path, from a URL or a host."""
    parts = _url(question, text)
    if parts.query or parts.fragment:
        raise question.bad("has something after the path")
    if parts.path.rstrip("/").lower() not in known:
        raise question.bad("has an unknown path after the host")
    return f"https://{https_place(parts)}{path}"


def _url(question: Question, text: str) -> SplitResult:
    placeholder = "is only a placeholder"
    parts = question.url(text, placeholder)
    if is_placeholder(text):
        raise question.bad(placeholder)
    host = parts.hostname or ""
    if parts.port == 0 or not (HOST.fullmatch(host) or host == "localhost"):
        raise question.bad(NO_URL)
    return parts
