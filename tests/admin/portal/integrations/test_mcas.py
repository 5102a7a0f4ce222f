"""The account with MCAS: what is asked, tested, stored and cleared, against the lab."""

import stat
from pathlib import Path
from typing import get_args

import pytest

from nss.admin.portal.pages.integrations.index import _MCAS_PARTS, _ZIA_PARTS
from nss.admin.portal.pages.integrations.mcas import METHODS, McasAccount
from nss.admin.portal.pages.integrations.zia import METHODS as ZIA_METHODS
from nss.admin.portal.pages.integrations.zia import ZiaAccount
from nss.lab.cloud import CloudLab, Fault
from nss.mcas.credentials import Method
from nss.setup.mcas import OPTIONAL, CredentialsDraft
from nss.setup.zia import ZiaDraft
from nss.zia.credentials import Method as ZiaMethod
from tests.admin.portal.integrations.conftest import (
    Desk,
    desk_of,
    error_of,
    hidden_of,
    part,
    value_of,
    words,
)
from tests.admin.portal.parts import pages_of

pytestmark = pytest.mark.long

OTHER = "11111111-2222-3333-4444-555555555555"
LONG = "x" * 5000


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_each_way_of_signing_in_asks_for_what_it_needs() -> None:
    assert set(METHODS) == set(get_args(Method))
    assert set(ZIA_METHODS) == set(get_args(ZiaMethod))
    for method in METHODS:
        asked = [field.name for field in McasAccount.fields(None, method)]  # type: ignore[arg-type]
        assert [name for name in asked if name in CredentialsDraft(method).questions] == list(
            CredentialsDraft(method).questions
        )
    for zia_method in ZIA_METHODS:
        fields = ZiaAccount.fields(None, zia_method)  # type: ignore[arg-type]
        questions = ZiaDraft(zia_method).questions
        assert [field.name for field in fields if field.name in questions] == list(questions)
    optional = {
        field.name
        for field in McasAccount.fields(None, "secret")  # type: ignore[arg-type]
        if field.is_optional
    }
    assert optional == OPTIONAL


async def test_at_first_nothing_is_stored(desk: Desk) -> None:
    page = await desk.get()

    assert "Nothing is stored yet" in page
    assert value_of(page, "scope") == desk.lab.scope
    assert value_of(page, "client_id") == ""
    assert "Clear Config" not in page
    assert "Select Authentication Method" not in page
    assert "Convert to OAuth" not in page


WRONG = [
    ("client_id", "", "The Client ID is empty"),
    ("client_id", "app", "The Client ID is not a GUID"),
    ("client_id", "<script>alert(1)</script>", "The Client ID is only a placeholder"),
    ("client_id", LONG, "the Client ID is longer than 4,096 characters"),
    ("client_secret", "", "The Client Secret is empty"),
    ("client_secret", OTHER, "The Client Secret looks like the secret's ID, not its Value"),
    ("client_secret", "short", "The Client Secret is too short: it has 5 characters"),
    ("client_secret_expires", "3/4/2027", "can be read in two ways: 2027-04-03 or 2027-03-04"),
    ("client_secret_expires", "2020-01-01", "has passed"),
    ("scope", "a b", "The Scope has more than one entry"),
    ("authentication_url", "", "The Authentication URL is empty"),
    ("authentication_url", "https://evil.example/x", "is no login host of Microsoft"),
    ("authentication_url", 'https://"><img src=x>', "has a blank or a quote inside"),
    ("api_url", "http://contoso.us3.portal.cloudappsecurity.com", "begins with http"),
    ("api_url", "https://security.microsoft.com", "a portal for people"),
]


@pytest.mark.parametrize(("name", "text", "error"), WRONG)
async def test_each_wrong_value_is_shown_at_its_field(
    desk: Desk, name: str, text: str, error: str
) -> None:
    values = desk.good | {name: text}

    typed = await desk.checked(name, **values)
    page = await desk.submit("save", **values)

    error = error[0].upper() + error[1:] if error.startswith("the ") else error
    assert error in typed
    assert error_of(page, name) == typed
    others = set(values) - {name, "method"}
    assert not any(error_of(page, each) for each in others)
    assert "Nothing was tested and nothing was stored" in part(page, "result")
    assert not desk.store.path.exists()
    assert not desk.lab.requests
    assert "<script>" not in page.replace("<script src=", "")
    assert "<img" not in page


async def test_what_is_right_has_no_error(desk: Desk) -> None:
    for name in set(desk.good) - {"method"}:
        assert await desk.checked(name, **desk.good) == ""


