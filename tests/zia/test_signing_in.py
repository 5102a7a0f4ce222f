"""Signing in to ZIA: what is sent, how long it is good for, and what refusals say."""

import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given

from nss.secret import Secret
from nss.zia import Busy, SignInRefused, Unreachable, ZiaError
from nss.zia.credentials import ZiaCredentials
from nss.zia.signing_in import LegacySession, OneApi, obfuscated
from tests import foreign
from tests.zia.stand_in import Clock, Wire
from tests.zia.test_credentials import BY_KEY, LEGACY, ONE_API

TOKEN = {"access_token": "t.o.k", "token_type": "Bearer", "expires_in": 3600}
SESSION = {"authType": "ADMIN_LOGIN", "obfuscateApiKey": True}


def json_answer(found: object, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=orjson.dumps(found), headers=named)


def one_api(wire: Wire, clock: Clock, credentials: ZiaCredentials = ONE_API) -> OneApi:
    return OneApi(credentials, wire.network(), now=clock)


def form_of(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


async def test_a_token_is_asked_for_with_the_secret_and_kept() -> None:
    wire, clock = Wire(lambda _: json_answer(TOKEN)), Clock()
    sign_in = one_api(wire, clock)

    headers = await sign_in.headers()
    clock.now += 3539
    await sign_in.headers()

    assert headers["authorization"].reveal() == "Bearer t.o.k"
    assert "t.o.k" not in repr(headers)
    (request,) = wire.requests
    assert str(request.url) == "https://acme.zslogin.net/oauth2/v1/token"
    assert form_of(request) == {
        "grant_type": "client_credentials",
        "client_id": "abc123",
        "client_secret": "s3cret-s3cret",
        "audience": "https://api.zscaler.com",
    }
    clock.now += 2  # less than a minute is left of it
    await sign_in.headers()
    assert len(wire.requests) == 2
    sign_in.refused()
    await sign_in.headers()
    assert len(wire.requests) == 3
    await sign_in.close()


def key_file(
    path: Path,
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> Path:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("phrase", [None, "open sesame"])
async def test_a_statement_signed_with_the_key_takes_the_place_of_the_secret(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey, phrase: str | None
) -> None:
    encryption = BestAvailableEncryption(phrase.encode()) if phrase else NoEncryption()
    path = key_file(tmp_path / "key.pem", rsa_key, encryption)
    wire, clock = Wire(lambda _: json_answer(TOKEN)), Clock(1_700_000_000.5)
    await one_api(wire, clock, with_key(path)).headers()

    form = form_of(wire.requests[0])
    assert "client_secret" not in form
    assert form["client_assertion_type"].endswith("jwt-bearer")
    claims = jwt.decode(
        form["client_assertion"],
        rsa_key.public_key(),
        algorithms=["RS256"],
        audience="https://api.zscaler.com",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == claims["sub"] == "abc123"
    assert 0 < claims["exp"] - 1_700_000_000 <= 600
    assert claims["jti"]


def with_key(path: Path, phrase: str = "open sesame") -> ZiaCredentials:
    return replace(BY_KEY, private_key=path, passphrase=Secret(phrase))


async def test_a_key_that_can_not_be_used_is_one_sentence(
    tmp_path: Path, rsa_key: rsa.RSAPrivateKey
) -> None:
    wire = Wire(lambda _: json_answer(TOKEN))
    (tmp_path / "text").write_text("no key")
    locked = key_file(tmp_path / "locked", rsa_key, BestAvailableEncryption(b"other"))
    wrong = key_file(tmp_path / "wrong", ec.generate_private_key(ec.SECP256R1()))
    for path, reason in (
        (tmp_path / "none", "can't be read: no such file"),
        (tmp_path, "can't be read: "),
        (tmp_path / "text", "is none that can be read"),
        (locked, "can't be opened with this passphrase"),
        (wrong, "is not an RSA key"),
    ):
        with pytest.raises(SignInRefused, match="the private key") as caught:
            await one_api(wire, Clock(), with_key(path)).headers()
        assert reason in caught.value.sentence.lower().replace("rsa", "RSA")
        assert caught.value.field == "private_key"
    no_phrase = replace(BY_KEY, private_key=locked, passphrase=None)
    with pytest.raises(SignInRefused, match="needs its passphrase"):
        await one_api(wire, Clock(), no_phrase).headers()
    assert wire.requests == []


@pytest.mark.parametrize(
    ("answer", "kind", "field"),
    [
        (json_answer({"error": "invalid_client"}, 401), SignInRefused, "client_secret"),
        (json_answer({"error": "invalid_request"}, 400), SignInRefused, "client_secret"),
        (json_answer({}, 429, retry_after="7"), Busy, None),
        (json_answer({}, 503), Unreachable, None),
        (json_answer({"access_token": "a b", "expires_in": 5}), Unreachable, None),
        (json_answer({"access_token": "a", "expires_in": "soon"}), Unreachable, None),
        (json_answer({"access_token": "a", "expires_in": -1}), Unreachable, None),
        (json_answer({"access_token": 5}), Unreachable, None),
        (json_answer([]), Unreachable, None),
        (httpx.Response(200, content=b"<html>"), Unreachable, "proxy"),
        (httpx.ConnectError("refused"), Unreachable, None),
    ],
)
async def test_what_answers_of_the_token_endpoint_mean(
    answer: httpx.Response | Exception, kind: type[ZiaError], field: str | None
) -> None:
    with pytest.raises(kind) as caught:
        await one_api(Wire(lambda _: answer), Clock()).headers()
    assert type(caught.value) is kind
    assert caught.value.field == field
    assert "s3cret" not in str(caught.value)


# The API key.


def test_an_api_key_is_mixed_with_the_time() -> None:
    # By hand, from the documented steps: the digits 123456, then those of half of it, 061728, each
    # two places further.
    assert obfuscated("ABCDEFGHIJKL", "1700000123456") == "BCDEFG" + "CIDJEK"


def session_answer(_request: httpx.Request) -> httpx.Response:
    return json_answer(SESSION, set_cookie="JSESSIONID=abc; Path=/; Secure; HttpOnly")


async def test_a_session_begins_with_name_password_and_key() -> None:
    wire, clock = Wire(session_answer), Clock(1_700_000_123.456)
    session = LegacySession(LEGACY, wire.network(), now=clock)

    headers = await session.headers()
    await session.headers()

    assert headers["cookie"].reveal() == "JSESSIONID=abc"
    (request,) = wire.requests
    assert str(request.url) == "https://zsapi.zscalertwo.net/api/v1/authenticatedSession"
    sent = orjson.loads(request.content)
    assert sent["username"] == "admin@example.com"
    assert LEGACY.password is not None
    assert sent["password"] == LEGACY.password.reveal()
    assert sent["timestamp"] == "1700000123456"
    assert sent["apiKey"] == obfuscated("jj7tg80fEGao", "1700000123456")
    session.refused()
    await session.headers()
    assert len(wire.requests) == 2
    assert "cookie" not in wire.requests[1].headers
    await session.close()


@pytest.mark.parametrize(
    ("answer", "kind", "field"),
    [
        (json_answer({"code": "AUTHENTICATION_FAILED"}, 401), SignInRefused, "password"),
        (json_answer({"code": "INVALID_OPERATION"}, 403), ZiaError, None),
        (json_answer({}, 429, retry_after="2"), Busy, None),
        (json_answer(SESSION), Unreachable, None),  # no cookie
        (json_answer({}, set_cookie="JSESSIONID=abc"), Unreachable, None),
        (json_answer({}, 500), Unreachable, None),
    ],
)
async def test_what_answers_to_a_sign_in_mean(
    answer: httpx.Response, kind: type[ZiaError], field: str | None
) -> None:
    with pytest.raises(kind) as caught:
        await LegacySession(LEGACY, Wire(lambda _: answer).network(), now=Clock()).headers()
    assert caught.value.field == field
    assert "pass word" not in str(caught.value)
    assert "jj7tg80fEGao" not in str(caught.value)


@given(foreign.answers(TOKEN, SESSION))
async def test_any_answer_signs_in_or_is_one_kind_of_error(body: bytes) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers={"set-cookie": "JSESSIONID=abc"})

    for sign_in in (
        one_api(Wire(answer), Clock()),
        LegacySession(LEGACY, Wire(answer).network(), now=Clock()),
    ):
        try:
            (shown,) = [value.reveal() for value in (await sign_in.headers()).values()]
        except ZiaError as error:
            shown = error.sentence
        assert shown.isprintable()


@pytest.mark.parametrize("status", [302, 405, 413, 422, 500, 503])
async def test_what_was_sent_is_not_shown_when_the_answer_repeats_it(status: int) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=b"maximum of 1 custom URLs: " + request.content)

    for sign_in, secret in (
        (one_api(Wire(echo), Clock()), ONE_API.client_secret),
        (LegacySession(LEGACY, Wire(echo).network()), LEGACY.password),
    ):
        with pytest.raises(ZiaError) as refused:
            await sign_in.headers()
        assert secret is not None
        assert secret.reveal() not in str(refused.value)
        assert "grant_type" not in str(refused.value)


@pytest.mark.parametrize(
    "cookies",
    [
        ["JSESSIONID=a; Path=/", "JSESSIONID=b; Path=/api"],
        ["JSESSIONID=\xe9; Path=/"],
    ],
)
async def test_a_session_that_can_not_be_sent_is_one_kind_of_error(cookies: list[str]) -> None:
    headers = [(b"set-cookie", each.encode("latin-1")) for each in cookies]
    wire = Wire(lambda _: httpx.Response(200, headers=headers, content=orjson.dumps(SESSION)))
    with pytest.raises(Unreachable):
        await LegacySession(LEGACY, wire.network()).headers()


async def test_the_real_clock() -> None:
    wire = Wire(session_answer)
    before = time.time()
    await LegacySession(LEGACY, wire.network()).headers()
    sent = int(orjson.loads(wire.requests[0].content)["timestamp"]) / 1000
    assert before - 1 <= sent <= time.time()

    wire = Wire(lambda _: json_answer(TOKEN))
    sign_in = OneApi(ONE_API, wire.network())
    await sign_in.headers()
    await sign_in.headers()
    assert len(wire.requests) == 1
