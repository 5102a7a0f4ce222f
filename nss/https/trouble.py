"""No answer from a service: what httpx raises, and what proxies say, as what there is to fix.

No sentence has the error's own text in it: that may quote a URL, or a proxy's user and password.
"""

import re
import ssl
from collections.abc import Iterator
from typing import Literal, NamedTuple

import httpx

_NOT_YET_VALID = 9
_EXPIRED = 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""

_PROXY_STATUS = re.compile(r"([1-5]\d\d)\b")
"""How an error of httpx quotes the answer of a proxy to CONNECT."""

_MAX_START = 1024


class Trouble(NamedTuple):
    """What is wrong, what to do, and the setting to change."""

    sentence: str
    tip: str | None = None
    field: Literal["ca_file", "proxy", "clock"] | None = None


def trouble(error: Exception, section: str) -> Trouble:
    """Return what an error of httpx means; `section` of the configuration says how to connect."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return bad_certificate(cause, section)
    if isinstance(error, httpx.ProxyError):
        found = _PROXY_STATUS.match(str(error))
        return refused_by_proxy(None if found is None else int(found[1]), section)
    reason = "the connection broke off"
    if isinstance(error, httpx.TimeoutException):
        reason = "no answer in time"
    elif isinstance(error, httpx.ConnectError):
        reason = "no connection"
    was_connecting = isinstance(error, httpx.ConnectTimeout | httpx.ConnectError)
    return Trouble(reason, about_firewall(section) if was_connecting else None)


def web_page(service: str, section: str, status: int | None = None) -> Trouble:
    """Return what a web page means where the answer of a service should be.

    `status` is that of the page, if it is worth knowing.
    """
    shown = "" if status is None else f": HTTP {status}"
    sentence = f"something on the way answers with a web page instead of {service}{shown}"
    return Trouble(sentence, about_page(section), "proxy")


def from_proxy(service: str, status: int, body: bytes | bytearray, section: str) -> Trouble | None:
    """Return what an answer means that a proxy gave in the place of a service, else `None`.

    A proxy that inspects TLS answers with its own page; none of the services speaks HTML.
    """
    if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        return refused_by_proxy(status, section)
    start = body[:_MAX_START].lstrip()[:9].lower()
    if status == httpx.codes.FORBIDDEN and start.startswith((b"<html", b"<!doctype")):
        return web_page(service, section, status)
    return None


def refused_by_proxy(status: int | None, section: str) -> Trouble:
    """Return what it means that a proxy does not connect; `status` is its answer, if known."""
    tip = about_proxy(section)
    match status:
        case httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            sentence = "the proxy wants a user and a password, or refuses those it got"
            tip = f"give USER:PASSWORD in the file that proxy_auth_file in [{section}] names"
        case httpx.codes.FORBIDDEN:
            sentence = "the proxy's rules forbid it"
            tip = (
                "have the proxy's rules allow CONNECT to that host; nss test-firewall lists all "
                "that is needed"
            )
        case _:
            sentence = "the proxy does not let it through"
    answer = "" if status is None else f": HTTP {status}"
    return Trouble(f"{sentence}{answer}", tip, "proxy")


def bad_certificate(error: ssl.SSLCertVerificationError, section: str) -> Trouble:
    """Return what it means that a server's certificate is refused."""
    reason = error.verify_message.rstrip(".").lower()
    if error.verify_code not in {_NOT_YET_VALID, _EXPIRED}:
        sentence = f"the certificate is not trusted: {reason}"
        return Trouble(sentence, about_authorities(section), "ca_file")
    tip = (
        "see that the clock is right, for example with timedatectl set-ntp true; if it is, whoever "
        "runs the server, or the proxy that inspects what is sent, must renew the certificate"
    )
    return Trouble(f"by this machine's clock, the server's {reason}", tip, "clock")


def about_authorities(section: str) -> str:
    """Return what to do about TLS that a proxy may have cut open."""
    return (
        f"name the authority's certificate as ca_file in [{section}], if a proxy inspects what is "
        "sent; see that the machine's clock is right"
    )


def about_firewall(section: str) -> str:
    """Return what to do about a host that can't be reached."""
    return f"see that this machine may reach it on port 443, or set proxy in [{section}]"


def about_page(section: str) -> str:
    """Return what to do about answers that are not the service's."""
    return f"see whether a proxy or a sign-in page stands between: proxy in [{section}]"


def about_proxy(section: str) -> str:
    """Return what to do about a proxy that refuses, or can't be reached."""
    return f"see proxy and proxy_auth_file in [{section}]"


def causes(error: BaseException) -> Iterator[BaseException]:
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
