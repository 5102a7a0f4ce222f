"""The portal's application over operations of the tests, and browsers without a network."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from nss.admin.portal.app import PortalApp
from nss.admin.portal.pages.integrations.index import IntegrationsPages
from nss.config.load import parse
from nss.config.model import Config
from nss.setup.password_hashes import Cost
from nss.setup.portal_users import PortalUsers, Role
from tests.admin.conftest import TOML, FakeOperations

ADDRESS = "http://127.0.0.1:9633"
PASSWORD = "correct horse battery"  # noqa: S105 - of tests
CHEAP = Cost(passes=1, memory_kib=64, lanes=1)

PORTAL = """
[portal]
listen = "127.0.0.1:9633"
hosts = ["nss.example.com"]
"""


def configuration(folder: Path, toml: str = TOML, portal: str = PORTAL) -> Config:
    """Return a configuration with a portal whose state is in a folder."""
    config = parse(toml + portal, folder)
    return replace(config, service=replace(config.service, state_directory=folder))


@asynccontextmanager
async def served(
    folder: Path, operations: FakeOperations, config: Config | None = None
) -> AsyncIterator[PortalApp]:
    """Have the application of a configuration at work."""
    found = config or configuration(folder)
    app = PortalApp(found, folder / "nss.toml", operations, cost=CHEAP)
    await app.start()
    try:
        yield app
    finally:
        await app.close()


def add_user(folder: Path, name: str = "alice", role: Role = "admin") -> None:
    """Let somebody sign in with `PASSWORD`."""
    PortalUsers(folder, cost=CHEAP).set_password(name, PASSWORD, role)


@asynccontextmanager
async def browser(
    app: PortalApp, address: str = ADDRESS, peer: str = "127.0.0.1"
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser that sends the origin of our own pages."""
    transport = httpx.ASGITransport(app, client=(peer, 50_000))
    headers = {"origin": address, "accept": "text/html"}
    async with httpx.AsyncClient(transport=transport, base_url=address, headers=headers) as client:
        yield client


async def sign_in(
    client: httpx.AsyncClient, name: str = "alice", password: str = PASSWORD
) -> httpx.Response:
    """Send the form of signing in."""
    return await client.post("/sign-in", data={"user": name, "password": password})


async def token_of(client: httpx.AsyncClient, path: str = "/") -> str:
    """Return the CSRF token that a page has."""
    text = (await client.get(path)).text
    return text.partition('name="csrf" value="')[2].partition('"')[0]


async def first_event(app: PortalApp, client: httpx.AsyncClient, path: str) -> str:
    """Return the first message of an event stream, and leave it."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = [(b"host", b"127.0.0.1:9633"), (b"cookie", cookies.encode())]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }
    found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, object]:
        await asyncio.shield(found)
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body") and not found.done():
            found.set_result(message["body"])

    serving = asyncio.create_task(app(scope, receive, send))
    try:
        async with asyncio.timeout(30):
            return (await asyncio.shield(found)).decode()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def pages_of(app: PortalApp) -> IntegrationsPages:
    """Return the pages of partner integrations of an application."""
    return next(page for page in app._pages if isinstance(page, IntegrationsPages))