async def test_answers_that_do_not_go_together_are_told(desk: Desk) -> None:
    values = desk.good | {
        "authentication_url": f"https://login.microsoftonline.us/{OTHER}",
        "api_url": "https://contoso.us3.portal.cloudappsecurity.com",
    }

    assert "is of the US Government cloud" in await desk.checked("authentication_url", **values)
    assert "is of the US Government cloud" in error_of(
        await desk.submit("test", **values), "authentication_url"
    )


async def test_what_was_typed_stays_but_what_may_be_a_secret_in_the_wrong_place(desk: Desk) -> None:
    misplaced = desk.lab.client_secret
    for name in ("client_id", "scope", "authentication_url", "client_secret_expires"):
        values = desk.good | {name: misplaced, "api_url": "http://nonsense"}
        page = await desk.submit("test", **values)

        assert value_of(page, "api_url") == "http://nonsense"
        assert value_of(page, name) in {"", desk.lab.scope}
        assert error_of(page, name)
    assert misplaced not in desk.everything_seen()


async def test_streams_show_what_the_pages_show(desk: Desk) -> None:
    desk.store_good()
    desk.store_good_zia()
    pages = pages_of(desk.app)
    mcas, zia = await desk.get(), await desk.get("/integrations/zia")

    facts = pages._mcas_facts(pages._mcas.stored(), is_admin=True)
    for name, html in pages._rendered(_MCAS_PARTS, facts).items():
        assert f'id="{name}"' in mcas
        assert html.strip() in mcas
    for name, html in pages._rendered(_ZIA_PARTS, pages._zia_facts(pages._zia.stored())).items():
        assert f'id="{name}"' in zia
        assert html.strip() in zia


STEPS = [
    ("client_id", OTHER, "client_id", "sign in"),
    ("client_secret", "abcdefghijklmnopqrstuvwxyz1234567890", "client_secret", "sign in"),
    ("scope", "api://unknown/.default", "scope", "sign in"),
]


@pytest.mark.parametrize(("name", "text", "field", "step"), STEPS)
async def test_what_entra_refuses_is_shown_at_its_field(
    desk: Desk, name: str, text: str, field: str, step: str
) -> None:
    page = await desk.submit("save", **desk.good | {name: text})

    assert f"the test failed at “{step}”" in part(page, "result")
    assert "AADSTS" in error_of(page, field)
    assert not desk.store.path.exists()
    assert desk.audited()[-1]["outcome"] == "failed"


async def test_a_missing_role_fails_the_second_step(desk: Desk) -> None:
    desk.lab.entra.roles = []

    page = await desk.submit("save", **desk.good)

    result = part(page, "result")
    assert "sign in Passed" in result
    assert "role Failed" in result
    assert "Discovery.manage" in result
    assert not desk.store.path.exists()


async def test_an_api_that_refuses_fails_the_third(desk: Desk) -> None:
    desk.lab.faults.add(Fault("mcas", "streams", "status", 403, times=None))

    page = await desk.submit("save", **desk.good)

    result = part(page, "result")
    assert "role Passed" in result
    assert "API Failed" in result
    assert not desk.store.path.exists()


async def test_a_missing_data_source_is_a_warning_and_stored_all_the_same(
    tmp_path: Path, lab: CloudLab
) -> None:
    (tmp_path / "state").mkdir()
    async with desk_of(tmp_path / "state", lab, data_source="NSSX") as desk:
        page = await desk.submit("save", **desk.good)

        result = part(page, "result")
        assert "data source Passed, look at this" in result
        assert 'there is "NSS"' in result
        assert "Stored." in result
        assert "not listed" in part(page, "arrival")


async def test_a_test_stores_nothing_and_save_stores_what_passed(desk: Desk) -> None:
    tested = await desk.submit("test", **desk.good)
    assert "All steps passed. Save stores what was tested." in part(tested, "result")
    assert not desk.store.path.exists()

    saved = await desk.submit("save", **desk.good | {"client_secret": ""})

    assert "Stored. The running service uses it from now on." in part(saved, "result")
    stored = desk.store.load()
    assert stored is not None
    assert stored.client_secret is not None
    assert stored.client_secret.reveal() == desk.lab.client_secret
    assert stored.tested_at is not None
    assert stat.S_IMODE(desk.store.path.stat().st_mode) == 0o600
    assert [(entry["who"], entry["action"], entry["outcome"]) for entry in desk.audited()[-3:]] == [
        ("alice (portal)", "configure-mcas2", "passed"),
        ("alice (portal)", "configure-mcas2", "passed"),
        ("alice (portal)", "configure-mcas2", "stored"),
    ]
    assert "Signs in by Client secret" in part(saved, "stored")
    assert "passed" in part(saved, "stored")
    assert desk.lab.complaints == []


