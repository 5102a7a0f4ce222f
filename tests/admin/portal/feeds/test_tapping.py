"""The tap: its stream, samples, and how many there may be."""

import asyncio
import re
from contextlib import AsyncExitStack, suppress

import httpx
import pytest

from nss.admin.portal.pages.feeds.tapping import MAX_TAPS, MAX_TAPS_EACH, Asked, ask
from nss.errors import UsageError
from tests.admin.portal.feeds.conftest import Browser, PortalOperations, Served, eventually

pytestmark = pytest.mark.long

LIVE = "/feeds/mcas/tap/live"


def lines(html: str) -> list[str]:
    return re.findall(r"<li>(.*?)\s*</li>", html, re.DOTALL)


async def test_lines_are_appended_as_they_pass(
    admin: Browser, operations: PortalOperations
) -> None:
    async with admin.stream(LIVE) as events:
        await operations.tapped.wait()
        (tap,) = operations.taps
        first = await anext(events)
        assert 'hx-target="#health"' in first
        tap.show("mcas", b"record\n", [b"one", b"two"])
        tap.show("siem", b"record\n", [b"of another feed"])
        shown = await anext(events)

    assert '<hx-partial hx-target="#tapped" hx-swap="beforeend">' in shown
    assert lines(shown) == ["one", "two"]
    await eventually(lambda: operations.taps == [])


async def test_a_tap_shows_records_with_a_text_at_a_rate(
    admin: Browser, operations: PortalOperations
) -> None:
    async with admin.stream(f"{LIVE}?kind=records&text=alice&rate=5") as events:
        await operations.tapped.wait()
        (tap,) = operations.taps
        await anext(events)
        tap.show("mcas", b"bob 0\n" + b"".join(b"alice %d\n" % n for n in range(9)), [])
        shown = await anext(events)

    assert lines(shown) == [f"alice {n}" for n in range(5)]
    assert "4 more passed and were not shown" in shown


async def test_a_line_that_is_long_is_cut_with_its_size(
    admin: Browser, operations: PortalOperations
) -> None:
    async with admin.stream(LIVE) as events:
        await operations.tapped.wait()
        await anext(events)
        operations.taps[0].show("mcas", b"", [b"x" * 65_536])
        shown = await anext(events)
    (line,) = lines(shown)
    assert line.startswith("x" * 4096 + " <span")
    assert "… 61,440 more bytes" in line


async def test_the_page_opens_the_stream_that_it_asks_for(admin: Browser) -> None:
    page = await admin.page("/feeds/mcas/tap?kind=records&text=a%26b+%22c%22&rate=5")
    assert (
        'hx-sse:connect="/feeds/mcas/tap/live?kind=records&amp;text=a%26b+%22c%22&amp;rate=5"'
        in page
    )
    assert 'value="a&amp;b &#34;c&#34;"' in page
    assert '<option value="5" selected>' in page
    assert 'data-cap="200"' in page


async def test_without_scripts_a_sample_is_taken(
    admin: Browser, operations: PortalOperations
) -> None:
    taking = asyncio.create_task(admin.page("/feeds/mcas/tap?sample=yes&rate=5"))
    await operations.tapped.wait()
    operations.taps[0].show("mcas", b"", [b"line %d" % n for n in range(7)])
    page = await taking

    assert re.findall(r"<li>(line .*?)\s*</li>", page) == [f"line {n}" for n in range(5)]
    assert "2 more passed and were not shown" in page
    assert "tap/live" not in page
    assert operations.taps == []
    assert "Nothing passed" in await admin.page("/feeds/mcas/tap?sample=yes")


async def test_a_text_with_a_line_feed_is_refused_at_its_field(admin: Browser) -> None:
    answer = await admin.get("/feeds/mcas/tap?text=a%0Ab")
    assert answer.status_code == 400
    assert "no record or line has a line feed in it to look for</p>" in answer.text
    assert "tap/live" not in answer.text
    assert (await admin.get(f"{LIVE}?text=a%0Ab")).status_code == 400


@pytest.mark.parametrize("query", ["kind=files", "rate=0", "rate=1000", "rate=x", "rate=-5"])
async def test_what_the_page_does_not_offer_is_refused(admin: Browser, query: str) -> None:
    assert (await admin.get(f"/feeds/mcas/tap?{query}")).status_code == 400
    assert (await admin.get(f"{LIVE}?{query}")).status_code == 400


async def test_there_are_so_many_taps_of_a_session_and_in_all(
    served: Served, admin: Browser, operations: PortalOperations
) -> None:
    kept = []
    async with AsyncExitStack() as stack:

        async def open_tap(browser: Browser) -> None:
            kept.append(await stack.enter_async_context(browser.stream(LIVE)))
            await anext(kept[-1])

        for browser in (admin, await served.browser("viewer")):
            for _ in range(MAX_TAPS_EACH):
                await open_tap(browser)
            answer = await browser.get(LIVE)
            assert answer.status_code == 409
            assert f"you have {MAX_TAPS_EACH} taps open already" in answer.text
        third = await served.browser()
        while len(kept) < MAX_TAPS:
            await open_tap(third)
        answer = await third.get("/feeds/mcas/tap?sample=yes")
        assert answer.status_code == 409
        assert f"{MAX_TAPS} taps are open already" in answer.text
        assert len(operations.taps) == MAX_TAPS
    await eventually(lambda: operations.taps == [])
    async with admin.stream(LIVE) as events:
        await anext(events)


async def test_a_tap_ends_with_the_session(admin: Browser, operations: PortalOperations) -> None:
    async with admin.stream(LIVE) as events:
        await anext(events)
        await admin.post("/sign-out")
        assert [each async for each in events] == []
    await eventually(lambda: operations.taps == [])


async def test_a_tap_ends_with_the_portal(
    served: Served, admin: Browser, operations: PortalOperations
) -> None:
    async with admin.stream(LIVE) as events:
        await anext(events)
        await served.server.close()
        with suppress(httpx.RemoteProtocolError):  # ended in the middle
            assert [each async for each in events] == []
    assert operations.taps == []


async def test_nobody_taps_without_signing_in(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.server.address, trust_env=False) as http:
        assert (await http.get(LIVE)).status_code == 401
    assert served.operations.taps == []


def test_what_a_tap_shows_is_kept_in_an_address() -> None:
    asked = ask({"kind": "records", "text": "a&b=c é", "rate": "50"})
    assert asked == Asked("records", "a&b=c é", 50)
    assert asked.query == "kind=records&text=a%26b%3Dc+%C3%A9&rate=50"
    with pytest.raises(UsageError):
        ask({"kind": "x"})
