"""A token: what is in it, how long it is kept, and the role that it needs."""

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import jwt
import pytest

from nss.https.network import Network
from nss.mcas import McasError, SignInRefused, Unreachable
from nss.mcas.entra import AccessToken, SignIn, require_role
from nss.secret import Secret

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Entra, Failure

CLIENT_SECRET = "Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"  # noqa: S105 - made up
CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-abcdefabcdef"
RESOURCE = "05a65629-4c1b-48c1-a78b-804c4abdd4af"


def test_a_secret_is_good_for_a_token(entra: "Entra", network: Network) -> None:
    began_at = time.time()
    token = SignIn(entra.by_secret, network).token()
    assert jwt.decode(token.value.reveal(), "k" * 32, ["HS256"], audience=RESOURCE)["uti"] == 1
    assert 0 <= token.expires_at - began_at - 3600 < 5
    assert replace(token, value=Secret(""), expires_at=0) == AccessToken(
        value=Secret(""),
        expires_at=0,
        roles=("Discovery.Manage",),
        audience=RESOURCE,
        tenant=TENANT,
        app_id=CLIENT,
        token_type="Bearer",  # noqa: S106 - the name of a kind of token
    )
    sent = {name: entra.forms[0][name] for name in ("grant_type", "client_secret", "scope")}
    assert sent == {
        "grant_type": "client_credentials",
        "client_secret": CLIENT_SECRET,
        "scope": f"{RESOURCE}/.default",
    }
    assert token.value.reveal() not in repr(token)


def test_nothing_is_sent_before_a_token_is_asked_for(entra: "Entra", network: Network) -> None:
    SignIn(entra.by_secret, network)
    assert entra.requests == []


def test_a_token_is_kept_while_it_is_good(entra: "Entra", network: Network) -> None:
    sign_in = SignIn(entra.by_secret, network)
    assert sign_in.token().value == sign_in.token().value
    assert entra.requests == ["GET discovery", "POST token"]


def test_a_token_near_its_end_is_renewed(entra: "Entra", network: Network) -> None:
    entra.token_secs = 60
    sign_in = SignIn(entra.by_secret, network)
    assert sign_in.token().value != sign_in.token().value
    assert entra.requests == ["GET discovery", "POST token", "POST token"]


def test_a_token_that_was_forgotten_is_not_given_again(entra: "Entra", network: Network) -> None:
    sign_in = SignIn(entra.by_secret, network)
    first = sign_in.token()
    sign_in.refused()
    assert sign_in.token().value != first.value


def test_a_refusal_does_not_wait_for_a_sign_in_under_way(
    entra: "Entra", network: Network, failure: "Failure"
) -> None:
    entra.next("token", None, status=4)
    sign_in = SignIn(entra.by_secret, network)
    errors: list[McasError] = []
    thread = threading.Thread(target=lambda: errors.append(failure(sign_in)))
    thread.start()
    while "POST token" not in entra.requests:
        time.sleep(0.001)
    sign_in.refused()
    assert errors == []
    entra.hold.set()
    thread.join()
    assert [type(error) for error in errors] == [Unreachable]


def test_threads_that_ask_at_once_share_one_sign_in(entra: "Entra", network: Network) -> None:
    sign_in = SignIn(entra.by_secret, network)
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(sign_in.token().value.reveal()))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(tokens), len(set(tokens)), len(entra.forms)) == (5, 1, 1)


@pytest.mark.parametrize("value", ["opaque", "a.b.c", "eyJhbGciOiJub25lIn0.W10.", "...", "0"])
def test_a_token_that_can_not_be_read_is_a_token(
    entra: "Entra", network: Network, value: str
) -> None:
    entra.next("token", {"access_token": value, "expires_in": 3600})
    token = SignIn(entra.by_secret, network).token()
    assert replace(token, expires_at=0) == AccessToken(Secret(value), 0)
    require_role(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": "Discovery.Manage"},
        {"roles": None, "aud": 7, "tid": [], "appid": {}, "exp": "soon", "nbf": None},
        {"roles": [7, None, "a\nb"], "aud": ["x"]},
    ],
)
def test_claims_that_make_no_sense_are_left_out(
    entra: "Entra", network: Network, claims: dict[str, object]
) -> None:
    entra.claims = claims
    token = SignIn(entra.by_secret, network).token()
    assert [role for role in token.roles if role] == []


@pytest.mark.parametrize("role", ["Discovery.manage", "Discovery.Manage", "DISCOVERY.MANAGE"])
def test_the_role_is_there_in_any_casing(entra: "Entra", network: Network, role: str) -> None:
    entra.claims = {"roles": ["Discovery.read", role]}
    require_role(SignIn(entra.by_secret, network).token())


@pytest.mark.parametrize("roles", [None, [], ["Discovery.read"]])
def test_a_token_without_the_role_is_reported(
    entra: "Entra", network: Network, roles: list[str] | None
) -> None:
    entra.claims = {"roles": roles}
    token = SignIn(entra.by_secret, network).token()
    with pytest.raises(SignInRefused) as error:
        require_role(token)
    assert (error.value.field, error.value.sentence, error.value.tip) == (
        "role",
        "the application may sign in, but lacks the role Discovery.manage",
        (
            "in Entra, API permissions: add Microsoft Cloud App Security, Discovery.manage "
            "(application permission), and grant admin consent"
        ),
    )


async def test_the_header_is_that_of_the_token(entra: "Entra", network: Network) -> None:
    sign_in = SignIn(entra.by_secret, network)
    header = await sign_in.header()
    assert header.reveal() == f"Bearer {sign_in.token().value.reveal()}"


async def test_no_header_is_made_of_a_token_without_the_role(
    entra: "Entra", network: Network
) -> None:
    entra.claims = {"roles": ["Discovery.read"]}
    with pytest.raises(SignInRefused) as caught:
        await SignIn(entra.by_secret, network).header()
    assert caught.value.field == "role"


@pytest.mark.parametrize(("stated", "secs"), [({}, 0), ({"expires_in": 31_622_400}, 31_622_400)])
def test_a_token_lasts_as_long_as_is_said(
    entra: "Entra", network: Network, stated: dict[str, int], secs: int
) -> None:
    entra.next("token", {"access_token": "opaque", **stated})
    token = SignIn(entra.by_secret, network, now=lambda: 1000.0).token()
    assert token.expires_at == 1000 + secs


@pytest.mark.parametrize(("stated", "kind"), [({}, "Bearer"), ({"token_type": "Other"}, "Other")])
def test_the_type_of_a_token_is_as_stated(
    entra: "Entra", network: Network, stated: dict[str, str], kind: str
) -> None:
    entra.next("token", {"access_token": "opaque", "expires_in": 3600, **stated})
    assert SignIn(entra.by_secret, network).token().token_type == kind


def test_the_application_may_be_named_by_another_claim(entra: "Entra", network: Network) -> None:
    entra.claims = {"appid": None, "azp": CLIENT}
    assert SignIn(entra.by_secret, network).token().app_id == CLIENT
