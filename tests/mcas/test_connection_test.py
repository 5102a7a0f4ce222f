"""The test of credentials: which checks are made, what each says, and where it stops."""

import asyncio
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from nss.checks import Check
from nss.https.limiter import Limiter
from nss.https.network import Network
from nss.lab.cloud import CloudLab, Fault
from nss.mcas import connection_test
from nss.mcas.api import McasApi
from nss.mcas.connection_test import ConnectionReport, check, check_token
from nss.mcas.credentials import McasCredentials
from nss.mcas.entra import SignIn
from nss.mcas.parse_results import ParseResults
from nss.mcas.uploaded import UploadedFile
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
    lab: CloudLab,
    data_source: str = "NSS",
    *,
    results: ParseResults | None = None,
    **changes: object,
) -> ConnectionReport:
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    found = replace(credentials(lab), **changes)  # type: ignore[arg-type]
    return await check(found, network, data_source, Limiter(1000), results=results)


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
        tip="make a new secret in Entra, Certificates & secrets of the application, and store it: "
        "sudo nss configure-mcas2",
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
    report = await checked(lab, results=ParseResults(3))
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
                "Security, with admin consent; if it has that, see that the tenant has a licence "
                "for Defender for Cloud Apps: sudo nss verify-mcas2"
            ),
        ),
    ]
    assert report.failures is None


@pytest.mark.parametrize(("wanted", "near"), [("NS", '; there is "NSS"'), ("Something else", "")])
async def test_a_data_source_that_is_not_listed_is_a_warning(
    lab: CloudLab, wanted: str, near: str
) -> None:
    report = await checked(lab, wanted, results=ParseResults(3))
    assert report.failed is None
    assert report.steps[-1] == Check(
        "data source",
        ok=True,
        warns=True,
        sentence=f'MCAS has no data source "{wanted}"{near}',
        field="data_source",
        tip=(
            f'in the Defender portal, Cloud Discovery, Automatic log upload: add "{wanted}", '
            'source "Zscaler QRadar LEEF", receiver type "Syslog - UDP"'
        ),
    )
    assert (report.stream, report.failures) == (None, [])


class Elsewhere(Network):
    """A network that reaches the lab wherever a request is to go."""

    proxy_place: str | None = None

    def client(self) -> httpx.AsyncClient:
        async def answer(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json={"streams": [{"displayName": "NSS"}]})

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("host", "warns"),
    [
        ("portal.cloudappsecurity.com", True),
        ("contoso.portal.cloudappsecurity.com", True),
        ("portal.cloudappsecurity.us", True),
        ("contoso.us3.portal.cloudappsecurity.com", False),
        ("contoso.us1.portal.cloudappsecurity.us", False),
        ("localhost:8443", False),
    ],
)
async def test_an_api_host_without_a_region_is_a_warning(host: str, *, warns: bool) -> None:
    network = Elsewhere(timeout_secs=1)
    report = await check_token(f"https://{host}", Secret("t"), network, "NSS", Limiter(10))
    assert report.failed is None
    warnings = [step for step in report.steps if step.warns]
    assert [(step.name, step.ok, step.field) for step in warnings] == (
        [("API URL", True, "api_url")] if warns else []
    )
    assert all(f"names no region ({host})" in step.sentence for step in warnings)
    assert all("TENANT.REGION" in (step.tip or "") for step in warnings)


def uploaded(*files: UploadedFile) -> ParseResults:
    results = ParseResults(3)
    results.files = files
    return results


async def send(lab: CloudLab, data: bytes, name: str) -> UploadedFile:
    """Upload a file as NSS does, and wait until the lab has parsed it."""
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    api = McasApi(lab.api_url, SignIn(credentials(lab), network), network, Limiter(1000))
    begun_at = time.time()
    url = await api.initiate(name, "ZSCALER_QRADAR_SYSLOG")
    await api.put(url, io.BytesIO(data), len(data))
    await api.finalize(url, "NSS")
    await api.close()
    assert await asyncio.to_thread(lab.parser.wait_idle)
    return UploadedFile(name, begun_at, time.time())


GOOD = (
    b"LEEF:1.0|Z|N|1|x|cat=Allowed\tdevTime=%b GMT\tsrc=10.0.0.1\tdst=192.0.2.1\tusrName=ana"
    b"\tsrcBytes=1\tdstBytes=2\tappname=Box\n"
)


def good() -> bytes:
    return GOOD % time.strftime("%b %d %Y %H:%M:%S", time.gmtime()).encode()


FIRST, SECOND = "up-20261126T120000-1.log", "up-20261126T120500-2.log"


@pytest.mark.parametrize("names", [True, False])
async def test_a_file_that_could_not_be_used_fails_the_check_until_a_later_one_is_parsed(
    lab: CloudLab, names: object
) -> None:
    lab.mcas.governance.names_files = bool(names)
    bad = await send(lab, b"no LEEF\n", FIRST)
    report = await checked(lab, results=uploaded(bad))
    code = "REPOOPER_COMPLETION_STATUS_BASELOGPARSER_UNEXPECTED_FORMAT"
    text = f"{code} (dataSource: ZSCALER_QRADAR_SYSLOG)"
    file = f"the file {FIRST}" if names else "an uploaded file"
    assert report.failed is not None
    assert (report.failed.name, report.failed.sentence) == (
        "parse results",
        f"Cloud Discovery could not use {file}: {text}",
    )
    assert 'format = "MCAS"' in str(report.failed.tip)
    assert report.failures is not None
    assert [failure.text for failure in report.failures] == [text]
    later = await send(lab, good(), SECOND)
    report = await checked(lab, results=uploaded(bad, later))
    assert report.failed is None
    assert report.steps[-1].sentence == "of the uploaded files 1 parsed, 0 pending, 1 failed before"


