"""Clients that are signed in to the lab's ZIA, each in another way."""

import ssl
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.sessions import obfuscated

Api = Callable[..., httpx.Response]


@pytest.fixture
def sign_in(lab: CloudLab, client: httpx.Client) -> Callable[..., httpx.Response]:
    """Begins a session; fields may be given other values."""

    def send(**other: object) -> httpx.Response:
        stamp = str(int(time.time() * 1000))
        fields = {
            "apiKey": obfuscated(lab.zia.sessions.api_key, stamp),
            "username": lab.zia.sessions.username,
            "password": lab.zia.sessions.password,
            "timestamp": stamp,
        }
        return client.post(f"{lab.zia_api_url}/authenticatedSession", json=fields | other)

    return send


@pytest.fixture
def api(lab: CloudLab, sign_in: Callable[..., httpx.Response]) -> Iterator[Api]:
    """Requests in a session: method, path below the API's root, JSON."""
    answer = sign_in()
    context = ssl.create_default_context(cafile=lab.ca_file)
    with httpx.Client(
        verify=context, trust_env=False, timeout=5, base_url=lab.zia_api_url, cookies=answer.cookies
    ) as client:

        def send(method: str, path: str, body: object = None) -> httpx.Response:
            given = {} if body is None else {"json": body}
            return client.request(method, path, **given)  # type: ignore[arg-type] # JSON is anything

        yield send


@pytest.fixture
def create(api: Api) -> Callable[..., str]:
    """Creates a category as a client does; returns its id."""

    def send(name: str = "X", *urls: str, **fields: object) -> str:
        body = {"configuredName": name, "superCategory": "USER_DEFINED", "urls": list(urls)}
        answer = api("POST", "/urlCategories", body | fields)
        found: str = answer.raise_for_status().json()["id"]
        return found

    return send
