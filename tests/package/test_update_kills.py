"""An update that is killed, or whose machine loses power, at each of its stages."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from nss.updates import journal
from tests.package.conftest import Collector, configuration
from tests.package.machine import CONFIG, Machine, wait_for
from tests.package.repositories import Repository, served
from tests.package.sending import Load
from tests.package.test_package import started, unaccounted
from tests.package.test_updates import told, version
from tests.package.versions import DIES, other_version

pytestmark = pytest.mark.skipif(
    "NSS_UPDATE_KILLS" not in os.environ,
    reason="fourteen updates take ten minutes: NSS_UPDATE_KILLS=1 make test-package runs them",
)

STAGES = (
    journal.DOWNLOADING,
    journal.KEEPING,
    journal.STOPPING,
    journal.SWAPPING,
    journal.STARTING,
    journal.VERIFYING,
    journal.RETURNING,
)
END_SECS = 400.0
JOURNAL = Path("/var/lib/nss-update/journal.json")
ENGINE = b"/var/lib/nss-update/engine/run.py"


def kill(machine: Machine) -> None:
    """Kill the engine, wherever it is; systemd starts it again."""
    assert machine
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if ENGINE in (each / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(each.name), signal.SIGKILL)


def stage(machine: Machine) -> str:
    """Return the stage that is on the disk of the machine."""
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(machine.path(JOURNAL).read_text())["stage"])
    return ""


def ending(machine: Machine) -> str:
    """Return how the update ended, and why."""
    found = json.loads(machine.path(JOURNAL).read_text())
    return f"{found['result']} ({found['why']})"


def until_more(load: Load) -> None:
    before = len(load.accepted)
    wait_for(lambda: len(load.accepted) > before + 200, "records are accepted", END_SECS)


def wait_for_stage(machine: Machine, wanted: str) -> None:
    deadline = time.monotonic() + END_SECS
    while stage(machine) != wanted:
        assert time.monotonic() < deadline, f"no stage {wanted}: {stage(machine)}"
        time.sleep(0.002)


@pytest.mark.timeout(5400)
@pytest.mark.parametrize("disturb", [kill, Machine.power_cut], ids=["kill", "power cut"])
def test_an_update_cut_off_at_any_stage_leaves_a_version_that_works(
    machine: Machine,
    collector: Collector,
    package: Path,
    tmp_path: Path,
    disturb: Callable[[Machine], None],
) -> None:
    numbers = count(99)
    repository = Repository(tmp_path)
    repository.publish(package)
    with served(repository.folder) as url:
        section = told(machine, repository, url)
        ours = configuration(collector=collector) + section
        started(machine, ours)
        machine.run("nss", "enable-autostart")
        with Load(0.05) as load:
            for wanted in STAGES:
                new = f"{next(numbers)}.0"
                main = DIES if wanted == journal.RETURNING else ""
                repository.publish(other_version(package, tmp_path, new, form=True, main=main))
                before = version(machine)
                until_more(load)
                machine.run("systemd-run", "--quiet", "--collect", "nss", "update-now")
                wait_for_stage(machine, wanted)
                disturb(machine)
                wait_for(lambda: stage(machine) == journal.ENDED, "the update ends", END_SECS)
                until_more(load)
                after = version(machine)
                sys.stdout.write(f"{wanted}: {before} -> {after}, {ending(machine)}\n")
                assert after in {before, new}
                assert machine.run("dpkg", "--audit").stdout == ""
                assert machine.path(CONFIG).read_text() == ours
                wait_for(lambda: machine.status()["health"]["ok"], "it is healthy", END_SECS)
    collector.wait_for_users(load.accepted)
    assert unaccounted(machine) == [0]
