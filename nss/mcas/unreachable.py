"""No answer from Entra or MCAS: errors of the network, as sentences that name what to fix.

No sentence has the error's own text in it: that may quote a URL, or a proxy's user and password.
"""

import re
import ssl
from collections.abc import Iterator

import httpx
import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError

from nss.mcas import Field, Unreachable

_NOT_YET_VALID = 9
_EXPIRED = 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""

_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b")
_PROXY_STATUS = re.compile(r"(\d{3})\b")
"""How errors of requests and of httpx quote the answer of a proxy to CONNECT."""

_ABOUT_CA = (
    "name the authority's certificate as ca_file in [mcas], if a proxy inspects what is sent; see "
    "that the machine's clock is right"
)
_ABOUT_FIREWALL = "see that this machine may reach it on port 443, or set proxy in [mcas]"
_ABOUT_PROXY = "see proxy and proxy_auth_file in [mcas]"
_ABOUT_USER = "give USER:PASSWORD in the file that proxy_auth_file in [mcas] names"
_ABOUT_RULES = (
    "have the proxy's rules allow CONNECT to that host; nss test-firewall lists all that is needed"
)
_ABOUT_CLOCK = (
    "see that the clock is right, for example with timedatectl set-ntp true; if it is, whoever "
    "runs the server, or the proxy that inspects what is sent, must renew the certificate"
)
ABOUT_PAGE = "see whether a proxy or a sign-in page stands between: proxy in [mcas]"

_MAX_START = 1024

_Trouble = tuple[str, str | None, Field | None]
"""What is wrong, what to do, and the field to change."""


def no_sign_in(error: OSError, place: str) -> Unreachable:
    """Return what an error of requests means on the way to a login host."""
    causes = list(_causes(error))
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return web_page("Entra", place, field="proxy")
    if isinstance(error, requests.exceptions.ProxyError):
        trouble = _stopped_by_proxy(causes)
    else:
        found = (_bad_certificate(cause) or _no_address(cause) for cause in causes)
        trouble = next(filter(None, found), None) or _unreached(error, causes)
    return _unreachable(trouble, place)


def no_answer(error: Exception, place: str) -> Unreachable:
    """Return what an error of httpx means on the way to the API or the storage."""
    found = next(filter(None, map(_bad_certificate, _causes(error))), None)
    if found is not None:
        return _unreachable(found, place)
    if isinstance(error, httpx.ProxyError):
        status = _PROXY_STATUS.match(str(error))
        return _unreachable(_refused_by_proxy(status), place)
    reason = "the connection broke off"
    if isinstance(error, httpx.TimeoutException):
        reason = "no answer in time"
    elif isinstance(error, httpx.ConnectError):
        reason = "no connection"
    was_connecting = isinstance(error, httpx.ConnectTimeout | httpx.ConnectError)
    return _unreachable((reason, _ABOUT_FIREWALL if was_connecting else None, None), place)


def no_identity_service(place: str) -> Unreachable:
    """Return what it means that a machine's identity service does not answer."""
    tip = (
        "managed identities are for virtual machines of Azure; elsewhere use a Client Secret or a "
        "certificate"
    )
    description = "no managed identity can be had: there is no answer"
    return _unreachable((description, tip, "managed_identity"), place)


def web_page(
    service: str, place: str, *, field: Field | None = None, status: int | None = None
) -> Unreachable:
    """Return what a web page means where the answer of a service should be.

    `status` is that of the page, if it is worth knowing.
    """
    description = f"something on the way answers with a web page instead of {service}"
    shown = "" if status is None else f": HTTP {status}"
    return _unreachable((f"{description}{shown}", ABOUT_PAGE, field), place)


def from_proxy(service: str, status: int, body: bytes, place: str) -> Unreachable | None:
    """Return what an answer means that a proxy gave in the place of a service, else `None`.

    A proxy that inspects TLS answers with its own page; none of the services speaks HTML.
    """
    if status == requests.codes.proxy_authentication_required:
        return _unreachable(_refused_by_proxy(_PROXY_STATUS.match("407")), place)
    start = body[:_MAX_START].lstrip()[:9].lower()
    if status == requests.codes.forbidden and start.startswith((b"<html", b"<!doctype")):
        return web_page(service, place, field="proxy", status=status)
    return None


def _unreachable(trouble: _Trouble, place: str) -> Unreachable:
    description, tip, field = trouble
    return Unreachable(f"{description} ({place})", tip=tip, field=field)


def _stopped_by_proxy(causes: list[BaseException]) -> _Trouble:
    found = next(filter(None, (_TUNNEL.search(str(cause)) for cause in causes)), None)
    if found is not None:
        return _refused_by_proxy(found)
    return "the proxy can't be reached", _ABOUT_PROXY, "proxy"


def _refused_by_proxy(found: re.Match[str] | None) -> _Trouble:
    """Return what it means that a proxy refuses CONNECT with a status, the group of a match."""
    match found and int(found[1]):
        case requests.codes.proxy_authentication_required:
            description = "the proxy wants a user and a password, or refuses those it got: HTTP 407"
            return description, _ABOUT_USER, "proxy"
        case requests.codes.forbidden:
            return "the proxy's rules forbid it: HTTP 403", _ABOUT_RULES, "proxy"
        case None:
            return "the proxy does not let it through", _ABOUT_PROXY, "proxy"
        case status:
            return f"the proxy does not let it through: HTTP {status}", _ABOUT_PROXY, "proxy"


def _bad_certificate(cause: BaseException) -> _Trouble | None:
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return None
    if cause.verify_code not in {_NOT_YET_VALID, _EXPIRED}:
        return _untrusted(cause)
    return f"by this machine's clock, the server's {_reason(cause)}", _ABOUT_CLOCK, "clock"


def _no_address(cause: BaseException) -> _Trouble | None:
    if not isinstance(cause, NameResolutionError):
        return None
    tip = "see that the Authentication URL is right, and DNS on this machine"
    return "the host in the Authentication URL has no address", tip, "authentication_url"


def _untrusted(error: ssl.SSLCertVerificationError) -> _Trouble:
    return f"the certificate is not trusted: {_reason(error)}", _ABOUT_CA, "ca_file"


def _unreached(error: OSError, causes: list[BaseException]) -> _Trouble:
    if not isinstance(error, requests.RequestException):
        tip = "name a PEM file with certificates that the user nss runs as may read"
        return "ca_file in [mcas] can't be used", tip, "ca_file"
    is_cut = any(isinstance(cause, ssl.SSLEOFError | ConnectionResetError) for cause in causes)
    if isinstance(error, requests.exceptions.SSLError) and not is_cut:
        return "no TLS connection can be made", _ABOUT_CA, "ca_file"
    reason = "the connection broke off"
    if isinstance(error, requests.exceptions.Timeout):
        reason = "no answer in time"
    elif any(isinstance(cause, NewConnectionError) for cause in causes):
        reason = "no connection"
    return reason, _ABOUT_FIREWALL, None


def _reason(error: ssl.SSLCertVerificationError) -> str:
    return error.verify_message.rstrip(".").lower()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it; libraries keep that in several places."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        at = waiting.pop(0)
        if not isinstance(at, BaseException) or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        waiting += [*at.args, getattr(at, "reason", None), at.__cause__, at.__context__]
