"""The machine that was set up gets another version, with records coming in all the time."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.appliance.vm.story import BOOT_SECS, COMMAND_SECS, Appliance, say
from tests.package.machine import wait_for
from tests.package.repositories import Repository, served
from tests.package.sending import Load
from tests.package.versions import DIES, other_version, transcript

pytestmark = pytest.mark.leaves("processes", "descriptors", reason="a machine that all tests share")
exchanges = pytest.mark.timeout(2400)  # packages, which takes minutes where it is emulated

UPDATE_SECS = 1500
VERSIONS = count(99)
"""Each test brings a newer one, in whichever order they run."""

ENDED = "sh -c 'while [ -e /etc/systemd/system/nss-update-resume.service ]; do sleep 1; done'"
"""Waits until nothing is left of an update that the next boot would have to bring to its end."""

PAUSE_SECS = 0.1
SECTION = """
[updates]
repository = "{url}"
key_file = "updates.asc"
timeout_secs = 600
verify_secs = 600
"""
"""With time for a machine that is emulated."""


@pytest.fixture(scope="session")
def package() -> Path:
    """The package that is in the image."""
    return Path(os.environ["NSS_PACKAGE"])


@contextlib.contextmanager
def offered(appliance: Appliance, folder: Path, package: Path) -> Iterator[None]:
    """Have a package in a repository of its own that the machine trusts."""
    repository = Repository(folder)
    repository.publish(package)
    shell = appliance.shell
    shell.become_known()
    shell.write("/etc/nss/updates.asc", repository.public_key)
    shell.run("sudo cp --archive /etc/nss/nss.toml /etc/nss/nss.toml.before")
    with served(repository.folder) as url:
        shell.run(f"printf '%s' '{SECTION.format(url=url)}' | sudo tee -a /etc/nss/nss.toml")
        try:
            yield
        finally:
            shell.run("sudo mv /etc/nss/nss.toml.before /etc/nss/nss.toml")


def version(appliance: Appliance) -> str:
    return appliance.shell.run("dpkg-query --show --showformat='${Version}' nss-streamer").strip()


def spool_form(appliance: Appliance) -> int:
    """Return the form of the spool's file."""
    opened = 'sqlite3.connect("file:/var/lib/nss/spool.db?mode=ro", uri=True)'
    read = f'import sqlite3; print({opened}.execute("PRAGMA user_version").fetchone()[0])'
    return int(appliance.shell.run(f"sudo python3 -c '{read}'"))


def form_in(package: Path) -> int:
    """Return the form of the spool that a package says it writes."""
    read = ["dpkg-deb", "--field", str(package), "Spool-Form"]
    return int(subprocess.run(read, capture_output=True, check=True).stdout)  # noqa: S603 - Debian's


def until_more(load: Load) -> None:
    """Wait until the machine takes records, after all it has taken."""
    before = len(load.accepted)
    wait_for(lambda: len(load.accepted) > before + 500, "it takes records", BOOT_SECS)


def assert_all_there(appliance: Appliance, load: Load) -> None:
    """Assert that all it has answered for arrived, and that its accounts add up."""
    appliance.collector.wait_for_users(load.accepted, BOOT_SECS)
    known = ("delivered", "filtered", "rejected", "dropped", "pending")
    for feed in appliance.wait_until_healthy()["feeds"]:
        assert feed["accepted"] == sum(feed[one] for one in known), feed


@exchanges
def test_an_update_to_another_form_of_the_spool_loses_nothing(
    appliance: Appliance, package: Path, tmp_path: Path
) -> None:
    new = f"{next(VERSIONS)}.0"
    newer = other_version(package, tmp_path, new, form=True)
    with offered(appliance, tmp_path, newer), Load(PAUSE_SECS) as load:
        until_more(load)
        printed = appliance.shell.run("sudo nss update-now", secs=UPDATE_SECS)
        until_more(load)
    say(f"updated with {len(load.accepted)} records answered for", appliance.machine)
    assert printed.splitlines() == transcript(new)
    assert (version(appliance), spool_form(appliance)) == (new, form_in(package) + 1)
    assert_all_there(appliance, load)


@exchanges
def test_a_version_that_does_not_start_is_taken_back_and_nothing_is_lost(
    appliance: Appliance, package: Path, tmp_path: Path
) -> None:
    dying = other_version(package, tmp_path, f"{next(VERSIONS)}.0", form=True, main=DIES)
    before = version(appliance), spool_form(appliance)
    with offered(appliance, tmp_path, dying), Load(PAUSE_SECS) as load:
        until_more(load)
        printed = appliance.shell.run("sudo nss update-now", code=99, secs=UPDATE_SECS)
        until_more(load)
    say(f"taken back with {len(load.accepted)} records answered for", appliance.machine)
    assert "the new version does not start" in printed
    assert (version(appliance), spool_form(appliance)) == before
    assert_all_there(appliance, load)


@exchanges
def test_power_that_is_cut_while_packages_are_exchanged_leaves_one_that_works(
    appliance: Appliance, package: Path, tmp_path: Path
) -> None:
    new = f"{next(VERSIONS)}.0"
    newer = other_version(package, tmp_path, new, form=True)
    before = version(appliance)
    with offered(appliance, tmp_path, newer), Load(PAUSE_SECS) as load:
        until_more(load)
        appliance.shell.start("sudo nss update-now")
        appliance.machine.console.expect(f"Installing build {new}", secs=UPDATE_SECS)
        refused = load.refused
        wait_for(
            lambda: load.refused > refused + 100, "it has been stopped for a while", COMMAND_SECS
        )
        appliance.machine.cut_power()
        appliance.boot_again()
        until_more(load)
        appliance.shell.run(ENDED, secs=UPDATE_SECS)
    after = version(appliance)
    say(f"power cut amid an update: {before}, then {after}", appliance.machine)
    assert after in {before, new}
    assert appliance.shell.run("sudo dpkg --audit") == ""
    assert_all_there(appliance, load)
