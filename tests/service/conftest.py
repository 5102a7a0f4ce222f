"""The service as a process of its own: its log is read as it is written, and it always ends."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import orjson
import pytest

import cli
from formats import presets
from formats.filters import Filter
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names

Event = dict[str, object]

COMMAND = (sys.executable, "-P", "-m", "cli.main")
ENV = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parent.parent)}

TOLD_SECS = 40.0


class Running:
    """`nss run` at work. Every line of its log must be JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self.stdout = process.stdout
        self.events: list[Event] = []
        self.raw_log = b""
        self._taken = 0
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read_log())

    @classmethod
    async def start(cls, config: Path, *wrapper: str) -> Self:
        """Start it, by a command that starts commands if one is given."""
        process = await asyncio.create_subprocess_exec(
            *(*wrapper, *COMMAND, "run", "--config", str(config)),
            env=ENV,
            cwd=config.parent,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def reported(self, event: str, **facts: object) -> Event:
        """Return the next event of that kind and with those facts; later ones come after it."""
        async with asyncio.timeout(TOLD_SECS):
            while True:
                while self._taken < len(self.events):
                    self._taken += 1
                    found = self.events[self._taken - 1]
                    if found["event"] == event and facts.items() <= found.items():
                        return found
                assert not self._reading.done(), (
                    f"{event} was never reported:\n{self.raw_log.decode()}"
                )
                self._more.clear()
                await self._more.wait()

    def totals(self) -> dict[str, Event]:
        """Return the last account of each feed."""
        return {
            str(event["component"]): event
            for event in self.events
            if event["event"] == "feed_totals"
        }

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
        self._reading.add_done_callback(self._reading_ended)
        async for line in stderr:
            self.raw_log += line
            self.events.append(orjson.loads(line))
            self._more.set()

    def _reading_ended(self, _reading: "asyncio.Task[None]") -> None:
        self._more.set()


class Bench:
    """A folder with a configuration file, and what is started with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "nss.toml"
        self.started: list[Running] = []

    def write(
        self, *sections: str, drain_secs: float = 10, log_level: str = "info", state: str = ""
    ) -> None:
        """Write the configuration; the log is JSON."""
        service = (
            f'control_socket = "off"\nlog_format = "json"\nlog_level = "{log_level}"\n'
            f"drain_secs = {drain_secs}\n" + (f'state_directory = "{state}"\n' if state else "")
        )
        if not any("[spool]" in section for section in sections):
            sections = ('[spool]\nkind = "memory"\n', *sections)
        self.config.write_text("\n".join([f"[service]\n{service}", *sections]))

    async def start(
        self, *sections: str, drain_secs: float = 10, log_level: str = "info", state: str = ""
    ) -> Running:
        """Write the configuration and start the service with it; it takes signals then."""
        self.write(*sections, drain_secs=drain_secs, log_level=log_level, state=state)
        self.started.append(await Running.start(self.config))
        await self.started[-1].reported("service_started")
        return self.started[-1]

    async def clear(self) -> None:
        """End everything."""
        for running in self.started:
            await running.kill()

    def lines(self, name: str) -> list[bytes]:
        """Return the lines of a file in the folder."""
        return (self.folder / name).read_bytes().splitlines()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench in a folder of its own."""
    made = Bench(tmp_path)
    yield made
    await made.clear()


def file_source(name: str, *, follow: bool = False) -> str:
    """Return the section of a source that reads `NAME.log`."""
    follows = str(follow).lower()
    return (
        f'[sources.{name}]\nkind = "file"\npath = "{name}.log"\nfollow = {follows}\n'
        "poll_secs = 0.02\n"
    )


def udp_feed(port: int, *more: str) -> str:
    """Return the sections of the feed `mcas`, with more keys for its sink."""
    sink = ['kind = "syslog_udp"', f'destinations = ["127.0.0.1:{port}"]', *more]
    return "\n".join(['[feeds.mcas]\nformat = "MCAS"\n[feeds.mcas.sink]', *sink, ""])


def file_feed(name: str, *more: str, preset: str = "QRADAR") -> str:
    """Return the sections of a feed that writes a file of its name, with more keys for it."""
    feed = "\n".join([f"[feeds.{name}]", f'format = "{preset}"', *more])
    return f'{feed}\n[feeds.{name}.sink]\nkind = "file"\npath = "{name}"\n'


def rendered(data: bytes, preset: str, kept: Filter | None = None) -> list[bytes]:
    """Return what a feed makes of records."""
    settings = FeedSettings(presets.load(preset), kept)
    return list(Pipeline(json_names(), settings).run(data).lines)


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
        """Wait until this many messages have come."""
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
    listening = transport.get_extra_info("socket")
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
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
