"""Updates on whole machines, from a repository of their own: there, and back where it must be."""

from pathlib import Path
from typing import Any

import pytest

from tests.package.conftest import Collector, configuration
from tests.package.machine import CONFIG, Machine, wait_for
from tests.package.repositories import Repository, served
from tests.package.sending import Load
from tests.package.test_package import started, unaccounted
from tests.package.versions import DIES, other_version, transcript

NEW = "99.0"
UPDATE_SECS = 400


@pytest.fixture(scope="session")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newer version with another form of the spool."""
    return other_version(package, tmp_path_factory.mktemp("newer"), NEW, form=True)


@pytest.fixture(scope="session")
def dying(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newer version whose service does not start."""
    return other_version(package, tmp_path_factory.mktemp("dying"), NEW, main=DIES)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty repository."""
    return Repository(tmp_path)


def told(machine: Machine, repository: Repository, url: str, more: str = "") -> str:
    """Give the machine the key; returns the section for the configuration."""
    machine.write("/etc/nss/updates.asc", repository.public_key)
    return f'\n[updates]\nrepository = "{url}"\nkey_file = "updates.asc"\n{more}'


def version(machine: Machine) -> str:
    return machine.run("dpkg-query", "--show", "--showformat=${Version}", "nss-streamer").stdout


@pytest.mark.timeout(1200)  # a package is unpacked three times
def test_an_update_under_load_to_another_form_of_the_spool_loses_nothing(
    machine: Machine, collector: Collector, repository: Repository, newer: Path
) -> None:
    repository.publish(newer)
    with served(repository.folder) as url:
        section = told(machine, repository, url)
        started(machine, configuration(collector=collector) + section)
        assert "on offer" in machine.run("nss", "checkversion", code=1).stdout
        with Load() as load:
            wait_for(lambda: len(load.accepted) > 500, "records are accepted")
            ran = machine.run("nss", "update-now", code=None, secs=UPDATE_SECS)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            before = len(load.accepted)
            wait_for(lambda: len(load.accepted) > before + 500, "records are accepted again")
        assert machine.run("nss", "checkversion").stdout.count(NEW) >= 1
    assert ran.stdout.splitlines() == transcript(NEW)
    assert version(machine) == NEW
    collector.wait_for_users(load.accepted)
    assert unaccounted(machine) == [0]
    assert machine.status()["health"]["ok"]
    assert not machine.path("/var/lib/nss/spool.db.before-update").exists()


def notices(machine: Machine) -> list[dict[str, Any]]:
    """Return what the status says of the last update, at which the service looks now and then."""
    reasons = machine.status()["health"]["reasons"]
    return [each for each in reasons if each["component"] == "update"]


@pytest.mark.timeout(1500)  # a package is unpacked four times
def test_a_version_that_does_not_start_is_taken_back_and_nothing_is_lost(
    machine: Machine,
    collector: Collector,
    repository: Repository,
    dying: Path,
    package: Path,
    tmp_path: Path,
) -> None:
    repository.publish(dying)
    with served(repository.folder) as url:
        section = told(machine, repository, url)
        ours = configuration(collector=collector) + section
        started(machine, ours)
        with Load() as load:
            wait_for(lambda: len(load.accepted) > 500, "records are accepted")
            ran = machine.run("nss", "update-now", code=99, secs=UPDATE_SECS)
            before = len(load.accepted)
            wait_for(lambda: len(load.accepted) > before + 500, "records are accepted again")
        assert machine.path(CONFIG).read_text() == ours
    assert "the new version does not start" in ran.stderr
    assert version(machine) == package.name.split("_")[1]
    collector.wait_for_users(load.accepted)
    assert unaccounted(machine) == [0]
    health = machine.status()["health"]
    assert health["ok"]
    wait_for(lambda: notices(machine), "the service has read how the update ended")
    (notice,) = notices(machine)
    assert "was taken back" in notice["why"]
    assert notice["remedy"]

    repository.publish(other_version(package, tmp_path, "100.0"))
    with served(repository.folder) as url:
        ours = configuration(collector=collector) + told(machine, repository, url)
        machine.configure(ours)
        with Load() as load:
            wait_for(lambda: load.accepted, "records are accepted")
            machine.run("nss", "update-now", secs=UPDATE_SECS)
    assert version(machine) == "100.0"
    assert machine.path(CONFIG).read_text() == ours, "it is still the administrator's"
    assert machine.status()["health"]["ok"]
