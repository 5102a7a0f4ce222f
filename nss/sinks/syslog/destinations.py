"""Which address to send to: names resolved again and again, failover in order, failback."""

import asyncio
import math
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from nss.addresses import host_port
from nss.sinks import events

LOOKUP_SECS = 5.0
"""How long a send waits for a lookup when no address is known at all."""

LOOKUP_AGAIN_SECS = 10.0
"""How soon a lookup that failed is tried again."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> numeric addresses, the one to prefer first. Raises OSError."""


async def resolve_name(host: str, port: int) -> list[str]:
    """Return the numeric addresses of a name or of an address, as the system orders them."""
    # With a type each address comes once; TCP's and UDP's addresses are the same.
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    # getnameinfo keeps the zone of a link-local address, which getaddrinfo's host lacks.
    return [socket.getnameinfo(sockaddr, numeric)[0] for *_, sockaddr in found]


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one destination."""

    host: str
    port: int
    address: str

    def __str__(self) -> str:
        place = host_port(self.host, self.port)
        return place if self.address == self.host else f"{place} at {self.address}"


@dataclass(slots=True)
class _Destination:
    host: str
    port: int
    addresses: list[str] = field(default_factory=list)
    look_up_at: float = -math.inf
    lookup: asyncio.Task[None] | None = None


class Destinations:
    """The destinations of one sink, in order of preference, and which of them is in use.

    Lookups run beside the sending; only a send without any known address waits for one. A
    lookup that fails changes nothing. A target that failed is suspect until it has `worked`.
    """

    def __init__(
        self,
        feed: str,
        destinations: Sequence[tuple[str, int]],
        *,
        resolve: Resolve = resolve_name,
        resolve_secs: float = 300.0,
        failback_secs: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed = feed
        self._destinations = [_Destination(host, port) for host, port in destinations]
        self._resolve = resolve
        self._resolve_secs = resolve_secs
        self._failback_secs = failback_secs
        self._clock = clock
        self._in_use: Target | None = None
        self._suspects: set[Target] = set()
        self._failback_at = -math.inf
        self.lookup_error = "no destination is configured"

    def __str__(self) -> str:
        """Return what is in use, or what would be tried first."""
        if self._in_use is not None:
            return str(self._in_use)
        return ", ".join(str(Target(d.host, d.port, d.host)) for d in self._destinations[:1])

    async def current(self) -> Target | None:
        """Return the target to send to now, `None` if no name has an address."""
        now = self._clock()
        targets = self._targets()
        for destination in self._destinations:
            if not targets or now >= destination.look_up_at:
                self._look_up(destination)
        lookups = {d.lookup for d in self._destinations if d.lookup is not None}
        if not targets and lookups:
            await asyncio.wait(lookups, timeout=LOOKUP_SECS)
            targets = self._targets()
        self._in_use = self._choose(targets, now)
        return self._in_use

    def is_suspect(self, target: Target) -> bool:
        """Return whether the target has failed and has not worked since."""
        return target in self._suspects

    def worked(self, target: Target) -> None:
        """The target takes messages."""
        if target in self._suspects:
            self._suspects.discard(target)
            events.destination_recovered(self._feed, str(target))

    def failed(self, target: Target, why: str) -> None:
        """The target takes no messages: the one after it is next, then the first again."""
        events.destination_failed(self._feed, str(target), why)
        self._suspects.add(target)
        for destination in self._destinations:
            if (destination.host, destination.port) == (target.host, target.port):
                self._look_up(destination)
        targets = self._targets()
        if target not in targets:
            return
        position = targets.index(target)
        following = targets[(position + 1) % len(targets)]
        if position == 0:
            self._failback_at = self._clock() + self._failback_secs
        if following != target:
            events.failed_over(self._feed, str(target), str(following))
        self._in_use = following

    async def close(self) -> None:
        """End the lookups that are under way."""
        lookups = [d.lookup for d in self._destinations if d.lookup is not None]
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    def _targets(self) -> list[Target]:
        return list(
            dict.fromkeys(
                Target(destination.host, destination.port, address)
                for destination in self._destinations
                for address in destination.addresses
            )
        )

    def _choose(self, targets: list[Target], now: float) -> Target | None:
        if not targets:
            return None
        in_use = self._in_use
        if in_use is None:
            return targets[0]
        if in_use not in targets:
            # Its name has other addresses now; a destination keeps its turn.
            same = [t for t in targets if (t.host, t.port) == (in_use.host, in_use.port)]
            return (same or targets)[0]
        if in_use != targets[0] and now >= self._failback_at:
            self._failback_at = now + self._failback_secs
            return targets[0]
        return in_use

    def _look_up(self, destination: _Destination) -> None:
        if destination.lookup is None or destination.lookup.done():
            destination.lookup = asyncio.create_task(self._refresh(destination))

    async def _refresh(self, destination: _Destination) -> None:
        host = destination.host
        try:
            found = list(dict.fromkeys(await self._resolve(host, destination.port)))
            why = "it has no address"
        except (OSError, ValueError) as error:  # ValueError: no name can look like this
            found, why = [], str(error)
        if found:
            self._adopt(destination, found)
            again_secs = self._resolve_secs
        else:
            self.lookup_error = f"name lookup failed: {why} ({host})"
            events.lookup_failed(self._feed, host, why)
            again_secs = min(self._resolve_secs, LOOKUP_AGAIN_SECS)
        destination.look_up_at = self._clock() + again_secs

    def _adopt(self, destination: _Destination, found: list[str]) -> None:
        """Take over the addresses found, known ones first: servers rotate their answers."""
        known = destination.addresses
        kept = [address for address in known if address in found]
        destination.addresses = kept + [address for address in found if address not in kept]
        gone = {Target(destination.host, destination.port, a) for a in known if a not in found}
        self._suspects -= gone
        if known and (gone or len(found) != len(known)):
            events.addresses_changed(self._feed, destination.host, known, destination.addresses)
