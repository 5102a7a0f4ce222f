"""URL categories: what clients read and change, and what is refused."""

from collections.abc import Callable

import httpx
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.zia import Change

Api = Callable[..., httpx.Response]
Create = Callable[..., str]


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", answer.json()["message"])


def test_a_category_is_created_as_it_was_recorded(api: Api) -> None:
    body = {
        "type": "URL_CATEGORY",
        "superCategory": "USER_DEFINED",
        "urls": ["test-vcr-url1.example.com", "test-vcr-url2.example.com"],
        "customCategory": False,
        "configuredName": "TestCategory_VCR",
        "description": "Test URL category for VCR testing",
    }
    created = api("POST", "/urlCategories", body).json()
    created["urls"].sort()
    assert created == {
        "id": "CUSTOM_01",
        "configuredName": "TestCategory_VCR",
        "superCategory": "USER_DEFINED",
        "urls": ["test-vcr-url1.example.com", "test-vcr-url2.example.com"],
        "dbCategorizedUrls": [],
        "customCategory": True,
        "editable": True,
        "description": "Test URL category for VCR testing",
        "type": "URL_CATEGORY",
        "val": 128,
        "customUrlsCount": 2,
        "urlsRetainingParentCategoryCount": 0,
        "customIpRangesCount": 0,
        "ipRangesRetainingParentCategoryCount": 0,
        "categoryGroup": "REGULAR",
        "urlType": "EXACT",
    }


def test_a_full_put_without_fields_loses_them(api: Api, create: Create) -> None:
    scopes = [{"Type": "LOCATION", "ScopeEntities": [{"id": 1}]}]
    category = create("X", "a.example", keywords=["k"], scopes=scopes, description="d")
    read = api("GET", f"/urlCategories/{category}").json()
    assert (read["keywords"], read["scopes"], read["description"]) == (["k"], scopes, "d")
    api("PUT", f"/urlCategories/{category}", {"configuredName": "X", "urls": ["b.example"]})
    read = api("GET", f"/urlCategories/{category}").json()
    assert read["urls"] == ["b.example"]
    lost = {"keywords", "scopes", "description", "superCategory"}
    assert not lost & set(read)


