"""Files for one user alone, written atomically."""

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nss.files.beneath import open_folder
from nss.files.private import (
    EVERYONE,
    OTHERS,
    FileFault,
    OpenToOthers,
    bounded_copy,
    read_bounded,
    remove_file,
    sync_folder,
    write_private,
)


def test_it_has_the_data_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    umask = os.umask(0)
    try:
        write_private(path, b"data")
    finally:
        os.umask(umask)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"data", 0o600)


def test_it_takes_the_place_of_another_and_of_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    with pytest.raises(OverflowError):
        write_private(path, b"new", owner=(1 << 40, 1 << 40))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_gives_it_to_another(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"data", owner=(12345, 23456))
    status = path.stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)


def test_a_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(FileFault, match="has more than 4 bytes"):
        read_bounded(path, 4)


def test_a_file_that_others_may_read_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"12345")
    path.chmod(0o640)
    assert read_bounded(path, 5, forbidden=EVERYONE) == b"12345"
    with pytest.raises(OpenToOthers, match=r"^is open to everyone; chmod o= it$"):
        read_bounded(path, 5, forbidden=OTHERS)


def test_a_folder_is_not_called_open_to_others(tmp_path: Path) -> None:
    # The advice for that is to close it, and this may be the folder of all temporary files.
    tmp_path.chmod(0o1777)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 10, forbidden=EVERYONE, pipe=True)


def test_any_mode_will_do_where_none_is_forbidden(tmp_path: Path) -> None:
    path = tmp_path / "certificate"
    path.write_bytes(b"12345")
    path.chmod(0o777)
    assert read_bounded(path, 5) == b"12345"


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path(os.devnull)):
        with pytest.raises(FileFault, match=r"^is not a regular file$"):
            read_bounded(path, 5)


def test_a_pipe_is_read_where_it_may_be_one() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"12345")
    os.close(writing)
    assert read_bounded(Path(f"/dev/fd/{reading}"), 5, pipe=True) == b"12345"
    os.close(reading)


def test_a_copy_for_libraries_is_bounded_and_of_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "own.pem"
    path.write_bytes(b"12345")
    with bounded_copy(path, 5) as copy:
        assert (copy.read_bytes(), copy.read_bytes()) == (b"12345", b"12345")
    assert not copy.exists()
    with pytest.raises(FileFault, match="has more than 4 bytes"), bounded_copy(path, 4):
        pass
    with pytest.raises(FileFault, match="is not a regular file"), bounded_copy(tmp_path, 4):
        pass


class Observed:
    """What reached the disk, in which order, as the system calls say that have their effect."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[str, ...]] = []
        self._folder = folder
        sync, rename = os.fsync, os.rename

        def fsync(number: int) -> None:
            self.steps.append(self._synced(number))
            sync(number)

        def renamed(old: str, new: str, **at: int) -> None:
            self.steps.append(("rename", str(old), str(new)))
            rename(old, new, **at)

        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "rename", renamed)

    def _synced(self, number: int) -> tuple[str, ...]:
        status, place = os.fstat(number), Path(f"/proc/self/fd/{number}").readlink()
        if stat.S_ISDIR(status.st_mode):
            return ("sync folder", str(place.relative_to(self._folder)))
        with open(f"/proc/self/fd/{number}", "rb") as file:  # noqa: PTH123 - what is synced
            return ("sync file", str(place.parent.relative_to(self._folder)), str(file.read()))


@pytest.mark.parametrize("old", [True, False])
def test_a_file_is_synced_before_it_takes_the_place_of_another_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, old: bool
) -> None:
    path = tmp_path / "secret"
    if old:
        path.write_bytes(b"old")
    observed = Observed(tmp_path, monkeypatch)
    write_private(path, b"new")
    assert observed.steps == [
        ("sync file", ".", "b'new'"),
        ("rename", ".secret.new", "secret"),
        ("sync folder", "."),
    ]


def test_a_file_that_is_removed_stays_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.touch()
    observed = Observed(tmp_path, monkeypatch)
    remove_file(path)
    assert observed.steps == [("sync folder", ".")]
    assert not path.exists()


def test_the_names_in_a_folder_are_on_the_disk_once_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed = Observed(tmp_path, monkeypatch)
    sync_folder(tmp_path, os.fsync)
    assert observed.steps == [("sync folder", ".")]


def test_what_is_no_folder_is_not_synced_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


def without_unnamed_files(patch: pytest.MonkeyPatch) -> None:
    """Have the kernel refuse O_TMPFILE, as it does for some file systems."""
    really: Callable[..., int] = os.open

    def opened(path: str, flags: int, *args: int, **at: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really(path, flags, *args, **at)

    patch.setattr(os, "open", opened)


def test_where_files_must_have_names_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    without_unnamed_files(monkeypatch)
    observed = Observed(tmp_path, monkeypatch)
    write_private(path, b"new")
    assert [step[0] for step in observed.steps] == ["sync file", "rename", "sync folder"]
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)
    with pytest.raises(OverflowError):
        write_private(path, b"newer", owner=(1 << 40, 1 << 40))
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


KILLED_AT_EVERY_LINE = """
import os, signal, sys
from pathlib import Path
import nss.files
from nss.files.private import write_private

