"""No answer from Entra or MCAS: errors of the network, as sentences that name what to fix.

What httpx raises is in `nss.https.trouble`; here is what requests raises, on the way to Entra, too.
"""

import re
import socket
import ssl

import requests
from urllib3.exceptions import NewConnectionError

from nss.causes import in_error
from nss.https import trouble
from nss.https.trouble import Trouble
from nss.mcas import Field, Unreachable

_SECTION = "mcas"

_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""How errors of requests quote the answer of a proxy to CONNECT."""

ABOUT_PAGE = trouble.about_page(_SECTION)


def no_sign_in(error: OSError, place: str, proxy: str | None = None) -> Unreachable:
    """Return what an error of requests means on the way to a login host.

    `proxy` is the `HOST:PORT` of the proxy that is used, if any.
    """
    causes = list(in_error(error))
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return web_page("Entra", place, field="proxy")
    if isinstance(error, requests.exceptions.ProxyError):
        return _unreachable(_stopped_by_proxy(error, causes, place, proxy))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _unreachable(trouble.bad_certificate(cause, _SECTION).at(place))
        if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            return Unreachable(
                f"the host in the Authentication URL has no address ({place})",
                tip="see that the Authentication URL is right, and DNS on this machine: nss "
                "test-firewall",
                field="authentication_url",
            )
    return _unreachable(_unreached(error, causes, place, proxy))


def no_answer(error: Exception, place: str, proxy: str | None = None) -> Unreachable:
    """Return what an error of httpx means on the way to the API or the storage.

    `proxy` is the `HOST:PORT` of the proxy that is used, if any.
    """
    return _unreachable(trouble.trouble(error, _SECTION, place, proxy))


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
    found = trouble.web_page(service, _SECTION)
    return Unreachable(f"{found.sentence} ({place})", tip=found.tip, field=field)


def from_proxy(service: str, status: int, body: bytes, place: str) -> Unreachable | None:
    """Return what an answer means that a proxy gave in the place of a service, else `None`."""
    found = trouble.from_proxy(service, status, body, _SECTION)
    return None if found is None else _unreachable(found.at(place))


def _unreachable(found: Trouble) -> Unreachable:
    return Unreachable(found.sentence, tip=found.tip, field=found.field)


def _stopped_by_proxy(
    error: OSError, causes: list[BaseException], place: str, proxy: str | None
) -> Trouble:
    found = next(filter(None, (_TUNNEL.search(str(cause)) for cause in causes)), None)
    if found is not None:
        return trouble.refused_by_proxy(int(found[1]), _SECTION, proxy).at(place)
    if proxy is not None:
        return trouble.no_connection(error, _SECTION, place, proxy)
    return Trouble("the proxy can't be reached", trouble.about_proxy(_SECTION), "proxy").at(place)


def _unreached(
    error: OSError, causes: list[BaseException], place: str, proxy: str | None
) -> Trouble:
    if not isinstance(error, requests.RequestException):
        tip = "name a PEM file with certificates that the user nss runs as may read: nss check"
        return Trouble("ca_file in [mcas] can't be used", tip, "ca_file").at(place)
    is_cut = any(isinstance(cause, ssl.SSLEOFError | ConnectionResetError) for cause in causes)
    if isinstance(error, requests.exceptions.SSLError) and not is_cut:
        about_authorities = trouble.about_authorities(_SECTION)
        return Trouble("no TLS connection can be made", about_authorities, "ca_file").at(place)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return trouble.no_connection(error, _SECTION, place, proxy)
    if any(isinstance(cause, NewConnectionError) for cause in causes):
        return trouble.no_connection(error, _SECTION, place, proxy)
    way = "" if proxy is None else f" through the proxy {proxy}"
    is_late = isinstance(error, requests.exceptions.Timeout)
    reason = "no answer in time" if is_late else "the connection broke off"
    return Trouble(f"{reason}{way}", trouble.about_firewall(_SECTION, place)).at(place)
