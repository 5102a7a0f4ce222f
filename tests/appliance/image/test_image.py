"""What is in the image, and above all what is not."""

import json
import re
from pathlib import Path

from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.appliance.image.conftest import Root, one_of, ran

PROJECT = Path(__file__).parents[3]
UNITS = "/etc/systemd/system/multi-user.target.wants"


def test_nobody_has_a_password(root: Root) -> None:
    rows = [row.split(":") for row in root.text("/etc/shadow").splitlines()]
    assert {row[0]: row[1] for row in rows}["admin"] == "!"
    assert {row[0]: row[1] for row in rows}["root"] == "!*"
    assert {row[1] for row in rows} <= {"!", "*", "!*"}
    assert root.owned("/etc/shadow")[0] == 0o640


def test_no_identity_is_in_the_image(root: Root) -> None:
    assert root.text("/etc/machine-id") == ""
    assert [name for name in root.names("/etc/ssh") if name.startswith("ssh_host_")] == []
    assert "sshd_config" in root.names("/etc/ssh")
    assert "random-seed" not in root.names("/var/lib/systemd")
    assert root.names("/root/.ssh") == []
    assert root.names("/home/admin/.ssh") == []
    assert root.names("/home") == ["admin"]


def test_the_admin_is_in_the_groups_of_the_contract(root: Root) -> None:
    groups = [row.split(":") for row in root.text("/etc/group").splitlines()]
    assert {row[0] for row in groups if "admin" in row[3].split(",")} == {"sudo", "nss"}


def test_each_package_is_named_or_needed_by_one_that_is(root: Root) -> None:
    named = re.findall(r"^([a-z0-9+.-]+) +#", packages(), re.MULTILINE)
    status = dpkg(root)
    wanted = {name for name, fields in status.items() if fields.get("Essential") == "yes"}
    wanted |= {*named, "apt", "nss-streamer"}
    providers: dict[str, list[str]] = {}
    for name, fields in status.items():
        for other in names_in(fields.get("Provides", "")):
            providers.setdefault(other, []).append(name)
    todo = list(wanted)
    while todo:
        fields = status.get(todo.pop(), {})
        for other in names_in(fields.get("Depends", "") + "," + fields.get("Pre-Depends", "")):
            for name in [other, *providers.get(other, [])]:
                if name in status and name not in wanted:
                    wanted.add(name)
                    todo.append(name)
    # Of mmdebstrap's variant, which adds what has the priority "required".
    required = {name for name, one in status.items() if one.get("Priority") == "required"}
    assert set(named) <= set(status)
    assert set(status) - wanted - required == set()


def test_packages_come_from_debian_whatever_the_builder_used(root: Root) -> None:
    assert "sources.list" not in root.names("/etc/apt")
    assert root.names("/etc/apt/sources.list.d") == ["debian.sources"]
    sources = root.text("/etc/apt/sources.list.d/debian.sources")
    suites = " ".join(re.findall("^Suites: (.*)$", sources, re.MULTILINE)).split()
    assert suites == ["bookworm", "bookworm-updates", "bookworm-security"]
    assert {"http://deb.debian.org/debian", "http://deb.debian.org/debian-security"} == set(
        re.findall("^URIs: (.*)$", sources, re.MULTILINE)
    )


def test_nothing_of_the_builder_is_left(root: Root) -> None:
    assert root.names("/tmp") == []  # noqa: S108 - of the image
    assert root.names("/var/lib/apt/lists") == []
    assert set(root.names("/var/log")) == {"apt", "journal", "nss", "unattended-upgrades"}
    assert root.names("/etc/dpkg/dpkg.cfg.d") == ["nss-appliance"]


def test_what_has_to_start_is_enabled_and_what_has_nothing_to_do_is_not(root: Root) -> None:
    wants = root.names(UNITS)
    for unit in ("systemd-networkd.service", "chrony.service", "ssh.service"):
        assert unit in wants
    assert "nss-appliance-ssh.path" in wants
    assert "nftables.service" in root.names("/etc/systemd/system/sysinit.target.wants")
    assert "e2scrub_reap.service" not in root.names("/etc/systemd/system/default.target.wants")


def test_files_that_matter_have_their_modes(root: Root) -> None:
    assert root.owned("/etc/sudoers.d/nss-appliance") == (0o440, 0, 0)
    for name in ("console", "first-password", "stale-libraries"):
        assert root.owned(f"/usr/lib/nss-appliance/{name}") == (0o755, 0, 0)
    users = [row.split(":") for row in root.text("/etc/passwd").splitlines()]
    nss = next(int(row[2]) for row in users if row[0] == "nss")
    assert root.owned("/etc/nss/nss.toml")[:2] == (0o640, 0)
    assert root.owned("/var/lib/nss")[:2] == (0o700, nss)


def test_the_marker_says_version_and_time(root: Root) -> None:
    marker = root.text("/usr/lib/nss-appliance/release")
    assert re.fullmatch(r"VERSION=[0-9.]+\nBUILT=[0-9]+\n", marker)


def test_the_disk_has_its_four_partitions(root: Root) -> None:
    table = json.loads(ran("sfdisk", "--json", root.raw))["partitiontable"]
    names = [part["name"] for part in table["partitions"]]
    assert (table["label"], names) == ("gpt", ["bios", "uefi", "nss-root", "nss-spool"])


def test_the_bill_of_materials_names_what_dpkg_knows(root: Root) -> None:
    bill = json.loads(one_of(".spdx.json").read_text())
    named = {
        (one["name"], one["versionInfo"])
        for one in bill["packages"]
        if one["SPDXID"].startswith("SPDXRef-deb-")
    }
    assert named == {(name, fields["Version"]) for name, fields in dpkg(root).items()}
    identifiers = [one["SPDXID"] for one in bill["packages"]]
    assert len(set(identifiers)) == len(identifiers)


def test_the_bill_of_materials_is_valid_spdx() -> None:
    bill = parse_file(str(one_of(".spdx.json")))
    assert [one.validation_message for one in validate_full_spdx_document(bill)] == []


def packages() -> str:
    return (PROJECT / "packaging/appliance/packages").read_text()


def dpkg(root: Root) -> dict[str, dict[str, str]]:
    found = {}
    for stanza in root.text("/var/lib/dpkg/status").split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields
    return found


def names_in(relation: str) -> list[str]:
    return re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", relation)
