"""The configuration in a real browser: edited, put in force, undone, with and without scripts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from nss.admin.portal.server import PortalServer
from nss.errors import ServiceError
from tests.admin.portal.browser import NEEDS, PHONE, WIDE, Chromium, Options, Seen
from tests.admin.portal.configuration.parts import TEXT, Operations, prepared

pytestmark = [pytest.mark.browser, NEEDS]

WRONG = TEXT.replace('"MCAS"', '"NOPE"\nzone = "Mars"')
NEW = TEXT.replace('"MCAS"', '"QRADAR"')
PAGES = ["/configuration", "/configuration/file", "/configuration/edit", "/configuration/versions"]


@dataclass
class Desk:
    """A portal on loopback, and browsers that have signed in."""

    browser: Chromium
    server: PortalServer
    operations: Operations

    async def open(self, path: str, **options: object) -> Seen:
        link = self.server.new("admin")
        seen = await self.browser.open(link, **options)  # type: ignore[arg-type]
        await seen.page.click("main button")
        await seen.page.wait_for_selector("#picture")
        await seen.page.goto(self.server.address + path)
        return seen

    @property
    def text(self) -> str:
        return self.operations.path.read_text()


@pytest.fixture
async def desk(browser: Chromium, tmp_path: Path) -> AsyncIterator[Desk]:
    path = await asyncio.to_thread(prepared, tmp_path, TEXT.replace(":9633", ":0"))
    operations = Operations(path)
    server = PortalServer(operations.in_force, path, operations)
    await server.start()
    try:
        yield Desk(browser, server, operations)
    finally:
        await server.close()


def own(text: str) -> str:
    return text.replace(":9633", ":0")


async def check(page: Page, text: str) -> None:
    await page.fill("#text", own(text))
    await page.click('button[value="check"]')
    await page.wait_for_selector("main .notice")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_change_is_checked_corrected_put_in_force_and_undone(
    desk: Desk,
    scripts: bool,  # noqa: FBT001 - a parameter
) -> None:
    seen = await desk.open("/configuration/edit", scripts=scripts)
    page = seen.page
    await check(page, WRONG)
    assert await page.locator(".faults li").count() == 2
    assert "Line 16" in await page.inner_text(".faults")
    assert await page.locator('button[value="put"]').count() == 0
    await page.click("text=Line 16")
    if scripts:
        area = "const area = document.getElementById('text');"
        selected = "area.value.slice(area.selectionStart, area.selectionEnd)"
        assert await page.evaluate(f"() => {{ {area} return {selected} }}") == 'zone = "Mars"'
    else:
        assert page.url.endswith("#near-16")
        assert 'zone = "Mars"' in await page.inner_text("#near-16")

    await check(page, NEW)
    assert '+format = "QRADAR"' in await page.inner_text(".diff")
    await page.click('button[value="put"]')
    await page.wait_for_url("**/configuration")
    assert "The new configuration is in force." in await page.inner_text(".notices")
    assert desk.text == own(NEW)

    await page.click(".tabs >> text=Versions")
    await page.click("summary:has-text('Put it back in force')")
    await page.click(".confirm button:has-text('Put it back in force')")
    await page.wait_for_selector("text=Version 1 is in force again")
    assert desk.text == own(TEXT)
    assert desk.operations.in_force.feeds[0].format.value == "MCAS"
    assert seen.complaints == []


async def test_a_refusal_says_why_and_the_text_is_still_there(desk: Desk) -> None:
    page = (await desk.open("/configuration/edit")).page
    await check(page, NEW)
    desk.operations.refusal = ServiceError("feed out: no room", tip="make some")
    await page.click('button[value="put"]')
    await page.wait_for_selector("text=the service has refused it: feed out: no room")
    assert await page.input_value("#text") == own(NEW)
    assert desk.text == own(TEXT)


async def test_settings_are_found_as_one_types(desk: Desk) -> None:
    seen = await desk.open("/configuration")
    page = seen.page
    await page.locator("#q").press_sequentially("idle_min")
    await page.wait_for_selector("text=1 of")
    assert await page.locator(".setting").count() == 1
    assert "idle_minutes" in await page.inner_text(".setting")
    await page.fill("#q", "nothing is called so")
    await page.wait_for_selector("text=Nothing is called that")
    await page.fill("#q", "")
    await page.wait_for_selector("text=[service]")
    assert seen.complaints == []


async def test_the_keyboard_is_enough(desk: Desk) -> None:
    page = (await desk.open("/configuration/edit")).page
    await page.focus("#text")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(own(NEW))
    await tab_to(page, "Check")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".diff")
    await page.focus("#main")
    await tab_to(page, "Put in force")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/configuration")
    assert desk.text == own(NEW)


async def tab_to(page: Page, text: str) -> None:
    for _ in range(40):
        await page.keyboard.press("Tab")
        focused = await page.evaluate("document.activeElement.textContent.trim()")
        if focused == text:
            return
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", PHONE)]
)
async def test_every_page_and_state_is_for_everybody(
    desk: Desk, scheme: Literal["light", "dark"], width: int
) -> None:
    options: Options = {"scheme": scheme, "width": width}
    seen = await desk.open("/configuration", **options)
    page = seen.page
    states = []
    for path in PAGES:
        await page.goto(desk.server.address + path)
        states += [f"{path}: {each}" for each in await flaws(seen)]
    for text in (WRONG, "[[[", TEXT.replace("[portal]", "[portal]\nidle_minutes = 5"), NEW):
        await page.goto(f"{desk.server.address}/configuration/edit")
        await check(page, text)
        states += [f"{text}: {each}" for each in await flaws(seen)]
    await page.click('button[value="put"]')
    for path in ("/configuration?q=nothing-such", "/configuration/versions"):
        await page.goto(desk.server.address + path)
        states += [f"{path}: {each}" for each in await flaws(seen)]
    await page.click("summary:has-text('Put it back in force')")
    states += await flaws(seen)
    assert states == []
    assert seen.complaints == []


async def flaws(seen: Seen) -> list[str]:
    overflow = await seen.overflow()
    return [*await seen.violations(), *([f"{overflow} px too wide"] if overflow else [])]
