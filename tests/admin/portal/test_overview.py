"""The overview: each part with its numbers, each red part with its reason and remedy."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from nss.admin.portal.app import PortalApp
from nss.admin.portal.pages.overview import PARTS
from nss.admin.portal.texts import utc
from nss.config.model import Config
from nss.expiry import Expiry
from nss.status.readings import ElsewhereReading
from nss.status.summary import Confirmation, ExpiryStatus, Health, Reason
from tests.admin.conftest import FEED, NOW, PARSING, SOURCE, STATUS, SYNC, FakeOperations
from tests.admin.portal.gallery import HOSTILE
from tests.admin.portal.parts import add_user, browser, first_event, served, sign_in

REFUSED = "connecting failed: connection refused"


@pytest.fixture
async def operations() -> FakeOperations:
    return FakeOperations()


@pytest.fixture
async def app(tmp_path: Path, operations: FakeOperations) -> AsyncIterator[PortalApp]:
    add_user(tmp_path)
    async with served(tmp_path, operations) as found:
        yield found


@pytest.fixture
async def client(app: PortalApp) -> AsyncIterator[httpx.AsyncClient]:
    async with browser(app) as found:
        await sign_in(found)
        yield found


async def text_of(client: httpx.AsyncClient) -> str:
    """Return the overview as somebody reads it."""
    answer = await client.get("/")
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


async def test_all_parts_and_their_numbers_are_there(client: httpx.AsyncClient) -> None:
    text = await text_of(client)

    assert "web reading TCP 100 records/s 1.0 KiB/s" in text
    assert "spool ready on disk Used 1.0 KiB of 4.0 KiB" in text
    assert "mcas moving MCAS 100 records/s 10 pending, lag 1 s" in text
    assert "collector.example.com:514 sent syslog over UDP, of mcas" in text
    assert "mcas 1,234 1,200 20 3 1 10 yes" in text
    assert f"sent {utc(NOW - 3)}" in text
    assert "written not yet since the start" in text
    assert "Nothing is known to be wrong." in text


async def test_what_is_red_has_its_reason_and_a_remedy(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    feed = replace(FEED, state="failing", last_error=REFUSED)
    source = replace(SOURCE, state="failing", last_error="no such file", kind="file")
    reasons = (
        Reason(component="feed mcas", why=f"no lines: {REFUSED}", remedy="nss test-firewall"),
        Reason(component="source web", why="no such file", meaning="nothing comes", remedy="look"),
        Reason(component="spool", why="the disk is full", remedy="free some of it"),
    )
    health = Health(ok=False, alive=True, reasons=reasons)
    operations.current = replace(STATUS, health=health, feeds=(feed,), sources=(source,))
    text = await text_of(client)

    assert text.count(f"no lines: {REFUSED} Try: nss test-firewall") == 2
    assert "no such file; nothing comes Try: look" in text
    assert "no such file nothing comes Try: look" in text
    assert text.count("the disk is full Try: free some of it") == 2
    assert "Nothing is known to be wrong." not in text


@pytest.mark.parametrize(
    ("confirmation", "chip"), [("sent", "quiet"), ("written", "good"), ("confirmed", "good")]
)
async def test_only_what_is_known_to_have_arrived_is_green(
    client: httpx.AsyncClient,
    operations: FakeOperations,
    confirmation: Confirmation,
    chip: str,
) -> None:
    operations.current = replace(STATUS, feeds=(replace(FEED, confirmation=confirmation),))
    _, _, destinations = (await client.get("/")).text.partition("<h3>Destinations</h3>")

    assert f'<li class="node {chip}">' in destinations
    assert "accepting" not in destinations


async def test_an_account_that_does_not_add_up_says_by_how_much(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.current = replace(STATUS, feeds=(replace(FEED, accepted=2234),))

    assert "1,000 missing" in await text_of(client)


async def test_what_ends_has_its_days(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    secret = Expiry(
        component="MCAS", credential="client_secret", place="/etc/x", ends_at=NOW + 86_400
    )
    expiries = tuple(
        ExpiryStatus(
            component=secret.component,
            credential=secret.credential,
            place=secret.place,
            ends_at=secret.ends_at,
            days=days,
        )
        for days in (-2, 0, 100)
    )
    operations.current = replace(STATUS, expiries=expiries, parsing=PARSING, sync=SYNC)
    text = await text_of(client)

    assert "ended 2 days ago" in text
    assert "0 days left" in text
    assert "100 days left" in text
    assert "12 files parsed, 1 failed, 3 waiting" in text
    assert "synced 5 URLs" in text


async def test_it_says_which_machine_syncs_and_uploads(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.current = replace(STATUS, parsing=None, sync=None)
    alone = await text_of(client)
    others = ElsewhereReading(sync="nss1.example.com", uploads=HOSTILE)
    operations.current = replace(operations.current, elsewhere=others)
    page = (await client.get("/")).text
    text = await text_of(client)

    assert "no feed uploads to Cloud Discovery" in alone
    assert "the sync is off" in alone
    assert "_by says" not in alone
    assert "the sync is off; synced_by says that nss1.example.com syncs" in text
    assert "no feed uploads to Cloud Discovery; uploaded_by says that &lt;script&gt;" in text
    assert "<script>alert" not in page


async def test_nothing_that_others_wrote_is_markup(
    app: PortalApp, client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    feed = replace(FEED, destination=HOSTILE, last_error=HOSTILE, kind=HOSTILE)
    reason = Reason(component=f"feed {HOSTILE}", why=HOSTILE, meaning=HOSTILE, remedy=HOSTILE)
    health = Health(ok=False, alive=True, reasons=(reason,))
    parsing = replace(PARSING, unreadable=HOSTILE)
    operations.current = replace(STATUS, health=health, feeds=(feed,), parsing=parsing)
    pages = [(await client.get("/")).text, await first_event(app, client, "/overview/live")]

    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "hx-target=body" not in page.replace("hx-target=body&gt;", "")


async def test_what_is_no_unicode_is_shown_and_sent(
    app: PortalApp, client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    reason = Reason(component="spool", why="can't be read: no such file (/data/\udcff.log)")
    health = Health(ok=False, alive=True, reasons=(reason,))
    operations.current = replace(STATUS, health=health)
    page, live = await client.get("/"), await first_event(app, client, "/overview/live")

    assert page.status_code == 200
    for text in (page.text, live):
        assert "/data/\\udcff.log" in text


async def test_control_characters_are_made_visible(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    feed = replace(FEED, destination="evil\x1b[2J\u202e\x00")
    operations.current = replace(STATUS, feeds=(feed,))
    page = (await client.get("/")).text

    assert "evil\\x1b[2J\\u202e\\x00" in page


async def test_every_live_part_has_its_element(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text

    for part in ("health", *PARTS):
        assert page.count(f'id="{part}"') == 1


async def test_a_service_that_has_nothing_yet_is_shown_as_that(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    operations.current = replace(STATUS, feeds=(), sources=())

    assert "No feeds" in await text_of(client)


async def test_the_first_page_is_small(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    loaded = len(page.content)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        answer = await client.get(path)
        assert answer.status_code == 200
        loaded += len(answer.content)

    assert loaded < 100_000


async def test_a_page_that_fails_says_so_and_so_does_the_log(
    client: httpx.AsyncClient, operations: FakeOperations, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Config:
        raise RuntimeError("a record: secret")

    operations.configuration = broken  # type: ignore[method-assign]
    answer = await client.get("/")

    assert answer.status_code == 500
    assert "this went wrong here: unplanned RuntimeError" in answer.text
    assert "a record" not in answer.text
    [record] = [each for each in caplog.records if "request failed" in each.getMessage()]
    assert record.levelname == "ERROR"
