"""Whether the category blocks: each reason, on the lab's ZIA, and no false yes."""

from collections.abc import Callable, Sequence

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.config.sync import SyncConfig
from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.activation import Activation
from nss.lab.cloud.zia.categories import Categories
from nss.lab.cloud.zia.gateway import Gateway
from nss.lab.cloud.zia.policies import (
    Policies,
    cloud_app_rule,
    ssl_inspection_rule,
    url_filtering_rule,
)
from nss.setup.zia import ZiaSetup
from nss.zia.api import ZiaApi
from nss.zia.blocking import CLOUD_APP_CONTROL, Policy, Verdict, judge, read_policy
from nss.zia.credentials import Method, ZiaCredentials
from nss.zia.rules import Rule, in_order
from tests.zia.stand_in import Clock, FreePace, Ticket, Wire, api_of

Good = Callable[[Method], ZiaCredentials]

CATEGORY = SyncConfig().category


class Office:
    """A ZIA where the category is blocked, until somebody changes something."""

    def __init__(self, lab: CloudLab, setup: ZiaSetup) -> None:
        self.zia = lab.zia
        self.setup = setup
        self.id = self.zia.categories.put(CATEGORY, [".dropbox.com"], [".box.example"])
        self.zia.policies.url_filtering.append(
            url_filtering_rule("Unsanctioned", [self.id], order=3)
        )
        self.zia.activation.start()

    def rule(self, name: str, categories: Sequence[str], order: int, **fields: object) -> None:
        self.zia.policies.url_filtering.append(
            url_filtering_rule(name, categories, order=order) | fields
        )

    async def verdicts(self, *urls: str) -> list[Verdict]:
        return (await self.setup.blocking(urls, deadline_secs=30))[1]

    async def policy(self) -> Policy:
        return (await self.setup.blocking(()))[0]

    async def opens(self, *urls: str) -> list[str | None]:
        """The code of each reason, the category's first; `None`: blocked."""
        found = await self.verdicts(*urls)
        assert all((each.reason is None) == (each.is_blocked is True) for each in found)
        return [None if each.reason is None else each.reason.code for each in found]


@pytest.fixture
def office(lab: CloudLab, setup: ZiaSetup, good: Good, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr("nss.setup.zia.Pace", FreePace)
    setup.store.save(good("oneapi_secret"))
    return Office(lab, setup)


async def test_what_is_blocked_is_said_to_be(office: Office, lab: CloudLab) -> None:
    assert await office.opens("dropbox.com", "www.box.example/path") == [None, None, None]
    assert lab.complaints == []
    assert office.zia.categories.changes == []


async def test_a_url_that_is_in_no_category(office: Office) -> None:
    assert await office.opens("other.example") == [None, "not_in_category"]


async def test_no_category_at_all(office: Office) -> None:
    office.zia.categories.drop(CATEGORY)
    assert await office.opens("dropbox.com") == ["no_category", "no_category"]


async def test_no_rule(office: Office) -> None:
    office.zia.policies.url_filtering.clear()
    assert await office.opens("dropbox.com") == ["no_rule", "no_rule"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("state", "DISABLED"),
        ("action", "CAUTION"),
        ("action", "ALLOW"),
        ("action", "ICAP_RESPONSE"),
    ],
)
async def test_a_rule_that_does_not_block(office: Office, key: str, value: str) -> None:
    office.zia.policies.url_filtering[0][key] = value
    (code,) = await office.opens()
    assert code in {"no_rule", "allowed_before"}


async def test_either_list_of_categories_counts(office: Office) -> None:
    rule = office.zia.policies.url_filtering[0]
    rule["urlCategories"], rule["urlCategories2"] = ["ANY"], [office.id]
    assert await office.opens() == [None]
    rule["urlCategories"] = ["GAMBLING"]
    assert await office.opens() == ["blocks_some"]


