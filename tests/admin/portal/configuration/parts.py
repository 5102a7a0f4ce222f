"""The portal over a configuration file that is really there, and a service that takes it over."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import httpx
import orjson

from nss.admin.operations import Reloaded
from nss.config.load import load
from nss.config.model import Config
from tests.admin.conftest import FakeOperations
from tests.admin.portal.parts import add_user, browser, served, sign_in, token_of

TEXT = """\
[service]
control_socket = "off"
state_directory = "."

[portal]
listen = "127.0.0.1:9633"

[spool]
kind = "memory"

[sources.web]
kind = "stdin"

[feeds.out]
format = "MCAS"
filter = { action = "Blocked", not_users = ["a*"] }

[feeds.out.sink]
kind = "file"
path = "out.log"
"""


class Operations(FakeOperations):
    """A service that runs with what was in the file when it was reloaded last."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.in_force = load(path)
        self.refusal: Exception | None = None

    def configuration(self) -> Config:
        return self.in_force

    async def reload(self) -> Reloaded:
        if self.refusal is not None:
            raise self.refusal
        self.in_force = load(self.path)
        return await super().reload()


class Room:
    """The file, the service and a browser of somebody who has signed in."""

    def __init__(self, path: Path, operations: Operations, client: httpx.AsyncClient) -> None:
        self.path = path
        self.operations = operations
        self.client = client

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def audit(self) -> list[dict[str, object]]:
        lines = (self.path.parent / "audit.log").read_bytes().splitlines()
        return [orjson.loads(line) for line in lines]

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        return await self.client.get(path, params=parameters)

    async def post(self, path: str, **fields: str) -> httpx.Response:
        token = await token_of(self.client)
        return await self.client.post(path, data={"csrf": token, **fields})

    async def edit(self, text: str, do: str = "check", **fields: str) -> httpx.Response:
        """Send the editor's form as it was opened."""
        opened = form_of((await self.get("/configuration/edit")).text)
        return await self.post(
            "/configuration/edit", **{**opened, "text": text, "do": do, **fields}
        )

    async def put(self, text: str) -> httpx.Response:
        """Check a text, and put it in force as the answer allows."""
        checked = await self.edit(text)
        assert 'value="put"' in checked.text, shown(checked.text)
        return await self.post("/configuration/edit", **form_of(checked.text), do="put")


@asynccontextmanager
async def room(folder: Path, name: str = "alice") -> AsyncIterator[Room]:
    """Open it; alice is an administrator, victor a viewer."""
    path = await asyncio.to_thread(prepared, folder)
    operations = Operations(path)
    async with (
        served(folder, operations, operations.in_force) as app,
        browser(app) as client,
    ):
        await sign_in(client, name)
        yield Room(path, operations, client)


def prepared(folder: Path, text: str = TEXT) -> Path:
    """Write the file and the users."""
    path = folder / "nss.toml"
    if not path.exists():
        path.write_text(text)
    add_user(folder)
    add_user(folder, "victor", "viewer")
    return path


def form_of(page: str) -> dict[str, str]:
    """Return what the editor's form on a page would send."""
    hidden = re.findall(r'<input type="hidden" name="(digest|checked)" value="([^"]*)"', page)
    text = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert text is not None, shown(page)
    return {**dict(hidden), "text": unescape(text[1])}


def shown(page: str) -> str:
    """Return the text of a page."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", main)))
