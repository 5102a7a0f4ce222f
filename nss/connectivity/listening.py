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
        step = Step(name="listen", ok=True, sentence="the port is free")
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
        return Step(name="listen", ok=True, sentence="the NSS service listens here")
    if number == errno.EADDRINUSE and own_ports is None and is_running:
        return Step(
            name="listen",
            ok=True,
            warns=True,
            sentence="the port is in use, by the NSS service or another program",
            tip="run it with sudo to see which: it then looks at the service's sockets",
        )
    if number == errno.EADDRINUSE:
        tip = f"see which: sudo ss -ltnp 'sport = :{address.port}'"
        sentence = "another program has the port"
        return Step(name="listen", ok=False, sentence=sentence, tip=tip)
    if number == errno.EACCES:
        return Step(
            name="listen",
            ok=True,
            warns=True,
            sentence="this user may not try a port below 1024; the service may",
            tip="run it with sudo",
        )
    if number == errno.EADDRNOTAVAIL:
        reason = "this machine does not have the address"
    elif isinstance(error, OSError) and not isinstance(error, socket.gaierror):
        reason = error_text(error)
    else:
        reason = "the name has no address"
    tip = "see the addresses of this machine: ip address"
    return Step(name="listen", ok=False, sentence=f"can't listen: {reason}", tip=tip)
