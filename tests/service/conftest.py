"""The service as a process of its own: its log is read as it is written, and it always ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Self

import orjson
import pytest

import cli

Event = dict[str, object]

COMMAND = (sys.executable, "-P", "-m", "cli.main")
ENV = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}

TOLD_SECS = 10.0


class Running:
    """`nss run` at work. Every line of its log must be JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[Event] = []
        self.raw_log = b""
        self._taken = 0
        self._more = asyncio.Condition()
        self._reading = asyncio.create_task(self._read_log())

    @classmethod
    async def start(cls, config: Path) -> Self:
        """Start it; what it writes to standard output can be read from `process`."""
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "run", "--config", str(config)),
            env=ENV,
            cwd=config.parent,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def told(self, event: str, **facts: object) -> Event:
        """Return the next event of that kind and with those facts; later ones come after it."""
        async with asyncio.timeout(TOLD_SECS), self._more:
            while True:
                while self._taken < len(self.events):
                    self._taken += 1
                    one = self.events[self._taken - 1]
                    if one["event"] == event and facts.items() <= one.items():
                        return one
                await self._more.wait()

    def totals(self) -> dict[str, Event]:
        """Return the last account of each feed."""
        return {str(one["component"]): one for one in self.events if one["event"] == "feed_totals"}

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Return its exit code, once it and its log have ended."""
        async with asyncio.timeout(TOLD_SECS):
            await self._reading
            return await self.process.wait()

    async def kill(self) -> None:
        """End it, whatever state it is in."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read_log(self) -> None:
        stderr = self.process.stderr
        assert stderr is not None
        async for line in stderr:
            self.raw_log += line
            async with self._more:
                self.events.append(orjson.loads(line))
                self._more.notify_all()


@pytest.fixture
async def nss_run() -> AsyncIterator[Callable[[Path], Awaitable[Running]]]:
    """Start the service with a configuration file."""
    started: list[Running] = []

    async def start(config: Path) -> Running:
        started.append(await Running.start(config))
        return started[-1]

    yield start
    for running in started:
        await running.kill()


class Collector:
    """A UDP socket that keeps what it gets."""

    def __init__(self, transport: asyncio.DatagramTransport, inbox: "_Inbox") -> None:
        self.port: int = transport.get_extra_info("sockname")[1]
        self.transport = transport
        self._inbox = inbox

    @property
    def messages(self) -> list[bytes]:
        """All that has come so far."""
        return self._inbox.messages

    async def arrived(self, count: int) -> None:
        """Wait until so many messages have come."""
        async with asyncio.timeout(TOLD_SECS):
            while len(self.messages) < count:
                self._inbox.arrived.clear()
                await self._inbox.arrived.wait()


class _Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.arrived = asyncio.Event()

    def datagram_received(self, data: bytes, _address: object) -> None:
        self.messages.append(data)
        self.arrived.set()


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector that listens."""
    loop = asyncio.get_running_loop()
    transport, inbox = await loop.create_datagram_endpoint(_Inbox, ("127.0.0.1", 0))
    yield Collector(transport, inbox)
    transport.close()


@pytest.fixture
async def dead_port() -> AsyncIterator[int]:
    """A UDP port where nobody listens, and nobody will."""
    loop = asyncio.get_running_loop()
    # Connected elsewhere, the socket keeps the port and refuses what comes from us.
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, ("127.0.0.1", 0), ("127.0.0.1", 9)
    )
    yield transport.get_extra_info("sockname")[1]
    transport.close()
