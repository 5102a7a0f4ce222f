"""The list of unsanctioned domains: its two forms, and all that is no list."""

from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import orjson
import pytest

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import McasError, RequestRefused, Throttled, Unreachable
from nss.mcas.api import McasApi
from nss.mcas.unsanctioned import listed_entries, script_entries
from nss.secret import Secret

API_URL = "https://contoso.us3.portal.cloudappsecurity.com"

Answer = Callable[[httpx.Request], httpx.Response]


class Token:
    async def header(self) -> Secret:
        return Secret("Bearer x")

    def refused(self) -> None:
        pass


class Answers:
    """What the other side says, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: Answer = lambda _: httpx.Response(200)

    proxy_place: str | None = None

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/discovery_block_scripts/"
        self.asked.append(dict(request.url.params))
        return self.answer(request)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def api(answers: Answers) -> AsyncIterator[McasApi]:
    found = McasApi(API_URL, Token(), cast("Network", answers), Limiter(10_000))
    yield found
    await found.close()


def text(body: bytes, kind: str = "text/plain") -> Answer:
    return lambda _: httpx.Response(200, content=body, headers={"content-type": kind})


async def test_the_block_script_is_read_line_by_line(api: McasApi, answers: Answers) -> None:
    answers.answer = text(b"\xef\xbb\xbf.reddit.com\r\n.Logz.io\r\n\nb\xc3\xbccher.example/a\n")
    found = await script_entries(api)
    assert found == [".reddit.com", ".Logz.io", "", "bücher.example/a"]
    assert answers.asked == [{"format": "120", "type": "banned"}]


async def test_an_empty_script_is_an_empty_list(api: McasApi) -> None:
    assert await script_entries(api) == []


async def test_what_is_not_utf8_spoils_its_own_line_only(api: McasApi, answers: Answers) -> None:
    answers.answer = text(b".a\xff.example\n.b.example")
    assert await script_entries(api) == [".a\ufffd.example", ".b.example"]


@pytest.mark.parametrize(
    "answer",
    [
        text(b"<html><body>Sign in</body></html>"),
        text(b"\xef\xbb\xbf \n<!DOCTYPE html>"),
        text(b"Sign in", "text/html; charset=utf-8"),
        text(b'{"success": false}'),
        text(b'[{"domainList": []}]'),
    ],
)
async def test_a_page_or_json_with_status_200_is_no_script(
    api: McasApi, answers: Answers, answer: Answer
) -> None:
    answers.answer = answer
    with pytest.raises(Unreachable):
        await script_entries(api)


def pages(*bodies: object) -> Answer:
    left = list(bodies)
    return lambda _: httpx.Response(200, content=orjson.dumps(left.pop(0)))


async def test_all_pages_are_read(api: McasApi, answers: Answers) -> None:
    answers.answer = pages(
        {"data": [{"domainList": ["a.example", "b.example"]}, {"name": "x"}], "hasNext": True},
        {"data": [{"domainList": ["c.example/path"]}], "hasNext": False, "total": 3},
    )
    assert await listed_entries(api) == ["a.example", "b.example", "c.example/path"]
    assert [asked["skip"] for asked in answers.asked] == ["0", "2"]
    assert all(asked["type"] == "banned" for asked in answers.asked)


@pytest.mark.parametrize(
    "answer",
    [
        text(b"<html>"),
        text(b"\xff"),
        text(b""),
        pages([]),
        pages({"data": []}),
        pages({"hasNext": False}),
        pages({"data": None, "hasNext": False}),
        pages({"data": [{"domainList": "a.example"}], "hasNext": False}),
        pages({"data": [{"domainList": [5]}], "hasNext": False}),
        pages({"data": ["a.example"], "hasNext": False}),
        pages({"data": [], "hasNext": True}),
        lambda _: httpx.Response(
            200, content=b'{"data":[{"domainList":["a.example"]}],"hasNext":true}'
        ),
    ],
)
async def test_pages_of_another_shape_or_without_end_are_no_list(
    api: McasApi, answers: Answers, answer: Answer
) -> None:
    answers.answer = answer
    with pytest.raises(Unreachable):
        await listed_entries(api)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, RequestRefused), (403, RequestRefused), (429, Throttled), (503, Unreachable)],
)
@pytest.mark.parametrize("read", [script_entries, listed_entries])
async def test_refusals_are_those_of_the_api(
    api: McasApi,
    answers: Answers,
    read: Callable[[McasApi], object],
    status: int,
    error: type[McasError],
) -> None:
    answers.answer = lambda _: httpx.Response(status, content=b".a.example")
    with pytest.raises(error):
        await read(api)  # type: ignore[misc]  # both are coroutine functions
