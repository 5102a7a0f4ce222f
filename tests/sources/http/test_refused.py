"""What the HTTP source refuses, how it says so, and that nothing of it is accepted."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from nss.telemetry import events
from tests.sources.http.serving import (
    BODY,
    LINE,
    answer_to,
    client_of,
    counted,
    raw,
    serving,
    whole,
)

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted


async def test_other_paths_and_methods_are_refused(accepted: "Accepted") -> None:
    async with serving(accepted, path="/push") as source, client_of(source) as client:
        elsewhere = await client.post("/", content=BODY)
        read = await client.get("/push")
        looked = await client.head("/push")
        put = await client.put("/push", content=BODY)
        taken = await client.post("/push?compression=none", content=BODY)
    assert whole(elsewhere) == (404, {"error": "records are taken at another path"})
    for answer in (read, put):
        assert whole(answer) == (405, {"error": "records are taken by POST"})
    assert [answer.headers["allow"] for answer in (read, looked, put)] == ["POST"] * 3
    assert (looked.status_code, looked.content) == (405, b"")
    assert whole(taken) == (200, {"records": 2})
    assert accepted.data == BODY


async def test_secrets_and_records_are_in_no_log_and_no_answer(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(accepted, token=b"canary-token") as source, client_of(source) as client:
        for given in ("Bearer canary-guess", "Bearer canary-token"):
            for encoding in ("identity", "gzip", "canary"):
                headers = {"Authorization": given, "Content-Encoding": encoding}
                answer = await client.post("/?canary", content=b"canary", headers=headers)
                assert "canary" not in answer.text + str(answer.headers)
        assert b"canary" not in await answer_to(source, b"canary\r\n\r\n")
        assert repr(source._credentials) == "***"
        assert "canary" not in repr(vars(source))
    logged = [str(record.__dict__) for record in caplog.records if record.name.startswith("nss")]
    assert len(logged) > 3
    assert [text for text in logged if "canary" in text] == []


@pytest.mark.parametrize(
    "line",
    [
        b"X: canary\x1b[31m",
        b"X-canary\x1b: y",
        b"Host: canary\x7f",
        b"Host: canary\xe2\x80\xae",
        b"Authorization: Bearer canary\x9b\xff",
        b"Content-Encoding: canary\xe2\x80\xa8",
        b"Transfer-Encoding: canary\x85",
        b"Expect: canary\xff",
    ],
)
async def test_nothing_of_a_header_reaches_log_or_answer(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture, line: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    rest = b"\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n"
    async with serving(accepted, token=b"t") as source:
        answer = await answer_to(source, b"POST /canary%1b HTTP/1.1\r\n" + line + rest)
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"canary" not in answer
    facts = [vars(record).get("facts", {}) for record in caplog.records]
    assert [each["status"] for each in facts if "status" in each] == [int(answer[9:12])]
    assert "canary" not in str([vars(record) for record in caplog.records if record.name == "nss"])
    assert all(str(value).isprintable() for each in facts for value in each.values())


async def test_a_huge_head_is_refused(accepted: "Accepted") -> None:
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=BODY, headers={"X-Long": "x" * 40_000})
        assert whole(answer) == (431, {"error": "the head is too long"})
        many = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 100) for number in range(3000))
        endless = await answer_to(source, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + many)
        assert endless.startswith(b"HTTP/1.1 431 ")
        assert events.counters["source_requests_refused_431", "push"] == 2
    assert accepted.batches == []


async def test_a_body_without_a_length_is_refused(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        answer = await answer_to(source, b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        old = await answer_to(source, b"POST / HTTP/1.0\r\n\r\na\nb\n")
    assert answer.startswith(b"HTTP/1.1 411 Length Required\r\n")
    assert old.startswith((b"HTTP/1.1 411 ", b"HTTP/1.1 400 "))
    assert accepted.batches == []


async def in_chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_a_body_that_is_too_long_is_refused_whole(accepted: "Accepted") -> None:
    too_long = (413, {"error": "the body is longer than 2000 bytes as sent"})
    async with serving(accepted, max_body_bytes=2000) as source, client_of(source) as client:
        fits = await client.post("/", content=LINE * 2)
        announced = await client.post("/", content=LINE * 2 + b"x")
        chunked = await client.post("/", content=in_chunks(LINE * 2 + b"x", 700))
    assert whole(fits) == (200, {"records": 2})
    assert [whole(announced), whole(chunked)] == [too_long, too_long]
    assert accepted.data == LINE * 2


async def test_a_body_that_is_too_long_unpacked_is_refused_whole(accepted: "Accepted") -> None:
    packed = {"Content-Encoding": "gzip"}
    async with (
        serving(accepted, max_decompressed_bytes=2000) as source,
        client_of(source) as client,
    ):
        fits = await client.post("/", content=gzip.compress(LINE * 2), headers=packed)
        over = await client.post("/", content=gzip.compress(LINE * 2 + b"x"), headers=packed)
    assert whole(fits) == (200, {"records": 2})
    assert whole(over) == (413, {"error": "the body is longer than 2000 bytes unpacked"})
    assert accepted.data == LINE * 2


@pytest.mark.parametrize(
    "encoding", ["br", "compress", "gzip, gzip", "gzip, zstd", "identity, gzip", "\x22", "gzip;q=1"]
)
async def test_unknown_and_stacked_encodings_are_refused(
    accepted: "Accepted", encoding: str
) -> None:
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=BODY, headers={"Content-Encoding": encoding})
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip, deflate, zstd, identity"
    assert accepted.batches == []


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (b"", 400),
        (b"Host: localhost\r\nHost: localhost\r\n", 400),
        (b"Host: localhost\r\nhost: example.com\r\n", 400),
        (b"Host: local host\r\n", 400),
        (b"Host: localhost/\r\n", 400),
        (b"Host: localhost:80a\r\n", 400),
        (b"Host: localhost:8088 \t\r\n", 200),
    ],
)
async def test_a_request_needs_one_valid_host(
    accepted: "Accepted", hosts: bytes, status: int
) -> None:
    rest = b"Connection: close\r\nContent-Length: 2\r\n\r\na\n"
    async with serving(accepted) as source:
        answer = await answer_to(source, b"POST / HTTP/1.1\r\n" + hosts + rest)
        old = await answer_to(source, b"POST / HTTP/1.0\r\n" + rest)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"needs one valid Host header" in answer) == (status == 400)
    assert old.startswith(b"HTTP/1.1 200 ")
    assert accepted.lines == [b"a"] * (2 if status == 200 else 1)


async def test_strangers_learn_nothing_of_path_and_method(accepted: "Accepted") -> None:
    async with serving(accepted, token=b"t", path="/push") as source, client_of(source) as client:
        statuses = [
            (await client.request(method, path, content=content)).status_code
            for method in ("POST", "GET", "PUT", "OPTIONS")
            for path in ("/", "/push")
            for content in (None, BODY)
        ]
        client.headers["Authorization"] = "Bearer t"
        elsewhere = await client.post("/", content=BODY)
        read = await client.get("/push")
    assert statuses == [401] * 16
    assert (elsewhere.status_code, read.status_code) == (404, 405)


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
async def test_other_versions_of_http_are_refused(accepted: "Accepted", version: bytes) -> None:
    rest = b"\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n"
    async with serving(accepted) as source:
        answer = await answer_to(source, b"POST / HTTP/" + version + rest)
    assert answer.startswith(b"HTTP/1.1 505 ")
    assert accepted.batches == []
    assert events.counters["source_requests_refused_505", "push"] == 1


SMUGGLED = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\na\n",
    "length and chunked": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "signed length": b"Content-Length: +2\r\n\r\na\n",
    "huge length": b"Content-Length: 99999999999999999999\r\n\r\na\n",
    "not chunked last": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "blank before colon": b"Content-Length : 2\r\n\r\na\n",
    "bad chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\na\n\r\n0\r\n\r\n",
    "folded header": b"X: a\r\n b\r\nContent-Length: 2\r\n\r\na\n",
    "empty length": b"Content-Length:\r\n\r\na\n",
    "NUL in a value": b"X: \0\r\nContent-Length: 2\r\n\r\na\n",
}


@pytest.mark.parametrize("head", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_what_could_be_read_in_two_ways_is_refused(accepted: "Accepted", head: bytes) -> None:
    async with serving(accepted) as source:
        answer = await answer_to(source, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b'{"error":"request refused: it is no valid HTTP/1.1"}')
    assert answer.count(b"HTTP/1.1 ") == 1
    assert accepted.batches == []
    assert events.counters["source_requests_refused_400", "push"] == 1


async def test_transfer_codings_other_than_chunked_are_refused(accepted: "Accepted") -> None:
    head = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    )
    async with serving(accepted) as source:
        answer = await answer_to(source, head)
    assert answer.startswith(b"HTTP/1.1 501 Not Implemented\r\n")
    assert answer.endswith(b'"only chunked is known here"}')


async def test_the_preface_of_http_2_is_refused(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        answer = await answer_to(source, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_sender_that_was_refused_and_stays_loses_its_connection(
    accepted: "Accepted",
) -> None:
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(b"no HTTP\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        async with asyncio.timeout(10):
            while source._serving:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)


async def test_chunks_in_http_1_0_are_refused(accepted: "Accepted") -> None:
    head = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n0\r\n\r\n"
    async with serving(accepted) as source:
        answer = await answer_to(source, head)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'"HTTP/1.0 has no transfer encoding"}')
    assert accepted.batches == []


async def test_a_sender_that_ends_its_side_gets_its_answers(accepted: "Accepted") -> None:
    accepted.open.clear()
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n%d\n"
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(request % 1 + request % 2 + request[:-1] % 3)
        writer.write_eof()
        await accepted.until_waiting()
        accepted.open.set()
        answers = await asyncio.wait_for(reader.read(), 5)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert accepted.lines == [b"1", b"2"]


async def test_a_long_body_of_a_sender_that_ends_its_side_is_taken(accepted: "Accepted") -> None:
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n")
        writer.write(LINE * 5000)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 20)
    assert answer.endswith(b'{"records":5000}')
    assert accepted.data == LINE * 5000


async def test_a_refusal_does_not_take_the_place_of_an_answer_that_is_due(
    accepted: "Accepted",
) -> None:
    accepted.open.clear()
    good = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n"
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(good)
        await accepted.until_waiting()
        writer.write(b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000)
        await counted("source_requests_refused_431", 1)
        accepted.open.set()
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert accepted.lines == [b"a"]


async def test_the_last_answer_to_a_sender_that_ends_its_side_closes(accepted: "Accepted") -> None:
    accepted.open.clear()
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n")
        writer.write_eof()
        await accepted.until_waiting()
        accepted.open.set()
        answer = await asyncio.wait_for(reader.read(), 5)
    assert b"\r\nconnection: close\r\n" in answer


async def test_what_follows_a_request_does_not_take_its_answer(accepted: "Accepted") -> None:
    accepted.open.clear()
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n"
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(request)
        await accepted.until_waiting()
        writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        await writer.drain()
        accepted.open.set()
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert accepted.lines == [b"a"]


async def test_trailers_are_passed_over(accepted: "Accepted") -> None:
    chunks = b"2\r\na\n\r\n0\r\nContent-Encoding: gzip\r\nX: y\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    async with serving(accepted) as source:
        answer = await answer_to(source, head + chunks)
        endless = await answer_to(source, head + b"2\r\nb\n\r\n0\r\n" + b"X: y\r\n" * 60_000)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert endless.startswith(b"HTTP/1.1 431 ")
    assert accepted.lines == [b"a"]


async def test_a_sender_that_asks_first_is_told_before_it_sends(accepted: "Accepted") -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
    async with serving(accepted, token=b"t") as source:
        refused = await answer_to(source, head + b"\r\n")
        async with raw(source) as (reader, writer):
            writer.write(head + b"Authorization: Bearer t\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"a\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert refused.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert accepted.lines == [b"a"]


UPGRADE = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABk\r\nContent-Length: %d\r\n\r\n"
)
"""As `curl --http2` and Java's HttpClient begin."""


@pytest.mark.parametrize("in_one_piece", [True, False])
async def test_a_request_that_wants_another_protocol_is_refused(
    accepted: "Accepted", *, in_one_piece: bool
) -> None:
    hidden = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\nhidden\n"
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(UPGRADE % len(hidden))
        if not in_one_piece:
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(hidden)
        answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"without Upgrade" in answer
    assert accepted.batches == []
    assert events.counters["source_requests_refused_501", "push"] == 1


async def test_a_request_before_one_that_wants_another_protocol_is_answered(
    accepted: "Accepted",
) -> None:
    good = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\ngood\n"
    async with serving(accepted) as source:
        answer = await answer_to(source, good + UPGRADE % 5 + b"bad.\n" + good)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [batch.data for batch in accepted.batches] == [b"good\n"]
    assert events.counters["source_requests_refused_501", "push"] == 1
