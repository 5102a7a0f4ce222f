"""Entra: signing in with a certificate, and which assertions it refuses."""

import base64
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from nss.lab.cloud import CloudLab
from tests.lab.cloud.signing_in import (
    assertion,
    assertion_fields,
    certificate_credential,
    claims,
    msal_client,
    refusal,
)


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_msal_signs_in_with_a_registered_certificate(lab: CloudLab, algorithm: str) -> None:
    credential = certificate_credential(lab.certificate, algorithm)
    answer = msal_client(lab, credential).acquire_token_for_client([lab.scope])
    assert claims(answer["access_token"])["appidacr"] == "2"


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_a_certificate_that_is_not_registered_is_refused(lab: CloudLab, algorithm: str) -> None:
    assert lab.certificate.exists()  # registered, but not the one used
    other = lab.issue_certificate("other.pem", is_registered=False)
    client = msal_client(lab, certificate_credential(other, algorithm))
    answer = client.acquire_token_for_client([lab.scope])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


AGES = {
    "expired": {"not_after": datetime.now(UTC) - timedelta(hours=1)},
    "not yet valid": {"not_before": datetime.now(UTC) + timedelta(hours=1)},
}


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
@pytest.mark.parametrize("age", AGES)
def test_a_registered_certificate_is_refused_before_and_after_its_time(
    lab: CloudLab, algorithm: str, age: str
) -> None:
    path = lab.issue_certificate("old.pem", is_registered=True, **AGES[age])
    credential = certificate_credential(path, algorithm)
    answer = msal_client(lab, credential).acquire_token_for_client([lab.scope])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])
    assert re.search(
        r"is expired on application. \[Reason - The key used is expired., Thumbprint of key used "
        r"by client: '[0-9A-F]{40}', Found key 'Start=\S+ \S+, End=\S+ \S+'\] Trace ID",
        answer["error_description"],
    )
    lab.entra.expired_certificate_code = 1000502
    answer = msal_client(lab, credential).acquire_token_for_client([lab.scope])
    assert answer["error_codes"] == [1000502]
    assert "not within its specified validity window" in answer["error_description"]


def test_the_time_of_a_certificate_is_that_of_the_servers(lab: CloudLab) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    path = lab.issue_certificate("short.pem", is_registered=True, not_after=until)

    def codes() -> object:
        client = msal_client(lab, certificate_credential(path, "PS256"))
        return client.acquire_token_for_client([lab.scope]).get("error_codes")

    assert codes() is None
    lab.entra.skew_secs = 7200
    assert codes() == [700027]


def test_the_certificate_that_comes_along_must_be_the_one_that_is_named(
    lab: CloudLab, client: httpx.Client
) -> None:
    other = lab.issue_certificate("other.pem", is_registered=False)
    chains: list[object] = [[der(lab.certificate)], [der(other)], ["no base64"], [], [5], "x", 5]
    answers = []
    for chain in chains:
        signed = assertion(lab, lab.certificate, lab.certificate, header={"x5c": chain})
        answers.append(client.post(lab.authentication_url, data=assertion_fields(lab, signed)))
    assert answers[0].status_code == 200
    assert [refusal(answer) for answer in answers[1:]] == [(401, 700027)] * 6


def der(path: Path) -> str:
    certificate = load_pem_x509_certificate(path.read_bytes())
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def test_an_assertion_must_be_signed_with_the_key_of_the_certificate_it_names(
    lab: CloudLab, client: httpx.Client
) -> None:
    other = lab.issue_certificate("other.pem", is_registered=False)
    form = assertion_fields(lab, assertion(lab, other, lab.certificate))
    assert refusal(client.post(lab.authentication_url, data=form)) == (401, 700027)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"iss": "someone"}, 700021),
        ({"sub": "someone"}, 700021),
        ({"aud": "https://login.microsoftonline.com/other/oauth2/v2.0/token"}, 700023),
        ({"nbf": 0, "exp": 1000}, 700024),
        ({"nbf": 1 << 40, "exp": 1 << 41}, 700024),
        ({"exp": "soon"}, 50027),
    ],
)
def test_an_assertion_must_claim_the_right_things(
    lab: CloudLab, client: httpx.Client, changes: dict[str, object], code: int | None
) -> None:
    signed = assertion(lab, lab.certificate, lab.certificate, changes)
    answer = client.post(lab.authentication_url, data=assertion_fields(lab, signed))
    assert answer.json().get("error_codes", [None]) == [code]


def test_an_assertion_that_is_none_is_refused(lab: CloudLab, client: httpx.Client) -> None:
    answer = client.post(lab.authentication_url, data=assertion_fields(lab, "nothing"))
    assert refusal(answer) == (400, 50027)


def test_an_assertion_may_be_for_a_domain_of_the_tenant(
    lab: CloudLab, client: httpx.Client
) -> None:
    url = f"{lab.entra_url}/nsslab.onmicrosoft.com/oauth2/v2.0/token"
    signed = assertion(lab, lab.certificate, lab.certificate, {"aud": url})
    assert client.post(url, data=assertion_fields(lab, signed)).status_code == 200


def test_a_clock_that_is_ahead_shows_in_the_date_and_refuses_assertions(
    lab: CloudLab, client: httpx.Client
) -> None:
    signed = assertion(lab, lab.certificate, lab.certificate)
    lab.entra.skew_secs = 1000
    answer = client.post(lab.authentication_url, data=assertion_fields(lab, signed))
    assert refusal(answer) == (401, 700024)
    ahead = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
    assert ahead == pytest.approx(1000, abs=2)
