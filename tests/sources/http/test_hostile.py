"""Senders that are slow, broken, gone or hostile, and what that means for the others: nothing."""

import asyncio
import contextlib
import gzip
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
import zstandard

from nss.sources.http.source import HttpSource
from nss.telemetry import events
from tests.sources.http.serving import LINE, counted
from tests.sources.http.serving import serving as listening

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


serving = partial(listening, stop_secs=0.1)


class Client:
    """A connection to the source."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, source: HttpSource) -> AsyncIterator["Client"]:
        client = cls(*await asyncio.open_connection("127.0.0.1", source.bound_port))
        try:
            yield client
        finally:
            client.writer.close()
            with contextlib.suppress(OSError):
                await client.writer.wait_closed()

    def reset(self) -> None:
        """Close so that the other side sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def answer(self) -> bytes:
        """Return what is answered until the source closes."""
        return await asyncio.wait_for(self.reader.read(), 5)


async def counted_at_least(counter: str, least: int) -> None:
    """Wait until something has happened often enough."""
    while events.counters[counter, "push"] < least:  # noqa: ASYNC110 - nothing signals it
        await asyncio.sleep(0.005)


async def test_a_body_that_takes_too_long_is_given_up(accepted: "Accepted") -> None:
    async with serving(accepted, body_secs=0.1) as source, Client.to(source) as client:
        client.writer.write(HEAD + b"Content-Length: 9\r\n\r\na\nb\n")
        answer = await client.answer()
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b'{"error":"the body takes too long"}')
    assert accepted.batches == []


async def test_a_body_that_trickles_in_is_given_up(accepted: "Accepted") -> None:
    async with serving(accepted, body_secs=0.2) as source, Client.to(source) as client:
        client.writer.write(HEAD + b"Content-Length: 900\r\n\r\n")
        answering = asyncio.create_task(client.reader.readuntil(b"}"))
        while not answering.done():
            client.writer.write(b"a")
            await asyncio.wait([answering], timeout=0.02)
    assert answering.result().startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_waiting_for_the_spool_does_not_count_as_a_slow_body(accepted: "Accepted") -> None:
    accepted.open.clear()
    body = LINE * 4000
    async with serving(accepted, body_secs=0.3) as source, Client.to(source) as client:
        client.writer.write(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        client.writer.write(body[:-1])
        await accepted.until_waiting()
        await asyncio.sleep(0.4)  # longer than body_secs: that is what is tested
        accepted.open.set()
        client.writer.write(body[-1:])
        answer = await client.answer()
    assert answer.endswith(b'{"records":4000}')


async def test_a_head_that_takes_too_long_is_given_up(accepted: "Accepted") -> None:
    async with serving(accepted, head_secs=0.1) as source:
        async with Client.to(source) as silent:
            assert await silent.answer() == b""
        async with Client.to(source) as slow:
            slow.writer.write(HEAD)
            answer = await slow.answer()
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert answer.endswith(b'{"error":"request refused: its head takes too long"}')
        async with Client.to(source) as second:
            second.writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
            await second.reader.readuntil(b"}")
            second.writer.write(b"\r\n\r\n")  # is no head, and is passed over by the parser
            assert (await second.answer()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert events.counters["source_requests_refused_408", "push"] == 2


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "coding", [b"Content-Length: 100\r\n\r\n%b", b"Transfer-Encoding: chunked\r\n\r\n4\r\n%b\r\n"]
)
async def test_a_body_that_is_cut_off_is_not_accepted(
    accepted: "Accepted", how: str, coding: bytes
) -> None:
    async with serving(accepted) as source:
        async with Client.to(source) as client:
            client.writer.write(HEAD + coding % b"a\nb\n")
            await client.writer.drain()
            await counted("source_connections", 1)
            if how == "reset":
                client.reset()
        await counted("source_requests_broken_off", 1)
    assert accepted.batches == []
    assert events.counters["source_requests_refused", "push"] == 0


async def test_of_a_long_body_that_is_cut_off_what_went_on_stays_accepted(
    accepted: "Accepted",
) -> None:
    async with serving(accepted) as source:
        async with Client.to(source) as client:
            client.writer.write(HEAD + b"Content-Length: 20000000\r\n\r\n" + LINE * 5000 + b"half")
            await accepted.until(2000)
        await counted("source_requests_broken_off", 1)
    assert accepted.data == LINE * accepted.records
    assert accepted.records <= 5000


async def test_a_sender_gone_before_the_answer_harms_nobody(accepted: "Accepted") -> None:
    accepted.open.clear()
    async with serving(accepted) as source:
        async with Client.to(source) as client:
            client.writer.write(HEAD + b"Content-Length: 2\r\n\r\na\n")
            await accepted.until_waiting()
            client.reset()
        accepted.open.set()
        await counted("source_requests_accepted", 1)
    assert accepted.lines == [b"a"]


BOMB = b"0" * (300 << 20)
BOMBS = {
    "gzip": gzip.compress(BOMB, 1),
    "deflate": zlib.compress(BOMB, 1),
    "zstd": zstandard.ZstdCompressor(level=3).compress(BOMB),
}
del BOMB


@pytest.mark.parametrize("encoding", BOMBS)
async def test_a_bomb_is_refused_and_nothing_of_it_is_accepted(
    accepted: "Accepted", encoding: str
) -> None:
    async with serving(accepted) as source, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://127.0.0.1:{source.bound_port}/",
            content=BOMBS[encoding],
            headers={"Content-Encoding": encoding},
        )
    assert answer.status_code == 413
    assert accepted.batches == []


