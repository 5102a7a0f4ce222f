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

_ABOUT_CA = (
    "name the authority's certificate as ca_file in [mcas], if a proxy inspects what is sent; see "
    "that the machine's clock is right"
)
_ABOUT_FIREWALL = "see that this machine may reach it on port 443, or set proxy in [mcas]"
_ABOUT_PROXY = "see proxy and proxy_auth_file in [mcas]"
ABOUT_PAGE = "see whether a proxy or a sign-in page stands between: proxy in [mcas]"


def no_sign_in(error: OSError, place: str) -> Unreachable:
    """Return what an error of requests means on the way to a login host."""
    causes = list(_causes(error))
    if isinstance(error, requests.exceptions.ProxyError):
        return _stopped_by_proxy(causes, place)
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return web_page("Entra", place, field="proxy")
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in {_NOT_YET_VALID, _EXPIRED}:
                return _outdated(cause, place)
            return _untrusted(cause, place)
        if isinstance(cause, NameResolutionError):
            return Unreachable(
                f"the host in the Authentication URL has no address ({place})",
                tip="see that the Authentication URL is right, and DNS on this machine",
                field="authentication_url",
            )
    return _unreached(error, causes, place)


def no_answer(error: Exception, place: str) -> Unreachable:
    """Return what an error of httpx means on the way to the API or the storage."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, place)
    if isinstance(error, httpx.ProxyError):
        sentence = f"the proxy does not let it through ({place})"
        return Unreachable(sentence, tip=_ABOUT_PROXY, field="proxy")
    reason = "the connection broke off"
    if isinstance(error, httpx.TimeoutException):
        reason = "no answer in time"
    elif isinstance(error, httpx.ConnectError):
        reason = "no connection"
    was_connecting = isinstance(error, httpx.ConnectTimeout | httpx.ConnectError)
    return Unreachable(f"{reason} ({place})", tip=_ABOUT_FIREWALL if was_connecting else None)


def no_identity_service(place: str) -> Unreachable:
    """Return what it means that a machine's identity service does not answer."""
    return Unreachable(
        f"no managed identity can be had: there is no answer ({place})",
        tip="managed identities are for virtual machines of Azure; elsewhere use a Client Secret "
        "or a certificate",
        field="managed_identity",
    )


def web_page(service: str, place: str, *, field: Field | None = None) -> Unreachable:
    """Return what a web page means where the answer of a service should be."""
    return Unreachable(
        f"something on the way answers with a web page instead of {service} ({place})",
        tip=ABOUT_PAGE,
        field=field,
    )


def _stopped_by_proxy(causes: list[BaseException], place: str) -> Unreachable:
    found = next(filter(None, (_TUNNEL.search(str(cause)) for cause in causes)), None)
    description = "the proxy can't be reached"
    if found is not None:
        description = f"the proxy does not let it through: HTTP {found[1]}"
    return Unreachable(f"{description} ({place})", tip=_ABOUT_PROXY, field="proxy")


def _outdated(error: ssl.SSLCertVerificationError, place: str) -> Unreachable:
    return Unreachable(
        f"by this machine's clock, the server's {_reason(error)} ({place})",
        tip="see that the clock is right, for example with timedatectl set-ntp true",
        field="clock",
    )


def _untrusted(error: ssl.SSLCertVerificationError, place: str) -> Unreachable:
    reason = _reason(error)
    return Unreachable(
        f"the certificate is not trusted: {reason} ({place})", tip=_ABOUT_CA, field="ca_file"
    )


def _unreached(error: OSError, causes: list[BaseException], place: str) -> Unreachable:
    if not isinstance(error, requests.RequestException):
        return Unreachable(
            f"ca_file in [mcas] can't be used ({place})",
            tip="name a PEM file with certificates that the user nss runs as may read",
            field="ca_file",
        )
    is_cut = any(isinstance(cause, ssl.SSLEOFError | ConnectionResetError) for cause in causes)
    if isinstance(error, requests.exceptions.SSLError) and not is_cut:
        return Unreachable(
            f"no TLS connection can be made ({place})", tip=_ABOUT_CA, field="ca_file"
        )
    reason = "the connection broke off"
    if isinstance(error, requests.exceptions.Timeout):
        reason = "no answer in time"
    elif any(isinstance(cause, NewConnectionError) for cause in causes):
        reason = "no connection"
    return Unreachable(f"{reason} ({place})", tip=_ABOUT_FIREWALL)


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
