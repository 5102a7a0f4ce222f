"""`nss configure-mcas2 --zia entra`: one application of Entra for MCAS and for ZIA."""

import orjson
import pytest

from nss.lab.cloud import Fault
from tests.cli.mcas.conftest import Terminal
from tests.cli.zia.conftest import ZiaOffice

pytestmark = pytest.mark.long

ONLY_MCAS = "othing was stored for ZIA; what was stored for MCAS stays"
RETRY = "Try: sudo nss configure-zia --method entra"


def both(office: ZiaOffice) -> list[str]:
    zia = ["--zia-scope", office.lab.zia_scope, "--zia-cloud", office.lab.zia_api_url]
    return [*office.good, "--zia", "entra", *zia]


def secret(office: ZiaOffice) -> dict[str, str]:
    return {"NSS_MCAS_CLIENT_SECRET": office.lab.client_secret}


def is_stored(office: ZiaOffice) -> tuple[bool, bool]:
    return office.store.load() is not None, office.zia_store.load() is not None


def test_one_run_tests_and_stores_both(office: ZiaOffice) -> None:
    ran = office.run("configure-mcas2", *both(office), environ=secret(office))
    stored = office.zia_store.load()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"Stored in {office.state / 'mcas.json'}." in ran.stdout
    assert f"Stored in {office.state / 'zia.json'}." in ran.stdout
    assert "  ok    sign in: ZIA accepts the sign-in" in ran.stdout.splitlines()
    assert office.store.load() is not None
    assert stored is not None
    assert (stored.method, stored.scope) == ("entra", office.lab.zia_scope)
    assert stored.tested_at is not None
    assert [entry[:2] for entry in office.audited()] == [
        ("configure-mcas2", "passed"),
        ("configure-mcas2", "stored"),
        ("configure-zia", "passed"),
        ("configure-zia", "stored"),
    ]

    ran = office.run("configure-mcas2", *both(office), "--json", environ=secret(office))
    shown = orjson.loads(ran.stdout)
    assert (shown["stored"], shown["tested"]) == (True, True)
    assert (shown["zia"]["stored"], shown["zia"]["tested"]) == (True, True)
    assert [step["name"] for step in shown["zia"]["steps"]] == [
        "sign in",
        "URL categories",
        "quota",
    ]
    ran = office.run("configure-mcas2", *office.good, "--json", environ=secret(office))
    assert "zia" not in orjson.loads(ran.stdout), "nobody asked for it"


def test_what_fails_for_zia_leaves_mcas_stored(office: ZiaOffice) -> None:
    office.lab.zia.forbidden["urlCategories"] = "SCOPE_LIMITED"
    ran = office.run("configure-mcas2", *both(office), environ=secret(office))
    assert (ran.returncode, ran.stderr) == (69, f"nss: n{ONLY_MCAS}\n{RETRY}\n")
    assert "  wrong URL categories: " in ran.stdout
    assert is_stored(office) == (True, False)

    ran = office.run("configure-mcas2", *both(office), "--json", environ=secret(office))
    shown = orjson.loads(ran.stdout)
    assert ran.returncode == 69
    assert (shown["stored"], shown["zia"]["stored"], shown["zia"]["tested"]) == (True, False, True)
    assert shown["zia"]["steps"][-1]["code"] == "SCOPE_LIMITED"


def test_zia_is_not_asked_while_mcas_fails(office: ZiaOffice) -> None:
    office.lab.faults.add(Fault("mcas", "streams", "status", 503))
    ran = office.run("configure-mcas2", *both(office), "--json", environ=secret(office))
    shown = orjson.loads(ran.stdout)
    assert ran.returncode == 69
    assert (shown["stored"], shown["tested"]) == (False, True)
    assert shown["zia"] == {"stored": False, "tested": False, "steps": []}
    assert is_stored(office) == (False, False)
    assert not any("zia" in str(request) for request in office.lab.requests)


def test_what_zia_has_stored_is_replaced_only_by_what_passes(office: ZiaOffice) -> None:
    office.run("configure-zia", *office.one_api, environ=office.secret)
    before = office.zia_store.load()
    office.lab.zia.forbidden["urlCategories"] = "SCOPE_LIMITED"
    assert office.run("configure-mcas2", *both(office), environ=secret(office)).returncode == 69
    assert office.zia_store.load() == before


