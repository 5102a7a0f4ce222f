"""Chromium for tests: one of its own each, contexts, what it complains about, and axe-core."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, Unpack

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

CHROMIUM = Path(os.environ.get("NSS_CHROMIUM", "/usr/bin/chromium"))

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

WIDE, PHONE = 1280, 320
"""Widths of windows in CSS pixels."""

NEEDS = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser: {CHROMIUM}")

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
_RUN_AXE = "tags => axe.run(document, {runOnly: tags}).then(found => found.violations)"

PAGE_SECS = 30.0

__all__ = ["NEEDS", "PHONE", "WIDE", "Chromium", "Options", "Route", "Seen", "chromium"]


class Options(TypedDict):
    """How the viewer sees a page."""

    width: NotRequired[int]
    scheme: NotRequired[Literal["light", "dark"]]
    scripts: NotRequired[bool]
    reduced_motion: NotRequired[bool]


@dataclass
class Seen:
    """A page, and what the browser complained about since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console",
            lambda said: (
                self.complaints.append(f"{said.type}: {said.text}")
                if said.type in {"error", "warning"}
                else None
            ),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    async def violations(self) -> list[str]:
        """Return what axe-core finds, a line each: rule, elements, and what it says."""
        await self.page.evaluate(_AXE)
        found = await self.page.evaluate(_RUN_AXE, TAGS)
        return [
            f"{rule['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(
            await self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


@dataclass
class Chromium:
    """A running browser. What it opens ends with it."""

    browser: Browser

    async def open(self, url: str | None = None, **options: Unpack[Options]) -> Seen:
        """Open a page in a context of its own, without cookies; go to `url` if there is one."""
        context = await self.browser.new_context(
            viewport={"width": options.get("width", WIDE), "height": 900},
            color_scheme=options.get("scheme", "light"),
            java_script_enabled=options.get("scripts", True),
            reduced_motion="reduce" if options.get("reduced_motion") else "no-preference",
            timezone_id="Asia/Tokyo",
            locale="en-GB",
        )
        context.set_default_timeout(PAGE_SECS * 1000)
        seen = Seen(await context.new_page())
        if url is not None:
            await seen.page.goto(url)
        return seen


@asynccontextmanager
async def chromium() -> AsyncIterator[Chromium]:
    """Run a browser with an empty profile."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
