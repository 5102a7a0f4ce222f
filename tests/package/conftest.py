"""The package, installed on machines of its own; `make test-package` says where both are."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.package.machine import HERE, Machine, booted, lines_of, overlay, wait_for

ROOT = Path(__file__).parent.parent.parent
HOME = Path(__file__).parent
TEST_SECS = 180


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


@dataclass
class Collector:
    """A real rsyslog at our end of the cable."""

    received: Path
    udp: int = 1514
    tcp: int = 1601

    def lines(self) -> list[str]:
        """Return what it has written."""
        return list(lines_of(self.received))

    def users(self) -> set[str]:
        """Return the users in the lines."""
        return {
            part.removeprefix("usrName=")
            for line in self.lines()
            for part in line.split("\t")
            if part.startswith("usrName=")
        }

    def wait_for_users(self, users: set[str], secs: float = 30) -> None:
        """Wait until there was a line of each."""
        wait_for(lambda: users <= self.users(), "the collector has them all", secs)


@pytest.fixture
def collector(tmp_path: Path, base: Path) -> Iterator[Collector]:
    """Start rsyslog for UDP and TCP; `base` is there for the network."""
    assert base.is_dir()
    unpacked = _peers()
    try:
        found = unpacked.rsyslog()
    except unpacked.NotUnpacked as error:
        pytest.skip(str(error))
    made = Collector(tmp_path / "received")
    config = tmp_path / "rsyslog.conf"
    config.write_text(
        f"""\
global(workDirectory="{tmp_path}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="raw") {{ action(type="omfile" file="{made.received}" template="raw") }}
input(type="imudp" address="0.0.0.0" port="{made.udp}" ruleset="raw")
input(type="imtcp" address="0.0.0.0" port="{made.tcp}" ruleset="raw")
"""
    )
    command = [
        *(str(found.program), *found.options),
        *("-n", "-f", str(config), "-i", str(tmp_path / "rsyslog.pid")),
    ]
    with (tmp_path / "rsyslog.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ours
            command, env=os.environ | found.env, stdout=log, stderr=log
        )
    yield made
    process.kill()
    process.wait()


def _peers() -> Any:  # noqa: ANN401 - a script of the benchmarks, which know where peers are
    spec = importlib.util.spec_from_file_location("unpacked", ROOT / "benchmarks" / "unpacked.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unpacked"] = module
    spec.loader.exec_module(module)
    return module


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
