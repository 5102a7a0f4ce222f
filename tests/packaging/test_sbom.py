"""What an image consists of, as the SPDX group's own reader and validator take it."""

import importlib
import json
import re
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

ROOT = Path(__file__).parents[2]
STATUS = Path("/var/lib/dpkg/status")
EPOCH = 1_700_000_000

AWKWARD = (
    {
        "Package": "libstdc++6",
        "Version": "1:12.2.0-14+deb12u1~bpo",
        "Maintainer": "A <a@b.example>",
    },
    {"Package": "nss-streamer", "Version": "0.1.0", "Maintainer": "The NSS authors"},
    {"Package": "x", "Version": "0", "Maintainer": 'B "C" (D) <b@c.example>', "Source": "y (2)"},
)


@pytest.fixture
def sbom(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "packaging")
    monkeypatch.delitem(sys.modules, "sbom", raising=False)
    return importlib.import_module("sbom")


def installed() -> list[Mapping[str, str]]:
    """Return what dpkg has installed on this machine, none where there is no dpkg."""
    status = STATUS.read_text() if STATUS.exists() else ""
    found = [
        dict(re.findall(r"^([A-Za-z-]+): (.*)$", one, re.MULTILINE)) for one in status.split("\n\n")
    ]
    return [one for one in found if one.get("Status", "").endswith(" installed")]


def faults(path: Path) -> list[str]:
    return [one.validation_message for one in validate_full_spdx_document(parse_file(str(path)))]


def written(sbom: ModuleType, path: Path, debian: list[Mapping[str, str]]) -> Path:
    python = {one.name: one.version for one in distributions()}
    about = ("nss-appliance", "OPERATING-SYSTEM", "0.1.0", EPOCH)
    sbom.write(path, *about, debian, python.items())
    return path


def test_what_this_machine_consists_of_is_valid_spdx(sbom: ModuleType, tmp_path: Path) -> None:
    awkward = [{"Architecture": "amd64"} | one for one in AWKWARD]
    names = {one["Package"] for one in AWKWARD}
    debian = [*awkward, *(one for one in installed() if one["Package"] not in names)]
    path = written(sbom, tmp_path / "bill.spdx.json", debian)

    assert faults(path) == []
    read = {one.name: one.version for one in parse_file(str(path)).packages}
    assert {name: read[name] for name in names} == {
        one["Package"]: one["Version"] for one in AWKWARD
    }


def test_the_validator_notices_what_is_wrong(sbom: ModuleType, tmp_path: Path) -> None:
    path = written(sbom, tmp_path / "bill.spdx.json", [])
    document = json.loads(path.read_text())
    document["relationships"][1]["relatedSpdxElement"] = "SPDXRef-nobody"
    path.write_text(json.dumps(document))

    assert any("SPDXRef-nobody" in fault for fault in faults(path))
