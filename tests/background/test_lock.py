"""Who runs, as the kernel knows it."""

import contextlib
import fcntl
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given

from nss.background.lock import Lock, Note
from nss.background.process import Background
from nss.errors import ServiceError
from tests import foreign

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


STRANGER = 12345
STOP = signal.SIGTERM
F_OFD_SETLK = 37
"""fcntl(2); Python 3.11 has no name for it."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")


def test_a_lock_file_is_for_its_user_alone_also_one_of_an_earlier_version(tmp_path: Path) -> None:
    for name in ("new", "old"):
        if name == "old":
            (tmp_path / name).touch(0o640)
        umask = os.umask(0)
        try:
            lock = Lock(tmp_path / name)
            assert lock.take()
        finally:
            os.umask(umask)
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert lock._descriptor is not None
        assert not os.get_inheritable(lock._descriptor)
        os.close(lock._descriptor)


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_no_lock_and_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "nss.lock"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    for ask in (Lock(path).take, Lock(path).holder, lambda: Lock(path).signal_holder(STOP)):
        with pytest.raises(ServiceError, match=r"not a regular file|is a directory"):
            ask()
    assert Lock(path).read() is None


def test_a_lock_of_an_open_file_belongs_to_no_process_and_nobody_is_signalled(
    tmp_path: Path,
) -> None:
    path = tmp_path / "nss.lock"
    with path.open("wb") as file:
        # The kernel names -1 as its holder, and a signal to -1 goes to everybody.
        whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(file, F_OFD_SETLK, whole)
        with pytest.raises(ServiceError, match=r"held by something else .* \(pid -1, "):
            Lock(path).holder()


HOLD_AS = """
import os, sys
from pathlib import Path
from nss.background.lock import Lock, Note
lock = Lock(Path(sys.argv[1]))
print(lock.take(), flush=True)
lock.note(Note("nss.toml", service_pid=int(sys.argv[3])))
os.setresuid(*[int(sys.argv[2])] * 3)
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holder(path: Path, user: int, service_pid: int = 1) -> Iterator[subprocess.Popen[str]]:
    """Hold a lock as a user."""
    command = [sys.executable, "-c", HOLD_AS, str(path), str(user), str(service_pid)]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["True\n", "ready\n"]
        yield process
        process.kill()


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A lock file of a stranger, in his folder."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    (folder / "nss.lock").touch(0o600)
    for path in (folder, folder / "nss.lock"):
        os.chown(path, STRANGER, STRANGER)
    return folder / "nss.lock"


@needs_root
def test_root_signals_the_process_of_the_user_whose_lock_it_is(strange: Path) -> None:
    with holder(strange, STRANGER) as process:
        assert Lock(strange).holder() == process.pid
        assert Lock(strange).signal_holder(STOP) == process.pid
        assert process.wait(10) == -STOP
    assert Lock(strange).signal_holder(STOP) is None


@needs_root
def test_root_signals_no_process_of_another_user(strange: Path) -> None:
    with holder(strange, 0) as process:
        for ask in (Lock(strange).holder, lambda: Lock(strange).signal_holder(STOP)):
            with pytest.raises(ServiceError, match=rf"something else .* \(pid {process.pid}, "):
                ask()
        assert process.poll() is None


@needs_root
def test_the_process_of_the_service_is_not_believed_if_it_is_not_a_child(strange: Path) -> None:
    background = Background(Path("nss.toml"), strange, strange.with_name("nss.log"))
    with holder(strange, STRANGER, service_pid=1) as process:
        assert (background.pid(), background.service_pid()) == (process.pid, None)


@foreign.MANY
@given(data=foreign.answers({"config": "nss.toml", "service_pid": 7, "exit_code": None}))
@example(data=foreign.deep_beside({"config": "nss.toml"}).encode())
def test_a_note_is_one_or_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "nss.lock").write_bytes(data)
    note = Lock(tmp_path / "nss.lock").read()
    assert note is None or isinstance(note.config, str)
