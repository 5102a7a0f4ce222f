"""`nss configure-mcas2` with a person in front of it."""

import os
import signal
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import pexpect
import pytest

from nss.lab.cloud import Fault
from tests.cli.conftest import COMMAND, ENV
from tests.cli.mcas.conftest import Office, Terminal

pytestmark = pytest.mark.long

WRONG = "wrong~but-of-the-right-form-1234567890"
NO_FEED = (
    "No feed uploads yet. Next: sudo nss configure adds one, then sudo nss start, or sudo nss "
    "reload if it runs."
)
FIELDS = (
    *("Client ID", "Client Secret", "Secret expires on (optional)"),
    *("Scope", "Authentication URL", "API URL"),
)


def answer_all(terminal: Terminal, office: Office, **other: str) -> None:
    lab = office.lab
    answers = {
        "client_id": lab.client_id,
        "client_secret": lab.client_secret,
        "client_secret_expires": "",
        "scope": "",
        "authentication_url": lab.authentication_url,
        "api_url": lab.api_url,
    } | other
    for prompt, text in zip(FIELDS, answers.values(), strict=True):
        terminal.answer(prompt, text)


def test_five_answers_are_tested_and_stored(office: Office) -> None:
    office.feeds = ""
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    code, last = terminal.ended()
    stored = office.store.load()
    assert code == 0, last
    assert last.splitlines()[-8:] == [
        "Testing ...",
        "  ok    sign in: Entra gave a token",
        "  ok    role: the token has Discovery.manage",
        "  ok    API: MCAS answers",
        '  ok    data source: the data source "NSS" is there',
        f"Stored in {office.state / 'mcas.json'}.",
        "A running service uses it from now on, without a restart.",
        NO_FEED,
    ]
    assert stored is not None
    assert stored.client_secret is not None
    assert stored.client_secret.reveal() == office.lab.client_secret
    assert stored.tested_at is not None
    assert stat.S_IMODE(office.store.path.stat().st_mode) == 0o600
    assert [(action, outcome) for action, outcome, _ in office.audited()] == [
        ("configure-mcas2", "passed"),
        ("configure-mcas2", "stored"),
    ]


def test_the_secret_is_never_seen(office: Office) -> None:
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    terminal.ended()
    assert office.lab.client_secret not in terminal.seen
    assert office.lab.client_secret not in office.everything_written()
    assert "eyJ" not in terminal.seen + office.everything_written()


def test_what_copy_and_paste_add_is_taken_off(office: Office) -> None:
    lab = office.lab
    terminal = office.terminal("configure-mcas2")
    answer_all(
        terminal,
        office,
        client_id=f"  {lab.client_id.upper()} ",
        client_secret=f" {lab.client_secret}  ",
        authentication_url=f'"{lab.entra_url}/{lab.tenant_id}/"',
        api_url=f"{lab.api_url}/api/",
    )
    code, last = terminal.ended()
    stored = office.store.load()
    assert code == 0, last
    assert stored is not None
    assert (stored.client_id, stored.authentication_url, stored.api_url) == (
        lab.client_id,
        lab.authentication_url,
        lab.api_url,
    )


@pytest.mark.parametrize(
    ("field", "wrong", "sentence"),
    [
        ("Client ID", "12345678-1234", "the Client ID is not a GUID"),
        ("Client Secret", "SECRET_ID", "looks like the secret's ID"),
        ("Secret expires on (optional)", "yesterday", "is not a date"),
        ("Secret expires on (optional)", "2020-01-31", "has passed"),
        ("Secret expires on (optional)", "5/6/2099", "2099-06-05 or 2099-05-06"),
        ("Scope", "05a65629-4c1b-48c1-a78b-804c4abdd4af", "does not end in /.default"),
        ("Authentication URL", "http://login.microsoftonline.com/x", "http"),
        ("Authentication URL", "https://login.microsoftonline.com/<tenant>", "placeholder"),
        ("API URL", "https://security.microsoft.com", "portal"),
    ],
)
def test_a_wrong_answer_is_reported_at_once_and_asked_again(
    office: Office, field: str, wrong: str, sentence: str
) -> None:
    wrong = office.lab.secret_id if wrong == "SECRET_ID" else wrong
    terminal = office.terminal("configure-mcas2")
    lab = office.lab
    right = (lab.client_id, lab.client_secret, "", "", lab.authentication_url, lab.api_url)
    for prompt, text in zip(FIELDS, right, strict=True):
        if prompt == field:
            terminal.answer(prompt, wrong)
            shown = terminal.answer(prompt, text)
            assert sentence in shown, shown
            assert "Try: " in shown
        else:
            terminal.answer(prompt, text)
    code, last = terminal.ended()
    assert code == 0, last


