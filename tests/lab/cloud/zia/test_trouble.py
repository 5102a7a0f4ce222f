"""Limits, locks, maintenance, slow writes, activation, and faults on the way."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx
import pytest

from nss.lab.cloud import CloudLab, Fault
from nss.lab.cloud.zia import REAL_RATES, LockForm, Rate, ThrottleForm

Api = Callable[..., httpx.Response]
Create = Callable[..., str]

BODY = {"configuredName": "X", "urls": ["b.example"]}


def add(api: Api, category: str) -> httpx.Response:
    return api("PUT", f"/urlCategories/{category}?action=ADD_TO_LIST", BODY)


def test_requests_beyond_a_second_and_an_hour_are_refused_for_each_endpoint(
    lab: CloudLab, api: Api
) -> None:
    lab.zia.limits.rates = {"GET": Rate(2, 3)}
    lab.zia.limits.window_secs["SECOND"] = 60
    codes = [api("GET", "/status").status_code for _ in range(3)]
    assert (codes, api("GET", "/urlCategories/urlQuota").status_code) == ([200, 200, 429], 200)
    lab.zia.limits.window_secs["SECOND"] = 0
    assert [api("GET", "/status").status_code for _ in range(2)] == [200, 429]
    assert lab.complaints == [
        "more than 2 GET /status per second",
        "more than 3 GET /status per hour",
    ]


def test_a_window_ends(lab: CloudLab, api: Api) -> None:
    lab.zia.limits.rates = {"GET": Rate(1, 100)}
    assert [api("GET", "/status").status_code for _ in range(2)] == [200, 429]
    lab.zia.limits.window_secs["SECOND"] = 0
    assert api("GET", "/status").status_code == 200


@pytest.mark.parametrize(
    ("form", "header", "body"),
    [
        ("both", "60", "60 seconds"),
        ("header", "60", None),
        ("body", None, "60 seconds"),
        ("zero", None, "0 seconds"),
        ("short", "60s", None),
        ("words", "60 seconds", None),
    ],
)
def test_how_long_to_wait_is_said_in_many_ways(
    lab: CloudLab, api: Api, form: ThrottleForm, header: str | None, body: str | None
) -> None:
    lab.zia.limits.form = form
    lab.zia.limits.rates = {"GET": Rate(1, 10)}
    lab.zia.limits.window_secs["SECOND"] = 60
    api("GET", "/status")
    answer = api("GET", "/status")
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, header)
    if form == "header":
        assert answer.content == b""
    else:
        found = answer.json()
        assert (found["message"], found.get("Retry-After")) == (
            "Rate Limit (1/SECOND) exceeded",
            body,
        )


def test_it_may_be_said_as_a_date(lab: CloudLab, api: Api) -> None:
    lab.zia.limits.form = "date"
    lab.zia.limits.rates = {"GET": Rate(1, 10)}
    lab.zia.limits.window_secs["SECOND"] = 60
    api("GET", "/status")
    answer = api("GET", "/status")
    now, until = (parsedate_to_datetime(answer.headers[name]) for name in ("date", "retry-after"))
    assert 58 <= (until - now).total_seconds() <= 61


def test_the_real_pace_is_the_documented_one(lab: CloudLab) -> None:
    lab.zia.keep_real_pace()
    assert lab.zia.limits.rates == REAL_RATES
    assert (REAL_RATES["GET"], REAL_RATES["PUT"]) == (Rate(2, 1000), Rate(1, 400))
    assert (lab.zia.write_secs, lab.zia.activation.secs) == (3.0, 5.0)


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ("code", 409, "EDIT_LOCK_NOT_AVAILABLE"),
        ("blocked", 409, "Resource Access Blocked"),
        ("blocked_401", 401, "Resource Access Blocked"),
        ("barrier", 412, "Failed during enter Org barrier"),
        ("barrier_500", 500, "Failed during enter Org barrier"),
        ("precondition", 412, "possibly because an expected precondition was not met"),
    ],
)
def test_an_edit_lock_clears_after_some_tries(
    lab: CloudLab, api: Api, create: Create, form: LockForm, status: int, said: str
) -> None:
    category = create("X", "a.example")
    lab.zia.lock(2, form)
    assert api("GET", f"/urlCategories/{category}").status_code == 200
    answers = [add(api, category) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert said in answers[0].text
    lab.zia.lock(1, form, reads_too=True)
    codes = [api("GET", f"/urlCategories/{category}").status_code for _ in range(2)]
    assert codes == [status, 200]


def test_only_one_write_is_under_way(lab: CloudLab, api: Api, create: Create) -> None:
    category = create("X", "a.example")
    seen: list[bool] = []
    lab.zia.write_secs = 0.01
    lab.zia.before_next_write(lambda _categories: seen.append(lab.zia.is_writing))
    assert (add(api, category).status_code, seen) == (200, [True])
    lab.zia.is_writing = True
    answer = add(api, category)
    assert (answer.status_code, answer.json()["code"]) == (409, "EDIT_LOCK_NOT_AVAILABLE")
    assert api("GET", f"/urlCategories/{category}").status_code == 200


def test_during_maintenance_everything_can_be_read_and_nothing_written(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example")
    lab.zia.is_read_only = True
    read = api("GET", f"/urlCategories/{category}")
    assert (read.status_code, read.headers["x-zscaler-mode"]) == (200, "read-only")
    answer = add(api, category)
    assert (answer.status_code, answer.headers["x-zscaler-mode"]) == (403, "read-only")
    assert answer.json() == {
        "code": "STATE_READONLY",
        "message": "The API service is undergoing a scheduled upgrade and is in read-only mode.",
    }
    assert api("POST", "/status/activate").status_code == 403


def test_nothing_is_in_force_before_it_is_activated(
    lab: CloudLab, api: Api, create: Create
) -> None:
    assert api("GET", "/status").json() == {"status": "ACTIVE"}
    create("X", "a.example")
    lab.zia.categories.put("Another administrator's", ["b.example"])
    assert (api("GET", "/status").json(), lab.zia.in_force("X")) == (
        {"status": "PENDING"},
        frozenset(),
    )
    assert api("POST", "/status/activate").json() == {"status": "ACTIVE"}
    assert lab.zia.in_force("X") == {"a.example"}
    assert lab.zia.in_force("Another administrator's") == {"b.example"}


def test_an_activation_takes_time_and_what_comes_meanwhile_waits_for_the_next(
    lab: CloudLab, api: Api, create: Create
) -> None:
    lab.zia.activation.secs = 3600
    category = create("X", "a.example")
    assert api("POST", "/status/activate").json() == {"status": "INPROGRESS"}
    add(api, category)
    assert api("POST", "/status/activate").json() == {"status": "INPROGRESS"}
    assert lab.zia.in_force("X") == frozenset()
    lab.zia.activation.finish()
    assert lab.zia.in_force("X") == {"a.example"}
    assert api("GET", "/status").json() == {"status": "PENDING"}
    api("POST", "/status/activate")
    lab.zia.activation.finish()
    assert lab.zia.in_force("X") == {"a.example", "b.example"}


def test_an_agreement_that_nobody_has_accepted_holds_an_activation_back(
    lab: CloudLab, api: Api, create: Create
) -> None:
    create("X", "a.example")
    lab.zia.activation.agreement_is_accepted = False
    assert api("GET", "/eusaStatus/latest").json()["acceptedStatus"] is False
    assert api("POST", "/status/activate").json() == {"status": "PENDING"}


def test_a_part_may_be_forbidden(lab: CloudLab, api: Api) -> None:
    lab.zia.forbidden["urlFilteringRules"] = "NOT_SUBSCRIBED"
    answer = api("GET", "/urlFilteringRules")
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_SUBSCRIBED")
    assert api("GET", "/sslInspectionRules").status_code == 200


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "SESSION_NOT_VALID"),
        (403, "NOT_SUBSCRIBED"),
        (409, "EDIT_LOCK_NOT_AVAILABLE"),
        (412, "expected precondition"),
        (429, "Rate Limit (1/SECOND) exceeded"),
        (503, "UNEXPECTED_ERROR"),
    ],
)
def test_a_fault_answers_in_the_words_of_zia(
    lab: CloudLab, api: Api, status: int, said: str
) -> None:
    lab.faults.add(Fault("zia", "get /api/v1/status", status=status, retry_after="13s"))
    answer = api("GET", "/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "13s")
    assert said in answer.text
    assert api("GET", "/status").status_code == 200


def test_an_answer_gets_lost_after_the_request_was_carried_out(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example")
    lab.faults.add(Fault("zia", "add_to_list", "after"))
    with pytest.raises(httpx.TransportError):
        add(api, category)
    assert lab.zia.categories.urls("X") == {"a.example", "b.example"}
    lab.faults.add(Fault("zia", "remove_from_list", "reset"))
    with pytest.raises(httpx.TransportError):
        api("PUT", f"/urlCategories/{category}?action=REMOVE_FROM_LIST", BODY)
    assert lab.zia.categories.urls("X") == {"a.example", "b.example"}


def test_an_answer_is_cut_or_does_not_come(lab: CloudLab, api: Api) -> None:
    lab.faults.add(
        Fault("zia", "urlquota", "truncated"), Fault("zia", "urlquota", "hang", secs=0.01)
    )
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            api("GET", "/urlCategories/urlQuota")
    assert api("GET", "/urlCategories/urlQuota").status_code == 200


def test_a_web_page_comes_with_200_in_place_of_an_answer(lab: CloudLab, api: Api) -> None:
    lab.faults.add(Fault("zia", kind="html"))
    answer = api("GET", "/status")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_zidentity_has_faults_of_its_own(lab: CloudLab, client: httpx.Client) -> None:
    lab.faults.add(Fault("zidentity", status=503))
    answer = client.post(lab.one_api_token_url)
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nonsense"), ("POST", "/urlFilteringRules"), ("HEAD", "/status")]
)
def test_a_request_that_there_is_not_is_a_violation(
    lab: CloudLab, api: Api, method: str, path: str
) -> None:
    answer = api(method, path)
    assert answer.status_code in {404, 405}
    assert lab.complaints == [f"no such request: {method} /api/v1{path}"]


def test_an_action_that_there_is_not_is_a_violation(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example")
    answer = api("PUT", f"/urlCategories/{category}?action=ADD", BODY)
    assert answer.json() == {"code": "INVALID_INPUT_ARGUMENT", "message": "Invalid action"}
    assert lab.complaints == ["unknown action 'ADD'"]