def test_urls_are_added_and_removed_and_only_keywords_and_scopes_have_to_be_sent_again(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example", keywords=["k"], description="d")
    path = f"/urlCategories/{category}"
    body = {"configuredName": "X", "urls": ["b.example"], "dbCategorizedUrls": ["c.example"]}
    added = api("PUT", f"{path}?action=ADD_TO_LIST", body | {"keywords": ["k"]}).json()
    assert (sorted(added["urls"]), added["dbCategorizedUrls"]) == (
        ["a.example", "b.example"],
        ["c.example"],
    )
    assert (added["keywords"], added["description"], added["superCategory"]) == (
        ["k"],
        "d",
        "USER_DEFINED",
    )
    removed = api("PUT", f"{path}?action=REMOVE_FROM_LIST", body).json()
    assert (removed["urls"], removed["dbCategorizedUrls"]) == (["a.example"], [])
    assert "keywords" not in removed
    assert lab.zia.categories.changes == [
        Change("create", category, ("a.example",)),
        Change("ADD_TO_LIST", category, ("b.example",), ("c.example",)),
        Change("REMOVE_FROM_LIST", category, ("b.example",), ("c.example",)),
    ]


def test_attributes_beside_the_lists_are_applied_with_an_action_too(
    api: Api, create: Create
) -> None:
    category = create("X", "a.example")
    body = {"configuredName": "Y", "urls": ["b.example"], "description": "new"}
    read = api("PUT", f"/urlCategories/{category}?action=ADD_TO_LIST", body).json()
    assert (read["configuredName"], read["description"]) == ("Y", "new")


def test_ip_ranges_are_a_list_of_the_action_or_an_attribute(lab: CloudLab, api: Api) -> None:
    ranges = ["192.0.2.0/24", "198.51.100.0/24"]
    path = f"/urlCategories/{lab.zia.categories.put('X', ['a.example'], ipRanges=ranges)}"
    body = {"configuredName": "X", "urls": ["a.example"], "ipRanges": ranges}
    lab.zia.categories.by_action = ("urls", "dbCategorizedUrls")
    read = api("PUT", f"{path}?action=REMOVE_FROM_LIST", body).json()
    assert (read["urls"], read["ipRanges"], read["customIpRangesCount"]) == ([], ranges, 2)
    lab.zia.categories.by_action += ("ipRanges",)
    read = api("PUT", f"{path}?action=REMOVE_FROM_LIST", body).json()
    assert (read["ipRanges"], read["customIpRangesCount"]) == ([], 0)


def test_the_object_as_it_was_read_can_be_sent_back(lab: CloudLab, api: Api) -> None:
    lab.zia.categories.put("X", ["a.example"], ["b.example"], keywords=["k"])
    read = lab.zia.categories.shown("X")
    sent = read | {"urls": ["c.example"], "dbCategorizedUrls": []}
    answer = api("PUT", f"/urlCategories/{read['id']}?action=ADD_TO_LIST", sent)
    assert sorted(answer.json()["urls"]) == ["a.example", "c.example"]
    assert lab.complaints == []


def test_urls_come_in_another_order_each_time(lab: CloudLab, api: Api) -> None:
    urls = [f"{n}.example.com" for n in range(50)]
    category = lab.zia.categories.put("X", urls)
    orders = [api("GET", f"/urlCategories/{category}").json()["urls"] for _ in range(2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(urls)


def test_categories_are_listed_without_those_of_tlds_unless_asked_for(
    lab: CloudLab, api: Api
) -> None:
    lab.zia.categories.put("X", ["a.example"])
    lab.zia.categories.put("T", [".zip"], type="TLD_CATEGORY")

    def names(query: str) -> list[str]:
        found = api("GET", f"/urlCategories{query}").json()
        return [item.get("configuredName", item["id"]) for item in found]

    assert names("?customOnly=true") == ["X"]
    assert names("?customOnly=true&type=TLD_CATEGORY") == ["T"]
    assert names("?customOnly=true&type=ALL") == ["X", "T"]
    assert {"X", "GAMBLING"} <= set(names(""))
    assert refused(api("GET", "/urlCategories?type=x")) == (400, "INVALID_INPUT_ARGUMENT")
    lite = api("GET", "/urlCategories/lite").json()
    assert {"CUSTOM_01", "CUSTOM_02", "GAMBLING"} <= {item["id"] for item in lite}
    assert not {"configuredName", "urls"} & lite[-1].keys()


def test_a_category_of_regular_expressions_takes_no_urls(lab: CloudLab, api: Api) -> None:
    category = lab.zia.categories.put("X", urlType="REGEX", regexPatterns=["a.*"])
    read = api("GET", f"/urlCategories/{category}").json()
    assert (read["urlType"], read["regexPatterns"]) == ("REGEX", ["a.*"])
    body = {"configuredName": "X", "urls": ["a.example"]}
    answer = api("PUT", f"/urlCategories/{category}?action=ADD_TO_LIST", body)
    assert refused(answer) == (400, "INVALID_INPUT_ARGUMENT")
    answer = api("PUT", f"/urlCategories/{category}", body | {"urlType": "EXACT"})
    assert refused(answer) == (400, "INVALID_INPUT_ARGUMENT")


@pytest.mark.parametrize("status", [409, 400])
def test_a_name_there_is_already_is_refused_among_all_types(
    lab: CloudLab, api: Api, status: int
) -> None:
    lab.zia.categories.duplicate_status = status
    lab.zia.categories.put("X", [".zip"], type="TLD_CATEGORY")
    body = {"configuredName": "x", "superCategory": "USER_DEFINED", "urls": ["a.example"]}
    assert refused(api("POST", "/urlCategories", body)) == (status, "DUPLICATE_ITEM")


GOOD = [
    "a.example",
    ".a.example",
    ".Logz.io",
    "a.example/path/",
    "a.example:8443/x?y=1",
    "a_b.c.example.com",
    "a_b.example",
    "192.0.2.1",
    f"{'a' * 63}.example",
    f"a.example/{'p' * 1014}",
]
BAD = [
    "",
    "com",
    ".com",
    "*.a.example",
    "https://a.example",
    "a.exämple",
    "a b.example",
    "a..example",
    "-a.example",
    "a.example:x",
    "a.b_c.example",
    f"{'a' * 64}.example",
    f"{'a.' * 125}example",
    f"a.example/{'p' * 1015}",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_url_that_keeps_the_rules_is_taken(lab: CloudLab, create: Create, url: str) -> None:
    create("X", url)
    assert lab.zia.categories.urls("X") == {url}


@pytest.mark.parametrize("url", BAD)
def test_one_bad_url_fails_all_and_is_a_violation(
    lab: CloudLab, api: Api, create: Create, url: str
) -> None:
    category = create("X", "a.example")
    for action in ("?action=ADD_TO_LIST", ""):
        for field in ("urls", "dbCategorizedUrls"):
            body = {"configuredName": "X", field: ["b.example", url]}
            answer = api("PUT", f"/urlCategories/{category}{action}", body)
            assert (answer.status_code, answer.json()) == (
                400,
                {"code": "INVALID_INPUT_ARGUMENT", "message": f"Invalid urls [{url}]"},
            )
    assert lab.zia.categories.urls("X") == {"a.example"}
    assert len(lab.complaints) == 4


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {"configuredName": 1},
        {"urls": "a.example"},
        {"urls": [1]},
        {"customCategory": "true"},
        {"id": 0},
        {"nonsense": 1},
        {"scopes": ["x"]},
    ],
)
def test_a_body_of_another_form_is_invalid_and_a_violation(
    lab: CloudLab, api: Api, body: object
) -> None:
    answer = api("POST", "/urlCategories", body)
    assert refused(answer) == (400, "Request body is invalid.")
    assert len(lab.complaints) == 1


def test_only_json_is_taken(lab: CloudLab, client: httpx.Client, api: Api) -> None:
    assert api("GET", "/status").status_code == 200
    url = f"{lab.zia_api_url}/urlCategories"
    assert client.post(url, data={"configuredName": "X"}).status_code == 415
    answer = client.post(url, content=b"x", headers={"content-type": "application/json"})
    assert refused(answer) == (400, "Request body is invalid.")
    assert lab.complaints == [
        f"POST /api/v1/urlCategories without JSON: {status}" for status in (415, 400)
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"configuredName": "X", "urls": ["a.example"]},
        {"superCategory": "USER_DEFINED", "urls": ["a.example"]},
        {"configuredName": "X", "superCategory": "USER_DEFINED", "urls": []},
        {"configuredName": "X/Y", "superCategory": "USER_DEFINED", "urls": ["a.example"]},
        {"configuredName": "X", "superCategory": "U", "urls": ["a.example"], "type": "ALL"},
        {"configuredName": "X", "superCategory": "U", "urls": ["a.e"], "description": "d" * 257},
        {"configuredName": "X", "superCategory": "U", "urls": ["a.e"], "keywords": ["k"] * 257},
    ],
)
def test_a_creation_that_breaks_a_limit_is_refused(api: Api, body: dict[str, object]) -> None:
    assert refused(api("POST", "/urlCategories", body)) == (400, "INVALID_INPUT_ARGUMENT")


