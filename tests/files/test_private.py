"""Files for one user alone, whole or not there at all."""

import os
import stat
from pathlib import Path

import pytest

from nss.files.private import write_private


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
