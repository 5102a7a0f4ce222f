"""The studio in a real browser: as one types, by keyboard, without scripts, on a phone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from formats import presets
from nss.admin.portal.server import PortalServer
from nss.lab.ports import free_port
from nss.setup.studio.samples import examples
from tests.admin.portal import browser as chrome
from tests.admin.portal.browser import PHONE, WIDE, Chromium, Options, Seen
from tests.admin.portal.parts import PASSWORD, add_user, configuration
from tests.admin.portal.studio.conftest import StudioOperations

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

FORMAT = "#f-format_string"
STATUS = "#result > [role=status]"
EVIL = '"><script>document.title="owned"</script><img src=x onerror=alert(1)>'


@pytest.fixture
async def url(tmp_path: Path, studio: StudioOperations) -> AsyncIterator[str]:
    port = free_port()
    config = configuration(tmp_path, portal=f'\n[portal]\nlisten = "127.0.0.1:{port}"\n')
    add_user(tmp_path, "victor", "viewer")
    server = PortalServer(config, tmp_path / "nss.toml", studio)
    await server.start()
    try:
        yield server.address
    finally:
        await server.close()


async def opened(
    browser: Chromium, url: str, path: str = "/studio", look: Options | None = None
) -> Seen:
    """Sign in as a viewer, and go to the studio."""
    seen = await browser.open(f"{url}/sign-in", **(look or {}))
    await seen.page.fill("input[name=user]", "victor")
    await seen.page.fill("input[name=password]", PASSWORD)
    await seen.page.click("main button")
    await seen.page.goto(url + path)
    return seen


async def place_of(page: Page, text: str) -> float:
    """Return where a text begins on the screen, from the left."""
    return float(
        await page.evaluate(
            """text => {
              const walker = document.createTreeWalker(document.querySelector(".place"), 4);
              while (walker.nextNode()) {
                const at = walker.currentNode.data.indexOf(text);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(walker.currentNode, at);
                range.setEnd(walker.currentNode, at + 1);
                return range.getBoundingClientRect().left;
              }
            }""",
            text,
        )
    )


async def test_a_wrong_name_is_found_as_one_types_and_is_gone_when_it_is_right(
    browser: Chromium, url: str
) -> None:
    seen = await opened(browser, url)
    page = seen.page
    await page.fill(FORMAT, "%s{mon} user=%s{lgoin}")

    await expect(page.locator(STATUS)).to_have_text("1 error in the format string")
    await expect(page.locator(".fault")).to_contain_text("Unknown field 'lgoin' column 17")
    await expect(page.locator(".fault .tip")).to_have_text("Try: %s{login}")
    assert abs(await place_of(page, "lgoin") - await place_of(page, "^")) < 1
    assert await seen.violations() == []

    await page.locator(FORMAT).press("End")
    for _ in range(len("goin}")):
        await page.keyboard.press("Backspace")
    await page.keyboard.type("ogin}")
    await expect(page.locator(STATUS)).to_contain_text("12 rendered")
    await expect(page.locator(".outcomes .text").first).to_have_text(
        "Jan user=ben.evans101@example.com"
    )
    await expect(page.locator(FORMAT)).to_be_focused()
    assert seen.complaints == []


async def test_a_line_is_taken_apart_and_the_choice_stays_while_one_types(
    browser: Chromium, url: str
) -> None:
    page = (await opened(browser, url)).page
    await page.get_by_role("button", name="Take apart record 2", exact=True).click()
    await expect(page.get_by_role("heading", name="Record 2 taken apart")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="usrName"))
    await expect(row).to_have_text(
        "usrName luis.usman11@example.com %s{login}", use_inner_text=True
    )

    text = presets.text("MCAS").replace("usrName", "user")
    await page.fill(FORMAT, text)
    await expect(page.get_by_role("rowheader", name="user", exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", name="Record 2 taken apart")).to_be_visible()
    await expect(page.locator("ins")).to_have_text("+ \\tuser=")
    await expect(page.locator("del")).to_have_text("- \\tusrName=")


async def test_the_toml_is_copied(browser: Chromium, url: str) -> None:
    page = (await opened(browser, url)).page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.fill(FORMAT, r"%s{login}\t'%s{eurl}'")
    await page.fill("#f-zone", "Europe/Berlin")
    await expect(page.locator("#toml")).to_contain_text("Europe/Berlin")
    await page.get_by_role("button", name="Copy TOML").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()

    assert await page.evaluate("navigator.clipboard.readText()") == (
        'format_string = "%s{login}\\\\t\'%s{eurl}\'"\nzone = "Europe/Berlin"\n'
    )


async def test_only_the_last_of_what_one_typed_is_shown(browser: Chromium, url: str) -> None:
    page = (await opened(browser, url)).page
    samples = examples() * 15
    await page.fill("#f-samples", samples)
    for number in range(8):
        await page.fill(FORMAT, f"try{number} " + r"\t".join(["%s{eurl}"] * 150))
        await page.wait_for_timeout(320)
    await expect(page.locator(".outcomes .text").first).to_contain_text("try7")
    await page.wait_for_timeout(500)
    await expect(page.locator("#toml")).to_contain_text("try7")


async def test_it_all_works_without_scripts(browser: Chromium, url: str) -> None:
    seen = await opened(browser, url, "/studio?empty", {"scripts": False})
    page = seen.page
    await page.select_option("#f-load", "preset QRADAR")
    await page.get_by_role("button", name="Load", exact=True).click()
    await expect(page.locator(FORMAT)).to_have_value(presets.text("QRADAR"))
    await page.get_by_role("button", name="Use built-in examples").click()
    await expect(page.locator(STATUS)).to_contain_text("12 rendered")
    await page.get_by_role("button", name="Take apart record 3", exact=True).click()
    await expect(page.get_by_role("heading", name="Record 3 taken apart")).to_be_visible()
    await page.fill(FORMAT, "%s{lgoin}")
    await page.get_by_role("button", name="Render").click()
    await expect(page.locator(".fault")).to_contain_text("Unknown field 'lgoin' column 4")
    await expect(page.locator(FORMAT)).to_have_value("%s{lgoin}")
    await page.fill(FORMAT, "%s{login}")
    await page.locator("#f-zone").press("Enter")
    await expect(page.locator(STATUS)).to_contain_text("12 rendered")


async def test_the_keyboard_reaches_all_of_it_in_order(browser: Chromium, url: str) -> None:
    page = (await opened(browser, url)).page
    await page.locator(FORMAT).focus()
    reached = []
    for _ in range(29):
        await page.keyboard.press("Tab")
        reached.append(
            await page.evaluate(
                "(e => e.name || e.textContent.trim() || e.ariaLabel)(document.activeElement)"
            )
        )
    names = ["zone", "escape_characters", "compare", "do", "To the lines", "load", "do", "samples"]
    assert reached[: len(names)] == names
    assert reached[8:19] == [
        *("input", "from", "count", "do", "do"),
        *("filter", "protect_separators", "protect_quotes", "protect_pipes", "protect_pairs"),
        "source_zone",
    ]
    assert "look" in reached[19:]


async def test_the_page_does_not_jump_when_it_is_rendered_again(
    browser: Chromium, url: str
) -> None:
    page = (await opened(browser, url)).page
    top = "document.querySelector('.outcomes').getBoundingClientRect().top"
    before = await page.evaluate(top)
    await page.fill(FORMAT, presets.text("MCAS").replace("usrName", "user"))
    await expect(page.locator("ins")).to_have_count(1)
    assert await page.evaluate(top) == before


async def test_hostile_texts_stay_texts(browser: Chromium, url: str) -> None:
    seen = await opened(browser, url)
    page = seen.page
    record = json.dumps({"time": "Fri Oct  6 09:05:08 2023", "login": EVIL})
    await page.fill("#f-samples", f"{record}\n{EVIL}\n")
    await page.fill(FORMAT, f"{EVIL} user=%s{{login}}")
    await expect(page.locator(STATUS)).to_contain_text("1 rendered, 1 rejected")
    guarded = EVIL.replace('"', "%22")  # there are quotes in the format, so none leaves a value
    await expect(page.locator(".outcomes .text").first).to_have_text(f"{EVIL} user={guarded}")
    await page.fill(FORMAT, f"%s{{{EVIL}}}")
    await expect(page.locator(".fault mark")).to_have_text(EVIL)
    assert await page.title() == "Format studio · NSS"
    assert await page.locator("#result img, #result script").count() == 0
    assert seen.complaints == []


async def set_state(page: Page, state: str) -> None:
    """Put something in, and wait for what comes of it."""
    match state:
        case "difference":
            await page.fill(FORMAT, presets.text("MCAS").replace("%s{login}", "%s{elogin}"))
            await expect(page.locator("ins")).to_have_count(1)
        case "rejects":
            await page.fill("#f-samples", examples() + "no record\n")
            await page.fill("#f-filter", 'not_action = "Blocked"')
            await expect(page.locator(STATUS)).to_contain_text("1 rejected, 2 filtered")
        case "errors":
            await page.fill(FORMAT, "%s{lgoin} %s{urll} {")
            await expect(page.locator(".fault")).to_have_count(3)
        case "wrong":
            await page.fill("#f-zone", "Nowhere")
            await expect(page.locator("#result .notice.bad")).to_have_count(1)
        case "empty":
            await page.click("text=Start empty")
            await expect(page.locator("#result .empty")).to_have_count(1)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look['scheme']}-{look['width']}")
async def test_axe_finds_nothing_in_any_state(browser: Chromium, url: str, look: Options) -> None:
    seen = await opened(browser, url, look=look)
    for state in ("lines", "difference", "rejects", "errors", "wrong", "empty"):
        await set_state(seen.page, state)
        assert (state, await seen.violations()) == (state, [])
        assert (state, await seen.overflow()) == (state, 0)
    assert seen.complaints == []
