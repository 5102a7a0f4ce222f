"""Rules of the organisation's policies, as far as they matter to a URL category."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

ANY = "ANY"

_WHO: Mapping[str, str] = {
    "users": "some users",
    "groups": "some groups",
    "departments": "some departments",
    "locations": "some locations",
    "locationGroups": "some location groups",
    "devices": "some devices",
    "deviceGroups": "some device groups",
    "deviceTrustLevels": "some device trust levels",
    "userAgentTypes": "some browsers",
    "userRiskScoreLevels": "some user risks",
    "sourceIpGroups": "some source addresses",
    "sourceCountries": "some countries",
    "timeWindows": "some hours",
    "workloadGroups": "some workloads",
    "zpaAppSegments": "some ZPA segments",
    "platforms": "some platforms",
    "destIpGroups": "some destinations",
    "cloudApplications": "some cloud apps",
}
"""What restricts a rule, by its key: not everybody's requests are meant."""

_NEEDED_PROTOCOLS = {"HTTP_RULE", "HTTPS_RULE"}
_ANY_PROTOCOL = "ANY_RULE"
_NEEDED_METHODS = {"GET", "POST", "CONNECT"}
_LAST = 1 << 31
_BLOCKING = ("BLOCK", "DENY")
"""What actions of Cloud App Control begin with that let nothing through."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `action` is as ZIA writes it, in capitals: BLOCK, ALLOW, CAUTION, DECRYPT."""

    name: str
    order: int
    """Which comes first; the last is the default."""
    is_enabled: bool
    action: str
    categories: frozenset[str]
    """Ids, from the first list. Empty: any."""
    categories2: frozenset[str]
    """From the second list, which has to match as well."""
    limits: tuple[str, ...]
    """Whom it is for, if not everybody: some users, some hours."""
    can_be_overridden: bool
    cascades: bool
    """Of Cloud App Control: whether URL filtering looks at what it allows."""
    bypasses: bool
    """Of SSL inspection: whether what it does not decrypt goes past all other policies."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Rule":
        """Return a rule as ZIA gives it; what has another form than documented is left out."""
        order, action = found.get("order"), found.get("action")
        sub_actions: object = {}
        if isinstance(action, dict):  # of SSL inspection
            sub_actions = action.get("doNotDecryptSubActions")
            action = action.get("type")
        actions = found.get("actions")
        if isinstance(actions, list):  # of Cloud App Control: ALLOW_FILE_SHARE_VIEW
            # People get past a caution, and an isolated app opens in a browser elsewhere.
            is_blocking = all(str(each).startswith(_BLOCKING) for each in actions)
            action = "BLOCK" if is_blocking else "ALLOW"
        return cls(
            str(found.get("name") or found.get("id") or "?"),
            order if isinstance(order, int) and order >= 0 else _LAST,
            found.get("state") == "ENABLED",
            action if isinstance(action, str) else "",
            _names(found.get("urlCategories")),
            _names(found.get("urlCategories2")),
            tuple(_limits(found)),
            found.get("blockOverride") is True,
            found.get("cascadingEnabled") is True,
            isinstance(sub_actions, dict) and sub_actions.get("bypassOtherPolicies") is True,
        )

    def covers(self, category: str) -> bool:
        """Return whether every URL of a category is meant."""
        lists = (self.categories, self.categories2)
        return all(not each or ANY in each or category in each for each in lists)

    def names_others(self, custom: AbstractSet[str]) -> bool:
        """Return whether a category is named that is not one of these: a predefined one."""
        return bool((self.categories | self.categories2) - custom - {ANY})

    def concerns(self, category: str) -> bool:
        """Return whether a category is named, perhaps together with others that must match too."""
        return category in self.categories | self.categories2


def in_order(found: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Return the enabled rules in the order in which they are tried."""
    rules = [Rule.of(each) for each in found]
    return sorted((rule for rule in rules if rule.is_enabled), key=lambda rule: rule.order)


def _names(found: object) -> frozenset[str]:
    entries = found if isinstance(found, list) else []
    return frozenset(each for each in entries if isinstance(each, str))


def _limits(found: Mapping[str, Any]) -> Iterable[str]:
    for key, who in _WHO.items():
        value = found.get(key)
        if isinstance(value, list) and value and ANY not in value:
            yield who
    if found.get("enforceTimeValidity") is True:
        yield "some days"
    protocols = _names(found.get("protocols"))
    if protocols and _ANY_PROTOCOL not in protocols and not protocols >= _NEEDED_PROTOCOLS:
        yield "some protocols"
    methods = _names(found.get("requestMethods"))
    if methods and not methods >= _NEEDED_METHODS:
        yield "some methods"
