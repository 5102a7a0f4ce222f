"""What senders, destinations and errors say is only ever text, wherever it may appear."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nss.admin.operations import UploadedNow
from nss.admin.portal.pages.feeds.shown import Shown, shown, visible
from nss.spool import SpoolError
from nss.status.summary import Health, Reason
from tests.admin.conftest import GAPS
from tests.admin.portal.feeds.conftest import UPLOAD, Browser, PortalOperations

pytestmark = pytest.mark.long

HOSTILE = [
    b"<script>alert(1)</script>",
    b"</textarea><script>alert(1)</script>",
    b"</pre></template></title><img src=x onerror=alert(1)>",
    b"<hx-partial hx-target=body><b>x</b></hx-partial>",
    b"<template hx type=partial hx-target=body>x</template>",
    b"\" onmouseover=alert(1) x=\" ' autofocus onfocus='alert(1)",
    b"{{ csrf }} {% raw %} ${x}",
    b"&lt;script&gt; &amp;#60;",
    b"\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe\u2066 \u200bx\ufeff".encode(),
    b"nul \x00 del \x7f c1 \xc2\x85 \xe2\x80\xa8 \xe2\x80\xa9",
    b"not UTF-8 \xff\xfe\xc3( \xed\xa0\x80",
    b"data: x\r\rdata: y",
    b"<" * 65_536,
]

ALLOWED = {
    *("html", "head", "meta", "title", "link", "script", "body", "a", "header", "div", "svg"),
    *("rect", "path", "circle", "span", "button", "form", "input", "nav", "ul", "li", "main", "p"),
    *("h1", "h2", "section", "details", "summary", "strong", "time", "ol", "pre", "code", "footer"),
    *("label", "select", "option", "table", "caption", "thead", "tbody", "tr", "th", "td", "dl"),
    *("dt", "dd", "noscript", "figure", "figcaption", "hx-partial", "small"),
}
"""What our own templates are made of."""


class Tags(HTMLParser):
    """Finds the tags and attributes of a page, as a browser would."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


PAGES = ("", "/mcas", "/mcas/rejects", "/mcas/replay?preset=1h", "/mcas/tap", "/source/web")


def check_tags(page: str) -> None:
    """See that a page has only tags and attributes that our templates are made of."""
    tags = Tags()
    tags.feed(page)
    assert {tag for tag, _ in tags.found} <= ALLOWED
    for tag, attributes in tags.found:
        assert not any(name.startswith("on") for name in attributes), tag
        assert not {"style", "hx"} & attributes.keys()
        if tag == "script":
            assert str(attributes["src"]).startswith("/static/")
        if tag == "hx-partial":
            assert str(attributes["hx-target"]).startswith("#")
    assert "alert(1)</script>" not in page


def check(page: str) -> None:
    """See the same, and that every character can be seen."""
    check_tags(page)
    text = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert {letter for letter in text if not letter.isprintable() and letter not in "\n\t"} == set()


async def test_records_and_reasons_of_rejects(admin: Browser, operations: PortalOperations) -> None:
    for hostile in HOSTILE:
        text = hostile.decode(errors="backslashreplace")
        operations.reject(text, hostile, connection=text)

        page = await admin.page("/feeds/mcas/rejects")
        key = page.partition('<li id="group-')[2].partition('"')[0]
        opened = await admin.page(f"/feeds/mcas/rejects?group={key}")
        part = await admin.page(f"/feeds/mcas/rejects/{key}")

        for found in (page, opened, part):
            check(found)
        assert "Record 1" in opened
        assert len(page) < 100_000
        if len(hostile) > 2048:
            assert "63,488 more bytes are not shown." in part