def test_urls_are_not_needed_where_others_retain_their_category(
    lab: CloudLab, create: Create
) -> None:
    create("X", dbCategorizedUrls=["a.example"])
    assert lab.zia.categories.retaining("X") == {"a.example"}


def test_beyond_the_quota_nothing_is_changed(lab: CloudLab, api: Api, create: Create) -> None:
    lab.zia.categories.max_urls = 25_000
    lab.zia.categories.other_urls = 24_996
    category = create("X", "a.example", "b.example")
    lab.zia.categories.put("Y", ["a.example"], ["c.example"])
    assert api("GET", "/urlCategories/urlQuota").json() == {
        "uniqueUrlsProvisioned": 24_999,
        "remainingUrlsQuota": 1,
    }
    path = f"/urlCategories/{category}?action=ADD_TO_LIST"
    urls = ["c.example", "d.example", "e.example"]
    answer = api("PUT", path, {"configuredName": "X", "urls": urls})
    assert answer.json()["message"] == (
        "An organization can have a maximum of 25000 custom URLs. "
        "Currently 24999 are already provisioned for this organization."
    )
    assert answer.status_code == 400
    assert lab.zia.categories.urls("X") == {"a.example", "b.example"}
    assert api("PUT", path, {"configuredName": "X", "urls": urls[:2]}).status_code == 200


