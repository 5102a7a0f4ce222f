"""The machine as it is, and as it looks in containers and behind what hides /proc."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from nss.status.machine import DiskReading, MachineReading, machine

GB = 10**9


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A folder of a process that has nothing to say yet."""
    made = tmp_path / "proc"
    made.mkdir()
    return made


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    made = tmp_path / "cgroup"
    made.mkdir()
    return made


def limit(folder: Path, text: str, name: str = "memory.max") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_this_machine_is_read(tmp_path: Path) -> None:
    found = machine(tmp_path, tmp_path)
    disk = os.statvfs(tmp_path)
    assert found.state is not None
    assert found.state.total_bytes == disk.f_blocks * disk.f_frsize
    assert 0 < found.state.free_bytes <= found.state.total_bytes
    assert found.spool is not None
    assert found.spool.folder == tmp_path
    assert found.memory_bytes is not None
    assert found.resident_bytes is not None
    assert 10**6 < found.resident_bytes < found.memory_bytes
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.has_recommended_memory in {True, False}


def test_what_is_hidden_or_not_there_is_not_known(
    tmp_path: Path, proc: Path, cgroups: Path
) -> None:
    found = machine(tmp_path / "none", proc=proc / "none", cgroups=cgroups)
    assert (found.state, found.spool) == (None, None)
    assert (found.resident_bytes, found.memory_limit_bytes) == (None, None)
    assert found.memory_bytes is not None  # it is not from /proc


@pytest.mark.parametrize("text", ["", "5", "5 x 7", "\xff \xff", "5 -1"])
def test_resident_memory_that_makes_no_sense_is_not_known(
    tmp_path: Path, proc: Path, cgroups: Path, text: str
) -> None:
    (proc / "statm").write_text(text, "latin-1")
    assert machine(tmp_path, proc=proc, cgroups=cgroups).resident_bytes is None


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        ("6000000000\n", "max\n", 6 * GB),
        ("max\n", "max\n", None),
        ("max\n", "2000000000\n", 2 * GB),
        ("6000000000\n", "2000000000\n", 2 * GB),
        ("²", "", None),
    ],
)
def test_a_limit_is_the_smallest_of_the_groups_above(
    tmp_path: Path, proc: Path, cgroups: Path, own: str, above: str, expected: int | None
) -> None:
    (proc / "cgroup").write_text("0::/system.slice/nss-streamer.service\n")
    limit(cgroups / "system.slice" / "nss-streamer.service", own)
    limit(cgroups / "system.slice", above)
    assert machine(tmp_path, proc=proc, cgroups=cgroups).memory_limit_bytes == expected


def test_a_limit_of_version_1_is_found_and_what_it_shows_without_one_is_none(
    tmp_path: Path, proc: Path, cgroups: Path
) -> None:
    (proc / "cgroup").write_text("9:name=systemd:/\n4:cpu,memory:/box/one\n0::/\n")
    limit(cgroups / "memory" / "box", "9223372036854771712\n", "memory.limit_in_bytes")
    assert machine(tmp_path, proc=proc, cgroups=cgroups).memory_limit_bytes is None
    limit(cgroups / "memory" / "box" / "one", "3000000000\n", "memory.limit_in_bytes")
    assert machine(tmp_path, proc=proc, cgroups=cgroups).memory_limit_bytes == 3 * GB


def test_a_container_that_sees_only_its_own_group_has_that_limit(
    tmp_path: Path, proc: Path, cgroups: Path
) -> None:
    (proc / "cgroup").write_text("0::/../../elsewhere\n")
    limit(cgroups, "4000000000\n")
    limit(tmp_path, "1\n")  # outside of what is mounted
    assert machine(tmp_path, proc=proc, cgroups=cgroups).memory_limit_bytes == 4 * GB


@pytest.mark.parametrize(
    ("memory_bytes", "limit_bytes", "enough"),
    [
        (8 * 2**30, None, True),
        (8 * GB, None, True),
        (7.76 * GB, None, True),  # what Linux shows of 8 GB in many clouds
        (7 * GB, None, False),
        (4 * GB, None, False),
        (64 * GB, 6 * GB, True),
        (8 * GB, 0.75 * 7.76 * GB, True),  # the unit's own limit
        (64 * GB, 4 * GB, False),
        (None, 6 * GB, None),
    ],
)
def test_eight_gigabytes_are_recommended_and_nearly_as_many_will_do(
    *, memory_bytes: float | None, limit_bytes: float | None, enough: bool | None
) -> None:
    reading = MachineReading(
        state=DiskReading(Path("/"), 1, 2),
        spool=None,
        memory_bytes=None if memory_bytes is None else int(memory_bytes),
        memory_limit_bytes=None if limit_bytes is None else int(limit_bytes),
        resident_bytes=None,
        cores=2,
    )
    assert reading.has_recommended_memory is enough
    assert replace(reading, memory_bytes=None).has_recommended_memory is None
