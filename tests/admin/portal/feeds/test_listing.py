"""The list of sources and feeds, and names that nobody configured."""

import re
from dataclasses import replace

import pytest

from nss.status.summary import Health, Reason
from tests.admin.portal.feeds.conftest import Browser, PortalOperations


def cells(page: str, row: str) -> list[str]:
    """Return the texts of the cells of a row."""
    found = page.partition(f'id="{row}"')[2].partition("</tr>")[0]
    texts = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for text in texts]


async def test_the_list_shows_all_feeds_and_sources(admin: Browser) -> None:
    page = await admin.page("/feeds")

    assert cells(page, "feed-row-mcas") == [
        "mcas",
        "moving",
        "100",
        "1 s",
        "10",
        "collector.example.com:514 syslog over UDP",
        "3 records rejected by mcas",
        "sent 2026-09-21 14:13:17 UTC",
    ]
    assert cells(page, "feed-row-siem")[-1] == "not yet since the start"
    assert cells(page, "source-row-web") == [
        "web",
        "reading",
        "TCP",
        "100",
        "1.0 KiB",
        "1,234",
        "2026-09-21 14:13:15 UTC",
    ]


async def test_a_service_without_feeds_and_sources_says_what_they_are(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.current = replace(operations.current, feeds=(), sources=())
    page = await admin.page("/feeds")
    assert "No feeds" in page
    assert "No sources" in page


async def test_rows_change_by_themselves(admin: Browser, operations: PortalOperations) -> None:
    async with admin.stream("/feeds-list/live") as events:
        first = await anext(events)
        assert 'hx-target="#feed-rows"' in first
        assert 'hx-target="#source-rows"' in first
        assert 'hx-target="#health"' in first
        operations.show(pending=777_777)
        changed = await anext(events)

    assert cells(changed, "feed-row-mcas")[4] == "777,777"
    assert "source-rows" not in changed


async def test_what_degrades_a_feed_shows_on_its_chip_and_its_page(
    admin: Browser, operations: PortalOperations
) -> None:
    reasons = (
        Reason(component="feed mcas", why="10 records wait. Try: see the collector"),
        Reason(component="feed siem", why="only mentioned", degrades=False),
    )
    health = Health(ok=False, alive=True, reasons=reasons)
    operations.current = replace(operations.current, health=health)

    listed, feed = await admin.page("/feeds"), await admin.page("/feeds/mcas")

    assert '<span class="chip bad">' in listed.partition("feed-row-mcas")[2].partition("</tr>")[0]
    assert "chip bad" not in listed.partition("feed-row-siem")[2].partition("</tr>")[0]
    assert "10 records wait" in feed
    assert "see the collector" in feed
    assert "only mentioned" in await admin.page("/feeds/siem")


@pytest.mark.parametrize(
    ("path", "sentence", "tip"),
    [
        ("/feeds/mcsa", "feed &#39;mcsa&#39; is not known", "mcas"),
        ("/feeds/mcsa/tap", "feed &#39;mcsa&#39; is not known", "mcas"),
        ("/feeds/mcsa/series.json", "feed &#39;mcsa&#39; is not known", "mcas"),
        ("/feeds/zzz/rejects", "feed &#39;zzz&#39; is not known", "one of mcas, siem"),
        ("/feeds/source/wbe", "source &#39;wbe&#39; is not known", "web"),
        ("/feeds/source/zzzz", "source &#39;zzzz&#39; is not known", "one of web"),
        ("/feeds/%3Cb%3E", "feed &#39;&lt;b&gt;&#39; is not known", "one of mcas, siem"),
    ],
)
async def test_a_name_that_nobody_configured_gets_the_nearest_one(
    admin: Browser, path: str, sentence: str, tip: str
) -> None:
    answer = await admin.get(path)

    assert answer.status_code == 404
    assert sentence in answer.text
    assert f"</strong> {tip}</p>" in answer.text


async def test_a_change_of_an_unknown_feed_is_refused_as_well(admin: Browser) -> None:
    answer = await admin.post("/feeds/mcsa/retry")
    assert answer.status_code == 404


async def test_htmx_gets_the_refusal_in_the_place_of_what_it_asked_for(admin: Browser) -> None:
    answer = await admin.get("/feeds/mcsa/rejects/0", **{"hx-request": "true"})
    assert "feed &#39;mcsa&#39; is not known" in answer.text
    assert "<html" not in answer.text
