"""What Entra refuses, and when to come again. What codes mean is in test_refusals.py."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nss.https.network import Network
from nss.mcas import SignInRefused, Throttled, Unreachable
from nss.mcas.entra import SignIn

if TYPE_CHECKING:
    from tests.mcas.entra.conftest import Description, Entra, Failure

TENANT = "99999999-8888-7777-6666-abcdefabcdef"

CLOCK_TIP = "set the clock, for example with timedatectl set-ntp true"


def test_a_refusal_is_reported_and_asked_again_the_next_time(
    entra: "Entra", network: Network, failure: "Failure"
) -> None:
    entra.refuse("token", 7000222)
    entra.refuse("token", 700016, 400, "unauthorized_client")
    sign_in = SignIn(entra.by_secret, network)
    assert [failure(sign_in).code, failure(sign_in).code] == ["AADSTS7000222", "AADSTS700016"]
    assert sign_in.token().tenant == TENANT


def test_an_unknown_tenant_is_reported_from_its_discovery(
    entra: "Entra", network: Network, description: "Description"
) -> None:
    entra.refuse("discovery", 90002, 400, "invalid_tenant")
    assert description(SignIn(entra.by_secret, network)) == (
        SignInRefused,
        "authentication_url",
        "the tenant in the Authentication URL does not exist (AADSTS90002)",
        "copy the Directory (tenant) ID from the application's Overview page in Entra",
    )


def test_credentials_without_their_secret_are_reported(
    entra: "Entra", network: Network, description: "Description"
) -> None:
    credentials = replace(entra.by_secret, client_secret=None)
    assert description(SignIn(credentials, network)) == (
        SignInRefused,
        "client_secret",
        "the Client Secret is missing",
        "run: sudo nss configure-mcas2",
    )


@pytest.mark.parametrize("path", ["discovery", "token"])
@pytest.mark.parametrize(
    ("retry_after", "secs"),
    [
        *(("7", 7.0), (None, None), ("soon", None), ("-1", None), ("\u00b2", None)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
    ],
)
def test_too_many_requests_are_reported_with_the_time_to_wait(
    entra: "Entra",
    network: Network,
    path: str,
    retry_after: str | None,
    secs: float | None,
    failure: "Failure",
) -> None:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    entra.next(path, {"error": "throttled"}, 429, headers)
    sign_in = SignIn(entra.by_secret, network)
    error = failure(sign_in)
    assert isinstance(error, Throttled)
    assert (error.sentence, error.retry_after_secs) == (
        f"Entra asks for fewer requests (localhost:{entra.port})",
        secs,
    )
    assert sign_in.token().tenant == TENANT


@pytest.mark.parametrize("path", ["discovery", "token"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_trouble_at_entra_is_worth_another_try(
    entra: "Entra", network: Network, path: str, status: int, description: "Description"
) -> None:
    entra.next(path, b"<html>", status)
    sign_in = SignIn(entra.by_secret, network)
    assert description(sign_in) == (
        Unreachable,
        None,
        f"Entra has trouble of its own: HTTP {status} (localhost:{entra.port})",
        None,
    )
    assert sign_in.token().tenant == TENANT


@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
def test_an_error_that_passes_is_worth_another_try(
    entra: "Entra", network: Network, error: str, description: "Description"
) -> None:
    entra.next("token", {"error": error}, 400)
    assert description(SignIn(entra.by_secret, network)) == (
        Unreachable,
        None,
        f"Entra has trouble of its own (localhost:{entra.port})",
        None,
    )


@pytest.mark.parametrize(
    ("wrong_secs", "way"), [(7200, "120 minutes ahead"), (-7200, "120 minutes behind")]
)
def test_a_clock_by_which_the_token_is_not_good_is_reported(
    entra: "Entra", network: Network, wrong_secs: float, way: str, description: "Description"
) -> None:
    sign_in = SignIn(entra.by_secret, network, now=lambda: time.time() + wrong_secs)
    assert description(sign_in) == (
        SignInRefused,
        "clock",
        f"the clock of this machine is {way}: by it, the token is not valid now",
        CLOCK_TIP,
    )


@pytest.mark.parametrize("wrong_secs", [550, -550])
def test_a_clock_that_is_a_little_wrong_does_no_harm(
    entra: "Entra", network: Network, wrong_secs: float
) -> None:
    sign_in = SignIn(entra.by_secret, network, now=lambda: time.time() + wrong_secs)
    assert sign_in.token().tenant == TENANT
