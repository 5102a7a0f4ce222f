"""The fields of the MCAS configuration, as people type or paste them: normalised, or refused.

Pure functions, one for each thing that is asked for. Blanks, quotes and line ends from copy and
paste are taken off. A refusal is one sentence that names the field, and a tip; it quotes nothing of
what was typed but the host of a URL, since a secret is easily pasted into the wrong place.
"""

import re
from urllib.parse import SplitResult, urlsplit

from nss.addresses import https_place
from nss.answers import AROUND, HOST, MASK, NO_URL, BadAnswer, Question, is_placeholder
from nss.mcas.clouds import (
    LOGIN_HOSTS,
    LOGINS_OF,
    MCAS_APP_ID,
    api_cloud,
    is_this_machine,
    region,
)
from nss.secret import Secret

DEFAULT_SCOPE = f"{MCAS_APP_ID}/.default"

MIN_SECRET_CHARS = 16
"""Entra's own secrets have 40; what is far shorter was cut off."""

_HTTPS = 443

_TOKEN_PATH = "/oauth2/v2.0/token"  # noqa: S105 - a path
_TOKEN_PATHS = (_TOKEN_PATH, "/oauth2/token", "/oauth2/v2.0/authorize", "/oauth2/v2.0", "/v2.0")
_API_PATHS = {"", "/api", "/api/v1"}
_MANY_TENANTS = {"common", "organizations", "consumers"}
_PORTALS = ("security.microsoft.com", "portal.azure.com", "entra.microsoft.com")

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_URI = re.compile(r"(?:https|api)://[^/\s]+(?:/\S*)?", re.ASCII | re.IGNORECASE)
_GRAPH = ("00000003-0000-0000-c000-000000000000", "https://graph.microsoft.")
_BRACKETED = re.compile(r"<.*>|\{.*\}|\[.*\]|\$.*")
_BLANK_FORM = re.compile(
    r"[0-]+|[x-]{4,}"
    r"|(?:(?:your|my)[-_]?)?(?:tenant|directory|client|application)[-_]?(?:id|name|guid|secret)?"
    r"|(?:your|my)[-_]?company|(?:your|insert|enter)[-_].*",
    re.IGNORECASE,
)

_FROM_OVERVIEW = "copy the Application (client) ID from the application's Overview page in Entra"
_FROM_SECRETS = (
    "copy the column Value under Certificates & secrets; Entra shows it only right after the "
    "secret was made, so otherwise make a new one"
)
_FROM_ABOUT = "copy the API URL from the Defender portal: Settings, Cloud Apps, System, About"
_PLACEHOLDER = "has a placeholder instead of your tenant"
_USUAL_SCOPE = f"press Enter for the usual one, {DEFAULT_SCOPE}"
_USUAL_LOGIN = (
    f"use https://login.microsoftonline.com/TENANT{_TOKEN_PATH}, with the Directory (tenant) ID "
    "from the application's Overview page in Entra"
)


_CLIENT_ID = Question("client_id", "Client ID", _FROM_OVERVIEW)
_CLIENT_SECRET = Question("client_secret", "Client Secret", _FROM_SECRETS)
_SCOPE = Question("scope", "Scope", _USUAL_SCOPE)
_AUTHENTICATION_URL = Question("authentication_url", "Authentication URL", _USUAL_LOGIN)
_API_URL = Question("api_url", "API URL", _FROM_ABOUT)


def client_id(text: str) -> str:
    """Return the application's id, a GUID in lower case."""
    found = _CLIENT_ID.cleaned(text).lower()
    if _is_placeholder(found):
        raise _CLIENT_ID.bad("is only a placeholder")
    if not _GUID.fullmatch(found):
        raise _CLIENT_ID.bad("is not a GUID")
    if found == MCAS_APP_ID:
        raise _CLIENT_ID.bad("is that of MCAS itself, not of your application")
    return found