@pytest.mark.parametrize("categories", [[], ["ANY"], "OURS"])
async def test_an_allowing_rule_that_comes_first(
    office: Office, categories: list[str] | str
) -> None:
    ours = [office.id] if categories == "OURS" else list(categories)
    office.rule("Everything", ours, 1, action="ALLOW")
    assert await office.opens("dropbox.com") == ["allowed_before"] * 2
    office.zia.policies.url_filtering[-1]["state"] = "DISABLED"
    assert await office.opens() == [None]


async def test_an_allowing_rule_that_comes_later_or_is_for_others(office: Office) -> None:
    office.rule("Default", [], -1, action="ALLOW")
    office.rule("Games", ["GAMBLING"], 9, action="ALLOW")
    assert await office.opens("dropbox.com") == [None, None]


async def test_an_allowing_rule_for_some_is_named_with_them(office: Office) -> None:
    office.rule("Bosses", [], 1, action="ALLOW", groups=[{"id": 1, "name": "bosses"}])
    found = await office.verdicts()
    assert found[0].reason is not None
    assert found[0].reason.sentence == (
        'the URL filtering rule "Bosses" (ALLOW) comes first, for some groups'
    )


@pytest.mark.parametrize(
    ("fields", "whom"),
    [
        ({"locations": [{"id": 1}]}, "some locations"),
        ({"enforceTimeValidity": True}, "some days"),
        ({"protocols": ["FTP_RULE"]}, "some protocols"),
        ({"requestMethods": ["TRACE"]}, "some methods"),
        ({"users": [{"id": 1}], "timeWindows": [{"id": 2}]}, "some users and some hours"),
    ],
)
async def test_a_block_for_some_is_no_block(
    office: Office, fields: dict[str, object], whom: str
) -> None:
    office.zia.policies.url_filtering[0] |= fields
    found = await office.verdicts()
    assert found[0].reason is not None
    assert found[0].reason.code == "blocks_some"
    assert whom in found[0].reason.sentence
    office.rule("For all", [office.id], 9)
    assert await office.opens() == [None]


async def test_a_block_that_people_may_override(office: Office) -> None:
    office.zia.policies.url_filtering[0]["blockOverride"] = True
    assert await office.opens() == ["override"]


async def test_cloud_app_control_comes_first_unless_it_cascades(office: Office) -> None:
    policies = office.zia.policies
    rule = cloud_app_rule("FILE_SHARE", "Sharing", ["ALLOW_FILE_SHARE_VIEW"])
    policies.cloud_app_control["FILE_SHARE"] = [rule]
    found = await office.verdicts("dropbox.com")
    assert [each.reason and each.reason.code for each in found] == ["cloud_app_control"] * 2
    assert found[0].reason is not None
    assert '"Sharing" (FILE_SHARE)' in found[0].reason.sentence

    rule["cascadingEnabled"] = True
    assert await office.opens() == [None]
    rule["cascadingEnabled"] = False
    policies.advanced_settings["cascadeUrlFiltering"] = True
    assert await office.opens() == [None]
    policies.advanced_settings["cascadeUrlFiltering"] = False
    rule["actions"] = ["BLOCK_FILE_SHARE_VIEW"]
    assert await office.opens() == [None]


async def test_a_more_specific_entry_elsewhere(office: Office) -> None:
    other = office.zia.categories.put("Partners", ["www.dropbox.com"])
    office.zia.activation.start()
    asked = ("dropbox.com", "www.dropbox.com/x")
    assert await office.opens(*asked) == ["more_specific", None, "more_specific"]
    office.rule("Partners too", [other], 5)
    assert await office.opens(*asked) == [None, None, None]


async def test_the_same_entry_elsewhere_that_is_allowed_first(office: Office) -> None:
    other = office.zia.categories.put("Partners", [".dropbox.com"])
    office.zia.activation.start()
    assert await office.opens("dropbox.com") == [None, None]
    office.rule("Partners", [other], 1, action="ALLOW")
    assert await office.opens("dropbox.com") == [None, "allowed_before"]


