"""The calls that a sync makes: what is sent, what is repeated, and what answers become."""

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.zia import (
    Busy,
    Category,
    QuotaExceeded,
    RequestRefused,
    SignInRefused,
    Unreachable,
    ZiaError,
)
from tests import foreign
from tests.zia.stand_in import Clock, Ticket, Wire, api_of

NAME = "MS Defender Unsanctioned Apps"
STORED: dict[str, Any] = {
    "id": "CUSTOM_7",
    "configuredName": NAME,
    "superCategory": "USER_DEFINED",
    "urls": ["b.example", "a.example"],
    "dbCategorizedUrls": ["c.example"],
    "keywords": ["casino"],
    "scopes": [{"Type": "LOCATION"}],
    "customCategory": True,
    "type": "URL_CATEGORY",
    "urlType": "EXACT",
}
FOREVER = 1e9


def ok(found: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=orjson.dumps(found))


LOCKED = {"code": "EDIT_LOCK_NOT_AVAILABLE"}


class Script:
    """Answers in order, then the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)

    def __call__(self, _request: httpx.Request) -> httpx.Response | Exception:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_a_category_is_found_by_name_among_all_types() -> None:
    wire = Wire(Script(ok([{"id": "CUSTOM_1", "configuredName": "other"}, STORED])))
    found = await api_of(wire, Clock()).find(NAME, FOREVER)
    assert found is not None
    assert (found.id, found.name, found.url_type) == ("CUSTOM_7", NAME, "EXACT")
    assert found.urls == {"a.example", "b.example"}
    assert found.retaining == {"c.example"}
    assert found.all_urls == {"a.example", "b.example", "c.example"}
    assert wire.calls == ["GET /api/v1/urlCategories?customOnly=true&type=ALL"]
    assert await api_of(wire, Clock()).find("none", FOREVER) is None


async def test_urls_are_added_with_the_object_as_it_is_now() -> None:
    renamed = {**STORED, "description": "changed by somebody a moment ago"}
    after = {**renamed, "urls": [*STORED["urls"], "x.example", "y.example"]}
    wire = Wire(Script(ok(renamed), ok(after)))
    before = Category("CUSTOM_7", NAME, frozenset(), frozenset(), raw={"id": "CUSTOM_7", "old": 1})

    found = await api_of(wire, Clock()).add(
        before, ["x.example", "y.example"], FOREVER, retain=False
    )

    assert wire.calls == [
        "GET /api/v1/urlCategories/CUSTOM_7",
        "PUT /api/v1/urlCategories/CUSTOM_7?action=ADD_TO_LIST",
    ]
    sent = orjson.loads(wire.requests[1].content)
    assert sent == {**renamed, "urls": ["x.example", "y.example"]}
    assert found.raw == after


async def test_urls_that_stay_in_their_parent_category_go_to_the_other_list() -> None:
    after = {**STORED, "dbCategorizedUrls": ["c.example", "x.example"]}
    wire = Wire(Script(ok(STORED), ok(after)))
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    await api_of(wire, Clock()).add(category, ["x.example"], FOREVER, retain=True)
    sent = orjson.loads(wire.requests[1].content)
    assert sent == {**STORED, "urls": [], "dbCategorizedUrls": ["x.example"]}


async def test_urls_are_removed_from_the_list_that_they_are_in() -> None:
    after = {**STORED, "urls": ["b.example"], "dbCategorizedUrls": []}
    wire = Wire(Script(ok(STORED), ok(after)))
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    urls = ["a.example", "c.example", "not.there"]
    await api_of(wire, Clock()).remove(category, urls, FOREVER)
    assert wire.calls[-1] == "PUT /api/v1/urlCategories/CUSTOM_7?action=REMOVE_FROM_LIST"
    sent = orjson.loads(wire.requests[-1].content)
    assert sent == {**STORED, "urls": ["a.example"], "dbCategorizedUrls": ["c.example"]}


@pytest.mark.parametrize("field", ["dbCategorizedUrls", "keywords"])
async def test_a_change_that_costs_something_else_is_repaired_and_if_not_reported(
    field: str,
) -> None:
    after = {**STORED, "urls": [*STORED["urls"], "x.example"]}
    broken = {**after, field: []}
    wire = Wire(Script(ok(STORED), ok(broken), ok(after)))
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    found = await api_of(wire, Clock()).add(category, ["x.example"], FOREVER, retain=False)
    assert found.raw == after
    assert orjson.loads(wire.requests[-1].content) == {**broken, "urls": [], field: STORED[field]}

    wire = Wire(Script(ok(STORED), ok(broken)))
    with pytest.raises(RequestRefused, match=f"carried it out otherwise: {field}"):
        await api_of(wire, Clock()).add(category, ["x.example"], FOREVER, retain=False)
    assert len(wire.requests) == 3


async def test_no_change_is_ever_sent_without_an_action() -> None:
    wire = Wire(Script(ok(STORED)))
    api = api_of(wire, Clock())
    category = await api.read("CUSTOM_7", FOREVER)
    await api.add(category, ["x.example"], FOREVER, retain=False)
    await api.remove(category, ["a.example"], FOREVER)
    puts = [request for request in wire.requests if request.method == "PUT"]
    assert len(puts) == 2
    assert all("action" in request.url.params for request in puts)


async def test_a_category_is_created_with_its_urls() -> None:
    wire = Wire(Script(ok(STORED)))
    await api_of(wire, Clock()).create(NAME, "by NSS", ["x.example"], FOREVER, retain=False)
    assert orjson.loads(wire.requests[0].content) == {
        "configuredName": NAME,
        "description": "by NSS",
        "superCategory": "USER_DEFINED",
        "customCategory": True,
        "type": "URL_CATEGORY",
        "urls": ["x.example"],
        "dbCategorizedUrls": [],
    }


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("x"),
        httpx.Response(502),
    ],
)
async def test_a_category_that_may_have_been_created_is_looked_for(
    trouble: httpx.Response | Exception,
) -> None:
    wire = Wire(Script(trouble, ok([STORED])))
    found = await api_of(wire, Clock()).create(NAME, "", ["x.example"], FOREVER, retain=True)
    assert found.id == "CUSTOM_7"
    assert [call.split("?")[0] for call in wire.calls] == [
        "POST /api/v1/urlCategories",
        "GET /api/v1/urlCategories",
    ]


async def test_a_creation_that_was_not_carried_out_is_tried_again() -> None:
    wire = Wire(Script(httpx.ReadTimeout("x"), ok([]), ok(LOCKED, 409), ok(STORED)))
    clock = Clock()
    found = await api_of(wire, clock).create(NAME, "", ["x.example"], FOREVER, retain=True)
    assert found.id == "CUSTOM_7"
    assert [request.method for request in wire.requests] == ["POST", "GET", "POST", "POST"]
    assert clock.slept == [5, 10]


async def test_a_creation_that_is_refused_is_not() -> None:
    wire = Wire(Script(ok({"code": "LIMIT_EXCEEDED"}, 403), ok([])))
    with pytest.raises(QuotaExceeded) as refused:
        await api_of(wire, Clock()).create(NAME, "", ["x.example"], FOREVER, retain=True)
    assert len(wire.requests) == 1
    assert not refused.value.is_unclear


@pytest.mark.parametrize(
    "trouble",
    [ok({"code": "DUPLICATE_ITEM"}, 409), ok({"message": "this name exists"}, 400)],
)
async def test_a_category_that_somebody_else_created_first_is_not_taken_for_ours(
    trouble: httpx.Response,
) -> None:
    wire = Wire(Script(trouble, ok([STORED])))
    with pytest.raises(RequestRefused) as refused:
        await api_of(wire, Clock()).create(NAME, "", ["x.example"], FOREVER, retain=True)
    assert not refused.value.is_unclear


LATER = (ok(LOCKED, 409), ok({"code": "SCOPE_LIMITED"}, 403))


@pytest.mark.parametrize("last", LATER)
async def test_what_an_earlier_attempt_may_have_done_is_not_forgotten(last: httpx.Response) -> None:
    """Otherwise what was added is nobody's, and never activated."""
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    for first, is_unclear in ((httpx.ReadTimeout("x"), True), (ok(LOCKED, 409), False)):
        wire = Wire(Script(ok(STORED), first, ok(STORED), last))
        with pytest.raises(ZiaError) as failed:
            await api_of(wire, Clock()).add(category, ["x.example"], 1020, retain=False)
        assert failed.value.is_unclear == is_unclear
    wire = Wire(Script(httpx.ReadTimeout("x"), last))
    with pytest.raises(ZiaError) as failed:
        await api_of(wire, Clock()).create(NAME, "", ["x.example"], 1020, retain=False)
    assert failed.value.is_unclear


