"""A disk that fails now and then: nothing sound is given up, and what was set aside comes back."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
EVERYTHING = list(range(12))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of a spool when single reads failed, and of a batch on a bad sector."""
    folder = tmp_path_factory.mktemp("reads")
    shim = folder / "failing_reads.so"
    source = HERE / "failing_reads.c"
    compiled = ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"]
    subprocess.run(compiled, check=True)  # noqa: S603 - ours
    process = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "tests.spool.durable.read_errors", str(folder), "120", "3"],
        env=os.environ | {"LD_PRELOAD": str(shim), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdout=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    answer: dict[str, Any] = orjson.loads(process.stdout)
    return answer


def test_one_failed_read_costs_nothing_wherever_it_is(results: dict[str, Any]) -> None:
    reached = [result for result in results["reads"] if result["reads"] >= result["read"]]

    assert len(reached) > 20
    for result in reached:
        assert result["found"] == EVERYTHING, result
        assert (result["rejected"], result["missing"], result["aside"]) == (0, 0, []), result


def test_a_batch_that_could_not_be_read_can_be_retried_later(results: dict[str, Any]) -> None:
    sector = results["sector"]

    assert sector["first"] == [number for number in EVERYTHING if number != 7]
    (reason,) = sector["reasons"]
    assert reason.startswith("batch 8 of 1 records can't be read: ")
    assert sector["records"] == [1]
    assert sector["stays"] == [0, 1]
    assert sector["retried"] == [1, 0]
    assert (sector["second"], sector["left"]) == ([7], 0)
