"""The HTTP source over real sockets: what each request is answered, and what is accepted then."""

import asyncio
import contextlib
import gzip
import logging
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme
import zstandard

from nss.batch import Batch
from nss.errors import SourceError
from nss.telemetry import events
from tests.parts import happened, http_source
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


async def test_records_are_accepted_and_counted_in_the_answer(accepted: "Accepted") -> None:
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=BODY)
    assert whole(answer) == (200, {"records": 2})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["date"].endswith("GMT")
    assert "server" not in answer.headers
    assert accepted.data == BODY
    assert events.counters["source_requests_accepted", "push"] == 1


async def test_a_batch_tells_source_and_peer(accepted: "Accepted") -> None:
    async with serving(accepted) as source, raw(source) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n")
        await reader.readuntil(b"}")
        host, port = writer.get_extra_info("sockname")[:2]
    assert accepted.batches == [Batch("push", b"a\n", 1, None, f"{host}:{port}")]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("declared", [{}, {"Content-Encoding": "identity"}])
async def test_a_packed_body_is_unpacked_also_if_nothing_declares_it(
    accepted: "Accepted", pack: Callable[[bytes], bytes], declared: dict[str, str]
) -> None:
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=pack(BODY * 500), headers=declared)
    assert whole(answer) == (200, {"records": 1000})
    assert accepted.data == BODY * 500


async def test_an_empty_body_is_accepted(accepted: "Accepted") -> None:
    async with serving(accepted) as source, client_of(source) as client:
        answers = [
            await client.post("/", content=b""),
            await client.post("/", content=b"", headers={"Content-Encoding": "gzip"}),
            await client.post("/", content=b"[]"),
            await client.post("/", content=b"\r\n\n"),
        ]
    assert [whole(answer) for answer in answers] == [(200, {"records": 0})] * 4
    assert accepted.batches == []


async def test_many_requests_go_over_one_connection(accepted: "Accepted") -> None:
    async with serving(accepted) as source, client_of(source) as client:
        for number in range(20):
            answer = await client.post("/", content=b"%d" % number)
            assert whole(answer) == (200, {"records": 1})
        assert events.counters["source_connections", "push"] == 1
    assert accepted.lines == [b"%d" % number for number in range(20)]


async def test_pipelined_requests_are_answered_in_order(accepted: "Accepted") -> None:
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n%d\n"
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") % 3
    async with serving(accepted) as source:
        answers = await answer_to(source, request % 1 + request % 2 + last)
    assert answers.count(b'{"records":1}') == 3
    assert accepted.lines == [b"1", b"2", b"3"]


async def test_a_body_is_cut_into_batches_in_order(accepted: "Accepted") -> None:
    lines = b"".join(b"%099d\n" % number for number in range(50_000))
    async with serving(accepted) as source, client_of(source) as client:
        answer = await client.post("/", content=lines)
    assert whole(answer) == (200, {"records": 50_000})
    assert accepted.data == lines
    sizes = [len(batch.data) for batch in accepted.batches]
    assert [1 << 19 < size < 3 << 19 for size in sizes[:-1]] == [True] * (len(sizes) - 1)


async def test_the_answer_comes_only_after_every_batch_was_accepted(accepted: "Accepted") -> None:
    accepted.open.clear()
    async with serving(accepted) as source, client_of(source) as client:
        asking = asyncio.create_task(client.post("/", content=LINE * 3000))
        await accepted.until_waiting()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asking), 0.1)
        assert not asking.done()
        accepted.open.set()
        assert whole(await asking) == (200, {"records": 3000})
        assert accepted.records == 3000


# The spool has no room, or is broken.


