"""Collectors on loopback and a clock in the hand; every async test runs on both event loops."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from nss import telemetry


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


class Collector:
    """A UDP socket; what is sent to it on loopback is there as soon as `send` has returned."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = (host, 0)
        self.senders: list[int] = []
        self._sender: tuple[str, int] = self.address
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._socket = socket.socket(self.family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 - the library's signature
        self._socket.bind(self.address)
        self.address = self._socket.getsockname()[:2]

    def stop(self) -> None:
        """Stop listening: what comes now is refused, what was not read is gone."""
        self._socket.close()

    def received(self) -> list[bytes]:
        """Return what has come since the last call; `senders` holds the source ports."""
        messages: list[bytes] = []
        self.senders = []
        while True:
            try:
                message, sender = self._socket.recvfrom(65_536)
            except BlockingIOError:
                return messages
            messages.append(message)
            self.senders.append(sender[1])
            self._sender = sender

    def answer(self, message: bytes) -> None:
        """Send something back to whom the last message came from."""
        self._socket.sendto(message, self._sender)


class Clock:
    """Monotonic seconds that pass only when somebody says so, or sleeps."""

    def __init__(self) -> None:
        self.secs = 1000.0

    def __call__(self) -> float:
        return self.secs

    async def sleep(self, secs: float) -> None:
        self.secs += secs


@pytest.fixture
def new_collector() -> Iterator[Callable[..., Collector]]:
    started: list[Collector] = []

    def start(host: str = "127.0.0.1") -> Collector:
        started.append(Collector(host))
        return started[-1]

    yield start
    for collector in started:
        collector.stop()


@pytest.fixture
def collector(new_collector: Callable[..., Collector]) -> Collector:
    return new_collector()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    telemetry.clear()
