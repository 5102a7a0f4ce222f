"""An HTTP source that listens, and ways to talk to it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx

from nss.sources.http.source import HttpSource
from nss.telemetry import events
from tests.parts import http_source

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

BODY = b'{"a":1}\n{"a":2}\n'
LINE = b"x" * 999 + b"\n"


@contextlib.asynccontextmanager
async def serving(
    accepted: "Accepted",
    **settings: Any,  # noqa: ANN401 - passed on as they are
) -> AsyncIterator[HttpSource]:
    """A source that listens, stopped in the end."""
    settings = {"max_record_bytes": 10_000, "stop_secs": 1.0, **settings}
    source = http_source(**settings)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    try:
        yield source
    finally:
        accepted.open.set()
        await source.stop()
        await asyncio.wait_for(running, 5)


@contextlib.asynccontextmanager
async def client_of(
    source: HttpSource, tls: ssl.SSLContext | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    scheme = "https" if tls else "http"
    async with httpx.AsyncClient(
        base_url=f"{scheme}://127.0.0.1:{source.bound_port}",
        verify=tls or False,
        trust_env=False,
        timeout=5,
    ) as client:
        yield client


@contextlib.asynccontextmanager
async def raw(
    source: HttpSource,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", source.bound_port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_to(source: HttpSource, request: bytes) -> bytes:
    """Send bytes as they are; return all that is answered until the source closes."""
    async with raw(source) as (reader, writer):
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)


def whole(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def counted(counter: str, expected: int) -> None:
    """Wait until a counter of the source is where it should be."""
    async with asyncio.timeout(20):
        while events.counters[counter, "push"] < expected:  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.005)
    assert events.counters[counter, "push"] == expected
