"""The background process, in a root with the package installed and no systemd at work."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from tests.package.groups import own_group
from tests.package.machine import CONFIG, first_process, overlay, wait_for

SETTINGS = """\
[sources.tcp]
kind = "tcp"
listen = "127.0.0.1:514"
[feeds.archive]
format = "JSON"
[feeds.archive.sink]
kind = "file"
path = "/var/lib/nss/web.jsonl"
"""
PUSH = """\
[sources.push]
kind = "http"
listen = "127.0.0.1:88"
token_file = "/etc/nss/token"
"""


class Room:
    """A root of its own with processes of its own; the first is `sleep`, as in a container."""

    def __init__(self, root: Path, in_group: Sequence[str]) -> None:
        self.root = root
        (root / str(CONFIG).lstrip("/")).write_text(SETTINGS)
        command = [
            *in_group,
            *("systemd-nspawn", f"--directory={root}", "--as-pid2", "--register=no"),
            *("--keep-unit", "--console=pipe", "--private-network", "sleep", "infinity"),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: self._leader() is not None, "the room is open")

    def run(self, *command: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command as root."""
        enter = ["nsenter", f"--target={self._leader()}", "--all", "--wdns=/", "--"]
        ran = subprocess.run(  # noqa: S603 - ours
            [*enter, *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"},
        )
        if code is not None:
            assert ran.returncode == code, f"{command}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def pid(self) -> int:
        """Return the service's process, 0 if it does not answer."""
        ran = self.run("nss", "status", "--json", code=None)
        return int(orjson.loads(ran.stdout)["pid"]) if ran.stdout else 0

    def close(self) -> None:
        """End all that runs in it."""
        leader = self._leader()
        if leader is not None:
            os.kill(leader, signal.SIGKILL)  # and all its room with it
        self._process.wait(30)

    def _leader(self) -> int | None:
        return first_process(self._process.pid)


@pytest.fixture
def room(tmp_path: Path, installed: list[Path]) -> Iterator[Room]:
    with overlay(tmp_path / "room", *installed) as root, own_group() as in_group:
        made = Room(root, in_group)
        yield made
        made.close()


def test_it_is_started_in_the_background_as_its_user_and_stopped(room: Room) -> None:
    told = room.run("nss", "start").stdout
    pid = room.pid()
    assert told == f"NSS service running with pid {pid}\n"
    assert room.run("nss", "start").stdout == f"NSS service is already running with pid {pid}\n"
    lines = room.run("cat", f"/proc/{pid}/status").stdout.splitlines()
    facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    user = room.run("id", "-u", "nss").stdout.strip()
    assert facts["Uid"].split() == [user] * 4
    assert facts["CapEff"].strip() == "0000000000000400"
    cores = room.run("grep", "core", f"/proc/{pid}/limits").stdout.split()
    assert cores[4:6] == ["0", "0"]
    assert "The service is running" in room.run("cat", "/var/log/nss/nss.log").stdout
    assert room.run("nss", "stop").stdout == "NSS service stopped\n"
    assert room.run("nss", "stop").stdout == "NSS service is not running\n"


def test_it_comes_back_after_a_kill(room: Room) -> None:
    room.run("nss", "start")
    first = room.pid()
    room.run("python3", "-c", f"import os; os.kill({first}, 9)")
    wait_for(lambda: room.pid() not in {0, first}, "the service is back")
    room.run("nss", "stop")


def test_root_ends_nothing_but_the_service(room: Room) -> None:
    room.run("nss", "start")
    pid = room.pid()
    as_nss = ("setpriv", "--reuid=nss", "--regid=nss", "--init-groups", "--", "sh", "-c")
    holder = (
        "import fcntl, time; file = open('/root/lock', 'w'); fcntl.lockf(file, fcntl.LOCK_EX);"
        " print(1, flush=True); time.sleep(600)"
    )
    room.run("sh", "-c", f'python3 -c "{holder}" >/root/held 2>&1 &')
    wait_for(lambda: room.run("cat", "/root/held", code=None).stdout == "1\n", "it is held")
    room.run(*as_nss, "mv /run/nss/nss.lock /run/nss/kept; ln -s /root/lock /run/nss/nss.lock")
    assert "a symbolic link in a folder of nss" in room.run("nss", "stop", code=70).stderr
    assert room.run("pgrep", "--full", "fcntl.LOCK_EX").stdout.split()
    room.run(*as_nss, "rm /run/nss/nss.lock; mkfifo /run/nss/nss.lock")
    assert "not a regular file" in room.run("nss", "stop", code=70).stderr
    room.run(*as_nss, "mv /run/nss/kept /run/nss/nss.lock")
    assert room.pid() == pid
    assert room.run("nss", "stop").stdout == "NSS service stopped\n"


def test_a_service_started_by_hand_is_told_and_left_alone(room: Room) -> None:
    script = "setpriv --reuid nss --regid nss --init-groups nss run >/dev/null 2>&1 & sleep 2"
    room.run("sed", "-i", "s/514/5514/", str(CONFIG))
    room.run("install", "-d", "-o", "nss", "/run/nss")
    room.run("sh", "-c", script)
    wait_for(room.pid, "the service answers")
    foreign = room.pid()
    for command in ("start", "stop", "restart"):
        refused = room.run("nss", command, code=70).stderr
        assert f"neither systemd nor nss start started it (pid {foreign})" in refused
    assert room.pid() == foreign


def test_a_wrong_configuration_is_told_with_its_exit_code(room: Room) -> None:
    room.run("sed", "-i", "s/tcp/tpc/", str(CONFIG))
    assert "sources.tpc.kind" in room.run("nss", "start", code=78).stderr


def test_a_check_and_a_restart_look_with_the_rights_of_its_user(room: Room) -> None:
    room.run("nss", "start")
    pid = room.pid()
    good = room.run("nss", "check")
    assert good.stdout.endswith("\nChecked as the user nss.\n")
    token = room.root / "etc/nss/token"
    token.write_text("of-root-alone-0123456789")
    token.chmod(0o600)
    (room.root / "etc/nss/nss.toml").write_text(SETTINGS + PUSH)
    for command in ("check", "restart"):
        assert "sources.push.token_file" in room.run("nss", command, code=78).stderr
    assert room.pid() == pid
    room.run("chown", "root:nss", "/etc/nss/token")
    token.chmod(0o640)
    room.run("nss", "restart")
    assert room.pid() not in {0, pid}


def test_the_autostart_says_what_to_do_instead(room: Room) -> None:
    assert "nss run" in room.run("nss", "enable-autostart", code=70).stderr


def test_an_upgrade_starts_it_again(room: Room, package: Path) -> None:
    room.run("nss", "start")
    first = room.pid()
    (room.root / "root" / package.name).write_bytes(package.read_bytes())
    room.run("dpkg", "--install", f"/root/{package.name}")
    assert room.pid() not in {0, first}
    room.run("dpkg", "--purge", "nss-streamer")
    assert not (room.root / "opt/nss-streamer").exists()
    assert not (room.root / "var/lib/nss").exists()
