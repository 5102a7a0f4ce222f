"""`nss verify-mcas2` and the way back: the list, ZIA, the last sync, what blocks the category."""

import json
import subprocess
import time
from typing import Any

import msgspec
import pytest

from nss.lab.cloud import Fault
from nss.lab.cloud.zia.policies import url_filtering_rule
from nss.sync.state import SyncStore
from tests.cli.sync.conftest import NAME, SyncOffice

pytestmark = pytest.mark.long

NAMES = ("unsanctioned apps", "ZIA", "last sync", "blocking")


def checks(office: SyncOffice) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the exit code, the checks of the way back by their names, and the facts."""
    ran = office.run("verify-mcas2", "--json")
    shown = json.loads(ran.stdout)
    assert shown["ok"] is (ran.returncode == 0)
    found = {step["name"]: step for step in shown["steps"] if step["name"] in NAMES}
    return ran.returncode, found, shown["way_back"]


def lines(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines of the way back."""
    found = ran.stdout.splitlines()
    first = next(at for at, line in enumerate(found) if NAMES[0] in line)
    return found[first:]


def block(office: SyncOffice, *, cascades: bool = False) -> None:
    """Have a rule block the category."""
    zia = office.lab.zia
    number = str(zia.categories.shown(NAME)["id"])
    zia.policies.url_filtering.append(url_filtering_rule("Unsanctioned", [number]))
    zia.policies.advanced_settings["cascadeUrlFiltering"] = cascades
    zia.activation.start()


def test_a_circle_that_is_closed(office: SyncOffice) -> None:
    office.use_zia()
    office.mark(".a.example", "b.example")
    office.run("sync-unsanctioned")
    block(office)
    office.lab.requests.clear()
    ran = office.run("verify-mcas2")
    assert ran.returncode == 0, ran.stdout
    listed, zia, last, blocking = lines(ran)
    assert listed == "ok    unsanctioned apps: MCAS lists 2 URLs of unsanctioned apps"
    assert zia == "ok    ZIA: ZIA accepts the sign-in"
    assert last.startswith("ok    last sync: 20")
    assert last.endswith(": 2 URLs, 2 added, 0 removed")
    assert blocking == (
        f'ok    blocking: URL filtering blocks "{NAME}" (2 URLs); not looked at: Cloud App Control '
        "rules, which may allow an app first: nss verify-blocking does"
    )
    assert len([each for each in office.lab.requests if each.server == "zia"]) <= 8
    assert office.lab.complaints == []
    assert office.audited()[-1] == ("verify-mcas2", "passed", "")

    code, _, facts = checks(office)
    assert (code, facts["target"], facts["urls"], facts["blocked"]) == (0, "zia", 2, None)
    assert (facts["destination"], facts["last_sync"]["outcome"]) == (
        f"URL category {NAME}",
        "synced",
    )
    assert facts["last_sync"]["at"] <= facts["last_success_at"]


def test_where_url_filtering_has_the_last_word_it_is_blocked(office: SyncOffice) -> None:
    office.use_zia()
    office.mark("b.example")
    office.run("sync-unsanctioned")
    block(office, cascades=True)
    code, found, facts = checks(office)
    assert (code, facts["blocked"]) == (0, True)
    assert found["blocking"]["sentence"] == f'URL filtering blocks "{NAME}" (1 URL)'


def test_what_opens_is_wrong_and_leaves_the_uploads_right(office: SyncOffice) -> None:
    office.use_zia()
    office.mark("b.example")
    office.run("sync-unsanctioned")
    ran = office.run("verify-mcas2")
    assert ran.returncode == 1
    sentence = f'no enabled URL filtering rule blocks the category "{NAME}"'
    remedy = f'add a rule with the action Block for "{NAME}", and activate it'
    assert lines(ran)[-2:] == [
        f"wrong blocking: {sentence}",
        f"      Try: {remedy} (Policy > URL & Cloud App Control)",
    ]
    assert office.audited()[-1] == ("verify-mcas2", "failed", sentence)
    code, found, facts = checks(office)
    assert (code, found["blocking"]["code"], facts["blocked"]) == (1, "no_rule", False)


def test_what_the_role_may_not_read_is_no_yes(office: SyncOffice) -> None:
    office.use_zia()
    office.mark("b.example")
    office.run("sync-unsanctioned")
    block(office, cascades=True)
    office.lab.zia.forbidden["urlFilteringRules"] = "SCOPE_LIMITED"
    code, found, facts = checks(office)
    assert (code, found["blocking"]["warns"], facts["blocked"]) == (0, True, None)
    assert found["blocking"]["sentence"].startswith("can't be said: ")


