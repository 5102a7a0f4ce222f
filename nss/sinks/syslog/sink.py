"""What the syslog sinks share: each destination is tried in turn, until the lines are handed over.

A sink brings the attempt at one endpoint. What a failed attempt means is decided here: which
endpoint is next, when all of them have failed, and how long to wait then.
"""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Generic, TypeVar

from formats.lines import Lines
from nss.causes import Cause, Peer
from nss.config.sinks import SyslogTcpSinkConfig, SyslogUdpSinkConfig
from nss.sinks import Outcome, RetryAfter
from nss.sinks.backoff import Backoff
from nss.sinks.syslog.destinations import Destinations, Endpoint, Resolve, resolve_name
from nss.sinks.syslog.header import Header
from nss.sinks.syslog.pacing import Pace
from nss.sinks.syslog.wire import active

_utc_now = partial(datetime.now, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a syslog sink uses of the machine it runs on: a seam for tests."""

    resolve: Resolve = resolve_name
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    now: Callable[[], datetime] = _utc_now
    """The time in headers."""
    jitter: Callable[[], float] = random.random


SYSTEM = Environment()
"""The real thing."""

_MAX_NAMED = 3
"""Of so many addresses is said what is wrong, when none takes anything."""


@dataclass(slots=True)
class Sending:
    """One call of `send`: what is to be sent, and how far it has come."""

    lines: Lines
    header: bytes
    sent: int = 0

    @property
    def left(self) -> int:
        """How many lines are yet to be sent."""
        return len(self.lines) - self.sent


S = TypeVar("S", bound=Sending)


class EndpointFailed(Exception):  # noqa: N818 - named as the sentence reads
    """An endpoint accepts no lines now; its text is the sentence of the cause.

    With `reconnect` it was working until now, and is worth another attempt at once.
    """

    def __init__(self, cause: Cause, *, reconnect: bool = False) -> None:
        super().__init__(cause.sentence)
        self.cause = cause
        self.reconnect = reconnect


class SyslogSink(ABC, Generic[S]):
    """Sends the lines of a feed to the first of several collectors that accepts them."""

    wants_keys = False

    def __init__(
        self,
        name: str,
        settings: SyslogTcpSinkConfig | SyslogUdpSinkConfig,
        environment: Environment,
    ) -> None:
        self.name = name
        self._trouble: Cause | None = None
        self._section = f"feeds.{name}.sink"
        self._destinations = Destinations(
            name, settings, resolve=environment.resolve, clock=environment.clock
        )
        self._backoff = Backoff(environment.jitter)
        self._header = Header(settings, environment.now)
        self._wire = active()
        rate = settings.max_messages_per_sec
        self._pace = None if rate is None else Pace(rate, clock=environment.clock)
        self.max_line_bytes = settings.max_message_bytes - len(self._header())

    @property
    def last_error(self) -> str | None:
        """See `Sink.last_error`."""
        return None if self._trouble is None else self._trouble.sentence

    @property
    def remedy(self) -> str:
        """See `Sink.remedy`."""
        return "" if self._trouble is None else self._trouble.remedy

    @property
    def advice(self) -> str | None:
        """See `Sink.advice`."""
        return self._destinations.advice() if self._trouble is None else None

    @property
    def destination(self) -> str:
        """See `Sink.destination`."""
        return str(self._destinations)

    async def open(self) -> None:
        """Start the name lookups and connect, if the destination can be reached already."""
        endpoint = await self._destinations.current()
        if endpoint is not None:
            try:
                await self._connect(endpoint)
            except EndpointFailed as failure:
                self._trouble = failure.cause
        else:
            self._trouble = self._destinations.lookup_trouble

    def _peer(self, endpoint: Endpoint) -> Peer:
        """Return an endpoint as sentences about it need it."""
        return self._destinations.peer(endpoint.host, endpoint.port, endpoint.address)

    @abstractmethod
    async def _connect(self, endpoint: Endpoint) -> object:
        """Get ready to send to an endpoint. Raises `EndpointFailed`."""

    @abstractmethod
    async def _attempt(self, sending: S, endpoint: Endpoint) -> Outcome:
        """Send what is left. Raises `EndpointFailed` when the endpoint accepts no more of it."""

    async def _fail_over(self, sending: S) -> Outcome:
        """Attempt each endpoint at most once, but for reconnects, until one has an outcome."""
        tried: set[Endpoint] = set()
        troubles: list[Cause] = []
        while True:
            endpoint = await self._destinations.current()
            if endpoint is None:
                troubles = [self._destinations.lookup_trouble]
            if endpoint is None or endpoint in tried:
                self._trouble = trouble = _together(troubles)
                return RetryAfter(sending.sent, self._backoff.next_secs(), trouble.sentence)
            try:
                outcome = await self._attempt(sending, endpoint)
            except EndpointFailed as failure:
                if not failure.reconnect:
                    self._destinations.failed(endpoint, failure.cause)
                    troubles.append(failure.cause)
                    tried.add(endpoint)
                continue
            self._trouble = None
            return outcome


def _together(troubles: list[Cause]) -> Cause:
    """Return what is wrong when no endpoint takes anything; the first is preferred by people."""
    first, *others = troubles
    sentences = [first.sentence, *(each.sentence for each in others[: _MAX_NAMED - 1])]
    left = len(troubles) - len(sentences)
    more = f"; and {left} more addresses fail" if left else ""
    return Cause("; ".join(sentences) + more, first.remedy)
