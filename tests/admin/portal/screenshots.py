"""Pictures of all pages, light and dark, of the demonstration: `make screenshots`."""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from nss.lab.portal_demo import PortalDemo
from tests.admin.portal.browser import ARGUMENTS, CHROMIUM

PAGES = {
    "overview": "/",
    "integrations-mcas": "/integrations",
    "integrations-zia": "/integrations/zia",
    "feeds": "/feeds",
    "feed": "/feeds/siem",
    "tap": "/feeds/siem/tap",
    "studio": "/studio",
    "configuration": "/configuration",
    "configuration-edit": "/configuration/edit",
    "audit": "/audit",
}
SIGN_IN = "sign-in"
RATE = 400
"""Records a second: enough to see them move."""

WIDTH, HEIGHT = 1280, 800
PHONE_WIDTH, PHONE_HEIGHT = 390, 844


async def pictures(folder: Path, warm_up_secs: float) -> list[Path]:
    """Make the pictures in a folder; return their paths."""
    async with PortalDemo(RATE) as demo, async_playwright() as playwright:
        running = asyncio.create_task(demo.run())
        with tempfile.TemporaryDirectory(prefix="nss-pictures-"):
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=list(ARGUMENTS)
            )
            try:
                await asyncio.sleep(warm_up_secs)
                return await _all(browser, demo, folder)
            finally:
                await browser.close()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def _all(browser: Browser, demo: PortalDemo, folder: Path) -> list[Path]:
    made = []
    page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    await page.goto(f"{demo.address}/sign-in")
    made += await _both(page, folder, SIGN_IN)
    await page.goto(demo.link)
    await page.click("main button")
    for name, path in PAGES.items():
        await page.goto(f"{demo.address}{path}")
        await page.wait_for_timeout(2500)
        made += await _both(page, folder, name)
    await page.set_viewport_size({"width": PHONE_WIDTH, "height": PHONE_HEIGHT})
    await page.goto(demo.address)
    await page.wait_for_timeout(1500)
    made += await _both(page, folder, "phone")
    await page.close()
    return made


async def _both(page: Page, folder: Path, name: str) -> list[Path]:
    made = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await page.wait_for_timeout(400)  # graphs are drawn anew
        made.append(folder / f"{name}-{scheme}.png")
        await page.screenshot(path=made[-1])
    return made


def main() -> int:
    """Make the pictures and name them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--warm-up-secs", type=float, default=75, help="how long records flow first"
    )
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt):
        for path in asyncio.run(pictures(chosen.folder, chosen.warm_up_secs)):
            print(path)  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main())
