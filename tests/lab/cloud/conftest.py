"""A lab for each test, a client that trusts it, and uploads in three steps."""

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from nss.lab.cloud import CloudLab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    with CloudLab(tmp_path) as lab:
        yield lab


@pytest.fixture
def client(lab: CloudLab) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=lab.ca_file)
    with httpx.Client(verify=context, trust_env=False, timeout=5) as client:
        yield client


@pytest.fixture
def api(lab: CloudLab, client: httpx.Client) -> httpx.Client:
    """The client, authorised for the API by the legacy token."""
    client.headers["authorization"] = f"Token {lab.legacy_token}"
    client.base_url = httpx.URL(lab.api_url)
    return client


@pytest.fixture
def line() -> Callable[..., bytes]:
    """A line as the MCAS format renders it, `days` old."""

    def make(*, app: str = "Box", user: str = "ana", days: float = 0.0) -> bytes:
        moment = time.strftime("%b %d %Y %H:%M:%S", time.gmtime(time.time() - days * 86_400))
        return (
            f"{moment} zscaler-nss: LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed"
            f"\tdevTime={moment} GMT\tsrc=10.0.0.1\tdst=192.0.2.1\tusrName={user}"
            f"\tsrcBytes=100\tdstBytes=2000\tappname={app}\n"
        ).encode()

    return make


@pytest.fixture
def begin(api: httpx.Client) -> Callable[..., str]:
    """Asks for an upload URL."""

    def ask(source_type: str = "ZSCALER_QRADAR_SYSLOG") -> str:
        answer = api.get(
            "/api/v1/discovery/upload_url/", params={"filename": "a.log", "source": source_type}
        )
        url: str = answer.raise_for_status().json()["url"]
        return url

    return ask


@pytest.fixture
def put(lab: CloudLab) -> Iterator[Callable[..., httpx.Response]]:
    """Puts bytes at an upload URL, without an Authorization header."""
    context = ssl.create_default_context(cafile=lab.ca_file)
    with httpx.Client(verify=context, trust_env=False, timeout=5) as client:

        def send(url: str, data: bytes, **headers: str) -> httpx.Response:
            sent = headers or {"x-ms-blob-type": "BlockBlob"}
            return client.put(url, content=data, headers=sent)

        yield send


@pytest.fixture
def finish(api: httpx.Client) -> Callable[..., httpx.Response]:
    """Finalizes an upload."""

    def finish(url: str, stream: str = "NSS", **more: object) -> httpx.Response:
        return api.post(
            "/api/v1/discovery/done_upload/",
            json={"uploadUrl": url, "inputStreamName": stream} | more,
        )

    return finish


@pytest.fixture
def upload(
    begin: Callable[..., str],
    put: Callable[..., httpx.Response],
    finish: Callable[..., httpx.Response],
) -> Callable[..., str]:
    """Does all three steps; returns the URL."""

    def send(data: bytes, stream: str = "NSS", **more: object) -> str:
        url = begin()
        put(url, data).raise_for_status()
        finish(url, stream, **more).raise_for_status()
        return url

    return send
