"""Three ways to sign in, each at its own place."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from nss.lab.cloud import CloudLab

SignIn = Callable[..., httpx.Response]
Api = Callable[..., httpx.Response]

AUDIENCE = "https://api.zscaler.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def token_answer(lab: CloudLab, client: httpx.Client) -> SignIn:
    """Asks ZIdentity for a token; a field that is `None` is left out."""

    def send(**other: str | None) -> httpx.Response:
        fields: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": lab.zia.one_api.client_id,
            "client_secret": lab.zia.one_api.secret,
            "audience": AUDIENCE,
        }
        fields |= other
        sent = {name: value for name, value in fields.items() if value is not None}
        return client.post(lab.one_api_token_url, data=sent)

    return send


@pytest.fixture
def entra_answer(lab: CloudLab, client: httpx.Client) -> SignIn:
    def send(scope: str) -> httpx.Response:
        fields = {
            "grant_type": "client_credentials",
            "client_id": lab.client_id,
            "client_secret": lab.client_secret,
            "scope": scope,
        }
        return client.post(lab.authentication_url, data=fields)

    return send


def status(client: httpx.Client, base: str, token: str) -> httpx.Response:
    return client.get(f"{base}/status", headers={"authorization": f"Bearer {token}"})


def test_a_session_is_a_cookie_that_requests_carry(
    lab: CloudLab, client: httpx.Client, sign_in: SignIn
) -> None:
    answer = sign_in()
    assert answer.json() == {
        "authType": "ADMIN_LOGIN",
        "obfuscateApiKey": True,
        "passwordExpiryTime": 0,
        "passwordExpiryDays": 0,
    }
    assert client.get(f"{lab.zia_api_url}/status").json() == {"status": "ACTIVE"}
    assert lab.zia.sessions.open_count == 1
    client.cookies.clear()
    refused = client.get(f"{lab.zia_api_url}/status")
    assert (refused.status_code, refused.json()["code"]) == (401, "SESSION_NOT_VALID")


def test_the_time_may_be_a_number_as_the_vendors_client_sends_it(
    lab: CloudLab, sign_in: SignIn
) -> None:
    stamp = 1_700_000_123_456
    seed = lab.zia.sessions.api_key
    key = "".join(seed[d] for d in (1, 2, 3, 4, 5, 6)) + "".join(
        seed[d + 2] for d in (0, 6, 1, 7, 2, 8)
    )
    assert sign_in(timestamp=stamp, apiKey=key).status_code == 200


@pytest.mark.parametrize("other", [{"password": "x"}, {"username": "x"}, {"apiKey": "x" * 12}])
def test_wrong_credentials_are_refused_by_a_code(
    lab: CloudLab, sign_in: SignIn, other: dict[str, str]
) -> None:
    answer = sign_in(**other)
    assert (answer.status_code, answer.json()) == (
        400,
        {"code": "AUTHENTICATION_FAILED", "message": "AUTHENTICATION_FAILED"},
    )
    lab.zia.sessions.refusal_status = 401
    assert sign_in(**other).status_code == 401


@pytest.mark.parametrize("other", [{"timestamp": None}, {"timestamp": "x"}, {"password": 1}])
def test_a_sign_in_of_a_wrong_form_is_a_violation(
    lab: CloudLab, sign_in: SignIn, other: dict[str, object]
) -> None:
    assert sign_in(**other).status_code == 400
    assert lab.complaints == ["authenticatedSession lacks a field, or its time is not milliseconds"]


def test_200_without_a_type_is_no_session(lab: CloudLab, sign_in: SignIn) -> None:
    lab.zia.sessions.gives_auth_type = False
    answer = sign_in()
    assert (answer.status_code, "authType" in answer.json()) == (200, False)


def test_an_organization_with_zidentity_has_no_such_sign_in(lab: CloudLab, sign_in: SignIn) -> None:
    lab.zia.sessions.is_one_identity = True
    assert sign_in().json() == {
        "code": "INVALID_OPERATION",
        "message": "Not allowed for one identity enabled tenants",
    }


def test_a_session_is_lost_when_it_was_not_used(lab: CloudLab, api: Api) -> None:
    lab.zia.sessions.idle_secs = 0
    assert api("GET", "/status").status_code == 401


def test_a_session_is_lost_in_mid_work(lab: CloudLab, api: Api) -> None:
    assert api("GET", "/authenticatedSession").json()["authType"] == "ADMIN_LOGIN"
    lab.zia.sessions.lose()
    lab.zia.sessions.loss_form = "text"
    answer = api("GET", "/status")
    assert (answer.status_code, answer.json()) == (
        401,
        {"message": "getAttribute: Session already invalidated"},
    )
    assert api("GET", "/authenticatedSession").status_code == 401


@pytest.mark.parametrize("activates", [False, True])
def test_signing_out_ends_the_session_and_may_activate(
    lab: CloudLab, api: Api, *, activates: bool
) -> None:
    lab.zia.logout_activates = activates
    lab.zia.categories.put("X", ["a.example"])
    answer = api("DELETE", "/authenticatedSession")
    assert (answer.status_code, answer.json()) == (200, {"status": "ACTIVE"})
    assert lab.zia.activation.status == ("ACTIVE" if activates else "PENDING")
    assert (lab.zia.sessions.open_count, api("GET", "/status").status_code) == (0, 401)


def test_signing_out_may_have_no_body(lab: CloudLab, api: Api) -> None:
    lab.zia.sessions.logout_status = 204
    assert api("DELETE", "/authenticatedSession").content == b""


def test_a_secret_gets_a_token_that_is_good_at_its_own_place(
    lab: CloudLab, client: httpx.Client, token_answer: SignIn
) -> None:
    answer = token_answer().json()
    token = answer.pop("access_token")
    assert answer == {"token_type": "Bearer", "expires_in": 3600}
    found = status(client, lab.one_api_url, token)
    assert (found.json(), found.headers["x-ratelimit-limit"]) == (
        {"status": "ACTIVE"},
        "5000, 5000;w=60",
    )
    assert found.headers["x-zscaler-mode"] == "read-write"
    assert status(client, lab.zia_api_url, token).status_code == 401
    lab.zia.one_api.revoke()
    refused = status(client, lab.one_api_url, token)
    assert (refused.status_code, refused.json()["detail"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("other", "code", "error"),
    [
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": "x"}, 401, "invalid_client"),
        ({"audience": None}, 400, "invalid_request"),
        ({"client_secret": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_sign_in_to_oneapi_is_refused(
    token_answer: SignIn, other: dict[str, str | None], code: int, error: str
) -> None:
    answer = token_answer(**other)
    assert (answer.status_code, answer.json()["error"]) == (code, error)


@pytest.fixture
def assertion(lab: CloudLab) -> Callable[..., str]:
    """Makes an assertion that is signed by a key that was just registered."""
    pem = lab.issue_zia_key("zia.key").read_bytes()

    def make(key: Any = pem, algorithm: str = "RS256", **other: object) -> str:  # noqa: ANN401 - any kind of key
        name = lab.zia.one_api.client_id
        claims = {"iss": name, "sub": name, "aud": AUDIENCE, "exp": time.time() + 300} | other
        return jwt.encode(claims, key, algorithm)

    return make


def test_an_assertion_gets_a_token_too(
    lab: CloudLab, client: httpx.Client, token_answer: SignIn, assertion: Callable[..., str]
) -> None:
    answer = token_answer(
        client_secret=None, client_assertion=assertion(), client_assertion_type=ASSERTION_TYPE
    )
    token = answer.raise_for_status().json()["access_token"]
    assert status(client, lab.one_api_url, token).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "x"},
        {"sub": "x"},
        {"aud": "x"},
        {"exp": 1},
        {"exp": time.time() + 3600},
        {"key": rsa.generate_private_key(65537, 2048)},
        {"key": "s" * 32, "algorithm": "HS256"},
    ],
)
def test_an_assertion_that_is_not_good_is_refused(
    token_answer: SignIn, assertion: Callable[..., str], other: dict[str, object]
) -> None:
    answer = token_answer(
        client_secret=None,
        client_assertion=assertion(**other),
        client_assertion_type=ASSERTION_TYPE,
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_token_of_entra_for_zia_is_good_and_one_for_mcas_is_not(
    lab: CloudLab, client: httpx.Client, entra_answer: SignIn
) -> None:
    token = entra_answer(lab.zia_scope).raise_for_status().json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["roles"] == [
        "zscalerbeta.net::24326813::NSS"
    ]
    assert status(client, lab.zia_api_url, token).status_code == 200
    assert status(client, lab.one_api_url, token).status_code == 401
    other = entra_answer(lab.scope).raise_for_status().json()["access_token"]
    assert status(client, lab.zia_api_url, other).status_code == 401
    streams = f"{lab.api_url}/api/discovery/streams"
    assert client.get(streams, headers={"authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(
    "roles",
    [
        [],
        ["NSS"],
        ["zscaler.net::24326813::NSS"],
        ["zscalerbeta.net::1::NSS"],
        ["zscalerbeta.net::24326813::Other"],
    ],
)
def test_a_token_of_entra_without_the_role_is_refused(
    lab: CloudLab, client: httpx.Client, entra_answer: SignIn, roles: list[str]
) -> None:
    lab.entra.zia_roles = roles
    token = entra_answer(lab.zia_scope).raise_for_status().json()["access_token"]
    answer = status(client, lab.zia_api_url, token)
    assert (answer.status_code, answer.json()["code"]) == (403, "SCOPE_LIMITED")


def test_a_managed_identity_gets_a_token_for_zia_too(lab: CloudLab, client: httpx.Client) -> None:
    answer = client.get(
        f"{lab.managed_identity_url}/metadata/identity/oauth2/token",
        params={"api-version": "2018-02-01", "resource": lab.entra.zia_resource},
        headers={"metadata": "true"},
    )
    token = answer.raise_for_status().json()["access_token"]
    assert status(client, lab.zia_api_url, token).status_code == 200


def test_a_scope_that_nobody_knows_is_refused_by_entra(entra_answer: SignIn) -> None:
    assert entra_answer("api://nobody/.default").json()["error_codes"] == [500011]
