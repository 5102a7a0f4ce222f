"""A proxy that refuses, and a server whose certificate has expired: both clients say the same."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.mcas import McasError, Unreachable
from nss.mcas.api import McasApi
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn
from nss.mcas.session import TokenAuthorization
from nss.secret import Secret
from tests.https.proxies import Refusing, refusing_proxy
from tests.https.sites import TlsSite

PASSWORD = "sesame"  # noqa: S105 - made up


@pytest.fixture
async def refusing(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Refusing, Network]]:
    async with refusing_proxy(request.param, PASSWORD) as (proxy, network):
        yield proxy, network


async def by_both(network: Network, host: str) -> list[McasError]:
    """Return the errors of API and sign-in at a host."""
    api = McasApi(f"https://{host}", TokenAuthorization(Secret("t")), network, Limiter(10))
    with pytest.raises(McasError) as of_api:
        await api.streams()
    await api.close()
    credentials = McasCredentials(
        method="secret",
        client_id="11111111-2222-3333-4444-555555555555",
        client_secret=Secret("Abc8Q~aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"),
        authentication_url=f"https://{host}/contoso.example/oauth2/v2.0/token",
        api_url=f"https://{host}",
    )
    with pytest.raises(McasError) as of_sign_in:
        await asyncio.to_thread(SignIn(credentials, network).token)
    return [of_api.value, of_sign_in.value]


@pytest.mark.parametrize(
    ("refusing", "sentence"),
    [
        (
            "407 Proxy Authentication Required",
            "the proxy {} wants a user and a password, or refuses those it got: HTTP 407",
        ),
        ("403 Forbidden", "the rules of the proxy {} forbid it: HTTP 403"),
        ("502 Bad Gateway", "the proxy {} does not reach it: HTTP 502"),
    ],
    indirect=["refusing"],
)
async def test_what_a_proxy_says_is_reported_alike(
    refusing: tuple[Refusing, Network], sentence: str
) -> None:
    proxy, network = refusing
    for error, place in zip(
        await by_both(network, "mcas.example"),
        ("https://mcas.example", "mcas.example"),
        strict=True,
    ):
        assert (type(error), error.field) == (Unreachable, "proxy")
        assert error.sentence == f"{sentence.format(network.proxy_place)} ({place})"
        assert error.tip
        assert PASSWORD not in f"{error}{vars(error)}"
    assert all(b"CONNECT mcas.example:443" in head for head in proxy.heads)


@pytest.mark.parametrize(
    ("begins_days", "ends_days", "reason"),
    [(-2, -1, "has expired"), (1, 2, "is not yet valid")],
)
async def test_a_server_certificate_out_of_its_time_is_reported_alike(
    tmp_path: Path, begins_days: int, ends_days: int, reason: str
) -> None:
    """It is nothing that another ca_file would change."""
    authority, now = trustme.CA(), datetime.now(UTC)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    network = Network(ca_file=tmp_path / "ca.pem", timeout_secs=5)
    with TlsSite(
        authority,
        not_before=now + timedelta(days=begins_days),
        not_after=now + timedelta(days=ends_days),
    ) as site:
        for error in await by_both(network, site.url.removeprefix("https://")):
            assert (type(error), error.field) == (Unreachable, "clock")
            assert f"by this machine's clock, the server's certificate {reason}" in error.sentence
            assert "must renew the certificate" in (error.tip or "")
