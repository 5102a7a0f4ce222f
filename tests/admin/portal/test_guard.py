"""What reaches the portal at all: names, origins, methods; and the headers of every answer."""

import httpx
import pytest
from starlette.responses import PlainTextResponse

from nss.admin.portal.guard import HEADERS, MAX_PATH_BYTES, Guard, host_of, known_hosts

HOSTS = known_hosts("10.1.2.3", ["nss.example.com", "2001:DB8::5"])


def client(*, is_tls: bool = False) -> httpx.AsyncClient:
    guard = Guard(PlainTextResponse("served"), HOSTS, is_tls=is_tls)
    scheme = "https" if is_tls else "http"
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(guard), base_url=f"{scheme}://nss.example.com:9633"
    )


@pytest.mark.parametrize(
    "host",
    [
        "nss.example.com",
        "NSS.Example.com:9633",
        "nss.example.com.",
        "localhost:1",
        "127.0.0.1:9633",
        "[::1]:9633",
        "10.1.2.3",
        "[2001:db8::5]:443",
    ],
)
async def test_a_known_name_is_served_at_whatever_port_a_tunnel_has(host: str) -> None:
    async with client() as browser:
        answer = await browser.get("/", headers={"host": host})

    assert (answer.status_code, answer.text) == (200, "served")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "nss.example.com.evil.example",
        "localhost.evil.example",
        "nss.example.com@evil.example",
        "evil.example:80@nss.example.com",
        "nss.example.com/x",
        "nss.example.com:port",
        "[::1",
        "evil.example[::1]",
        "[::1]evil.example",
        "[::1]evil.example:80",
        "[::1%25lo]",
        "localhost:65536",
        "0.0.0.0",  # noqa: S104 - a name that a page elsewhere may use
        "10.1.2.33",
        "",
        "nss.example.com evil",
        "nss.example.com,evil.example",
    ],
)
async def test_a_name_that_nobody_configured_is_refused(host: str) -> None:
    async with client() as browser:
        answer = await browser.get("/", headers={"host": host})

    assert answer.status_code == 421
    assert "nss.example.com" not in answer.text


async def test_two_names_are_refused() -> None:
    async with client() as browser:
        request = browser.build_request("GET", "/")
        request.headers = httpx.Headers([("host", "localhost"), ("host", "nss.example.com")])
        answer = await browser.send(request)

    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://evil.example.com",
        "https://nss.example.com:9633",
        "http://nss.example.com",
        "http://nss.example.com:9634",
        "http://nss.example.com:9633.evil.example",
        "http://nss.example.com:9633/",
    ],
)
async def test_a_change_from_another_origin_is_refused(origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    async with client() as browser:
        answer = await browser.post("/", headers=headers)

    assert answer.status_code == 403


async def test_a_change_from_our_own_pages_passes() -> None:
    async with client() as plain, client(is_tls=True) as secured:
        answers = [
            await plain.post("/", headers={"origin": "http://NSS.example.com:9633"}),
            await secured.post("/", headers={"origin": "https://nss.example.com:9633"}),
        ]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_browser_that_says_cross_site_is_believed() -> None:
    headers = {"origin": "http://nss.example.com:9633", "sec-fetch-site": "cross-site"}
    async with client() as browser:
        answer = await browser.post("/", headers=headers)

    assert answer.status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"])
async def test_only_pages_and_forms_are_served(method: str) -> None:
    async with client() as browser:
        answer = await browser.request(method, "/")

    assert answer.status_code == (200 if method == "get" else 405)


async def test_an_address_of_endless_length_is_refused() -> None:
    async with client() as browser:
        answers = [
            await browser.get("/" + "a" * MAX_PATH_BYTES),
            await browser.get("/?q=" + "a" * MAX_PATH_BYTES),
        ]

    assert [answer.status_code for answer in answers] == [414, 414]


@pytest.mark.parametrize("host", ["nss.example.com", "evil.example.com"])
async def test_every_answer_has_the_headers(host: str) -> None:
    async with client() as browser:
        answer = await browser.get("/", headers={"host": host})

    for name, value in HEADERS:
        assert answer.headers.get_list(name) == [value]
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_what_an_answer_says_of_caching_stays() -> None:
    app = PlainTextResponse("", headers={"cache-control": "public"})
    guard = httpx.ASGITransport(Guard(app, HOSTS, is_tls=False))
    async with httpx.AsyncClient(transport=guard, base_url="http://localhost") as browser:
        answer = await browser.get("/")

    assert answer.headers.get_list("cache-control") == ["public"]


def test_every_interface_is_no_name() -> None:
    assert known_hosts("", []) == known_hosts("0.0.0.0", []) == known_hosts("::", [])  # noqa: S104
    assert "" not in known_hosts("", ["a.example"])


def test_an_address_is_known_however_it_is_written() -> None:
    names = ["2001:0DB8:0:0::5", "NSS.example.com.", "::ffff:10.0.0.1"]
    known = known_hosts("fd00:0::0:1", names)

    for host in ("[2001:db8::5]", "nss.example.com", "[fd00::1]:9633", "[::ffff:a00:1]"):
        assert host_of(host) in known


def test_names_are_compared_in_lower_case() -> None:
    assert host_of("[2001:DB8::5]:1") == "2001:db8::5"
    assert host_of("A.Example:2") == "a.example"
