"""Answers that no Entra gives: web pages, redirects, and JSON of another form."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nss.https.network import Network
from nss.mcas import SignInRefused, Unreachable
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Description, Entra, Failure

AS_MACHINE = McasCredentials(
    method="managed_identity", client_id="", authentication_url="", api_url="https://localhost:1"
)

PAGE_TIP = "see whether a proxy or a sign-in page stands between: proxy in [mcas]"


@pytest.mark.parametrize("path", ["discovery", "token"])
@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_web_page_instead_of_an_answer_is_reported(
    entra: "Entra", network: Network, path: str, status: int, description: "Description"
) -> None:
    entra.next(path, b"\n<!DOCTYPE html><title>Sign in to the network", status)
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        "proxy",
        (f"something on the way answers with a web page instead of Entra (localhost:{entra.port})"),
        PAGE_TIP,
    )


@pytest.mark.parametrize("path", ["discovery", "token"])
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_not_followed_with_the_secret(
    entra: "Entra",
    new_entra: Callable[..., "Entra"],
    network: Network,
    path: str,
    status: int,
    description: "Description",
) -> None:
    other = new_entra()
    entra.next(path, b"", status, {"Location": f"{other.url}{path}"})
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        "proxy",
        (f"something on the way answers with a web page instead of Entra (localhost:{entra.port})"),
        PAGE_TIP,
    )
    assert other.requests == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("discovery", b""),
        ("discovery", b"[]"),
        ("discovery", b"7"),
        ("discovery", b"{}"),
        ("discovery", b'{"authorization_endpoint":"x","token_endpoint":"http://localhost/x"}'),
        ("discovery", b'{"authorization_endpoint":7,"token_endpoint":7}'),
        ("token", b""),
        ("token", b'{"access_token":"eyJ'),
        ("token", b"[]"),
        ("token", b"null"),
        ("token", b"{}"),
        ("token", b'{"access_token":7,"expires_in":3600}'),
        ("token", b'{"access_token":"","expires_in":3600}'),
        ("token", b'{"access_token":"a b","expires_in":3600}'),
        ("token", b'{"access_token":"a\\nb","expires_in":3600}'),
        ("token", b'{"access_token":"\\u00e4","expires_in":3600}'),
        ("token", b'{"access_token":"x","expires_in":"never"}'),
        ("token", b'{"access_token":"x","expires_in":[]}'),
        ("token", b'{"access_token":"x","expires_in":1e999}'),
        ("token", b'{"access_token":"x","expires_in":1e300}'),
        ("token", b'{"access_token":"x","expires_in":"99999999999"}'),
        ("token", b'{"access_token":{"a":5},"expires_in":3600}'),
        ("token", b'{"access_token":"x","expires_in":{"a":5}}'),
        ("token", b'{"access_token":"x\x7f","expires_in":3600}'),
    ],
)
def test_an_answer_that_makes_no_sense_is_reported(
    entra: "Entra", network: Network, path: str, body: bytes, description: "Description"
) -> None:
    entra.next(path, body)
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        None,
        f"Entra gave an answer that makes no sense (localhost:{entra.port})",
        None,
    )


@pytest.mark.parametrize("error", [{"a": 5}, ["invalid_client"], 5, True, None, 1e300])
@pytest.mark.parametrize("status", [200, 400, 401])
def test_an_error_of_another_shape_is_a_refusal_that_names_nothing(
    entra: "Entra", network: Network, status: int, error: object, description: "Description"
) -> None:
    entra.next("token", {"error": error, "error_description": error, "error_codes": error}, status)
    assert description(SignIn(entra.by_secret, network)) == (
        SignInRefused,
        None,
        "Entra refuses the sign-in: error",
        "see the sign-in logs of the application in Entra",
    )


@pytest.mark.parametrize("error", [{"a": 5}, ["invalid_client"], 5, None])
def test_an_identity_service_may_answer_anything_too(
    machine: "Entra", network: Network, error: object, failure: "Failure"
) -> None:
    machine.next("machine", {"error": error}, 400)
    assert failure(SignIn(AS_MACHINE, network)).sentence.isprintable()


HUGE = 10**400
ODD = [{"a": 5}, ["Discovery.Manage"], 5, "text", None, 1e300, -1e300, HUGE, -HUGE]
NOT_NOW = [("exp", 5), ("exp", -1e300), ("exp", -HUGE), ("nbf", 1e300), ("nbf", HUGE)]
"""Claims by which a token is not valid at any time that is now."""


@pytest.mark.parametrize("name", ["roles", "aud", "tid", "appid", "azp", "nbf", "exp", "iat"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_claims_of_another_shape_are_no_texts_and_no_times(
    entra: "Entra", network: Network, name: str, odd: object, failure: "Failure"
) -> None:
    entra.claims[name] = odd
    sign_in = SignIn(entra.by_secret, network)
    if (name, odd) in NOT_NOW:
        way = "ahead" if name == "exp" else "behind"
        error = failure(sign_in)
        assert (error.field, error.sentence) == (
            "clock",
            f"the clock of this machine is {way}: by it, the token is not valid now",
        )
        return
    token = sign_in.token()
    texts = (*token.roles, token.audience, token.tenant, token.app_id)
    assert all(isinstance(text, str) for text in texts)


def test_authorities_that_cannot_be_used_are_named(
    entra: "Entra", tmp_path: Path, description: "Description"
) -> None:
    network = Network(ca_file=tmp_path / "missing.pem", timeout_secs=5)
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        "ca_file",
        f"ca_file in [mcas] can't be used (localhost:{entra.port})",
        "name a PEM file with certificates that the user nss runs as may read: nss check",
    )
