"""The part of the control page that is about unsanctioned apps and ZIA."""

from typing import Any

import httpx
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.unsanctioned import AS_DELIVERED
from nss.lab.cloud.zia import Rate


@pytest.fixture
def page(lab: CloudLab, client: httpx.Client) -> httpx.Client:
    client.base_url = httpx.URL(lab.control_url)
    return client


def test_apps_are_marked_and_unmarked(lab: CloudLab, page: httpx.Client) -> None:
    apps = lab.mcas.unsanctioned
    page.post("/zia", json={"unsanctioned": {"Box": [".box.com"]}})
    page.post("/zia", json={"mark": {"Reddit": [".reddit.com"]}, "unmark": ["Box", "Nobody"]})
    assert lab.mcas.unsanctioned.apps == {"Reddit": [".reddit.com"]}
    assert page.get("/zia").json()["unsanctioned"] == {"Reddit": [".reddit.com"]}
    page.post("/zia", json={"unsanctioned": "as delivered", "line_end": "\r\n", "list_body": "x"})
    assert (apps.apps, apps.line_end, apps.raw) == ({**AS_DELIVERED}, "\r\n", b"x")
    page.post("/zia", json={"unsanctioned": 3, "list_body": None})
    assert (len(apps.apps), apps.raw) == (3, None)


def test_another_administrator_is_at_work(lab: CloudLab, page: httpx.Client) -> None:
    page.post("/zia", json={"categories": {"X": {"add": ["a.example"], "retain": ["b.example"]}}})
    shown = page.get("/zia").json()
    assert (shown["categories"], shown["status"]) == (
        {"X": {"urls": ["a.example"], "retaining": ["b.example"], "in_force": []}},
        "PENDING",
    )
    edit = {"add": ["c.example"], "remove": ["b.example"]}
    page.post("/zia", json={"categories": {"X": edit}, "before_next_write": True})
    assert lab.zia.categories.retaining("X") == {"b.example"}
    page.post("/zia", json={"categories": {"X": edit}})
    assert lab.zia.categories.urls("X") == {"a.example", "c.example"}
    page.post("/zia", json={"categories": {"X": {"delete": True}, "Y": {"delete": True}}})
    assert page.get("/zia").json()["categories"] == {}


def test_everything_that_can_go_wrong_is_switched(lab: CloudLab, page: httpx.Client) -> None:
    wanted: dict[str, Any] = {
        "write_secs": 1.5,
        "activation_secs": 2.0,
        "rates": {"GET": {"per_second": 1, "per_hour": 2}},
        "throttle_form": "date",
        "read_only": True,
        "max_urls": 10,
        "forbidden": {"sslInspectionRules": "SCOPE_LIMITED"},
        "roles": ["x"],
        "url_filtering": [{"id": 1}],
        "advanced_settings": {"cascadeUrlFiltering": True},
        "session_idle_secs": 1.0,
    }
    assert page.post("/zia", json=wanted).status_code == 204
    zia = lab.zia
    assert (zia.write_secs, zia.activation.secs, zia.is_read_only) == (1.5, 2.0, True)
    assert (zia.limits.rates, zia.limits.form) == ({"GET": Rate(1, 2)}, "date")
    assert (zia.categories.max_urls, zia.forbidden, lab.entra.zia_roles) == (
        10,
        {"sslInspectionRules": "SCOPE_LIMITED"},
        ["x"],
    )
    assert (zia.policies.url_filtering, zia.sessions.idle_secs) == ([{"id": 1}], 1.0)
    settings = zia.policies.advanced_settings
    assert (settings["cascadeUrlFiltering"], settings["uiSessionTimeout"]) == (True, 300)


def test_the_real_pace_and_what_differs_from_it(lab: CloudLab, page: httpx.Client) -> None:
    page.post("/zia", json={"real_pace": True, "write_secs": 0.0})
    assert (lab.zia.write_secs, lab.zia.limits.rates["PUT"]) == (0.0, Rate(1, 400))


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({"lock_form": "x"}, "Invalid enum value 'x' - at `$.lock_form`"),
        ({"lokc": 1}, "Object contains unknown field `lokc`"),
        ({"unsanctioned": "x"}, "Invalid enum value 'x' - at `$.unsanctioned`"),
    ],
)
def test_what_cannot_be_switched_is_refused(
    page: httpx.Client, given: dict[str, object], detail: str
) -> None:
    answer = page.post("/zia", json=given)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_the_page_has_a_form_for_it(page: httpx.Client) -> None:
    assert '<form id="zia">' in page.get("/").text
