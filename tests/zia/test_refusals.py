"""What an answer of ZIA means: recorded and documented ones, and any other."""

import time
from email.utils import formatdate

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.zia import Busy, QuotaExceeded, RequestRefused, SignInRefused, Unreachable, ZiaError
from nss.zia.refusals import refusal, retry_after_secs
from tests import foreign

PLACE = "https://zsapi.zscaler.net"


def refused(status: int, body: object = b"", **headers: str) -> ZiaError:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(status, named, data, PLACE)


RATE = {"message": "Rate Limit (1/SECOND) exceeded", "Retry-After": "1 seconds"}
QUOTA = (
    "An organization can have a maximum of 25000 custom URLs. Currently 1020 are already "
    "provisioned for this organization."
)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (refused(429, RATE), Busy, None),
        (refused(409, {"code": "EDIT_LOCK_NOT_AVAILABLE"}), Busy, "EDIT_LOCK_NOT_AVAILABLE"),
        (refused(409, b"Resource Access Blocked"), Busy, None),
        (refused(412, {"message": "Failed during enter Org barrier"}), Busy, None),
        (refused(401, b"Resource Access Blocked"), Busy, None),
        (refused(403, {"code": "STATE_READONLY", "message": "upgrade"}), Busy, "STATE_READONLY"),
        (refused(403, b"", x_zscaler_mode="read-only"), Busy, None),
        (refused(409, {"code": "DUPLICATE_ITEM"}), RequestRefused, "DUPLICATE_ITEM"),
        (refused(400, {"message": "Request body is invalid."}), RequestRefused, None),
        (refused(400, QUOTA.encode()), QuotaExceeded, None),
        (refused(400, {"code": "INVALID_INPUT_ARGUMENT", "message": QUOTA}), QuotaExceeded,
         "INVALID_INPUT_ARGUMENT"),
        (refused(403, {"code": "LIMIT_EXCEEDED", "message": "x"}), QuotaExceeded, "LIMIT_EXCEEDED"),
        (refused(401, {"detail": "unauthorized"}), SignInRefused, None),
        (refused(401, {"code": "SESSION_NOT_VALID"}), SignInRefused, "SESSION_NOT_VALID"),
        (refused(400, {"message": "Session already invalidated"}), SignInRefused, None),
        (refused(403, {"code": "NOT_SUBSCRIBED"}), RequestRefused, "NOT_SUBSCRIBED"),
        (refused(403, {"code": "SCOPE_LIMITED"}), RequestRefused, "SCOPE_LIMITED"),
        (refused(403, {"code": "INVALID_OPERATION"}), RequestRefused, "INVALID_OPERATION"),
        (refused(403), RequestRefused, None),
        (refused(404), RequestRefused, None),
        (refused(415), RequestRefused, None),
        (refused(302), RequestRefused, None),
        (refused(500, {"code": "UNEXPECTED_ERROR"}), Unreachable, "UNEXPECTED_ERROR"),
        (refused(503), Unreachable, None),
        (refused(504, b"<html>gateway</html>"), Unreachable, None),
        (refused(408), Unreachable, None),
    ],
)  # fmt: skip
def test_the_known_answers(error: ZiaError, kind: type[ZiaError], code: str | None) -> None:
    assert type(error) is kind
    assert error.code == code
    assert str(error.status) in error.sentence
    assert PLACE in error.sentence


def test_what_can_be_done_about_it_is_said() -> None:
    assert "role" in str(refused(403).tip)
    assert refused(403).field == "role"
    assert refused(404).field == "api_url"
    assert "quota" in str(refused(400, QUOTA.encode()).tip)
    assert "25000" in refused(400, QUOTA.encode()).sentence
    assert "OneAPI" in str(refused(403, {"code": "INVALID_OPERATION"}).tip)


@pytest.mark.parametrize(
    ("headers", "body", "secs"),
    [
        ({"retry-after": "13"}, b"", 13),
        ({"retry-after": "13s"}, b"", 13),
        ({"retry-after": "0 seconds"}, b"", 1),
        ({"retry-after": "1 second"}, b"", 1),
        ({}, orjson.dumps({"Retry-After": "7 seconds"}), 7),
        ({}, orjson.dumps({"Retry-After": 7}), 7),
        ({"x-ratelimit-reset": "42"}, b"", 42),
        ({"retry-after": "\xb2"}, b"", 1),
        ({"retry-after": "-5"}, b"", 1),
        ({"retry-after": "999999"}, b"", 3600),
        ({"retry-after": "soon"}, b"[]", 1),
        ({}, b"no json", 1),
    ],
)
def test_when_to_come_again(headers: dict[str, str], body: bytes, secs: float) -> None:
    assert retry_after_secs(headers, body) == secs


def test_a_date_says_when_to_come_again() -> None:
    secs = retry_after_secs({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert 50 < secs <= 60


ANSWERS = foreign.answers(RATE, {"code": "X", "message": "y", "detail": 5, "error": {"a": 1}})


@given(
    st.integers(300, 599),
    ANSWERS | st.binary(max_size=100),
    st.dictionaries(
        st.sampled_from(["retry-after", "x-ratelimit-reset", "x-zscaler-mode"]), st.text()
    ),
)
def test_any_answer_is_one_harmless_sentence(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    error = refusal(status, headers, body, PLACE)
    assert error.sentence.isprintable()
    assert error.sentence.isascii()
    assert len(error.sentence) < 600
