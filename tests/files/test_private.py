"""Files for one user alone, written atomically."""

import os
import stat
from pathlib import Path

import pytest

from nss.files.private import EVERYONE, OTHERS, FileFault, OpenToOthers, read_bounded, write_private


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
    with pytest.raises(OpenToOthers):
        read_bounded(path, 5, forbidden=OTHERS)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path(os.devnull)):
        with pytest.raises(FileFault, match="is not a regular file"):
            read_bounded(path, 5)


def test_a_pipe_is_read_where_it_may_be_one() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"12345")
    os.close(writing)
    assert read_bounded(Path(f"/dev/fd/{reading}"), 5, pipe=True) == b"12345"
    os.close(reading)
