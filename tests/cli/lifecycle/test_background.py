"""`nss start`, `stop` and `restart` on a machine whose systemd knows no unit of NSS."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, ENV, Nss
from tests.ports import free_port


@pytest.fixture
def config(tmp_path: Path, nss: Nss) -> Iterator[Path]:
    """A configuration whose service is stopped when the test ends."""
    path = tmp_path / "nss.toml"
    path.write_text(
        f"""
        [service]
        control_socket = "control.sock"
        state_directory = "{tmp_path}"
        [spool]
        path = "spool.db"
        [sources.tcp]
        kind = "tcp"
        listen = "127.0.0.1:{free_port()}"
        [feeds.archive]
        format = "JSON"
        [feeds.archive.sink]
        kind = "file"
        path = "out.jsonl"
        """
    )
    yield path
    nss("stop", "--config", path)


def facts(nss: Nss, command: str, config: Path) -> dict[str, object]:
    ran = nss(command, "--json", "--config", config)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def test_it_starts_once_and_stops_once(nss: Nss, config: Path) -> None:
    first = facts(nss, "start", config)
    assert first == {"running": True, "pid": first["pid"], "by": "nss start", "changed": True}
    assert facts(nss, "start", config) == first | {"changed": False}
    assert json.loads(nss("status", "--json", "--config", config).stdout)["pid"] == first["pid"]
    stopped = {"running": False, "pid": None, "by": "nss start", "changed": True}
    assert facts(nss, "stop", config) == stopped
    assert facts(nss, "stop", config) == stopped | {"changed": False}
    assert nss("stop", "--if-running", "--config", config).returncode == 1


def test_a_restart_is_another_process(nss: Nss, config: Path) -> None:
    first = facts(nss, "start", config)["pid"]
    assert facts(nss, "restart", config)["pid"] != first


def test_a_service_that_does_not_come_up_says_the_reason(nss: Nss, config: Path) -> None:
    config.write_text(config.read_text().replace('"JSON"', '"JSN"'))
    ran = nss("start", "--config", config)
    assert ran.returncode == 78
    assert b"feeds.archive.format" in ran.stderr
    assert nss("stop", "--if-running", "--config", config).returncode == 1


def test_a_supervisor_that_was_killed_leaves_a_service_that_is_reported_as_foreign(
    nss: Nss, config: Path
) -> None:
    pid = facts(nss, "start", config)["pid"]
    assert isinstance(pid, int)
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    ran = nss("stop", "--config", config)
    assert ran.returncode == 70
    assert f"(pid {pid})".encode() in ran.stderr
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
        time.sleep(0.02)


def test_a_service_in_the_foreground_is_left_alone(nss: Nss, config: Path) -> None:
    with contextlib.ExitStack() as stack:
        command = [*COMMAND, "run", "--config", str(config)]
        own = stack.enter_context(
            subprocess.Popen(command, env=ENV, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
        )
        stack.callback(own.terminate)
        while nss("status", "--config", config).returncode == 69:
            time.sleep(0.05)
        ran = nss("stop", "--config", config)
        assert ran.returncode == 70
        assert f"neither systemd nor nss start started it (pid {own.pid})".encode() in ran.stderr
        assert own.poll() is None


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
