"""What is known of the machine's clock, and never more."""

import httpx
import pytest
import requests

from nss.https.clock import ServerDates
from nss.status.clock import ClockWatch
from nss.status.readings import ClockReading

NOW = 1_790_000_000.0
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"


def whys(watch: ClockWatch, at: float, now: float, clock: ClockReading | None = None) -> list[str]:
    found = list(watch.reasons(at, now, clock))
    assert all(reason.meaning and reason.remedy and not reason.degrades for reason in found)
    return [reason.why for reason in found]


def seen(ahead_secs: float, at: float = NOW) -> ClockReading:
    return ClockReading(ahead_secs=ahead_secs, host="login.example.com", at=at)


def test_a_jump_of_the_clock_is_mentioned_for_an_hour() -> None:
    watch = ClockWatch()
    assert whys(watch, 0, NOW) == []
    assert whys(watch, 10, NOW + 39) == []
    (why,) = whys(watch, 20, NOW + 39 + 10 + 7200)
    assert (
        why == "the clock of this machine jumped forward by 2 h: it was set, or the machine slept"
    )
    (why,) = whys(watch, 30, NOW)
    assert why.startswith("the clock of this machine jumped back by 2 h")
    assert whys(watch, 3629, NOW + 3599) != []
    assert whys(watch, 3630, NOW + 3600) == []


@pytest.mark.parametrize(
    ("ahead_secs", "text"), [(7200, "2 h ahead of"), (-301, "5 min 1 s behind"), (299, None)]
)
def test_a_clock_that_is_far_from_those_of_servers_is_mentioned(
    ahead_secs: float, text: str | None
) -> None:
    found = whys(ClockWatch(), 0, NOW, seen(ahead_secs))
    expected = f"the clock of this machine is {text} that of login.example.com"
    assert found == ([] if text is None else [expected])


def test_what_was_seen_before_the_clock_was_set_says_nothing_any_more() -> None:
    watch = ClockWatch()
    assert len(whys(watch, 0, NOW, seen(7200))) == 1
    jumped = whys(watch, 1, NOW - 7199, seen(7200))
    assert ["jumped back" in why for why in jumped] == [True]
    assert len(whys(watch, 2, NOW - 7198, seen(-600, NOW - 7198))) == 2
    assert whys(ClockWatch(), 0, NOW + 86_400, seen(7200)) == []


async def test_the_dates_of_answers_are_taken_from_both_clients() -> None:
    dates = ServerDates(lambda: NOW + 60)
    request = httpx.Request("GET", "https://api.example.com/x?secret=1")
    await dates.of_httpx(httpx.Response(200, headers={"date": DATE}, request=request))
    assert dates.last is not None
    assert (dates.last.secs, dates.last.host, dates.last.at) == (60, "api.example.com", NOW + 60)

    response = requests.Response()
    response.url = "https://login.example.com/token"
    response.headers["Date"] = DATE
    dates.of_requests(response, timeout=1)
    assert dates.last.host == "login.example.com"


@pytest.mark.parametrize(
    "headers", [{}, {"date": "yesterday"}, {"date": "Mon, 99 Sep 99999 14:13:20 GMT"}]
)
def test_what_is_no_date_says_nothing(headers: dict[str, str]) -> None:
    dates = ServerDates()
    dates.note("api.example.com", headers)
    dates.note("api.example.com", {"date": DATE, "age": "100"})
    assert dates.last is None
