"""`nss start`, `stop` and `restart` on a machine whose systemd knows no unit of NSS."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.lab.ports import free_port
from tests.cli.conftest import COMMAND, ENV, Nss

pytestmark = pytest.mark.long


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


def test_a_restart_with_a_wrong_file_is_refused_and_the_service_keeps_running(
    nss: Nss, config: Path
) -> None:
    pid = facts(nss, "start", config)["pid"]
    good = config.read_text()
    config.write_text(good.replace('"JSON"', '"JSN"'))
    ran = nss("restart", "--config", config)
    assert ran.returncode == 78
    kept = f"nss: restart: refused, the service continues with the old configuration (pid {pid})"
    assert ran.stderr.decode().startswith(f"{kept}: configuration: 1 problem ({config})\n")
    assert b"feeds.archive.format" in ran.stderr
    assert json.loads(nss("status", "--json", "--config", config).stdout)["pid"] == pid
    config.write_text("nonsense")
    ran = nss("restart", "--config", config)
    assert ran.returncode == 78
    kept = "nss: restart: refused, nothing was stopped or started; a service that runs continues: "
    assert ran.stderr.decode().startswith(kept)
    config.write_text(good)
    assert facts(nss, "restart", config)["pid"] != pid


def test_a_start_with_a_wrong_file_starts_nothing(nss: Nss, config: Path) -> None:
    config.write_text(config.read_text().replace('"JSON"', '"JSN"'))
    ran = nss("start", "--config", config)
    assert ran.returncode == 78
    assert ran.stderr.startswith(b"nss: start: refused, nothing was started: configuration: 1 ")
    assert not config.with_name("nss.log").exists()


def test_a_port_is_a_problem_unless_the_service_itself_has_it(nss: Nss, config: Path) -> None:
    port = int(config.read_text().partition("127.0.0.1:")[2].partition('"')[0])
    with socket.create_server(("127.0.0.1", port)):
        for command in ("check", "start"):
            ran = nss(command, "--config", config)
            assert ran.returncode == 78, command
            assert f'sources.tcp.listen = "127.0.0.1:{port}": another'.encode() in ran.stderr
            assert f"sudo ss -ltnp 'sport = :{port}'".encode() in ran.stderr
    facts(nss, "start", config)
    assert nss("check", "--config", config).returncode == 0
    assert nss("restart", "--config", config).returncode == 0


def test_a_service_that_ended_says_the_reason(nss: Nss, config: Path) -> None:
    facts(nss, "start", config)
    other = config.with_name("other") / "nss.toml"
    other.parent.mkdir()
    text = config.read_text().replace('"spool.db"', f'"{config.with_name("spool.db")}"')
    other.write_text(re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{free_port()}", text))
    assert nss("check", "--config", other).returncode == 0
    assert nss("start", "--config", other).returncode == 74
    failed = nss("reload", "--config", other)
    assert failed.returncode == 69
    first, ended, again, said, reason, remedy = failed.stderr.decode().splitlines()
    assert first.endswith(": an address, a disk or a file (exit code 74)")
    assert ended.startswith("  it ended 2")
    assert again == "  nss start does not start it again by itself"
    assert (said, reason[:16]) == ("  it said:", "    nss: spool: ")
    assert remedy.startswith("Try: sudo nss start; what came before: ")


def test_a_service_that_was_stopped_says_so(nss: Nss, config: Path) -> None:
    facts(nss, "start", config)
    nss("stop", "--config", config)
    stopped = nss("status", "--config", config)
    assert stopped.returncode == 69
    first, ended, remedy = stopped.stderr.decode().splitlines()
    assert first == "nss: the service is not running: it was stopped, or was done"
    assert ended.startswith("  it ended 2")
    assert remedy == "Try: sudo nss start"


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