path, named = Path(sys.argv[1]), sys.argv[2] == "named"
folder = os.path.dirname(nss.files.__file__)


def write(line):
    passed = 0

    def trace(frame, event, _):
        nonlocal passed
        if os.path.dirname(frame.f_code.co_filename) != folder:
            return None
        passed += event == "line"
        if passed == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    if named:
        really = os.open

        def opened(path, flags, *args, **at):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(95, "not supported")
            return really(path, flags, *args, **at)

        os.open = opened
    sys.settrace(trace)
    write_private(path, b"new")
    os._exit(0)


line = 0
while True:
    line += 1
    path.write_bytes(b"old")
    child = os.fork()
    if child == 0:
        write(line)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = sorted(each.name for each in path.parent.iterdir())
    print(code, path.read_bytes().decode(), *left)
    if code == 0:
        break
"""


@pytest.mark.parametrize("files", ["unnamed", "named"])
def test_killed_at_any_line_it_leaves_the_old_file_or_the_new_and_a_draft_that_is_known(
    tmp_path: Path, files: str
) -> None:
    path = tmp_path / "secret"
    command = [sys.executable, "-c", KILLED_AT_EVERY_LINE, str(path), files]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ran.stderr == ""
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert len(lines) > 50
    assert {line[0] for line in lines[:-1]} == {"-9"}
    assert lines[-1] == ["0", "new", "secret"]
    assert {line[1] for line in lines} == {"old", "new"}
    drafts = [line for line in lines if line[2:] != ["secret"]]
    assert {tuple(line[2:]) for line in drafts} == {(".secret.new", "secret")}
    # Without a name it can only be left between the two calls that give it its names.
    assert files == "named" or len(drafts) == 1


def test_what_killed_commands_left_is_removed(tmp_path: Path) -> None:
    names = [".secret.new", ".secret.k3j_9xa2", ".secret", ".secret.news", ".other.new", "secret"]
    for name in names:
        (tmp_path / name).touch()
    with open_folder(tmp_path) as folder:
        folder.remove_drafts("secret")
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[2:])
        folder.remove_drafts()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".secret", ".secret.news", "secret"]


def test_a_pipe_is_waited_for() -> None:
    reading, writing = os.pipe()

    def write_later() -> None:
        time.sleep(0.05)
        os.write(writing, b"12345")
        os.close(writing)

    writer = threading.Thread(target=write_later)
    writer.start()
    read = read_bounded(Path(f"/dev/fd/{reading}"), 5, pipe=True)
    writer.join()
    os.close(reading)
    assert read == b"12345"


def test_of_a_pipe_without_end_no_more_is_read_than_shows_that_it_is_too_long() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"123456")
    with pytest.raises(FileFault, match=r"^has more than 5 bytes$"):
        read_bounded(Path(f"/dev/fd/{reading}"), 5, pipe=True)
    os.close(writing)
    os.close(reading)
