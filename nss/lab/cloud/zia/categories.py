"""An organisation's URL categories: what is in them, and what may be changed."""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nss.lab.cloud.zia.activation import Contents
from nss.lab.cloud.zia.bodies import LISTS, LOST_UNLESS_SENT, check_urls, checked
from nss.lab.cloud.zia.refusals import Refusal, bad_argument, coded, not_found
from nss.lab.cloud.zia.urls import Entries

Action = Literal["ADD_TO_LIST", "REMOVE_FROM_LIST"]
Kind = Literal["create", "replace", "delete", "ADD_TO_LIST", "REMOVE_FROM_LIST"]

_PREDEFINED = {
    "OTHER_ADULT_MATERIAL": 1,
    "GAMBLING": 27,
    "FILE_HOST": 43,
    "WEB_SEARCH": 47,
    "MISCELLANEOUS_OR_UNKNOWN": 92,
}
_FIRST_VAL = 127
"""`val` of CUSTOM_09 is 136, of CUSTOM_36 it is 163."""
_MAX_KEYWORDS = 2048
_COUNTS = {
    "customUrlsCount": "urls",
    "urlsRetainingParentCategoryCount": "dbCategorizedUrls",
    "customIpRangesCount": "ipRanges",
    "ipRangesRetainingParentCategoryCount": "ipRangesRetainingParentCategory",
}
_FIELDS = (
    *("id", "configuredName", "superCategory", "keywords", "keywordsRetainingParentCategory"),
    *("urls", "dbCategorizedUrls", "ipRanges", "ipRangesRetainingParentCategory"),
    *("regexPatterns", "regexPatternsRetainingParentCategory", "customCategory", "scopes"),
    *("editable", "description", "type", "val"),
)
"""In the order of a recorded reply."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that a client made. Lists are as they were sent, sorted."""

    kind: Kind
    category_id: str
    urls: tuple[str, ...] = ()
    retaining: tuple[str, ...] = ()


