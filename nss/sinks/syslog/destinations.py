"""Which address to send to: names resolved periodically, failover in order, failback."""

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from nss import causes
from nss.addresses import host_port
from nss.causes import Cause, Peer
from nss.config.sinks import SyslogSinkConfig, SyslogUdpSinkConfig
from nss.sinks import events

LOOKUP_SECS = 5.0
"""How long a send waits for a lookup when no address is known at all."""

LOOKUP_AGAIN_SECS = 10.0
"""How soon a failed lookup is retried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> numeric addresses, the preferred first. Raises OSError."""


async def resolve_name(host: str, port: int) -> list[str]:
    """Return the numeric addresses of a name or of an address, as the system orders them."""
    # With a type each address comes once; TCP's and UDP's addresses are the same.
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    # getnameinfo keeps the zone of a link-local address, which getaddrinfo's host lacks.
    return [socket.getnameinfo(sockaddr, numeric)[0] for *_, sockaddr in found]


@dataclass(frozen=True, slots=True)
class Endpoint:
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
    trouble: Cause | None = None
    """Why the last lookup failed."""


class Destinations:
    """The destinations of a sink, in order of preference, and which of them is in use.

    Lookups run in the background; a send waits for them only while no address is known. A lookup
    that fails changes nothing. An endpoint that failed is suspect until it has `worked`.
    """

    def __init__(
        self,
        feed: str,
        settings: SyslogSinkConfig,
        *,
        resolve: Resolve,
        clock: Callable[[], float],
    ) -> None:
        self._feed = feed
        self._destinations = [_Destination(host, port) for host, port in settings.destinations]
        self._resolve = resolve
        self._resolve_secs = settings.resolve_secs
        self._failback_secs = settings.failback_secs
        self._clock = clock
        self._in_use: Endpoint | None = None
        self._suspects: dict[Endpoint, Cause] = {}
        self._failback_at = -math.inf
        self._protocol = "UDP" if isinstance(settings, SyslogUdpSinkConfig) else "TCP"
        late = TimeoutError(f"no answer within {LOOKUP_SECS:g} s")
        self.lookup_trouble = causes.of_lookup(late, self.peer(*settings.destinations[0]))
        """Why no name has an address: what the last lookup came to, or that none has ended."""

    def __str__(self) -> str:
        """Return what is in use, or what would be tried first."""
        first = self._destinations[0]
        return str(self._in_use or Endpoint(first.host, first.port, first.host))

    def peer(self, host: str, port: int, address: str = "") -> Peer:
        """Return a destination as sentences about it need it."""
        setting = f"destinations in [feeds.{self._feed}.sink]"
        return Peer(host, port, address, setting, "collector", self._protocol)

    async def current(self) -> Endpoint | None:
        """Return the endpoint to send to now, `None` if no name has an address."""
        now = self._clock()
        endpoints = self._endpoints()
        for destination in self._destinations:
            if not endpoints or now >= destination.look_up_at:
                self._look_up(destination)
        lookups = {d.lookup for d in self._destinations if d.lookup is not None}
        if not endpoints and lookups:
            await asyncio.wait(lookups, timeout=LOOKUP_SECS)
            endpoints = self._endpoints()
        self._in_use = self._choose(endpoints, now)
        return self._in_use

    def is_suspect(self, endpoint: Endpoint) -> bool:
        """Return whether the endpoint has failed and has not worked since."""
        return endpoint in self._suspects

    def worked(self, endpoint: Endpoint) -> None:
        """Note that the endpoint accepts messages."""
        if endpoint in self._suspects:
            del self._suspects[endpoint]
            events.destination_recovered(self._feed, str(endpoint))

    def failed(self, endpoint: Endpoint, cause: Cause) -> None:
        """Note that the endpoint accepts no messages: the next follows, in a circle."""
        events.destination_failed(self._feed, str(endpoint), cause.sentence)
        self._suspects[endpoint] = cause
        for destination in self._destinations:
            if (destination.host, destination.port) == (endpoint.host, endpoint.port):
                self._look_up(destination)
        endpoints = self._endpoints()
        if endpoint not in endpoints:
            return
        position = endpoints.index(endpoint)
        following = endpoints[(position + 1) % len(endpoints)]
        if position == 0:
            self._failback_at = self._clock() + self._failback_secs
        if following != endpoint:
            events.failed_over(self._feed, str(endpoint), str(following))
        self._in_use = following

    def advice(self) -> str | None:
        """Return what is wrong with a destination though lines get through, and what to try."""
        in_use = self._in_use
        if in_use is None or in_use in self._suspects:
            return None
        endpoints = self._endpoints()
        before = endpoints[: endpoints.index(in_use)] if in_use in endpoints else []
        failed = next((self._suspects[each] for each in before if each in self._suspects), None)
        trouble = failed or next(filter(None, (each.trouble for each in self._destinations)), None)
        if trouble is None:
            return None
        return f"{trouble.sentence}; lines go to {in_use}. Try: {trouble.remedy}"

    async def close(self) -> None:
        """Cancel the lookups under way."""
        lookups = [d.lookup for d in self._destinations if d.lookup is not None]
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    def _endpoints(self) -> list[Endpoint]:
        return list(
            dict.fromkeys(
                Endpoint(destination.host, destination.port, address)
                for destination in self._destinations
                for address in destination.addresses
            )
        )

    def _choose(self, endpoints: list[Endpoint], now: float) -> Endpoint | None:
        if not endpoints:
            return None
        in_use = self._in_use
        if in_use is None:
            return endpoints[0]
        if in_use not in endpoints:
            # Its name has other addresses now: stay with the destination.
            same = [t for t in endpoints if (t.host, t.port) == (in_use.host, in_use.port)]
            return (same or endpoints)[0]
        return endpoints[0] if now >= self._failback_at else in_use

    def _look_up(self, destination: _Destination) -> None:
        if destination.lookup is None or destination.lookup.done():
            destination.lookup = asyncio.create_task(self._refresh(destination))

    async def _refresh(self, destination: _Destination) -> None:
        host = destination.host
        try:
            found = list(dict.fromkeys(await self._resolve(host, destination.port)))
            failed: Exception | None = None
        except (OSError, ValueError) as error:  # ValueError: no name can look like this
            found, failed = [], error
        if found:
            destination.trouble = None
            self._adopt(destination, found)
            retry_secs = self._resolve_secs
        else:
            self.lookup_trouble = causes.of_lookup(failed, self.peer(host, destination.port))
            destination.trouble = self.lookup_trouble
            events.lookup_failed(self._feed, host, self.lookup_trouble.sentence)
            retry_secs = min(self._resolve_secs, LOOKUP_AGAIN_SECS)
        destination.look_up_at = self._clock() + retry_secs

    def _adopt(self, destination: _Destination, found: list[str]) -> None:
        """Adopt the addresses found, known addresses first: servers rotate their answers."""
        known = destination.addresses
        kept = [address for address in known if address in found]
        destination.addresses = kept + [address for address in found if address not in kept]
        gone = {Endpoint(destination.host, destination.port, a) for a in known if a not in found}
        for endpoint in gone:
            self._suspects.pop(endpoint, None)
        if known and (gone or len(found) != len(known)):
            events.addresses_changed(self._feed, destination.host, known, destination.addresses)
