"""How Microsoft's services are reached: certificates, proxy and timeouts, for both clients."""

import errno
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
from requests.adapters import HTTPAdapter

from nss.addresses import host_port
from nss.files.private import MAX_PEM_BYTES, FileFault, bounded_copy
from nss.https.clock import server_dates
from nss.https.trouble import CONNECT_SECS
from nss.secret import Secret

_PROXY_PORT = 80

# They write URLs to their logs, and the query of an upload URL is a secret.
for _library in ("httpx", "httpcore", "urllib3", "msal"):
    logging.getLogger(_library).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Network:
    """Settings that hold for sign-in, API and upload alike.

    What the environment says about proxies does not count: a service started by systemd and a
    command typed by an administrator have to go the same way. Both clients trust the same
    authorities: those in `ca_file`, otherwise the system's, where OpenSSL looks for them. Those
    that Python packages bring along are trusted by neither.
    """

    ca_file: Path | None = None
    """PEM with the authorities to trust instead of the system's (an inspecting proxy's)."""
    proxy: Secret | None = None
    """`http://[USER:PASSWORD@]HOST:PORT`."""
    timeout_secs: float = 60.0
    """For one answer, and for each pause while a body is on its way."""

    @property
    def proxy_place(self) -> str | None:
        """`HOST:PORT` of the proxy, without user and password."""
        if self.proxy is None:
            return None
        parts = urlsplit(self.proxy.reveal())
        return host_port(parts.hostname or "", parts.port or _PROXY_PORT)

    def client(self) -> httpx.AsyncClient:
        """Return a client for the API. Raises `OSError` for a `ca_file` that can't be used."""
        return httpx.AsyncClient(
            verify=self.context(),
            proxy=None if self.proxy is None else self.proxy.reveal(),
            timeout=httpx.Timeout(self.timeout_secs, connect=CONNECT_SECS),
            limits=httpx.Limits(max_connections=8, keepalive_expiry=30),
            trust_env=False,
            follow_redirects=False,
            event_hooks={"response": [server_dates.of_httpx]},
        )

    def session(self) -> requests.Session:
        """Return a session for msal, which sets no timeout of its own.

        Its requests raise `OSError` for a `ca_file` that can't be used.
        """
        session = _PatientSession(self.timeout_secs, self.context)
        session.trust_env = False
        session.hooks["response"].append(server_dates.of_requests)
        if self.proxy is not None:
            session.proxies = {"https": self.proxy.reveal(), "http": self.proxy.reveal()}
        return session

    def context(self) -> ssl.SSLContext:
        """Return what verifies the servers. Raises `OSError`."""
        if self.ca_file is None:
            return ssl.create_default_context()
        try:
            with bounded_copy(self.ca_file, MAX_PEM_BYTES) as copy:
                return ssl.create_default_context(cafile=copy)
        except FileFault as fault:
            raise OSError(errno.EINVAL, f"it {fault}", str(self.ca_file)) from None


class _PatientSession(requests.Session):
    """Gives every request a timeout, and verifies servers with a context made for the first."""

    def __init__(self, timeout_secs: float, context: Callable[[], ssl.SSLContext]) -> None:
        super().__init__()
        self._timeout = (CONNECT_SECS, timeout_secs)
        self.mount("https://", _VerifyingAdapter(context))

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        kwargs.setdefault("timeout", self._timeout)
        return super().request(*args, **kwargs)


class _VerifyingAdapter(HTTPAdapter):
    """Verifies servers with a context of ours; requests trusts the authorities of certifi."""

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, *_args: object, **_kwargs: object
    ) -> Any:  # noqa: ANN401 - what urllib3 takes
        if self._context is None:
            self._context = self._make_context()
        host, _ = super().build_connection_pool_key_attributes(request, verify=True)
        return host, {"ssl_context": self._context}

    def cert_verify(self, conn: Any, *_args: object, **_kwargs: object) -> None:  # noqa: ANN401 - urllib3's own
        """Add no authorities: the context has them."""
        conn.cert_reqs = "CERT_REQUIRED"
