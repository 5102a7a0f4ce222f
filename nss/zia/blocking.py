"""Whether a URL category really blocks, and if not, the first reason that can be found.

What is asked is the policy, by the API; no request is ever sent to a URL. A part that the API role
may not read is named, and nothing is concluded from it.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from nss.zia import Activation, Category, RequestRefused
from nss.zia.api import ZiaApi
from nss.zia.http import place_of
from nss.zia.matching import Entry, Matcher, entry_of
from nss.zia.rules import Rule, in_order

PAGE = 1000
"""Rules in one answer; whether there are more is asked."""

CLOUD_APP_CONTROL = "Cloud App Control rules"
"""A part of `Policy.unread`."""

_URL_POLICY = (
    "Policy > URL & Cloud App Control",
    "Policies > Access Control > Internet & SaaS > URL & Cloud App Control",
)
_CATEGORIES = (
    "Administration > URL Categories",
    "Policies > Access Control > Internet & SaaS > URL Categories",
)
_SSL = ("Policy > SSL Inspection", "Policies > SSL/TLS Inspection")
_ACTIVATION = ("Activation > Activate", "Activation > Activate")

_PREDEFINED = "URLs that are in a predefined category as well"
_BLOCKS, _ALLOWS = "BLOCK", {"ALLOW", "CAUTION", "ISOLATE"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something may still open."""

    code: str
    """For programs: `no_rule`, `allowed_before`, `cloud_app_control`, ..."""
    sentence: str
    remedy: str
    portal: str
    """Where to go in the admin portal as it was."""
    experience_center: str
    """Where to go in the new one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something is blocked: `None` where that can't be said, since a part is unread."""

    url: str
    """Empty: the category as a whole."""
    is_blocked: bool | None
    reason: Reason | None = None


@dataclass(slots=True)
class Policy:
    """What was read of the organisation's policies; `None` is a part that was not."""

    name: str
    """The category's."""
    category: Category | None = None
    others: Sequence[Category] = ()
    activation: Activation | None = None
    url_rules: Sequence[Rule] | None = None
    cascades: bool | None = None
    """Whether URL filtering also looks at what Cloud App Control allows."""
    app_rules: Mapping[str, Sequence[Rule]] | None = None
    """By type: FILE_SHARE."""
    ssl_rules: Sequence[Rule] | None = None
    unread: dict[str, str] = field(default_factory=dict)
    """Parts that the API role may not read, with what ZIA says."""


async def read_policy(
    api: ZiaApi, name: str, deadline: float, *, reads_apps: bool = True
) -> Policy:
    """Read what decides about a category. Raises `ZiaError` if the categories can't be read.

    Without `reads_apps` the rules of Cloud App Control stay unread: they take some twenty requests.
    """
    policy = Policy(name)
    everything = await api.objects("/urlCategories", deadline, {"type": "ALL"})
    found = [api.category_of(each) for each in everything]
    policy.category = next((each for each in found if each.name == name), None)
    policy.others = [each for each in found if each is not policy.category]
    policy.activation = await api.activation(deadline)
    with _Part(policy, "URL filtering rules"):
        policy.url_rules = in_order(await _pages(api, "/urlFilteringRules", deadline))
    with _Part(policy, "advanced settings"):
        settings = await api.get("/advancedSettings", deadline)
        if not isinstance(settings, dict):
            raise _no_sense(api)
        policy.cascades = settings.get("cascadeUrlFiltering") is True
    if not policy.cascades and not reads_apps:
        policy.unread[CLOUD_APP_CONTROL] = "they were left out"
    elif not policy.cascades:
        with _Part(policy, CLOUD_APP_CONTROL):
            policy.app_rules = await _app_rules(api, deadline)
    with _Part(policy, "SSL inspection rules"):
        policy.ssl_rules = in_order(await _pages(api, "/sslInspectionRules", deadline))
    return policy


class _Part:
    """Notes that a part may not be read, and goes on."""

    def __init__(self, policy: Policy, part: str) -> None:
        self._unread, self._part = policy.unread, part

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, RequestRefused):
            self._unread[self._part] = error.sentence
            return True
        return False


