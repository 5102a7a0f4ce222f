"""Whole machines: a root of their own, their own systemd, and a cable to this one.

A machine is a container of systemd-nspawn. Its root is an overlay over one that all share, so each
test has a fresh machine in about a second, and changes are gone when it ends.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pexpect

from tests.package.groups import own_group

HERE = "198.51.100.1"
"""Our end of the cable. The network is one for documentation, and there is no way out of it."""

THERE = "198.51.100.2"
CLOUD = "cloud.localhost"
"""By this name the machine knows our end."""

CONFIG = Path("/etc/nss/nss.toml")
UNIT = "nss-streamer.service"
BOOT_SECS = 180

REBOOT = 133
"""With this code systemd-nspawn asks to be started again."""

Ran = subprocess.CompletedProcess[str]


class Machine:
    """A machine at work. `root` is its root as seen from here; paths in it are absolute there.

    `in_group` runs a command in a control group of its own.
    """

    def __init__(self, root: Path, folder: Path, in_group: Sequence[str]) -> None:
        self.root = root
        self._in_group = in_group
        self._name = f"nss{os.getpid() % 100000}"
        self._console = folder / "console.log"
        self._process = self._switched_on()
        self._leader = 0

    def run(self, *command: str, code: int | None = 0, data: str = "", secs: float = 300) -> Ran:
        """Run a command as root; `code` is the exit code it must have, `None` for any."""
        ran = subprocess.run(  # noqa: S603 - ours
            [*self._inside(), *command],
            input=data,
            capture_output=True,
            text=True,
            timeout=secs,
            check=False,
            env=_environ(),
        )
        if code is not None:
            assert ran.returncode == code, f"{command}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def terminal(self, *command: str) -> "pexpect.spawn[str]":
        """Run a command as root at a terminal."""
        inside = self._inside()
        return pexpect.spawn(
            inside[0],
            [*inside[1:], *command],
            env=_environ() | {"TERM": "dumb", "COLUMNS": "200"},
            encoding="utf-8",
            timeout=30,
            dimensions=(50, 200),
        )

    def path(self, inside: str | Path) -> Path:
        """Return a path inside as it is seen from here."""
        return self.root / str(inside).lstrip("/")

    def write(self, inside: str | Path, text: str, *, mode: int = 0o644) -> None:
        """Write a file of root's."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def configure(self, text: str) -> None:
        """Replace the configuration; owner and mode stay."""
        self.path(CONFIG).write_text(text, encoding="utf-8")

    def facts(self, *names: str) -> dict[str, str]:
        """Return properties of the unit."""
        shown = self.run("systemctl", "show", f"--property={','.join(names)}", UNIT).stdout
        return dict(line.partition("=")[::2] for line in shown.splitlines())

    def pid(self) -> int:
        """Return the process of the service, 0 if there is none that is ready."""
        facts = self.facts("MainPID", "ActiveState")
        return int(facts["MainPID"]) if facts["ActiveState"] == "active" else 0

    def status(self) -> dict[str, Any]:
        """Return what `nss status --json` prints."""
        found: dict[str, Any] = orjson.loads(self.run("nss", "status", "--json", code=None).stdout)
        return found

    def journal(self) -> str:
        """Return what the service has logged."""
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", UNIT).stdout

    def boot(self) -> None:
        """Wait until the machine is up, and plug the cable in."""
        deadline = time.monotonic() + BOOT_SECS
        before = self._leader
        while not self._booted(before):
            assert self._process.poll() is None, "the machine has ended"
            assert time.monotonic() < deadline, "the machine does not boot"
            time.sleep(0.05)
        _quiet("ip", "address", "add", f"{HERE}/30", "dev", f"ve-{self._name}")
        _quiet("ip", "link", "set", f"ve-{self._name}", "up")
        self.run("ip", "address", "add", f"{THERE}/30", "dev", "host0")
        self.run("ip", "link", "set", "host0", "up")

    def reboot(self) -> None:
        """Boot again; returns when it is up."""
        self.run("systemctl", "reboot", code=None)
        assert self._process.wait(BOOT_SECS) == REBOOT
        self._process = self._switched_on()
        self.boot()

    def power_cut(self) -> None:
        """Lose power, and boot again; returns when it is up."""
        os.kill(self._leader, signal.SIGKILL)  # and the whole machine with it
        self._process.wait(BOOT_SECS)
        self._process = self._switched_on()
        self.boot()

    def power_off(self) -> None:
        """Switch it off as the button does."""
        self.run("systemctl", "poweroff", code=None)
        try:
            self._process.wait(90)
        except subprocess.TimeoutExpired:
            os.kill(self._leader, signal.SIGKILL)  # and the whole machine with it
            self._process.wait(90)

    def _switched_on(self) -> "subprocess.Popen[bytes]":
        with self._console.open("ab") as console:
            return subprocess.Popen(  # noqa: S603 - ours
                [
                    *self._in_group,
                    *("systemd-nspawn", f"--directory={self.root}", "--boot", "--network-veth"),
                    *("--register=no", "--keep-unit", f"--machine={self._name}"),
                    *("--console=pipe", "--resolv-conf=off", "--timezone=off"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def _booted(self, before: int) -> bool:
        leader = first_process(self._process.pid)
        if leader in {None, before}:
            return False
        self._leader = leader or 0
        state = self.run("systemctl", "is-system-running", code=None).stdout.strip()
        return state in {"running", "degraded"}

    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self._leader}", "--all", "--wdns=/root", "--"]


@contextlib.contextmanager
def overlay(folder: Path, *lower: Path) -> Iterator[Path]:
    """Yield a folder that shows `lower`, the first on top; what is written stays in `folder`."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    root = folder / "root"
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={folder / 'upper'}"
    options += f",workdir={folder / 'work'}"
    _quiet("mount", "-t", "overlay", "overlay", "-o", options, str(root))
    try:
        yield root
    finally:
        _quiet("umount", "--lazy", str(root))


@contextlib.contextmanager
def booted(folder: Path, *lower: Path) -> Iterator[Machine]:
    """Yield a machine with its own systemd, whose root begins as `lower`."""
    with overlay(folder, *lower) as root, own_group() as in_group:
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost nss-test\n{HERE} {CLOUD}\n")
        (root / "etc/hostname").write_text("nss-test\n")
        machine = Machine(root, folder, in_group)
        try:
            machine.boot()
            yield machine
        finally:
            machine.power_off()


def first_process(nspawn: int) -> int | None:
    """Return the first process inside a container, once it is all inside.

    Until then it has the name of systemd-nspawn and some namespaces of this machine.
    """
    try:
        children = (
            Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text(encoding="ascii").split()
        )
        name = Path(f"/proc/{children[0]}/comm").read_text(encoding="ascii") if children else ""
    except OSError:
        return None
    return None if name in {"", "systemd-nspawn\n"} else int(children[0])


def _environ() -> dict[str, str]:
    """What a login of root has; nothing of this machine's own."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }


def _quiet(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ran.returncode == 0, f"{command}: {ran.stderr}"


def wait_for(check: Any, what: str, secs: float = 90) -> None:  # noqa: ANN401 - anything with a truth
    """Wait until `check()` is true."""
    deadline = time.monotonic() + secs
    while not check():
        assert time.monotonic() < deadline, f"not within {secs} s: {what}"
        time.sleep(0.05)


def lines_of(path: Path) -> Sequence[str]:
    """Return the lines of a file that may not be there yet."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
