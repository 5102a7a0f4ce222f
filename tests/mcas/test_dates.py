"""The end date of a client secret, in every spelling that people copy or type."""

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.answers import BadAnswer
from nss.mcas.dates import end_of, read_date, secret_end

TODAY = date(2026, 11, 26)
DAY = date(2027, 5, 31)


@pytest.mark.parametrize(
    "text",
    [
        *("2027-05-31", "2027-5-31", "2027/05/31", "2027.05.31", "20270531"),
        *("2027-05-31T14:00:00Z", "2027-05-31 14:00", "2027-05-31T14:00:00.1234567+00:00"),
        *("31.05.2027", "31.5.2027", "31.05.2027 14:00", "31.05.2027, 14:00:00"),
        *("5/31/2027", "05/31/2027", "5/31/2027, 2:15:00 PM", "5/31/2027 2:15 PM"),
        *("31/5/2027", "31-05-2027", "05-31-2027"),
        *("31 May 2027", "31 may 2027", "31-May-2027", "31 May, 2027"),
        *("May 31, 2027", "May 31 2027", "May 31, 2027 at 2:15 PM", "  May   31,\u00a02027 "),
        *("'2027-05-31'", '"5/31/2027"', "\u200e5/\u200e31/\u200e2027"),
        *("\u201c2027-05-31\u201d", "\u20182027-05-31\u2019", "\v2027-05-31\f"),
    ],
)
def test_every_spelling_is_the_same_day(text: str) -> None:
    assert read_date(text) == DAY


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("5/5/2027", date(2027, 5, 5)),
        ("1 Sept 2027", date(2027, 9, 1)),
        ("September 1, 2027", date(2027, 9, 1)),
        ("Sep. 1, 2027", date(2027, 9, 1)),
        ("06.05.2027", date(2027, 5, 6)),
        ("2028-02-29", date(2028, 2, 29)),
        ("2027-05-31T23:30:00-05:00", date(2027, 6, 1)),
    ],
)
def test_days_that_look_alike_are_told_apart(text: str, day: date) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize("text", ["", "  ", "-", "none", "None", "never", "unknown"])
def test_not_known_is_an_answer(text: str) -> None:
    assert secret_end(text, TODAY) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("5/6/2027", "can be read in two ways: 2027-06-05 or 2027-05-06"),
        ("12-11-2027", "can be read in two ways: 2027-12-11 or 2027-11-12"),
        ("2027-02-30", "is no day of the calendar"),
        ("31.04.2027", "is no day of the calendar"),
        ("2/30/2027", "is no day of the calendar"),
        ("13/13/2027", "is no day of the calendar"),
        ("0/5/2027", "is no day of the calendar"),
        ("30 Feb 2027", "is no day of the calendar"),
        ("31 Mai 2027", "is not a date"),
        ("31 Mayonnaise 2027", "is not a date"),
        ("5/31/27", "is not a date"),
        ("31-05.2027", "is not a date"),
        ("tomorrow", "is not a date"),
        ("24 months", "is not a date"),
        ("\u0663\u0661.05.2027", "is not a date"),
        ("2026-11-25", "has passed: a secret that has expired signs in nowhere"),
        ("2127-11-26", "is more than a hundred years away"),
        ("9999-12-31", "is more than a hundred years away"),
    ],
)
def test_what_can_not_be_right_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        secret_end(text, TODAY)
    assert caught.value.sentence == f"the end date of the Client Secret {problem}"
    assert caught.value.field == "client_secret_expires"
    assert caught.value.tip


def test_the_last_day_itself_is_good() -> None:
    assert secret_end("2026-11-26", TODAY) == TODAY
    assert end_of(TODAY) == datetime(2026, 11, 27, tzinfo=UTC).timestamp()
    assert end_of(date.max) > end_of(TODAY)


NEARLY = st.from_regex(re.compile(r"[0-9]{0,5}[-/. ]?[0-9a-zA-Z]{0,9}.?.?[0-9]{0,5}"))


@given(st.text(max_size=60) | NEARLY)
def test_any_text_is_a_day_or_refused_in_one_sentence(text: str) -> None:
    try:
        found = read_date(text)
    except BadAnswer as bad:
        found = None
        sentence = bad.sentence
    else:
        sentence = ""
    assert found is None or isinstance(found, date)
    assert len(sentence) < 120
    assert "\n" not in sentence


@given(st.dates(min_value=TODAY, max_value=date(2126, 12, 31)))
def test_what_is_stored_is_read_back(day: date) -> None:
    assert secret_end(day.isoformat(), TODAY) == day
