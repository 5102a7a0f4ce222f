"""The account with ZIA: four ways of signing in, tested, stored and cleared, against the lab."""

from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab
from tests.admin.portal.integrations.conftest import Desk, desk_of, error_of, part, value_of, words

pytestmark = pytest.mark.long

PAGE = "/integrations/zia"


def ways(desk: Desk) -> dict[str, dict[str, str]]:
    """Return what the lab takes, by the way of signing in."""
    lab = desk.lab
    one_api = {"client_id": lab.zia.one_api.client_id, "token_url": lab.one_api_token_url}
    sessions = lab.zia.sessions
    return {
        "oneapi_secret": desk.good_zia,
        "oneapi_key": one_api
        | {"private_key": str(lab.issue_zia_key("zia.pem")), "api_url": lab.one_api_url},
        "entra": {"scope": lab.zia_scope, "api_url": lab.zia_api_url},
        "legacy": {
            "username": sessions.username,
            "password": sessions.password,
            "api_key": sessions.api_key,
            "api_url": lab.zia_api_url,
        },
    }


@pytest.mark.parametrize("method", ["oneapi_secret", "oneapi_key", "entra", "legacy"])
async def test_each_way_of_signing_in_is_tested_and_stored(desk: Desk, method: str) -> None:
    desk.store_good()
    values = ways(desk)[method] | {"method": method}
    page = await desk.get(f"{PAGE}?method={method}")
    assert all(f'id="f-{name}"' in page for name in values if name != "method")

    page = await desk.submit("test", PAGE, **values)
    assert "All steps passed" in part(page, "result")
    assert not desk.zia_store.file.path.exists()
    page = await desk.submit("save", PAGE, **values)

    result = part(page, "result")
    assert "Stored. The running service uses it from now on, and begins with a sync." in result
    assert "URL categories Passed" in result
    assert "quota Passed" in result
    stored = desk.zia_store.load()
    assert stored is not None
    assert (stored.method, stored.tested_at is not None) == (method, True)
    assert [(entry["who"], entry["action"], entry["outcome"]) for entry in desk.audited()[-3:]] == [
        ("alice (portal)", "configure-zia", "passed"),
        ("alice (portal)", "configure-zia", "passed"),
        ("alice (portal)", "configure-zia", "stored"),
    ]
    seen = desk.everything_seen()
    hidden = [values[name] for name in ("client_secret", "password", "api_key") if name in values]
    assert not any(secret in seen for secret in hidden)


WRONG = [
    ("oneapi_secret", "client_id", "", "The Client ID is empty"),
    ("oneapi_secret", "client_secret", "", "The Client Secret is empty"),
    ("oneapi_secret", "client_secret", "********", "is only what is shown in its place"),
    ("oneapi_secret", "token_url", "https://acme.zslogin.net/wrong", "has an unknown path"),
    ("oneapi_secret", "api_url", "not a cloud", "has a blank or a quote inside"),
    ("oneapi_key", "private_key", "", "The Private key file is missing"),
    ("oneapi_key", "private_key", "key.pem", "The Private key file is not a whole path"),
    ("entra", "scope", "nothing", "is not of the form RESOURCE/.default"),
    ("legacy", "username", "admin", "is not of the form NAME@DOMAIN"),
    ("legacy", "password", "", "The Password is empty"),
    ("legacy", "api_key", "abc", "is not 12 letters and digits"),
    ("legacy", "api_url", "zscalerfour", "The cloud is not known"),
]


@pytest.mark.parametrize(("method", "name", "text", "error"), WRONG)
async def test_each_wrong_value_is_shown_at_its_field(
    desk: Desk, method: str, name: str, text: str, error: str
) -> None:
    values = ways(desk)[method] | {"method": method, name: text}

    typed = await desk.checked(name, "zia", **values)
    page = await desk.submit("save", PAGE, **values)

    assert error in typed
    assert error_of(page, name) == typed
    assert "Nothing was tested and nothing was stored" in part(page, "result")
    assert not desk.zia_store.file.path.exists()
    assert not [request for request in desk.lab.requests if request.server in {"zia", "zidentity"}]


