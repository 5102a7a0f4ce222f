"""Somebody in the studio: signed in, over operations of the tests, without scripts."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from nss.admin.portal.app import PortalApp
from nss.config.load import parse
from nss.config.model import Config
from tests.admin.conftest import TOML, FakeOperations
from tests.admin.portal.parts import add_user, browser, served, sign_in, token_of

MORE = r"""
[sources.old]
kind = "tcp"
listen = "127.0.0.1:5140"
format_string = 'seen %s{time} %s{login} end'
[feeds.own]
format_string = '%s{time},%s{eurl}'
zone = "Europe/Berlin"
escape_characters = ","
protect_separators = false
protect_for = ["pipes"]
[feeds.own.sink]
kind = "file"
path = "-"
[feeds.onwards]
format = "unchanged"
[feeds.onwards.sink]
kind = "file"
path = "onwards.log"
[feeds.lost]
format = "/nowhere/lost.fof"
[feeds.lost.sink]
kind = "file"
path = "lost.log"
"""


class StudioOperations(FakeOperations):
    """Has a source and a feed with formats of their own."""

    def __init__(self, toml: str = TOML + MORE) -> None:
        super().__init__()
        self.config = parse(toml, Path("/etc/nss"))

    def configuration(self) -> Config:
        return self.config


@dataclass
class Visitor:
    """Somebody who has signed in. What he has put in goes with each form."""

    http: httpx.AsyncClient
    csrf: str
    fields: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str = "/studio") -> str:
        answer = await self.http.get(path)
        assert answer.status_code == 200
        self.fields = fields_of(answer.text)
        return answer.text

    async def post(self, path: str = "/studio", **fields: str) -> httpx.Response:
        form = {"csrf": self.csrf} | self.fields | fields
        headers = {"hx-request": "true"} if path.endswith("/render") else {}
        return await self.http.post(path, data=form, headers=headers)

    async def page(self, **fields: str) -> str:
        """Return what a button without scripts answers, and keep what is in its form."""
        answer = await self.post(**fields)
        assert answer.status_code == 200
        self.fields = fields_of(answer.text)
        return answer.text

    async def render(self, **fields: str) -> str:
        answer = await self.post("/studio/render", **fields)
        assert answer.status_code == 200
        return answer.text


def fields_of(page: str) -> dict[str, str]:
    """Return what the form of a page sends."""
    found = {
        name: html.unescape(text).removeprefix("\n")
        for name, text in re.findall(
            r'<textarea [^>]*name="(\w+)"[^>]*>(.*?)</textarea>', page, re.DOTALL
        )
    }
    for row in re.findall(r"<input [^>]*>", page):
        name = re.search(r'name="(\w+)"', row)
        value = re.search(r'value="([^"]*)"', row)
        if name and ("checkbox" not in row or " checked" in row):
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(
        r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL
    ):
        values = re.findall(r'value="([^"]*)"( selected)?', options)
        chosen = [value for value, selected in values if selected] or [value for value, _ in values]
        found[name] = html.unescape(chosen[0]) if chosen else ""
    return found


def shown(part: str) -> str:
    """Return the text of a page, as one reads it: without tags, blanks as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split())


@pytest.fixture
def studio() -> StudioOperations:
    return StudioOperations()


@pytest.fixture
async def app(tmp_path: Path, studio: StudioOperations) -> AsyncIterator[PortalApp]:
    add_user(tmp_path, "victor", "viewer")
    async with served(tmp_path, studio) as found:
        yield found


@pytest.fixture
async def visitor(app: PortalApp) -> AsyncIterator[Visitor]:
    """A viewer: the studio changes nothing."""
    async with browser(app) as http:
        await sign_in(http, "victor")
        yield Visitor(http, await token_of(http))
