"""Killed with SIGKILL at every step of a run: the next run repairs what it left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sync.conftest import Bench, names
from tests.sync.organisation import Organisation

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]

CALLS = ("find", "quota", "create", "add", "remove", "activate", "read")
POINTS = [
    *(f"call {call} {when}" for call in CALLS if call != "create" for when in ("before", "after")),
    *("claimed", "added", "owned", "removing", "removed", "activated"),
]


def die(folder: Path, point: str, count: int, urls: list[str]) -> None:
    command = [sys.executable, "-m", "tests.sync.victim", str(folder), point, str(count), *urls]
    ran = subprocess.run(  # noqa: S603 - ours
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_that_is_killed_is_repaired_by_the_next(tmp_path: Path, point: str) -> None:
    path = tmp_path / "organisation.json"
    organisation = Organisation(path=path)
    organisation.put(["hand.example"])
    await Bench(tmp_path, organisation).run(*names(range(6)))

    die(tmp_path, point, 1, names(range(3, 10)))
    left = Organisation.load(path)
    assert "hand.example" in left.urls
    assert left.urls <= {"hand.example", *names(range(10))}

    bench = Bench(tmp_path, left)
    await bench.run(*names(range(3, 10)))
    assert left.urls == {"hand.example", *names(range(3, 10))}
    assert left.is_active
    await bench.run(*names(range(3, 8)))
    await bench.run("last.example", allow_shrink=True)
    assert left.urls == {"hand.example", "last.example"}


@pytest.mark.parametrize("point", ["call create before", "call create after", "claimed", "added"])
async def test_a_first_run_that_is_killed_owns_what_it_created(tmp_path: Path, point: str) -> None:
    die(tmp_path, point, 1, names(range(5)))
    left = Organisation.load(tmp_path / "organisation.json")
    bench = Bench(tmp_path, left)
    await bench.run(*names(range(5)))
    assert left.urls == frozenset(names(range(5)))
    await bench.run("last.example", allow_shrink=True)
    assert left.urls == {"last.example"}