async def test_a_change_that_was_carried_out_otherwise_was_carried_out() -> None:
    after = {**STORED, "keywords": []}
    wire = Wire(Script(ok(STORED), ok(after)))
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    with pytest.raises(RequestRefused) as refused:
        await api_of(wire, Clock()).add(category, ["x.example"], FOREVER, retain=False)
    assert refused.value.is_unclear


async def test_what_a_change_cost_is_repaired_although_the_repair_has_to_wait() -> None:
    broken = {**STORED, "keywords": []}
    wire = Wire(Script(ok(STORED), ok(broken), ok(LOCKED, 409), ok(broken), ok(broken), ok(STORED)))
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    found = await api_of(wire, Clock()).add(category, ["x.example"], FOREVER, retain=False)
    assert found.raw == STORED
    assert orjson.loads(wire.requests[-1].content)["keywords"] == ["casino"]


async def test_a_list_that_was_set_to_what_was_sent_gets_its_urls_back() -> None:
    broken = {**STORED, "urls": [], "dbCategorizedUrls": ["c.example", "x.example"]}
    whole = {**broken, "urls": STORED["urls"]}
    wire = Wire(Script(ok(STORED), ok(broken), ok(whole)))
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    found = await api_of(wire, Clock()).add(category, ["x.example"], FOREVER, retain=True)
    assert found.raw == whole
    assert orjson.loads(wire.requests[-1].content)["urls"] == ["a.example", "b.example"]