MISSING = (
    "missing: Scope, Cloud (zscaler, zscalertwo, ...) or API URL\n"
    "Try: give --zia-scope, --zia-cloud, or run it at a terminal\n"
)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--zia-scope", "api://zia/.default"], "--zia-scope needs --zia\nTry: add --zia entra"),
        (["--zia-cloud", "zscaler"], "--zia-cloud needs --zia\n"),
        (["--zia", "entra"], MISSING),
        (["--zia", "entra", "--zia-scope", "zia"], "the Scope is not of the form RESOURCE/.def"),
    ],
)
def test_options_that_make_no_sense_store_nothing(
    office: ZiaOffice, given: list[str], sentence: str
) -> None:
    ran = office.run("configure-mcas2", *office.good, *given, environ=secret(office))
    assert ran.returncode == 64
    assert ran.stderr.startswith(f"nss: configure-mcas2: {sentence}")
    assert is_stored(office) == (False, False)
    assert office.lab.requests == []


def test_credentials_that_systemd_gives_are_known_before_anything_is_stored(
    office: ZiaOffice,
) -> None:
    given = office.folder / "given"
    given.mkdir()
    (given / "zia.json").write_text("{}")
    environ = secret(office) | {"CREDENTIALS_DIRECTORY": str(given)}
    ran = office.run("configure-mcas2", *both(office), environ=environ)
    assert ran.returncode == 78
    assert "they are given from outside, what is stored is not used" in ran.stderr
    assert office.store.load() is None


def test_a_disk_that_takes_only_the_first_half_is_reported_with_what_is_stored(
    office: ZiaOffice,
) -> None:
    office.zia_store.file.path.mkdir()
    ran = office.run("configure-mcas2", *both(office), "--json", environ=secret(office))
    shown = orjson.loads(ran.stdout)
    assert ran.returncode == 78
    assert (shown["stored"], shown["zia"]["stored"]) == (True, False)
    assert ran.stderr.splitlines()[-2].startswith("nss: credentials for ZIA: ")
    ran = office.run("configure-mcas2", *both(office), environ=secret(office))
    assert f"nss: n{ONLY_MCAS}\n" in ran.stderr
    assert office.store.load() is not None


def test_untested_both_are_stored_if_wanted(office: ZiaOffice) -> None:
    ran = office.run("configure-mcas2", *both(office), "--skip-test", environ=secret(office))
    assert ran.returncode == 0
    assert ran.stdout.count("It was NOT tested.") == 2
    assert is_stored(office) == (True, True)
    assert office.lab.requests == []


def answers_for_mcas(office: ZiaOffice) -> str:
    lab = office.lab
    answers = (lab.client_id, lab.client_secret, "", "", lab.authentication_url, lab.api_url)
    return "".join(f"{answer}\n" for answer in answers)


def started(office: ZiaOffice) -> Terminal:
    terminal = office.terminal("configure-mcas2", "--zia", "entra")
    terminal.process.expect("Client ID: ")
    return terminal


def test_a_person_may_paste_the_answers_for_both_at_once(office: ZiaOffice) -> None:
    """Between the halves the terminal does not echo, and nothing typed ahead is lost."""
    lab = office.lab
    terminal = started(office)
    pasted = f"{answers_for_mcas(office)}{lab.zia_scope}\n{lab.zia_api_url}\n"
    terminal.process.send(pasted)
    code, last = terminal.ended()
    assert code == 0, last
    assert is_stored(office) == (True, True)
    assert lab.client_secret not in terminal.seen


def test_what_is_wrong_for_zia_is_corrected_alone(office: ZiaOffice) -> None:
    terminal = started(office)
    terminal.process.send(answers_for_mcas(office))
    terminal.process.expect("Zscaler Internet Access")
    terminal.answer("Scope", "api://nothing/.default")
    terminal.answer("Cloud", office.lab.zia_api_url)
    terminal.confirm("Correct the Scope and test again?", "y")
    terminal.answer("Scope", office.lab.zia_scope)
    code, last = terminal.ended()
    assert code == 0, last
    assert is_stored(office) == (True, True)


@pytest.mark.parametrize("end", ["declined", "interrupted", "ended"])
def test_who_gives_up_on_zia_keeps_mcas(office: ZiaOffice, end: str) -> None:
    terminal = started(office)
    terminal.process.send(answers_for_mcas(office))
    terminal.process.expect("Zscaler Internet Access")
    match end:
        case "interrupted":
            terminal.interrupt("Scope: ")
        case "ended":
            terminal.end_input("Scope: ")
        case _:
            terminal.answer("Scope", "api://nothing/.default")
            terminal.answer("Cloud", office.lab.zia_api_url)
            terminal.confirm("Correct the Scope and test again?", "n")
    code, last = terminal.ended()
    assert code == (69 if end == "declined" else 1)
    assert f"N{ONLY_MCAS}.\n{RETRY}\n" in last
    assert is_stored(office) == (True, False)
