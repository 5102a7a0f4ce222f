"""Why a process can't replace a configuration file, before it tries."""

import os
import re
from pathlib import Path

import pytest

from nss.setup.replacing import unwritable
from tests.setup.test_editing import TEXT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "nss.toml").write_text(TEXT)
    return folder / "nss.toml"


def test_a_file_that_can_be_written_has_no_obstacle(path: Path) -> None:
    assert unwritable(path) is None


def test_a_link_is_not_written_through(path: Path) -> None:
    link = path.with_name("link.toml")
    link.symlink_to(path)
    assert "symbolic link" in str(unwritable(link))


def test_what_is_not_there_can_t_be_written(path: Path) -> None:
    assert unwritable(path.with_name("none.toml")) == "no such file or directory"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("folder_mode", "owner", "said"),
    [
        (0o755, (0, 0), r"the user nobody may not write in the folder"),
        (0o777, (0, 0), r"the user nobody is not in the group of the file"),
        (0o1777, (0, 65534), r"is sticky, and the file is not of the user nobody"),
        (0o777, (0, 65534), "None"),
    ],
)
def test_a_user_without_the_right_is_told_why(
    path: Path, folder_mode: int, owner: tuple[int, int], said: str
) -> None:
    for folder in path.parents:
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):  # noqa: S108 - pytest's
            folder.chmod(folder.stat().st_mode | 0o055)
    path.parent.chmod(folder_mode)
    os.chown(path, *owner)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os.write(writing, str(unwritable(path)).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    answer = os.read(reading, 1000).decode()
    os.close(reading)
    assert re.search(said, answer), answer