class Categories:
    """What clients see and change, and what another administrator does meanwhile.

    Methods that clients use raise `Refusal`; administrators may do everything. `changed` is called
    at every change. Safe to be used from any thread.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.max_urls = 25_000
        self.max_custom = 64
        self.other_urls = 0
        """Custom URLs outside of categories, which count too: exemptions from SSL, FTP, ..."""
        self.duplicate_status = 409
        """Of an answer to a name that there is already: 409 or 400."""
        self.by_action: tuple[str, ...] = LISTS
        """The lists that an action adds to and removes from; others are set like any attribute.

        Only of `urls` a reply was recorded.
        """
        self.accepts_empty = False
        """Whether a category may be created without anything in it."""
        self.changes: list[Change] = []
        """Those of clients, in that order."""
        self._changed = changed
        self._random = random.Random(0)  # noqa: S311 - an order, not a secret
        self._lock = threading.RLock()
        self._last = 0
        self._all: dict[str, dict[str, Any]] = {
            name: {"id": name, "customCategory": False, "editable": True, "val": val}
            | {"type": "URL_CATEGORY", "urls": [], "dbCategorizedUrls": []}
            for name, val in _PREDEFINED.items()
        }

    def put(
        self,
        name: str,
        urls: Iterable[str] = (),
        retaining: Iterable[str] = (),
        **fields: object,
    ) -> str:
        """Create a category as an administrator does in the portal; return its id.

        `fields` are any others of the object, as `urlType`, `type`, `keywords`, `scopes`.
        """
        with self._lock:
            category = self._new(name) | {"superCategory": "USER_DEFINED"}
            category |= {"urls": [*urls], "dbCategorizedUrls": [*retaining]} | fields
            self._keep(category)
            return str(category["id"])

    def edit(
        self,
        name: str,
        *,
        add: Iterable[str] = (),
        retain: Iterable[str] = (),
        remove: Iterable[str] = (),
        **fields: object,
    ) -> None:
        """Change a category as an administrator does in the portal. Raises `KeyError`."""
        with self._lock:
            category = self._named(name)
            gone = frozenset(remove)
            for field, more in (("urls", add), ("dbCategorizedUrls", retain)):
                both = dict.fromkeys([*category[field], *more])
                category[field] = [url for url in both if url not in gone]
            category |= fields
            self._changed()

    def drop(self, name: str) -> None:
        """Delete a category as an administrator does in the portal. Raises `KeyError`."""
        with self._lock:
            del self._all[self._named(name)["id"]]
            self._changed()

    def urls(self, name: str) -> set[str]:
        """Return what is in a category's `urls`. Raises `KeyError`."""
        with self._lock:
            return set(self._named(name)["urls"])

    def retaining(self, name: str) -> set[str]:
        """Return what is in a category and in its predefined one too. Raises `KeyError`."""
        with self._lock:
            return set(self._named(name)["dbCategorizedUrls"])

    def shown(self, name: str) -> dict[str, Any]:
        """Return a category as a client reads it. Raises `KeyError`."""
        with self._lock:
            return self._shown(self._named(name))

    @property
    def contents(self) -> dict[str, Contents]:
        """Everything that is in each category, by the id of the category."""
        with self._lock:
            return {
                key: Contents(*(frozenset(category[field]) for field in LISTS[:2]))
                for key, category in self._all.items()
            }

    def listed(self, kind: str, *, is_custom_only: bool) -> list[dict[str, Any]]:
        """Return the categories of a type, or of `ALL`."""
        with self._lock:
            return [
                self._shown(category)
                for category in self._all.values()
                if kind in {"ALL", category["type"]}
                and (category["customCategory"] or not is_custom_only)
            ]

    def lite(self) -> list[dict[str, Any]]:
        """Return all categories, without the names of custom ones and without lists."""
        with self._lock:
            shown = ("id", "customCategory", "editable", "type", "val")
            return [{name: category[name] for name in shown} for category in self._all.values()]

    def read(self, category_id: str) -> dict[str, Any]:
        """Return a category."""
        with self._lock:
            return self._shown(self._by_id(category_id))

    def quota(self) -> dict[str, int]:
        """Return how many URLs there are, and how many may still be added."""
        with self._lock:
            used = len(self._unique(self._all.values())) + self.other_urls
            left = max(0, self.max_urls - used)
            return {"uniqueUrlsProvisioned": used, "remainingUrlsQuota": left}

    def create(self, body: object) -> dict[str, Any]:
        """Create a category; return it."""
        given = checked(body)
        with self._lock:
            name, above = given.get("configuredName"), given.get("superCategory")
            if not name or not above:
                raise bad_argument("A custom category needs configuredName and superCategory")
            category = self._new(name) | _settable(given)
            if category["type"] not in {"URL_CATEGORY", "TLD_CATEGORY"}:
                raise bad_argument("Invalid category type")
            if not self.accepts_empty and not any(category.get(name) for name in _HOLDING):
                raise bad_argument("A category needs at least one URL, keyword or IP range")
            if sum(other["customCategory"] for other in self._all.values()) >= self.max_custom:
                raise coded(403, "LIMIT_EXCEEDED", "Maximum number of custom categories reached")
            check_urls(category)
            self._check(category)
            self._keep(category)
            self._note("create", category["id"], given)
            return self._shown(category)

    def replace(self, category_id: str, body: object) -> dict[str, Any]:
        """Put a category's fields in the place of all that it had; return it."""
        given = checked(body)
        with self._lock:
            old = self._of_body(category_id, given)
            if old["customCategory"] and not given.get("configuredName"):
                raise bad_argument("A custom category needs configuredName")
            kept = ("id", "customCategory", "editable", "val", "type", "urlType")
            new = {name: old[name] for name in kept if name in old} | _settable(given)
            new |= {field: new.get(field, []) for field in LISTS[:2]}
            check_urls(new)
            self._save(new)
            self._note("replace", category_id, given)
            return self.read(category_id)

    def change(self, category_id: str, body: object, action: Action) -> dict[str, Any]:
        """Add to a category's lists or remove from them; all else that is sent is set."""
        given = checked(body)
        with self._lock:
            old = self._of_body(category_id, given)
            new = {name: value for name, value in old.items() if name not in LOST_UNLESS_SENT}
            new |= _settable(given)
            for field in self.by_action:
                had, sent = old.get(field, []), given.get(field, [])
                if not had and not sent:
                    continue
                if action == "ADD_TO_LIST":
                    new[field] = list(dict.fromkeys([*had, *sent]))
                else:
                    gone = frozenset(sent)
                    new[field] = [item for item in had if item not in gone]
            check_urls({"type": old["type"], "urlType": old.get("urlType")} | given)
            self._save(new)
            self._note(action, category_id, given)
            return self.read(category_id)

    def delete(self, category_id: str, used: Mapping[str, int]) -> None:
        """Delete a category, unless rules use it: how many do, by the category's id."""
        with self._lock:
            category = self._by_id(category_id)
            if not category["customCategory"]:
                raise coded(403, "INVALID_OPERATION", "A predefined category can't be deleted")
            rules = used.get(category_id, 0)
            if rules:
                raise coded(409, "RESOURCE_IN_USE", f"The category is used by {rules} rule(s)")
            del self._all[category_id]
            self._note("delete", category_id, {})
            self._changed()

    def review(self, asked: Iterable[str]) -> list[dict[str, object]]:
        """Return which custom categories have entries that concern URLs."""
        found: list[dict[str, object]] = []
        with self._lock:
            custom = [
                (category, Entries(self._unique([category])))
                for category in self._all.values()
                if category["customCategory"]
            ]
            for url in asked:
                matches: dict[str, dict[str, dict[str, str]]] = {}
                for category, entries in custom:
                    for entry in entries.concerning(url):
                        kind = "WILDCARD" if entry.startswith(".") else "SUBDOMAIN"
                        match = {"id": category["id"], "name": category["configuredName"]}
                        matches.setdefault(kind, {})[category["id"]] = match
                found += (
                    {"url": url, "domainType": kind, "matches": [*where.values()]}
                    for kind, where in sorted(matches.items())
                )
        return found

    def _new(self, name: str) -> dict[str, Any]:
        number = self._last + 1
        return {
            "id": f"CUSTOM_{number:02}",
            "configuredName": name,
            "urls": [],
            "dbCategorizedUrls": [],
            "customCategory": True,
            "editable": True,
            "type": "URL_CATEGORY",
            "val": _FIRST_VAL + number,
            "urlType": "EXACT",
        }

    def _keep(self, category: dict[str, Any]) -> None:
        self._last += 1
        self._all[category["id"]] = category
        self._changed()

    def _save(self, category: dict[str, Any]) -> None:
        self._check(category)
        self._all[category["id"]] = category
        self._changed()

    def _check(self, category: Mapping[str, Any]) -> None:
        name = category.get("configuredName", "").lower()
        others = [other for other in self._all.values() if other["id"] != category["id"]]
        if name and any(name == other.get("configuredName", "").lower() for other in others):
            message = f"{category['configuredName']} already exists"
            raise coded(self.duplicate_status, "DUPLICATE_ITEM", message)
        if sum(len(other.get("keywords", ())) for other in [*others, category]) > _MAX_KEYWORDS:
            raise bad_argument(f"More than {_MAX_KEYWORDS} keywords in an organization")
        used = self.quota()["uniqueUrlsProvisioned"]
        wanted = len(self._unique([*others, category])) + self.other_urls
        if wanted > max(self.max_urls, used):
            raise Refusal(400, {"code": "INVALID_INPUT_ARGUMENT", "message": self._too_many(used)})

    def _too_many(self, used: int) -> str:
        return (
            f"An organization can have a maximum of {self.max_urls} custom URLs. "
            f"Currently {used} are already provisioned for this organization."
        )

    def _of_body(self, category_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        if given.get("id", category_id) != category_id:
            raise bad_argument("The id of the body is not that of the path")
        category = self._by_id(category_id)
        for fixed in ("type", "urlType"):
            if fixed in category and given.get(fixed, category[fixed]) != category[fixed]:
                raise bad_argument(f"{fixed} can't be changed")
        return category

    def _by_id(self, category_id: str) -> dict[str, Any]:
        found = self._all.get(category_id)
        if found is None:
            raise not_found(category_id)
        return found

    def _named(self, name: str) -> dict[str, Any]:
        for category in self._all.values():
            if name in {category.get("configuredName"), category["id"]}:
                return category
        raise KeyError(name)

    def _note(self, kind: Kind, category_id: str, given: Mapping[str, Any]) -> None:
        urls, retaining = (tuple(sorted(given.get(field, ()))) for field in LISTS[:2])
        self.changes.append(Change(kind, category_id, urls, retaining))

    @staticmethod
    def _unique(categories: Iterable[Mapping[str, Any]]) -> set[str]:
        found: set[str] = set()
        for category in categories:
            found.update(category["urls"], category["dbCategorizedUrls"])
        return found

    def _shown(self, category: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: category[name] for name in _FIELDS if name in category}
        for field in LISTS[:2]:
            shown[field] = self._random.sample(shown[field], len(shown[field]))
        counts = {name: len(category.get(field, ())) for name, field in _COUNTS.items()}
        rest: dict[str, Any] = {"categoryGroup": "REGULAR", "urlType": category.get("urlType")}
        return shown | counts | (rest if category["customCategory"] else {})


_HOLDING = (*LISTS, "keywords", "keywordsRetainingParentCategory", "regexPatterns")


def _settable(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a body that a client decides; whatever it says of others is ignored."""
    ignored = {"id", "customCategory", "editable", "val", "categoryGroup", "urlKeywordCounts"}
    return {
        name: value for name, value in given.items() if name not in ignored and name not in _COUNTS
    }