def test_clouds_that_differ_are_reported_and_both_asked_again(office: Office) -> None:
    terminal = office.terminal("configure-mcas2")
    answer_all(
        terminal,
        office,
        authentication_url=f"https://login.microsoftonline.us/{office.lab.tenant_id}",
        api_url="https://fabrikam.us2.portal.cloudappsecurity.com",
    )
    shown = terminal.answer("Authentication URL", office.lab.authentication_url)
    terminal.answer("API URL", office.lab.api_url)
    code, last = terminal.ended()
    assert "cloud" in shown
    assert code == 0, last


def test_a_secret_that_entra_refuses_is_corrected_alone(office: Office) -> None:
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office, client_secret=WRONG)
    shown = terminal.confirm("Correct the Client Secret and test again?", "y")
    terminal.answer("Client Secret", office.lab.client_secret)
    code, last = terminal.ended()
    assert "AADSTS7000215" in shown
    assert code == 0, last
    (first, *_) = office.audited()
    assert first[:2] == ("configure-mcas2", "failed")
    assert "AADSTS7000215" in first[2]


def test_nothing_is_stored_when_the_correction_is_declined(office: Office) -> None:
    office.lab.entra.refuse("AADSTS700016")
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    shown = terminal.confirm("Correct the Client ID and test again?", "n")
    code, last = terminal.ended()
    assert "AADSTS700016" in shown
    assert (code, last.splitlines()[-1]) == (69, "Nothing was stored.")
    assert office.store.load() is None


def test_what_is_mended_in_the_portal_is_tested_again(office: Office) -> None:
    office.lab.entra.roles = []
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    terminal.process.expect("Test again")
    office.lab.entra.roles = ["Discovery.manage"]
    terminal.process.sendline("y")
    code, last = terminal.ended()
    assert code == 0, last


def test_a_missing_role_is_reported(office: Office) -> None:
    office.lab.entra.roles = []
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    shown = terminal.confirm("Test again?", "n")
    assert "Discovery.manage" in shown
    assert terminal.ended()[0] == 69


def test_enter_keeps_what_is_stored(office: Office) -> None:
    before = office.store_good()
    terminal = office.terminal("configure-mcas2")
    terminal.process.expect("brackets")
    shown = terminal.process.before or ""
    for prompt in FIELDS:
        terminal.answer(prompt, "")
    code, last = terminal.ended()
    after = office.store.load()
    assert code == 0, last
    assert "Stored now" in shown
    assert "***" in shown
    assert after is not None
    assert (after.client_id, after.client_secret) == (before.client_id, before.client_secret)
    assert after.tested_at != before.tested_at


@pytest.mark.parametrize("prompt", FIELDS)
def test_ctrl_c_stores_nothing(office: Office, prompt: str) -> None:
    terminal = office.terminal("configure-mcas2")
    lab = office.lab
    right = (lab.client_id, lab.client_secret, "", "", lab.authentication_url, lab.api_url)
    for name, text in zip(FIELDS, right, strict=True):
        if name == prompt:
            terminal.interrupt(name)
            break
        terminal.answer(name, text)
    code, _ = terminal.ended()
    assert code != 0
    assert list(office.state.iterdir()) == []


def test_the_end_of_input_stores_nothing(office: Office) -> None:
    terminal = office.terminal("configure-mcas2")
    terminal.end_input("Client ID")
    code, _ = terminal.ended()
    assert code != 0
    assert list(office.state.iterdir()) == []


