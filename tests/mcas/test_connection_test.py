"""The test of credentials: which checks are made, what each says, and where it stops."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas.connection_test import Check, ConnectionReport, check, check_token
from nss.mcas.credentials import McasCredentials
from nss.secret import Secret

SIGNED_IN = Check("sign in", ok=True, sentence="Entra gave a token")
HAS_ROLE = Check("role", ok=True, sentence="the token has Discovery.manage")
ANSWERS = Check("API", ok=True, sentence="MCAS answers")
IS_THERE = Check("data source", ok=True, sentence='the data source "NSS" is there')


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[CloudLab]:
    with CloudLab(tmp_path, requests_per_minute=10_000) as lab:
        yield lab


def credentials(lab: CloudLab) -> McasCredentials:
    return McasCredentials(
        method="secret",
        client_id=lab.client_id,
        client_secret=Secret(lab.client_secret),
        authentication_url=lab.authentication_url,
        api_url=lab.api_url,
    )


async def checked(
    lab: CloudLab, data_source: str = "NSS", *, failures: bool = False, **changes: object
) -> ConnectionReport:
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    found = replace(credentials(lab), **changes)  # type: ignore[arg-type]
    return await check(found, network, data_source, Limiter(1000), failures=failures)


async def test_what_works_passes_every_check(lab: CloudLab) -> None:
    report = await checked(lab)
    assert report.steps == [SIGNED_IN, HAS_ROLE, ANSWERS, IS_THERE]
    assert report.failed is None
    assert (report.token_type, report.roles, report.failures) == (
        *("Bearer", ("Discovery.manage",)),
        None,
    )
    assert report.stream is not None
    assert report.stream.name == "NSS"
    assert report.expires_at is not None


async def test_files_that_could_not_be_parsed_are_not_asked_for_otherwise(lab: CloudLab) -> None:
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    report = await check(credentials(lab), network, "NSS", Limiter(1000))
    assert (report.failed, report.failures) == (None, None)


async def test_a_sign_in_that_is_refused_is_the_last_check(lab: CloudLab) -> None:
    lab.entra.refuse("AADSTS7000222")
    report = await checked(lab)
    failed = Check(
        "sign in",
        ok=False,
        sentence="the Client Secret has expired (AADSTS7000222)",
        field="client_secret",
        code="AADSTS7000222",
        tip="make a new secret under Certificates & secrets, and configure that",
    )
    assert (report.steps, report.failed, report.token_type) == ([failed], failed, None)


async def test_a_token_without_the_role_is_the_last_check(lab: CloudLab) -> None:
    lab.entra.roles = []
    report = await checked(lab)
    assert [(step.name, step.ok, step.field) for step in report.steps] == [
        ("sign in", True, None),
        ("role", False, "role"),
    ]
    assert (report.token_type, report.stream) == ("Bearer", None)


async def test_an_api_that_refuses_is_the_last_check(lab: CloudLab) -> None:
    lab.faults.add(Fault("mcas", "streams", "status", 403, body=b"{}"))
    report = await checked(lab, failures=True)
    assert report.steps == [
        SIGNED_IN,
        HAS_ROLE,
        Check(
            "API",
            ok=False,
            sentence=f"MCAS does not permit it: HTTP 403 ({lab.api_url})",
            field="role",
            tip=(
                "give the application the permission Discovery.manage of Microsoft Cloud App "
                "Security, with admin consent"
            ),
        ),
    ]
    assert report.failures is None


@pytest.mark.parametrize(("wanted", "near"), [("NS", '; there is "NSS"'), ("Something else", "")])
async def test_a_data_source_that_is_missing_is_said_to_be(
    lab: CloudLab, wanted: str, near: str
) -> None:
    report = await checked(lab, wanted, failures=True)
    assert report.failed == Check(
        "data source",
        ok=False,
        sentence=f'MCAS has no data source "{wanted}"{near}',
        field="data_source",
        tip=(
            f'in the Defender portal, Cloud Discovery, Automatic log upload: add "{wanted}", '
            'source "Zscaler QRadar LEEF", receiver type "Syslog - UDP"'
        ),
    )
    assert (report.stream, report.failures) == (None, None)


async def test_files_that_could_not_be_parsed_are_asked_for_if_wanted(lab: CloudLab) -> None:
    body = b'{"data":[{"timestamp":1000,"status":{"message":"no header"}}]}'
    lab.faults.add(Fault("mcas", "governance", "status", 200, body=body))
    report = await checked(lab, failures=True)
    assert report.failed is None
    assert report.failures is not None
    assert [(found.at, found.text) for found in report.failures] == [(1.0, "no header")]


async def test_a_governance_log_that_may_not_be_read_is_no_failure(lab: CloudLab) -> None:
    lab.mcas.permits_governance = False
    report = await checked(lab, failures=True)
    assert (report.failed, report.failures) == (None, None)


async def test_a_governance_log_that_does_not_answer_is_one(lab: CloudLab) -> None:
    lab.faults.add(Fault("mcas", "governance", "status", 500))
    report = await checked(lab, failures=True)
    sentence = f"MCAS has trouble of its own: HTTP 500 ({lab.api_url})"
    assert report.failed == Check("governance log", ok=False, sentence=sentence)


async def test_authorities_that_cannot_be_used_are_named(lab: CloudLab, tmp_path: Path) -> None:
    path = tmp_path / "none.pem"
    path.write_text("nothing")
    report = await check_token(lab.api_url, Secret("t"), Network(path), "NSS", Limiter(10))
    assert report.steps == [
        Check(
            "API",
            ok=False,
            sentence="the authorities in ca_file can't be used",
            field="ca_file",
            tip="see ca_file in [mcas]: nss check says what is wrong with it",
        )
    ]


async def test_a_legacy_token_needs_no_sign_in(lab: CloudLab) -> None:
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    token = Secret(lab.legacy_token)
    report = await check_token(lab.api_url, token, network, "NSS", Limiter(1000))
    assert report.steps == [ANSWERS, IS_THERE]
    assert (report.token_type, report.expires_at, report.failures) == ("Token", None, [])
