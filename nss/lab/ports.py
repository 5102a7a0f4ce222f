"""Ports for what listens a moment later, of those that the kernel gives to nobody meanwhile."""

import errno
import random
import socket

from nss.errors import ServiceError
from nss.wording import error_text

HOST = "127.0.0.1"
TRIES = 10_000


def free_port(wanted: int | None = None, *, host: str = HOST) -> int:
    """Return a port of TCP and UDP that nobody has at `host`: the one wanted, if it is free.

    Raises `ServiceError` when nobody can listen there.
    """
    if wanted is not None and _is_free(wanted, host):
        return wanted
    return free_ports(1, host=host)[0]


def free_ports(count: int, *, host: str = HOST) -> list[int]:
    """Return so many of them, each another one. Raises `ServiceError`.

    The kernel chooses from 32768 up (`ip_local_port_range`), for all processes of the machine: a
    port that it gave and got back may be somebody else's before it is used.
    """
    choice = random.SystemRandom()  # tests seed the common one alike in all their processes
    ports: list[int] = []
    for _ in range(TRIES):
        port = choice.randrange(20_000, 32_000)
        if port not in ports and _is_free(port, host):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise ServiceError(f"lab: no port is free ({host})")


def _is_free(port: int, host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as trial:
            try:
                trial.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                raise ServiceError(f"lab: can't listen: {error_text(error)} ({host})") from None
    return True
