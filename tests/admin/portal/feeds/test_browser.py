"""The pages of feeds in Chromium, on a real service: graphs, tap, rejects, replay.

With and without scripts, light and dark, on a phone, by the keyboard.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from nss.admin.control.client import ControlClient
from nss.lab.generator import RecordGenerator
from nss.setup.portal_users import Role
from tests.admin.portal.browser import NEEDS, PHONE, WIDE, Chromium, Options, Seen
from tests.admin.portal.feeds.running import RealService, real_service, until

pytestmark = [pytest.mark.browser, NEEDS]

BAD = b"no record <script>alert(1)</script> </textarea> \x1b[2J \xe2\x80\xae \xff\n"

PAGES = (
    "/feeds",
    "/feeds/out",
    "/feeds/out?span=24h",
    "/feeds/source/web",
    "/feeds/out/rejects",
    "/feeds/other/rejects",
    "/feeds/out/replay",
    "/feeds/out/replay?preset=all",
    "/feeds/out/tap",
    "/feeds/out/tap?sample=yes",
)

_DRAWN = """graph => {
  const canvas = graph.querySelector("canvas");
  const item = graph.querySelector("[data-legend] > li");
  if (!canvas?.width || !item) return 0;
  const line = getComputedStyle(item).color.match(/[0-9]+/g).map(Number);
  const copy = Object.assign(document.createElement("canvas"),
    { width: canvas.width, height: canvas.height });
  const drawing = copy.getContext("2d", { willReadFrequently: true });
  drawing.drawImage(canvas, 0, 0);
  const { data } = drawing.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] > 200 && line.every((part, i) => Math.abs(part - data[at + i]) < 8)) found++;
  return found;
}"""
"""Counts the pixels that have the colour of the line."""


@pytest.fixture
async def service(folder: Path) -> AsyncIterator[RealService]:
    async with real_service(folder) as running:
        yield running


async def sign_in(
    browser: Chromium, service: RealService, options: Options | None = None, role: Role = "admin"
) -> tuple[Seen, str]:
    """Open a page of somebody who has signed in; return it and the portal's address."""
    seen = await browser.open(**(options or {}))
    seen.page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}"))
    link = await service.link(role)
    await seen.page.goto(link)
    await seen.page.click("main button")
    return seen, link.partition("/once")[0]


async def deliver(service: RealService, records: int) -> None:
    """Have records delivered by the feed `out`, and three rejected."""
    service.append(RecordGenerator(1).batch(records))
    await until(lambda: len(service.lines()) >= records)
    service.append(BAD * 3)


async def rejected(page: Page, address: str) -> None:
    """Go to the rejects of the feed `out`, once there are some."""
    summary = page.locator("details.more > summary")
    for _ in range(50):
        await page.goto(f"{address}/feeds/out/rejects")
        if await summary.count():
            return
        await asyncio.sleep(0.2)
    raise AssertionError("nothing was rejected")


async def drawn(graph: Locator) -> None:
    """Wait until a graph has a line."""
    async with asyncio.timeout(20):
        while not await graph.evaluate(_DRAWN):  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.2)


async def test_graphs_draw_what_the_service_knows(browser: Chromium, service: RealService) -> None:
    await deliver(service, 500)
    seen, address = await sign_in(browser, service)
    await seen.page.goto(f"{address}/feeds/out")
    graphs = seen.page.locator("[data-graph]")
    await expect(graphs).to_have_count(3)
    for place in range(3):
        await drawn(graphs.nth(place))
        await expect(graphs.nth(place).locator("[data-legend]")).to_contain_text("max")
    await seen.page.get_by_role("link", name="24 hours").click()
    await expect(seen.page).to_have_url(re.compile("span=24h"))
    await expect(graphs.first.locator("[data-legend]")).to_contain_text("max")
    assert seen.complaints == []


async def test_a_tap_shows_lines_live_and_a_pause_holds_them(
    browser: Chromium, service: RealService
) -> None:
    seen, address = await sign_in(browser, service)
    page, lines = seen.page, seen.page.locator("#tapped > li")
    await page.goto(f"{address}/feeds/out/tap?rate=50")
    generator = RecordGenerator(1)

    async def flow() -> None:
        while True:
            service.append(generator.batch(20))
            await asyncio.sleep(0.2)

    flowing = asyncio.create_task(flow())
    try:
        await expect(lines.first).to_contain_text("LEEF:1.0")
        await page.get_by_role("button", name="Pause").click()
        held = await lines.count()
        await expect(page.locator("[data-tap-state]")).to_contain_text("lines wait")
        await page.wait_for_timeout(1500)
        assert await lines.count() == held
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("[data-tap-state]")).to_be_empty()
        await expect(lines).to_have_count(200, timeout=20_000)
        await page.wait_for_timeout(1500)
        assert await lines.count() == 200
        await expect(page.locator("#left-out")).to_contain_text("more passed")

        await page.get_by_label("With this text in it").fill("Blocked")
        await page.get_by_role("button", name="Show", exact=True).click()
        await expect(page).to_have_url(re.compile("text=Blocked"))
        await expect(lines.first).to_contain_text("Blocked")
        assert all("Blocked" in text for text in await lines.all_text_contents())
    finally:
        flowing.cancel()
        await asyncio.gather(flowing, return_exceptions=True)
    assert seen.complaints == []