async def test_why_nothing_is_accepted_is_told_and_the_connection_goes_on(
    accepted: "Accepted",
) -> None:
    held_up: str | None = "feed mcas has as much pending as it may have"
    async with (
        serving(accepted, held_up=lambda: held_up) as source,
        client_of(source) as client,
    ):
        refused = await client.post("/", content=LINE * 5000)
        error = source.last_error
        held_up = None
        taken = await client.post("/", content=BODY)
        assert events.counters["source_connections", "push"] == 1
        assert source.last_error is None
    assert whole(refused) == (503, {"error": "feed mcas has as much pending as it may have"})
    assert refused.headers["retry-after"] == "5"
    assert error == (
        "http source: requests get 503: feed mcas has as much pending as it may have (127.0.0.1)"
    )
    assert whole(taken) == (200, {"records": 2})
    assert accepted.data == BODY


async def test_a_spool_that_takes_too_long_is_told(accepted: "Accepted") -> None:
    async with serving(accepted, accept_secs=0.05) as source, client_of(source) as client:
        accepted.open.clear()
        refused = await client.post("/", content=BODY)
        error = source.last_error
        accepted.open.set()
        taken = await client.post("/", content=BODY)
        assert source.last_error is None
    assert whole(refused) == (503, {"error": "the spool took nothing for 0.05 s"})
    assert refused.headers["retry-after"] == "5"
    assert error == ("http source: requests get 503: the spool took nothing for 0.05 s (127.0.0.1)")
    assert whole(taken) == (200, {"records": 2})
    assert accepted.data == BODY


async def test_a_batch_that_had_to_wait_for_a_feed_is_refused_with_the_name_of_that_feed(
    accepted: "Accepted",
) -> None:
    reasons = [None, "feed mcas has as much pending as it may have"]
    async with (
        serving(
            accepted, accept_secs=0.05, held_up=lambda: reasons.pop(0) if reasons else None
        ) as source,
        client_of(source) as client,
    ):
        accepted.open.clear()
        refused = await client.post("/", content=BODY)
        error = source.last_error
    assert whole(refused) == (503, {"error": "feed mcas has as much pending as it may have"})
    assert error is not None
    assert "requests get 503: feed mcas has as much pending" in error


async def test_too_many_requests_at_once_are_told(accepted: "Accepted") -> None:
    async with serving(accepted, max_connections=2) as source, client_of(source) as client:
        accepted.open.clear()
        waiting = [asyncio.create_task(client.post("/", content=BODY)) for _ in range(2)]
        async with asyncio.timeout(20):
            while accepted.waiting < 2:  # noqa: ASYNC110 - it signals the first alone
                await asyncio.sleep(0.005)
        refused = await client.post("/", content=BODY)
        accepted.open.set()
        taken = [whole(await each) for each in waiting]
    assert whole(refused) == (503, {"error": "too many requests at once"})
    assert refused.headers["retry-after"] == "5"
    assert taken == [(200, {"records": 2})] * 2


async def test_connections_beyond_the_limit_are_closed_unread(accepted: "Accepted") -> None:
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na\n"
    async with serving(accepted, max_connections=1) as source, contextlib.AsyncExitStack() as open_:
        connections = []
        for _ in range(4):
            reader, writer = await open_.enter_async_context(raw(source))
            writer.write(request)
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK\r\n")
            connections.append((reader, writer))
        with pytest.raises(ConnectionResetError):
            await answer_to(source, b"")
        assert events.counters["source_connections_refused", "push"] == 1
        reader, writer = connections[0]
        writer.write(request)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_error_of_the_spool_ends_the_source(accepted: "Accepted") -> None:
    source = http_source(max_record_bytes=1000)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    accepted.failure = TimeoutError("the disk is gone")
    async with client_of(source) as client:
        answer = await client.post("/", content=BODY)
        with pytest.raises(TimeoutError, match="the disk is gone"):
            await running
    assert whole(answer) == (503, {"error": "the spool is broken"})


# The source and its end.


async def test_a_port_that_is_taken_is_an_error_with_a_tip(accepted: "Accepted") -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        source = http_source(port=port, max_record_bytes=1000)
        with pytest.raises(SourceError) as error:
            await source.run(accepted.accept)
    assert str(error.value) == (
        f"http source: can't listen: address already in use (127.0.0.1:{port})\n"
        "Try: choose an address of this machine and a free port; below 1024 the user that nss "
        "runs as needs CAP_NET_BIND_SERVICE"
    )


