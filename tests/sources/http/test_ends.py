"""Where a body ends: the source and an independent reader of HTTP agree on it, whatever comes."""

import asyncio
import contextlib
import logging
import os
import random
import re
import socket
from typing import TYPE_CHECKING

import pytest

from nss.sources.http.source import HttpSource
from tests.parts import http_source
from tests.sources.http.messages import Request, Stream, stream_of

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

SEEDS = range(int(os.environ.get("NSS_HTTP_SEEDS", "2000")))
_ANSWER = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")


def answers_in(data: bytes) -> list[tuple[int, bytes]]:
    """Return the final answers: their statuses and bodies."""
    found, at = [], 0
    while at < len(data):
        head = _ANSWER.match(data, at)
        assert head is not None, data[at:]
        length = re.search(rb"content-length: ([0-9]+)\r\n", head[2])
        size = int(length[1]) if length else 0
        if int(head[1]) >= 200:
            found.append((int(head[1]), data[head.end() : head.end() + size]))
        at = head.end() + size
    return found


async def answers_to(source: HttpSource, stream: bytes, chance: random.Random) -> bytes:
    """Send a stream, cut anywhere, and end it; return what is answered."""
    loop = asyncio.get_running_loop()
    answered = b""
    with socket.socket() as client, contextlib.suppress(ConnectionError):
        client.settimeout(0)
        await loop.sock_connect(client, ("127.0.0.1", source.bound_port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # the source has closed the connection already
            at = 0
            while at < len(stream):
                size = chance.choice([1, 7, 40, len(stream)])
                await loop.sock_sendall(client, stream[at : at + size])
                at += size
                for _ in range(chance.choice([0, 0, 2])):
                    await asyncio.sleep(0)
            client.shutdown(socket.SHUT_WR)
        while part := await asyncio.wait_for(loop.sock_recv(client, 65_536), 20):
            answered += part
    return answered


def judge(stream: bytes, answered: bytes, lines: list[bytes]) -> None:
    """See that what was accepted is what the independent reader finds in the stream."""
    said = Stream(stream)
    answers = answers_in(answered)
    expected: list[bytes] = []
    for number, (status, body) in enumerate(answers):
        if status != 200:
            assert number == len(answers) - 1, "something was answered after a refusal"
            break
        assert number < len(said.requests), "answered 200, and no complete request is there"
        request = said.requests[number]
        assert body == b'{"records":%d}' % len(request.lines)
        expected += request.lines
    assert lines == expected
    for number, request in enumerate(open_requests(said)):
        if not request.is_ordinary:
            break
        given = [status for status, _ in answers[number : number + 1]]
        assert given == [200], f"request {number} is ordinary and got {given}"


def open_requests(said: Stream) -> list[Request]:
    """Return the requests up to the first after which the connection ends."""
    for number, request in enumerate(said.requests):
        if request.closes:
            return said.requests[: number + 1]
    return said.requests


async def test_bodies_end_where_an_independent_reader_says(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    source = http_source()
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    failed = []
    try:
        for seed in SEEDS:
            accepted.batches.clear()
            stream = stream_of(seed)
            answered = await answers_to(source, stream, random.Random(seed))
            try:
                judge(stream, answered, accepted.lines)
            except AssertionError as error:
                failed.append(f"seed {seed}: {error}\n{stream!r}\n{answered!r}")
    finally:
        await source.stop()
        await running
    assert not failed, "\n\n".join(failed[:5]) + f"\n\n{len(failed)} failed"
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_the_streams_are_worth_the_trouble() -> None:
    """Many requests are complete and ordinary, many streams are invalid, some are cut off."""
    said = [Stream(stream_of(seed)) for seed in range(1000)]
    requests = [request for each in said for request in each.requests]
    assert sum(request.is_ordinary for request in requests) > 700
    assert sum(each.end == "invalid" for each in said) > 200
    assert sum(each.end == "incomplete" for each in said) > 50
    assert sum(each.end == "other protocol" for each in said) > 10
