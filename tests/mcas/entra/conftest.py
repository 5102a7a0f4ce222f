"""A stand-in for Entra, over real TLS, that answers as a test says; msal is the real one."""

import contextlib
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import trustme

from nss.https.network import Network
from nss.mcas import McasError
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn
from nss.secret import Secret

CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
RESOURCE = "05a65629-4c1b-48c1-a78b-804c4abdd4af"
CLIENT_SECRET = "Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"  # noqa: S105 - made up
NEVER_SHOWN = (CLIENT_SECRET, "sesame", "eyJ")
"""The client secret, the passwords of proxies and keys here, and how each JWT begins."""

PATHS = {
    f"/{TENANT}/v2.0/.well-known/openid-configuration": "discovery",
    f"/{TENANT}/oauth2/v2.0/token": "token",
    "/metadata/identity/oauth2/token": "machine",
}
"""What tests call the paths."""

Description = Callable[[SignIn], tuple[type[McasError], str | None, str, str | None]]
"""Returns kind, field, sentence and tip of the error of a sign-in."""

Failure = Callable[[SignIn], McasError]


@dataclass(frozen=True)
class _Answer:
    body: bytes | Mapping[str, object] | None
    """`None`: no answer, until the test ends or `status` seconds have passed."""
    status: int
    headers: Mapping[str, str]


class Entra:
    """A server that knows one tenant; also what gives tokens to machines, then without TLS."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.claims: dict[str, Any] = {"roles": ["Discovery.Manage"]}
        self.token_secs = 3600
        self.requests: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.hold = threading.Event()
        self._answers: dict[str, list[_Answer]] = {}
        self._given = 0
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self.url = f"{'http' if context is None else 'https'}://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def token_url(self) -> str:
        return f"{self.url}/{TENANT}/oauth2/v2.0/token"

    @property
    def by_secret(self) -> McasCredentials:
        return McasCredentials(
            method="secret",
            client_id=CLIENT,
            authentication_url=self.token_url,
            api_url="https://localhost:1",
            client_secret=Secret(CLIENT_SECRET),
        )

    def by_certificate(self, certificate: Path | None, **more: Any) -> McasCredentials:  # noqa: ANN401 - of the credentials
        found = replace(self.by_secret, method="certificate", client_secret=None, **more)
        return replace(found, certificate=certificate)

    def next(
        self,
        path: str,
        body: bytes | Mapping[str, object] | None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next request to a path so; `None` as body is no answer for `status` secs."""
        self._answers.setdefault(path, []).append(_Answer(body, status, headers or {}))

    def refuse(
        self, path: str, number: int, status: int = 401, error: str = "invalid_client"
    ) -> None:
        """Answer the next request to a path with a code of Entra."""
        text = f"AADSTS{number}: words of Entra. Trace ID: x"
        self.next(
            path, {"error": error, "error_description": text, "error_codes": [number]}, status
        )

    def answer(self, method: str, path: str, form: dict[str, str]) -> _Answer:
        path = PATHS.get(path, path)
        self.requests.append(f"{method} {path}")
        if waiting := self._answers.get(path):
            return waiting.pop(0)
        if path == "discovery":
            end = f"{self.url}/{TENANT}/oauth2/v2.0"
            return _Answer(
                {"authorization_endpoint": f"{end}/authorize", "token_endpoint": f"{end}/token"},
                200,
                {},
            )
        self.forms.append(form)
        return _Answer(self._token(), 200, {})

    def _token(self) -> dict[str, object]:
        now = int(time.time())
        self._given += 1
        claims = {
            "aud": RESOURCE,
            "tid": TENANT,
            "appid": CLIENT,
            "nbf": now - 300,
            "exp": now + self.token_secs,
            "uti": self._given,
        }
        value = jwt.encode({**claims, **self.claims}, "k" * 32)
        return {"token_type": "Bearer", "expires_in": self.token_secs, "access_token": value}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        entra = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self._send(entra.answer("GET", parts.path, _form(parts.query)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._send(entra.answer("POST", urlsplit(self.path).path, _form(body)))

            def _send(self, answer: _Answer) -> None:
                self.close_connection = True
                if answer.body is None:
                    entra.hold.wait(answer.status)
                    return
                body = answer.body
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(data)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_arguments: object) -> None:
        """Say nothing: clients that hang up are what is tested."""

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - a socket
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


def _form(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def new_entra(authority: trustme.CA) -> Iterator[Callable[..., Entra]]:
    started: list[Entra] = []

    def start(name: str = "localhost", **options: Any) -> Entra:  # noqa: ANN401 - trustme's own
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name, **options).configure_cert(context)
        started.append(Entra(context))
        return started[-1]

    yield start
    for entra in started:
        entra.close()


@pytest.fixture
def entra(new_entra: Callable[..., Entra]) -> Entra:
    return new_entra()


@pytest.fixture
def plain() -> Iterator[Entra]:
    """Return a server without TLS."""
    found = Entra(None)
    yield found
    found.close()


@pytest.fixture
def machine(plain: Entra, monkeypatch: pytest.MonkeyPatch) -> Entra:
    """Return what gives tokens to a virtual machine; msal finds it by the environment."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", plain.url)
    return plain


@pytest.fixture
def network(ca_file: Path) -> Network:
    return Network(ca_file=ca_file, timeout_secs=5)


@pytest.fixture
def failure() -> Failure:
    """Return what returns the error of a sign-in; nothing about it shows a secret."""

    def find(sign_in: SignIn) -> McasError:
        with pytest.raises(McasError) as caught:
            sign_in.token()
        error = caught.value
        shown = f"{error}{error!r}{error.args}{vars(error)}"
        assert not any(text in shown for text in NEVER_SHOWN)
        assert error.__suppress_context__ or error.__context__ is None
        return error

    return find


@pytest.fixture
def description(failure: Failure) -> Description:
    def find(sign_in: SignIn) -> tuple[type[McasError], str | None, str, str | None]:
        error = failure(sign_in)
        return type(error), error.field, error.sentence, error.tip

    return find


@pytest.fixture(autouse=True)
def _nothing_secret_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    logged = [record.getMessage() for record in caplog.get_records("call")]
    written = "".join([*logged, *capfd.readouterr()])
    assert not any(text in written for text in NEVER_SHOWN)
