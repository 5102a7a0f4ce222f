"""What the machine's network is now: programs of the system are asked, and bounded."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import orjson

from nss.appliance.network import Ip, Network, read_address, read_ip
from nss.errors import ServiceError, UsageError
from nss.wording import harmless

PROGRAM_SECS = 30.0
LINKS = Path("/sys/class/net")
RESOLV = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
STATES = Path("/run/systemd/netif/links")
"""What networkd knows of each interface, by its number."""

_ETHERNET = "1"


@dataclass(frozen=True, slots=True)
class Live:
    """What an interface has now."""

    link: str
    addresses: tuple[str, ...]
    """With the lengths of their networks; those that are local to the cable are left out."""
    gateways: tuple[str, ...]
    nameservers: tuple[str, ...]
    """Of the whole machine."""


def ran(*command: str, data: str = "") -> str:
    """Return what a program prints. Raises `ServiceError` with what it complains of."""
    try:
        found = subprocess.run(  # noqa: S603 - the system's own
            command,
            input=data,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PROGRAM_SECS,
        )
    except subprocess.TimeoutExpired:
        raise ServiceError(
            f"{command[0]}: no answer within {PROGRAM_SECS:.0f} s", tip="systemctl status"
        ) from None
    except OSError as error:
        raise ServiceError(f"{command[0]} can't be run: {error.strerror}") from None
    if found.returncode:
        lines = (found.stderr or found.stdout).strip().splitlines()
        reason = harmless(" ".join(lines[:3])) or f"exit code {found.returncode}"
        raise ServiceError(f"{command[0]}: {reason}", tip=f"journalctl -e; {' '.join(command[:3])}")
    return found.stdout


def service_link(wanted: str | None = None, links: Path = LINKS) -> str:
    """Return the service interface: `wanted`, or the first one of Ethernet.

    `en*` and `eth*` come before others. Raises `UsageError` when it is not there.
    """
    found = [path.name for path in links.iterdir() if _is_ethernet(path)]
    if wanted is not None and wanted in found:
        return wanted
    listed = ", ".join(map(harmless, sorted(found)))
    if wanted is not None:
        raise UsageError(f"network: there is no interface {wanted}", tip=f"one of {listed}")
    if not found:
        raise UsageError("network: the machine has no network interface", tip="add one to it")
    return min(found, key=lambda name: (not name.startswith(("en", "eth")), name))


def live(link: str) -> Live:
    """Return what an interface has now. Raises `ServiceError`."""
    shown = orjson.loads(ran("ip", "-json", "address", "show", "dev", link) or "[]")
    addresses = [
        f"{each['local']}/{each['prefixlen']}"
        for found in shown
        for each in found.get("addr_info", [])
        if each.get("scope") == "global" and "local" in each
    ]
    return Live(link, tuple(addresses), tuple(_gateways(link)), tuple(_nameservers()))


def _gateways(link: str) -> list[str]:
    found = []
    for family in ("-4", "-6"):
        text = ran("ip", family, "-json", "route", "show", "default", "dev", link)
        found += [each["gateway"] for each in orjson.loads(text or "[]") if "gateway" in each]
    return list(dict.fromkeys(found))


def _nameservers() -> list[str]:
    path = next((path for path in RESOLV if path.is_file()), None)
    if path is None:
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    named = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return [harmless(name) for name in named]


def usable_nameservers(found: Live) -> tuple[Ip, ...]:
    """Return those nameservers of a machine that a configuration may name."""
    servers = []
    for name in found.nameservers:
        try:
            servers.append(read_ip(name, "nameserver"))
        except UsageError:  # with a zone
            continue
    return tuple(servers)


def network_of(found: Live) -> Network:
    """Return what an interface has, as if it had been configured so."""
    if not found.addresses:
        return Network()
    gateway = read_ip(found.gateways[0], "gateway") if found.gateways else None
    return Network(read_address(found.addresses[0]), gateway, usable_nameservers(found))


def uses_dhcp(link: str, links: Path = LINKS, states: Path = STATES) -> bool:
    """Return whether networkd sets an interface up by DHCP; so does the image, unless asked."""
    try:
        number = (links / link / "ifindex").read_text(encoding="ascii").strip()
        state = (states / number).read_text(encoding="utf-8", errors="replace")
        name = dict(line.partition("=")[::2] for line in state.splitlines())["NETWORK_FILE"]
        text = Path(name).read_text(encoding="utf-8", errors="replace")
    except (OSError, KeyError):
        return True
    said = [line.partition("=")[2] for line in text.splitlines() if line.startswith("DHCP=")]
    return bool(said) and said[-1].strip().lower() in {"yes", "true", "1", "ipv4", "ipv6"}


def _is_ethernet(path: Path) -> bool:
    try:
        kind = (path / "type").read_text(encoding="ascii").strip()
    except OSError:
        return False
    return kind == _ETHERNET and path.name != "lo"
