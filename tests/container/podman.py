"""Containers of the image, under Podman, with a cable to this machine.

Podman keeps everything in a folder of the test. There is no systemd to time health checks, so they
are asked for; each container has a network namespace that is ours, with one end of a cable in it.
"""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.package.machine import HERE, THERE

USER = 10514
NAMESPACE = "nss"
NAME = "nss"
VOLUME = "state"
READY_SECS = 180

Ran = subprocess.CompletedProcess[str]

_LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--ulimit=core=0:0")
"""What a machine may have that has less than Podman's defaults."""

CLOSED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")


class Podman:
    """Podman with all of its state in one folder."""

    def __init__(self, folder: Path) -> None:
        places = {"root": "root", "runroot": "run", "tmpdir": "tmp"}
        options = [f"--{option}={folder / name}" for option, name in places.items()]
        self._command = ["podman", *options, "--cgroup-manager=cgroupfs", "--log-level=fatal"]
        self.image = ""

    def load(self, archive: Path) -> str:
        """Load an image; returns its name."""
        loaded = self("load", "--input", str(archive)).stdout
        self.image = loaded.rpartition("Loaded image: ")[2].strip()
        return self.image

    def run(self, *options: str, arguments: Sequence[str] = ()) -> None:
        """Start the service of the image as a container in the background."""
        self(
            "run",
            "--detach",
            *(f"--name={NAME}", f"--network=ns:/run/netns/{NAMESPACE}", "--cgroups=disabled"),
            *("--health-cmd=none", "--stop-timeout=90", *_LIMITS, *CLOSED, *options),
            *(self.image, *arguments),
        )

    def once(self, *arguments: str, options: Sequence[str] = ()) -> Ran:
        """Run a command in a container of its own to its end; any exit code will do."""
        fixed = ("--rm", "--network=none", "--cgroups=disabled", "--health-cmd=none", *_LIMITS)
        return self("run", *fixed, *CLOSED, *options, self.image, *arguments, code=None)

    def inside(self, *command: str, code: int | None = 0) -> Ran:
        """Run a command in the container at work."""
        return self("exec", NAME, *command, code=code)

    def status(self) -> dict[str, Any]:
        """Return what `nss status --json` prints there."""
        found: dict[str, Any] = orjson.loads(
            self.inside("nss", "status", "--json", code=None).stdout or "{}"
        )
        return found

    def wait_until_ready(self) -> None:
        """Wait until the service answers; its log says why when it does not."""
        deadline = time.monotonic() + READY_SECS
        while not self.status().get("sources"):
            state = self("inspect", "--format={{.State.Status}}", NAME).stdout.strip()
            assert state == "running", f"the container has {state}:\n{self.logs()}"
            assert time.monotonic() < deadline, f"the service does not answer:\n{self.logs()}"
            time.sleep(0.05)

    def logs(self) -> str:
        """Return what the container has logged."""
        ran = self("logs", NAME)
        return ran.stdout + ran.stderr

    def pid(self) -> int:
        """Return the first process of the container, as numbered here."""
        return int(self("inspect", "--format={{.State.Pid}}", NAME).stdout)

    def exit_code(self) -> int:
        """Wait until the container has ended; return its exit code."""
        return int(self("wait", NAME).stdout)

    def remove(self) -> None:
        """Remove the container, however it is; volumes stay."""
        self("rm", "--force", "--time=0", "--ignore", NAME)

    def __call__(self, *arguments: str, code: int | None = 0, secs: float = 120) -> Ran:
        """Run a command of Podman; `code` is the exit code it must have, `None` for any."""
        ran = subprocess.run(  # noqa: S603 - ours
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=secs,
            check=False,
        )
        if code is not None:
            assert ran.returncode == code, (
                f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
            )
        return ran


def plug_in() -> None:
    """Make the network of the containers, with a cable from here to there."""
    ip("link", "set", "lo", "up")
    ip("netns", "add", NAMESPACE)
    ip("link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    ip("address", "add", f"{HERE}/30", "dev", "cable")
    ip("link", "set", "cable", "up")
    ip("-n", NAMESPACE, "link", "set", "lo", "up")
    ip("-n", NAMESPACE, "address", "add", f"{THERE}/30", "dev", "eth0")
    ip("-n", NAMESPACE, "link", "set", "eth0", "up")


def ip(*arguments: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *arguments], check=True, timeout=30)  # noqa: S603, S607 - ours
