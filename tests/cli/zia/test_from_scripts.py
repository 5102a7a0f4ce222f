"""The ZIA commands without a terminal: options, files, the environment, JSON."""

import os
import stat
from pathlib import Path

import orjson
import pytest

from nss.secret import Secret
from tests.cli.mcas.test_from_scripts import STRANGER, as_root
from tests.cli.zia.conftest import ZiaOffice

pytestmark = pytest.mark.long

THERE = '"MS Defender Unsanctioned Apps" is not there yet, and will be made'


def test_what_passed_the_test_is_stored_and_nobody_else_may_read_it(office: ZiaOffice) -> None:
    ran = office.run("configure-zia", *office.one_api, environ=office.secret)
    stored = office.zia_store.load()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == [
        "Testing ...",
        "  ok    sign in: ZIA accepts the sign-in",
        f"  ok    URL categories: URL categories can be read; {THERE}",
        "  ok    quota: 0 custom URLs are used, 25,000 may be added",
        f"Stored in {office.state / 'zia.json'}.",
        "The sync begins when MCAS is configured, too. Try: sudo nss configure-mcas2",
    ]
    assert stored is not None
    assert stored.method == "oneapi_secret"
    assert stored.client_secret == Secret(office.lab.zia.one_api.secret)
    assert stored.tested_at is not None
    assert stat.S_IMODE(office.zia_store.file.path.stat().st_mode) == 0o600
    assert [(action, outcome) for action, outcome, _ in office.audited()] == [
        ("configure-zia", "passed"),
        ("configure-zia", "stored"),
    ]
    assert office.lab.zia.one_api.secret not in ran.stdout + office.everything_written()
    assert office.lab.zia.categories.changes == []


def test_the_category_is_that_of_the_configuration(office: ZiaOffice) -> None:
    office.extra = '[sync]\ncategory = "Closed"\n'
    ran = office.run("configure-zia", *office.one_api, environ=office.secret)
    assert '"Closed" is not there yet, and will be made' in ran.stdout
    ran = office.run("verify-blocking")
    assert (ran.returncode, ran.stdout.splitlines()[0]) == (1, 'OPENS: category "Closed" (0 URLs)')

    office.extra = '[sync]\ncategory = "Closed*"\ntarget = "auto"\n'
    for name in ("configure-zia", "verify-blocking"):
        ran = office.run(name)
        assert ran.returncode == 78
        assert "sync.category" in ran.stderr


@pytest.mark.parametrize("way", ["file", "standard input", "environment"])
def test_the_secrets_come_from_anywhere_but_an_argument(office: ZiaOffice, way: str) -> None:
    sessions = office.lab.zia.sessions
    path, key_path = office.folder / "password", office.folder / "key"
    path.write_text(sessions.password + "\n")
    key_path.write_text(sessions.api_key)
    for each in (path, key_path):
        each.chmod(0o600)
    given = ["--username", sessions.username, "--cloud", office.lab.zia_api_url]
    match way:
        case "file":
            files = ["--password-file", str(path), "--api-key-file", str(key_path)]
            ran = office.run("configure-zia", *given, *files)
        case "standard input":
            files = ["--password-file", "-", "--api-key-file", str(key_path)]
            ran = office.run("configure-zia", *given, *files, data=sessions.password + "\n")
        case _:
            environ = {"NSS_ZIA_PASSWORD": sessions.password, "NSS_ZIA_API_KEY": sessions.api_key}
            ran = office.run("configure-zia", *given, environ=environ)
    stored = office.zia_store.load()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert stored is not None
    assert stored.method == "legacy"
    assert stored.password == Secret(sessions.password)
    assert stored.api_key == Secret(sessions.api_key)


def test_a_private_key_takes_the_place_of_the_secret(office: ZiaOffice) -> None:
    key = office.lab.issue_zia_key("key.pem")
    ran = office.run("configure-zia", *office.one_api, "--private-key", str(key))
    stored = office.zia_store.load()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert stored is not None
    assert (stored.method, stored.private_key) == ("oneapi_key", key)

    other = office.lab.issue_zia_key("other.pem", is_registered=False)
    ran = office.run("configure-zia", *office.one_api, "--private-key", str(other))
    assert ran.returncode == 69
    assert "ZIdentity does not accept the Client ID with the private key" in ran.stdout
    assert office.zia_store.load() == stored


