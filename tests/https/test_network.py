"""How both clients reach a service: as configured, whatever the environment says."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import requests

from nss.https.network import Network
from nss.secret import Secret


class Site:
    """A plain HTTP server: `/hang` never answers, `/away` redirects, the rest is a greeting."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._done.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str) -> int:
        with self._lock:
            self.asked.append(path)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        if path.endswith("/hang"):
            self._done.wait(10)
        if path.endswith("/slow"):
            self._done.wait(0.05)
        with self._lock:
            self._at_once -= 1
        return 302 if path.endswith("/away") else 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = site.answer(self.path)
                self.send_response(status)
                self.send_header("Location", f"{site.url}/elsewhere")
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.close()


async def fetched(network: Network, url: str) -> httpx.Response:
    async with network.client() as client:
        return await client.get(url)


@pytest.fixture
def misleading(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names a proxy where nobody listens."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("misleading")
async def test_what_the_environment_says_does_not_count(site: Site) -> None:
    network = Network()
    assert (await fetched(network, f"{site.url}/api")).text == "hello"
    assert (await asyncio.to_thread(network.session().get, f"{site.url}/token")).text == "hello"
    assert site.asked == ["/api", "/token"]


async def test_both_go_through_the_proxy(site: Site) -> None:
    network = Network(proxy=Secret(site.url))
    assert (await fetched(network, "http://mcas.example/api")).text == "hello"
    session = network.session()
    assert (await asyncio.to_thread(session.get, "http://entra.example/token")).text == "hello"
    assert site.asked == ["http://mcas.example/api", "http://entra.example/token"]


def test_sign_in_goes_through_the_proxy_with_https_too() -> None:
    session = Network(proxy=Secret("http://127.0.0.1:9")).session()
    with pytest.raises(requests.exceptions.ProxyError):
        session.get("https://127.0.0.1:9/token")


async def test_a_redirect_is_not_followed(site: Site) -> None:
    assert (await fetched(Network(), f"{site.url}/away")).status_code == 302
    assert site.asked == ["/away"]


async def test_who_does_not_answer_is_given_up(site: Site) -> None:
    network = Network(timeout_secs=0.2)
    with pytest.raises(httpx.ReadTimeout):
        await fetched(network, f"{site.url}/hang")
    with pytest.raises(requests.exceptions.ReadTimeout):
        await asyncio.to_thread(network.session().get, f"{site.url}/hang")


async def test_a_caller_may_have_less_patience(site: Site) -> None:
    session = Network(timeout_secs=60).session()
    with pytest.raises(requests.exceptions.ReadTimeout):
        await asyncio.to_thread(lambda: session.get(f"{site.url}/hang", timeout=0.1))


async def test_a_connection_may_take_ten_seconds_whatever_an_answer_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(timeout_secs=0.2)
    async with network.client() as client:
        assert client.timeout == httpx.Timeout(0.2, connect=10)
    given: dict[str, Any] = {}
    monkeypatch.setattr(requests.Session, "request", lambda *_, **kwargs: given.update(kwargs))
    network.session().get("http://127.0.0.1:9/")
    assert given["timeout"] == (10, 0.2)


async def test_at_most_eight_connections_are_open_at_a_time(site: Site) -> None:
    async with Network().client() as client:
        await asyncio.gather(*(client.get(f"{site.url}/slow") for _ in range(40)))
    assert len(site.asked) == 40
    assert 1 < site.most_at_once <= 8