async def test_a_secret_that_was_entered_is_kept_and_never_sent_back(desk: Desk) -> None:
    page = await desk.submit("test", **desk.good)

    assert "Secret entered and not stored: kept until" in words(page)
    assert 'placeholder="entered; leave empty to use it"' in page
    page = await desk.submit("test", **desk.good | {"client_id": OTHER, "client_secret": ""})
    assert "AADSTS700016" in error_of(page, "client_id")
    page = await desk.submit("save", **desk.good | {"client_secret": ""})
    assert "Stored." in part(page, "result")
    assert "Secret entered" not in page
    assert desk.lab.client_secret not in desk.everything_seen()


async def test_what_was_entered_can_be_discarded(desk: Desk) -> None:
    await desk.submit("test", **desk.good)

    page = await desk.followed(await desk.send("/integrations/mcas/discard"))

    assert "Secret entered" not in page
    assert value_of(page, "client_id") == ""
    page = await desk.submit("test", **desk.good | {"client_secret": ""})
    assert "The Client Secret is empty" in error_of(page, "client_secret")


async def test_the_stored_secret_stays_when_the_field_is_empty(desk: Desk) -> None:
    desk.store_good()

    page = await desk.get()
    assert 'placeholder="stored; leave empty to keep it"' in page
    values = desk.good | {"client_secret": "", "client_secret_expires": "2097-05-31"}
    page = await desk.submit("save", **values)

    assert "Stored." in part(page, "result")
    stored = desk.store.load()
    assert stored is not None
    assert stored.client_secret is not None
    assert stored.client_secret.reveal() == desk.lab.client_secret
    assert str(stored.client_secret_expires) == "2097-05-31"
    page = await desk.submit("save", **desk.good | {"client_secret": ""})
    again = desk.store.load()
    assert again is not None
    assert str(again.client_secret_expires) == "2097-05-31"


async def test_the_end_of_a_secret_goes_with_it(desk: Desk) -> None:
    await desk.submit("save", **desk.good | {"client_secret_expires": "2097-05-31"})
    page = await desk.get()
    assert value_of(page, "client_secret_expires") == ""
    assert "Stored: 2097-05-31; leave it empty to keep that with the secret stored." in page

    desk.lab.entra.revoke_secret()
    await desk.submit("save", **desk.good)

    stored = desk.store.load()
    assert stored is not None
    assert stored.client_secret_expires is None


@pytest.mark.parametrize("name", ["client_id", "authentication_url"])
async def test_a_stored_secret_goes_to_nobody_else(desk: Desk, name: str) -> None:
    desk.store_good()
    other = {
        "client_id": OTHER,
        "authentication_url": desk.lab.authentication_url.replace(desk.lab.tenant_id, OTHER),
    }[name]

    page = await desk.submit("test", **desk.good | {name: other, "client_secret": ""})

    assert "The Client Secret that is stored belongs to" in error_of(page, "client_secret")
    assert not desk.lab.requests


async def test_passing_with_what_is_stored_ends_what_holds_uploads(desk: Desk) -> None:
    await desk.submit("test", **desk.good)
    assert ("resume uploads",) not in desk.operations.asked
    desk.store_good()

    await desk.submit("test", **desk.good | {"client_secret": ""})

    assert ("resume uploads",) in desk.operations.asked


async def test_save_is_refused_when_somebody_has_changed_what_is_stored(desk: Desk) -> None:
    hidden = hidden_of(await desk.get())
    desk.store_good()

    path = "/integrations/mcas/submit"
    answer = await desk.client.post(path, data=hidden | desk.good | {"do": "save"})
    page = await desk.followed(answer)

    assert "Somebody has changed what is stored since" in words(page)
    stored = desk.store.load()
    assert stored is not None
    assert stored.tested_at == 1.0
    page = await desk.submit("save", **desk.good | {"client_secret": ""})
    assert "Stored." in part(page, "result")


async def test_clear_config_removes_everything_after_a_question(desk: Desk) -> None:
    desk.store_good()
    assert "Clear the configuration for MCAS?" in await desk.get()

    page = await desk.followed(await desk.send("/integrations/mcas/clear"))

    assert "Cleared. Uploads and the sync stop" in words(page)
    assert not desk.store.path.exists()
    entry = desk.audited()[-1]
    assert (entry["who"], entry["action"]) == ("alice (portal)", "clear-mcas2")
    page = await desk.followed(await desk.send("/integrations/mcas/clear"))
    assert "There was nothing to clear." in page