async def test_expressions_are_no_entries(office: Office) -> None:
    office.zia.categories.put("Expressions", ["www.dropbox.com"], urlType="REGEX")
    office.zia.activation.start()
    assert await office.opens("www.dropbox.com") == [None, None]


async def test_a_path_needs_inspection(office: Office) -> None:
    office.zia.categories.edit(CATEGORY, add=["files.example/share"])
    office.zia.activation.start()
    asked = ("files.example/share/1", "dropbox.com/share")
    assert await office.opens(*asked) == ["not_inspected", "not_inspected", None]
    inspecting = ssl_inspection_rule("Inspect", [office.id], action="DECRYPT", order=1)
    office.zia.policies.ssl_inspection.append(inspecting)
    assert await office.opens(*asked) == [None, None, None]
    inspecting["groups"] = [{"id": 1}]
    assert await office.opens(*asked) == ["not_inspected", "not_inspected", None]


async def test_what_waits_for_activation(office: Office) -> None:
    office.zia.activation.changed()
    assert await office.opens("dropbox.com") == ["not_activated", "not_activated"]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("urlFilteringRules", "URL filtering rules"),
        ("advancedSettings", "advanced settings"),
        ("webApplicationRules", "Cloud App Control rules"),
        ("sslInspectionRules", "SSL inspection rules"),
    ],
)
async def test_a_part_that_may_not_be_read_is_named_and_nothing_is_guessed(
    office: Office, path: str, part: str
) -> None:
    office.zia.policies.cloud_app_control["FILE_SHARE"] = [
        cloud_app_rule("FILE_SHARE", "Sharing", ["ALLOW_FILE_SHARE_VIEW"], cascadingEnabled=True)
    ]
    office.zia.forbidden[path] = "SCOPE_LIMITED"
    assert [each.is_blocked for each in await office.verdicts("dropbox.com")] == [None, None]
    assert list((await office.policy()).unread) == [part]


async def test_unknown_cascading_is_no_reason(office: Office) -> None:
    office.zia.policies.cloud_app_control["FILE_SHARE"] = [
        cloud_app_rule("FILE_SHARE", "Sharing", ["ALLOW_FILE_SHARE_VIEW"])
    ]
    office.zia.forbidden["advancedSettings"] = "SCOPE_LIMITED"
    assert [each.is_blocked for each in await office.verdicts()] == [None]


