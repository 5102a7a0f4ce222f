"""`nss configure-zia` with a person in front of it."""

import pexpect
import pytest

from nss.secret import Secret
from tests.cli.conftest import COMMAND, ENV
from tests.cli.zia.conftest import ZiaOffice

pytestmark = pytest.mark.long


def test_the_way_to_sign_in_and_its_fields_are_asked_for(office: ZiaOffice) -> None:
    one_api = office.lab.zia.one_api
    terminal = office.terminal("configure-zia")
    terminal.answer("Sign in by", "by hand")
    shown = terminal.answer("Sign in by", "")
    assert "it must be one of oneapi_secret, oneapi_key, entra, legacy" in shown
    terminal.answer("Client ID", one_api.client_id)
    terminal.answer("Client Secret", "********")
    shown = terminal.answer("Client Secret", one_api.secret)
    assert "the Client Secret is only what is shown in its place" in shown
    terminal.answer("Vanity domain", office.lab.one_api_token_url)
    terminal.answer("Cloud", office.lab.one_api_url)
    code, last = terminal.ended()
    stored = office.zia_store.load()
    assert code == 0, last
    assert stored is not None
    assert stored.client_secret == Secret(one_api.secret)
    assert one_api.secret not in terminal.seen


def test_a_wrong_field_is_corrected_and_tested_again(office: ZiaOffice) -> None:
    one_api = office.lab.zia.one_api
    terminal = office.terminal("configure-zia", *office.one_api)
    terminal.answer("Client Secret", "a-secret-of-another")
    shown = terminal.confirm("Correct the Client Secret and test again?", "y")
    assert "wrong sign in: ZIdentity does not accept" in shown
    terminal.answer("Client Secret", one_api.secret)
    code, last = terminal.ended()
    assert code == 0, last
    assert "Stored in" in last


def test_enter_keeps_what_is_stored(office: ZiaOffice) -> None:
    office.run("configure-zia", *office.one_api, environ=office.secret)
    before = office.zia_store.load()
    assert before is not None
    terminal = office.terminal("configure-zia")
    for prompt in ("Sign in by", "Client ID", "Client Secret", "Vanity domain", "Cloud"):
        terminal.answer(prompt, "")
    code, last = terminal.ended()
    after = office.zia_store.load()
    assert code == 0, last
    assert after is not None
    assert after.client_secret == before.client_secret
    assert before.client_secret is not None
    assert before.client_secret.reveal() not in terminal.seen


def test_a_key_is_asked_for_with_its_passphrase(office: ZiaOffice) -> None:
    key = office.lab.issue_zia_key("key.pem")
    terminal = office.terminal("configure-zia", *office.one_api, "--method", "oneapi_key")
    terminal.answer("Private key, a PEM file", str(office.folder / "none.pem"))
    terminal.answer("Passphrase of the key", "")
    shown = terminal.confirm("Correct the private key and test again?", "y")
    assert "the private key can't be read: no such file" in shown
    terminal.answer("Private key, a PEM file", str(key))
    terminal.answer("Passphrase of the key", "")
    code, last = terminal.ended()
    assert code == 0, last


def test_nothing_is_stored_when_nobody_wants_to_go_on(office: ZiaOffice) -> None:
    terminal = office.terminal("configure-zia", *office.one_api)
    terminal.answer("Client Secret", "a-secret-of-another")
    terminal.confirm("Correct the Client Secret and test again?", "n")
    code, last = terminal.ended()
    assert code == 69
    assert last.strip().splitlines()[-1] == "Nothing was stored."
    assert office.zia_store.load() is None


def test_answers_pasted_all_at_once_show_no_secret(office: ZiaOffice) -> None:
    """The terminal would echo them at once, while the first question is still open."""
    lab = office.lab
    one_api = lab.zia.one_api
    terminal = office.terminal("configure-zia")
    terminal.process.expect("Sign in by")
    answers = ("", one_api.client_id, one_api.secret, lab.one_api_token_url, lab.one_api_url)
    terminal.process.send("".join(f"{answer}\n" for answer in answers))
    code, last = terminal.ended()
    stored = office.zia_store.load()
    assert code == 0, last
    assert stored is not None
    assert stored.client_secret == Secret(one_api.secret)
    assert one_api.secret not in terminal.seen
    assert one_api.client_id in terminal.seen, "what is not secret is shown as it is typed"


def test_an_administrators_secrets_pasted_early_are_answers_and_are_not_shown(
    office: ZiaOffice,
) -> None:
    sessions = office.lab.zia.sessions
    terminal = office.terminal("configure-zia", "--method", "legacy")
    terminal.process.expect("User name")
    lines = f"{sessions.username}\n{sessions.password}\n{sessions.api_key}\n"
    terminal.process.send(lines)
    terminal.answer("Cloud", office.lab.zia_api_url)
    code, last = terminal.ended()
    stored = office.zia_store.load()
    assert code == 0, last
    assert stored is not None
    assert (stored.password, stored.api_key) == (
        Secret(sessions.password),
        Secret(sessions.api_key),
    )
    for secret in (sessions.password, sessions.api_key):
        assert secret not in terminal.seen


def test_a_passphrase_pasted_with_the_name_of_its_key_is_not_shown(office: ZiaOffice) -> None:
    terminal = office.terminal("configure-zia", *office.one_api, "--method", "oneapi_key")
    terminal.process.expect("Private key, a PEM file")
    key = office.lab.issue_zia_key("key.pem")
    terminal.process.send(f"\n{key}\na-passphrase-of-nothing\n")
    code, last = terminal.ended()
    stored = office.zia_store.load()
    assert code == 0, last
    assert stored is not None
    assert stored.passphrase == Secret("a-passphrase-of-nothing")
    assert "the private key is missing" in terminal.seen
    assert "a-passphrase-of-nothing" not in terminal.seen


@pytest.mark.parametrize("end", ["interrupted", "ended", "once too often"])
def test_the_terminal_is_as_before_afterwards(office: ZiaOffice, end: str) -> None:
    """A secret that nobody asked for is no command for the shell either."""
    secret = office.lab.zia.one_api.secret
    command = " ".join(
        [*COMMAND, "configure-zia", "--skip-test", *office.one_api, "-c", str(office.config)]
    )
    process = pexpect.spawn(
        "/bin/sh",
        ["-c", f"stty -a > before; trap : INT; {command}; stty -a > after; echo the end"],
        env=ENV | {"TERM": "dumb"},
        cwd=str(office.folder),
        encoding="utf-8",
        timeout=20,
    )
    process.expect("Client Secret: ")
    match end:
        case "interrupted":
            process.send(secret[:7])
            process.sendintr()
        case "ended":
            process.sendeof()
        case _:
            process.send(f"{secret}\n{secret}\n")
    seen = process.before or ""
    process.expect("the end")
    seen += process.before or ""
    process.expect(pexpect.EOF)
    process.close()
    assert (office.folder / "after").read_text() == (office.folder / "before").read_text()
    assert secret[:7] not in seen + (process.before or "")
    assert (office.zia_store.load() is not None) == (end == "once too often")