def test_one_application_of_entra_serves_both_halves(office: ZiaOffice) -> None:
    given = ["--scope", office.lab.zia_scope, "--cloud", office.lab.zia_api_url]
    ran = office.run("configure-zia", *given)
    assert ran.returncode == 69
    assert "nothing is stored for MCAS" in ran.stdout
    assert "Try: run: sudo nss configure-mcas2" in ran.stdout

    office.store_good()
    ran = office.run("configure-zia", *given)
    stored = office.zia_store.load()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert stored is not None
    assert (stored.method, stored.scope) == ("entra", office.lab.zia_scope)


def test_what_is_missing_is_reported_by_its_options(office: ZiaOffice) -> None:
    ran = office.run("configure-zia", "--client-id", "abc")
    assert ran.returncode == 64
    assert ran.stderr == (
        "nss: configure-zia: missing: Client Secret, Vanity domain (acme of acme.zslogin.net) or "
        "token URL\n"
        "Try: give --client-secret-file (or NSS_ZIA_CLIENT_SECRET), --vanity-domain, or run it at "
        "a terminal\n"
    )
    assert list(office.state.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--cloud", "zscalerfour", "--username", "a@b"], "the cloud is not known"),
        (["--username", "me"], "the user name is not of the form NAME@DOMAIN"),
        (["--username", "a@b.c", "--client-id", "x"], "--client-id does not go with API key of"),
        (["--method", "oneapi_key", "--client-id", "a", "--vanity-domain", "b"],
         "the private key is missing"),
    ],
)  # fmt: skip
def test_a_bad_option_is_a_sentence(office: ZiaOffice, given: list[str], sentence: str) -> None:
    ran = office.run("configure-zia", *given)
    assert ran.returncode == 64
    assert ran.stderr.startswith(f"nss: configure-zia: {sentence}")
    assert list(office.state.iterdir()) == []


@pytest.mark.parametrize("option", ["--client-secret", "--password", "--api-key"])
def test_no_secret_can_be_an_argument(office: ZiaOffice, option: str) -> None:
    ran = office.run("configure-zia", option, "private-private")
    assert ran.returncode == 64
    assert "No such option" in ran.stderr


def test_a_test_that_fails_stores_nothing_and_names_the_field(office: ZiaOffice) -> None:
    environ = {"NSS_ZIA_CLIENT_SECRET": "another-secret"}
    ran = office.run("configure-zia", *office.one_api, environ=environ)
    assert ran.returncode == 69
    assert "wrong sign in: ZIdentity does not accept the Client ID with the Client S" in ran.stdout
    assert ran.stderr == "nss: nothing was stored\n"
    assert office.zia_store.load() is None
    assert [outcome for _, outcome, _ in office.audited()] == ["failed"]
    assert "another-secret" not in ran.stdout + office.everything_written()


def test_a_role_that_may_not_read_categories_is_named(office: ZiaOffice) -> None:
    office.lab.zia.forbidden["urlCategories"] = "SCOPE_LIMITED"
    ran = office.run("configure-zia", *office.one_api, "--json", environ=office.secret)
    shown = orjson.loads(ran.stdout)
    assert ran.returncode == 69
    assert (shown["stored"], shown["tested"]) == (False, True)
    assert [(step["name"], step["ok"]) for step in shown["steps"]] == [
        ("sign in", True),
        ("URL categories", False),
    ]
    assert (shown["steps"][1]["field"], shown["steps"][1]["code"]) == ("role", "SCOPE_LIMITED")


def test_untested_credentials_are_stored_if_wanted_and_it_is_said(office: ZiaOffice) -> None:
    ran = office.run("configure-zia", *office.one_api, "--skip-test", environ=office.secret)
    stored = office.zia_store.load()
    assert ran.returncode == 0
    assert "It was NOT tested." in ran.stdout
    assert stored is not None
    assert stored.tested_at is None
    assert office.lab.requests == []


def test_what_is_stored_is_shown_without_secrets_and_cleared(office: ZiaOffice) -> None:
    ran = office.run("show-zia")
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (1, "Try: sudo nss configure-zia")
    office.run("configure-zia", *office.one_api, environ=office.secret)

    ran = office.run("show-zia")
    assert ran.returncode == 0
    assert "Signs in by:        OneAPI, client secret" in ran.stdout
    assert "Client Secret:      ***" in ran.stdout
    shown = orjson.loads(office.run("show-zia", "--json").stdout)["stored"]
    assert shown["method"] == "oneapi_secret"
    assert {shown["client_secret"]} == {"***"}
    assert office.lab.zia.one_api.secret not in ran.stdout + str(shown)

    ran = office.run("clear-zia", data="n\n")
    assert ran.returncode == 1
    ran = office.run("clear-zia", "--yes")
    assert ran.returncode == 0
    assert "The URL category at the gateway stays as it is." in ran.stdout
    assert office.zia_store.load() is None
    assert "There was nothing to remove." in office.run("clear-zia", "--yes").stdout
    assert office.audited()[-1][:2] == ("clear-zia", "cleared")


