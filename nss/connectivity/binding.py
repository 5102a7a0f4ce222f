"""Whether the service could listen where its configuration says, apart from its own sockets."""

import errno
from collections.abc import Iterator

from formats.errors import Problem
from nss.addresses import bind_for_a_moment
from nss.config.model import Config
from nss.config.setting import Role, held_by
from nss.config.values import Address
from nss.connectivity.sockets import listening_at
from nss.wording import error_text

_EVERY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - nothing is bound here

_REASONS = {
    errno.EACCES: "permission denied: the user that nss runs as may not listen at this port",
    errno.EPERM: "is not allowed by the limits that nss runs within (SocketBindAllow)",
    errno.EADDRNOTAVAIL: "this machine does not have the address\nTry: see its own: ip address",
}


def address_problems(
    config: Config, own: frozenset[str] | None, *, is_service: bool = True
) -> Iterator[Problem]:
    """Yield the addresses that this process can't bind, by key path.

    `own` are the inodes of the sockets that the running service has (`sockets`): where
    only these are in the way, a restart would free the address. With `None` nothing is said of
    addresses that are in use, and unless this process `is_service`, has its rights that is, nothing
    of those that only some users may have. Each is bound for a moment, without listening.
    """
    for where, section in config.sections():
        for held in held_by(section, where):
            if held.role is Role.LISTENER and held.value is not None:
                fault = _fault(held.value, own, is_service=is_service)
                if fault is not None:
                    yield Problem(held.key, str(held.value), fault)


def _fault(address: Address, own: frozenset[str] | None, *, is_service: bool) -> str | None:
    try:
        bind_for_a_moment(*address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None if own is None else _taken(address, own)
        if error.errno == errno.EACCES and not is_service:
            return None
        return _REASONS.get(error.errno or 0, f"can't listen: {error_text(error)}")
    return None


def _taken(address: Address, own: frozenset[str]) -> str | None:
    """Return who has an address that is in use, `None` when it is the running service alone."""
    found = listening_at(address.port)
    others = [
        host
        for inode, host in found.items()
        if inode not in own
        and (host == address.host or {host, address.host} & _EVERY_HOST or not own & found.keys())
    ]
    if not others and own & found.keys():
        return None
    return (
        "another program listens there\n"
        f"Try: see which: sudo ss -ltnp 'sport = :{address.port}'; end it, or take another port"
    )
