"""No answer from a service: what httpx raises, and what proxies say, as what there is to fix.

No sentence has the error's own text in it: that may quote a URL, or a proxy's user and password.
"""

import re
import socket
import ssl
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import httpx

from nss import causes

_NOT_YET_VALID = 9
_EXPIRED = 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""

_PROXY_STATUS = re.compile(r"([1-5]\d\d)\b")
"""How an error of httpx quotes the answer of a proxy to CONNECT."""

_MAX_START = 1024

CONNECT_SECS = 10.0
"""How long a connection may take to be made."""

_PROXY_PORT = 80
_HTTPS_PORT = 443


class Trouble(NamedTuple):
    """What is wrong, what to do, and the setting to change."""

    sentence: str
    tip: str | None = None
    field: Literal["ca_file", "proxy", "clock"] | None = None

    def at(self, place: str) -> "Trouble":
        """Return it with the place that could not be reached behind the sentence."""
        return self._replace(sentence=f"{self.sentence} ({place})")


def trouble(error: Exception, section: str, place: str, proxy: str | None = None) -> Trouble:
    """Return what an error of httpx means on the way to `place`, a URL or its host and port.

    `section` of the configuration says how to connect; `proxy` is the proxy's `HOST:PORT`, if one
    is used.
    """
    for cause in causes.in_error(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return bad_certificate(cause, section).at(place)
    if isinstance(error, httpx.ProxyError):
        found = _PROXY_STATUS.match(str(error))
        return refused_by_proxy(None if found is None else int(found[1]), section, proxy).at(place)
    was_connecting = isinstance(error, httpx.ConnectTimeout | httpx.ConnectError)
    if was_connecting:
        return no_connection(error, section, place, proxy)
    way = "" if proxy is None else f" through the proxy {proxy}"
    if isinstance(error, httpx.TimeoutException):
        tip = None if proxy is None else about_proxy(section)
        return Trouble(f"no answer in time{way}", tip).at(place)
    return Trouble(f"the connection broke off{way}").at(place)


def no_connection(error: Exception, section: str, place: str, proxy: str | None = None) -> Trouble:
    """Return why there is no connection to a proxy, or without one to `place`."""
    setting = f"proxy in [{section}]"
    if proxy is None:
        peer = causes.Peer(*_address(place, _HTTPS_PORT), role="server")
    else:
        peer = causes.Peer(
            *_address(proxy, _PROXY_PORT), setting=setting, role="proxy", is_on_the_way=True
        )
    system = causes.of_system(error)
    if system is None and _is_timeout(error):
        system = TimeoutError(f"no connection within {CONNECT_SECS:g} s")
    match system:
        case None:
            cause = causes.Cause(f"no connection to {peer.place}", about_proxy(section))
        case socket.gaierror():
            cause = causes.of_lookup(system, peer)
        case _:
            cause = causes.of_connection(system, peer)
    if proxy is not None:
        return Trouble(f"{cause.sentence}, on the way to {place}", cause.remedy, "proxy")
    is_dns = isinstance(system, socket.gaierror) and system.errno == socket.EAI_AGAIN
    remedy = cause.remedy if is_dns else about_firewall(section, place)
    return Trouble(cause.sentence, remedy)


def _is_timeout(error: Exception) -> bool:
    return any(
        isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes.in_error(error)
    )


def _address(place: str, default_port: int) -> tuple[str, int]:
    """Return host and port of a URL, or of `HOST:PORT`."""
    try:
        parts = urlsplit(place if "://" in place else f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return place, default_port
    return host or place, port or default_port


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


def refused_by_proxy(status: int | None, section: str, proxy: str | None = None) -> Trouble:
    """Return what it means that a proxy does not connect; `status` is its answer, if known.

    `proxy` is its `HOST:PORT`.
    """
    tip, who = about_proxy(section), "the proxy" if proxy is None else f"the proxy {proxy}"
    match status:
        case httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            sentence = f"{who} wants a user and a password, or refuses those it got"
            tip = f"give USER:PASSWORD in the file that proxy_auth_file in [{section}] names"
        case httpx.codes.FORBIDDEN:
            sentence = f"the rules of {who} forbid it"
            tip = (
                "have the proxy's rules allow CONNECT to that host; nss test-firewall lists all "
                "that is needed"
            )
        case httpx.codes.BAD_GATEWAY | httpx.codes.GATEWAY_TIMEOUT:
            sentence = f"{who} does not reach it"
            tip = "see the proxy's log, its DNS and the firewall behind it; test it with: nss "
            tip += "test-firewall"
        case httpx.codes.SERVICE_UNAVAILABLE:
            sentence = f"{who} is overloaded, or does not reach it"
            tip = "see the proxy and its log; test it with: nss test-firewall"
        case _:
            sentence = f"{who} does not let it through"
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


def about_firewall(section: str, place: str) -> str:
    """Return what to do about a place, a URL or its host and port, that can't be reached."""
    _, port = _address(place, _HTTPS_PORT)
    return (
        f"see that this machine may reach it on port {port}, or set proxy in [{section}]; test it "
        "with: nss test-firewall"
    )


def about_page(section: str) -> str:
    """Return what to do about answers that are not the service's."""
    return f"see whether a proxy or a sign-in page stands between: proxy in [{section}]"


def about_proxy(section: str) -> str:
    """Return what to do about a proxy that refuses, or can't be reached."""
    return f"see proxy and proxy_auth_file in [{section}]; test them with: nss test-firewall"
