"""Partner Integrations in a real browser: the first set-up, what goes wrong, and how it looks."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from nss.admin.portal.server import PortalServer
from nss.lab.cloud import CloudLab
from tests.admin.portal import browser as chrome
from tests.admin.portal.browser import PHONE, WIDE, Chromium, Options, Seen
from tests.admin.portal.integrations.conftest import TOML, Desk, Operations
from tests.admin.portal.parts import PASSWORD, add_user, configuration

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_factories=["uvloop"]),
    chrome.NEEDS,
]

PAGES = ["/integrations", "/integrations?method=certificate", "/integrations/zia"]

LOOKS: list[Options] = [
    {"scheme": "light", "width": WIDE},
    {"scheme": "dark", "width": WIDE},
    {"scheme": "light", "width": PHONE},
]

OPEN_ALL = "for (const each of document.querySelectorAll('details')) each.open = true"

LAYOUT_SHIFT = """
new Promise(done => {
  const sum = list => list.getEntries().reduce((total, each) => total + each.value, 0);
  new PerformanceObserver(list => done(sum(list))).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(0), 300);
})
"""

LOADED_BYTES = """
["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind))
  .reduce((total, each) => total + each.encodedBodySize, 0)
"""


@pytest.fixture
async def served_desk(tmp_path: Path, lab: CloudLab) -> AsyncIterator[tuple[Desk, str]]:
    """A desk without its own browser, and the address of its portal."""
    folder = tmp_path / "state"
    folder.mkdir()
    facts = {"ca_file": lab.ca_file, "data_source": "NSS", "sink": "cloud_discovery"}
    toml = TOML.format(sink_extra="", extra="", mcas_extra="", **facts)
    config = configuration(folder, toml, '[portal]\nlisten = "127.0.0.1:0"\n')
    operations = Operations(config)
    add_user(folder)
    add_user(folder, "victor", "viewer")
    server = PortalServer(config, tmp_path / "nss.toml", operations)
    await server.start()
    try:
        yield Desk(folder, lab, operations, None, None), server.address  # type: ignore[arg-type]
    finally:
        await server.close()


async def signed_in(browser: Chromium, url: str, user: str = "alice", **looks: object) -> Seen:
    seen = await browser.open(f"{url}/sign-in", **looks)  # type: ignore[arg-type]
    await seen.page.fill("#f-user", user)
    await seen.page.fill("#f-password", PASSWORD)
    await seen.page.click("main button:text-is('Sign in')")
    await seen.page.wait_for_url(f"{url}/")
    return seen


async def fill(page: Page, values: dict[str, str]) -> None:
    for name, text in values.items():
        if name != "method":
            await page.fill(f"#f-{name}", text)


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_first_set_up(
    browser: Chromium, served_desk: tuple[Desk, str], *, scripts: bool
) -> None:
    desk, url = served_desk
    desk.mark(".reddit.com", "www.dropbox.com")
    seen = await signed_in(browser, url, scripts=scripts)
    page = seen.page
    await page.click("nav >> text=Partner Integrations")
    await expect(page.locator("#stored")).to_contain_text("Nothing is stored yet")

    await fill(page, desk.good | {"client_id": "app", "api_url": "https://security.microsoft.com"})
    error = page.locator("#f-client_id-error")
    if scripts:
        await expect(error).to_contain_text("The Client ID is not a GUID")
        await expect(page.locator("#f-client_id")).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#f-api_url-error")).to_contain_text("a portal for people")
    await page.click("button:text-is('Save')")
    await expect(page.locator("#result")).to_contain_text("Nothing was tested and nothing was")
    await expect(error).to_contain_text("The Client ID is not a GUID")
    await expect(page.locator("#f-client_secret")).to_have_value("")
    await expect(page.locator("#f-client_secret-kept")).to_contain_text("kept until")

    await fill(page, {"client_id": desk.lab.client_id, "api_url": desk.lab.api_url})
    if scripts:
        await expect(error).to_have_text("")
    await page.fill("#f-client_secret", "abcdefghijklmnopqrstuvwxyz0123456789")
    await page.click("button:text-is('Test')")
    await expect(page.locator("#result")).to_contain_text("AADSTS7000215")
    await expect(page.locator("#f-client_secret-error")).to_contain_text("is not the right one")
    await page.fill("#f-client_secret", desk.lab.client_secret)
    await page.click("button:text-is('Test')")
    await expect(page.locator("#result")).to_contain_text("All steps passed")
    assert not desk.store.path.exists()
    await page.click("button:text-is('Save')")
    await expect(page.locator("#result")).to_contain_text("Stored. The running service uses it")
    await expect(page.locator("#stored")).to_contain_text(desk.lab.client_id)
    assert desk.store.load() is not None

    await _the_way_back(page, desk)
    await _clear(page, desk)
    assert desk.lab.client_secret not in await page.content()
    assert seen.complaints == []


async def _the_way_back(page: Page, desk: Desk) -> None:
    await page.click("text=Zscaler Internet Access")
    await fill(page, desk.good_zia)
    await page.click("button:text-is('Save')")
    await expect(page.locator("#result")).to_contain_text("Stored.")
    await page.click("text=Microsoft Cloud App Security")
    await page.click("button:text-is('What the next run would change')")
    await expect(page.locator("#sync_jobs")).to_contain_text("Would be added: 2")
    await page.click("button:text-is('Sync now')")
    await expect(page.locator("#sync_jobs")).to_contain_text("2 added, 0 removed")
    await expect(page.locator("#sync_state")).to_contain_text("2 URLs, 2 added, 0 removed")
    await page.fill("#f-url", "www.dropbox.com")
    await page.click("button:text-is('Look it up')")
    await expect(page.locator("#sync_jobs")).to_contain_text("no enabled URL filtering rule")


async def _clear(page: Page, desk: Desk) -> None:
    await page.click("summary:has-text('Clear Config')")
    await page.click(".confirm-box >> button:text-is('Clear Config')")
    await expect(page.locator("#notices")).to_contain_text("Cleared. Uploads and the sync stop")
    await expect(page.locator("#stored")).to_contain_text("Nothing is stored yet")
    assert desk.store.load() is None


async def test_a_change_elsewhere_appears_and_takes_nothing_that_is_being_typed(
    browser: Chromium, served_desk: tuple[Desk, str]
) -> None:
    desk, url = served_desk
    seen = await signed_in(browser, url)
    page = seen.page
    await page.goto(f"{url}/integrations")
    await page.fill("#f-client_id", "half of it")
    await expect(page.locator("[data-connection=lost]")).to_be_hidden()

    desk.store_good()

    await expect(page.locator("#stored")).to_contain_text(desk.lab.client_id, timeout=2500)
    await expect(page.locator("#f-client_id")).to_have_value("half of it")
    assert seen.complaints == []


async def test_a_legacy_token_is_converted(
    browser: Chromium, served_desk: tuple[Desk, str]
) -> None:
    desk, url = served_desk
    desk.store.token_path.write_text(desk.lab.legacy_token)
    desk.store.token_path.chmod(0o600)
    seen = await signed_in(browser, url)
    page = seen.page
    await page.goto(f"{url}/integrations")
    method = page.locator("#f-authentication_method")
    await expect(method).to_have_value("Legacy API token")
    await expect(method).to_have_attribute("readonly", "")
    assert await seen.violations() == []

    await page.click("text=Convert to OAuth 2.0")
    await fill(page, desk.good)
    await page.click("button:text-is('Save')")

    await expect(page.locator("#result")).to_contain_text("The legacy token was removed")
    await expect(method).to_have_count(0)
    assert not desk.store.token_path.exists()


async def test_two_browsers_at_once(browser: Chromium, served_desk: tuple[Desk, str]) -> None:
    desk, url = served_desk
    first, second = await signed_in(browser, url), await signed_in(browser, url)
    for seen in (first, second):
        await seen.page.goto(f"{url}/integrations")
        await fill(seen.page, desk.good)

    await first.page.click("button:text-is('Save')")
    await expect(first.page.locator("#result")).to_contain_text("Stored.")
    await second.page.click("button:text-is('Save')")
    result = second.page.locator("#result")
    await expect(result).to_contain_text("Somebody has changed what is stored")
    await second.page.click("button:text-is('Save')")
    await expect(result).to_contain_text("Stored.")


async def test_the_keyboard_is_enough(browser: Chromium, served_desk: tuple[Desk, str]) -> None:
    desk, url = served_desk
    seen = await signed_in(browser, url)
    page = seen.page
    await page.goto(f"{url}/integrations")
    await page.focus("#f-client_id")
    names = ["client_id", "client_secret", "client_secret_expires", "scope"]
    for name in [*names, "authentication_url", "api_url"]:
        assert await page.evaluate("document.activeElement.id") == f"f-{name}"
        await page.keyboard.press("Control+A")
        await page.keyboard.insert_text(desk.good[name])
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.value") == "test"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.locator("#result")).to_contain_text("Stored.")
    await page.focus("summary:has-text('Clear Config')")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#stored")).to_contain_text("Nothing is stored yet")


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: f"{looks['scheme']}-{looks['width']}")
async def test_everybody_can_use_it(
    browser: Chromium, served_desk: tuple[Desk, str], looks: Options
) -> None:
    desk, url = served_desk
    seen = await signed_in(browser, url, **looks)
    for path in PAGES:
        await seen.page.goto(url + path)
        assert await seen.violations() == []
    await seen.page.goto(f"{url}/integrations")
    await fill(seen.page, desk.good | {"client_id": "app"})
    await expect(seen.page.locator("#f-client_id-error")).to_contain_text("not a GUID")
    assert await seen.violations() == []
    desk.lab.entra.roles = []
    await fill(seen.page, desk.good)
    await seen.page.click("button:text-is('Test')")
    await expect(seen.page.locator("#result")).to_contain_text("role")
    assert await seen.violations() == []
    desk.lab.entra.roles = ["Discovery.manage"]
    await seen.page.click("button:text-is('Save')")
    await expect(seen.page.locator("#result")).to_contain_text("Stored.")
    desk.mark(".reddit.com", "com")
    await seen.page.click("button:text-is('Ask MCAS now')")
    await seen.page.click("button:text-is('What the next run would change')")
    await expect(seen.page.locator("#sync_jobs")).to_contain_text("Would be added: 1")
    await seen.page.click("button:text-is('Sync now')")
    await expect(seen.page.locator("#sync_state")).to_contain_text("1 added")
    await seen.page.evaluate(OPEN_ALL)
    assert await seen.violations() == []
    assert await seen.overflow() == 0
    assert seen.complaints == []

    viewer = await signed_in(browser, url, "victor", **looks)
    for path in PAGES:
        await viewer.page.goto(url + path)
        assert await viewer.violations() == []
        assert await viewer.overflow() == 0
        buttons = await viewer.page.locator("main button").all_inner_texts()
        assert [text for text in buttons if not re.fullmatch(r"\s*", text)] == []
    assert viewer.complaints == []


async def test_a_page_is_small_and_jumps_nowhere(
    browser: Chromium, served_desk: tuple[Desk, str]
) -> None:
    desk, url = served_desk
    desk.store_good()
    seen = await signed_in(browser, url)
    await seen.page.goto(f"{url}/integrations")
    await seen.page.wait_for_timeout(2500)  # a few turns of the stream
    assert await seen.page.evaluate(LAYOUT_SHIFT) < 0.01
    assert await seen.page.evaluate(LOADED_BYTES) < 100_000
