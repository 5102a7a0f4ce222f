"""Rejects: grouped by reason, records as text, another try."""

import html
import re
from dataclasses import replace

import pytest

from nss.admin.operations import RetriedRejects
from nss.admin.portal.pages.feeds.rejects import (
    LOOKED_AT,
    RETRY_SECS,
    SHOWN_RECORDS,
    retried_sentence,
)
from nss.spool import REASONS_MAX, ReasonCount
from tests.admin.conftest import NOW
from tests.admin.portal.feeds.conftest import Browser, PortalOperations

WHY = "rejected: too long to be kept whole, or still impossible to be read."


def group_keys(page: str) -> list[str]:
    return re.findall(r'<li id="group-([0-9a-f]+)">', page)


def shown_records(page: str) -> list[str]:
    """Return the texts of the records on a page."""
    found = re.findall(r'aria-label="Record \d+">(.*?)</pre>', page, re.DOTALL)
    return [html.unescape(each) for each in found]


async def test_rejects_are_grouped_by_reason(admin: Browser, operations: PortalOperations) -> None:
    operations.reasons = [
        ReasonCount("mcas", "no JSON", 1234, NOW - 10),
        ReasonCount("mcas", "too long", 1, NOW - 500),
    ]

    page = await admin.page("/feeds/mcas/rejects")

    texts = [" ".join(each.split()) for each in re.findall(r"<summary>(.*?)<", page, re.DOTALL)]
    assert texts[:2] == ["no JSON", "too long"]
    assert "1,234 records, the newest" in page
    assert "1 record, the newest" in page
    assert len(group_keys(page)) == 2
    assert shown_records(page) == []
    assert ("reasons", "mcas") in operations.asked


async def test_a_group_opens_with_its_newest_records_first(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.reject("no JSON", b"first", b"second")
    other = replace(operations.kept[0], number=9)
    other = replace(other, reject=replace(other.reject, reason="too long", data=b"other"))
    operations.kept.append(other)
    (key,) = group_keys(await admin.page("/feeds/mcas/rejects"))

    opened = await admin.page(f"/feeds/mcas/rejects?group={key}")
    part = await admin.page(f"/feeds/mcas/rejects/{key}")

    assert shown_records(opened) == shown_records(part) == ["second", "first"]
    assert "<html" not in part
    assert "source web, from 192.0.2.1:999" in part
    assert ("rejects", "mcas", LOOKED_AT) in operations.asked


async def test_only_the_newest_records_of_a_group_are_shown(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.reject("no JSON", *(b"r%d" % number for number in range(50)))
    (key,) = group_keys(await admin.page("/feeds/mcas/rejects"))
    found = shown_records(await admin.page(f"/feeds/mcas/rejects/{key}"))
    assert found == [f"r{number}" for number in range(49, 49 - SHOWN_RECORDS, -1)]


async def test_a_group_whose_records_are_older_than_those_looked_at_says_so(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.reject("no JSON", b"r")
    (key,) = group_keys(await admin.page("/feeds/mcas/rejects"))
    operations.kept = []
    page = await admin.page(f"/feeds/mcas/rejects/{key}")
    assert "nss rejects --feed mcas --limit 500" in page
    assert "None of the newest 200 rejects" in await admin.page("/feeds/mcas/rejects/ffff")


async def test_no_rejects_and_too_many_reasons_are_said(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.reasons = []
    page = await admin.page("/feeds/mcas/rejects")
    assert "No rejects are kept" in page
    assert "/feeds/mcas/retry" not in page
    operations.reasons = [ReasonCount("mcas", f"r{n}", 1, NOW) for n in range(REASONS_MAX)]
    assert "Only the 100 newest reasons are told apart" in await admin.page("/feeds/mcas/rejects")


async def test_a_record_that_stands_for_many_says_so(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.reject("no JSON", b"r", connection="")
    operations.kept = [replace(operations.kept[0], records=1234)]
    (key,) = group_keys(await admin.page("/feeds/mcas/rejects"))
    page = await admin.page(f"/feeds/mcas/rejects/{key}")
    assert "stands for 1,234 records" in page
    assert "from" not in page.partition("<pre")[0]


async def test_a_retry_needs_a_confirmation_and_says_what_came_of_it(
    admin: Browser, operations: PortalOperations
) -> None:
    page = await admin.page("/feeds/mcas/rejects")
    assert '<details class="confirm">' in page
    assert 'action="/feeds/mcas/retry"' in page

    answer = await admin.post("/feeds/mcas/retry")

    assert ("retry", "mcas", RETRY_SECS) in operations.asked
    assert answer.url.path == "/feeds/mcas/rejects"
    assert html.escape(retried_sentence(operations.retried)) in answer.text
    assert '<div class="notice warn">' in answer.text
    (entry,) = admin.audited()
    assert (entry["action"], entry["outcome"], entry["feed"]) == ("rejects-retry", "ok", "mcas")
    assert (entry["records"], entry["still_rejected"]) == (5, 2)


async def test_viewers_see_rejects_and_no_button(viewer: Browser) -> None:
    page = await viewer.page("/feeds/mcas/rejects")
    assert "no JSON" in page
    assert "/retry" not in page


MIXED = (
    "1,234 records went through the feed again: 1,000 delivered, 200 filtered out, "
    f"31 rejected again, 2 still pending, 1 gone through unseen. 1 could not, and stays {WHY}"
)


@pytest.mark.parametrize(
    ("retried", "sentence"),
    [
        (RetriedRejects(0, 0, 0, 0, {}, 0, 0, 0), "There was nothing to retry."),
        (
            RetriedRejects(1, 0, 1, 0, {}, 0, 0, 0),
            "1 record went through the feed again: 1 delivered.",
        ),
        (
            RetriedRejects(1234, 1, 1000, 200, {"a": 30}, 31, 2, 1),
            MIXED,
        ),
        (
            RetriedRejects(0, 2, 0, 0, {}, 0, 0, 0),
            f"0 records went through the feed again. 2 could not, and stay {WHY}",
        ),
    ],
)
def test_what_came_of_a_retry_is_a_sentence(retried: RetriedRejects, sentence: str) -> None:
    assert retried_sentence(retried) == sentence
