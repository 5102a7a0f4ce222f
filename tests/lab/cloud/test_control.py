"""The control page."""

import httpx
import pytest

from nss.lab.cloud import CloudLab, Fault


@pytest.fixture
def page(lab: CloudLab, client: httpx.Client) -> httpx.Client:
    client.base_url = httpx.URL(lab.control_url)
    return client


def test_the_page_shows_what_is_on_and_what_came_in(lab: CloudLab, page: httpx.Client) -> None:
    lab.faults.add(Fault("mcas", "<b>", "status", 502, times=None), Fault("blob", kind="reset"))
    text = page.get("/").text
    assert (
        "<li>mcas &lt;b&gt;: status 502, always<li>blob all requests: reset, times: 1</ul>" in text
    )
    assert "<option>AADSTS7000215" in text
    assert "<tr><td>uploads<td>0" in text


def test_a_fault_is_switched_on_and_off(lab: CloudLab, page: httpx.Client) -> None:
    given = {
        "server": "mcas",
        "path": "streams",
        "kind": "status",
        "status": 429,
        "retry_after": "7",
        "body": "later",
        "times": None,
    }
    assert page.post("/faults", json=given).status_code == 201
    assert lab.faults.active == [
        Fault("mcas", "streams", "status", 429, retry_after="7", body=b"later", times=None)
    ]
    assert page.delete("/faults").status_code == 204
    assert lab.faults.active == []


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({}, "Object missing required field `server`"),
        ({"server": "x"}, "Invalid enum value 'x' - at `$.server`"),
        ({"server": "mcas", "status": "x"}, "Expected `int`, got `str` - at `$.status`"),
        ({"server": "mcas", "sattus": 500}, "Object contains unknown field `sattus`"),
    ],
)
def test_a_fault_that_is_none_is_refused(
    page: httpx.Client, given: dict[str, object], detail: str
) -> None:
    answer = page.post("/faults", json=given)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})


def test_switches_are_set_and_what_is_left_out_stays(lab: CloudLab, page: httpx.Client) -> None:
    secret = lab.client_secret
    assert page.post("/switches", json={"roles": ["Discovery.read"]}).status_code == 204
    assert page.post("/switches", json={"skew_secs": 400, "silent_drop": True}).status_code == 204
    assert (lab.entra.roles, lab.entra.skew_secs, lab.mcas.silent_drop) == (
        ["Discovery.read"],
        400,
        True,
    )
    assert (lab.entra.token_secs, lab.mcas.data_sources) == (3599, {"NSS"})
    answer = page.post(
        "/switches", json={"token_secs": 60, "data_sources": ["A"], "revoke_secret": True}
    )
    more = {"repeat": "unsuccessful", "unsuccessful_status": 200, "provider": "aws"}
    assert page.post("/switches", json=more).status_code == 204
    assert more == {name: getattr(lab.mcas, name) for name in more}
    assert (answer.status_code, lab.entra.token_secs, lab.mcas.data_sources) == (204, 60, {"A"})
    assert lab.client_secret != secret


def test_entra_can_be_made_to_refuse(lab: CloudLab, page: httpx.Client) -> None:
    codes = []
    for code in ("AADSTS7000222", None):
        assert page.post("/switches", json={"refuse": code}).status_code == 204
        answer = page.post(lab.authentication_url, data={"client_id": lab.client_id})
        codes += answer.json()["error_codes"]
    assert codes == [7000222, 900144]
    answer = page.post("/switches", json={"refuse": "AADSTS1"})
    assert answer.json() == {"detail": "refuse: not a code that the lab knows"}


def test_upload_urls_expire_and_tokens_are_revoked_by_a_switch(
    lab: CloudLab, page: httpx.Client
) -> None:
    url = lab.blobs.issue("a", "ZSCALER")
    bearer = {"authorization": f"Bearer {lab.entra.tokens.issue('x', ['Discovery.read'], 60)}"}
    page.post("/switches", json={"expire_sas": True, "revoke_tokens": True})
    assert page.put(url, headers={"x-ms-blob-type": "BlockBlob"}).status_code == 403
    assert page.get(f"{lab.api_url}/api/discovery/streams", headers=bearer).status_code == 401


def test_the_state_is_had_as_json(page: httpx.Client) -> None:
    assert page.get("/state").json() == {
        "requests": 0,
        "complaints": 0,
        "uploads": 0,
        "records": 0,
        "malformed": 0,
        "too_old": 0,
    }


def test_only_json_is_taken_which_no_form_of_another_site_can_send(page: httpx.Client) -> None:
    answer = page.post("/faults", content=b"{}", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()) == (415, {"detail": "Send JSON."})
