"""Which answers of MCAS and its storage are a yes, which are a no, and which are neither."""

import io

import pytest

from nss.mcas import RequestRefused, Throttled, Unconfirmed, Unreachable
from nss.mcas.api_errors import NO_DATA_SOURCE
from nss.secret import Secret
from tests.mcas.test_answers import KIND, PLACE, URL, api

ODD = "CONSOLE_SOMETHING_ELSE"
NEITHER = f"MCAS answered with neither a yes nor a no ({PLACE})"


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True},
        {"success": True, "inputStreamId": "5f"},
        {"success": True, "errorMessageCode": None},
        {"success": True, "errorMessageCode": ""},
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202])
async def test_success_is_a_yes(answer: object, status: int) -> None:
    await api(answer, status).finalize(URL, "NSS")


NEITHERS: list[object] = [
    *({}, {"inputStreamId": "5f"}, {"success": None}, {"success": "true"}, {"success": 1}),
    *({"success": 0}, {"success": "false"}, {"success": {}}, [], [{"success": True}], None, 5),
    *(True, "done", {"Success": True}, {"errorMessageCode": 5}),
]


@pytest.mark.parametrize("answer", NEITHERS, ids=repr)
async def test_an_answer_without_success_is_unconfirmed(answer: object) -> None:
    with pytest.raises(Unconfirmed) as caught:
        await api(answer).finalize(URL, "NSS")
    assert caught.value.sentence == NEITHER


@pytest.mark.parametrize("body", [b"", b" \n", b"OK", b"{", b"\xff"])
@pytest.mark.parametrize("status", [200, 202, 204])
async def test_an_answer_that_is_no_json_is_unconfirmed(body: bytes, status: int) -> None:
    with pytest.raises(Unconfirmed):
        await api(body, status).finalize(URL, "NSS")


async def test_a_web_page_is_no_answer_of_mcas_at_all() -> None:
    with pytest.raises(Unreachable, match="a web page instead of MCAS"):
        await api(b"<html>Sign in</html>").finalize(URL, "NSS")


@pytest.mark.parametrize("status", [200, 202, 400, 403, 500])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"success": False}, None),
        ({"success": False, "errorMessageCode": ODD}, ODD),
        ({"success": None, "errorMessageCode": ODD}, ODD),
        ({"success": True, "errorMessageCode": ODD}, ODD),
        ({"errorMessageCode": ODD}, ODD),
    ],
)
async def test_an_error_code_or_no_success_is_a_refusal_whatever_the_status(
    answer: object, code: str | None, status: int
) -> None:
    with pytest.raises(RequestRefused) as caught:
        await api(answer, status).finalize(URL, "NSS")
    assert (caught.value.code, caught.value.status) == (code, status)
    assert code is None or code in str(caught.value) or status == 403


@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_an_unknown_data_source_keeps_its_sentence(status: int) -> None:
    answer = {"success": False, "errorMessageCode": NO_DATA_SOURCE}
    with pytest.raises(RequestRefused) as caught:
        await api(answer, status).finalize(URL, "NSS")
    assert caught.value.field == "data_source"
    assert caught.value.sentence == f"MCAS knows no data source of that name ({PLACE})"


async def test_a_refusal_at_200_says_that_it_was_one() -> None:
    with pytest.raises(RequestRefused) as caught:
        await api({"success": False, "errorMessageCode": ODD}).finalize(URL, "NSS")
    assert caught.value.sentence == f"MCAS refuses the request, {ODD}: HTTP 200 ({PLACE})"


@pytest.mark.parametrize("answer", [{"success": True}, {"success": False}])
async def test_a_success_with_a_status_of_failure_is_none(answer: object) -> None:
    for status in (400, 401, 403, 404):
        with pytest.raises(RequestRefused):
            await api(answer, status).finalize(URL, "NSS")


async def test_too_many_requests_is_no_refusal_whatever_else_it_says() -> None:
    with pytest.raises(Throttled) as caught:
        await api({"success": False, "errorMessageCode": ODD}, 429).finalize(URL, "NSS")
    assert caught.value.by == "MCAS"


async def test_a_refusal_at_200_is_one_for_every_request() -> None:
    for call in (
        api({"success": False, "errorMessageCode": ODD}).initiate("x", KIND),
        api({"success": False, "errorMessageCode": ODD}).streams(),
        api({"success": False, "errorMessageCode": ODD}).governance(0.0),
        api({"success": False, "url": "https://storage.example/x"}).initiate("x", KIND),
    ):
        with pytest.raises(RequestRefused):
            await call


@pytest.mark.parametrize("status", [200, 202, 204, 206])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"success":true}'])
async def test_a_put_is_not_done_merely_because_its_status_is_good(
    status: int, body: bytes
) -> None:
    with pytest.raises(Unreachable, match="something on the way answers instead of the storage"):
        await api(body, status).put(Secret("https://storage.example/x"), io.BytesIO(b"a"), 1)


async def test_who_asks_to_wait_is_known() -> None:
    with pytest.raises(Throttled) as caught:
        await api(b"", 503).put(Secret("https://storage.example/x"), io.BytesIO(b"a"), 1)
    assert caught.value.by == "the storage"