async def test_rejects_open_and_go_through_again_after_a_confirmation(
    browser: Chromium, service: RealService
) -> None:
    await deliver(service, 20)
    seen, address = await sign_in(browser, service)
    page = seen.page
    await rejected(page, address)

    await page.locator("details.more > summary").click()
    records = page.locator("pre.code")
    await expect(records).to_have_count(3)
    await expect(records.first).to_have_text(
        r"no record <script>alert(1)</script> </textarea> \x1b[2J \u202e \xff"
    )
    await page.locator("summary", has_text="Retry all").click()
    await expect(
        page.get_by_text("Have all rejects of this feed go through it again?")
    ).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("button", name="Retry all")).to_be_hidden()
    await page.locator("summary", has_text="Retry all").click()
    await page.get_by_role("button", name="Retry all").click()
    await expect(page.locator("#notices")).to_contain_text("again: 3 rejected again.")
    assert seen.complaints == []


async def test_a_replay_is_looked_up_confirmed_and_done_by_the_keyboard(
    browser: Chromium, service: RealService
) -> None:
    await deliver(service, 100)
    seen, address = await sign_in(browser, service)
    page = seen.page
    await page.goto(f"{address}/feeds/out/replay")
    await page.get_by_label("From (UTC)").fill("tomorrow")
    await page.keyboard.press("Enter")
    field = page.get_by_label("From (UTC)")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#f-since-error")).to_contain_text("not a time")
    seen.complaints.clear()  # of the status of that page

    await page.get_by_role("link", name="All that is kept").press("Enter")
    await expect(page.locator("#found")).to_contain_text("records were accepted from")
    await page.locator("summary", has_text="Replay").press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Replay")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#notices")).to_contain_text("out delivers them again.")
    await until(lambda: len(service.lines()) >= 200)
    assert seen.complaints == []


async def test_everything_works_without_scripts(browser: Chromium, service: RealService) -> None:
    await deliver(service, 50)
    seen, address = await sign_in(browser, service, {"scripts": False})
    page = seen.page
    await rejected(page, address)
    await page.locator("details.more > summary").click()
    await page.get_by_role("link", name="Show the newest records").click()
    await expect(page.locator("pre.code")).to_have_count(3)
    await page.locator("summary", has_text="Retry all").click()
    await page.get_by_role("button", name="Retry all").click()
    await expect(page.locator("#notices")).to_contain_text("again: 3 rejected again.")

    await page.get_by_role("link", name="Replay", exact=True).click()
    await page.get_by_role("link", name="All that is kept").click()
    await page.locator("summary", has_text="Replay").click()
    await page.get_by_role("button", name="Replay").click()
    await expect(page.locator("#notices")).to_contain_text("out delivers them again.")

    await page.get_by_role("link", name="Tap", exact=True).click()
    generator, taking = RecordGenerator(2), asyncio.Event()

    async def flow() -> None:
        while not taking.is_set():
            service.append(generator.batch(5))
            await asyncio.sleep(0.1)

    flowing = asyncio.create_task(flow())
    await page.get_by_role("button", name="Take a sample").click()
    await expect(page.locator("ol.lines > li").first).to_contain_text("LEEF:1.0")
    taking.set()
    await flowing


@pytest.mark.parametrize(
    "options",
    [
        {"width": WIDE, "scheme": "light"},
        {"width": WIDE, "scheme": "dark"},
        {"width": PHONE, "scheme": "light"},
    ],
    ids=["light", "dark", "phone"],
)
async def test_no_page_has_a_barrier(
    browser: Chromium, service: RealService, options: Options
) -> None:
    await deliver(service, 50)
    seen, address = await sign_in(browser, service, options)
    await rejected(seen.page, address)
    for path in PAGES:
        await seen.page.goto(f"{address}{path}")
        await seen.page.wait_for_timeout(700)
        for summary in await seen.page.locator("main details > summary").all():
            await summary.click()
        await seen.page.wait_for_timeout(300)
        assert await seen.violations() == [], path
        assert await seen.overflow() == 0, path
        assert seen.complaints == [], path


async def test_a_reload_on_the_command_line_shows_on_the_open_page(
    browser: Chromium, service: RealService
) -> None:
    seen, address = await sign_in(browser, service, role="viewer")
    await seen.page.goto(f"{address}/feeds/out")
    await expect(seen.page.locator("#feed-about")).to_contain_text('not_users = ["robot@*"]')
    await expect(seen.page.get_by_role("button", name="Upload now")).to_have_count(0)
    config = service.bench.config
    config.write_text(config.read_text().replace("robot@*", "machine@*"))

    def reload() -> None:
        client = ControlClient(service.bench.folder / "control.sock")
        try:
            client.reload()
        finally:
            client.close()

    await asyncio.to_thread(reload)
    await expect(seen.page.locator("#feed-about")).to_contain_text(
        'not_users = ["machine@*"]', timeout=4000
    )
    assert seen.complaints == []


async def test_an_unknown_feed_has_a_page_with_the_nearest_name(
    browser: Chromium, service: RealService
) -> None:
    seen, address = await sign_in(browser, service)
    await seen.page.goto(f"{address}/feeds/ouut")
    await expect(seen.page.get_by_text("feed 'ouut' is not known")).to_be_visible()
    await expect(seen.page.locator(".tip")).to_contain_text("out")
    assert await seen.violations() == []
