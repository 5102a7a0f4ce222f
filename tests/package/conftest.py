"""The package, installed on machines of its own; `make test-package` says where both are."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.package.collector import ROOT, Collector, collecting
from tests.package.machine import HERE, Machine, booted, overlay

__all__ = ["ROOT", "Collector", "Kind", "configuration"]  # what tests import from here

HOME = Path(__file__).parent
TEST_SECS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="on machines of its own: make test-package")
    limit = pytest.mark.timeout(TEST_SECS)
    for item in items:
        if HOME in item.path.parents:
            item.add_marker(limit if "NSS_PACKAGE" in os.environ else skip)


@pytest.fixture(scope="session")
def package() -> Path:
    """The package under test."""
    return Path(os.environ["NSS_PACKAGE"])


@pytest.fixture(scope="session")
def base() -> Path:
    """The root of a machine that has never heard of NSS."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607 - of this namespace
    return Path(os.environ["NSS_MACHINE_ROOT"])


@pytest.fixture(scope="session")
def installed(base: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The layers of a root with the package installed."""
    folder = tmp_path_factory.mktemp("installed")
    with overlay(folder, base) as root:
        shutil.copy(package, root / "root")
        install = ["chroot", str(root), "dpkg", "--install", f"/root/{package.name}"]
        ran = subprocess.run(install, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        assert ran.returncode == 0, ran.stdout + ran.stderr
    return [folder / "upper", base]


@pytest.fixture
def bare(tmp_path: Path, base: Path, package: Path) -> Iterator[Machine]:
    """A machine without NSS; the package lies in /root."""
    with booted(tmp_path / "machine", base) as machine:
        shutil.copy(package, machine.path("/root"))
        yield machine


@pytest.fixture
def machine(tmp_path: Path, installed: list[Path]) -> Iterator[Machine]:
    """A machine with the package installed and nothing configured."""
    with booted(tmp_path / "machine", *installed) as machine:
        yield machine


@pytest.fixture
def collector(tmp_path: Path, base: Path) -> Iterator[Collector]:
    """Start rsyslog for UDP and TCP; `base` is there for the network."""
    assert base.is_dir()
    with collecting(tmp_path) as made:
        yield made


Kind = Literal["syslog_tcp", "syslog_udp"]


def configuration(kind: Kind = "syslog_tcp", *, collector: Collector, more: str = "") -> str:
    """Return a configuration: TCP on port 514 and HTTP in, one feed to the collector out."""
    port = collector.udp if kind == "syslog_udp" else collector.tcp
    return f"""\
[sources.tcp]
kind = "tcp"
listen = "0.0.0.0:514"

[sources.push]
kind = "http"
listen = "0.0.0.0:8088"
token_file = "push.token"

[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "{kind}"
destinations = ["{HERE}:{port}"]
{more}"""
