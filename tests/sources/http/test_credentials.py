"""Who may push: the token and the password, in every way that people configure them."""

import base64
import hmac
import logging
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from nss.sources.http.auth import Credentials
from tests.sources.http.serving import BODY, client_of, serving

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ([b"Bearer t0ken"], 200),
        ([b"bearer  t0ken"], 200),
        ([basic(b"us\xc3\xa9r:pass:word")], 200),
        ([], 401),
        ([b""], 401),
        ([b"Bearer"], 401),
        ([b"Bearer t0ke"], 401),
        ([b"Bearer t0kenx"], 401),
        ([b"Bearer t\xc3\xb6ken"], 401),
        ([b"Basic t0ken"], 401),
        ([basic(b"us\xc3\xa9r:pass")], 401),
        ([b"Basic"], 401),
        ([b"Basic \xff\xfe"], 401),
        ([b"Basic ====="], 401),
        ([b"Digest t0ken"], 401),
        ([b"Bearer t0ken", b"Bearer t0ken"], 401),
        ([b"Splunk t0ken"], 200),
        ([b"SPLUNK t0ken"], 200),
        ([b"Splunk t0ke"], 401),
        ([b"t0ken"], 200),
        ([b"t0kenx"], 401),
        ([b"t0ken t0ken"], 401),
        ([basic(b"t0ken:")], 200),
        ([basic(b"t0ken")], 200),
        ([basic(b"t0ken:x")], 200),
        ([basic(b":t0ken")], 200),
        ([basic(b"nss:t0ken")], 200),
        ([basic(b"nss:t0ken:")], 401),
        ([basic(b"nss:t0ke")], 401),
        ([basic(b":")], 401),
    ],
)
async def test_credentials_are_asked_for(
    accepted: "Accepted", given: list[bytes], status: int
) -> None:
    secrets = {"token": b"t0ken", "basic": "usér:pass:word".encode()}
    async with serving(accepted, **secrets) as source, client_of(source) as client:
        headers = [(b"Authorization", value) for value in given]
        answer = await client.post("/", content=BODY, headers=headers)
    assert answer.status_code == status
    assert accepted.data == (BODY if status == 200 else b"")
    if status == 401:
        assert answer.json() == {"error": "the credentials are missing or wrong"}
        assert answer.headers.get_list("www-authenticate") == [
            'Bearer realm="nss"',
            'Basic realm="nss", charset="UTF-8"',
        ]


async def test_one_kind_of_credentials_does_not_open_for_the_other(accepted: "Accepted") -> None:
    async with serving(accepted, basic=b"a:b") as source, client_of(source) as client:
        answer = await client.post("/", content=BODY, headers={"Authorization": "Bearer a:b"})
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == ['Basic realm="nss", charset="UTF-8"']


async def test_the_token_may_come_in_a_header_of_its_own(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given: list[tuple[list[tuple[str, str]], int]] = [
        ([("X-Api-Key", "t0ken")], 200),
        ([("x-api-key", "t0ken")], 200),
        ([("X-API-KEY", "Bearer t0ken")], 200),
        ([("X-Api-Key", "t0ken"), ("Authorization", "Basic YTpi")], 200),
        ([("X-Api-Key", "of the proxy"), ("Authorization", "Bearer t0ken")], 200),
        ([("Authorization", "t0ken")], 200),
        ([("X-Api-Key", "t0ke")], 401),
        ([("X-Api-Key", "")], 401),
        ([("X-Api-Key", "t0ken"), ("X-Api-Key", "t0ken")], 401),
        ([("X-Api-Key2", "t0ken")], 401),
        ([], 401),
    ]
    options = {"token": b"t0ken", "token_header": "X-Api-Key"}
    async with serving(accepted, **options) as source, client_of(source) as client:
        answers = [await client.post("/", content=BODY, headers=each) for each, _ in given]
    assert [answer.status_code for answer in answers] == [status for _, status in given]
    assert accepted.data == BODY * 6
    assert [each for each in caplog.records if "t0ke" in str(each.__dict__)] == []


async def test_no_other_header_carries_the_token(accepted: "Accepted") -> None:
    async with serving(accepted, token=b"t0ken") as source, client_of(source) as client:
        answer = await client.post("/", content=BODY, headers={"X-Api-Key": "t0ken"})
    assert answer.status_code == 401


@pytest.mark.parametrize("given", ["Bearer %s", "%s", "Splunk %s", "Basic %s"])
def test_secrets_are_only_compared_as_digests_in_constant_time(given: str) -> None:
    credentials = Credentials(token=b"t0ken", basic=b"user:password")
    text = base64.b64encode(b"t0ken:x").decode() if given.startswith("Basic") else "t0ken"
    compared: list[tuple[bytes, bytes]] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return first == second

    with mock.patch.object(hmac, "compare_digest", compare):
        assert credentials.admit([(b"authorization", (given % text).encode())])
    assert len(compared) == (3 if given.startswith("Basic") else 1)
    assert {len(each) for pair in compared for each in pair} == {32}


def test_a_token_with_colons_may_be_a_password() -> None:
    credentials = Credentials(token=b"t:0:ken", basic=None)
    assert credentials.admit([(b"authorization", basic(b"nss:t:0:ken"))])
    assert not credentials.admit([(b"authorization", basic(b"nss:t:0:ke"))])