async def test_many_rules_come_in_pages(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nss.zia.blocking.PAGE", 2)
    office.zia.policies.url_filtering.insert(0, url_filtering_rule("a", ["GAMBLING"], order=7))
    assert await office.opens() == [None]


async def test_a_more_specific_entry_that_is_blocked_too_late(office: Office) -> None:
    other = office.zia.categories.put("Partners", ["www.dropbox.com"])
    third = office.zia.categories.put("Friends", ["www.dropbox.com"])
    office.zia.activation.start()
    office.rule("Others", [other], 2, action="BLOCK")
    assert await office.opens("www.dropbox.com") == ["more_specific"] * 2
    office.rule("Others too", [third], 2, action="BLOCK")
    assert await office.opens("www.dropbox.com") == [None, None]
    office.rule("Friends", [third], 1, action="ALLOW")
    assert await office.opens("www.dropbox.com") == ["more_specific"] * 2


@pytest.mark.parametrize("path", ["/advancedSettings", "/webApplicationRules/ruleTypeMapping"])
async def test_a_part_that_makes_no_sense_is_named_and_nothing_is_guessed(
    path: str,
) -> None:
    answers: dict[str, object] = {
        "/urlCategories": [{"id": "CUSTOM_1", "configuredName": CATEGORY, "urls": ["box.example"]}],
        "/status": {"status": "ACTIVE"},
        "/urlFilteringRules": [url_filtering_rule("Unsanctioned", ["CUSTOM_1"], order=1)],
        "/advancedSettings": {},
        "/webApplicationRules/ruleTypeMapping": {},
        "/sslInspectionRules": [],
    }
    answers[path] = None

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers[request.url.path.removeprefix("/api/v1")]
        return httpx.Response(200, content=b"" if found is None else orjson.dumps(found))

    policy = await read_policy(api_of(Wire(answer), Clock()), CATEGORY, 1e9)
    assert len(policy.unread) == 1
    assert [verdict.is_blocked for verdict in judge(policy, ["box.example"])] == [None, None]


@pytest.mark.parametrize("action", ["CAUTION_WEBMAIL_VIEW", "ISOLATE_FILE_SHARE_VIEW"])
def test_a_caution_of_cloud_app_control_lets_apps_through(action: str) -> None:
    found = Rule.of(cloud_app_rule("FILE_SHARE", "apps", ["BLOCK_FILE_SHARE_UPLOAD", action]))
    assert found.action == "ALLOW"
    assert Rule.of(cloud_app_rule("FILE_SHARE", "apps", ["BLOCK_FILE_SHARE_UPLOAD"])).action == (
        "BLOCK"
    )


async def test_what_goes_past_all_policies_is_not_blocked(office: Office) -> None:
    action = {
        "type": "DO_NOT_DECRYPT",
        "doNotDecryptSubActions": {"bypassOtherPolicies": True},
    }
    rule = ssl_inspection_rule("Banks", [office.id], order=2) | {"action": action}
    office.zia.policies.ssl_inspection.append(rule)
    assert await office.opens("dropbox.com") == ["bypassed", "bypassed"]
    office.zia.policies.ssl_inspection.append(
        ssl_inspection_rule("Inspect", [office.id], action="DECRYPT", order=1)
    )
    assert await office.opens("dropbox.com") == [None, None]


async def test_an_allowing_rule_that_names_the_category_second(office: Office) -> None:
    office.rule("Odd", ["GAMBLING"], 1, action="ALLOW", urlCategories2=[office.id])
    assert await office.opens("dropbox.com") == ["allowed_before"] * 2


async def test_what_was_left_out_is_no_yes(office: Office) -> None:
    policy, (verdict,) = await office.setup.blocking((), reads_apps=False)
    assert (verdict.is_blocked, list(policy.unread)) == (None, [CLOUD_APP_CONTROL])
    office.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
    policy, (verdict,) = await office.setup.blocking((), reads_apps=False)
    assert (verdict.is_blocked, policy.unread) == (True, {})


async def test_a_url_that_stays_in_its_predefined_category_may_be_allowed_there(
    office: Office,
) -> None:
    office.rule("Games", ["GAMBLING"], 1, action="ALLOW")
    found = await office.verdicts("dropbox.com", "box.example")
    assert [each.is_blocked for each in found] == [False, True, False]
    assert found[2].reason is not None
    assert found[2].reason.sentence == (
        'the URL filtering rule "Games" (ALLOW) comes first, for URLs that are in a predefined '
        "category as well"
    )


# Whatever the policies are: what is said to be blocked is blocked by a gateway that has them.

CATEGORIES = ("ours", "partners", "games")
ENTRIES = (".dropbox.com", "www.dropbox.com", ".dropbox.com/public", "box.example", ".example")
URLS = ("dropbox.com", "www.dropbox.com/public/1", "a.dropbox.com", "box.example/x", "box.example")
PLACES = st.lists(st.sampled_from([*CATEGORIES, "ANY", "GAMBLING"]), max_size=2, unique=True)


def sublist(of: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), unique=True, max_size=4)


URL_RULES = st.tuples(
    st.sampled_from(["BLOCK", "BLOCK", "ALLOW", "CAUTION"]),
    PLACES,
    PLACES,
    st.integers(-1, 4),
    st.booleans(),
    st.booleans(),
)
SSL_RULES = st.tuples(
    st.sampled_from(["DECRYPT", "DO_NOT_DECRYPT", "BYPASS"]), PLACES, st.integers(1, 4)
)