def client_secret(text: str, client_id: str = "") -> Secret:
    """Return the application's secret; the secret's id is not it."""
    if MASK.search(text):
        raise _CLIENT_SECRET.bad("is only what is shown in its place")
    found = _CLIENT_SECRET.cleaned(text)
    if client_id and found.lower() == client_id.lower():
        raise _CLIENT_SECRET.bad("is the same as the Client ID")
    if _GUID.fullmatch(found):
        raise _CLIENT_SECRET.bad("looks like the secret's ID, not its Value")
    if _BLANK_FORM.fullmatch(found) or _BRACKETED.fullmatch(found):
        raise _CLIENT_SECRET.bad("is only a placeholder")
    if len(found) < MIN_SECRET_CHARS:
        raise _CLIENT_SECRET.bad(
            f"is too short: it has {len(found)} characters, and those of Entra have 40"
        )
    return Secret(found)


def scope(text: str) -> str:
    """Return `RESOURCE/.default`; nothing typed is the usual one."""
    if not text.strip(AROUND):
        return DEFAULT_SCOPE
    if len(re.split(r"[\s,;]+", text.strip(AROUND))) > 1:
        raise _SCOPE.bad("has more than one entry")
    found = _SCOPE.cleaned(text).rstrip("/")
    resource, slash, end = found.rpartition("/")
    if end.lower() != ".default" or not slash:
        if _GUID.fullmatch(found) or _URI.fullmatch(found):
            raise _SCOPE.bad(
                "does not end in /.default",
                _USUAL_SCOPE if _URI.fullmatch(found) else f"use {found.lower()}/.default",
            )
        raise _SCOPE.bad("is not of the form RESOURCE/.default")
    if _is_placeholder(resource):
        raise _SCOPE.bad("is only a placeholder")
    if resource.lower().startswith(_GRAPH):
        raise _SCOPE.bad("is that of Microsoft Graph, not of MCAS")
    if _GUID.fullmatch(resource):
        return f"{resource.lower()}/.default"
    if not _URI.fullmatch(resource):
        raise _SCOPE.bad("is not of the form RESOURCE/.default")
    return f"{resource}/.default"


def authentication_url(text: str, client_id: str = "") -> str:
    """Return the URL of the token endpoint (v2.0), from it, its v1 form or the bare authority.

    `client_id` is what was answered before, and is easily taken for the tenant's id.
    """
    question = _AUTHENTICATION_URL
    found = question.cleaned(text)
    if _GUID.fullmatch(found):
        raise question.bad(
            "is only a GUID",
            f"use https://login.microsoftonline.com/{found.lower()}{_TOKEN_PATH}, if that is the "
            "Directory (tenant) ID",
        )
    parts = _url(question, found)
    host = parts.hostname or ""
    if host not in LOGIN_HOSTS and not is_this_machine(host):
        raise question.bad(f"leads to {host}, which is no login host of Microsoft")
    _check_end(question, parts)
    path = parts.path.rstrip("/")
    for end in _TOKEN_PATHS:
        if path.lower().endswith(end):
            path = path[: -len(end)]
            break
    tenant, slash, _ = path.lstrip("/").partition("/")
    tenant = tenant.lower()
    _check_tenant(question, tenant, client_id)
    right = f"https://{https_place(parts)}/{tenant}{_TOKEN_PATH}"
    if slash:
        raise question.bad("has an unknown path after the tenant", f"use {right}")
    return right