def test_before_the_first_sync(office: SyncOffice) -> None:
    office.use_zia()
    code, found, facts = checks(office)
    assert code == 0, "nothing is unsanctioned yet, so nothing opens"
    assert [name for name in NAMES if found[name]["warns"]] == [
        "unsanctioned apps",
        "last sync",
        "blocking",
    ]
    assert (facts["urls"], facts["last_sync"], facts["last_success_at"]) == (0, None, None)

    office.mark("b.example")
    code, found, _ = checks(office)
    assert (code, found["blocking"]["ok"], found["blocking"]["code"]) == (1, False, "no_category")
    assert found["last sync"]["tip"].startswith("sudo nss sync-unsanctioned")


def test_without_zia_there_is_a_warning_unless_a_file_is_wanted(office: SyncOffice) -> None:
    office.mark("b.example")
    office.run("sync-unsanctioned")
    code, found, facts = checks(office)
    assert (code, facts["target"], list(found)) == (0, "file", list(NAMES[:3]))
    assert (found["ZIA"]["ok"], found["ZIA"]["warns"]) == (True, True)
    assert f"into the plain file {office.state / 'unsanctioned.txt'}" in found["ZIA"]["sentence"]
    assert "sudo nss configure-zia" in found["ZIA"]["tip"]

    office.extra = '[sync]\ntarget = "file"\n'
    code, found, _ = checks(office)
    assert (code, found["ZIA"]["warns"]) == (0, False)

    office.extra = '[sync]\ntarget = "zia"\n'
    code, found, _ = checks(office)
    assert (code, found["ZIA"]["ok"]) == (1, False)
    assert "there are no credentials for ZIA" in found["ZIA"]["sentence"]

    office.extra = '[sync]\ntarget = "off"\n'
    code, found, facts = checks(office)
    assert (code, list(found), facts["target"]) == (0, ["unsanctioned apps"], "off")


def test_a_sign_in_that_zia_refuses_is_wrong(office: SyncOffice) -> None:
    environ = {"NSS_ZIA_CLIENT_SECRET": "another-secret"}
    office.run("configure-zia", *office.one_api, "--skip-test", environ=environ)
    code, found, _ = checks(office)
    assert (code, found["ZIA"]["ok"], found["ZIA"]["field"]) == (1, False, "client_secret")
    assert "blocking" not in found
    assert "another-secret" not in json.dumps(found)


def test_after_zia_was_set_up_the_file_is_not_taken_for_it(office: SyncOffice) -> None:
    office.mark("b.example")
    office.run("sync-unsanctioned")
    office.use_zia()
    _, found, _ = checks(office)
    assert found["last sync"]["warns"]
    assert f"and none yet into the URL category {NAME}" in found["last sync"]["sentence"]


def test_a_sync_that_failed_is_wrong_and_so_is_none_for_long(office: SyncOffice) -> None:
    office.mark("b.example")
    office.run("sync-unsanctioned")
    office.lab.faults.add(Fault("mcas", "discovery_block_scripts", "status", 403, body=b"{}"))
    office.run("sync-unsanctioned")
    code, found, _ = checks(office)
    assert (code, found["last sync"]["ok"], found["unsanctioned apps"]["ok"]) == (1, False, True)
    assert "MCAS does not permit it" in found["last sync"]["sentence"]
    assert found["last sync"]["tip"]

    office.run("sync-unsanctioned")
    assert checks(office)[0] == 0
    store = SyncStore(office.state)
    store.keep_history(
        msgspec.structs.replace(store.history(), last_success_at=time.time() - 7 * 3600)
    )
    code, found, _ = checks(office)
    assert (code, found["last sync"]["ok"]) == (1, False)
    assert "none for more than 6 h" in found["last sync"]["sentence"]


def test_a_list_that_can_not_be_read_is_wrong(office: SyncOffice) -> None:
    office.lab.faults.add(Fault("mcas", "discovery_block_scripts", "status", 403, body=b"{}"))
    code, found, facts = checks(office)
    assert (code, found["unsanctioned apps"]["ok"], facts["urls"]) == (1, False, None)
    assert found["unsanctioned apps"]["field"] == "role"


def test_what_is_set_aside_is_counted(office: SyncOffice) -> None:
    office.mark("b.example", "com")
    _, found, _ = checks(office)
    check = found["unsanctioned apps"]
    assert check["sentence"].endswith("lists 1 URL of unsanctioned apps, and 1 entries that can't "
                                      "be synced")  # fmt: skip
    assert (check["ok"], check["warns"]) == (True, True)
    office.mark("com")
    code, found, _ = checks(office)
    assert (code, found["unsanctioned apps"]["ok"]) == (1, False)


@pytest.mark.parametrize(
    "fault", [Fault("entra", "token", "status", 503), Fault("mcas", "streams", "reset")]
)
def test_while_mcas_can_not_be_asked_the_rest_is_looked_at(
    office: SyncOffice, fault: Fault
) -> None:
    office.use_zia()
    office.lab.faults.add(fault)
    code, found, facts = checks(office)
    assert (code, "unsanctioned apps" in found, facts["urls"]) == (1, False, None)
    assert found["ZIA"]["ok"]
