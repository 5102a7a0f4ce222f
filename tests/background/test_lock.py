"""Who runs, as the kernel knows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from nss.background.lock import Lock, Note
from nss.errors import ServiceError

HOLD = """
import sys
from pathlib import Path
from nss.background.lock import Lock, Note
lock = Lock(Path(sys.argv[1]))
print(lock.take(), flush=True)
lock.note(Note("nss.toml", service_pid=7))
print("noted", flush=True)
sys.stdin.read()
"""


def test_a_free_lock_has_no_holder(tmp_path: Path) -> None:
    assert Lock(tmp_path / "nss.lock").holder() is None
    (tmp_path / "nss.lock").touch()
    assert Lock(tmp_path / "nss.lock").holder() is None


def test_the_holder_is_named_as_long_as_it_lives(tmp_path: Path) -> None:
    path = tmp_path / "nss.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert [other.stdout.readline(), other.stdout.readline()] == ["True\n", "noted\n"]
        assert Lock(path).holder() == other.pid
        assert Lock(path).take() is False
        assert Lock(path).read() == Note("nss.toml", service_pid=7)
        other.kill()
        other.wait()
    assert Lock(path).holder() is None


def test_a_lock_file_that_somebody_scribbled_on_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "nss.lock").write_text("1")
    assert Lock(tmp_path / "nss.lock").holder() is None
    assert Lock(tmp_path / "nss.lock").read() is None


def test_a_lock_is_not_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "nss.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ServiceError, match="no lock"):
        Lock(tmp_path / "nss.lock").take()
    assert not (tmp_path / "elsewhere").exists()