async def test_a_change_whose_answer_was_lost_is_repeated_with_the_object_of_then() -> None:
    later = {**STORED, "keywords": ["casino", "poker"]}
    wire = Wire(Script(ok(STORED), httpx.ReadTimeout("x"), ok(later), ok(later)))
    api = api_of(wire, Clock())
    category = Category("CUSTOM_7", NAME, frozenset(), frozenset())
    await api.add(category, ["x.example"], FOREVER, retain=False)
    assert [request.method for request in wire.requests] == ["GET", "PUT", "GET", "PUT"]
    assert orjson.loads(wire.requests[-1].content)["keywords"] == ["casino", "poker"]


async def test_a_session_that_was_lost_is_renewed_once() -> None:
    ticket = Ticket()
    wire = Wire(Script(ok({"code": "SESSION_NOT_VALID"}, 401), ok(STORED)))
    await api_of(wire, Clock(), ticket).read("CUSTOM_7", FOREVER)
    assert ticket.refusals == 1
    assert [r.headers["authorization"] for r in wire.requests] == ["Bearer 0", "Bearer 1"]

    wire = Wire(Script(ok({"code": "SESSION_NOT_VALID"}, 401)))
    with pytest.raises(SignInRefused):
        await api_of(wire, Clock(), ticket).read("CUSTOM_7", FOREVER)
    assert len(wire.requests) == 2


async def test_an_activation_is_waited_for() -> None:
    states = ["PENDING", "INPROGRESS", "ACTIVE"]
    wire = Wire(Script(*(ok({"status": state}) for state in states)))
    clock = Clock()
    assert await api_of(wire, clock).activate(FOREVER) == "ACTIVE"
    assert wire.calls == ["POST /api/v1/status/activate", *["GET /api/v1/status"] * 2]
    assert clock.slept == [2, 2]


