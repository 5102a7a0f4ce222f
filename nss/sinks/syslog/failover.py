"""The loop that the syslog sinks share: one destination after the other, until one takes the lines.

A sink brings the attempt at one endpoint. What a failed attempt means is decided here: which
endpoint is next, when all of them have failed, and how long to wait then.
"""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nss.config.sinks import SyslogSinkConfig
from nss.sinks import Outcome, RetryAfter
from nss.sinks.backoff import Backoff
from nss.sinks.syslog.destinations import Destinations, Endpoint, Resolve, resolve_name
from nss.sinks.syslog.header import Now, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a syslog sink takes from the machine it runs on: a seam for tests."""

    resolve: Resolve = resolve_name
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    now: Now = utc_now
    """The time in headers."""
    jitter: Callable[[], float] = random.random


SYSTEM = Environment()
"""The real thing."""


@dataclass(slots=True)
class Sending:
    """One call of `send`: what is to be sent, and how far it has come."""

    lines: Sequence[bytes]
    header: bytes
    sent: int = 0

    @property
    def left(self) -> int:
        """How many lines are yet to be sent."""
        return len(self.lines) - self.sent


S = TypeVar("S", bound=Sending)


class EndpointFailed(Exception):  # noqa: N818 - named as the sentence reads
    """An endpoint takes no lines now; its text is the reason, as a sentence for people.

    With `reconnect` it was working until now, and is worth another attempt at once.
    """

    def __init__(self, reason: str, *, reconnect: bool = False) -> None:
        super().__init__(reason)
        self.reconnect = reconnect


class Failover:
    """Chooses the endpoint of each attempt, and remembers how the attempts went."""

    def __init__(self, feed: str, settings: SyslogSinkConfig, environment: Environment) -> None:
        self.destinations = Destinations(
            feed, settings, resolve=environment.resolve, clock=environment.clock
        )
        self.backoff = Backoff(environment.jitter)
        self.last_error: str | None = None

    async def open(self, connect: Callable[[Endpoint], Awaitable[object]]) -> None:
        """Start the name lookups and connect, if the destination can be reached already."""
        endpoint = await self.destinations.current()
        if endpoint is not None:
            try:
                await connect(endpoint)
            except EndpointFailed as failure:
                self.last_error = str(failure)

    async def send(
        self, sending: S, attempt: Callable[[S, Endpoint], Awaitable[Outcome]]
    ) -> Outcome:
        """Attempt each endpoint at most once, but for reconnects, until one has an outcome.

        `attempt` sends what is left of `sending` and raises `EndpointFailed` when the endpoint
        takes no more of it.
        """
        tried: set[Endpoint] = set()
        reason = ""
        while True:
            endpoint = await self.destinations.current()
            if endpoint is None:
                reason = self.destinations.lookup_error
            if endpoint is None or endpoint in tried:
                self.last_error = reason
                return RetryAfter(sending.sent, self.backoff.next_secs(), reason)
            try:
                outcome = await attempt(sending, endpoint)
            except EndpointFailed as failure:
                reason = str(failure)
                if not failure.reconnect:
                    self.destinations.failed(endpoint, reason)
                    tried.add(endpoint)
                continue
            self.last_error = None
            return outcome
