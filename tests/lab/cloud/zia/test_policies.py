"""Rules and settings that say whether a category blocks."""

from collections.abc import Callable

import httpx

from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia.policies import cloud_app_rule, ssl_inspection_rule, url_filtering_rule

Api = Callable[..., httpx.Response]


def test_url_filtering_rules_are_read(lab: CloudLab, api: Api) -> None:
    assert api("GET", "/urlFilteringRules").json() == []
    rule = url_filtering_rule("Block", ["CUSTOM_01"], order=2, urlCategories2=["CUSTOM_02"])
    lab.zia.policies.url_filtering.append(rule)
    assert api("GET", "/urlFilteringRules").json() == [rule]
    assert api("GET", f"/urlFilteringRules/{rule['id']}").json() == rule
    answer = api("GET", "/urlFilteringRules/1")
    assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")
    assert (rule["action"], rule["state"], rule["order"]) == ("BLOCK", "ENABLED", 2)


def test_rules_of_cloud_app_control_are_read_by_type(lab: CloudLab, api: Api) -> None:
    mapping = api("GET", "/webApplicationRules/ruleTypeMapping").json()
    assert mapping["File Sharing"] == "FILE_SHARE"
    rule = cloud_app_rule("FILE_SHARE", "Allow", ["ALLOW_FILE_SHARE_VIEW"], applications=["BOX"])
    lab.zia.policies.cloud_app_control["FILE_SHARE"] = [rule]
    for kind in mapping.values():
        found = api("GET", f"/webApplicationRules/{kind}").json()
        assert found == ([rule] if kind == "FILE_SHARE" else [])
    assert rule["cascadingEnabled"] is False
    assert api("GET", "/webApplicationRules/NONSENSE").status_code == 400


def test_whether_filtering_cascades_is_read(lab: CloudLab, api: Api) -> None:
    assert api("GET", "/advancedSettings").json()["cascadeUrlFiltering"] is False
    lab.zia.policies.advanced_settings["cascadeUrlFiltering"] = True
    assert api("GET", "/advancedSettings").json()["cascadeUrlFiltering"] is True


def test_ssl_inspection_rules_are_read_with_the_default_one(lab: CloudLab, api: Api) -> None:
    rule = ssl_inspection_rule("Inspect", ["CUSTOM_01"], action="DECRYPT")
    lab.zia.policies.ssl_inspection.append(rule)
    default, found = api("GET", "/sslInspectionRules").json()
    assert (default["defaultRule"], default["order"], "urlCategories" in default) == (
        True,
        -1,
        False,
    )
    assert (found["action"]["type"], found["urlCategories"]) == ("DECRYPT", ["CUSTOM_01"])


def test_nss_servers_are_read_and_mcas_is_no_partner(api: Api) -> None:
    assert api("GET", "/nssServers").json() == [
        {
            "id": 25235,
            "name": "NSS",
            "status": "ENABLED",
            "state": "HEALTHY",
            "type": "NSS_FOR_WEB",
        }
    ]
    assert api("GET", "/integrationPartners").json() == []


def test_a_url_is_looked_up(lab: CloudLab, api: Api) -> None:
    lab.zia.gateway.classified["google.com"] = ["WEB_SEARCH"]
    assert api("POST", "/urlLookup", ["google.com", "x.example"]).json() == [
        {
            "url": "google.com",
            "urlClassifications": ["WEB_SEARCH"],
            "urlClassificationsWithSecurityAlert": [],
        },
        {
            "url": "x.example",
            "urlClassifications": ["MISCELLANEOUS_OR_UNKNOWN"],
            "urlClassificationsWithSecurityAlert": [],
        },
    ]
