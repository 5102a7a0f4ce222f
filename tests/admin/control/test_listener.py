"""The socket file: who may open it, and whose it is."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nss.admin.control.listener import PATH_MAX_BYTES, Listener
from nss.errors import ConfigError, NssError, ServiceError
from tests.admin.conftest import ENV


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def stale(path: Path) -> None:
    """Leave a socket file behind, as a killed process does."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_owner_and_group_may_open_it_whatever_the_umask(socket_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        listener = Listener(socket_path)
    finally:
        after = os.umask(before)
    assert (mode(socket_path), after) == (0o660, umask)
    listener.close()


def test_it_is_for_nobody_else_from_the_moment_the_file_is_there(socket_path: Path) -> None:
    # A window is too short to be caught in, so the order of the calls is what is checked.
    script = """
import os, sys
from pathlib import Path
from nss.admin.control.listener import Listener
calls = []
sys.addaudithook(lambda event, _: calls.append(event))
os.umask(0)
Listener(Path(sys.argv[1])).close()
print([call for call in calls if call in ("socket.bind", "os.chmod", "os.rename")])
"""
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", script, str(socket_path)],
        env=ENV,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert ran.stdout == "['os.chmod', 'socket.bind', 'os.chmod']\n"


def test_it_is_removed_at_the_end(socket_path: Path) -> None:
    Listener(socket_path).close()
    assert not socket_path.exists()


def test_the_file_of_a_dead_process_is_replaced(socket_path: Path) -> None:
    stale(socket_path)
    listener = Listener(socket_path)
    with socket.socket(socket.AF_UNIX) as trial:
        trial.connect(str(socket_path))
    assert mode(socket_path) == 0o660
    listener.close()


def test_the_file_of_a_living_process_is_refused_and_left_alone(socket_path: Path) -> None:
    living = Listener(socket_path)
    with pytest.raises(ServiceError) as refused:
        Listener(socket_path)
    assert str(refused.value) == (
        f"control socket: a running service listens there already ({socket_path})\n"
        "Try: stop that one, or give this one another service.control_socket"
    )
    with socket.socket(socket.AF_UNIX) as trial:
        trial.connect(str(socket_path))
    living.close()


def test_a_living_process_with_a_full_queue_is_living(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as waiting:
        living.bind(str(socket_path))
        living.listen(0)
        waiting.connect(str(socket_path))
        with pytest.raises(ServiceError):
            Listener(socket_path)


def test_another_file_is_never_removed(socket_path: Path) -> None:
    socket_path.write_text("precious")
    with pytest.raises(ConfigError) as refused:
        Listener(socket_path)
    assert str(refused.value) == (
        f"control socket: another file has its path ({socket_path})\n"
        "Try: set service.control_socket to another path, or to off"
    )
    assert socket_path.read_text() == "precious"


def test_the_file_of_a_successor_is_not_removed(socket_path: Path) -> None:
    first = Listener(socket_path)
    socket_path.unlink()
    second = Listener(socket_path)
    first.close()
    assert socket_path.is_socket()
    second.close()


@pytest.mark.parametrize("extra", [0, 1])
def test_a_path_has_the_length_that_a_socket_can_have(folder: Path, extra: int) -> None:
    path = folder / ("s" * (PATH_MAX_BYTES - len(os.fsencode(folder)) - 1 + extra))
    if not extra:
        Listener(path).close()
        return
    with pytest.raises(ConfigError) as refused:
        Listener(path)
    assert str(refused.value) == (
        f"control socket: the path has 108 bytes, a unix socket's at most 107 ({path})\n"
        "Try: set service.control_socket to a shorter path"
    )


def test_a_folder_that_is_not_there_is_reported(folder: Path) -> None:
    path = folder / "gone" / "control.sock"
    with pytest.raises(NssError) as refused:
        Listener(path)
    assert str(refused.value) == (
        f"control socket: can't listen: no such file or directory ({path})\n"
        "Try: set service.control_socket to another path, or to off"
    )
