"""The loop that accepts connections at one listening socket, whatever comes."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nss.addresses import one_peer
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

    A connection without a place is reset. While the process can't have one more descriptor, the
    loop waits. `pause` is waited for before the next; by default others have a turn. `whose` says
    by what a connection counts; by default that is its address.
    """

    def __init__(
        self,
        listening: socket.socket,
        places: Places,
        host: Host,
        pause: Callable[[], Awaitable[None]] | None = None,
        whose: Callable[[socket.socket], str] | None = None,
    ) -> None:
        self.trouble: str | None = None
        """Why no connection can be accepted now."""
        self._listening = listening
        self._places = places
        self._host = host
        self._pause = pause
        self._whose = whose

    async def run(self) -> None:
        """Accept until cancelled."""
        while True:
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                await self._somebody_connects()
                continue
            except OSError as error:
                if error.errno not in _OF_THE_PEER:
                    await self._wait(error_text(error))
            else:
                self._admit(accepted, address)
            # While somebody is waiting to connect this would go on without a pause for others.
            await (asyncio.sleep(0) if self._pause is None else self._pause())

    async def _somebody_connects(self) -> None:
        """Wait for a connection, without accepting it.

        `sock_accept` may have accepted one when it is cancelled, which then belongs to nobody.
        """
        loop = asyncio.get_running_loop()
        coming = loop.create_future()
        loop.add_reader(self._listening, _set, coming)
        try:
            await coming
        finally:
            loop.remove_reader(self._listening)

    def _admit(self, accepted: socket.socket, address: object) -> None:
        accepted.settimeout(0.0)
        peer: Address = (address[0], address[1]) if isinstance(address, tuple) else ("", 0)
        whose = one_peer(peer[0]) if self._whose is None else self._whose(accepted)
        try:
            place = self._places.take(whose)
        except NoPlaceError as refusal:
            reset(accepted)
            self._host.turned_away(peer, refusal)
        else:
            self._host.welcome(accepted, peer, place)

    async def _wait(self, reason: str) -> None:
        """Wait until there is a descriptor."""
        self.trouble = reason
        self._host.waits(reason)
        while self.trouble is not None:
            await asyncio.sleep(_AGAIN_SECS)
            with contextlib.suppress(OSError):
                self._listening.dup().close()
                self.trouble = None


def _set(coming: "asyncio.Future[None]") -> None:
    if not coming.done():
        coming.set_result(None)


def reset(connection: socket.socket) -> None:
    """Close a connection so that its peer can't take it for an end in good order."""
    reset_when_closed(connection)
    connection.close()


def reset_when_closed(connection: socket.socket, *, wanted: bool = True) -> None:
    """Set whether closing a connection resets it; also the end of the process is a close."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", wanted, 0))