def test_a_service_that_is_down_is_reported_and_can_be_tried_again(office: Office) -> None:
    office.lab.faults.add(Fault("mcas", "streams", "status", 503))
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    shown = terminal.confirm("Test again?", "y")
    code, last = terminal.ended()
    assert "MCAS has trouble of its own" in shown
    assert code == 0, last


def test_clearing_asks_and_leaves_the_rest(office: Office) -> None:
    office.store_good()
    terminal = office.terminal("clear-mcas2")
    terminal.confirm("Remove the credentials for MCAS? Uploads and sync stop.", "n")
    declined = terminal.ended()
    kept = office.store.load() is not None
    terminal = office.terminal("clear-mcas2")
    terminal.confirm("Remove the credentials for MCAS? Uploads and sync stop.", "y")
    code, last = terminal.ended()
    assert (declined[0], declined[1].splitlines()[-1], kept) == (1, "Nothing was removed.", True)
    assert code == 0
    assert "The URL category at the gateway stays as it is." in last
    assert office.store.load() is None
    assert office.audited() == [("clear-mcas2", "cleared", "")]


def test_a_secret_is_not_kept_for_another_application(office: Office) -> None:
    stored = office.store_good()
    office.store.save(replace(stored, client_id="11111111-2222-3333-4444-555555555555"))
    terminal = office.terminal("configure-mcas2")
    terminal.process.expect("brackets")
    terminal.answer("Client ID", office.lab.client_id)
    terminal.answer("Client Secret", office.lab.client_secret)  # there is nothing to keep
    for prompt in FIELDS[2:]:
        terminal.answer(prompt, "")
    code, last = terminal.ended()
    assert code == 0, last


def test_from_a_certificate_back_to_a_secret(office: Office) -> None:
    stored = office.store_good()
    office.store.save(
        replace(
            stored, method="certificate", certificate=office.lab.certificate, client_secret=None
        )
    )
    terminal = office.terminal("configure-mcas2")
    terminal.process.expect("brackets")
    terminal.answer("Sign in by", "secret")
    terminal.answer("Client ID", "")
    terminal.answer("Client Secret", office.lab.client_secret)
    for prompt in FIELDS[2:]:
        terminal.answer(prompt, "")
    code, last = terminal.ended()
    after = office.store.load()
    assert code == 0, last
    assert after is not None
    assert (after.method, after.certificate) == ("secret", None)


def test_a_data_source_that_is_not_listed_is_only_a_warning(office: Office) -> None:
    office.lab.mcas.data_sources.clear()
    terminal = office.terminal("configure-mcas2")
    answer_all(terminal, office)
    code, last = terminal.ended()
    assert code == 0, last
    assert '  warn  data source: MCAS has no data source "NSS"' in last
    assert "Try: in the Defender portal" in last
    assert office.store.load() is not None


def test_answers_pasted_all_at_once_show_no_secret(office: Office) -> None:
    """The terminal would echo them at once, while the first question is still open."""
    lab = office.lab
    terminal = office.terminal("configure-mcas2")
    terminal.process.expect("Client ID: ")
    answers = (lab.client_id, lab.client_secret, "", "", lab.authentication_url, lab.api_url)
    terminal.process.send("".join(f"{answer}\n" for answer in answers))
    code, last = terminal.ended()
    stored = office.store.load()
    assert code == 0, last
    assert stored is not None
    assert stored.client_secret is not None
    assert stored.client_secret.reveal() == lab.client_secret
    assert lab.client_secret not in terminal.seen
    assert lab.client_id in terminal.seen, "what is not secret is shown as it is typed"
    assert lab.api_url in terminal.seen


def test_a_secret_that_comes_a_moment_before_its_question_is_not_shown(office: Office) -> None:
    terminal = office.terminal("configure-mcas2")
    terminal.process.expect("Client ID: ")
    terminal.process.send(f"{office.lab.client_id}\n{office.lab.client_secret[:7]}")
    terminal.interrupt("Client Secret: ")
    code, last = terminal.ended()
    assert code != 0
    assert office.lab.client_secret[:7] not in terminal.seen + last


