"""The figures of graphs."""

from dataclasses import replace

import orjson

from nss.admin.portal.pages.feeds.series import KEPT_SECS, SeriesData
from tests.admin.conftest import FEED, NOW, Clock
from tests.admin.portal.feeds.conftest import Browser, PortalOperations


def remember(operations: PortalOperations, *rates: float) -> None:
    """Have looks 5 s apart in the history, the last at `NOW`."""
    for place, rate in enumerate(rates):
        feed = replace(FEED, records_per_sec=rate, lag_secs=rate / 3, pending=int(rate * 10))
        at = NOW - 5 * (len(rates) - 1 - place)
        operations.history.add(replace(operations.current, at=at, feeds=(feed,)))


async def test_a_feed_has_rate_lag_and_pending(
    admin: Browser, operations: PortalOperations
) -> None:
    remember(operations, 1.0, 2.0, 4.0)

    answer = await admin.get("/feeds/mcas/series.json?span=15m")
    found = orjson.loads(answer.content)

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert found["at"][-3:] == [NOW - 10, NOW - 5, NOW]
    assert [(each["name"], each["unit"]) for each in found["series"]] == [
        ("rate", "records/s"),
        ("lag", "s"),
        ("pending", "records"),
    ]
    rate, lag, pending = (each["values"] for each in found["series"])
    assert rate[-4:] == [None, 1.0, 2.0, 4.0]
    assert lag[-3:] == [0.33, 0.67, 1.33]
    assert pending[-3:] == [10.0, 20.0, 40.0]
    assert len(found["at"]) == len(rate) == 180


async def test_a_graph_may_ask_for_one_number_and_a_day(
    admin: Browser, operations: PortalOperations
) -> None:
    remember(operations, 1.0)
    found = orjson.loads((await admin.get("/feeds/mcas/series.json?span=24h&number=lag")).content)
    assert [each["name"] for each in found["series"]] == ["lag"]
    assert len(found["at"]) == 720


async def test_a_source_has_a_rate(admin: Browser, operations: PortalOperations) -> None:
    remember(operations, 1.0)
    found = orjson.loads((await admin.get("/feeds/source/web/series.json")).content)
    (rate,) = found["series"]
    assert (rate["name"], rate["values"][-1]) == ("rate", 100.0)


async def test_nonsense_is_refused(admin: Browser) -> None:
    for query in ("span=1y", "span=15m&number=price"):
        answer = await admin.get(f"/feeds/mcas/series.json?{query}")
        assert answer.status_code == 400
        assert "must be one of" in answer.text
    assert (await admin.get("/feeds/mcas?span=1y")).status_code == 400


async def test_those_who_look_at_the_same_share_an_answer(operations: PortalOperations) -> None:
    clock = Clock()
    data = SeriesData(operations, clock=clock)
    operations.asked.clear()

    answers = [data.answer("feed mcas", "15m", "rate") for _ in range(5)]
    data.answer("feed mcas", "24h", "rate")
    clock.secs += KEPT_SECS
    again = data.answer("feed mcas", "15m", "rate")

    assert operations.asked == [
        ("series", "feed mcas", "15m"),
        ("series", "feed mcas", "24h"),
        ("series", "feed mcas", "15m"),
    ]
    assert all(answer == again for answer in answers)
