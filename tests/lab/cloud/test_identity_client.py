"""Microsoft's own client of Entra, as it is, against the lab's."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential

from nss.lab.cloud import CloudLab
from tests.lab.cloud.signing_in import claims

Credential = Callable[..., TokenCredential]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def settings(lab: CloudLab, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    # What it logs of a refusal has the answer in it, and that has the connection.
    caplog.set_level(logging.CRITICAL, "azure.identity")
    return {
        "client_id": lab.client_id,
        "authority": lab.entra_url,
        "disable_instance_discovery": True,
        "connection_verify": str(lab.ca_file),
        "use_env_settings": False,
    }


@pytest.fixture
def by_secret(lab: CloudLab, settings: dict[str, Any]) -> Iterator[Credential]:
    with ExitStack() as opened:

        def credential(tenant: str = lab.tenant_id, secret: str | None = None) -> TokenCredential:
            secret = lab.client_secret if secret is None else secret
            found = ClientSecretCredential(tenant, client_secret=secret, **settings)
            return opened.enter_context(found)

        yield credential


@pytest.fixture
def by_certificate(lab: CloudLab, settings: dict[str, Any]) -> Iterator[Credential]:
    with ExitStack() as opened:

        def credential(path: Path, tenant: str = lab.tenant_id, **more: bool) -> TokenCredential:
            options = settings | more
            found = CertificateCredential(tenant, certificate_path=str(path), **options)
            return opened.enter_context(found)

        yield credential


def refusal(lab: CloudLab, credential: TokenCredential) -> str:
    with pytest.raises(ClientAuthenticationError) as refused:
        credential.get_token(lab.scope)
    return refused.value.message


@pytest.mark.parametrize("is_domain", [False, True])
def test_it_signs_in_with_the_secret(
    lab: CloudLab,
    client: httpx.Client,
    by_secret: Credential,
    is_domain: bool,  # noqa: FBT001 - of pytest
) -> None:
    tenant = "nsslab.onmicrosoft.com" if is_domain else lab.tenant_id
    token = by_secret(tenant).get_token(lab.scope).token
    assert claims(token)["appidacr"] == "1"
    headers = {"authorization": f"Bearer {token}"}
    answer = client.get(f"{lab.api_url}/api/discovery/streams/", headers=headers)
    assert answer.status_code == 200


def test_it_reads_what_is_wrong_with_a_secret(lab: CloudLab, by_secret: Credential) -> None:
    assert "AADSTS7000215" in refusal(lab, by_secret(lab.tenant_id, "wrong"))
    lab.entra.refuse("AADSTS7000222")
    assert "AADSTS7000222" in refusal(lab, by_secret())


def test_it_reads_that_there_is_no_such_tenant(lab: CloudLab, by_secret: Credential) -> None:
    with pytest.raises(ClientAuthenticationError):
        by_secret("contoso.example").get_token(lab.scope)


@pytest.mark.parametrize("with_chain", [False, True])
@pytest.mark.parametrize("is_domain", [False, True])
def test_it_signs_in_with_a_certificate(
    lab: CloudLab,
    by_certificate: Credential,
    with_chain: bool,  # noqa: FBT001 - of pytest
    is_domain: bool,  # noqa: FBT001 - of pytest
) -> None:
    tenant = "nsslab.onmicrosoft.com" if is_domain else lab.tenant_id
    credential = by_certificate(lab.certificate, tenant, send_certificate_chain=with_chain)
    assert claims(credential.get_token(lab.scope).token)["appidacr"] == "2"


@pytest.mark.parametrize("with_chain", [False, True])
@pytest.mark.parametrize("times", [{"not_after": NOW - DAY}, {"not_before": NOW + DAY}])
def test_it_reads_that_a_certificate_is_past_or_before_its_time(
    lab: CloudLab,
    by_certificate: Credential,
    times: dict[str, datetime],
    with_chain: bool,  # noqa: FBT001 - of pytest
) -> None:
    path = lab.issue_certificate("old.pem", is_registered=True, **times)
    message = refusal(lab, by_certificate(path, send_certificate_chain=with_chain))
    assert "AADSTS700027" in message
    assert "The key used is expired" in message


def test_it_reads_that_a_certificate_is_not_registered(
    lab: CloudLab, by_certificate: Credential
) -> None:
    path = lab.issue_certificate("other.pem", is_registered=False)
    message = refusal(lab, by_certificate(path))
    assert "AADSTS700027" in message
    assert "The key was not found" in message
