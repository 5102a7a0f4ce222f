"""What stands before every request: known host names, same-origin changes, security headers."""

import re
from collections.abc import Collection, Iterable, MutableMapping
from ipaddress import IPv6Address
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

MAX_PATH_BYTES = 2048
"""Of path and query together; no link of ours comes near."""

_HOST = re.compile(r"(?:\[(?P<ip6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:(?P<port>[0-9]{0,5}))?")
_MAX_PORT = 65_535

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_METHODS = _SAFE_METHODS | {"POST"}

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # Not `no-referrer`: browsers then send `Origin: null` with forms.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
"""On every response. No Strict-Transport-Security: it would bind all ports of the host."""


class Guard:
    """Passes on what may reach `app`; `hosts` are the names, in lower case, that it is known by.

    The name in the Host header is compared without its port, which a tunnel may change: a page of
    another site that had its own name resolve to this machine would still send its own name.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], *, is_tls: bool) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._scheme = "https" if is_tls else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message)
            await send(message)

        refusal = self._refusal(scope)
        serve = self._app if refusal is None else refusal
        await serve(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_of(hosts[0]) not in self._hosts:
            text = "This host name is not one of the portal's. Try: add it to hosts in [portal]\n"
            return PlainTextResponse(text, 421)
        if scope["method"] not in _METHODS:
            return PlainTextResponse("Only GET and POST.\n", 405, {"allow": "GET, HEAD, POST"})
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_PATH_BYTES:
            return PlainTextResponse("The address is too long.\n", 414)
        if scope["method"] not in _SAFE_METHODS:
            origin = f"{self._scheme}://{hosts[0].lower()}"
            if [name.lower() for name in headers.getlist("origin")] != [origin]:
                return PlainTextResponse("The request comes from another site.\n", 403)
            if headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return PlainTextResponse("The request comes from another site.\n", 403)
        return None


def host_of(header: str) -> str | None:
    """Return the name in a Host header as browsers write it, without brackets and port.

    Addresses have their one form, names are in lower case and have no dot at the end. `None` for
    what is no host.
    """
    found = _HOST.fullmatch(header.lower())
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        return None
    if found["ip6"] is None:
        return str(found["name"]).removesuffix(".")
    try:
        return str(IPv6Address(found["ip6"]))
    except ValueError:
        return None


def known_hosts(listen_host: str, further: Iterable[str]) -> frozenset[str]:
    """Return the names that a portal is known by: those configured, its address, and loopback's."""
    named = {host_of(f"[{name}]" if ":" in name else name) for name in (*further, listen_host)}
    every = {"0.0.0.0", "::"}  # noqa: S104 - compared
    return LOOPBACK_HOSTS | {name for name in named if name} - every


def _add_headers(message: MutableMapping[str, Any]) -> None:
    found = list(message.get("headers", ()))
    names = {name for name, _ in found}
    found += [(name.encode(), value.encode()) for name, value in HEADERS]
    if b"cache-control" not in names:
        found.append((b"cache-control", b"no-store"))
    message["headers"] = found
