"""The package as it is installed: all of it is there, and it is what the tests run against."""

import os
import tomllib
from fnmatch import fnmatch
from importlib import metadata, resources
from pathlib import Path

import pytest

import cli
import formats
import nss

ROOT = Path(__file__).parent.parent
PACKAGES = (cli, formats, nss)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def installed() -> bool:
    """Tell whether the distribution is there; `make test` insists on it."""
    if os.environ.get("NSS_TEST_INSTALLED") == "1":
        return True
    try:
        metadata.distribution("nss-streamer")
    except metadata.PackageNotFoundError:
        return False
    return True


needs_installation = pytest.mark.skipif(not installed(), reason="nss-streamer is not installed")


def test_every_folder_with_modules_is_listed_as_a_package() -> None:
    tops = [ROOT / package.__name__ for package in PACKAGES]
    folders = {path.parent for top in tops for path in top.rglob("*.py")}
    found = sorted(str(folder.relative_to(ROOT)).replace("/", ".") for folder in folders)
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]

    assert [name for name in found if not any(fnmatch(name, one) for one in patterns)] == []


def test_every_package_says_what_lives_there() -> None:
    tops = [ROOT / package.__name__ for package in PACKAGES]
    folders = {path.parent for top in tops for path in top.rglob("*.py")}

    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@needs_installation
def test_the_tests_run_against_the_installed_package() -> None:
    site = Path(str(metadata.distribution("nss-streamer").locate_file("")))

    homes = {Path(str(package.__file__)).parent.parent for package in PACKAGES}

    assert homes == {site}
    assert site != ROOT


@needs_installation
def test_the_installed_files_are_those_of_the_tree() -> None:
    tree, there = (
        {
            str(path.relative_to(home)): path.read_bytes()
            for package in PACKAGES
            for path in (home / package.__name__).rglob("*")
            if path.is_file() and path.suffix in {".py", ".fof", ".csv", ".typed"}
        }
        for home in (ROOT, Path(str(nss.__file__)).parent.parent)
    )

    assert sorted(tree) == sorted(there)
    assert [name for name in tree if tree[name] != there[name]] == []


@needs_installation
def test_the_command_is_installed_with_the_version_of_the_project() -> None:
    distribution = metadata.distribution("nss-streamer")

    scripts = {one.name: one.value for one in distribution.entry_points}

    assert scripts == {"nss": "cli.main:main"}
    assert distribution.version == PROJECT["project"]["version"]


def test_the_data_of_the_packages_is_readable() -> None:
    data = [
        resources.files("formats.presets") / "MCAS.fof",
        *(resources.files(package) / "py.typed" for package in PACKAGES),
    ]

    assert [str(file) for file in data if not file.is_file()] == []
