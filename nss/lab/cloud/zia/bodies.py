"""Bodies that ZIA takes: JSON, and of a URL category which fields there are, of which types."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request

from nss.lab.cloud.bodies import small_body
from nss.lab.cloud.zia import urls
from nss.lab.cloud.zia.refusals import Refusal, bad_argument, bad_body

LISTS = ("urls", "dbCategorizedUrls", "ipRanges", "ipRangesRetainingParentCategory")
"""What `ADD_TO_LIST` and `REMOVE_FROM_LIST` add to and remove from."""

LOST_UNLESS_SENT = ("keywords", "keywordsRetainingParentCategory", "scopes")
"""What has to be sent again with every change, whatever the action."""

MAX_KEYWORDS = 256
MAX_DESCRIPTION_CHARS = 256
_MAX_NAME_CHARS = 255
_MAX_BYTES = 32 << 20
_MAX_ASKED = 100

_STRINGS = (
    *LISTS,
    "keywords",
    "keywordsRetainingParentCategory",
    "regexPatterns",
    "regexPatternsRetainingParentCategory",
)
_TYPES: Mapping[str, type] = {
    "id": str,
    "configuredName": str,
    "superCategory": str,
    "description": str,
    "type": str,
    "urlType": str,
    "categoryGroup": str,
    "customCategory": bool,
    "editable": bool,
    "val": int,
    "customUrlsCount": int,
    "urlsRetainingParentCategoryCount": int,
    "customIpRangesCount": int,
    "ipRangesRetainingParentCategoryCount": int,
    "urlKeywordCounts": dict,
}
_NAME = re.compile(r"[A-Za-z0-9_\-.() ]+", re.ASCII)
_CODE = re.compile(r"[A-Z0-9_]+", re.ASCII)


def checked(body: object) -> dict[str, Any]:
    """Return the fields of a body that are not null. Raises `Refusal` if it is of a wrong form."""
    fields = json_object(body)
    given = {name: value for name, value in fields.items() if value is not None}
    for name, value in given.items():
        if name in _STRINGS:
            is_right = _is_list_of(value, str)
        elif name == "scopes":
            is_right = _is_list_of(value, dict)
        else:
            is_right = name in _TYPES and type(value) is _TYPES[name]
        if not is_right:
            raise bad_body()
    _check_values(given)
    return given


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(type(item) is kind for item in value)


def _check_values(given: Mapping[str, Any]) -> None:
    name = given.get("configuredName")
    if name is not None and not (_NAME.fullmatch(name) and len(name) <= _MAX_NAME_CHARS):
        raise bad_argument("Invalid category name")
    if len(given.get("description", "")) > MAX_DESCRIPTION_CHARS:
        raise bad_argument(f"Description is longer than {MAX_DESCRIPTION_CHARS} characters")
    if not _CODE.fullmatch(given.get("superCategory", "USER_DEFINED")):
        raise bad_argument("Invalid super category")
    for field in ("keywords", "keywordsRetainingParentCategory"):
        if len(given.get(field, ())) > MAX_KEYWORDS:
            raise bad_argument(f"More than {MAX_KEYWORDS} keywords in a category")


def check_urls(category: Mapping[str, Any]) -> None:
    """Check what is or would be in a category. Raises `Refusal` naming all bad entries."""
    is_tld = category["type"] == "TLD_CATEGORY"
    is_good = urls.is_valid_tld if is_tld else urls.is_valid
    entries = [*category.get("urls", ()), *category.get("dbCategorizedUrls", ())]
    if entries and category.get("urlType") == "REGEX":
        raise bad_argument("A regular expression category has no urls")
    bad = [entry for entry in entries if not is_good(entry)]
    if bad:
        raise bad_argument(f"Invalid urls [{', '.join(bad)}]")


async def json_body(request: Request) -> object:
    """Return what a body says. Raises `Refusal` if that is not JSON."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refusal(415)
    try:
        found: object = orjson.loads(await small_body(request, _MAX_BYTES))
    except orjson.JSONDecodeError:
        raise bad_body() from None
    return found


def json_object(body: object) -> dict[str, Any]:
    """Return a body that is an object. Raises `Refusal` for any other."""
    if not isinstance(body, dict):
        raise bad_body()
    return body


def asked_urls(body: object) -> list[str]:
    """Return the URLs that a body lists. Raises `Refusal` if it does not, or too many."""
    if not _is_list_of(body, str) or not isinstance(body, list) or len(body) > _MAX_ASKED:
        raise bad_body()
    return body