@given(
    contents=st.fixed_dictionaries({name: sublist(ENTRIES) for name in CATEGORIES}),
    retaining=st.sets(st.sampled_from(CATEGORIES)),
    url_rules=st.lists(URL_RULES, max_size=4),
    ssl_rules=st.lists(SSL_RULES, max_size=2),
    app_rule=st.sampled_from(["none", "allows", "cascades", "all cascade"]),
)
def test_no_false_yes(
    contents: dict[str, list[str]],
    retaining: set[str],
    url_rules: list[tuple[str, list[str], list[str], int, bool, bool]],
    ssl_rules: list[tuple[str, list[str], int]],
    app_rule: str,
) -> None:
    policies, activation = Policies(), Activation()
    categories = Categories(activation.changed)
    activation.contents = lambda: categories.contents
    names = dict(zip(CATEGORIES, (CATEGORY, "Partners", "Games"), strict=True))
    ids = {"ANY": "ANY", "GAMBLING": "GAMBLING"}
    for key, name in names.items():
        lists = ([], contents[key]) if key in retaining else (contents[key], [])
        ids[key] = categories.put(name, *lists)
    for number, (action, first, second, order, is_enabled, is_limited) in enumerate(url_rules):
        rule = url_filtering_rule(f"url {number}", [ids[key] for key in first], order=order)
        rule |= {"action": action, "urlCategories2": [ids[key] for key in second]}
        rule |= {"state": "ENABLED" if is_enabled else "DISABLED"}
        policies.url_filtering.append(rule | ({"groups": [{"id": 1}]} if is_limited else {}))
    for number, (action, places, order) in enumerate(ssl_rules):
        rule = ssl_inspection_rule(f"ssl {number}", [ids[key] for key in places], order=order)
        rule["action"]["type"] = "DECRYPT" if action == "DECRYPT" else "DO_NOT_DECRYPT"
        if action == "BYPASS":
            rule["action"]["doNotDecryptSubActions"] = {"bypassOtherPolicies": True}
        policies.ssl_inspection.append(rule)
    if app_rule != "none":
        rule = cloud_app_rule("FILE_SHARE", "apps", ["ALLOW_FILE_SHARE_VIEW"], applications=["BOX"])
        rule["cascadingEnabled"] = app_rule == "cascades"
        policies.cloud_app_control["FILE_SHARE"] = [rule]
        policies.advanced_settings["cascadeUrlFiltering"] = app_rule == "all cascade"
    activation.start()
    gateway = Gateway(activation, policies)
    gateway.classified = {"dropbox.com": ["GAMBLING"], "box.example": ["GAMBLING"]}
    gateway.apps = {"dropbox.com": ("FILE_SHARE", "BOX"), "box.example": ("FILE_SHARE", "BOX")}

    for verdict in judge(policy_of(categories, activation, policies), URLS)[1:]:
        decided = gateway.decide(verdict.url)
        if verdict.is_blocked:
            assert decided.is_blocked, (verdict, decided)


def policy_of(categories: Categories, activation: Activation, policies: Policies) -> Policy:
    """What is read of a ZIA, without asking over the network."""
    api = ZiaApi("https://zia.test", Ticket(), Wire(lambda _: OSError()).network(), FreePace())
    found = [api.category_of(raw) for raw in categories.listed("ALL", is_custom_only=False)]
    return Policy(
        CATEGORY,
        category=next(each for each in found if each.name == CATEGORY),
        others=[each for each in found if each.name != CATEGORY],
        activation=activation.status,
        url_rules=in_order(policies.url_filtering),
        cascades=policies.advanced_settings["cascadeUrlFiltering"],
        app_rules={kind: in_order(r) for kind, r in policies.cloud_app_control.items()},
        ssl_rules=in_order(policies.ssl_inspection),
    )
