"""The API: what it refuses beyond what is documented, and what may be either way."""

from collections.abc import Callable

import httpx
import pytest

from nss.lab.cloud import CloudLab

Answer = Callable[..., httpx.Response]

UPLOAD_URL = "/api/v1/discovery/upload_url/"
DONE_UPLOAD = "/api/v1/discovery/done_upload/"
STREAMS = "/api/discovery/streams/"
NO_DATA_SOURCE = "CONSOLE_DISCOVERY_SETTINGS_PARSE_LOG_TASK_ERROR_NOT_FOUND_INPUT_STREAM"


@pytest.mark.parametrize("status", [200, 400, 404])
def test_what_is_not_successful_may_have_any_status(
    lab: CloudLab, upload: Callable[..., str], finish: Answer, status: int
) -> None:
    lab.mcas.unsuccessful_status, lab.mcas.repeat = status, "unsuccessful"
    answers = [finish(url := upload(b"x")), finish(url, "Nobody")]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (status, {"success": False}),
        (status, {"success": False, "errorMessageCode": NO_DATA_SOURCE}),
    ]
    assert len(lab.mcas.uploads) == 1


@pytest.mark.parametrize("source", ["NSS_9", "zscaler", "ZSCALER_QRADAR_SYSLOG "])
def test_an_unknown_source_type_is_refused(lab: CloudLab, api: httpx.Client, source: str) -> None:
    answer = api.get(UPLOAD_URL, params={"filename": "a.log", "source": source})
    expected = {"source": [f'"{source}" is not a valid choice.']}
    assert (answer.status_code, answer.json()) == (400, expected)
    assert lab.complaints == [f"unknown source type {source!r}"]


@pytest.mark.parametrize("source", ["ZSCALER_QRADAR", "ZSCALER_CEF_SYSLOG", "CUSTOM_PARSER"])
def test_all_documented_source_types_are_taken(api: httpx.Client, source: str) -> None:
    answer = api.get(UPLOAD_URL, params={"filename": "a.log", "source": source})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("scheme", "detail"),
    [("Bearer", "Invalid JSON Web Key Set"), ("Token", "Invalid token.")],
)
def test_another_region_does_not_know_the_tenant(
    lab: CloudLab, client: httpx.Client, scheme: str, detail: str
) -> None:
    token = lab.legacy_token
    if scheme == "Bearer":
        token = lab.entra.tokens.issue(lab.client_id, ["Discovery.manage"], 60)
    headers = {"authorization": f"{scheme} {token}"}
    assert client.get(f"{lab.api_url}{STREAMS}", headers=headers).status_code == 200
    for method, path in (("GET", STREAMS), ("GET", UPLOAD_URL), ("POST", DONE_UPLOAD)):
        answer = client.request(method, f"{lab.wrong_region_url}{path}", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": detail})
