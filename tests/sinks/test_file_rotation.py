"""The file sink: files set aside at a size, and lines that count once they are on the disk."""

import errno
import os
import stat
from pathlib import Path

import pytest

from formats.lines import Lines
from nss.files.set_aside import set_aside
from nss.sinks import Delivered, RetryAfter
from nss.telemetry.events import counters
from tests.parts import file_sink

LINES = [b"%03d" % number for number in range(12)]
"""With its LF each is 4 bytes."""


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in each file, its lines joined by blanks."""
    return {
        path.name: b" ".join(path.read_bytes().splitlines()) for path in sorted(folder.iterdir())
    }


class Faulty:
    """Renames, but for those whose numbers are given, which fail."""

    def __init__(self, *faults: int) -> None:
        self.faults = faults
        self.calls = 0

    def __call__(self, source: str, target: str) -> None:
        self.calls += 1
        if self.calls in self.faults:
            raise OSError(errno.EACCES, "Permission denied")
        os.rename(source, target)  # noqa: PTH104 - what it stands for


async def test_a_file_is_set_aside_before_a_line_would_bring_it_over_its_size(
    tmp_path: Path,
) -> None:
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12)
    outcomes = [await sink.send(Lines.of(LINES[:2])), await sink.send(Lines.of(LINES[2:3]))]
    full = contents(tmp_path)
    outcomes.append(await sink.send(Lines.of(LINES[3:])))
    await sink.close()
    assert (outcomes, full) == ([Delivered()] * 3, {"web.log": b"000 001 002"})
    assert contents(tmp_path) == {
        "web.log": b"009 010 011",
        "web.log.1": b"006 007 008",
        "web.log.2": b"003 004 005",
        "web.log.3": b"000 001 002",
    }
    assert counters["sink_file_rotations", "feed"] == 3
    assert counters["sink_file_reopens", "feed"] == 0


async def test_a_line_longer_than_the_size_has_a_file_of_its_own(tmp_path: Path) -> None:
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12)
    await sink.send(Lines.of([b"x" * 40, b"000", b"y" * 12, b"z" * 11]))
    await sink.close()
    assert contents(tmp_path) == {
        "web.log": b"z" * 11,
        "web.log.1": b"y" * 12,
        "web.log.2": b"000",
        "web.log.3": b"x" * 40,
    }


async def test_what_is_there_at_the_start_counts(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_bytes(b"10 bytes.\n")
    (tmp_path / "web.log.1").write_bytes(b"older\n")
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12)
    await sink.send(Lines.of(LINES[:1]))
    await sink.close()
    assert contents(tmp_path) == {
        "web.log": b"000",
        "web.log.1": b"10 bytes.",
        "web.log.2": b"older",
    }


async def test_what_others_append_counts(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    sink = file_sink(path, rotate_bytes=12)
    await sink.send(Lines.of(LINES[:1]))
    with path.open("ab") as other:
        other.write(b"other\n")
    await sink.send(Lines.of(LINES[1:2]))
    await sink.close()
    assert contents(tmp_path) == {"web.log": b"001", "web.log.1": b"000 other"}


@pytest.mark.parametrize(
    ("keep", "kept"),
    [(1, {"web.log.1": b"010"}), (2, {"web.log.1": b"010", "web.log.2": b"009"})],
)
async def test_at_most_rotate_keep_files_are_kept(
    keep: int, kept: dict[str, bytes], tmp_path: Path
) -> None:
    sink = file_sink(tmp_path / "web.log", rotate_bytes=4, rotate_keep=keep)
    await sink.send(Lines.of(LINES))
    await sink.close()
    assert contents(tmp_path) == {"web.log": b"011", **kept}


async def test_files_beyond_a_lower_number_are_removed_and_none_of_another_kind(
    tmp_path: Path,
) -> None:
    for suffix in ("", ".1", ".2", ".3", ".4", ".20260101", ".1.gz", ".6"):
        (tmp_path / f"web.log{suffix}").write_bytes(f"old{suffix}\n".encode())
    sink = file_sink(tmp_path / "web.log", rotate_bytes=4, rotate_keep=2)
    await sink.send(Lines.of(LINES[:1]))
    await sink.close()
    assert contents(tmp_path) == {
        "web.log": b"000",
        "web.log.1": b"old",
        "web.log.2": b"old.1",
        "web.log.20260101": b"old.20260101",
        "web.log.1.gz": b"old.1.gz",
        "web.log.6": b"old.6",
    }


@pytest.mark.parametrize("fault", range(1, 7))
async def test_a_file_that_cannot_be_set_aside_grows_on_until_it_can(
    fault: int, tmp_path: Path
) -> None:
    rename = Faulty(fault)
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12, rename=rename)
    outcomes = [await sink.send(Lines.of([line])) for line in LINES]
    await sink.close()
    files = contents(tmp_path)
    oldest_first = sorted(files, key=lambda name: -int(name[len("web.log.") :] or 0))
    assert outcomes == [Delivered()] * 12
    assert b" ".join(files[name] for name in oldest_first).split() == LINES
    assert counters["sink_file_rotation_failures", "feed"] == 1
    assert counters["sink_file_rotations", "feed"] == len(files) - 1


async def test_a_file_that_cannot_be_set_aside_takes_the_whole_send(tmp_path: Path) -> None:
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12, rename=Faulty(1))
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (outcome, contents(tmp_path)) == (Delivered(), {"web.log": b" ".join(LINES)})


async def test_lines_wait_when_no_new_file_can_be_begun(tmp_path: Path) -> None:
    path = tmp_path / "web.log"

    def rename(source: str, target: str) -> None:
        os.rename(source, target)  # noqa: PTH104 - what it stands for
        path.mkdir()

    sink = file_sink(path, rotate_bytes=12, rename=rename)
    away = await sink.send(Lines.of(LINES[:5]))
    path.rmdir()
    back = await sink.send(Lines.of(LINES[3:5]))
    await sink.close()
    assert isinstance(away, RetryAfter)
    assert (away.sent, away.reason) == (3, f"writing failed: is a directory ({path})")
    assert (back, contents(tmp_path)) == (
        Delivered(),
        {"web.log": b"003 004", "web.log.1": b"000 001 002"},
    )


async def test_a_torn_line_is_completed_before_its_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    room_bytes = 10

    def write(fd: int, data: memoryview) -> int:
        nonlocal room_bytes
        if not room_bytes:
            with path.open("ab") as other:  # so the torn line can't be taken back
                other.write(b"|")
            room_bytes = 100
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(fd, data[:room_bytes])
        room_bytes -= written
        return written

    sink = file_sink(path, rotate_bytes=12, write=write)
    torn = await sink.send(Lines.of(LINES[:4]))
    rest = [await sink.send(Lines.of(LINES[2:3])), await sink.send(Lines.of(LINES[3:4]))]
    await sink.close()
    assert isinstance(torn, RetryAfter)
    assert (torn.sent, rest) == (2, [Delivered()] * 2)
    assert contents(tmp_path) == {"web.log": b"003", "web.log.1": b"000 001 00|2"}


async def test_neither_pipes_nor_standard_output_are_set_aside(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    stdout = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    for path in (tmp_path / "pipe", None):
        sink = file_sink(path, rotate_bytes=12, sync=True, stdout_fd=stdout)
        assert await sink.send(Lines.of(LINES)) == Delivered()
        await sink.close()
    written = b"\n".join(LINES) + b"\n"
    assert (os.read(reader, 1000), (tmp_path / "out").read_bytes()) == (written, written)
    assert sorted(os.listdir(tmp_path)) == ["out", "pipe"]  # noqa: PTH208 - short and not awaited
    assert counters["sink_file_rotation_failures", "feed"] == 0
    os.close(reader)
    os.close(stdout)


class Syncs:
    """Keeps what was synced: the size of a file, or "folder"; calls with these numbers fail."""

    def __init__(self, *faults: int) -> None:
        self.faults = faults
        self.done: list[int | str] = []
        self.calls = 0

    def __call__(self, fd: int) -> None:
        self.calls += 1
        if self.calls in self.faults:
            raise OSError(errno.EIO, "Input/output error")
        state = os.fstat(fd)
        self.done.append("folder" if stat.S_ISDIR(state.st_mode) else state.st_size)
        os.fsync(fd)


async def test_lines_are_on_the_disk_and_their_file_in_its_folder_when_they_count(
    tmp_path: Path,
) -> None:
    syncs = Syncs()
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12, sync=True, fsync=syncs)
    steps = []
    for start, stop in ((0, 2), (2, 3), (3, 7)):
        await sink.send(Lines.of(LINES[start:stop]))
        steps.append(syncs.done)
        syncs.done = []
    await sink.close()
    assert steps == [[8, "folder"], [12], [12, "folder", 4, "folder"]]


async def test_without_sync_nothing_is_synced(tmp_path: Path) -> None:
    syncs = Syncs()
    sink = file_sink(tmp_path / "web.log", rotate_bytes=12, fsync=syncs)
    await sink.send(Lines.of(LINES))
    await sink.close()
    assert syncs.calls == 0


@pytest.mark.parametrize("fault", [1, 2, 3, 4])
async def test_what_could_not_be_synced_is_written_again_and_not_twice(
    fault: int, tmp_path: Path
) -> None:
    path = tmp_path / "web.log"
    sink = file_sink(path, rotate_bytes=24, sync=True, fsync=Syncs(fault))
    failed = await sink.send(Lines.of(LINES))
    rest = await sink.send(Lines.of(LINES[0 if fault <= 2 else 6 :]))
    await sink.close()
    assert isinstance(failed, RetryAfter)
    assert (failed.sent, failed.reason) == (
        0 if fault <= 2 else 6,
        f"writing failed: input/output error ({path})",
    )
    assert (rest, contents(tmp_path)) == (
        Delivered(),
        {"web.log": b" ".join(LINES[6:]), "web.log.1": b" ".join(LINES[:6])},
    )


async def test_what_another_writer_added_is_not_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "web.log"

    def fsync(_fd: int) -> None:
        with path.open("ab") as other:
            other.write(b"other\n")
        raise OSError(errno.EIO, "Input/output error")

    sink = file_sink(path, sync=True, fsync=fsync)
    failed = await sink.send(Lines.of(LINES[:1]))
    await sink.close()
    assert isinstance(failed, RetryAfter)
    assert (failed.sent, contents(tmp_path)) == (0, {"web.log": b"000 other"})


async def test_a_line_that_others_wrote_into_is_not_taken_back_when_the_sync_fails(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web.log"
    room_bytes = 6

    def write(fd: int, data: memoryview) -> int:
        nonlocal room_bytes
        if not room_bytes:
            with path.open("ab") as other:
                other.write(b"|other|")
            room_bytes = 100
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(fd, data[:room_bytes])
        room_bytes -= written
        return written

    sink = file_sink(path, sync=True, write=write, fsync=Syncs(3))
    outcomes = [await sink.send(Lines.of(LINES[:3])), await sink.send(Lines.of(LINES[1:3]))]
    after = contents(tmp_path)
    outcomes.append(await sink.send(Lines.of(LINES[1:3])))
    await sink.close()
    assert [type(outcome) for outcome in outcomes] == [RetryAfter, RetryAfter, Delivered]
    assert after == {"web.log": b"000 00|other|1 002"}
    assert contents(tmp_path) == {"web.log": b"000 00|other|1 002 001 002"}


@pytest.mark.parametrize("fault", [1, 2, 3])
def test_each_file_keeps_a_name_when_making_way_fails(fault: int, tmp_path: Path) -> None:
    path = str(tmp_path / "web.log")
    for number, name in enumerate((path, f"{path}.1", f"{path}.2")):
        Path(name).write_bytes(b"%d\n" % number)
    with pytest.raises(PermissionError):
        set_aside(path, 5, Faulty(fault))
    assert sorted(contents(tmp_path).values()) == [b"0", b"1", b"2"]
    assert set_aside(path, 5) == f"{path}.1"
    assert contents(tmp_path) == {"web.log.1": b"0", "web.log.2": b"1", "web.log.3": b"2"}
