"""What a person does at the console of a new machine until it delivers records."""

import contextlib
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from nss.lab.cloud import CloudLab
from tests.appliance.vm import images
from tests.appliance.vm.cable import CLOUD, PREFIX, Cable
from tests.appliance.vm.emulator import Machine
from tests.appliance.vm.shell import Shell
from tests.package.collector import Collector
from tests.package.machine import HERE, THERE
from tests.package.sending import TOKEN

BOOT_SECS = 400
"""Until the console asks for something; a busy machine that emulates two guests is that slow."""

COMMAND_SECS = 300
"""For a command that starts Python or the service, a third of it under emulation."""

GROWN_TO = "12G"
TCP_PORT, HTTP_PORT = 5514, 8088
SET_UP = re.escape('Set the password of "admin", who may use sudo.')
TOKEN_FILE = "/etc/nss/push.token"  # noqa: S105 - a path


@dataclass
class Appliance:
    """A machine that was set up, with a person at its console."""

    machine: Machine
    shell: Shell
    collector: Collector
    lab: CloudLab

    def status(self) -> dict[str, Any]:
        """Return what `nss status --json` prints."""
        printed = self.shell.run("sudo nss status --json", code=None, secs=COMMAND_SECS)
        found = _json(printed)
        assert found is not None, printed
        return found

    def wait_until_healthy(self, secs: float = BOOT_SECS) -> dict[str, Any]:
        """Wait until the service says so; returns its status."""
        deadline = time.monotonic() + secs
        while True:
            printed = self.shell.run("sudo nss status --json", code=None, secs=COMMAND_SECS)
            found = _json(printed)
            if found is not None and found["health"]["ok"]:
                return found
            assert time.monotonic() < deadline, printed

    def boot_again(self) -> float:
        """Switch the machine on and log in; returns the seconds to the login prompt."""
        self.machine.switch_on()
        self.machine.console.expect(r"login: $", secs=BOOT_SECS)
        took = time.monotonic() - self.machine.boot_started
        self.shell.log_in(at_prompt=True)
        return took


def _json(printed: str) -> dict[str, Any] | None:
    """Return what `nss status --json` printed; `None`: the service did not answer it."""
    start = printed.find("{")
    found: dict[str, Any] | None = orjson.loads(printed[start:]) if start >= 0 else None
    return found


def first_login(machine: Machine) -> Shell:
    """Set the password that the console asks for, and log in with it."""
    console = machine.console
    password = secrets.token_urlsafe(12)
    console.expect(SET_UP, secs=BOOT_SECS)
    say(f"{machine.folder.name}: asks for a password", machine)
    # The kernel may write behind a question: none of these is the end of what is shown for sure.
    console.answer(r"New password: ", "short")
    console.answer(r"at least 12\.\s+New password: ", password)
    console.answer(r"The same again: ", password)
    console.expect(r"The password is set\.", secs=COMMAND_SECS)
    assert password not in console.tail()
    shell = Shell(console, "admin", password)
    shell.log_in()
    return shell


@contextlib.contextmanager
def set_up(folder: Path, cable: Cable, collector: Collector, lab: CloudLab) -> Iterator[Appliance]:
    """Boot the image by UEFI from a disk that has grown, and set it up."""
    disk = images.disk("qcow2", folder, GROWN_TO)
    with Machine(folder, disk, "uefi", cable.plug()) as machine:
        shell = first_login(machine)
        shell.write(TOKEN_FILE, TOKEN, mode="0640", owner="root:nss")
        configure(machine, shell)
        trust(shell, lab)
        configure_mcas2(machine, shell, lab)
        shell.run("sudo nss restart", secs=COMMAND_SECS)
        shell.run("sudo nss enable-autostart", secs=COMMAND_SECS)
        made = Appliance(machine, shell, collector, lab)
        made.wait_until_healthy()
        shell.run("sync")
        say("set up and healthy", machine)
        yield made


def configure(machine: Machine, shell: Shell) -> None:
    """Answer `sudo nss configure`: a static address, sources over TCP and HTTP, MCAS and syslog."""
    number = shell.start("sudo nss configure")
    for question, answer in (
        (r"new nameserver\? <n:no y:yes> \[n\]: $", "y"),
        (r"nameserver \[\]: $", HERE),
        (r"new nameserver\? <n:no y:yes> \[n\]: $", "n"),
        (r"smnet_dev .*\[dhcp\]: $", f"{THERE}/{PREFIX}"),
        (r"smnet_dflt_gw .*: $", HERE),
        (r"proxyserver .*: $", ""),
        (r"Apply this\?.*: $", "y"),
        (r"Successfully Applied Changes(?s:.*)Keep it\? <y:yes n:no> $", "y"),
        (r"over TCP at .*: $", f"0.0.0.0:{TCP_PORT}"),
        (r"over HTTP at .*: $", f"0.0.0.0:{HTTP_PORT}"),
        (r"token of those who push.*: $", TOKEN_FILE),
        (r"Follow the file .*: $", ""),
        (r"Feed format .*: $", ""),
        (r"Time zone .*: $", ""),
        (r"MCAS by upload.*: $", "upload"),
        (r"Also to .*: $", f"tcp://{HERE}:{Collector.tcp}"),
        (r"Also to .*: $", ""),
        (r"Write this to /etc/nss/nss\.toml\?.*: $", "y"),
    ):
        machine.console.answer(question, answer, COMMAND_SECS)
    code, printed = shell.finish(number, COMMAND_SECS)
    assert code == 0, printed
    assert "Written to /etc/nss/nss.toml." in printed


def trust(shell: Shell, lab: CloudLab) -> None:
    """Make the lab's servers known by name and by authority, as the real ones are everywhere."""
    shell.run(f"echo '{HERE} {CLOUD}' | sudo tee -a /etc/hosts")
    # update-ca-certificates looks at each of 140 authorities: two minutes under emulation.
    shell.write("/root/lab.crt", lab.ca_file.read_text())
    shell.run("sudo sh -c 'cat /root/lab.crt >>/etc/ssl/certs/ca-certificates.crt'")


def configure_mcas2(machine: Machine, shell: Shell, lab: CloudLab) -> None:
    """Answer `sudo nss configure-mcas2`."""
    number = shell.start("sudo nss configure-mcas2")
    for question, answer in (
        (r"Client ID.*: $", lab.client_id),
        (r"Client Secret.*: $", lab.client_secret),
        (r"Secret expires on.*: $", ""),
        (r"Scope .*: $", ""),
        (r"Authentication URL.*: $", lab.authentication_url),
        (r"API URL.*: $", lab.api_url),
    ):
        machine.console.answer(question, answer, COMMAND_SECS)
    code, printed = shell.finish(number, COMMAND_SECS)
    assert code == 0, printed
    assert "Stored in /var/lib/nss/mcas.json." in printed


def say(what: str, machine: Machine) -> None:
    """Print what was reached, and how long after the machine was switched on; `-s` shows it."""
    print(f"appliance, {time.monotonic() - machine.boot_started:.0f} s: {what}", flush=True)  # noqa: T201
