"""What is in the package: nothing of the builder, nothing too open, all that is compiled."""

import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.conftest import ROOT

CORE = re.compile(r"\./opt/nss-streamer/lib/python3\.(\d+)/site-packages/(nss|formats|cli)/")
COMPILED = re.compile(r"\.cpython-3(\d+)-x86_64-linux-gnu\.so$")


@pytest.fixture(scope="module")
def data(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tarfile.TarFile]:
    """The files as the package has them."""
    path = tmp_path_factory.mktemp("contents") / "data.tar"
    with path.open("wb") as file:
        command = ["dpkg-deb", "--fsys-tarfile", str(package)]
        subprocess.run(command, stdout=file, check=True)  # noqa: S603 - Debian's
    with tarfile.open(path) as opened:
        yield opened


def test_all_is_of_root_and_nobody_else_may_change_it(data: tarfile.TarFile) -> None:
    modes = {
        (one.uname, one.gname, "folder" if one.isdir() else "file", f"{one.mode:o}")
        for one in data
        if not one.issym()
    }
    assert modes == {
        ("root", "root", "folder", "755"),
        ("root", "root", "file", "755"),
        ("root", "root", "file", "644"),
    }
    assert {one.type for one in data} == {tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE}


def test_nothing_says_when_or_where_it_was_built(data: tarfile.TarFile) -> None:
    assert {one.mtime for one in data} == {0}
    names = data.getnames()
    assert [one for one in names if one.endswith(("direct_url.json", ".pyc"))] == []
    for one in data:
        if one.isfile() and (one.name.endswith("/RECORD") or CORE.match(one.name)):
            file = data.extractfile(one)
            assert file is not None
            text = file.read()
            assert str(ROOT).encode() not in text, one.name
            assert b"direct_url.json" not in text, one.name


def test_each_python_has_what_is_compiled_for_it_and_no_sources(data: tarfile.TarFile) -> None:
    own = [one for one in data.getnames() if CORE.match(one)]
    assert [one for one in own if one.endswith((".pyx", ".pxi", ".c", ".h"))] == []
    binaries = [one for one in own if one.endswith(".so")]
    minors: dict[str, list[str]] = {found[1]: [] for one in own if (found := CORE.match(one))}
    assert set(minors) == {"11", "12"}
    for one in binaries:
        folder, built_for = CORE.match(one), COMPILED.search(one)
        assert folder is not None
        assert built_for is not None
        assert folder[1] == built_for[1]
        minors[folder[1]].append(one)
    wanted = len([*ROOT.glob("formats/**/*.pyx"), *ROOT.glob("nss/**/*.pyx")])
    assert len(minors["11"]) == wanted
    assert len(minors["12"]) in {0, wanted}  # none where the builder has no such Python


def test_dashboard_alert_rules_and_the_manual_of_the_configuration_are_there(
    data: tarfile.TarFile,
) -> None:
    names = set(data.getnames())
    assert names >= {
        "./usr/share/nss-streamer/grafana/nss.json",
        "./usr/share/nss-streamer/prometheus/nss.rules.yml",
        "./usr/share/man/man5/nss.toml.5.gz",
        "./usr/share/man/man1/nss-check.1.gz",
    }
