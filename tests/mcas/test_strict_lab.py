"""NSS against what the real services are strict about, in the lab that is as strict."""

import io
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas import McasError, RequestRefused, SignInRefused, Unreachable, fields
from nss.mcas.api import McasApi
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn, require_role
from nss.secret import Secret

TYPE = "ZSCALER_QRADAR_SYSLOG"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    with CloudLab(tmp_path, requests_per_minute=10_000) as lab:
        yield lab


@pytest.fixture
def credentials(lab: CloudLab) -> McasCredentials:
    return McasCredentials(
        method="secret",
        client_id=lab.client_id,
        authentication_url=lab.authentication_url,
        api_url=lab.api_url,
        client_secret=Secret(lab.client_secret),
    )


def api_of(lab: CloudLab, credentials: McasCredentials) -> McasApi:
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    sign_in = SignIn(credentials, network)
    return McasApi(credentials.api_url, sign_in, network, Limiter(10_000))


@pytest.fixture
async def api(lab: CloudLab, credentials: McasCredentials) -> AsyncIterator[McasApi]:
    api = api_of(lab, credentials)
    yield api
    await api.close()


async def test_a_type_that_mcas_does_not_know_is_named_with_its_setting(api: McasApi) -> None:
    with pytest.raises(RequestRefused) as caught:
        await api.initiate("web.log", "NSS_9")
    assert caught.value.sentence == (
        f"MCAS begins no upload of a file of the type NSS_9: HTTP 400 ({api.api_url})"
    )
    assert "source_type in [mcas]" in str(caught.value)


async def test_another_refusal_to_begin_an_upload_keeps_its_own_words(
    lab: CloudLab, api: McasApi
) -> None:
    lab.faults.add(
        Fault("mcas", "upload_url", status=400, body=b'{"detail": "No more uploads"}'),
        Fault("mcas", "upload_url", status=403),
    )
    for words in ("No more uploads", "permit"):
        with pytest.raises(RequestRefused, match=words) as caught:
            await api.initiate("web.log", TYPE)
        assert "source_type" not in str(caught.value)


@pytest.mark.parametrize("end", ["", "/oauth2/v2.0/token", "/oauth2/token"])
def test_a_domain_of_the_tenant_signs_in(
    lab: CloudLab, credentials: McasCredentials, end: str
) -> None:
    url = fields.authentication_url(f"{lab.entra_url}/NSSlab.onmicrosoft.com{end}")
    by_domain = replace(credentials, authentication_url=url)
    token = SignIn(by_domain, Network(ca_file=lab.ca_file)).token()
    require_role(token)
    assert token.tenant == lab.tenant_id


@pytest.mark.parametrize("times", [{"not_after": -1}, {"not_before": 1}])
def test_a_certificate_past_or_before_its_time_is_refused(
    lab: CloudLab, credentials: McasCredentials, times: dict[str, int]
) -> None:
    moments = {name: datetime.now(UTC) + timedelta(days=days) for name, days in times.items()}
    path = lab.issue_certificate("old.pem", is_registered=True, **moments)
    own = replace(credentials, method="certificate", client_secret=None, certificate=path)
    with pytest.raises(McasError) as caught:
        SignIn(own, Network(ca_file=lab.ca_file)).token()
    assert isinstance(caught.value, SignInRefused)
    assert caught.value.field == "certificate"


async def test_the_api_of_another_region_is_a_wrong_api_url(
    lab: CloudLab, credentials: McasCredentials
) -> None:
    api = api_of(lab, replace(credentials, api_url=lab.wrong_region_url))
    with pytest.raises(RequestRefused) as caught:
        await api.streams()
    await api.close()
    assert (caught.value.field, caught.value.status) == ("api_url", 401)


@pytest.mark.parametrize("kind", ["reset", "after", "truncated"])
@pytest.mark.parametrize("path", ["comp=block&", "comp=blocklist"])
async def test_a_file_in_blocks_is_put_again_after_a_lost_answer(
    lab: CloudLab, api: McasApi, path: str, kind: str
) -> None:
    data = os.urandom(100_000)
    url = await api.initiate("web.log", TYPE)
    lab.faults.add(Fault("blob", path, kind))  # type: ignore[arg-type] # one of the kinds
    file, sizes = io.BytesIO(data), {"single_put_bytes": 1000, "block_bytes": 30_000}
    with pytest.raises(Unreachable):
        await api.put(url, file, len(data), **sizes)
    for _ in range(2):
        await api.put(url, file, len(data), **sizes)
    slot = lab.blobs.slot(url.reveal())
    assert slot is not None
    assert slot.path is not None
    assert slot.path.read_bytes() == data
    assert lab.complaints == []
