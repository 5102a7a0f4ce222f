"""What the lab's gateway makes of requests: every documented reason why a URL still opens."""

import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.gateway import Decision
from nss.lab.cloud.zia.policies import cloud_app_rule, ssl_inspection_rule, url_filtering_rule

BLOCKED = Decision(is_blocked=True, by="Block")
OPEN = Decision(is_blocked=False)


@pytest.fixture
def category(lab: CloudLab) -> str:
    """A category in force with a blocking rule and SSL inspection for everything."""
    category = lab.zia.categories.put("X", [".box.com", "pdf.example/free/"], [".reddit.com"])
    lab.zia.policies.url_filtering.append(url_filtering_rule("Block", [category], order=2))
    lab.zia.policies.ssl_inspection.append(ssl_inspection_rule("All", action="DECRYPT"))
    lab.zia.activation.start()
    return category


@pytest.mark.usefixtures("category")
@pytest.mark.parametrize(
    ("url", "decision"),
    [
        ("box.com", BLOCKED),
        ("a.b.BOX.com/x", BLOCKED),
        ("www.reddit.com", BLOCKED),
        ("pdf.example/free/x", BLOCKED),
        ("pdf.example/paid", OPEN),
        ("notbox.com", OPEN),
    ],
)
def test_what_is_in_the_category_is_blocked(lab: CloudLab, url: str, decision: Decision) -> None:
    assert lab.zia.gateway.decide(url) == decision


def test_what_is_not_activated_opens(lab: CloudLab, category: str) -> None:
    lab.zia.categories.edit(category, add=["new.example"])
    assert lab.zia.gateway.decide("new.example") == OPEN
    lab.zia.activation.start()
    assert lab.zia.gateway.decide("new.example") == BLOCKED


@pytest.mark.parametrize(
    "fields", [{"state": "DISABLED"}, {"action": "CAUTION"}, {"users": [{"id": 1}]}]
)
def test_a_rule_that_is_off_or_does_another_thing_blocks_nothing(
    lab: CloudLab, category: str, fields: dict[str, object]
) -> None:
    lab.zia.policies.url_filtering = [url_filtering_rule("Block", [category]) | fields]
    assert not lab.zia.gateway.decide("box.com").is_blocked


def test_the_second_list_of_categories_counts_too(lab: CloudLab, category: str) -> None:
    rule = url_filtering_rule("Block", ["GAMBLING"], urlCategories2=[category])
    lab.zia.policies.url_filtering = [rule]
    assert lab.zia.gateway.decide("box.com") == BLOCKED


def test_a_rule_before_it_allows(lab: CloudLab, category: str) -> None:
    rules = lab.zia.policies.url_filtering
    rules.append(url_filtering_rule("Allow", [category], action="ALLOW", order=1))
    assert lab.zia.gateway.decide("box.com") == Decision(is_blocked=False, by="Allow")


def test_cloud_app_control_allows_first_unless_it_cascades(lab: CloudLab, category: str) -> None:
    assert category == "CUSTOM_01"
    lab.zia.gateway.apps["box.com"] = ("FILE_SHARE", "BOX")
    rule = cloud_app_rule("FILE_SHARE", "Box", ["ALLOW_FILE_SHARE_VIEW"], applications=["BOX"])
    lab.zia.policies.cloud_app_control["FILE_SHARE"] = [rule]
    assert lab.zia.gateway.decide("app.box.com") == Decision(is_blocked=False, by="Box")
    rule["cascadingEnabled"] = True
    assert lab.zia.gateway.decide("app.box.com") == BLOCKED
    rule["cascadingEnabled"] = False
    lab.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
    assert lab.zia.gateway.decide("app.box.com") == BLOCKED
    rule["actions"] = ["DENY_FILE_SHARE_VIEW"]
    assert lab.zia.gateway.decide("app.box.com") == Decision(is_blocked=True, by="Box")


def test_a_more_specific_entry_elsewhere_wins(lab: CloudLab, category: str) -> None:
    assert lab.zia.gateway.decide("app.box.com") == BLOCKED
    lab.zia.categories.put("Free", ["app.box.com"])
    lab.zia.activation.start()
    assert lab.zia.gateway.categories("app.box.com") == {"CUSTOM_02"}
    assert lab.zia.gateway.decide("app.box.com") == OPEN
    assert lab.zia.gateway.categories("box.com") == {category}


def test_a_path_is_only_seen_where_ssl_is_inspected(lab: CloudLab, category: str) -> None:
    lab.zia.policies.ssl_inspection = [
        ssl_inspection_rule("All", action="DO_NOT_DECRYPT", order=-1, is_default=True)
    ]
    assert lab.zia.gateway.decide("pdf.example/free/x") == OPEN
    assert lab.zia.gateway.decide("box.com/x") == BLOCKED
    rule = ssl_inspection_rule("Bypass", [category])
    rule["action"]["doNotDecryptSubActions"] = {"bypassOtherPolicies": True}
    lab.zia.policies.ssl_inspection.append(rule)
    assert lab.zia.gateway.decide("box.com") == Decision(is_blocked=False, by="Bypass")


def test_a_sync_can_unblock_what_a_predefined_category_blocked(
    lab: CloudLab, category: str
) -> None:
    lab.zia.gateway.classified |= {"box.com": ["FILE_HOST"], "reddit.com": ["FILE_HOST"]}
    lab.zia.policies.url_filtering = [url_filtering_rule("Predefined", ["FILE_HOST"])]
    by_predefined = Decision(is_blocked=True, by="Predefined")
    assert lab.zia.gateway.decide("box.com") == OPEN
    assert lab.zia.gateway.decide("www.reddit.com") == by_predefined
    lab.zia.categories.edit(category, remove=[".box.com"])
    lab.zia.activation.start()
    assert lab.zia.gateway.decide("box.com") == by_predefined
