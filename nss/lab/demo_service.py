"""The service of the demonstration: `nss run` in a process of its own, as an operator runs it."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Self, TypeVar

import orjson

from nss.admin.control.client import ControlClient
from nss.errors import NssError, ServiceError
from nss.lab import commands
from nss.lab.ports import HOST, free_port
from nss.spool import ReasonCount
from nss.status.summary import Status

START_SECS = 10.0
STOP_SECS = 20.0
DRAIN_SECS = 5.0
"""How long it is waited for what is pending, before rejects are asked for."""

_ASK_SECS = 2.0
_LONGEST_FOLDER = 70
"""Bytes of a folder's name that leave room for a socket's within a unix socket's 107."""

_CONFIG = """\
[service]
log_format = "json"
control_socket = "control.sock"

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

T = TypeVar("T")


def folder_of_demo() -> tempfile.TemporaryDirectory[str]:
    """Return a new folder in which there is room for the control socket's name."""
    usual = tempfile.gettempdir()
    place = "/tmp" if len(usual.encode()) > _LONGEST_FOLDER else usual  # noqa: S108 - mkdtemp's own
    return tempfile.TemporaryDirectory(prefix="nss-demo-", dir=place)


class DemoService:
    """`nss run` in a process of its own, and the connection that feeds it."""

    def __init__(self, folder: Path, udp_port: int) -> None:
        self.reasons: list[ReasonCount] = []
        """Why records were rejected, as far as the service said so before its end."""
        self.accepted = 0
        self.delivered = 0
        self.rejected = 0
        self.shortened = 0
        self._folder = folder
        self._udp_port = udp_port

    async def __aenter__(self) -> Self:
        port = free_port()
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
                await self._ask_for_rejects()
                self._process.send_signal(signal.SIGTERM)
                code = await self._process.wait()
        except (OSError, TimeoutError):
            raise self._failure("it does not come to its end") from None
        if code:
            raise self._failure(f"it ended with exit code {code}")
        for line in self._log.read_bytes().splitlines():
            event = orjson.loads(line)
            if event["event"] == "feed_totals":
                self.accepted += event["accepted"]
                self.delivered += event["delivered"]
                self.rejected += event["rejected"]
                self.shortened += event["shortened"]

    async def status(self) -> Status | None:
        """Return its status; `None` when it does not give it."""
        return await self._asked(ControlClient.status)

    async def _ask_for_rejects(self) -> None:
        """Ask why records were rejected, once nothing is pending, or after a while."""
        deadline = time.monotonic() + DRAIN_SECS
        while time.monotonic() < deadline:
            status = await self.status()
            if status is None or not any(feed.pending for feed in status.feeds):
                break
            await asyncio.sleep(0.05)
        self.reasons = await self._asked(lambda client: client.reject_reasons(None)) or []

    async def _asked(self, question: Callable[[ControlClient], T]) -> T | None:
        def ask() -> T | None:
            socket_path = self._folder / "control.sock"
            with closing(ControlClient(socket_path, answer_secs=_ASK_SECS)) as client:
                try:
                    return question(client)
                except NssError:
                    return None

        return await asyncio.to_thread(ask)

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
