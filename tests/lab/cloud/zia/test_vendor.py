"""The vendor's own client takes the lab for ZIA."""

from typing import Any

from nss.lab.cloud import CloudLab, Fault
from tests.vendor import zia_calls

NAME = "MS Defender Unsanctioned Apps"


def test_it_creates_extends_reads_and_deletes_a_category(lab: CloudLab) -> None:
    lab.zia.sessions.logout_status = 204
    given: dict[str, Any] = {"category_id": "$0.id", "configured_name": NAME}
    created, added, removed, read, listed, quota, before, activated, reviewed, deleted = zia_calls(
        lab,
        (
            "url_categories.add_url_category",
            {
                "super_category": "USER_DEFINED",
                "configured_name": NAME,
                "urls": [".a.example"],
                "description": "d",
            },
        ),
        (
            "url_categories.add_urls_to_category",
            given | {"urls": [".b.example"], "db_categorized_urls": [".c.example"]},
        ),
        ("url_categories.delete_urls_from_category", given | {"urls": [".a.example"]}),
        ("url_categories.get_category", {"category_id": "$0.id"}),
        (
            "url_categories.list_categories",
            {"query_params": {"custom_only": True, "type": "ALL"}},
        ),
        ("url_categories.get_quota", {}),
        ("activate.status", {}),
        ("activate.activate", {}),
        ("url_categories.review_domains_post", {"urls": ["www.b.example"]}),
        ("url_categories.delete_category", {"category_id": "$0.id"}),
    )
    assert (created["id"], created["custom_category"], created["urls"]) == (
        "CUSTOM_01",
        True,
        [".a.example"],
    )
    assert (sorted(added["urls"]), added["db_categorized_urls"]) == (
        [".a.example", ".b.example"],
        [".c.example"],
    )
    assert removed["urls"] == [".b.example"]
    assert (read["urls"], read["db_categorized_urls"], read["description"]) == (
        [".b.example"],
        [".c.example"],
        "d",
    )
    assert [found["configured_name"] for found in listed] == [NAME]
    assert quota == {"uniqueUrlsProvisioned": 2, "remainingUrlsQuota": 24_998}
    assert (before["status"], activated["status"]) == ("PENDING", "ACTIVE")
    assert [found["matches"] for found in reviewed] == [[{"id": "CUSTOM_01", "name": NAME}]]
    assert deleted is None
    assert [change.kind for change in lab.zia.categories.changes] == [
        "create",
        "ADD_TO_LIST",
        "REMOVE_FROM_LIST",
        "delete",
    ]
    assert (lab.complaints, lab.zia.sessions.open_count) == ([], 0)


def test_it_reads_rules_and_settings(lab: CloudLab) -> None:
    settings, rules, apps, ssl, servers, agreement = zia_calls(
        lab,
        ("advanced_settings.get_advanced_settings", {}),
        ("url_filtering.list_rules", {}),
        ("cloudappcontrol.list_rules", {"rule_type": "WEBMAIL"}),
        ("ssl_inspection_rules.list_rules", {}),
        ("nss_servers.list_nss_servers", {}),
        ("activate.get_eusa_status", {}),
    )
    assert settings["cascade_url_filtering"] is False
    assert (rules, apps) == ([], [])
    assert [rule["name"] for rule in ssl] == ["Default SSL_TLS Inspection Rule"]
    assert [server["type"] for server in servers] == ["NSS_FOR_WEB"]
    assert agreement["accepted_status"] is True
    assert lab.complaints == []


def test_it_gets_over_a_session_that_is_lost_and_a_limit(lab: CloudLab) -> None:
    lab.faults.add(
        Fault("zia", "get /api/v1/authenticatedsession", status=401),
        Fault("zia", "post /api/v1/urlcategories", status=429, retry_after="0 seconds"),
    )
    call = (
        "url_categories.add_url_category",
        {"super_category": "USER_DEFINED", "configured_name": NAME, "urls": [".a.example"]},
    )
    (created,) = zia_calls(lab, call)
    assert created["id"] == "CUSTOM_01"
    seen = [(request.method, request.status) for request in lab.requests]
    assert (seen.count(("POST", 429)), seen.count(("GET", 401))) == (1, 1)


def test_it_shows_what_is_refused(lab: CloudLab) -> None:
    (error,) = zia_calls(
        lab,
        (
            "url_categories.add_url_category",
            {"super_category": "USER_DEFINED", "configured_name": NAME, "urls": ["*.a.example"]},
        ),
    )
    assert "Invalid urls [*.a.example]" in error
    assert lab.zia.categories.changes == []
    assert lab.complaints == ["a category was sent that ZIA refuses: Invalid urls [*.a.example]"]
