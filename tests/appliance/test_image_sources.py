"""What the image of the appliance is made from, and what a built one has."""

import hashlib
import importlib
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from nss.config.load import parse

PROJECT = Path(__file__).parent.parent.parent
SOURCE = PROJECT / "packaging/appliance"
ROOT = SOURCE / "root"
BUILT = PROJECT / "build/appliance"
FILES = [path for path in sorted(ROOT.rglob("*")) if path.is_file() and not path.is_symlink()]
_RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a module of the build, which finds its neighbours by the path."""
    monkeypatch.syspath_prepend(str(SOURCE))
    before = set(sys.modules)
    yield importlib.import_module(name)
    for known in set(sys.modules) - before:
        if known in {name, "base"}:
            del sys.modules[known]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module disk.py."""
    yield from script("disk", monkeypatch)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module sources.py."""
    yield from script("sources", monkeypatch)


def test_every_package_has_a_reason() -> None:
    lines = (SOURCE / "packages").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.+-]+ +# \S.*", line)] == []


def test_nothing_secret_is_in_it() -> None:
    secret = re.compile(rb"PRIVATE KEY|:\$(?:1|5|6|y|2[aby])\$|(?:ssh-(?:rsa|ed25519)) AAAA")
    assert FILES
    assert [str(path) for path in FILES if secret.search(path.read_bytes())] == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("etc/ssh/sshd_config.d/50-nss-appliance.conf", "PasswordAuthentication no"),
        ("etc/ssh/sshd_config.d/50-nss-appliance.conf", "KbdInteractiveAuthentication no"),
        ("etc/ssh/sshd_config.d/50-nss-appliance.conf", "PermitRootLogin no"),
        ("usr/lib/systemd/journald.conf.d/nss-appliance.conf", "SystemMaxUse=256M"),
        ("usr/lib/systemd/system.conf.d/nss-appliance.conf", "DumpCore=no"),
        ("usr/lib/systemd/system.conf.d/nss-appliance.conf", "DefaultLimitCORE=0"),
        ("usr/lib/sysctl.d/60-nss-appliance.conf", "fs.suid_dumpable = 0"),
    ],
)
def test_it_is_set(name: str, line: str) -> None:
    assert line in text(name).splitlines()


def test_only_security_updates_come_by_themselves() -> None:
    settings = text("etc/apt/apt.conf.d/52nss-appliance")
    assert "#clear Unattended-Upgrade::Origins-Pattern;" in settings
    assert re.findall(r'"(origin=.*)";', settings) == [
        "origin=Debian,codename=${distro_codename}-security,label=Debian-Security"
    ]


def test_packages_come_from_debian() -> None:
    places = re.findall(
        r"^URIs: (.*)$", text("etc/apt/sources.list.d/debian.sources"), re.MULTILINE
    )
    assert places
    assert all(place.startswith("http://deb.debian.org/") for place in places)


def test_user_data_gives_no_sudo_without_a_password() -> None:
    user = yaml.safe_load(text("etc/cloud/cloud.cfg.d/50-nss-appliance.cfg"))
    assert user["system_info"]["default_user"]["sudo"] is False
    rules = [line for line in text("etc/sudoers.d/nss-appliance").splitlines() if line[0] != "#"]
    assert rules == ["admin ALL=(root) NOPASSWD: /usr/lib/nss-appliance/first-password"]


def test_cloud_init_leaves_the_settings_of_ssh_alone_and_makes_no_weak_key() -> None:
    settings = yaml.safe_load(text("etc/cloud/cloud.cfg.d/50-nss-appliance.cfg"))
    assert "ssh_pwauth" not in settings  # it would start SSH again, minutes after it first answered
    assert settings["ssh_genkeytypes"] == ["ed25519", "ecdsa", "rsa"]


def test_our_links_to_units_lead_somewhere() -> None:
    links = [path for path in ROOT.rglob("*.wants/*") if "nss-" in path.name]
    assert links
    assert [str(path) for path in links if not path.exists()] == []


def test_the_example_of_user_data_is_good() -> None:
    page = (PROJECT / "docs/appliance.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(#cloud-config\n.*?)```", page, re.DOTALL)
    assert found
    (file,) = yaml.safe_load(found[1])["write_files"]
    assert (file["owner"], file["permissions"]) == ("root:nss", "0640")
    parse(file["content"], Path("/etc/nss"))


def test_the_partitions_fill_the_disk_and_do_not_overlap(disk: Any) -> None:  # noqa: ANN401
    places = re.findall(r"start=(\d+), size=(\d+)", disk._table())
    assert len(places) == 4
    end = disk.MIB // disk.SECTOR
    for start, size in places:
        assert int(start) == end
        end += int(size)
    assert end + disk.MIB // disk.SECTOR == disk.DISK_MIB * disk.MIB // disk.SECTOR
    assert disk.DISK_MIB == 8192


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "nss/main.py").write_text("changed"),
        lambda project: (project / "nss/main.py").unlink(),
        lambda project: (project / "nss/main.py").chmod(0o755),
        lambda project: (project / "packaging/new").write_text("git has not been told"),
    ],
)
def test_images_of_other_sources_are_known(
    sources: Any,  # noqa: ANN401
    tmp_path: Path,
    change: Callable[[Path], object],
) -> None:
    project, images = tmp_path / "project", tmp_path / "images"
    for folder in (project / "nss", project / "packaging", project / "docs", images):
        folder.mkdir(parents=True)
    (project / ".gitignore").write_text("*.pyc\n")
    (project / "nss/main.py").write_text("as it was")
    subprocess.run(["git", "init", "-q", str(project)], check=True, timeout=10)  # noqa: S603, S607
    add = ["git", "-C", str(project), "add", "-A"]
    subprocess.run(add, check=True, timeout=10)  # noqa: S603
    assert not sources.is_current(images, project)
    sources.remember(images, sources.digest(project))
    (project / "nss/main.pyc").write_text("made, and not a source")
    (project / "docs/page.md").write_text("not what boots")
    assert sources.is_current(images, project)
    change(project)
    assert not sources.is_current(images, project)


def test_the_machine_of_vsphere_has_what_it_needs() -> None:
    template = Template((SOURCE / "nss-appliance.ovf").read_text(encoding="utf-8"))
    filled = template.substitute(disk="a.vmdk", disk_bytes=1, capacity=2, version="1")
    kinds = [one.text for one in ET.fromstring(filled).iter(f"{_RASD}ResourceType")]  # noqa: S314
    assert sorted(kinds, key=str) == ["10", "17", "3", "4", "6"]


def built(pattern: str) -> Path:
    for path in BUILT.glob(pattern):
        return path
    pytest.skip(f"no {pattern} in build/appliance: make appliance")


def test_the_sums_of_a_built_image_are_right() -> None:
    for line in built("SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        with (BUILT / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest, name


def test_the_bill_of_materials_of_a_built_image_names_us() -> None:
    document = json.loads(built("*.spdx.json").read_text(encoding="utf-8"))
    assert "nss-streamer" in {one["name"] for one in document["packages"]}


def test_the_qcow2_of_a_built_image_is_sound() -> None:
    path = built("*.qcow2")
    if not shutil.which("qemu-img"):
        pytest.skip("no qemu-img: apt-get install qemu-utils")
    subprocess.run(["qemu-img", "check", path], check=True, capture_output=True, timeout=50)  # noqa: S603, S607