async def test_lines_and_records_of_a_tap(admin: Browser, operations: PortalOperations) -> None:
    lines = [hostile.replace(b"\n", b"") for hostile in HOSTILE]
    async with admin.stream("/feeds/mcas/tap/live") as events:
        await operations.tapped.wait()
        await anext(events)
        operations.taps[0].show("mcas", b"", lines)
        shown_lines = await anext(events)

    check(shown_lines)
    assert shown_lines.count("<li>") == len(lines)
    assert 1 <= shown_lines.count("<hx-partial ") <= 2


async def test_what_is_looked_for_and_asked_for(admin: Browser) -> None:
    asked = [
        ("/feeds/mcas/tap", ("text",)),
        ("/feeds/mcas/tap", ("kind",)),
        ("/feeds/mcas/replay", ("since", "until")),
        ("/feeds/mcas", ("span",)),
        ("/feeds/mcas/series.json", ("number",)),
        ("/feeds/mcas/rejects", ("group",)),
    ]
    for hostile in HOSTILE[:-1]:
        text = hostile.decode(errors="replace").replace("\n", "")
        for path, fields in asked:
            answer = await admin.http.get(path, params=dict.fromkeys(fields, text))
            assert answer.status_code in {200, 400}
            check_tags(answer.text)


async def test_destinations_errors_and_advice(admin: Browser, operations: PortalOperations) -> None:
    for hostile in HOSTILE:
        text = hostile.decode(errors="backslashreplace")
        operations.show(destination=text, last_error=text, advice=text, upload=UPLOAD)
        reasons = (
            Reason(component="feed mcas", why=f"{text}. Try: {text}"),
            Reason(component="source web", why=text),
        )
        health = Health(ok=False, alive=True, reasons=reasons)
        operations.current = replace(operations.current, health=health)
        for path in PAGES:
            check(await admin.page(f"/feeds{path}"))
        for path in ("/feeds-list/live", "/feeds/mcas/live", "/feeds/source/web/live"):
            async with admin.stream(path) as events:
                check(await anext(events))
        operations.uploaded = [UploadedNow("mcas", 0, 1, text)]
        check((await admin.post("/feeds/mcas/upload-now")).text)


async def test_errors_of_the_service(admin: Browser, operations: PortalOperations) -> None:
    for hostile in HOSTILE[:-1]:
        text = hostile.decode(errors="backslashreplace")
        operations.feed_error = SpoolError(text, tip=text)
        check(await admin.page("/feeds/mcas/replay"))
        check_tags((await admin.post("/feeds/mcas/retry")).text)


@pytest.mark.parametrize(
    ("data", "full_bytes", "found"),
    [
        (b"plain", 5, Shown("plain", 0)),
        (b"", 0, Shown("", 0)),
        (b"0123456789abc", 13, Shown("0123456789", 3)),
        (b"0123456789", 70_000, Shown("0123456789", 69_990)),
        ("12345678é".encode(), 10, Shown("12345678é", 0)),
        ("123456789é".encode(), 11, Shown("123456789", 2)),
        ("1234567€".encode() + b"more", 14, Shown("1234567€", 4)),
        (b"12345678\xe2\x82", 10, Shown("12345678\\xe2\\x82", 0)),
        (b"\xff\x00\t\x1b", 4, Shown("\\xff\\x00\\t\\x1b", 0)),
        ("\u202e\u2028\x85é".encode(), 10, Shown("\\u202e\\u2028\\x85é", 0)),
    ],
)
def test_what_is_shown_of_bytes(data: bytes, full_bytes: int, found: Shown) -> None:
    assert shown(data, full_bytes, 10) == found


def test_text_that_can_be_seen_stays_as_it_is() -> None:
    text = 'LEEF: a="b" <x> äöü €漢字 😀'
    assert visible(text) == text


async def test_keys_of_records(admin: Browser, operations: PortalOperations) -> None:
    texts = [hostile.decode(errors="replace")[:64] for hostile in HOSTILE]
    operations.show(gaps=(replace(GAPS, unmapped=dict.fromkeys(texts, 1)),))

    check(await admin.page("/feeds/mcas"))
