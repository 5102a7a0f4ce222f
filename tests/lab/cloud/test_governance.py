"""The governance log: what each upload's entry shows and when, and the filters that do nothing."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.governance import PARSED, UNEXPECTED_FORMAT

GOVERNANCE = "/api/v1/governance/"

Uploads = Callable[..., str]
Line = Callable[..., bytes]


def asked(api: httpx.Client, **question: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post(GOVERNANCE, json=question).json()["data"]
    return found


def test_an_entry_is_pending_first_and_then_has_its_result(
    lab: CloudLab, api: httpx.Client, upload: Uploads
) -> None:
    lab.mcas.results_delay_secs = 3600
    upload(b"no LEEF\n")
    assert lab.parser.wait_idle()
    (pending,) = asked(api)
    lab.mcas.results_delay_secs = 0
    (settled,) = asked(api)
    assert "status" not in pending
    assert pending["timestamp"] == pending["updateTimestamp"]
    changed = {"status": settled["status"], "updateTimestamp": settled["updateTimestamp"]}
    assert settled == pending | changed
    assert settled["status"]["isSuccess"] is False
    (stream,) = api.get("/api/discovery/streams/").json()["streams"]
    assert (settled["taskName"], settled["inputStreamId"], settled["targetObject"]) == (
        "DiscoveryParseLogTask",
        stream["_id"],
        {"name": "a.log"},
    )


def test_pending_entries_and_names_of_files_may_be_left_out(
    lab: CloudLab, api: httpx.Client, upload: Uploads
) -> None:
    log = lab.mcas.governance
    log.shows_pending = log.names_files = False
    lab.mcas.results_delay_secs = 3600
    upload(b"no LEEF\n")
    assert lab.parser.wait_idle()
    assert asked(api) == []
    lab.mcas.results_delay_secs = 0
    (entry,) = asked(api)
    assert "targetObject" not in entry


FAILURES = [
    "No transactions to cataloged cloud apps",
    "Unsupported file type",
    "Transactions are more than 90 days old",
    UNEXPECTED_FORMAT,
]


def test_the_reason_is_a_template_with_its_parameters(
    lab: CloudLab, api: httpx.Client, upload: Uploads, line: Line
) -> None:
    for data in (b"no LEEF\n", line(days=91), b"\0", line(app="General Browsing"), line()):
        upload(data)
    assert lab.parser.wait_idle()
    messages = [entry["status"]["templateMessage"] for entry in asked(api)]
    assert [message["template"] for message in messages] == [PARSED, *FAILURES]
    assert messages[0]["parameters"] == {"transactionsCount": 1, "cloudServicesCount": 1}
    assert messages[-1]["parameters"] == {"dataSource": "ZSCALER_QRADAR_SYSLOG"}
    ascending = asked(api, sortDirection="asc", skip=1, limit=2)
    assert [entry["status"]["templateMessage"]["template"] for entry in ascending] == FAILURES[
        2:0:-1
    ]
    lab.mcas.governance.sorts = False
    (latest,) = asked(api, sortDirection="asc", limit=1)
    assert latest["status"]["isSuccess"]


def test_the_reason_may_be_a_text_of_the_older_shape(
    lab: CloudLab, api: httpx.Client, upload: Uploads, line: Line
) -> None:
    lab.mcas.governance.form = "message"
    upload(b"\0")
    upload(line())
    assert lab.parser.wait_idle()
    assert [entry["status"] for entry in asked(api)] == [
        {"isSuccess": True},
        {"isSuccess": False, "errorMessage": "Unsupported file type"},
    ]


def test_only_the_filter_by_time_works_and_others_give_nothing_without_an_error(
    lab: CloudLab, api: httpx.Client, upload: Uploads
) -> None:
    upload(b"a")
    upload(b"b")
    assert lab.parser.wait_idle()
    later, earlier = asked(api)
    since = {"timestamp": {"gte": later["timestamp"]}}
    assert asked(api, filters=since)[0] == later
    assert len(asked(api, filters={"timestamp": {"gte": earlier["timestamp"]}})) == 2
    assert asked(api, filters={"timestamp": {"gte": later["timestamp"] + 1}}) == []
    for filters in (
        {"type": {"eq": ["DiscoveryParseLogTask"]}},
        {"taskName": {"eq": ["DiscoveryParseLogTask"]}},
        {"status": {"eq": [False]}},
        {"timestamp": {"gte": 0}, "status": {"eq": [False]}},
        {"timestamp": {"gte": 0, "lte": 9e15}},
        {"timestamp": 0},
    ):
        answer = api.post(GOVERNANCE, json={"filters": filters})
        assert (answer.status_code, answer.json()) == (
            200,
            {"data": [], "total": 0, "hasNext": False},
        )
    assert len(asked(api, filters={})) == 2


def test_entries_of_others_stand_among_those_of_uploads(
    lab: CloudLab, api: httpx.Client, upload: Uploads
) -> None:
    upload(b"a")
    lab.mcas.governance.others.append({"_id": "0", "taskName": "Other", "timestamp": 1})
    assert [entry["taskName"] for entry in asked(api)] == ["DiscoveryParseLogTask", "Other"]


def test_an_entry_can_be_had_alone(lab: CloudLab, api: httpx.Client, upload: Uploads) -> None:
    upload(b"no LEEF\n")
    assert lab.parser.wait_idle()
    (found,) = asked(api)
    assert api.get(f"{GOVERNANCE}{found['_id']}/").json() == found
    assert api.get(f"{GOVERNANCE}{'0' * 24}/").status_code == 404


@pytest.mark.parametrize("filters", [1, "x", [], None])
def test_filters_that_are_none_let_everything_through(
    api: httpx.Client, upload: Uploads, filters: object
) -> None:
    upload(b"a")
    assert len(asked(api, filters=filters)) == 1
