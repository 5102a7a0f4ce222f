"""Senders that go on through every crash, and know what they are owed."""

import asyncio
import contextlib
from pathlib import Path
from typing import Protocol

import httpx

from tests.crash.records import Records

STEP_SECS = 0.02
RECORDS = 25
"""Sent every `STEP_SECS`."""

BROKEN = b"this is no record\n"
BROKEN_EVERY = 7
"""One batch of so many ends with a broken line."""


class Sender(Protocol):
    async def step(self) -> None:
        """Send the next records."""


class FileSender:
    """Appends to a file; every line is owed, once."""

    def __init__(self, path: Path, records: Records) -> None:
        self.names: list[str] = []
        self.broken = 0
        self._path = path
        self._records = records
        self._steps = 0
        path.touch()

    async def step(self) -> None:
        names, data = self._records.make("web-0", len(self.names), RECORDS)
        self.names += names
        self._steps += 1
        if self._steps % BROKEN_EVERY == 0:
            self.broken += 1
            data += BROKEN
        half = len(data) // 2
        with self._path.open("ab", buffering=0) as stream:
            stream.write(data[:half])
            try:
                await asyncio.sleep(0)
            finally:  # also when the sending is stopped here: the next record starts a line
                stream.write(data[half:])


class TcpSender:
    """Sends over a connection, and over the next when it breaks.

    Of each connection a first part is owed, the one that was committed: nothing within it may be
    missing.
    """

    def __init__(self, port: int, records: Records) -> None:
        self.sent: dict[str, list[str]] = {}
        self._port = port
        self._records = records
        self._writer: asyncio.StreamWriter | None = None
        self._stem = ""

    async def step(self) -> None:
        try:
            await self._send()
        except OSError:
            await self.close()

    async def _send(self) -> None:
        if self._writer is None or self._writer.is_closing():
            _, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._stem = f"tcp-{len(self.sent)}"
            self.sent[self._stem] = []
        sent = self.sent[self._stem]
        names, data = self._records.make(self._stem, len(sent), RECORDS)
        sent += names
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Pusher:
    """Posts over HTTP; what was answered with 200 is owed, once, the rest is not repeated."""

    def __init__(self, port: int, records: Records) -> None:
        self.told: list[str] = []
        self.names: list[str] = []
        self._url = f"http://127.0.0.1:{port}/"
        self._records = records
        self._client = httpx.AsyncClient(trust_env=False, timeout=10)

    async def step(self) -> None:
        names, data = self._records.make("push-0", len(self.names), RECORDS)
        self.names += names
        with contextlib.suppress(httpx.TransportError):
            answer = await self._client.post(self._url, content=data)
            if answer.status_code == httpx.codes.OK:
                self.told += names

    async def close(self) -> None:
        await self._client.aclose()


async def keep_sending(sender: Sender) -> None:
    """Send until cancelled."""
    while True:
        await sender.step()
        await asyncio.sleep(STEP_SECS)
