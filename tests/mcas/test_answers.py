"""Answers of MCAS that have another shape than they should: what becomes of each."""

import asyncio
import base64
import contextlib
import errno
import io
import json
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import McasError, Unreachable, UploadExpired
from nss.mcas.api import McasApi, Stream
from nss.mcas.governance import Page, UnreadableLog
from nss.secret import Secret

PLACE = "https://contoso.us3.portal.cloudappsecurity.com"
KIND = "ZSCALER_QRADAR_SYSLOG"
URL = Secret("https://storage.example/x")


class Token:
    """A legacy token."""

    async def header(self) -> Secret:
        return Secret("Token t")

    def refused(self) -> None:
        pass


@dataclass
class Canned:
    """A network on which every request gets the same answer."""

    body: bytes
    status: int = 200
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    proxy_place: str | None = None

    def client(self) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            await request.aread()
            self.requests.append(sent(request))
            return httpx.Response(self.status, content=self.body)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    def api(self) -> McasApi:
        return McasApi(PLACE, Token(), cast("Network", self), Limiter(10_000))


def api(body: bytes | object, status: int = 200) -> McasApi:
    """Return an API that always gives this answer, a `body` or what there is as JSON."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Canned(data, status).api()


@pytest.mark.parametrize("body", [b"[]", b"[1, 2]", b'[{"a": 5}]', b"{}", b'{"streams": []}'])
async def test_a_list_without_data_sources_has_none(body: bytes) -> None:
    assert await api(body).streams() == []


@pytest.mark.parametrize("answer", ["x", None, 5, {"streams": 5}, {"data": {"a": 5}}])
async def test_what_is_no_list_of_data_sources_is_an_error(answer: object) -> None:
    with pytest.raises(Unreachable) as caught:
        await api(answer).streams()
    assert str(caught.value) == f"MCAS gave no list of data sources ({PLACE})"


@pytest.mark.parametrize("odd", [{"a": 5}, ["text"], [], True, None, 5, 1e300, -1, ""])
async def test_values_of_another_shape_say_nothing(odd: object) -> None:
    keys = ("lastDataReceived", "logFilesFailsCount", "logType", "receiverType", "protocol")
    entry = {"displayName": "NSS", **dict.fromkeys(keys, odd)}
    number = odd if isinstance(odd, int) else None
    (stream,) = await api([entry, {"displayName": odd}]).streams()
    assert stream == Stream("NSS", None, number or 0, number, "")


NO_URLS = [
    *(None, 5, {"a": 5}, ["https://storage.example/x"], "", "text", "//storage.example/x"),
    *("http://plain.example/x", "https://", "https:///x", "https://x:port/x", "https://x:99999/x"),
    *("https://\U0001f600.example/x", "https://xn--/x", "https://x/\n", "https://" + "x" * 70_000),
]


@pytest.mark.parametrize("url", NO_URLS, ids=lambda url: repr(url)[:30])
async def test_an_upload_url_must_be_one(url: object) -> None:
    with pytest.raises(Unreachable) as caught:
        await api({"url": url}).initiate("x", KIND)
    assert str(caught.value) == f"MCAS gave no upload URL ({PLACE})"


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"5", b'"https://storage.example/x"'])
async def test_an_answer_without_an_upload_url_is_none(body: bytes) -> None:
    with pytest.raises(Unreachable):
        await api(body).initiate("x", KIND)


@pytest.mark.parametrize("url", ["https://storage.example/x?sig=%2B", "https://[::1]:65535/x"])
async def test_an_upload_url_is_taken_as_it_is(url: str) -> None:
    answer = {"url": url, "provider": "azure"}
    assert (await api(answer).initiate("x", KIND)).reveal() == url


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b" \n<!DOCTYPE html>", "something on the way answers with a web page instead of MCAS"),
        (b"{", "MCAS gave an answer that makes no sense"),
        (b"\xff", "MCAS gave an answer that makes no sense"),
    ],
)
async def test_what_is_not_json_is_a_web_page_or_makes_no_sense(body: bytes, sentence: str) -> None:
    with pytest.raises(Unreachable) as caught:
        await api(body).streams()
    assert caught.value.sentence == f"{sentence} ({PLACE})"


class Unreadable(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002 - a file's own
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (io.BytesIO(b"abc"), "the file to upload is shorter than it was"),
        (Unreadable(b"abcd"), "the file to upload can't be read: input/output error"),
    ],
)
async def test_a_file_that_is_not_there_whole_is_not_the_fault_of_the_network(
    file: io.BytesIO, sentence: str
) -> None:
    with pytest.raises(Unreachable) as caught:
        await api({}, 201).put(URL, file, 4)
    assert caught.value.sentence == sentence


def sent(request: httpx.Request) -> tuple[str, str, dict[str, str], bytes]:
    """Return what matters of a request to the storage."""
    kept = {"content-length", "content-type", "x-ms-blob-type", "transfer-encoding"}
    kept |= {"authorization"}
    headers = {name: value for name, value in request.headers.items() if name in kept}
    return request.method, str(request.url), headers, request.read()


@pytest.mark.parametrize("single_put_bytes", [3, 100])
async def test_a_small_file_goes_up_in_one_piece(single_put_bytes: int) -> None:
    network = Canned(b"", 201)
    url = Secret("https://storage.example/f?sig=a%2Bb")
    await network.api().put(url, io.BytesIO(b"abcd"), 3, single_put_bytes=single_put_bytes)
    headers = {"content-length": "3", "x-ms-blob-type": "BlockBlob"}
    assert network.requests == [("PUT", url.reveal(), headers, b"abc")]


def asked(method: str, path: str, body: object = None) -> tuple[str, str, dict[str, str], bytes]:
    """Return a request to the API as it is recorded."""
    headers, data = {"authorization": "Token t"}, b""
    if body is not None:
        data = json.dumps(body, separators=(",", ":")).encode()
        headers |= {"content-length": str(len(data)), "content-type": "application/json"}
    return method, f"{PLACE}{path}", headers, data


async def test_what_is_asked_of_the_api() -> None:
    network = Canned(b'{"url":"https://storage.example/f","success":true}')
    found = network.api()
    await found.initiate("a b.log", KIND)
    await found.finalize(URL, "NSS")
    await found.streams()
    with pytest.raises(UnreadableLog):
        await found.governance(1_700_000_000.5)
    with pytest.raises(UnreadableLog):
        await found.governance(1_700_000_000.5, 100)
    question = {
        "skip": 0,
        "limit": 100,
        "sortField": "timestamp",
        "sortDirection": "asc",
        "filters": {"timestamp": {"gte": 1_700_000_000_500}},
    }
    upload = "/api/v1/discovery/upload_url/?filename=a+b.log&source=ZSCALER_QRADAR_SYSLOG"
    done = {"uploadUrl": URL.reveal(), "inputStreamName": "NSS"}
    assert network.requests == [
        asked("GET", upload),
        asked("POST", "/api/v1/discovery/done_upload/", done),
        asked("GET", "/api/discovery/streams/"),
        asked("POST", "/api/v1/governance/", question),
        asked("POST", "/api/v1/governance/", {**question, "skip": 100}),
    ]


async def test_a_large_file_goes_up_in_blocks_and_their_list() -> None:
    network = Canned(b"", 201)
    url = "https://storage.example/f?sig=a"
    await network.api().put(
        Secret(url), io.BytesIO(b"abcdefghij"), 10, single_put_bytes=9, block_bytes=4
    )
    names = [base64.b64encode(b"%08d" % number).decode() for number in range(3)]
    query = "&comp=block&blockid="
    blocks = [
        ("PUT", f"{url}{query}{quote(name)}", {"content-length": str(len(data))}, data)
        for name, data in zip(names, (b"abcd", b"efgh", b"ij"), strict=True)
    ]
    listed = "".join(f"<Latest>{name}</Latest>" for name in names)
    text = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
    headers = {"content-length": str(len(text)), "content-type": "application/xml"}
    assert network.requests == [*blocks, ("PUT", f"{url}&comp=blocklist", headers, text)]


KEYS = st.sampled_from(
    [
        *("url", "provider", "streams", "data", "displayName", "lastDataReceived", "logType"),
        *("logFilesFailsCount", "receiverType", "protocol", "timestamp", "status", "errorMessage"),
        *("message", "description", "code", "error", "detail", "errorMessageCode", "a"),
        *("taskName", "_id", "isSuccess", "templateMessage", "template", "parameters", "total"),
    ]
)
ANSWERS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["https://", "https://[", "https://x:99999/", "NSS"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANSWERS, st.sampled_from([200, 400, 404, 408, 429, 500, 503]))
def test_any_answer_has_its_form_or_is_an_error(answer: object, status: int) -> None:
    async def ask() -> None:
        asked = api(answer, status)
        for call in (
            asked.initiate("x", KIND),
            asked.finalize(URL, "NSS"),
            asked.streams(),
            asked.governance(1.0),
        ):
            found: object = None
            with contextlib.suppress(McasError):
                found = await call
            for entry in found if isinstance(found, list) else []:
                assert isinstance(entry, Stream)
                assert isinstance(entry.name, str)
            for entry in found.entries if isinstance(found, Page) else ():
                assert isinstance(entry.text, str)
        await asked.close()

    asyncio.run(ask())


class Storage:
    """A network on which MCAS names `provider`, and the storage answers a PUT with `answers`."""

    def __init__(self, provider: object, *answers: httpx.Response) -> None:
        self.provider = provider
        self.answers = list(answers)
        self.puts: list[tuple[str, dict[str, str], bytes]] = []

    proxy_place: str | None = None

    def client(self) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json={"url": URL.reveal(), "provider": self.provider})
            await request.aread()
            self.puts.append(sent(request)[1:])
            return self.answers.pop(0)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    async def upload(self, data: bytes, **sizes: int) -> None:
        found = McasApi(PLACE, Token(), cast("Network", self), Limiter(10_000))
        url = await found.initiate("x.log", KIND)
        await found.put(url, io.BytesIO(data), len(data), **sizes)


ETAG = {"ETag": '"9b2cf535f27731c974343645a3985328"'}


@pytest.mark.parametrize("provider", ["aws", "AWS"])
async def test_s3_says_yes_with_200_and_gets_no_headers_of_azure(provider: str) -> None:
    storage = Storage(provider, httpx.Response(200, headers=ETAG))
    await storage.upload(b"lines")
    ((url, headers, body),) = storage.puts
    assert (url, body, headers["content-length"]) == (URL.reveal(), b"lines", "5")
    assert not [name for name in headers if name.startswith("x-ms-") or name == "authorization"]
    assert "transfer-encoding" not in headers


async def test_a_large_file_goes_to_s3_in_one_piece() -> None:
    storage = Storage("aws", httpx.Response(200, headers=ETAG))
    await storage.upload(b"x" * 100, single_put_bytes=10, block_bytes=10)
    assert [len(body) for *_, body in storage.puts] == [100]


@pytest.mark.parametrize("provider", ["azure", "gcp", None, 5, {"aws": 1}])
async def test_from_any_other_storage_200_is_no_yes(provider: object) -> None:
    storage = Storage(provider, httpx.Response(200, headers=ETAG))
    with pytest.raises(Unreachable, match="answers instead of the storage: HTTP 200"):
        await storage.upload(b"lines")
    assert storage.puts[0][1]["x-ms-blob-type"] == "BlockBlob"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Sign in</html>"),
        httpx.Response(200, content=b"ok"),
        httpx.Response(201),
        httpx.Response(204),
        httpx.Response(302),
    ],
)
async def test_what_s3_does_not_say_is_no_yes_of_s3(answer: httpx.Response) -> None:
    with pytest.raises(Unreachable, match="answers instead of the storage"):
        await Storage("aws", answer).upload(b"lines")


async def test_a_url_of_s3_that_has_expired_is_reported_as_that() -> None:
    body = b"<?xml?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    with pytest.raises(UploadExpired):
        await Storage("aws", httpx.Response(403, content=body)).upload(b"lines")
