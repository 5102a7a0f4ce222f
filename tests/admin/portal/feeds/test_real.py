"""The pages of feeds on a real service: figures, rejects, replay, tap."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from nss.lab.generator import RecordGenerator
from tests.admin.portal.feeds.conftest import Browser
from tests.admin.portal.feeds.running import RealService, real_service, until

pytestmark = pytest.mark.long

BAD = b"no record at all <script>alert(1)</script> \x1b[2J \xff\n"


@pytest.fixture
async def service(folder: Path) -> AsyncIterator[RealService]:
    async with real_service(folder) as running:
        yield running


@pytest.fixture
async def admin(service: RealService) -> AsyncIterator[Browser]:
    async with service.browser() as browser:
        yield browser


async def test_figures_come_from_the_history_of_the_service(
    service: RealService, admin: Browser
) -> None:
    service.append(RecordGenerator(1).batch(500))
    await until(lambda: len(service.lines()) == 500)
    found: list[float] = []
    async with asyncio.timeout(20):
        while not any(found):
            await asyncio.sleep(0.3)
            answer = await admin.get("/feeds/out/series.json?span=15m&number=rate")
            (rate,) = orjson.loads(answer.content)["series"]
            found = [value for value in rate["values"] if value is not None]
    page = await admin.page("/feeds/out")
    assert "not_users = [&#34;robot@*&#34;]" in page
    assert "QRADAR" in page
    answer = await admin.get("/feeds/source/web/series.json?span=24h")
    assert any(orjson.loads(answer.content)["series"][0]["values"])


async def test_rejects_are_shown_and_go_through_again(service: RealService, admin: Browser) -> None:
    service.append(RecordGenerator(1).batch(50))
    await until(lambda: len(service.lines()) == 50)
    service.append(BAD * 3)
    page = ""
    async with asyncio.timeout(20):
        while "3 records, the newest" not in page:
            await asyncio.sleep(0.1)
            page = await admin.page("/feeds/out/rejects")
    (key,) = re.findall(r'<li id="group-([0-9a-f]+)">', page)

    shown = await admin.page(f"/feeds/out/rejects?group={key}")
    assert shown.count("no record at all &lt;script&gt;alert(1)&lt;/script&gt; \\x1b[2J \\xff") == 3

    answer = await admin.post("/feeds/out/retry")
    assert "3 records went through the feed again: 3 rejected again." in answer.text
    (entry,) = admin.audited()
    assert (entry["action"], entry["records"]) == ("rejects-retry", 3)


async def test_a_replay_delivers_as_many_as_it_said(service: RealService, admin: Browser) -> None:
    service.append(RecordGenerator(1).batch(200))
    await until(lambda: len(service.lines()) == 200)
    page = ""
    async with asyncio.timeout(20):
        while "200 records were accepted" not in page:  # committed a moment after it is delivered
            await asyncio.sleep(0.1)
            page = await admin.page("/feeds/out/replay?preset=all")
    times = dict(re.findall(r'<input type="hidden" name="(since|until)" value="([^"]+)">', page))

    answer = await admin.post("/feeds/out/replay", **times)

    assert "200 records accepted from" in answer.text
    await until(lambda: len(service.lines()) == 400)
    assert service.lines()[:200] == service.lines()[200:]
    (entry,) = admin.audited()
    assert (entry["action"], entry["outcome"], entry["records"]) == ("replay", "ok", 200)


async def test_a_tap_shows_what_passes(service: RealService, admin: Browser) -> None:
    async with admin.stream("/feeds/out/tap/live?rate=5&kind=lines") as events:
        await anext(events)
        service.append(RecordGenerator(1).batch(100))
        shown = ""
        async with asyncio.timeout(20):
            while "more passed" not in shown or "<li>" not in shown:
                shown += await anext(events)
                if "<li>" not in shown:  # on a busy machine all may pass between two lines
                    service.append(RecordGenerator(1).batch(100))
    lines = re.findall(r"<li>(.*?)</li>", shown)
    assert 1 <= len(lines) <= 10
    assert all("LEEF:1.0|Zscaler|NSS" in line for line in lines)
    assert "\\tsrc=" in lines[0]