async def test_a_refused_sign_in_is_shown_at_its_field(desk: Desk) -> None:
    wrong = "wr0ng-secret-of-an-api-client"

    page = await desk.submit("save", PAGE, **desk.good_zia | {"client_secret": wrong})

    assert "ZIdentity does not accept the Client ID" in error_of(page, "client_secret")
    assert "the test failed at “sign in”" in part(page, "result")
    assert not desk.zia_store.file.path.exists()
    page = await desk.submit("save", PAGE, **desk.good_zia)
    assert "Stored. The sync begins when MCAS is configured, too." in part(page, "result")


async def test_a_missing_private_key_is_shown_at_its_field(desk: Desk) -> None:
    values = ways(desk)["oneapi_key"] | {"method": "oneapi_key"}

    page = await desk.submit("test", PAGE, **values | {"private_key": "/nowhere/key.pem"})

    assert "the private key can't be read" in error_of(page, "private_key").lower()


async def test_the_stored_secret_stays_and_goes_to_nobody_else(desk: Desk) -> None:
    desk.store_good_zia()
    page = await desk.get(PAGE)
    assert 'placeholder="stored; leave empty to keep it"' in page
    assert value_of(page, "client_id") == desk.lab.zia.one_api.client_id

    for name, other in (
        ("token_url", "https://collector.evil.example/oauth2/v1/token"),
        ("api_url", "https://collector.evil.example/zia/api/v1"),
        ("client_id", "another"),
    ):
        values = desk.good_zia | {"client_secret": "", name: other}
        page = await desk.submit("test", PAGE, **values)
        assert "The Client Secret that is stored belongs to" in error_of(page, "client_secret")
    assert not desk.lab.requests
    page = await desk.submit("save", PAGE, **desk.good_zia | {"client_secret": ""})

    assert "Stored." in part(page, "result")


async def test_another_way_of_signing_in_needs_its_own_secrets(desk: Desk) -> None:
    desk.store_good_zia()
    values = ways(desk)["legacy"] | {"method": "legacy", "password": "", "api_key": ""}

    page = await desk.submit("save", PAGE, **values)

    assert "The Password is empty" in error_of(page, "password")
    assert "The API key is empty" in error_of(page, "api_key")


async def test_clear_config_says_what_becomes_of_the_sync(desk: Desk) -> None:
    desk.store_good()
    desk.store_good_zia()

    page = await desk.followed(await desk.send("/integrations/zia/clear", PAGE))

    assert "Cleared. The sync continues, into the plain file" in words(page)
    assert not desk.zia_store.file.path.exists()
    assert desk.audited()[-1]["action"] == "clear-zia"
    page = await desk.followed(await desk.send("/integrations/zia/clear", PAGE))
    assert "There was nothing to clear." in page


@pytest.mark.parametrize(
    ("target", "kept", "cleared"),
    [
        ("off", 'They are not used: target in [sync] is "off".', "The sync does not use them"),
        ("file", 'They are not used: target in [sync] is "file".', "The sync does not use them"),
        ("zia", "The sync begins when MCAS is configured, too.", "The sync fails without others"),
        (
            "auto",
            "The sync begins when MCAS is configured, too.",
            "Nothing is synced at the moment",
        ),
    ],
)
async def test_what_the_credentials_are_for_depends_on_the_settings(
    tmp_path: Path, lab: CloudLab, target: str, kept: str, cleared: str
) -> None:
    (tmp_path / "state").mkdir()
    extra = f'[sync]\ntarget = "{target}"\n'
    async with desk_of(tmp_path / "state", lab, extra=extra) as desk:
        saved = await desk.submit("save", PAGE, **desk.good_zia)
        gone = await desk.followed(await desk.send("/integrations/zia/clear", PAGE))

    assert kept in part(saved, "result")
    assert cleared in words(gone)
