"""The audit log in a real browser: live, filtered and paged, with and without scripts."""

import asyncio
import time
from pathlib import Path
from typing import Literal

import pytest

from nss.telemetry.audit import AuditLog
from tests.admin.portal.audit.test_audit import write
from tests.admin.portal.browser import NEEDS, PHONE, WIDE, Chromium, Options
from tests.admin.portal.configuration.test_browser import Desk, desk, flaws
from tests.admin.portal.gallery import HOSTILE

pytestmark = [pytest.mark.browser, NEEDS]

__all__ = ["desk"]


@pytest.fixture
async def log(tmp_path: Path) -> AuditLog:
    await asyncio.to_thread(write, tmp_path, 250)
    return AuditLog(tmp_path / "audit.log")


async def test_an_entry_appears_by_itself_within_two_seconds_without_a_jump(
    desk: Desk, log: AuditLog
) -> None:
    seen = await desk.open("/audit")
    page = seen.page
    await page.wait_for_selector("#entries tr")
    heading = await page.locator("h2").bounding_box()
    table = "document.querySelector('table').offsetWidth"
    width = await page.evaluate(table)
    await asyncio.sleep(1.5)  # the stream is there
    began = time.monotonic()
    await asyncio.to_thread(log.write, "upload", "failed", f"{HOSTILE} now")
    await page.wait_for_selector("#entries tr:first-child:has-text('now')", timeout=5000)
    took_secs = time.monotonic() - began

    assert await page.locator("#entries tr").count() == 100
    assert await page.locator("h2").bounding_box() == heading
    assert await page.evaluate(table) == width
    assert await page.locator("#entries img, #entries script").count() == 0
    assert took_secs < 2
    assert seen.complaints == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_one_filters_goes_back_and_returns(
    desk: Desk,
    log: AuditLog,
    scripts: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert log
    seen = await desk.open("/audit", scripts=scripts)
    page = seen.page
    await page.fill("#f-person", "bob")
    await page.select_option("#f-action", "upload")
    await page.fill("#f-text", "reason")
    await page.fill("#f-since", "2026-09-21T14:20")
    await page.click("button:has-text('Filter')")
    await page.wait_for_url("**/audit?*")
    assert set(await page.locator("#entries th").all_inner_texts()) == {"bob"}
    assert await page.input_value("#f-since") == "2026-09-21T14:20"
    await page.click("text=Clear")
    await page.wait_for_url("**/audit")
    await page.click("text=Older")
    await page.wait_for_selector("text=Older entries")
    await page.click("nav >> text=Older")
    await page.wait_for_selector("text=Newest")
    await page.click("nav >> text=Newest")
    await page.wait_for_selector("text=Newest entries")
    async with page.expect_download() as downloading:
        await page.click("text=Download")
    download = await downloading.value
    assert download.suggested_filename == "nss-audit.jsonl"
    path = await download.path()
    data = await asyncio.to_thread(path.read_bytes)
    assert data.count(b"\n") >= 250
    assert seen.complaints == []


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", PHONE)]
)
async def test_every_state_is_for_everybody(
    desk: Desk, log: AuditLog, scheme: Literal["light", "dark"], width: int
) -> None:
    await asyncio.to_thread(log.write, HOSTILE * 3, HOSTILE, HOSTILE * 20, feed="x" * 500)
    options: Options = {"scheme": scheme, "width": width}
    seen = await desk.open("/audit", **options)
    found = []
    for query in ("", "?person=bob&outcome=passed", "?person=nobody", "?since=x", "?before=1-1"):
        await seen.page.goto(f"{desk.server.address}/audit{query}")
        found += [f"{query}: {each}" for each in await flaws(seen)]
    assert found == []


async def test_the_keyboard_is_enough(desk: Desk, log: AuditLog, browser: Chromium) -> None:
    assert log
    assert browser
    page = (await desk.open("/audit")).page
    await page.focus("#f-person")
    await page.keyboard.type("carol")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/audit?person=carol*")
    assert set(await page.locator("#entries th").all_inner_texts()) == {"carol"}
