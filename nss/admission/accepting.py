"""The loop that accepts connections at one listening socket, whatever comes."""

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from nss.addresses import one_peer
from nss.admission import descriptors
from nss.admission.places import NoPlaceError, Place, Places
from nss.wording import error_text

_AGAIN_SECS = 0.2

_OF_THE_PEER = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENONET,
        errno.EOPNOTSUPP,
    }
)
"""Errors of a connection that was over before it was accepted (accept(2)): the next may be fine."""


Address = tuple[str, int]
"""Host and port of a peer, empty and 0 at a unix socket."""


@dataclass(frozen=True, slots=True)
class Host:
    """What somebody who listens does with connections."""

    welcome: Callable[[socket.socket, Address, Place], None]
    """Serves a connection, which has its place until `place.leave`."""
    turned_away: Callable[[Address, NoPlaceError], None]
    """Takes note of a connection that was reset unread."""
    waits: Callable[[str], None]
    """Takes note of the reason for which no connection can be accepted now."""


class AcceptLoop:
    """Accepts at a listening socket, which does not block, and gives each connection a place.

    A connection without a place is reset. Without a free descriptor the loop waits until there is
    one. With `spares_reserve` it does so before it takes those that are reserved: until then a
    connection only gets the place, and the descriptor, of another that is on trial.
    """

    def __init__(
        self, listening: socket.socket, places: Places, host: Host, *, spares_reserve: bool
    ) -> None:
        self.trouble: str | None = None
        """Why no connection can be accepted now."""
        self._listening = listening
        self._places = places
        self._host = host
        self._spares_reserve = spares_reserve

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listening)
            except OSError as error:
                if error.errno not in _OF_THE_PEER:
                    await self._wait(error_text(error))
            else:
                if not self._admit(accepted, address):
                    await self._wait("all descriptors are taken but those kept for the service")
            # While somebody is waiting to connect asyncio accepts without a pause for others.
            await asyncio.sleep(0)

    def _admit(self, accepted: socket.socket, address: object) -> bool:
        """Welcome a connection, or turn it away; returns whether there are descriptors left."""
        peer: Address = (address[0], address[1]) if isinstance(address, tuple) else ("", 0)
        are_scarce = self._spares_reserve and self._are_scarce(accepted)
        try:
            place = self._places.take(one_peer(peer[0]), only_another=are_scarce)
        except NoPlaceError as refusal:
            reset(accepted)
            self._host.turned_away(peer, refusal)
            return not are_scarce
        self._host.welcome(accepted, peer, place)
        return True

    async def _wait(self, reason: str) -> None:
        """Wait until the reason not to accept is over."""
        self.trouble = reason
        self._host.waits(reason)
        while True:
            await asyncio.sleep(_AGAIN_SECS)
            if not self._are_scarce(self._listening):
                self.trouble = None
                return

    def _are_scarce(self, opened: socket.socket) -> bool:
        return descriptors.are_scarce(opened.fileno(), spares_reserve=self._spares_reserve)


def reset(connection: socket.socket) -> None:
    """Close a connection so that its peer can't take it for an end in good order."""
    reset_when_closed(connection)
    connection.close()


def reset_when_closed(connection: socket.socket, *, wanted: bool = True) -> None:
    """Set whether closing a connection resets it; also the end of the process is a close."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", wanted, 0))
