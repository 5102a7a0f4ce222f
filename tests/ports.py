"""Ports for what a test starts later: of those that the kernel gives to nobody else meanwhile."""

import random
import socket


def free_port() -> int:
    """Return a port that nobody has, of TCP and of UDP."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return so many of them, each another one.

    The kernel chooses from 32768 up (`ip_local_port_range`), for tests beside this one as well: a
    port that it gave and got back may be somebody else's before it is used.
    """
    choice = random.SystemRandom()  # the seed of a run is the same in all its processes
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
                trial.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
