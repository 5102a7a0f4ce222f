"""Answers that no Entra gives: web pages, redirects, and JSON of another form."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from nss.https.network import Network
from nss.mcas import Unreachable
from nss.mcas.entra import SignIn

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Description, Entra

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
