"""The page of one feed, and of one source."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from formats import presets
from nss.admin.portal.pages.feeds.about import MAX_SHOWN_CHARACTERS, about
from nss.config.load import parse
from nss.status.readings import RefusalReading
from tests.admin.conftest import GAPS, NOW
from tests.admin.portal.feeds.conftest import CONFIG, UPLOAD, Browser, PortalOperations, Served

FILTER = 'not_users = ["healthcheck@example.com"]'


def facts(page: str) -> dict[str, str]:
    """Return the texts of definition lists."""
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]+>", " ", text).split()) for name, text in pairs}


async def test_a_feed_shows_what_it_does_and_how_it_is_set_up(admin: Browser) -> None:
    page = await admin.page("/feeds/mcas")
    found = facts(page)

    assert found["Destination"] == "collector.example.com:514 syslog over UDP"
    assert found["Sources"] == "web"
    assert '<a href="/feeds/source/web">web</a>' in page
    assert found["Zone of times"] == "Europe/Berlin"
    assert found["Filter"] == FILTER.replace('"', "&#34;")
    assert found["Format"] == "MCAS"
    assert presets.text("MCAS")[:20].rstrip() in page
    assert {name: found[name] for name in ("Accepted", "Delivered", "Adds up")} == {
        "Accepted": "1,234",
        "Delivered": "1,200",
        "Adds up": "yes",
    }
    assert "Uploads to Cloud Discovery" not in page
    assert "sent <time" in page


async def test_keys_that_no_field_is_known_for_are_named(
    admin: Browser, operations: PortalOperations
) -> None:
    assert "Keys not used" not in await admin.page("/feeds/mcas")
    operations.show(gaps=(GAPS,))
    found = facts(await admin.page("/feeds/mcas"))
    assert found["Keys not used"] == (
        "colour 1,234 , shape\\u202e 1 , ... 7 of source web, json: no field is known for them"
    )


async def test_a_format_string_is_text(admin: Browser) -> None:
    page = await admin.page("/feeds/siem")
    assert "own format string" in page
    assert "%s{elogin} &lt;b&gt;%s{eurl}&lt;/b&gt;</code>" in page
    assert "every record passes" in page


async def test_graphs_ask_for_their_figures_by_number_and_span(admin: Browser) -> None:
    page = await admin.page("/feeds/mcas?span=24h")
    urls = re.findall(r'data-url="([^"]+)"', page)
    assert urls == [
        f"/feeds/mcas/series.json?span=24h&amp;number={number}"
        for number in ("rate", "lag", "pending")
    ]
    assert '<a href="/feeds/mcas?span=24h" aria-current="page">24 hours</a>' in page
    for url in urls:
        assert (await admin.get(url.replace("&amp;", "&"))).status_code == 200


async def test_a_source_shows_what_it_does_and_who_reads_it(admin: Browser) -> None:
    page = await admin.page("/feeds/source/web")
    found = facts(page)
    assert found["Kind"] == "TCP"
    assert found["Format of its records"] == "recognised from the records"
    assert found["Feeds that take its records"] == "mcas , siem"
    assert 'data-url="/feeds/source/web/series.json?span=15m&amp;number=rate"' in page


async def test_a_source_shows_what_it_refused(admin: Browser, operations: PortalOperations) -> None:
    refusal = RefusalReading(
        cause="client_certificate",
        count=1200,
        last_at=NOW,
        last_peer="<b>192.0.2.7",
        unbroken=0,
        unbroken_since=None,
    )
    status = operations.current
    sources = tuple(replace(each, refusals=(refusal,)) for each in status.sources)
    operations.current = replace(status, sources=sources)
    page = " ".join((await admin.page("/feeds/source/web")).split())
    assert "<li>1,200 client certificate, the last from &lt;b&gt;192.0.2.7, <time" in page


async def test_a_feed_changes_by_itself_also_when_it_is_set_up_anew(
    admin: Browser, served: Served
) -> None:
    async with admin.stream("/feeds/mcas/live") as events:
        first = await anext(events)
        assert FILTER.replace('"', "&#34;") in first
        served.operations.show(pending=777_777)
        changed = await anext(events)
        assert "777,777" in changed
        assert "feed-about" not in changed
        text = CONFIG.format(folder=served.folder).replace("healthcheck", "robot")
        served.config_path.write_text(text)
        served.operations.config = parse(text, served.folder)
        changed = await anext(events)
        assert "robot@example.com" in changed
        assert "feed-now" not in changed


async def test_a_feed_that_a_reload_ends_says_so(
    admin: Browser, operations: PortalOperations
) -> None:
    async with admin.stream("/feeds/mcas/live") as events:
        await anext(events)
        operations.current = replace(operations.current, feeds=operations.current.feeds[1:])
        assert "no longer configured" in await anext(events)
    async with admin.stream("/feeds/source/web/live") as events:
        assert "source-now" in await anext(events)
        operations.current = replace(operations.current, sources=())
        assert "no longer configured" in await anext(events)


@pytest.mark.parametrize(
    "change",
    [
        ("healthcheck", "robot"),
        ('filter = { not_users = ["healthcheck@example.com"] }', ""),
        ("not_users", "no_such_key"),
        ("[feeds.mcas]", "[feeds.other]"),
        ("[feeds.mcas]", "[feeds.mcas"),
        ('{ not_users = ["healthcheck@example.com"] }', "3"),
    ],
)
async def test_a_filter_that_is_not_in_force_is_not_shown_as_if_it_were(
    admin: Browser, served: Served, change: tuple[str, str]
) -> None:
    text = served.config_path.read_text().replace(*change)
    served.config_path.write_text(text)

    found = facts(await admin.page("/feeds/mcas"))["Filter"]

    assert found == (
        "a filter is in force (the file has changed since: see it again after a reload)"
    )


async def test_a_configuration_file_that_is_gone_takes_no_page_with_it(
    admin: Browser, served: Served
) -> None:
    served.config_path.unlink()
    assert "the file has changed since" in await admin.page("/feeds/mcas")


def test_a_format_of_a_file_is_shown_as_the_file_is_now(tmp_path: Path) -> None:
    file = tmp_path / "own.fof"
    file.write_text("%s{elogin} %s{eurl}")
    path = tmp_path / "nss.toml"
    path.write_text(CONFIG.format(folder=tmp_path).replace('format = "MCAS"', 'format = "own.fof"'))
    config = parse(path.read_text(), tmp_path)

    found = about(config, "mcas", path)
    assert found is not None
    assert (found.format.name, found.format.text) == (str(file), "%s{elogin} %s{eurl}")
    assert found.format.note == "as the file is now; read when the feed started"

    file.unlink()
    found = about(config, "mcas", path)
    assert found is not None
    assert found.format.text == ""
    assert "can't be shown" in found.format.note
    assert about(config, "gone", path) is None


def test_a_long_filter_is_cut_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    users = ", ".join(f'"user{number}@example.com"' for number in range(2000))
    path.write_text(CONFIG.format(folder=tmp_path).replace('"healthcheck@example.com"', users))
    found = about(parse(path.read_text(), tmp_path), "mcas", path)
    assert found is not None
    assert len(found.filter.text) == MAX_SHOWN_CHARACTERS
    assert found.filter.left_out > 10_000


async def test_an_upload_shows_its_state_and_times(
    admin: Browser, viewer: Browser, operations: PortalOperations
) -> None:
    operations.show(kind="cloud_discovery", upload=UPLOAD, confirmation="confirmed")

    page = await admin.page("/feeds/mcas")
    found = facts(page)

    assert found["State"] == "held"
    assert '<span class="chip warn">' in page
    assert "2026-09-21" in found["Last confirmed"]
    assert found["Held until"] == "2026-09-21 14:21:40 UTC"
    assert 'action="/feeds/mcas/upload-now"' in page
    assert 'action="/feeds/mcas/resume"' in page
    assert "upload-now" not in await viewer.page("/feeds/mcas")
    operations.show(
        upload=replace(
            UPLOAD, last_confirmed_at=None, next_due_at=None, held_until=None, unconfirmed=3
        )
    )
    found = facts(await admin.page("/feeds/mcas"))
    assert found["Last confirmed"] == "none yet since the start"
    assert found["Next due"] == "nothing is collected"
    assert found["Held until"] == "not held"
    assert found["Not confirmed"] == "3 files counted as delivered"
    assert NOW


def test_a_feed_that_changes_no_record_says_so(tmp_path: Path) -> None:
    path = tmp_path / "nss.toml"
    path.write_text(
        '[sources.web]\nkind = "stdin"\n[feeds.mcas]\nformat = "unchanged"\n'
        '[feeds.mcas.sink]\nkind = "file"\npath = "-"\n'
    )
    found = about(parse(path.read_text(), tmp_path), "mcas", path)
    assert found is not None
    assert (found.format.name, found.format.text) == ("each record as it came", "")