def test_there_are_only_so_many_categories(lab: CloudLab, api: Api, create: Create) -> None:
    lab.zia.categories.max_custom = 1
    create("X", "a.example")
    body = {"configuredName": "Y", "superCategory": "USER_DEFINED", "urls": ["a.example"]}
    assert refused(api("POST", "/urlCategories", body)) == (403, "LIMIT_EXCEEDED")


def test_a_category_is_deleted_unless_a_rule_uses_it(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example")
    lab.zia.policies.url_filtering.append({"id": 1, "urlCategories2": [category]})
    assert refused(api("DELETE", f"/urlCategories/{category}")) == (409, "RESOURCE_IN_USE")
    lab.zia.policies.url_filtering.clear()
    answer = api("DELETE", f"/urlCategories/{category}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert refused(api("GET", f"/urlCategories/{category}")) == (404, "RESOURCE_NOT_FOUND")
    assert refused(api("DELETE", "/urlCategories/GAMBLING")) == (403, "INVALID_OPERATION")


def test_domains_are_found_in_categories_where_they_or_more_specific_entries_are(
    lab: CloudLab, api: Api
) -> None:
    lab.zia.categories.put("X", [".box.com"])
    lab.zia.categories.put("Y", ["app.box.com/login"], ["other.example"])
    found = api("POST", "/urlCategories/review/domains", ["app.box.com", ".box.com", "a.example"])
    x, y = ({"id": f"CUSTOM_0{n}", "name": name} for n, name in ((1, "X"), (2, "Y")))
    assert found.json() == [
        {"url": "app.box.com", "domainType": "SUBDOMAIN", "matches": [y]},
        {"url": "app.box.com", "domainType": "WILDCARD", "matches": [x]},
        {"url": ".box.com", "domainType": "SUBDOMAIN", "matches": [y]},
        {"url": ".box.com", "domainType": "WILDCARD", "matches": [x]},
    ]
    assert api("POST", "/urlCategories/review/domains", ["example.com"]).json() == []
    wrong: tuple[object, ...] = ({}, ["a"] * 101, [1])
    for body in wrong:
        answer = api("POST", "/urlCategories/review/domains", body)
        assert refused(answer) == (400, "Request body is invalid.")


def test_another_administrator_changes_a_category_meanwhile(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example", "b.example")
    lab.zia.before_next_write(
        lambda found: found.edit("X", add=["hand.example"], remove=["a.example"])
    )
    assert sorted(api("GET", f"/urlCategories/{category}").json()["urls"]) == [
        "a.example",
        "b.example",
    ]
    body = {"configuredName": "X", "urls": ["c.example"]}
    answer = api("PUT", f"/urlCategories/{category}?action=ADD_TO_LIST", body).json()
    assert sorted(answer["urls"]) == ["b.example", "c.example", "hand.example"]


def test_another_administrator_deletes_a_category_meanwhile(
    lab: CloudLab, api: Api, create: Create
) -> None:
    category = create("X", "a.example")
    lab.zia.before_next_write(lambda found: found.drop("X"))
    body = {"configuredName": "X", "urls": ["c.example"]}
    answer = api("PUT", f"/urlCategories/{category}?action=ADD_TO_LIST", body)
    assert refused(answer) == (404, "RESOURCE_NOT_FOUND")