@pytest.mark.parametrize(
    ("target", "stored", "cleared"),
    [
        ("auto", "A running service uses it from now on, and begins with a sync.",
         "The sync continues, into the plain file {state}/unsanctioned.txt."),
        ("zia", "A running service uses it from now on, and begins with a sync.",
         'The sync fails without others: target in [sync] is "zia".'),
        ("file", 'They are not used: target in [sync] is "file".',
         'The sync does not use them: target in [sync] is "file".'),
        ("off", 'They are not used: target in [sync] is "off".',
         'The sync does not use them: target in [sync] is "off".'),
    ],
)  # fmt: skip
def test_what_becomes_of_the_sync_is_said_as_it_is(
    office: ZiaOffice, target: str, stored: str, cleared: str
) -> None:
    office.store_good()
    office.extra = f'[sync]\ntarget = "{target}"\n'
    ran = office.run("configure-zia", *office.one_api, "--skip-test", environ=office.secret)
    assert ran.stdout.splitlines()[-1] == stored
    sentence = cleared.format(state=office.state)
    declined = office.run("clear-zia", data="n\n")
    assert f"Remove the credentials for ZIA? {sentence} [y/N]: " in declined.stdout
    ran = office.run("clear-zia", "--yes")
    assert ran.stdout.splitlines() == [
        f"Removed. {sentence}",
        "The URL category at the gateway stays as it is.",
    ]


def test_without_mcas_nothing_is_synced_before_or_after(office: ZiaOffice) -> None:
    office.run("configure-zia", *office.one_api, "--skip-test", environ=office.secret)
    ran = office.run("clear-zia", "--yes")
    assert "Nothing is synced at the moment: MCAS is not configured." in ran.stdout


def test_a_damaged_file_is_replaced(office: ZiaOffice) -> None:
    office.zia_store.file.path.write_text("{")
    office.zia_store.file.path.chmod(0o600)
    ran = office.run("configure-zia", *office.one_api, environ=office.secret)
    assert ran.returncode == 0
    assert "credentials for ZIA: the file is damaged" in ran.stderr
    assert office.zia_store.load() is not None


def test_the_authorities_that_can_not_be_used_are_named(office: ZiaOffice, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    path = office.folder / "other.toml"
    text = office.config.read_text().replace(
        f'[zia]\nca_file = "{office.lab.ca_file}"', f'[zia]\nca_file = "{tmp_path}/empty.pem"'
    )
    path.write_text(text)
    ran = office.run("configure-zia", *office.one_api, "-c", str(path), environ=office.secret)
    assert ran.returncode == 69
    assert "ca_file" in ran.stdout


@as_root
@pytest.mark.parametrize("more", [(), ("--skip-test",)])
def test_a_key_that_the_service_can_not_read_is_refused(
    office: ZiaOffice, more: tuple[str, ...]
) -> None:
    """Root can read it, and that is no use to the user that nss runs as."""
    os.chown(office.state, STRANGER, STRANGER)
    path = office.lab.issue_zia_key("key.pem")  # mode 0600, of root
    ran = office.run("configure-zia", *office.one_api, "--private-key", str(path), *more)
    assert ran.returncode == 78
    first, tip = ran.stderr.splitlines()
    assert first.startswith(
        f"nss: credentials for ZIA: the user {STRANGER}, as which nss runs, can't read the private "
        "key: "
    )
    assert tip.startswith(f"Try: sudo install -o root -g {STRANGER} -m 0640 {path} /etc/nss/")
    assert office.zia_store.load() is None


def test_an_address_where_nobody_knows_zia_has_accepted_no_sign_in(office: ZiaOffice) -> None:
    given = [*office.one_api, "--cloud", f"{office.lab.api_url}/zia/api/v1"]  # that of MCAS
    ran = office.run("configure-zia", *given, "--json", environ=office.secret)
    shown = orjson.loads(ran.stdout)
    assert (ran.returncode, shown["stored"]) == (69, False)
    assert [(step["name"], step["ok"]) for step in shown["steps"]] == [("URL categories", False)]
