"""Whether a port that sources listen at can be had, or who has it."""

import errno
import socket

from nss.config.values import Address
from nss.connectivity import Finding, Step
from nss.wording import error_text


def check_listening(
    component: str, address: Address, own_ports: frozenset[int] | None, *, is_running: bool
) -> Finding:
    """Try to bind an address, for a moment and without listening.

    `own_ports` are those that the running service listens at, `None` when that can't be seen.
    """
    try:
        family, _, _, _, at = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(at)
        step = Step("listen", "the port is free")
    except (OSError, ValueError) as error:
        step = _judged(error, address, own_ports, is_running=is_running)
    return Finding(component=component, place=str(address), steps=(step,))


def _judged(
    error: OSError | ValueError,
    address: Address,
    own_ports: frozenset[int] | None,
    *,
    is_running: bool,
) -> Step:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE and own_ports is not None and address.port in own_ports:
        return Step("listen", "the NSS service listens here")
    if number == errno.EADDRINUSE and own_ports is None and is_running:
        sentence = "the port is in use, by the NSS service or another program"
        tip = "run it with sudo to see which: it then checks the service's sockets"
        return Step("listen", sentence, tip, warns=True)
    if number == errno.EADDRINUSE:
        tip = f"see which: sudo ss -ltnp 'sport = :{address.port}'"
        return Step("listen", "another program has the port", tip, ok=False)
    if number == errno.EACCES:
        sentence = "this user may not try a port below 1024; the service may"
        return Step("listen", sentence, "run it with sudo", warns=True)
    if number == errno.EADDRNOTAVAIL:
        reason = "this machine does not have the address"
    elif isinstance(error, OSError) and not isinstance(error, socket.gaierror):
        reason = error_text(error)
    else:
        reason = "the name has no address"
    tip = "see the addresses of this machine: ip address"
    return Step("listen", f"can't listen: {reason}", tip, ok=False)
