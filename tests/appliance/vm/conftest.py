"""Machines booted from the image; `make test-appliance` says where it is."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from nss.lab.cloud import CloudLab
from tests.appliance.vm.cable import CLOUD, Cable
from tests.appliance.vm.emulator import MACHINES
from tests.appliance.vm.images import FOLDER
from tests.appliance.vm.story import Appliance, set_up
from tests.package.collector import Collector, collecting
from tests.package.machine import HERE

HOME = Path(__file__).parent
TEST_SECS = 1500
"""Emulation on a busy machine is slow; a machine of its own takes a fraction."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="on machines booted from the image: make test-appliance")
    limit = pytest.mark.timeout(TEST_SECS)
    for item in items:
        if HOME in item.path.parents:
            item.add_marker(limit if FOLDER in os.environ else skip)


@pytest.fixture(scope="session")
def cable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cable]:
    """The network outside of the machines."""
    with Cable(tmp_path_factory.mktemp("cable")) as made:
        yield made


@pytest.fixture(scope="session")
def collector(cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A real rsyslog outside."""
    assert cable
    with collecting(tmp_path_factory.mktemp("collector")) as made:
        yield made


@pytest.fixture(scope="session")
def lab(cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudLab]:
    """Entra, MCAS and its storage outside."""
    assert cable
    with CloudLab(tmp_path_factory.mktemp("lab"), address=HERE, name=CLOUD) as made:
        yield made


@pytest.fixture(scope="session")
def appliance(
    cable: Cable, collector: Collector, lab: CloudLab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    """A machine that a person has set up at its console, from the first boot to records.

    One for all tests of the run: none may leave it other than healthy at its own address.
    """
    with set_up(tmp_path_factory.mktemp("appliance"), cable, collector, lab) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of each console beside a failure; secrets are typed without an echo."""
    report = yield
    if report.failed:
        for machine in MACHINES:
            report.sections.append((f"console of {machine.folder.name}", machine.console.tail()))
    return report