async def test_what_is_pending_is_called_that(lab: CloudLab) -> None:
    lab.mcas.results_delay_secs = 3600
    file = await send(lab, good(), FIRST)
    report = await checked(lab, results=uploaded(file))
    assert (report.failed, report.unreadable) == (None, None)
    assert report.steps[-1].sentence == "of the uploaded files 0 parsed, 1 pending, 0 failed before"


async def test_files_of_others_are_not_ours(lab: CloudLab) -> None:
    await send(lab, b"no LEEF\n", FIRST)
    own = await send(lab, good(), SECOND)
    report = await checked(lab, results=uploaded(own))
    assert report.failed is None
    report = await checked(lab, results=uploaded())
    assert (report.failed, report.failures, report.steps[-1].name) == (None, [], "data source")


async def test_a_governance_log_that_may_not_be_read_says_nothing_of_files(lab: CloudLab) -> None:
    file = await send(lab, b"no LEEF\n", FIRST)
    lab.mcas.permits_governance = False
    report = await checked(lab, results=uploaded(file))
    assert (report.failed, report.failures, report.parsing) == (None, None, None)
    assert report.unreadable == f"MCAS does not permit it: HTTP 403 ({lab.api_url})"
    assert report.steps[-1].name == "data source"


async def test_a_governance_log_of_an_unknown_shape_says_nothing_of_files(lab: CloudLab) -> None:
    file = await send(lab, b"no LEEF\n", FIRST)
    lab.faults.add(Fault("mcas", "governance", "status", 200, body=b'{"records":[]}'))
    report = await checked(lab, results=uploaded(file))
    assert (report.failed, report.failures) == (None, None)
    assert report.unreadable == f"the governance log has an unknown shape ({lab.api_url})"


async def test_entries_of_an_unknown_shape_are_said_beside_what_is_known(lab: CloudLab) -> None:
    file = await send(lab, b"no LEEF\n", FIRST)
    odd = {"taskName": "DiscoveryParseLogTask", "timestamp": int(time.time() * 1000)}
    lab.mcas.governance.others.append(odd)
    report = await checked(lab, results=uploaded(file))
    assert report.unreadable == "entries of an unknown shape in the governance log: 1"
    assert report.failed is not None
    later = await send(lab, good(), SECOND)
    report = await checked(lab, results=uploaded(file, later))
    assert (report.failed, report.steps[-1].name) == (None, "data source")


async def test_a_long_governance_log_is_read_so_far(
    lab: CloudLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_test, "MAX_PAGES", 1)
    file = await send(lab, good(), FIRST)
    at = int((time.time() - 60) * 1000)
    lab.mcas.governance.others += [
        {"_id": str(number), "taskName": "Other", "timestamp": at + number} for number in range(100)
    ]
    report = await checked(lab, results=uploaded(file))
    assert report.unreadable == "only the first 1 pages of the governance log were read"


async def test_a_governance_log_that_does_not_answer_is_one(lab: CloudLab) -> None:
    lab.faults.add(Fault("mcas", "governance", "status", 500))
    report = await checked(lab, results=ParseResults(3))
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
    report = await check_token(
        lab.api_url, token, network, "NSS", Limiter(1000), results=ParseResults(3)
    )
    assert report.steps == [ANSWERS, IS_THERE]
    assert (report.token_type, report.expires_at, report.failures) == ("Token", None, [])


@pytest.mark.parametrize(
    ("days", "sentence", "tip"),
    [
        (None, None, None),
        (100, None, None),
        (
            20,
            "the Client Secret expires in 20 days, on DAY",
            "make a new one in Entra, and give it to: sudo nss configure-mcas2",
        ),
        (
            -3,
            "the Client Secret has expired: its last day was DAY; and yet Entra accepts it",
            "give the right date to nss configure-mcas2, and see that the clock is right",
        ),
    ],
)
async def test_a_secret_that_ends_soon_is_a_warning(
    lab: CloudLab, days: int | None, sentence: str | None, tip: str | None
) -> None:
    network = Network(ca_file=lab.ca_file, timeout_secs=5)
    day = None if days is None else datetime.now(UTC).date() + timedelta(days=days)
    found = replace(credentials(lab), client_secret_expires=day)
    report = await check(found, network, "NSS", Limiter(1000))
    warnings = [step for step in report.steps if step.warns]
    assert report.failed is None
    assert len(report.expiries) == (days is not None)
    expected = Check(
        "expiry",
        ok=True,
        sentence=(sentence or "").replace("DAY", str(day)),
        field="client_secret",
        tip=tip,
        warns=True,
    )
    assert warnings == ([expected] if sentence else [])
