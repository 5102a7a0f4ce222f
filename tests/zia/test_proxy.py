"""What stands between this machine and ZIA is named, and never taken for ZIA's own no."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from nss.https.network import Network
from nss.secret import Secret
from nss.zia import Unreachable, ZiaError
from nss.zia.credentials import ZiaCredentials
from nss.zia.http import ask
from nss.zia.signing_in import LegacySession, OneApi
from tests.https.proxies import PAGE, refusing_proxy
from tests.https.sites import TlsSite
from tests.zia.stand_in import Clock, Wire, api_of

PASSWORD = "sesame"  # noqa: S105 - made up
PLACE = "https://zsapi.zscaler.net"
LEGACY = ZiaCredentials(
    method="legacy",
    username="admin@example.com",
    password=Secret("pass word"),
    api_key=Secret("jj7tg80fEGao"),
    api_url=f"{PLACE}/api/v1",
)
ONE_API = ZiaCredentials(
    method="oneapi_secret",
    client_id="abc123",
    client_secret=Secret("s3cret-s3cret"),
    token_url=f"{PLACE}/oauth2/v1/token",
    api_url="https://api.zsapi.net/zia/api/v1",
)
WANTS_USER = "the proxy wants a user and a password, or refuses those it got: HTTP 407"
BLOCKED = "something on the way answers with a web page instead of ZIA: HTTP 403"


async def error_of(network: Network) -> ZiaError:
    client = network.client()
    with pytest.raises(ZiaError) as caught:
        await ask(client, "GET", f"{PLACE}/api/v1/status", {}, network.proxy_place)
    await client.aclose()
    return caught.value


@pytest.mark.parametrize(
    ("status", "sentence", "tip"),
    [
        (
            "407 Proxy Authentication Required",
            "the proxy {} wants a user and a password, or refuses those it got: HTTP 407",
            "proxy_auth_file in [zia]",
        ),
        (
            "403 Forbidden",
            "the rules of the proxy {} forbid it: HTTP 403",
            "allow CONNECT to that host",
        ),
        ("502 Bad Gateway", "the proxy {} does not reach it: HTTP 502", "see the proxy's log"),
    ],
)
async def test_what_a_proxy_says_to_connect_is_named(status: str, sentence: str, tip: str) -> None:
    async with refusing_proxy(status, PASSWORD) as (_, network):
        error = await error_of(network)
    assert (type(error), error.field) == (Unreachable, "proxy")
    assert error.sentence == f"{sentence.format(network.proxy_place)} ({PLACE})"
    assert tip in str(error.tip)
    assert PASSWORD not in f"{error}{vars(error)}"


async def test_a_certificate_that_has_expired_may_be_to_renew(tmp_path: Path) -> None:
    authority, now = trustme.CA(), datetime.now(UTC)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    begin, end = now - timedelta(days=2), now - timedelta(days=1)
    with TlsSite(authority, not_before=begin, not_after=end) as site:
        client = Network(ca_file=tmp_path / "ca.pem", timeout_secs=5).client()
        with pytest.raises(Unreachable, match="certificate has expired") as caught:
            await ask(client, "GET", site.url, {})
        await client.aclose()
    assert caught.value.field == "clock"
    assert "must renew the certificate" in str(caught.value.tip)


@pytest.mark.parametrize(
    ("status", "body", "sentence"), [(407, b"", WANTS_USER), (403, b" " + PAGE, BLOCKED)]
)
async def test_an_answer_of_a_proxy_that_inspects_is_not_that_of_zia(
    status: int, body: bytes, sentence: str
) -> None:
    """So it is not blamed on a role, a password or a secret."""
    wire = Wire(lambda _: httpx.Response(status, content=body))
    for authorization in (LegacySession(LEGACY, wire.network()), OneApi(ONE_API, wire.network())):
        with pytest.raises(Unreachable) as caught:
            await authorization.headers()
        assert caught.value.sentence == f"{sentence} ({PLACE})"
        await authorization.close()
    with pytest.raises(Unreachable, match=r"HTTP 40[37]") as caught:
        await api_of(wire, Clock()).quota(Clock.now)
    assert caught.value.field == "proxy"
