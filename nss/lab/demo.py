"""The demonstration: record generator, the service as it ships, and collector, on loopback.

The service is a process of its own, run as an operator runs it, with a configuration file of its
own: a TCP source, one MCAS feed, one UDP collector.
"""

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import orjson

from nss.config.sources import FileSourceConfig
from nss.errors import ServiceError
from nss.lab import commands
from nss.lab.collector import Collector
from nss.lab.discovery import Discovery
from nss.lab.generator import RecordGenerator
from nss.sources.file.whole import WholeFile

HOST = "127.0.0.1"
TICK_SECS = 0.02
START_SECS = 10.0
STOP_SECS = 20.0

_CONFIG = """\
[service]
log_format = "json"
control_socket = "off"

[spool]
kind = "memory"

[sources.gateway]
kind = "tcp"
listen = "{host}:{tcp_port}"

[feeds.mcas]
format = "MCAS"

[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["{host}:{udp_port}"]
"""


@dataclass(slots=True)
class Progress:
    """How far a demonstration has come. Rates are records a second over all of it."""

    sent: int = 0
    received: int = 0
    malformed: int = 0
    rejected: int = 0
    shortened: int = 0
    elapsed_secs: float = 0.0
    finished: bool = False

    @property
    def lost(self) -> int:
        """Records sent that neither arrived nor were rejected; certain once finished."""
        return self.sent - self.received - self.rejected

    @property
    def records_per_sec(self) -> float:
        """Records received a second."""
        return self.received / self.elapsed_secs if self.elapsed_secs else 0.0


class Demo:
    """One demonstration run: `async for progress in demo.run()`."""

    def __init__(
        self, seconds: float, records_per_sec: int, *, seed: int = 1, sample: Path | None = None
    ) -> None:
        self.progress = Progress()
        self.discovery = Discovery()
        self.malformed_examples: list[tuple[bytes, str]] = []
        self._seconds = seconds
        self._records_per_sec = records_per_sec
        self._lines = (
            _sample_lines(sample)
            if sample is not None
            else RecordGenerator(
                seed, records_per_sec=records_per_sec, start_epoch=int(time.time())
            ).lines(sys.maxsize)
        )

    async def run(self) -> AsyncIterator[Progress]:
        """Run it, yielding the progress a few times a second and once when all is done."""
        async with Collector() as collector:
            self.discovery = collector.discovery
            self.malformed_examples = collector.malformed_examples
            with tempfile.TemporaryDirectory(prefix="nss-demo-") as folder:
                async with _Service(Path(folder), collector.port) as service:
                    began = time.monotonic()
                    sending = asyncio.create_task(self._send(service, began))
                    try:
                        while not sending.done():
                            await asyncio.wait({sending}, timeout=0.25)
                            self._look(collector, began)
                            yield self.progress
                        await sending
                    finally:
                        sending.cancel()
                    await service.stop()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            await collector.arrived(service.delivered)
                    self.progress.rejected = service.rejected
                    self.progress.shortened = service.shortened
                    self._look(collector, began)
        self.progress.finished = True
        yield self.progress

    def _look(self, collector: Collector, began: float) -> None:
        self.progress.received = collector.messages
        self.progress.malformed = collector.malformed
        self.progress.elapsed_secs = time.monotonic() - began

    async def _send(self, service: "_Service", began: float) -> None:
        """Send records at the chosen rate until the time is up or the records have run out."""
        while (elapsed := time.monotonic() - began) < self._seconds:
            due = int((elapsed + TICK_SECS) * self._records_per_sec) - self.progress.sent
            block = list(islice(self._lines, max(due, 0)))
            if block:
                await service.send(b"\n".join(block) + b"\n")
                self.progress.sent += len(block)
            await asyncio.sleep(TICK_SECS)
            if len(block) < due:
                return  # the records have run out


def _sample_lines(path: Path) -> Iterator[bytes]:
    """Yield the records of a file, one a line, whatever its layout."""
    file = WholeFile(FileSourceConfig(name="sample", path=path, follow=False))
    try:
        while (batch := file.read()) is not None:
            yield from batch.data.removesuffix(b"\n").split(b"\n")
    finally:
        file.close()


class _Service:
    """`nss run` in a process of its own, and the connection that feeds it."""

    def __init__(self, folder: Path, udp_port: int) -> None:
        self.delivered = 0
        self.rejected = 0
        self.shortened = 0
        self._folder = folder
        self._udp_port = udp_port

    async def __aenter__(self) -> Self:
        with socket.create_server((HOST, 0)) as probe:
            port = probe.getsockname()[1]
        config = self._folder / "nss.toml"
        config.write_text(
            _CONFIG.format(host=HOST, tcp_port=port, udp_port=self._udp_port), encoding="utf-8"
        )
        self._log = self._folder / "nss.log"
        self._process = await commands.start_service(config, self._log)
        try:
            self._reader, self._writer = await self._connect(port)
        except BaseException:
            await commands.kill(self._process)
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._writer.close()
        await commands.kill(self._process)

    async def send(self, data: bytes) -> None:
        """Send records; waits while the service does. Raises `ServiceError` when it is gone."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            raise self._failure("it closed the connection") from None

    async def stop(self) -> None:
        """Let the service read and deliver all that was sent; read its account from its log.

        Raises `ServiceError` when it could not.
        """
        try:
            async with asyncio.timeout(STOP_SECS):
                self._writer.write_eof()
                await self._reader.read()  # it closes its side once it has read ours to the end
                self._process.send_signal(signal.SIGTERM)
                code = await self._process.wait()
        except (OSError, TimeoutError):
            raise self._failure("it does not come to its end") from None
        if code:
            raise self._failure(f"it ended with exit code {code}")
        for line in self._log.read_bytes().splitlines():
            event = orjson.loads(line)
            if event["event"] == "feed_totals":
                self.delivered += event["delivered"]
                self.rejected += event["rejected"]
                self.shortened += event["shortened"]

    async def _connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = time.monotonic() + START_SECS
        while True:
            try:
                return await asyncio.open_connection(HOST, port)
            except OSError:
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise self._failure("it does not listen") from None
                await asyncio.sleep(0.05)

    def _failure(self, reason: str) -> ServiceError:
        text = f"demo: the service failed: {reason}\n{commands.end_of(self._log)}"
        return ServiceError(text.rstrip())
