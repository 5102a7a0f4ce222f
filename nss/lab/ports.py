"""Ports for what listens a moment later, of those that the kernel gives to nobody meanwhile."""

import random
import socket

HOST = "127.0.0.1"


def free_port(wanted: int | None = None) -> int:
    """Return a port of loopback, TCP and UDP, that nobody has: the one wanted, if it is free."""
    if wanted is not None and _is_free(wanted):
        return wanted
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return so many of them, each another one.

    The kernel chooses from 32768 up (`ip_local_port_range`), for all processes of the machine: a
    port that it gave and got back may be somebody else's before it is used.
    """
    choice = random.SystemRandom()  # tests seed the common one alike in all their processes
    ports: list[int] = []
    while len(ports) < count:
        port = choice.randrange(20_000, 32_000)
        if port not in ports and _is_free(port):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as trial:
            try:
                trial.bind((HOST, port))
            except OSError:
                return False
    return True
