"""A source without a token takes requests of this machine only, and of no web page on it."""

from typing import TYPE_CHECKING

import pytest

from nss.sources.http.origin import is_host, is_same_origin, is_this_machine
from nss.telemetry import events
from tests.sources.http.serving import BODY, client_of, serving, whole

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

HERE = ["localhost", "LocalHost", "localhost:8088", "localhost.", "127.0.0.1", "127.9.0.1:80"]
HERE += ["[::1]", "[::1]:8088", "[0:0::1]", "nss.example.com", "NSS.example.com:1"]
ELSEWHERE = ["", ":8088", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example"]
ELSEWHERE += ["0.0.0.1", "192.0.2.1:8088", "[::]", "[fe80::1]", "xlocalhost", "nss", "2130706433"]


@pytest.mark.parametrize("host", HERE)
def test_these_hosts_are_this_machine(host: str) -> None:
    assert is_host(host.encode())
    assert is_this_machine(host.encode(), "nss.example.com")


def test_every_address_is_not_this_machine() -> None:
    # A web page reaches a loopback listener by 0.0.0.0 as well.
    assert not is_this_machine(b"0.0.0.0:8088", "127.0.0.1")
    assert not is_this_machine(b":8088", "")


def test_a_name_may_end_with_a_dot_on_either_side() -> None:
    assert is_this_machine(b"nss.example.com", "nss.example.com.")
    assert is_this_machine(b"nss.example.com.", "nss.example.com")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_these_hosts_are_another_machine(host: str) -> None:
    assert is_host(host.encode())
    assert not is_this_machine(host.encode(), "nss.example.com")


@pytest.mark.parametrize(
    "host", [b"a b", b"a/b", b"a@b", b"[::1", b"a:b", b"a:1:2", b"\xff", b"a,b "]
)
def test_these_are_no_hosts(host: bytes) -> None:
    assert not is_host(host)


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        (b"http://localhost:8088", True),
        (b"HTTP://LOCALHOST:8088", True),
        (b"https://localhost:8088", False),
        (b"http://localhost", False),
        (b"http://localhost:80880", False),
        (b"http://localhost:8088.evil.example", False),
        (b"http://evil.example", False),
        (b"null", False),
        (b"", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: bytes, *, same: bool) -> None:
    assert is_same_origin(origin, "http", b"localhost:8088") == same


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost", ""])
async def test_a_web_page_can_not_push(accepted: "Accepted", origin: str) -> None:
    async with serving(accepted) as source, client_of(source) as client:
        headers = {"Origin": origin, "Content-Type": "text/plain"}
        answer = await client.post("/", content=BODY, headers=headers)
        asked = await client.options("/", headers=headers)
        several = [("Origin", str(client.base_url).rstrip("/")), ("Origin", origin)]
        hidden = await client.post("/", content=BODY, headers=several)
        own = await client.post("/", content=BODY, headers=several[:1])
    assert whole(answer) == (403, {"error": "without a token, no web page may push records"})
    assert (asked.status_code, hidden.status_code) == (403, 403)
    assert "access-control-allow-origin" not in {*answer.headers, *asked.headers}
    assert whole(own) == (200, {"records": 2})
    assert accepted.data == BODY
    assert events.counters["source_requests_refused_403", "push"] == 3


async def test_a_name_that_was_made_to_mean_this_machine_can_not_push(
    accepted: "Accepted",
) -> None:
    async with serving(accepted) as source, client_of(source) as client:
        page = {"Host": "evil.example:8088", "Origin": "http://evil.example:8088"}
        answer = await client.post("/", content=BODY, headers=page)
        named = await client.post("/", content=BODY, headers={"Host": "localhost"})
    assert whole(answer) == (
        403,
        {"error": "without a token, records are taken only for localhost or the address in listen"},
    )
    assert whole(named) == (200, {"records": 2})
    assert accepted.data == BODY


@pytest.mark.parametrize("secret", [{"token": b"t0ken"}, {"basic": b"nss:t0ken"}])
async def test_with_a_token_or_a_password_any_host_will_do(
    accepted: "Accepted", secret: dict[str, bytes]
) -> None:
    async with serving(accepted, **secret) as source, client_of(source) as client:
        headers = {"Host": "nss.example.com", "Origin": "https://portal.example.com"}
        answer = await client.post("/", content=BODY, headers=headers, auth=("nss", "t0ken"))
    assert whole(answer) == (200, {"records": 2})