async def test_an_activation_that_takes_longer_is_not_said_to_be_through() -> None:
    wire = Wire(Script(ok({"status": "INPROGRESS"})))
    assert await api_of(wire, Clock()).activate(1009.0) == "INPROGRESS"


@pytest.mark.parametrize("found", [{}, [], {"status": "GREEN"}, {"status": ["ACTIVE"]}, None])
async def test_a_state_that_nobody_knows_is_no_activation(found: object) -> None:
    wire = Wire(Script(ok(found)))
    with pytest.raises(Unreachable, match="makes no sense"):
        await api_of(wire, Clock()).activate(1009.0)


async def test_the_quota() -> None:
    numbers = {"uniqueUrlsProvisioned": 2988, "remainingUrlsQuota": 22012}
    found = await api_of(Wire(Script(ok(numbers))), Clock()).quota(FOREVER)
    assert (found.used, found.remaining) == (2988, 22012)
    wrongs: list[object] = [
        {},
        [],
        {**numbers, "remainingUrlsQuota": "many"},
        {"remainingUrlsQuota": 5},
    ]
    for wrong in wrongs:
        with pytest.raises(Unreachable):
            await api_of(Wire(Script(ok(wrong))), Clock()).quota(1001.0)


async def test_writes_wait_for_a_minute_at_least_and_reads_as_long_as_is_said() -> None:
    wire = Wire(Script(ok(STORED)))
    api = api_of(wire, Clock())
    category = await api.read("CUSTOM_7", FOREVER)
    await api.add(category, ["x.example"], FOREVER, retain=False)
    timeouts = [request.extensions["timeout"]["read"] for request in wire.requests]
    assert timeouts[-1] == 60
    assert timeouts[0] == httpx.AsyncClient().timeout.read


async def test_busy_for_longer_than_there_is_time() -> None:
    wire = Wire(Script(ok(LOCKED, 409)))
    clock = Clock()
    with pytest.raises(Busy) as caught:
        await api_of(wire, clock).read("CUSTOM_7", 1100.0)
    assert caught.value.code == "EDIT_LOCK_NOT_AVAILABLE"
    assert sum(clock.slept) <= 100


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, content=b"<html>sign in</html>"), httpx.Response(200, content=b"{")],
)
async def test_a_web_page_is_no_category(answer: httpx.Response) -> None:
    with pytest.raises(Unreachable):
        await api_of(Wire(Script(answer)), Clock()).find(NAME, 1001.0)


async def test_a_redirect_is_not_followed() -> None:
    elsewhere = httpx.Response(302, headers={"location": "https://other.example/"})
    wire = Wire(Script(elsewhere))
    with pytest.raises(RequestRefused):
        await api_of(wire, Clock()).find(NAME, FOREVER)
    assert {request.url.host for request in wire.requests} == {"zsapi.zscaler.net"}


async def test_closing_signs_out() -> None:
    ticket = Ticket()
    await api_of(Wire(Script(ok(STORED))), Clock(), ticket).close()
    assert ticket.closed


ANSWERS = foreign.answers(
    STORED, {"status": "ACTIVE"}, {"remainingUrlsQuota": 5, "uniqueUrlsProvisioned": 5}
)


@given(ANSWERS, st.sampled_from([200, 200, 200, 204, 302, 400, 401, 403, 409, 429, 500]))
async def test_any_answer_is_a_value_or_one_kind_of_error(body: bytes, status: int) -> None:
    api = api_of(Wire(lambda _: httpx.Response(status, content=body)), Clock())
    category = Category("CUSTOM_7", NAME, frozenset({"a.example"}), frozenset())
    for call in (
        api.find(NAME, 1001.0),
        api.read("CUSTOM_7", 1001.0),
        api.quota(1001.0),
        api.activation(1001.0),
        api.activate(1001.0),
        api.create(NAME, "", ["x.example"], 1001.0, retain=True),
        api.add(category, ["x.example"], 1001.0, retain=True),
        api.remove(category, ["a.example"], 1001.0),
    ):
        said = ""
        try:
            await call
        except ZiaError as error:
            said = error.sentence
        assert not said or said.isprintable()