async def keep_pushing(url: str, body: bytes, encoding: str, until: asyncio.Event) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        while not until.is_set():
            with contextlib.suppress(httpx.TransportError):
                await client.post(url, content=body, headers={"Content-Encoding": encoding})


async def keep_sending(source: HttpSource, data: bytes, until: asyncio.Event) -> None:
    while not until.is_set():
        async with Client.to(source) as client:
            client.writer.write(data)
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(client.reader.read(), 0.2)


HOSTILE: list[tuple[bytes, str]] = [
    (BOMBS["gzip"], "gzip"),
    (BOMBS["zstd"], "zstd"),
    (gzip.compress(b"\n" * (8 << 20)), "gzip"),
    (gzip.compress(b"[]\n" * (1 << 20)), "gzip"),
    (gzip.compress(b"{}" * (1 << 20)), "gzip"),
    (gzip.compress(b"{\n" * (1 << 19)), "gzip"),
    (gzip.compress(b"") * 50_000, "gzip"),
    (b"[" * 500_000, "identity"),
    (b'{"a":' * 200_000, "identity"),
    (b"\xff" * 1_000_000, "zstd"),
]
CRUDE = [
    b"\x00" * 100_000,
    HEAD + b"X: y\r\n" * 100_000,
    HEAD + b"Content-Length: 999999\r\n\r\nslow",
    HEAD + b"Content-Length: 0\r\n\r\n" * 500,
    HEAD * 2,
    b"",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"e" * 200_000,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1000,
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: localhost\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


async def test_a_good_sender_is_served_among_twenty_hostile_ones(accepted: "Accepted") -> None:
    over = asyncio.Event()
    body = b"good\n" + LINE * 200
    async with serving(accepted, body_secs=5.0) as source:
        url = f"http://127.0.0.1:{source.bound_port}/"
        hostile = [asyncio.create_task(keep_pushing(url, *each, over)) for each in HOSTILE]
        hostile += [asyncio.create_task(keep_sending(source, each, over)) for each in CRUDE]
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=None) as client:  # noqa: S113 - pytest has one
                for _ in range(20):
                    answer = await client.post(url, content=body)
                    assert (answer.status_code, answer.json()) == (200, {"records": 201})
                await counted_at_least("source_requests_refused", 20)
        finally:
            over.set()
            for each in hostile:
                each.cancel()
            await asyncio.gather(*hostile, return_exceptions=True)
        connections = len(source._serving)
    assert accepted.lines.count(b"good") == 20
    assert connections <= 256