async def _pages(api: ZiaApi, path: str, deadline: float) -> list[dict[str, Any]]:
    """Return all rules; a service that knows no pages gives them all in the first."""
    found: list[dict[str, Any]] = []
    while True:
        params = {"page": str(len(found) // PAGE + 1), "pageSize": str(PAGE)}
        page = await api.objects(path, deadline, params)
        if page == found[-PAGE:]:
            return found
        found += page
        if len(page) < PAGE:
            return found


async def _app_rules(api: ZiaApi, deadline: float) -> dict[str, list[Rule]]:
    kinds = await api.get("/webApplicationRules/ruleTypeMapping", deadline)
    if not isinstance(kinds, dict):
        raise _no_sense(api)
    names = sorted({str(kind) for kind in kinds.values()})
    return {
        kind: in_order(await api.objects(f"/webApplicationRules/{kind}", deadline))
        for kind in names
    }


def _no_sense(api: ZiaApi) -> RequestRefused:
    """Return the error for a part that is not what it should be: nothing is concluded from it."""
    return RequestRefused(f"ZIA gave an answer that makes no sense ({place_of(api.api_url)})")


def judge(policy: Policy, urls: Sequence[str] = ()) -> list[Verdict]:
    """Return whether the category as a whole blocks, and each of some URLs."""
    if policy.category is None:
        reason = Reason(
            "no_category",
            f'there is no URL category "{policy.name}"',
            "run nss sync-unsanctioned: it makes the category with the first URLs",
            *_CATEGORIES,
        )
        return [Verdict(url, is_blocked=False, reason=reason) for url in ("", *urls)]
    known = [each for each in (policy.category, *policy.others) if each.url_type == "EXACT"]
    matcher = Matcher({each.id: each.all_urls for each in known})
    verdicts = [_verdict(policy, "", _of_category(policy, policy.category, matcher))]
    verdicts += [
        _verdict(policy, url, _of_url(policy, policy.category, matcher, entry_of(url)))
        for url in urls
    ]
    return verdicts


def _verdict(policy: Policy, url: str, reasons: Iterator[Reason]) -> Verdict:
    reason = next(reasons, None)
    if reason is not None:
        return Verdict(url, is_blocked=False, reason=reason)
    return Verdict(url, is_blocked=None if policy.unread else True)


def _of_category(policy: Policy, category: Category, matcher: Matcher) -> Iterator[Reason]:
    places = _places(policy, category, (category.id,), may_be_predefined=bool(category.retaining))
    yield from _of_everything(policy, category, places)
    yield from _more_specific_elsewhere(policy, category, matcher)
    if any(entry.path for entry, _ in matcher.entries(category.id)):
        yield from _uninspected(policy, category)


def _of_url(policy: Policy, category: Category, matcher: Matcher, url: Entry) -> Iterator[Reason]:
    matches = matcher.matches(url)
    ours = next((match for match in matches if match[1] == category.id), None)
    if ours is None:
        yield Reason(
            "not_in_category",
            f'it is not in the URL category "{category.name}"',
            "mark the app unsanctioned in Defender for Cloud Apps and run nss sync-unsanctioned, "
            "or see what the sync set aside: nss status",
            *_CATEGORIES,
        )
        return
    best = matches[0][0].rank
    for entry, other, text in matches:
        if entry.rank == best > ours[0].rank and not _is_blocked(policy, other):
            yield _elsewhere(policy, text, other)
    same = [match[1] for match in matches if match[0].rank == ours[0].rank]
    stays = ours[2] in category.retaining
    places = _places(policy, category, (category.id, *same), may_be_predefined=stays)
    yield from _of_everything(policy, category, places)
    if ours[0].path:
        yield from _uninspected(policy, category)


@dataclass(frozen=True, slots=True)
class _Places:
    """The categories that URLs are in: `ids`, and perhaps predefined ones."""

    ids: Sequence[str]
    custom: AbstractSet[str] | None
    """All categories that are not predefined; `None`: the URLs have left those that are."""

    def met_by(self, rule: Rule) -> bool:
        """Return whether a rule may be for such a URL."""
        return any(rule.covers(each) or rule.concerns(each) for each in self.ids)

    def perhaps_met_by(self, rule: Rule) -> bool:
        """Return whether a rule is for predefined categories that the URL may be in."""
        return self.custom is not None and rule.names_others(self.custom)


def _places(
    policy: Policy, category: Category, ids: Sequence[str], *, may_be_predefined: bool
) -> _Places:
    known = (category, *policy.others)
    custom = {each.id for each in known if each.raw.get("customCategory") is not False}
    return _Places(ids, custom if may_be_predefined else None)


def _of_everything(policy: Policy, category: Category, places: _Places) -> Iterator[Reason]:
    """Yield reasons that hold for all URLs in these places."""
    if policy.activation not in {None, "ACTIVE"}:
        yield Reason(
            "not_activated",
            "changes wait for their activation, so gateways do not have them yet",
            "activate the changes, or let the next sync do it",
            *_ACTIVATION,
        )
    yield from _past_all_policies(policy.ssl_rules or (), places)
    if policy.url_rules is not None:
        yield from _by_url_rules(policy.url_rules, category, places)
    if policy.app_rules is not None and policy.cascades is False:
        yield from _by_app_rules(policy.app_rules)


def _past_all_policies(rules: Sequence[Rule], places: _Places) -> Iterator[Reason]:
    for rule in rules:
        if rule.bypasses and (places.met_by(rule) or places.perhaps_met_by(rule)):
            whom = "it" if places.met_by(rule) else _PREDEFINED
            yield Reason(
                "bypassed",
                f'the SSL inspection rule "{rule.name}" lets {whom} past all other policies',
                "choose Evaluate Other Policies in that rule, or inspect the category before it",
                *_SSL,
            )
        if rule.action == "DECRYPT" and not rule.limits and all(map(rule.covers, places.ids)):
            return


def _by_url_rules(rules: Sequence[Rule], category: Category, places: _Places) -> Iterator[Reason]:
    """Go through the rules in their order until one blocks everybody."""
    partly: Rule | None = None
    for rule in rules:
        if rule.action in _ALLOWS and (places.met_by(rule) or places.perhaps_met_by(rule)):
            limits = [*rule.limits, *([] if places.met_by(rule) else [_PREDEFINED])]
            whom = f", for {' and '.join(limits)}" if limits else ""
            yield Reason(
                "allowed_before",
                f'the URL filtering rule "{rule.name}" ({rule.action}) comes first{whom}',
                f'move a rule that blocks "{category.name}" before it',
                *_URL_POLICY,
            )
            if not limits:
                return
        if rule.action != _BLOCKS or not rule.concerns(category.id):
            continue
        if rule.covers(category.id) and not rule.limits:
            if rule.can_be_overridden:
                yield Reason(
                    "override",
                    f'the URL filtering rule "{rule.name}" lets people override its block',
                    "take away Allow Override from it",
                    *_URL_POLICY,
                )
            return
        partly = partly or rule
    yield _no_rule(category) if partly is None else _partly(partly, category)


def _no_rule(category: Category) -> Reason:
    return Reason(
        "no_rule",
        f'no enabled URL filtering rule blocks the category "{category.name}"',
        f'add a rule with the action Block for "{category.name}", and activate it',
        *_URL_POLICY,
    )


def _partly(rule: Rule, category: Category) -> Reason:
    whom = " and ".join(rule.limits) or "URLs that are in another category as well"
    return Reason(
        "blocks_some",
        f'the URL filtering rule "{rule.name}" blocks "{category.name}" only for {whom}',
        "add a rule without restrictions behind it, or take the restrictions away",
        *_URL_POLICY,
    )


def _by_app_rules(kinds: Mapping[str, Sequence[Rule]]) -> Iterator[Reason]:
    for kind, rules in kinds.items():
        for rule in rules:
            if rule.action == "ALLOW" and not rule.cascades:
                yield Reason(
                    "cloud_app_control",
                    f'the Cloud App Control rule "{rule.name}" ({kind}) allows apps before URL '
                    "filtering sees them",
                    "turn on Allow Cascading to URL Filtering in the advanced policy settings, or "
                    "in that rule",
                    *_URL_POLICY,
                )


def _more_specific_elsewhere(
    policy: Policy, category: Category, matcher: Matcher
) -> Iterator[Reason]:
    for other in policy.others:
        for text in sorted(other.all_urls if other.url_type == "EXACT" else ()):
            entry = entry_of(text)
            matches = matcher.matches(entry)
            ours = next((match[0] for match in matches if match[1] == category.id), None)
            if ours is not None and entry.rank > ours.rank and not _is_blocked(policy, other.id):
                yield _elsewhere(policy, text, other.id)


def _is_blocked(policy: Policy, category_id: str) -> bool:
    """Return whether a rule blocks all of another category, for everybody, before any allows it."""
    category = next(each for each in policy.others if each.id == category_id)
    stays = bool(category.retaining)
    places = _places(policy, category, (category_id,), may_be_predefined=stays)
    for rule in policy.url_rules or ():
        if rule.action in _ALLOWS and (places.met_by(rule) or places.perhaps_met_by(rule)):
            return False
        if rule.action == _BLOCKS and rule.covers(category_id) and not rule.limits:
            return not rule.can_be_overridden
    return False


def _elsewhere(policy: Policy, text: str, category_id: str) -> Reason:
    name = next((each.name or each.id for each in policy.others if each.id == category_id), "?")
    return Reason(
        "more_specific",
        f'the category "{name}" has the more specific entry {text}, which counts instead',
        "remove that entry, or block that category as well",
        *_CATEGORIES,
    )


def _uninspected(policy: Policy, category: Category) -> Iterator[Reason]:
    """Yield the reason why paths are not seen, unless a rule decrypts the category."""
    for rule in policy.ssl_rules or ():
        if rule.covers(category.id) and not rule.limits:
            if rule.action == "DECRYPT":
                return
            break
    if policy.ssl_rules is not None:
        yield Reason(
            "not_inspected",
            "entries with a path are matched only where TLS is inspected, and no SSL inspection "
            f'rule does that for the category "{category.name}"',
            f'add a rule that inspects "{category.name}", before those that do not',
            *_SSL,
        )
