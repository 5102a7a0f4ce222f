"""The API: three steps of an upload, data sources, governance log, authorization and limit."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from nss.lab.cloud import CloudLab, Upload
from nss.lab.cloud.tokens import Tokens

Answer = Callable[..., httpx.Response]

UPLOAD_URL = "/api/v1/discovery/upload_url/"
DONE_UPLOAD = "/api/v1/discovery/done_upload/"
STREAMS = "/api/discovery/streams/"
GOVERNANCE = "/api/v1/governance/"
NO_DATA_SOURCE = "CONSOLE_DISCOVERY_SETTINGS_PARSE_LOG_TASK_ERROR_NOT_FOUND_INPUT_STREAM"


@pytest.mark.parametrize("end", ["", "/"])
def test_paths_are_taken_with_and_without_a_final_slash(
    lab: CloudLab, api: httpx.Client, put: Answer, end: str
) -> None:
    query = {"filename": "a.log", "source": "ZSCALER_QRADAR_SYSLOG"}
    given = api.get(UPLOAD_URL.rstrip("/") + end, params=query).json()
    assert (set(given), given["provider"]) == ({"url", "provider"}, "azure")
    put(given["url"], b"x")
    done = api.post(
        DONE_UPLOAD.rstrip("/") + end, json={"uploadUrl": given["url"], "inputStreamName": "NSS"}
    ).json()
    assert done["success"] is True
    assert re.fullmatch("[0-9a-f]{24}", done["inputStreamId"])
    assert api.get(STREAMS.rstrip("/") + end).json()["streams"][0]["_id"] == done["inputStreamId"]
    assert api.post(GOVERNANCE.rstrip("/") + end, json={}).status_code == 200
    assert lab.complaints == []


def test_an_upload_is_noted_with_all_that_was_said_of_it(
    lab: CloudLab, upload: Callable[..., str]
) -> None:
    upload(b"text")
    upload(b"\x1f\x8bzipped", "Report", uploadAsSnapshot=True)
    paths = [upload.path for upload in lab.mcas.uploads]
    kind = "ZSCALER_QRADAR_SYSLOG"
    assert lab.mcas.uploads == [
        Upload("a.log", kind, "NSS", 4, paths[0], gzip=False, snapshot=False),
        Upload("a.log", kind, "Report", 8, paths[1], gzip=True, snapshot=True),
    ]


def test_the_last_step_may_be_a_form(
    lab: CloudLab, api: httpx.Client, begin: Callable[..., str], put: Answer
) -> None:
    url = begin()
    put(url, b"x")
    answer = api.post(DONE_UPLOAD, data={"uploadUrl": url, "inputStreamName": "NSS"})
    assert (answer.status_code, len(lab.mcas.uploads)) == (200, 1)


def test_an_unknown_data_source_is_refused_with_its_code(
    lab: CloudLab, begin: Callable[..., str], put: Answer, finish: Answer
) -> None:
    url = begin()
    put(url, b"x")
    answer = finish(url, "Nobody")
    assert (answer.status_code, answer.json()) == (
        400,
        {"success": False, "errorMessageCode": NO_DATA_SOURCE},
    )
    lab.mcas.data_sources.add("Nobody")
    assert finish(url, "Nobody").status_code == 200
    assert [upload.data_source for upload in lab.mcas.uploads] == ["Nobody"]


def test_an_unknown_data_source_may_be_dropped_silently(
    lab: CloudLab, upload: Callable[..., str]
) -> None:
    lab.mcas.silent_drop = True
    upload(b"x", "Nobody")
    assert lab.mcas.uploads == []


def test_a_second_finalize_counts_once_and_may_be_refused(
    lab: CloudLab, upload: Callable[..., str], finish: Answer
) -> None:
    url = upload(b"x")
    assert finish(url).json()["success"] is True
    lab.mcas.repeat = "refused"
    assert finish(url).status_code == 400
    assert (len(lab.mcas.uploads), lab.complaints) == (1, [])


def test_a_finalize_of_what_was_not_put_or_not_issued_is_complained_of(
    lab: CloudLab, begin: Callable[..., str], finish: Answer
) -> None:
    url = begin()
    statuses = [
        finish(url).status_code,
        finish(f"{url}&more=1").status_code,
        finish("https://elsewhere.example/x").status_code,
        finish(url, "").status_code,
    ]
    assert statuses == [400] * 4
    assert lab.complaints == [
        "done_upload of a URL where nothing was put",
        "done_upload of a URL that was never issued",
        "done_upload of a URL that was never issued",
        "done_upload has no uploadUrl or no inputStreamName",
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_refused(api: httpx.Client, body: bytes) -> None:
    assert api.post(DONE_UPLOAD, content=body).status_code == 400


@pytest.mark.parametrize("missing", ["filename", "source"])
def test_an_initiate_without_all_parameters_is_refused(
    lab: CloudLab, api: httpx.Client, missing: str
) -> None:
    query = {"filename": "a.log", "source": "ZSCALER"}
    del query[missing]
    answer = api.get(UPLOAD_URL, params=query)
    assert (answer.status_code, answer.json()) == (400, {missing: ["This field is required."]})
    assert lab.complaints == [f"upload_url has no {missing}"]


def test_an_unknown_source_type_is_complained_of_and_parsed_by_nobody(
    lab: CloudLab,
    begin: Callable[..., str],
    put: Answer,
    finish: Answer,
    line: Callable[..., bytes],
) -> None:
    lab.mcas.refuses_unknown_sources = False
    url = begin("NSS_9")
    put(url, line())
    finish(url)
    assert lab.complaints == ["unknown source type 'NSS_9'"]
    assert lab.parser.wait_idle()
    assert [result.failure for result in lab.parser.results] == ["Unsupported log type"]


def test_data_sources_show_what_came_in(
    lab: CloudLab, api: httpx.Client, upload: Callable[..., str], line: Callable[..., bytes]
) -> None:
    def seen() -> list[object]:
        (stream,) = api.get(STREAMS).json()["streams"]
        names = ("displayName", "logFilesHistoryCount", "logFilesFailsCount", "lastDataReceived")
        return [stream[name] for name in names]

    assert seen() == ["NSS", 0, 0, None]
    upload(line())
    upload(b"no LEEF\n")
    assert lab.parser.wait_idle()
    *counts, received = seen()
    assert counts == ["NSS", 2, 1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(received))


def test_data_sources_come_as_one_object_where_that_is_wanted(
    lab: CloudLab, api: httpx.Client
) -> None:
    lab.mcas.data_sources = {"NSS", "Other"}
    names = [stream["displayName"] for stream in api.get(STREAMS).json()["streams"]]
    lab.mcas.streams_form = "object"
    assert (names, api.get(STREAMS).json()["displayName"]) == (["NSS", "Other"], "NSS")
    lab.mcas.data_sources.clear()
    assert api.get(STREAMS).json() == {}


def test_results_show_after_their_delay(
    lab: CloudLab, api: httpx.Client, upload: Callable[..., str]
) -> None:
    lab.mcas.results_delay_secs = 3600
    upload(b"no LEEF\n")
    assert lab.parser.wait_idle()
    assert api.get(STREAMS).json()["streams"][0]["logFilesHistoryCount"] == 0
    lab.mcas.results_delay_secs = 0
    assert api.get(STREAMS).json()["streams"][0]["logFilesHistoryCount"] == 1


def test_a_page_of_the_governance_log_is_of_numbers(api: httpx.Client) -> None:
    assert api.post(GOVERNANCE, json={"skip": "x"}).status_code == 400


def test_the_governance_log_may_not_be_permitted(lab: CloudLab, api: httpx.Client) -> None:
    lab.mcas.permits_governance = False
    assert api.post(GOVERNANCE, json={}).status_code == 403
    assert api.get(STREAMS).status_code == 200


def bearer(lab: CloudLab, *roles: str, secs: float = 3599) -> dict[str, str]:
    token = lab.entra.tokens.issue(lab.client_id, roles, secs)
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("roles", "statuses"),
    [
        (["Discovery.manage"], [200, 200]),
        (["discovery.MANAGE"], [200, 200]),
        (["Discovery.read"], [403, 200]),
        (["Another"], [403, 403]),
        ([], [403, 403]),
    ],
)
def test_what_a_token_permits_is_in_its_roles(
    lab: CloudLab, api: httpx.Client, roles: list[str], statuses: list[int]
) -> None:
    headers = bearer(lab, *roles)
    query = {"filename": "a.log", "source": "ZSCALER"}
    answers = [
        api.get(UPLOAD_URL, params=query, headers=headers),
        api.get(STREAMS, headers=headers),
    ]
    assert [answer.status_code for answer in answers] == statuses
    for answer in answers:
        if answer.status_code == 403:
            assert answer.json() == {"detail": "Insufficient role based permissions"}


def test_what_is_no_good_token_is_not_authorised(lab: CloudLab, api: httpx.Client) -> None:
    other = Tokens(lab.tenant_id, lab.entra.now).issue(lab.client_id, ["Discovery.manage"], 60)
    revoked = bearer(lab, "Discovery.manage")
    lab.entra.tokens.revoke()
    headers: list[dict[str, str]] = [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer a.b.c"},
        {"authorization": f"Bearer {lab.legacy_token}"},
        {"authorization": "Token wrong"},
        {"authorization": f"Bearer {other}"},
        bearer(lab, "Discovery.manage", secs=-1),
        revoked,
    ]
    statuses = [api.get(STREAMS, headers=header).status_code for header in headers]
    assert statuses == [401] * len(headers)
    assert api.get(STREAMS, headers=bearer(lab, "Discovery.manage")).status_code == 200


def test_a_legacy_token_may_be_taken_no_more(lab: CloudLab, api: httpx.Client) -> None:
    assert api.get(STREAMS).status_code == 200
    lab.mcas.accepts_legacy_token = False
    assert api.get(STREAMS).status_code == 401


def test_a_legacy_token_has_the_form_of_those_of_mcas(lab: CloudLab) -> None:
    assert re.fullmatch("[0-9a-zA-Z=]{64,192}", lab.legacy_token)


def test_more_requests_a_minute_than_the_limit_are_refused_and_complained_of(
    lab: CloudLab, api: httpx.Client
) -> None:
    lab.mcas.requests_per_minute = 3
    statuses = [api.get(STREAMS).status_code for _ in range(3)]
    answer = api.get(STREAMS)
    assert ([*statuses, answer.status_code]) == [200, 200, 200, 429]
    secs = answer.headers["retry-after"]
    assert answer.json() == {
        "detail": f"Request was throttled. Expected available in {secs} seconds."
    }
    assert 0 < int(secs) <= 61
    lab.mcas.tells_retry_after = False
    assert "retry-after" not in api.get(STREAMS).headers
    assert lab.complaints == ["more than 3 API requests in a minute"] * 2


def test_other_paths_and_methods_are_refused_as_json(api: httpx.Client) -> None:
    answers = [api.get("/api/v1/other/"), api.get(DONE_UPLOAD)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (404, {"detail": "Not Found"}),
        (405, {"detail": "Method Not Allowed"}),
    ]


def test_requests_are_noted_without_what_authorises_them(
    lab: CloudLab, upload: Callable[..., str], api: httpx.Client
) -> None:
    url = upload(b"x")
    api.get("/nowhere", params={"token": lab.legacy_token})
    noted = [
        (request.server, request.method, request.path, request.status) for request in lab.requests
    ]
    assert noted == [
        ("mcas", "GET", UPLOAD_URL.rstrip("/"), 200),
        ("blob", "PUT", httpx.URL(url).path, 201),
        ("mcas", "POST", DONE_UPLOAD.rstrip("/"), 200),
        ("mcas", "GET", "/nowhere", 404),
    ]


def test_uploads_are_deleted_when_they_are_not_to_be_kept(tmp_path: Path) -> None:
    with CloudLab(tmp_path, keep_uploads=False) as lab:
        path = tmp_path / "uploads" / "x"
        path.write_bytes(b"no LEEF\n")
        lab.parser.submit(Upload("x", "GENERIC_LEEF", "NSS", 8, path, gzip=False, snapshot=False))
        assert lab.parser.wait_idle()
    assert not path.exists()
