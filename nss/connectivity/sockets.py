"""The sockets of a process, from /proc: files that the kernel writes, in the form of proc(5)."""

import ipaddress
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_TABLES = ("tcp", "tcp6", "udp", "udp6")
_STATES = {
    "01": "established",
    "02": "connecting",
    "03": "accepting",
    "04": "closing",
    "05": "closing",
    "06": "time-wait",
    "07": "unconnected",
    "08": "close-wait",
    "09": "closing",
    "0A": "listening",
    "0B": "closing",
}
_LINK = re.compile(r"socket:\[(\d+)\]")
_COLUMNS = 10
_IPV6_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """One socket; a remote host that is empty stands for none."""

    proto: str
    """`tcp`, `tcp6`, `udp` or `udp6`."""
    local_host: str
    local_port: int
    remote_host: str
    remote_port: int
    state: str
    received_bytes: int
    """Bytes received that the process has not read; of a listening socket, connections."""
    unsent_bytes: int
    """Bytes that the peer has not confirmed."""


def sockets_of(pid: int, proc: Path = PROC) -> list[Socket]:
    """Return the network sockets of a process. Raises `PermissionError` and `OSError`."""
    own = inodes_of(pid, proc)
    return [found for inode, found in _sockets(proc / str(pid) / "net") if inode in own]


def inodes_of(pid: int, proc: Path = PROC) -> frozenset[str]:
    """Return what the kernel calls the sockets of a process. Raises as `sockets_of` does."""
    own = set()
    for entry in (proc / str(pid) / "fd").iterdir():
        try:
            link = _LINK.fullmatch(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
        if link is not None:
            own.add(link[1])
    return frozenset(own)


def listening_inodes(pid: int, proc: Path = PROC) -> frozenset[str]:
    """Return those of `inodes_of` that listen for TCP connections. Raises as `sockets_of` does."""
    network = _sockets(proc / str(pid) / "net")
    listening = {inode for inode, found in network if found.state == "listening"}
    return inodes_of(pid, proc) & listening


def listening_at(port: int, proc: Path = PROC) -> dict[str, str]:
    """Return who listens at a TCP port of this machine: inodes of sockets, with the addresses."""
    return {
        inode: found.local_host
        for inode, found in _sockets(proc / "self" / "net")
        if found.proto.startswith("tcp") and found.state == "listening" and found.local_port == port
    }


def _sockets(folder: Path) -> Iterator[tuple[str, Socket]]:
    """Yield all sockets of a network with their inodes."""
    for table in _TABLES:
        try:
            text = (folder / table).read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:  # a kernel without IPv6
            continue
        yield from _parsed(table, text)


def _parsed(table: str, text: str) -> Iterator[tuple[str, Socket]]:
    for line in text.splitlines()[1:]:
        cells = line.split()
        if len(cells) < _COLUMNS:
            continue
        try:
            local_host, local_port = _address(cells[1])
            remote_host, remote_port = _address(cells[2])
            unsent, received = (int(part, 16) for part in cells[4].split(":"))
        except ValueError:
            continue
        found = Socket(
            proto=table,
            local_host=local_host,
            local_port=local_port,
            remote_host=remote_host if remote_port else "",
            remote_port=remote_port,
            state=_STATES.get(cells[3], "unknown"),
            received_bytes=received,
            unsent_bytes=unsent,
        )
        yield cells[9], found


def _address(text: str) -> tuple[str, int]:
    """Return address and port of `0100007F:1F90`: words of four bytes in the machine's order."""
    words, _, port = text.partition(":")
    data = bytes.fromhex(words)
    if sys.byteorder == "little":
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    if len(data) == _IPV6_BYTES:
        mapped = ipaddress.IPv6Address(data).ipv4_mapped
        address = mapped or address
    return str(address), int(port, 16)
