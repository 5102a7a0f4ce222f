"""Volumes as the kubelet lays them out, for a service that is not root and has fsGroup."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nss.config.stored import StoredError, StoredFile
from nss.files.beneath import Misplaced
from nss.files.private import EVERYONE, read_bounded

USER = 12345
REFUSED = "a symbolic link in a folder that others may write in"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the kubelet is root")


@contextmanager
def as_user() -> Iterator[None]:
    """Be the user of the container, in no other group than his own."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(USER)
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A folder whose parents the user may enter."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and not folder.stat().st_mode & 0o001:
            folder.chmod(0o711)
    made = tmp_path / "volume"
    made.mkdir()
    return made


def lay_out(volume: Path, mode: int) -> None:
    """Write a Secret as the kubelet does: links to links, which it exchanges at once."""
    data = volume / "..2026_11_27"
    data.mkdir()
    (data / "token").write_bytes(b"secret")
    os.chown(data / "token", 0, USER)
    (data / "token").chmod(0o440)
    (volume / "..data").symlink_to("..2026_11_27")
    (volume / "token").symlink_to("..data/token")
    os.chown(volume, 0, USER)
    volume.chmod(mode)


def test_files_of_a_secret_are_read(volume: Path) -> None:
    lay_out(volume, 0o3777)
    with as_user():
        assert read_bounded(volume / "token", 100, forbidden=EVERYONE) == b"secret"


def test_a_link_that_anybody_could_have_exchanged_is_refused(volume: Path) -> None:
    lay_out(volume, 0o2777)
    with as_user(), pytest.raises(Misplaced, match=REFUSED):
        read_bounded(volume / "token", 100)


def test_a_link_of_a_stranger_in_such_a_folder_is_refused(volume: Path) -> None:
    lay_out(volume, 0o3777)
    os.chown(volume / "token", 23456, 23456, follow_symlinks=False)
    with as_user(), pytest.raises(Misplaced, match=REFUSED):
        read_bounded(volume / "token", 100)


def test_root_follows_none_there(volume: Path) -> None:
    lay_out(volume, 0o3777)
    with pytest.raises(Misplaced, match=REFUSED):
        read_bounded(volume / "token", 100)


def test_credentials_are_stored_in_a_volume_of_root_that_the_group_may_write(volume: Path) -> None:
    os.chown(volume, 0, USER)
    volume.chmod(0o2770)
    with as_user():
        stored = StoredFile(volume, "mcas.json", {}, what="credentials", tip="renew them")
        stored.write(b"{}")
    status = (volume / "mcas.json").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (USER, 0o600)
    volume.chmod(0o2750)
    with as_user(), pytest.raises(StoredError, match="this needs root or the user root"):
        stored.write(b"{}")
