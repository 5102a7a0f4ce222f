"""Every macro in every state, in a real browser under the policy: seen, heard, and at work."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import expect

from tests.admin.portal import browser as chrome
from tests.admin.portal.browser import PHONE, WIDE, Chromium, Options
from tests.admin.portal.gallery import Gallery, serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_factories=["uvloop"]),
    chrome.NEEDS,
]

LOOKS: list[Options] = [
    {"scheme": "light", "width": WIDE},
    {"scheme": "light", "width": PHONE},
    {"scheme": "dark", "width": WIDE},
    {"scheme": "dark", "width": PHONE},
]

PAGES = [
    "/gallery",
    "/sign_in.html",
    "/sign_in.html?error=the+name+or+the+password+is+not+right",
    "/sign_in.html?nobody",
    "/once.html",
    "/error.html",
]

OPEN_ALL = """
for (const each of document.querySelectorAll("details")) each.open = true;
document.querySelector("[data-connection=over]").hidden = false;
"""

WAIT_SECS = 60.0


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT_SECS
    while not (found if isinstance(found := holds(), bool) else await found):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
def gallery() -> Gallery:
    return Gallery()


@pytest.fixture
async def url(gallery: Gallery) -> AsyncIterator[str]:
    async with serving(gallery) as address:
        yield address


@pytest.mark.parametrize("path", PAGES)
async def test_everybody_can_use_it_and_the_browser_has_no_complaint(
    browser: Chromium, url: str, path: str
) -> None:
    for look in LOOKS:
        seen = await browser.open(url + path, **look)
        if path == "/gallery":
            await expect(seen.page.locator("#rates canvas")).to_be_visible()
            await seen.page.evaluate(OPEN_ALL)
        assert await seen.violations() == [], look
        assert await seen.overflow() == 0, look
        assert seen.complaints == [], look
        await seen.page.context.close()


async def test_without_scripts_it_says_what_is_missing_and_the_rest_works(
    browser: Chromium, url: str
) -> None:
    seen = await browser.open(f"{url}/gallery", scripts=False)
    page = seen.page
    await expect(page.get_by_text("Graphs need scripts.").first).to_be_visible()
    await expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    await expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    await page.get_by_text("Clear Config…").click()
    await page.get_by_role("button", name="Clear Config", exact=True).click()
    await expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    assert seen.complaints == []


async def test_what_others_wrote_is_only_text(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    seen = await browser.open(f"{url}/gallery")
    await until(lambda: gallery.streams == 1)
    gallery.show("counter", gallery.rendered("_health.html") + "<i>&lt;hx-partial&gt;</i>")
    await expect(seen.page.locator("#counter i")).to_have_text("<hx-partial>")
    assert await seen.page.locator("img, script:not([src])").count() == 0
    assert seen.complaints == []


async def test_parts_come_and_the_viewer_keeps_what_is_open_and_the_zone(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    part = (
        "<details><summary>More</summary><p>{}</p></details>"
        '<time datetime="2026-09-21T14:13:20Z" title="2026-09-21 14:13:20 UTC">UTC</time>'
    )
    gallery.show("counter", part.format("first"))
    await page.locator("#counter summary").click()
    gallery.show("counter", part.format("second"))
    await expect(page.locator("#counter p")).to_have_text("second")
    await expect(page.locator("#counter p")).to_be_visible()
    await expect(page.locator("#counter time")).to_have_text("21/09/2026, 23:13:20")
    title = await page.locator("#counter time").get_attribute("title")
    assert title == "2026-09-21 14:13:20 UTC"


async def test_rows_of_a_table_come_and_go(browser: Chromium, gallery: Gallery, url: str) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    rows = page.locator("#rejects > tr")
    assert await rows.count() == 3
    gallery.show("rejects", "<tr><td>too long</td><td>7</td></tr>")
    await expect(rows).to_have_count(1)
    await expect(rows.locator("td").last).to_have_text("7")


async def test_a_lost_stream_is_shown_and_comes_back_by_itself(
    browser: Chromium, gallery: Gallery
) -> None:
    async with serving(gallery) as url:
        page = (await browser.open(f"{url}/gallery")).page
        await until(lambda: gallery.streams == 1)
        await expect(page.get_by_text("Connection lost")).to_be_hidden()
    await expect(page.get_by_text("Connection lost")).to_be_visible()
    gallery.events = asyncio.Queue()
    async with serving(gallery, int(url.rpartition(":")[2])):
        await expect(page.get_by_text("Connection lost")).to_be_hidden()
        gallery.show("counter", "again")
        await expect(page.locator("#counter")).to_have_text("again")


async def test_a_stream_that_could_not_be_opened_is_tried_again(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    seen = await browser.open()
    refused = 0

    async def refuse(route: chrome.Route) -> None:
        nonlocal refused
        refused += 1
        await (route.abort() if refused == 1 else route.fulfill(status=503, body="busy"))

    await seen.page.route("**/gallery/live", refuse, times=2)
    await seen.page.goto(f"{url}/gallery")
    await expect(seen.page.get_by_text("Connection lost")).to_be_visible()
    await until(lambda: gallery.streams == 1)
    await expect(seen.page.get_by_text("Connection lost")).to_be_hidden()
    assert refused == 2


async def test_the_end_of_a_session_is_shown_with_the_way_back(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    await until(lambda: gallery.streams == 1)
    gallery.signed_in = False
    gallery.events.put_nowait(None)
    await expect(page.get_by_role("link", name="sign in again")).to_be_visible()
    await expect(page.get_by_text("Connection lost")).to_be_hidden()
    gallery.signed_in = True
    await asyncio.sleep(1.5)
    assert gallery.streams == 1


async def test_a_tap_keeps_the_last_lines_and_holds_new_ones_while_paused(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    lines = page.locator("#lines li")
    for number in range(30):
        gallery.show("lines", f"<li>line {number}</li>", "beforeend")
    await expect(lines.last).to_have_text("line 29")
    assert await lines.count() == 20
    await page.get_by_role("button", name="Pause").click()
    for number in range(30, 40):
        gallery.show("lines", f"<li>line {number}</li>", "beforeend")
    await expect(page.get_by_text("Paused: 10 lines wait")).to_be_visible()
    await expect(lines.last).to_have_text("line 29")
    await page.get_by_role("button", name="Pause").click()
    await expect(lines.last).to_have_text("line 39")
    assert await lines.count() == 20
    await expect(page.get_by_text("Paused")).to_have_count(0)


async def test_a_field_is_checked_as_it_is_typed(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    field = page.get_by_label("API URL")
    await field.fill("wrong")
    await expect(page.locator("#f-url-error")).to_have_text("that is not right")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await field.fill("right")
    await expect(page.locator("#f-url-error")).to_be_empty()
    await expect(field).not_to_have_attribute("aria-invalid", "true")
    assert "csrf=token" in gallery.typed[-1]
    assert "url=right" in gallery.typed[-1]


async def test_the_theme_that_was_chosen_is_kept(browser: Chromium, url: str) -> None:
    seen = await browser.open(f"{url}/gallery", scheme="light")
    page = seen.page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    for name in ("light", "dark"):
        await page.get_by_role("button", name="Theme").click()
        await expect(page.get_by_role("button", name=f"Theme: {name}")).to_be_visible()
    dark = await page.evaluate(ground)
    assert light != dark
    await page.goto(f"{url}/sign_in.html")
    assert await page.evaluate(ground) == dark
    await page.get_by_role("button", name="Theme").click()
    assert await page.evaluate(ground) == light
    assert seen.complaints == []


async def test_a_graph_is_told_in_words_and_drawn_in_its_width(browser: Chromium, url: str) -> None:
    seen = await browser.open(f"{url}/gallery")
    graph = seen.page.locator("#rates")
    picture = graph.get_by_role("img")
    words = re.compile("^Records. web: last 1,184 records/s, minimum 1,000, maximum 1,7")
    await expect(picture).to_have_attribute("aria-label", words)
    await expect(graph.get_by_role("listitem").first).to_contain_text("web 1,184 records/s")
    await expect(seen.page.locator("#none")).to_contain_text("No figures yet")
    for width in (400, 900):
        await seen.page.set_viewport_size({"width": width, "height": 900})
        await until(lambda: fits(seen))
    await picture.hover()
    await expect(graph.get_by_role("listitem").first).to_contain_text(" at ")


async def fits(seen: chrome.Seen) -> bool:
    """Return whether the drawing is as wide as its place."""
    script = "n => document.querySelector('#rates ' + n).clientWidth"
    widths = [await seen.page.evaluate(script, part) for part in ("[data-plot]", ".uplot canvas")]
    return bool(widths[0] == widths[1])


async def test_the_keyboard_reaches_everything_and_leaves_a_confirmation(
    browser: Chromium, url: str
) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    summary = page.get_by_text("Clear Config…")
    await summary.focus()
    await page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Clear Config", exact=True)
    await expect(button).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(button).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(button).to_be_hidden()
    await expect(summary).to_be_focused()


async def test_the_text_of_an_element_is_copied(browser: Chromium, url: str) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    shown = await page.locator("#hostile").text_content()
    assert await page.evaluate("navigator.clipboard.readText()") == shown


async def test_nothing_moves_for_who_wants_no_motion(browser: Chromium, url: str) -> None:
    page = (await browser.open(f"{url}/gallery", reduced_motion=True)).page
    await page.evaluate("document.querySelector('[data-connection=lost]').hidden = false")
    await asyncio.sleep(0.2)
    running = "document.getAnimations().filter(each => each.playState === 'running').length"
    assert await page.evaluate(running) == 0


async def test_figures_that_change_move_nothing_else(
    browser: Chromium, gallery: Gallery, url: str
) -> None:
    page = (await browser.open(f"{url}/gallery")).page
    await until(lambda: gallery.streams == 1)
    source = '{% import "ui.html" as ui with context %}{% call ui.stats() %}{{ ui.stat("Rate", rate, "records/s") }}{{ ui.stat("Lag", "1", "s") }}{% endcall %}'  # noqa: E501
    template = gallery.templates.from_string(source)
    places = []
    for rate in ("1", "99,999"):
        gallery.show("counter", template.render(rate=rate))
        await expect(page.locator("#counter .figure").first).to_have_text(rate)
        places.append(await page.locator("#counter .figure").last.bounding_box())
    assert places[0] == places[1]