async def test_stop_finishes_requests_under_way_and_takes_no_more(accepted: "Accepted") -> None:
    accepted.open.clear()
    source = http_source(max_record_bytes=1000)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    async with raw(source) as (idle, _), client_of(source) as client:
        await counted("source_connections", 1)
        asking = asyncio.create_task(client.post("/", content=BODY))
        await accepted.until_waiting()
        await source.stop()
        assert await asyncio.wait_for(idle.read(), 5) == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", source.bound_port)
        assert not running.done()
        accepted.open.set()
        answer = await asking
        await running
    assert whole(answer) == (200, {"records": 2})
    assert answer.headers["connection"] == "close"
    assert accepted.data == BODY


async def test_stop_does_not_wait_long_for_a_body(accepted: "Accepted") -> None:
    async with serving(accepted, stop_secs=0.1) as source, raw(source) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na\n")
        await counted("source_connections", 1)
        await source.stop()
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert accepted.batches == []


async def test_a_source_can_be_cancelled_while_a_batch_waits(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    accepted.open.clear()
    source = http_source(max_record_bytes=1000)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    async with client_of(source) as client:
        asking = asyncio.create_task(client.post("/", content=BODY))
        await accepted.until_waiting()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(httpx.TransportError):
            await asking
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


# TLS.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_records_come_over_tls(
    accepted: "Accepted", server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with (
        serving(accepted, ssl_context=server_context) as source,
        client_of(source, client_context) as client,
    ):
        answer = await client.post("/", content=LINE * 3000)
        own = {"Origin": f"https://127.0.0.1:{source.bound_port}"}
        from_its_page = await client.post("/", content=b"", headers=own)
    assert whole(answer) == (200, {"records": 3000})
    assert from_its_page.status_code == 200
    assert accepted.data == LINE * 3000


async def test_failed_handshakes_are_counted_and_harm_nobody(
    accepted: "Accepted",
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        serving(accepted, ssl_context=server_context, head_secs=0.3) as source,
        client_of(source, client_context) as client,
    ):
        assert (await answer_to(source, b"GET / HTTP/1.1\r\n\r\n"))[:1] in {b"", b"\x15"}
        assert await answer_to(source, b"") == b""  # falls silent
        await counted("source_handshakes_failed", 2)
        (why,) = [facts["why"] for name, facts in happened(caplog) if name == "handshake_failed"]
        assert " " in why  # OpenSSL's words, and no name of a class
        answer = await client.post("/", content=BODY)
    assert whole(answer) == (200, {"records": 2})


async def test_a_tls_client_that_never_answers_the_end_keeps_no_connection(
    accepted: "Accepted", server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    def say_hello(client: ssl.SSLSocket) -> None:
        client.do_handshake()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    async with serving(accepted, ssl_context=server_context) as source:
        connected = socket.create_connection(("127.0.0.1", source.bound_port), 10)
        with client_context.wrap_socket(
            connected, server_hostname="127.0.0.1", do_handshake_on_connect=False
        ) as client:
            await asyncio.to_thread(say_hello, client)
            async with asyncio.timeout(10):  # asyncio itself would wait for 30
                while source._serving:  # noqa: ASYNC110 - nothing signals it
                    await asyncio.sleep(0.01)


async def test_a_client_without_the_certificate_asked_for_is_turned_away(
    accepted: "Accepted",
    authority: trustme.CA,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> None:
    server_context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_context)
    async with serving(accepted, ssl_context=server_context) as source:
        async with client_of(source, client_context) as stranger:
            with pytest.raises(httpx.TransportError):
                await stranger.post("/", content=b"stranger")
        await counted("source_handshakes_failed", 1)
        authority.issue_cert("client").configure_cert(client_context)
        async with client_of(source, client_context) as known:
            answer = await known.post("/", content=b"known")
    assert whole(answer) == (200, {"records": 1})
    assert accepted.lines == [b"known"]
