"""The lab's MCAS: the apps that are marked, as a block script and as pages."""

import httpx
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.cloud.unsanctioned import AS_DELIVERED, many

SCRIPT = "/api/discovery_block_scripts/"


def test_a_script_is_text_in_chunks(lab: CloudLab, api: httpx.Client) -> None:
    lab.mcas.unsanctioned.apps = {"Reddit": [".reddit.com", ".redd.it"], "Logz": [".Logz.io"]}
    answer = api.get(SCRIPT, params={"format": "120", "type": "banned"})
    assert answer.text == ".reddit.com\n.redd.it\n.Logz.io\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["transfer-encoding"] == "chunked"
    older = api.get("/api/discovery/discovery_block_scripts?format=120&type=banned")
    assert older.text == answer.text
    assert lab.complaints == []


@pytest.mark.parametrize(
    ("number", "line"),
    [
        ("102", "url.domain=cars.com deny\n"),
        ("135", "dest_host=cars.com action=deny\n"),
        ("112", "cars.com\n"),
    ],
)
def test_other_formats_have_other_lines(
    lab: CloudLab, api: httpx.Client, number: str, line: str
) -> None:
    lab.mcas.unsanctioned.apps = {"Cars": [".cars.com"]}
    assert api.get(SCRIPT, params={"format": number, "type": "banned"}).text == line


def test_without_a_marked_app_it_is_empty(lab: CloudLab, api: httpx.Client) -> None:
    lab.mcas.unsanctioned.sanctioned = {"Box": [".box.com"]}
    answer = api.get(SCRIPT, params={"format": "120", "type": "banned"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert api.get(SCRIPT, params={"format": "120", "type": "allowed"}).text == ".box.com\n"


def test_lines_may_end_as_on_windows_and_the_whole_may_be_something_else(
    lab: CloudLab, api: httpx.Client
) -> None:
    lab.mcas.unsanctioned.apps = {"Box": [".box.com"]}
    lab.mcas.unsanctioned.line_end = "\r\n"
    query = {"format": "120", "type": "banned"}
    assert api.get(SCRIPT, params=query).content == b".box.com\r\n"
    lab.mcas.unsanctioned.raw, lab.mcas.unsanctioned.raw_type = b"<html>", "text/html"
    answer = api.get(SCRIPT, params=query)
    assert (answer.content, answer.headers["content-type"]) == (
        b"<html>",
        "text/html; charset=utf-8",
    )


def test_everything_that_real_lists_have_had_comes_as_it_is(
    lab: CloudLab, api: httpx.Client
) -> None:
    lab.mcas.unsanctioned.apps = {**AS_DELIVERED}
    text = api.get(SCRIPT, params={"format": "120", "type": "banned"}).text
    assert text.count("\n") == sum(map(len, AS_DELIVERED.values()))
    assert ".b\u00fccher.example\n" in text
    assert "https://pdf.example/Share/Upload?x=1\n" in text


def test_ten_thousand_apps_come_by_script_and_by_page(lab: CloudLab, api: httpx.Client) -> None:
    lab.mcas.requests_per_minute = 1000
    lab.mcas.unsanctioned.apps = many(10_000)
    text = api.get(SCRIPT, params={"format": "120", "type": "banned"}).text
    assert len(set(text.split())) == 10_000
    found: list[str] = []
    has_next = True
    while has_next:
        page = api.get(SCRIPT, params={"type": "banned", "skip": len(found), "limit": 100}).json()
        found += (domain for app in page["data"] for domain in app["domainList"])
        has_next = page["hasNext"]
    assert sorted(found) == sorted(text.split())
    assert lab.complaints == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"format": "120"}, "block script without a type that there is"),
        ({"type": "banned", "format": "1"}, "block script of the unknown format '1'"),
    ],
)
def test_a_question_of_a_wrong_form_is_a_violation(
    lab: CloudLab, api: httpx.Client, query: dict[str, str], complaint: str
) -> None:
    assert api.get(SCRIPT, params=query).status_code == 400
    assert lab.complaints == [complaint]


def test_a_page_is_never_longer_than_documented(lab: CloudLab, api: httpx.Client) -> None:
    lab.mcas.unsanctioned.apps = many(150)
    page = api.get(SCRIPT, params={"type": "banned", "limit": 1000}).json()
    assert (len(page["data"]), page["hasNext"]) == (100, True)
    assert lab.complaints == ["a list of apps with skip 0 and limit 1000"]
    assert api.get(SCRIPT, params={"type": "banned", "skip": "x"}).status_code == 400


def test_it_needs_the_right_to_manage(lab: CloudLab, client: httpx.Client) -> None:
    url = f"{lab.api_url}{SCRIPT}?format=120&type=banned"
    assert client.get(url).status_code == 401
    for role, status in (("Discovery.read", 403), ("Discovery.manage", 200)):
        token = lab.entra.tokens.issue("x", [role], 60)
        answer = client.get(url, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == status
