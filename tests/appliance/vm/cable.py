"""The network that machines are plugged into: a bridge, and a DHCP server.

Both are of the network namespace of this process.
"""

import subprocess
from itertools import count
from pathlib import Path
from typing import Self

from tests.package.machine import HERE, wait_for

PREFIX = 24
BRIDGE = "nss-outside"
FIRST, LAST = "198.51.100.100", "198.51.100.199"
"""Of these the DHCP server gives addresses, so none of them was set by hand."""

CLOUD = "cloud.localhost"
"""By this name machines know our end, once it is in their table of hosts."""


class Cable:
    """A network with this process as the one other host, used with `with`."""

    def __init__(self, folder: Path) -> None:
        self._leases = folder / "leases"
        self._log = folder / "dnsmasq.log"
        self._numbers = count(1)

    def __enter__(self) -> Self:
        _ip("link", "set", "lo", "up")
        _ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        _ip("address", "add", f"{HERE}/{PREFIX}", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        command = [
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root"),
            *("--pid-file=", "--no-resolv", "--no-hosts", "--no-ping", "--log-facility=-"),
            *(f"--interface={BRIDGE}", "--bind-interfaces", "--dhcp-authoritative", "--log-dhcp"),
            *(f"--dhcp-range={FIRST},{LAST},1h", f"--dhcp-leasefile={self._leases}"),
            f"--dhcp-option=option:dns-server,{HERE}",
        ]
        with self._log.open("wb") as log:
            self._dnsmasq = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - ours
        return self

    def __exit__(self, *_exc: object) -> None:
        self._dnsmasq.kill()
        self._dnsmasq.wait()
        _ip("link", "delete", BRIDGE)

    def plug(self) -> str:
        """Return the end of a new cable into the network, for one machine."""
        tap = f"tap{next(self._numbers)}"
        _ip("tuntap", "add", tap, "mode", "tap")
        _ip("link", "set", tap, "master", BRIDGE)
        _ip("link", "set", tap, "up")
        return tap

    def leased(self, mac: str) -> str | None:
        """Return the address that the DHCP server gave to a network card."""
        lines = self._leases.read_text().splitlines() if self._leases.exists() else []
        found = [line.split() for line in lines]
        return next((parts[2] for parts in found if parts[1] == mac), None)

    def wait_for_lease(self, mac: str, secs: float) -> str:
        """Wait until a network card has an address from the DHCP server."""
        wait_for(lambda: self.leased(mac), f"{mac} has an address by DHCP", secs)
        return self.leased(mac) or ""


def _ip(*arguments: str) -> None:
    command = ["ip", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ran.returncode == 0, f"{command}: {ran.stderr}"
