"""What a change of a category's URLs is, and what it must leave alone.

Which lists `ADD_TO_LIST` and `REMOVE_FROM_LIST` concern was recorded for `urls` only. Others may
follow the action, or be set to what is sent. So each change is sent as if all of them followed it,
what it did otherwise is seen in its answer, and repaired before anything is activated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nss.zia import Category

Action = Literal["ADD_TO_LIST", "REMOVE_FROM_LIST"]

RETAINING = "dbCategorizedUrls"

_OTHERS = (
    "ipRanges",
    "ipRangesRetainingParentCategory",
    "keywords",
    "keywordsRetainingParentCategory",
)
_FOLLOWING = (RETAINING, "ipRanges", "ipRangesRetainingParentCategory")
"""Lists that a removal must not name, in case they follow the action. Keywords are lost with any
action unless they are sent."""


@dataclass(frozen=True, slots=True)
class Change:
    """URLs to add or remove. `retain` says to which list they are added."""

    action: Action
    urls: frozenset[str]
    retain: bool = False

    def body(self, now: Category) -> dict[str, Any]:
        """Return what to send, from the category as it is now."""
        if self.action == "ADD_TO_LIST":
            field = RETAINING if self.retain else "urls"
            return {**now.raw, "urls": [], field: sorted(self.urls)}
        body = {name: value for name, value in now.raw.items() if name not in _FOLLOWING}
        body["urls"] = sorted(now.urls & self.urls)
        retaining = sorted(now.retaining & self.urls)
        return {**body, RETAINING: retaining} if retaining else body

    def repairs(self, before: Category, after: Category) -> dict[str, list[str]]:
        """Return lists that did not come out as they should, as they should be."""
        retaining = before.retaining - self.urls
        if self.action == "ADD_TO_LIST":
            retaining = before.retaining | (self.urls if self.retain else frozenset())
        is_right = retaining <= after.retaining and (
            self.action == "ADD_TO_LIST" or not after.retaining & self.urls
        )
        wrong = {} if is_right else {RETAINING: sorted(retaining)}
        left = before.urls - self.urls
        if left and not left & after.all_urls:  # the list was set to what was sent
            wrong["urls"] = sorted(left)
        for name in _OTHERS:
            had = _entries(before.raw, name)
            if not had <= _entries(after.raw, name):
                wrong[name] = sorted(had)
        return wrong


def _entries(raw: Mapping[str, Any], name: str) -> frozenset[str]:
    found = raw.get(name)
    return frozenset(str(entry) for entry in found) if isinstance(found, list) else frozenset()