def test_a_secret_pasted_before_its_question_is_the_answer_to_it(office: Office) -> None:
    lab = office.lab
    terminal = office.terminal("configure-mcas2")
    terminal.process.expect("Client ID: ")
    terminal.process.send(f"{lab.client_id}\n{lab.client_secret}\n")
    for prompt, text in zip(FIELDS[2:], ("", "", lab.authentication_url, lab.api_url), strict=True):
        terminal.answer(prompt, text)
    code, last = terminal.ended()
    assert code == 0, last
    assert lab.client_secret not in terminal.seen


@pytest.mark.parametrize("end", ["done", "interrupted", "ended", "terminated"])
def test_the_terminal_is_as_before_afterwards(office: Office, end: str) -> None:
    lab = office.lab
    command = " ".join([*COMMAND, "configure-mcas2", "--config", str(office.config)])
    process = pexpect.spawn(
        "/bin/sh",
        ["-c", f"stty -a > before; trap : INT; {command}; stty -a > after; echo the end"],
        env=ENV | {"TERM": "dumb"},
        cwd=str(office.folder),
        encoding="utf-8",
        timeout=20,
    )
    process.expect("Client ID: ")
    match end:
        case "done":
            answers = (lab.client_id, lab.client_secret, "", "", lab.authentication_url)
            process.send("".join(f"{answer}\n" for answer in answers))
            process.expect("API URL: ")
            process.send(f"{lab.api_url}\n{lab.client_secret}\n")  # once too often
        case "interrupted":
            process.sendintr()
        case "ended":
            process.sendeof()
        case "terminated":
            (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(child), signal.SIGTERM)
    seen = process.before or ""
    process.expect("the end")
    seen += process.before or ""
    process.expect(pexpect.EOF)
    process.close()
    assert (office.folder / "after").read_text() == (office.folder / "before").read_text()
    assert lab.client_secret not in seen + (process.before or "")


def test_a_line_can_be_corrected_as_at_any_terminal(office: Office) -> None:
    lab = office.lab
    terminal = office.terminal("configure-mcas2")
    terminal.answer("Client ID", f"wrong\x15{lab.client_id}xy\x7f\x08")
    terminal.answer("Client Secret", f"wrong\x15{lab.client_secret}\u00e9\x7f")
    terminal.answer(FIELDS[2], "31 Mai\x17May 2099")
    terminal.answer("Scope", "\x7f\x15\x17")
    terminal.answer("Authentication URL", f"not this\x17\x17{lab.authentication_url}")
    terminal.answer("API URL", lab.api_url)
    code, last = terminal.ended()
    stored = office.store.load()
    assert code == 0, last
    assert stored is not None
    assert stored.client_secret_expires == date(2099, 5, 31)


def test_the_end_of_a_secret_is_kept_with_it_and_goes_with_it(office: Office) -> None:
    def ask(secret: str, end: str) -> str:
        terminal = office.terminal("configure-mcas2")
        answers = ("", secret, end, "", "", "")
        shown = [
            terminal.answer(prompt, text) for prompt, text in zip(FIELDS, answers, strict=True)
        ]
        assert terminal.ended()[0] == 0
        return terminal.seen + "".join(shown)

    def stored() -> date | None:
        found = office.store.load()
        assert found is not None
        return found.client_secret_expires

    office.store_good()
    ask("", "2099-05-31")
    assert stored() == date(2099, 5, 31)
    assert "Secret expires on (optional) [2099-05-31]: " in ask("", "")
    assert stored() == date(2099, 5, 31)
    ask("", "none")
    assert stored() is None
    ask("", "May 31, 2099")
    office.lab.entra.revoke_secret()
    assert "(optional) [" not in ask(office.lab.client_secret, "")
    assert stored() is None


def test_a_url_without_a_region_warns_as_it_is_typed(office: Office) -> None:
    terminal = office.terminal("configure-mcas2", "--skip-test")
    answer_all(
        terminal,
        office,
        authentication_url="https://login.microsoftonline.com/contoso.onmicrosoft.com",
        api_url="https://portal.cloudappsecurity.com",
    )
    code, last = terminal.ended()
    assert code == 0, last
    assert "the API URL names no region (portal.cloudappsecurity.com)" in last
