"""The lab answers as the real ZIA did: TestURLCategories.yaml and others of the vendor's client.

Only what no client decides may differ, as the number of a category.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from nss.lab.cloud import CloudLab

Api = Callable[..., httpx.Response]

U1, U2, U3, U4 = (f"test-vcr-url{n}.example.com" for n in range(1, 5))
_SINCE_THEN = {"categoryGroup"}
"""Fields of March 2026, which the replies of December 2025 do not have."""


def category(urls: list[str], description: str, **more: object) -> dict[str, Any]:
    return {
        "id": "CUSTOM_14",
        "configuredName": "TestCategory_VCR",
        "urls": urls,
        "dbCategorizedUrls": [],
        "customCategory": True,
        "editable": True,
        "description": description,
        "type": "URL_CATEGORY",
        "val": 141,
        "customUrlsCount": len(urls),
        "urlsRetainingParentCategoryCount": 0,
        "customIpRangesCount": 0,
        "ipRangesRetainingParentCategoryCount": 0,
        "urlType": "EXACT",
    } | more


def comparable(reply: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a reply without what differs each time: URLs come in any order."""
    if not isinstance(reply, dict) or "urls" not in reply:
        return reply
    kept = {name: value for name, value in reply.items() if name not in _SINCE_THEN}
    return kept | {"urls": sorted(reply["urls"])}


CREATED = category([U1, U2], "Test URL category for VCR testing", superCategory="USER_DEFINED")
PATH = "/urlCategories/CUSTOM_14"
NAME = {"configuredName": "TestCategory_VCR"}
RECORDED: list[tuple[str, str, object, int, object]] = [
    (
        "GET",
        "/urlCategories/urlQuota",
        {},
        200,
        {"uniqueUrlsProvisioned": 20, "remainingUrlsQuota": 24_980},
    ),
    (
        "POST",
        "/urlCategories",
        NAME
        | {
            "type": "URL_CATEGORY",
            "superCategory": "USER_DEFINED",
            "urls": [U1, U2],
            "customCategory": False,
            "description": "Test URL category for VCR testing",
        },
        200,
        CREATED,
    ),
    ("GET", PATH, {}, 200, CREATED),
    (
        "PUT",
        PATH,
        NAME | {"description": "Updated test URL category", "urls": [U1, U2, U3]},
        200,
        category([U1, U2, U3], "Updated test URL category"),
    ),
    (
        "PUT",
        f"{PATH}?action=ADD_TO_LIST",
        NAME | {"urls": [U4]},
        200,
        category([U1, U2, U4, U3], "Updated test URL category"),
    ),
    (
        "PUT",
        f"{PATH}?action=REMOVE_FROM_LIST",
        NAME | {"urls": [U4]},
        200,
        category([U1, U2, U3], "Updated test URL category"),
    ),
    ("POST", "/urlCategories/review/domains", ["example.com"], 200, []),
    (
        "PUT",
        "/urlCategories/review/domains",
        ["example.com"],
        400,
        {"message": "Request body is invalid."},
    ),
    ("DELETE", PATH, {}, 204, None),
    ("GET", "/status", {}, 200, {"status": "PENDING"}),
    ("POST", "/status/activate", {}, 200, {"status": "ACTIVE"}),
    (
        "GET",
        "/eusaStatus/latest",
        {},
        200,
        {"id": 3714, "version": {"id": 7, "name": "'SLA-11-01-16'"}, "acceptedStatus": True},
    ),
]


@pytest.fixture
def organization(lab: CloudLab) -> None:
    """Thirteen categories with 20 URLs, as when it was recorded."""
    for number in range(13):
        lab.zia.categories.put(f"C{number}", ["a.example"] if number else URLS)


URLS = ["a.example", *(f"{n}.example" for n in range(19))]


@pytest.mark.usefixtures("organization")
def test_urls_come_and_go_as_it_was_recorded(lab: CloudLab, api: Api) -> None:
    for method, path, sent, status, expected in RECORDED:
        answer = api(method, path, sent)
        assert (method, path, answer.status_code) == (method, path, status)
        if expected is None:
            assert answer.content == b""
            continue
        assert comparable(answer.json()) == comparable(expected)
    assert lab.complaints == []


def test_a_predefined_category_has_the_recorded_fields(api: Api) -> None:
    assert api("GET", "/urlCategories/OTHER_ADULT_MATERIAL").json() == {
        "id": "OTHER_ADULT_MATERIAL",
        "urls": [],
        "dbCategorizedUrls": [],
        "customCategory": False,
        "editable": True,
        "type": "URL_CATEGORY",
        "val": 1,
        "customUrlsCount": 0,
        "urlsRetainingParentCategoryCount": 0,
        "customIpRangesCount": 0,
        "ipRangesRetainingParentCategoryCount": 0,
    }
