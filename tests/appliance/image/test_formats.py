"""The formats, as those who take them demand."""

import hashlib
import json
import struct
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.appliance.image.conftest import FOLDER, Root, one_of, ran

MIB = 1 << 20
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"


def test_what_is_distributed_has_at_most_700_mb(root: Root) -> None:
    assert root.raw.exists()
    for path in FOLDER.iterdir():
        if path.suffix in {".zst", ".qcow2", ".ova"}:
            assert path.stat().st_size <= 700_000_000, path.name


def test_the_sums_are_those_of_all_files_but_the_note_of_what_they_were_made_from() -> None:
    sums = [line.split("  ") for line in (FOLDER / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in sums}
    assert set(listed) == {path.name for path in FOLDER.iterdir()} - {"SHA256SUMS", ".sources"}
    for name, digest in listed.items():
        assert sha256(FOLDER / name) == digest


def test_the_qcow2_is_sound() -> None:
    path = one_of(".qcow2")
    ran("qemu-img", "check", path)
    assert json.loads(ran("qemu-img", "info", "--output=json", path))["virtual-size"] == 8 << 30


def test_the_vhd_is_fixed_and_of_whole_mib() -> None:
    path = one_of(".vhd")
    with path.open("rb") as file:
        file.seek(-512, 2)
        footer = file.read()
    (size,) = struct.unpack_from(">Q", footer, 48)
    (kind,) = struct.unpack_from(">I", footer, 60)
    assert (footer[:8], kind) == (b"conectix", 2)
    assert size % MIB == 0
    assert path.stat().st_size == size + 512


def test_the_ova_has_its_description_first_and_true_sums(tmp_path: Path) -> None:
    with tarfile.open(one_of(".ova")) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path, filter="data")
    assert [name.rpartition(".")[2] for name in names] == ["ovf", "mf", "vmdk"]
    described, manifest, disk = (tmp_path / name for name in names)
    for line in manifest.read_text().splitlines():
        name, _, digest = line.removeprefix("SHA256(").partition(")= ")
        assert sha256(tmp_path / name) == digest
    envelope = ET.parse(described).getroot()  # noqa: S314 - ours
    file = envelope.find(f"{OVF}References/{OVF}File")
    listed = envelope.find(f"{OVF}DiskSection/{OVF}Disk")
    assert file is not None
    assert listed is not None
    assert file.get(f"{OVF}href") == disk.name
    assert file.get(f"{OVF}size") == str(disk.stat().st_size)
    info = json.loads(ran("qemu-img", "info", "--output=json", disk))
    assert listed.get(f"{OVF}capacity") == str(info["virtual-size"])
    assert info["format-specific"]["data"]["create-type"] == "streamOptimized"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