def api_url(text: str) -> str:
    """Return the URL of MCAS without a path: `https://TENANT.REGION.portal.cloudappsecurity.com`."""
    parts = _url(_API_URL, _API_URL.cleaned(text))
    host = parts.hostname or ""
    if host in _PORTALS:
        raise _API_URL.bad(f"leads to {host}, a portal for people, not to the API")
    if host in LOGIN_HOSTS:
        raise _API_URL.bad(f"leads to {host}, a sign-in page, not to the API")
    if api_cloud(host) is None and not is_this_machine(host):
        raise _API_URL.bad(f"leads to {host}, which is not MCAS")
    if _is_placeholder(host.partition(".")[0]):
        raise _API_URL.bad(_PLACEHOLDER)
    _check_end(_API_URL, parts)
    if parts.path.rstrip("/").lower() not in _API_PATHS:
        raise _API_URL.bad("has a path after the host", f"use https://{https_place(parts)}")
    return f"https://{https_place(parts)}"


def region_advice(api_url: str) -> BadAnswer | None:
    """Return what to know about an API URL without a region; `None` for any other.

    Such hosts work, and refuse a good sign-in now and then: nothing forbids them.
    """
    host = urlsplit(api_url).hostname or ""
    if api_cloud(host) is None or region(host):
        return None
    return _API_URL.bad(
        f"names no region ({host}): such a host refuses a good sign-in now and then",
        f"{_FROM_ABOUT}; it has the form https://TENANT.REGION.portal.cloudappsecurity.com",
    )


def check_clouds(authentication_url: str, api_url: str, scope: str) -> None:
    """Raise `BadAnswer` when answers, each right by itself, do not go together.

    They are in their normal form; `authentication_url` is empty for a managed identity.
    """
    cloud = api_cloud(urlsplit(api_url).hostname or "")
    login = LOGIN_HOSTS.get(urlsplit(authentication_url).hostname or "")
    if cloud is not None and login is not None and login not in LOGINS_OF[cloud]:
        raise _AUTHENTICATION_URL.bad(
            f"is of the {login} cloud, and the API URL of the {cloud} cloud",
            "GCC High and DoD sign in at login.microsoftonline.us and have "
            "*.portal.cloudappsecurity.us; commercial tenants sign in at login.microsoftonline.com "
            "and have *.portal.cloudappsecurity.com",
        )
    resource = scope.removesuffix("/.default")
    if cloud == "commercial" and resource != MCAS_APP_ID and _GUID.fullmatch(resource):
        raise _SCOPE.bad("is that of another application, not of MCAS")


def authority_of(authentication_url: str) -> str:
    """Return what msal asks for: `https://HOST/TENANT`."""
    return authentication_url.removesuffix(_TOKEN_PATH)


def _is_placeholder(text: str) -> bool:
    return is_placeholder(text) or _BLANK_FORM.fullmatch(text) is not None


def _url(question: Question, text: str) -> SplitResult:
    parts = question.url(text, _PLACEHOLDER)
    _check_place(question, parts.hostname or "", parts.port)
    return parts


def _check_place(question: Question, host: str, port: int | None) -> None:
    if is_this_machine(host):
        if not port:
            raise question.bad("leads to this machine, and has no port")
    elif is_placeholder(host):
        raise question.bad(_PLACEHOLDER)
    elif not HOST.fullmatch(host):
        raise question.bad(NO_URL)
    elif port not in {None, _HTTPS}:
        raise question.bad("has a port, and Microsoft's is always 443")


def _check_end(question: Question, parts: SplitResult) -> None:
    if parts.query or parts.fragment:
        raise question.bad("has something after the path")


def _check_tenant(question: Question, tenant: str, client_id: str) -> None:
    if not tenant or tenant in {"oauth2", "v2.0"}:
        raise question.bad("has no tenant")
    if tenant in _MANY_TENANTS:
        raise question.bad(f"has /{tenant} instead of your tenant")
    if _is_placeholder(tenant) or _is_placeholder(tenant.partition(".")[0]):
        raise question.bad(_PLACEHOLDER)
    if client_id and tenant == client_id.lower():
        raise question.bad("has the Client ID instead of your tenant")
    if not _GUID.fullmatch(tenant) and not HOST.fullmatch(tenant):
        raise question.bad("has a tenant that is neither a GUID nor a domain")
