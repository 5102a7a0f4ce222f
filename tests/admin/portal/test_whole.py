"""The whole of it in a real browser: a service of its own, on the lab's data."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from nss.admin.portal.live import MAX_STREAMS_EACH
from nss.lab import commands
from nss.lab.portal_demo import PortalDemo
from nss.setup.portal_users import PortalUsers
from tests.admin.portal.browser import NEEDS, PHONE, Chromium, Seen
from tests.admin.portal.parts import CHEAP, PASSWORD

pytestmark = [pytest.mark.browser, NEEDS]

RATE = 200
WAIT_SECS = 60.0


async def until(holds: Callable[[], Awaitable[bool]], within_secs: float = WAIT_SECS) -> None:
    async with asyncio.timeout(within_secs):
        while not await holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def demonstration(*, is_set_up: bool = True) -> AsyncIterator[PortalDemo]:
    async with PortalDemo(RATE, is_set_up=is_set_up, upload_secs=2) as demo:
        running = asyncio.create_task(demo.run())
        try:
            yield demo
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def demo() -> AsyncIterator[PortalDemo]:
    async with demonstration() as found:
        yield found


async def signed_in(browser: Chromium, demo: PortalDemo, link: str | None = None) -> Seen:
    """Open a browser of its own and sign in with a one-time link."""
    seen = await browser.open(link or demo.link)
    await seen.page.click("main button")
    await seen.page.wait_for_selector("#picture")
    return seen


async def new_link(demo: PortalDemo) -> str:
    return (await commands.run(demo.config, "portal sign-in-link"))[0]


def figure(page: Page, label: str) -> Callable[[], Awaitable[float]]:
    """Return what reads a figure of the summary now."""

    async def read() -> float:
        text = await page.inner_text(f'#summary .stat:has(dt:text-is("{label}")) .figure')
        return float(text.replace(",", "").split()[0])

    return read


async def test_what_flows_is_seen_to_flow(browser: Chromium, demo: PortalDemo) -> None:
    seen = await signed_in(browser, demo)
    delivered = figure(seen.page, "Delivered")

    async def flows() -> bool:
        return await delivered() > 0

    await until(flows)
    assert "connection refused" in await seen.page.inner_text("#reasons")
    assert await seen.page.inner_text("#health") == "Degraded"
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, PHONE])
async def test_the_overview_is_for_everybody(
    browser: Chromium, demo: PortalDemo, scheme: str, width: int
) -> None:
    seen = await browser.open(demo.link, width=width, scheme=scheme)  # type: ignore[arg-type]
    await seen.page.click("main button")
    await seen.page.wait_for_selector("#picture")

    assert await seen.violations() == []
    assert await seen.overflow() == 0


async def test_an_open_page_goes_on_after_a_restart_by_itself(
    browser: Chromium, demo: PortalDemo
) -> None:
    seen = await signed_in(browser, demo)
    page = seen.page
    started = await page.inner_text("#summary")
    demo.process.send_signal(signal.SIGTERM)
    await demo.process.wait()
    await page.wait_for_selector('[data-connection="lost"]:not([hidden])')
    demo.process = await commands.start_service(demo.config, demo.log)
    try:
        await page.wait_for_selector('[data-connection="lost"]', state="hidden", timeout=20_000)

        async def has_changed() -> bool:
            return await page.inner_text("#summary") != started

        await until(has_changed)
        assert await page.locator('[data-connection="over"]').is_hidden()
        await page.reload()
        assert await page.inner_text("h1") == "Overview"
    finally:
        await commands.kill(demo.process)


async def test_an_open_page_says_when_the_session_is_over(
    browser: Chromium, demo: PortalDemo
) -> None:
    users = PortalUsers(demo.folder / "state", cost=CHEAP)
    await asyncio.to_thread(users.set_password, "alice", PASSWORD, "admin")
    seen = await browser.open(f"{demo.address}/sign-in")
    await seen.page.fill('[name="user"]', "alice")
    await seen.page.fill('[name="password"]', PASSWORD)
    await seen.page.keyboard.press("Enter")
    await seen.page.wait_for_selector("#picture")
    await asyncio.to_thread(users.remove, "alice")

    await seen.page.wait_for_selector('[data-connection="over"]:not([hidden])', timeout=15_000)
    await seen.page.click("text=sign in again")
    assert await seen.page.inner_text("h1") == "Sign in"


async def test_guessing_ends_in_a_wait_that_the_page_explains(
    browser: Chromium, demo: PortalDemo
) -> None:
    users = PortalUsers(demo.folder / "state", cost=CHEAP)
    await asyncio.to_thread(users.set_password, "alice", PASSWORD, "admin")
    seen = await browser.open(f"{demo.address}/sign-in")
    for number in range(12):
        await seen.page.fill('[name="user"]', "alice")
        await seen.page.fill('[name="password"]', f"a wrong guess {number}")
        await seen.page.click("main button")
        text = await seen.page.inner_text("main")
        if "too many attempts" in text:
            break
        assert "the name or the password is not right" in text

    assert "too many attempts: try again in" in text
    assert await seen.violations() == []


async def test_without_scripts_one_signs_in_and_reads_everything(
    browser: Chromium, demo: PortalDemo
) -> None:
    seen = await browser.open(demo.link, scripts=False)
    page = seen.page
    await page.click("main button")

    assert await page.inner_text("h1") == "Overview"
    for name in ("Partner Integrations", "Feeds", "Format studio", "Configuration", "Audit log"):
        await page.click(f'nav >> text="{name}"')
        assert await page.inner_text("h1") == name
    await page.click("text=Sign out")
    assert await page.inner_text("h1") == "Sign in"


async def test_the_keyboard_reaches_everything(browser: Chromium, demo: PortalDemo) -> None:
    seen = await browser.open(demo.link)
    page = seen.page
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.click("main button")
    await page.wait_for_selector("#picture")
    reached = set()
    for _ in range(60):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement.innerText?.trim()"))
    for name in ("Overview", "Partner Integrations", "Audit log", "Sign out", "gateway", "siem"):
        assert name in reached


async def test_a_new_administrator_goes_from_nothing_to_logs_that_flow(
    browser: Chromium, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    async with demonstration(is_set_up=False) as demo:
        arguments = ["alice", "--password-file", str(tmp_path / "password")]
        await commands.run(demo.config, "portal set-password", *arguments)
        seen = await browser.open(demo.address)
        page = seen.page
        await page.fill("#f-user", "alice")
        await page.fill("#f-password", PASSWORD)
        await page.click("main button")
        await page.click("nav >> text=Partner Integrations")
        await expect(page.locator("#conditions")).not_to_contain_text("MCAS confirms uploads")

        lab = demo.lab
        await page.fill("#f-client_id", lab.client_id)
        await page.fill("#f-client_secret", lab.client_secret)
        await page.fill("#f-scope", lab.scope)
        await page.fill("#f-authentication_url", lab.authentication_url)
        await page.fill("#f-api_url", lab.api_url)
        await page.click("button:text-is('Test')")
        await expect(page.locator("#result")).to_contain_text("All steps passed", timeout=20_000)
        await page.click("button:text-is('Save')")
        await expect(page.locator("#result")).to_contain_text("Stored.", timeout=20_000)

        conditions = page.locator("#conditions")
        await expect(conditions).to_contain_text("MCAS confirms uploads", timeout=40_000)
        assert lab.mcas.uploads
        await page.click("nav >> text=Overview")
        await expect(page.locator("#deliveries")).to_contain_text("confirmed")
        await page.click("nav >> text=Audit log")
        for text in ("alice (portal)", "configure-mcas2", "stored"):
            await expect(page.locator("main")).to_contain_text(text)
        await page.click("nav >> text=Feeds")
        await page.click("a:text-is('mcas')")
        await expect(page.locator("main")).to_contain_text("confirmed")
        assert lab.client_secret not in demo.log.read_text()
        assert lab.complaints == []


async def test_two_browsers_see_the_same(browser: Chromium, demo: PortalDemo) -> None:
    first = await signed_in(browser, demo)
    second = await signed_in(browser, demo, await new_link(demo))
    demo.config.write_text(demo.config.read_text().replace("[feeds.branch", "[feeds.office"))
    await commands.run(demo.config, "reload")

    for seen in (first, second):
        await seen.page.wait_for_selector('#picture a:text-is("office")', timeout=5000)
        assert await seen.page.locator('#picture a:text-is("branch")').count() == 0


async def test_more_tabs_than_a_browser_has_connections_all_load(
    browser: Chromium, demo: PortalDemo
) -> None:
    seen = await signed_in(browser, demo)
    address = seen.page.url
    pages = [seen.page]
    for _ in range(MAX_STREAMS_EACH + 2):
        pages.append(await seen.page.context.new_page())
        await pages[-1].goto(address)
    waiting = pages[-1].get_by_text("Connection lost")
    await waiting.wait_for()
    for page in pages[:-1]:
        await page.close()
    await waiting.wait_for(state="hidden")
