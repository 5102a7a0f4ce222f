"""`nss sync-unsanctioned` against the lab: what it shows, what it changes, how it ends."""

import json
import os
import re
from typing import Any

import pytest

from nss.lab.cloud import Fault
from nss.lab.cloud.unsanctioned import AS_DELIVERED
from nss.lab.cloud.zia.categories import Categories
from nss.sync.state import SyncStore
from tests.cli.sync.conftest import NAME, SyncOffice

pytestmark = pytest.mark.long

URLS = {
    ".reddit.com", ".redd.it", ".redditmedia.com", ".logz.io", "pdf.example/share/upload?x=1",
    "pdf.example/free/", ".xn--bcher-kva.example", ".wild.example", "spaced.example",
}  # fmt: skip


def synced(office: SyncOffice, *arguments: str) -> dict[str, Any]:
    ran = office.run("sync-unsanctioned", "--json", *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_list_as_it_was_delivered_becomes_the_category(office: SyncOffice) -> None:
    office.use_zia()
    office.lab.mcas.unsanctioned.apps |= AS_DELIVERED
    office.lab.zia.categories.put(NAME, ["hand.example"], [".Redd.it"])

    planned = synced(office, "--dry-run")
    assert office.lab.zia.categories.changes == []
    assert (planned["outcome"], planned["dry_run"]) == ("planned", True)
    assert set(planned["added"]) == URLS - {".redd.it"}

    done = synced(office)
    assert {key: done[key] for key in ("added", "removed", "kept", "set_aside", "urls")} == {
        key: planned[key] for key in ("added", "removed", "kept", "set_aside", "urls")
    }
    assert (done["outcome"], done["destination"]) == ("synced", f"URL category {NAME}")
    assert done["kept"] == ["hand.example"]
    assert [aside["entry"] for aside in done["set_aside"]] == [
        "com", ".a_b.under_score", f".{'a' * 64}.example",
    ]  # fmt: skip
    assert (done["repeated"], done["covered"]) == (2, 1)
    assert done["quota_before"] == planned["quota_before"]
    assert done["quota_after"] == planned["quota_after"]
    assert done["quota_after"]["used"] == done["quota_before"]["used"] + 8
    categories = office.lab.zia.categories
    assert categories.urls(NAME) == {"hand.example"}
    assert categories.retaining(NAME) == URLS - {".redd.it"} | {".Redd.it"}
    assert office.lab.zia.in_force(NAME) == URLS - {".redd.it"} | {"hand.example", ".Redd.it"}
    assert office.lab.complaints == []

    assert (planned["blocking"], done["blocking"]["code"]) == (None, "no_rule")
    office.block()
    again = synced(office)
    assert (again["outcome"], again["blocking"]["blocked"]) == ("unchanged", True)
    assert ("sync-unsanctioned", "synced", "") in office.audited()
    assert ("verify-blocking", "blocked", "") in office.audited()
    assert office.lab.zia.one_api.secret not in office.everything_written()


def test_people_see_what_changes(office: SyncOffice) -> None:
    office.use_zia()
    office.mark(*(f"u{number:02}.example" for number in range(25)), "com")
    ran = office.run("sync-unsanctioned")
    assert ran.returncode == 0, ran.stderr
    *lines, last, blocked, remedy, old, new = ran.stdout.splitlines()
    assert re.fullmatch(r"Done in [0-9]+ s, and read back\.", last)
    assert blocked == f'blocked: no: no enabled URL filtering rule blocks the category "{NAME}"'
    assert remedy.startswith("  Try: add a rule with the action Block")
    assert old == "  Where: Policy > URL & Cloud App Control"
    assert new.startswith("  In the Experience Center: Policies > ")
    assert lines == [
        f"URL category {NAME}: 25 URLs are unsanctioned",
        "  added: 25",
        *(f"    u{number:02}.example" for number in range(20)),
        "    and 5 more (--json has all)",
        "  removed: 0",
        "  kept, because people added them: 0",
        "  set aside: 1",
        "    com: is a top-level domain or a name without one",
        "  quota: 0 used and 25,000 left before, 25 used and 24,975 left after",
    ]
    office.lab.mcas.unsanctioned.apps = {"Other": ["u00.example", "new.example"]}
    refused = office.run("sync-unsanctioned")
    assert refused.returncode == 65
    assert "has shrunk from 25 to 2 URLs" in refused.stderr
    assert "--allow-shrink" in refused.stderr
    dry = office.run("sync-unsanctioned", "--dry-run", "--allow-shrink")
    assert dry.stdout.splitlines()[:4] == [
        f"URL category {NAME}: 2 URLs are unsanctioned",
        "  would be added: 1",
        "    new.example",
        "  would be removed: 24",
    ]
    assert dry.stdout.splitlines()[-1] == "Nothing was changed."
    assert office.run("sync-unsanctioned", "--allow-shrink").returncode == 0
    assert office.lab.zia.in_force(NAME) == {"u00.example", "new.example"}


def test_the_pages_of_json_are_the_same_list(office: SyncOffice) -> None:
    office.extra = '[sync]\nlist = "json"\n'
    office.lab.mcas.unsanctioned.apps |= AS_DELIVERED
    assert set(synced(office, "--dry-run")["added"]) == URLS


def test_without_zia_the_list_goes_into_a_file(office: SyncOffice) -> None:
    office.mark("b.example", ".a.example")
    done = synced(office)
    path = office.state / "unsanctioned.txt"
    assert (done["target"], done["destination"]) == ("file", f"plain file {path}")
    assert (done["quota_before"], done["blocking"]) == (None, None)
    assert path.read_text() == ".a.example\nb.example\n"


def test_a_person_sees_what_is_waited_for(office: SyncOffice) -> None:
    office.mark("a.example")
    office.lab.faults.add(Fault("mcas", "discovery_block_scripts", "html"))
    ran = office.run("sync-unsanctioned")
    assert ran.returncode == 0
    assert "MCAS gave no list; it is asked again in" in ran.stderr
    assert (office.state / "unsanctioned.txt").read_text() == "a.example\n"


def test_an_empty_list_changes_nothing_and_says_what_to_do(office: SyncOffice) -> None:
    office.use_zia()
    ran = office.run("sync-unsanctioned", "--json")
    assert ran.returncode == 65
    found = json.loads(ran.stdout)
    assert found["outcome"] == "failed"
    assert "is empty" in found["error"]
    assert "at least one app as unsanctioned" in found["tip"]
    assert office.lab.zia.categories.changes == []
    history = SyncStore(office.state).history()
    assert history.last is not None
    assert (history.last.outcome, history.failures) == ("empty", 0)


def test_a_missing_permission_changes_nothing_and_is_named(office: SyncOffice) -> None:
    office.mark("a.example")
    synced(office)
    office.lab.faults.add(Fault("mcas", "discovery_block_scripts", "status", 403, body=b"{}"))
    ran = office.run("sync-unsanctioned")
    assert ran.returncode == 69
    assert "Discovery.manage" in ran.stderr
    assert (office.state / "unsanctioned.txt").read_text() == "a.example\n"


def test_what_is_missing_is_named(office: SyncOffice) -> None:
    office.extra = '[sync]\ntarget = "zia"\n'
    office.mark("a.example")
    ran = office.run("sync-unsanctioned")
    assert (ran.returncode, "sudo nss configure-zia" in ran.stderr) == (69, True)
    office.extra = '[sync]\ntarget = "off"\n'
    ran = office.run("sync-unsanctioned")
    assert (ran.returncode, "sync.target is" in ran.stderr) == (78, True)
    office.extra = ""
    office.store.clear()
    ran = office.run("sync-unsanctioned")
    assert (ran.returncode, "configure-mcas2" in ran.stderr) == (78, True)


def test_a_category_of_regular_expressions_is_left_alone(office: SyncOffice) -> None:
    office.use_zia()
    office.mark("a.example")
    office.lab.zia.categories.put(NAME, [".*"], urlType="REGEX")
    ran = office.run("sync-unsanctioned")
    assert ran.returncode == 78
    assert "regular expressions" in ran.stderr
    assert office.lab.zia.categories.changes == []


def test_only_one_sync_is_at_work_at_a_time(office: SyncOffice) -> None:
    office.mark("a.example")
    store = SyncStore(office.state)
    store.prepare()
    with store.lock():
        ran = office.run("sync-unsanctioned")
    assert ran.returncode == 75
    assert "syncs at the moment" in ran.stderr
    assert synced(office)["outcome"] == "synced"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("zia", "PUT ", "after"),
        Fault("zia", "POST /zia/api/v1/urlCategories", "after"),
        Fault("zia", "GET ", "status", 429, retry_after="1"),
    ],
    ids=str,
)
def test_a_fault_on_the_way_and_another_administrator_cost_nothing(
    office: SyncOffice, fault: Fault
) -> None:
    office.extra = "[sync]\nurls_per_request = 2\n"
    office.use_zia()
    office.mark("a.example", "b.example", "c.example")
    zia = office.lab.zia

    def meddle(categories: Categories) -> None:
        try:
            categories.edit(NAME, add=["hand.example"])
        except KeyError:  # there is none yet
            zia.before_next_write(meddle)

    zia.before_next_write(meddle)
    office.lab.faults.add(fault)
    synced(office)
    wanted = {"a.example", "b.example", "c.example"}
    assert wanted <= zia.in_force(NAME)
    office.mark("b.example", "c.example")
    synced(office)
    assert zia.categories.urls(NAME) | zia.categories.retaining(NAME) == {
        "b.example", "c.example", "hand.example",
    }  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_user_of_the_service(office: SyncOffice) -> None:
    office.mark("a.example")
    for path in (office.state, *office.state.iterdir()):
        os.chown(path, 65534, 65534)
    synced(office)
    assert {path.stat().st_uid for path in office.state.rglob("*")} == {65534}
    assert (office.state / "unsanctioned.txt").read_text() == "a.example\n"
