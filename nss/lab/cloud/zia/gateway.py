"""What a gateway makes of a request, from what is in force: the proof that something is blocked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nss.lab.cloud.zia.activation import Activation
from nss.lab.cloud.zia.policies import Policies
from nss.lab.cloud.zia.urls import Entries

_FOR_SOME = ("locations", "locationGroups", "groups", "departments", "users", "devices")
_ANY = "ANY"
_LAST = 1 << 31
"""Where rules with a negative order come, which are the default ones."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is blocked, and what decided that: a rule's name, or none of them."""

    is_blocked: bool
    by: str = ""


class Gateway:
    """Decides in the documented order, for somebody whom rules for some people do not concern.

    First comes SSL inspection: without it only the host of a URL is seen. Then cloud app control,
    which ends the matter unless it cascades, then URL filtering. The most specific entry decides
    which category a URL is in.
    """

    def __init__(self, activation: Activation, policies: Policies) -> None:
        self.apps: dict[str, tuple[str, str]] = {}
        """Cloud apps by their hosts: type of rule and application, as `FILE_SHARE`, `BOX`."""
        self.classified: dict[str, list[str]] = {}
        """Predefined categories of hosts."""
        self._activation = activation
        self._policies = policies

    def decide(self, url: str) -> Decision:
        """Return what happens to a request for a URL, given without its scheme; it is HTTPS."""
        host = url.partition("/")[0]
        inspection = _first(self._policies.ssl_inspection, self.categories(host))
        handling: Mapping[str, Any] = inspection["action"] if inspection else {}
        if inspection and handling.get("doNotDecryptSubActions", {}).get("bypassOtherPolicies"):
            return Decision(is_blocked=False, by=inspection["name"])
        decided = self._by_app(host)
        if decided is not None:
            return decided
        seen = url if handling.get("type") == "DECRYPT" else host
        rule = _first(self._policies.url_filtering, self.categories(seen))
        if rule is None:
            return Decision(is_blocked=False)
        return Decision(rule["action"] == "BLOCK", rule["name"])

    def categories(self, url: str) -> set[str]:
        """Return the categories that a URL is in, by their ids."""
        best: dict[str, str] = {}
        active = self._activation.active
        for key, contents in active.items():
            entries = [*Entries(contents.urls | contents.retaining).covering(url)]
            if entries:
                best[key] = max(entries, key=_specificity)
        highest = max(map(_specificity, best.values()), default=None)
        custom = {key for key, entry in best.items() if _specificity(entry) == highest}
        leaves = any(best[key] in active[key].urls for key in custom)
        return custom if leaves else custom | self._predefined(url)

    def _predefined(self, url: str) -> set[str]:
        for host in _parents(url.partition("/")[0]):
            if host in self.classified:
                return set(self.classified[host])
        return {"MISCELLANEOUS_OR_UNKNOWN"}

    def _by_app(self, host: str) -> Decision | None:
        """Return what cloud app control decides for good."""
        kind, app = next(
            (self.apps[name] for name in _parents(host) if name in self.apps), ("", "")
        )
        for rule in _in_order(self._policies.cloud_app_control.get(kind, ())):
            if app not in rule.get("applications", ()):
                continue
            if any(action.startswith(("BLOCK_", "DENY_")) for action in rule["actions"]):
                return Decision(is_blocked=True, by=rule["name"])
            if rule.get("cascadingEnabled") or self._policies.advanced_settings.get(
                "cascadeUrlFiltering"
            ):
                return None
            return Decision(is_blocked=False, by=rule["name"])
        return None


def _first(rules: Iterable[Mapping[str, Any]], categories: set[str]) -> Mapping[str, Any] | None:
    """Return the first rule for any of the categories, or for all that there are."""
    for rule in _in_order(rules):
        concerned = {*rule.get("urlCategories", ()), *rule.get("urlCategories2", ())}
        is_for_apps = bool(rule.get("cloudApplications"))
        if concerned & {*categories, _ANY} or not (concerned or is_for_apps):
            return rule
    return None


def _in_order(rules: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for rule in sorted(rules, key=lambda rule: int(rule["order"]) % _LAST):
        if rule["state"] == "ENABLED" and not any(rule.get(name) for name in _FOR_SOME):
            yield rule


def _parents(host: str) -> Iterator[str]:
    labels = host.lower().split(".")
    return (".".join(labels[start:]) for start in range(len(labels)))


def _specificity(entry: str) -> tuple[int, bool, int]:
    """Order entries that cover the same URL: a longer name, then an exact one, a longer path."""
    host, _, path = entry.removeprefix(".").partition("/")
    return host.count("."), not entry.startswith("."), len(path)
