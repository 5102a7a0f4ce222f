"""The account with MCAS: other ways of signing in, the legacy token, damage, tests under way."""

import asyncio
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab, Fault
from tests.admin.portal.integrations.conftest import (
    Desk,
    desk_of,
    error_of,
    part,
    until,
)
from tests.admin.portal.parts import pages_of

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


async def test_a_certificate_signs_in(desk: Desk) -> None:
    values = {name: text for name, text in desk.good.items() if name in {"client_id", "api_url"}}
    values |= {
        "method": "certificate",
        "certificate": str(desk.lab.certificate),
        "authentication_url": desk.lab.authentication_url,
    }
    for text in ("", "relative.pem", "/nowhere/\x1b[2J.pem"):
        page = await desk.submit("test", **values | {"certificate": text})
        assert "Certificate file" in error_of(page, "certificate")

    missing = await desk.submit("save", **values | {"certificate": "/nowhere/client.pem"})
    assert "can't be read" in error_of(missing, "certificate")
    page = await desk.submit("save", **values)

    assert "Stored." in part(page, "result")
    stored = desk.store.load()
    assert stored is not None
    assert (stored.method, stored.certificate) == ("certificate", desk.lab.certificate)
    assert "Signs in by Client certificate" in part(page, "stored")


async def test_a_managed_identity_signs_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", desk.lab.managed_identity_url)
    page = await desk.get("/integrations?method=managed_identity")
    assert 'id="f-client_secret"' not in page

    values = {"method": "managed_identity", "scope": "", "api_url": desk.lab.api_url}
    page = await desk.submit("save", **values)

    assert "Stored." in part(page, "result")
    assert "Signs in by Managed identity" in part(page, "stored")


async def test_a_legacy_token_is_converted(desk: Desk) -> None:
    desk.store.token_path.write_text(desk.lab.legacy_token)
    desk.store.token_path.chmod(0o600)
    page = await desk.get()
    assert "Select Authentication Method" in page
    assert 'value="Legacy API token"' in page
    assert "Convert to OAuth 2.0" in page
    assert 'id="f-client_id"' not in page

    page = await desk.get("/integrations?method=secret")
    assert 'id="f-client_id"' in page
    page = await desk.submit("test", **desk.good)
    assert desk.store.token_path.exists()
    assert "Select Authentication Method" in page
    page = await desk.submit("save", **desk.good | {"client_secret": ""})

    assert "The legacy token was removed" in part(page, "result")
    assert "Select Authentication Method" not in page
    assert not desk.store.token_path.exists()
    assert desk.lab.legacy_token not in desk.everything_seen()


async def test_a_legacy_token_can_be_tested(tmp_path: Path, lab: CloudLab) -> None:
    (tmp_path / "state").mkdir()
    url = f'token_api_url = "{lab.api_url}"'
    async with desk_of(tmp_path / "state", lab, mcas_extra=url) as desk:
        desk.store.token_path.write_text(lab.legacy_token)
        desk.store.token_path.chmod(0o600)

        page = await desk.followed(await desk.send("/integrations/mcas/verify"))

        assert "API Passed" in part(page, "arrival")
        assert "Data source NSS is there" in part(page, "arrival")
        assert ("resume uploads",) in desk.operations.asked


async def test_a_damaged_file_is_said_and_can_be_replaced(desk: Desk) -> None:
    desk.store.path.write_text('{"method": "secret", "client_secret": "7eRyS3cretValue1234"}')
    desk.store.path.chmod(0o600)

    page = await desk.get()
    assert "the file has no api_url" in part(page, "stored")
    page = await desk.submit("save", **desk.good)

    assert "Stored." in part(page, "result")
    assert "7eRyS3cretValue1234" not in desk.everything_seen()


async def test_what_systemd_gives_can_be_tested_and_not_changed(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.store_good()
    (tmp_path / "given").mkdir()
    desk.store.path.rename(tmp_path / "given" / "mcas.json")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))

    page = await desk.get()
    assert "they are given from outside, what is stored is not used" in part(page, "stored")
    assert "Clear Config" not in page
    assert "All steps passed" in await desk.submit("test", **desk.good | {"client_secret": ""})
    page = await desk.submit("save", **desk.good)

    assert "Nothing was stored." in part(page, "result")
    assert not desk.store.path.exists()
    answer = await desk.send("/integrations/mcas/clear")
    assert answer.status_code == 409


async def test_a_test_under_way_holds_up_nothing(desk: Desk) -> None:
    desk.lab.faults.add(Fault("entra", "token", "latency", secs=1.0))
    sending = asyncio.create_task(desk.submit("test", **desk.good))
    await until(lambda: any(request.server == "entra" for request in desk.lab.requests))

    page = await desk.get()
    assert "What you entered is being tested." in page
    again = await desk.followed(
        await desk.send("/integrations/mcas/submit", do="test", **desk.good)
    )
    assert "a test of yours is running" in again
    progress = await desk.client.get("/integrations/mcas/progress")
    assert "is being tested" in progress.text
    assert "All steps passed" in await sending
    progress = await desk.client.get("/integrations/mcas/progress")
    assert progress.headers["hx-refresh"] == "true"


async def test_the_end_of_the_portal_ends_a_test(tmp_path: Path, lab: CloudLab) -> None:
    (tmp_path / "state").mkdir()
    lab.faults.add(Fault("mcas", "streams", "hang", secs=0))
    async with desk_of(tmp_path / "state", lab) as desk:
        path = "/integrations/mcas/submit"
        sending = asyncio.create_task(desk.send(path, do="save", **desk.good))
        await until(lambda: not lab.faults.active)
    answer = await sending
    assert answer.status_code == 303
    assert not desk.store.path.exists()


async def test_signing_out_forgets_what_was_entered(desk: Desk) -> None:
    await desk.submit("test", **desk.good)
    drafts = pages_of(desk.app)._mcas_page._drafts
    assert len(drafts._drafts) == 1

    await desk.send("/sign-out")
    await until(lambda: not drafts._drafts)


async def test_nonsense_is_refused(desk: Desk) -> None:
    for values in ({"method": "telepathy"}, {"method": ""}):
        answer = await desk.send("/integrations/mcas/submit", do="save", **values)
        assert answer.status_code == 400
    answer = await desk.send("/integrations/mcas/check?field=passphrase", **desk.good)
    assert answer.status_code == 400
    assert "no such field" in answer.text
    assert (await desk.get("/integrations?method=<script>")).count("<script>") == 0
