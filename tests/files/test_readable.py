"""Whether a user may read a file."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.files.readable import closed_to

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root asks for others")

USER, GROUP = 54_321, 54_322


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="nss-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def file_in(folder: Path, mode: int, owner: int = 0, group: int = 0) -> Path:
    path = folder / f"key-{mode:o}-{owner}-{group}.pem"
    path.write_text("a key")
    path.chmod(mode)
    os.chown(path, owner, group)
    return path


def test_who_may_read_a_file(folder: Path) -> None:
    assert {
        path.name: closed_to(path, USER, GROUP) is None
        for path in (
            file_in(folder, 0o600),
            file_in(folder, 0o604),
            file_in(folder, 0o400, USER),
            file_in(folder, 0o040, USER),  # its owner is not asked as a member of the group
            file_in(folder, 0o640, 0, GROUP),
            file_in(folder, 0o604, 0, GROUP),  # nor a member of the group as somebody else
            file_in(folder, 0o600, USER + 1, GROUP + 1),
        )
    } == {
        "key-600-0-0.pem": False,
        "key-604-0-0.pem": True,
        "key-400-54321-0.pem": True,
        "key-40-54321-0.pem": False,
        f"key-640-0-{GROUP}.pem": True,
        f"key-604-0-{GROUP}.pem": False,
        f"key-600-{USER + 1}-{GROUP + 1}.pem": False,
    }


def test_the_folder_that_keeps_somebody_out_is_named(folder: Path) -> None:
    closed = folder / "private" / "inner"
    closed.mkdir(parents=True)
    path = file_in(closed, 0o644)
    (folder / "private").chmod(0o700)
    assert closed_to(path, USER, GROUP) == folder / "private"
    assert closed_to(file_in(folder, 0o600), USER, GROUP) == folder / "key-600-0-0.pem"


def test_a_link_is_as_good_as_what_it_leads_to(folder: Path) -> None:
    good, bad = folder / "good.pem", folder / "bad.pem"
    good.symlink_to(file_in(folder, 0o644))
    (folder / "private").mkdir(mode=0o700)
    bad.symlink_to(file_in(folder / "private", 0o644))
    assert closed_to(good, USER, GROUP) is None
    assert closed_to(bad, USER, GROUP) == folder / "private"


def test_what_is_missing_can_not_be_read(folder: Path) -> None:
    assert closed_to(folder / "missing.pem", USER, GROUP) == folder / "missing.pem"


def test_a_fifo_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe", 0o644)
    assert closed_to(folder / "pipe", USER, GROUP) is None


def test_access_control_lists_count(folder: Path) -> None:
    path = file_in(folder, 0o600)
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system's
            ["/usr/bin/setfacl", "-m", f"u:{USER}:r", str(path)], check=False, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("setfacl is not installed")
    if done.returncode:
        pytest.skip("the file system has no access control lists")
    assert closed_to(path, USER, GROUP) is None


def test_the_groups_of_a_known_user_count(folder: Path) -> None:
    nobody = 65_534
    assert closed_to(file_in(folder, 0o640, 0, nobody), nobody, GROUP) is None
