"""The TCP source over real sockets: framing, back-pressure, limits, ends of all kinds, TLS."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from nss.errors import SourceError
from nss.sources.tcp.source import TcpSource
from nss.telemetry import events
from tests.parts import happened, tcp_source

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

MAX = 1000


@contextlib.asynccontextmanager
async def serving(
    accepted: "Accepted",
    **settings: Any,  # noqa: ANN401 - passed on as they are
) -> AsyncIterator[TcpSource]:
    """A source that listens, stopped in the end."""
    settings = {"max_record_bytes": MAX, **settings}
    source = tcp_source(**settings)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    try:
        yield source
    finally:
        accepted.open.set()
        await source.stop()
        await asyncio.wait_for(running, 5)


class Client:
    """A connection to the source."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        host, port = writer.get_extra_info("sockname")[:2]
        self.name = f"{host}:{port}"

    @classmethod
    async def to(cls, source: TcpSource, tls: ssl.SSLContext | None = None) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", source.bound_port, ssl=tls))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def reset(self) -> None:
        """Close so that the other side sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()
        await self.close()

    async def ended(self) -> bool:
        """Wait until the source closed the connection."""
        with contextlib.suppress(ConnectionResetError):
            return await self.reader.read() == b""
        return True


async def count(counter: str, expected: int) -> None:
    """Wait until a counter of the source is where it should be."""
    async with asyncio.timeout(20):
        while events.counters[counter, "tcp"] < expected:  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.005)
    assert events.counters[counter, "tcp"] == expected


async def test_lines_of_a_connection_are_handed_on_in_order(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        client = await Client.to(source)
        client.send(b"one\r\n\ntwo\nthr")
        await accepted.until(2)
        client.send(b"ee\n")
        await accepted.until(3)
        await client.close()
    assert accepted.lines == [b"one", b"two", b"three"]
    assert [(b.source, b.connection, b.position) for b in accepted.batches] == [
        ("tcp", client.name, None),
        ("tcp", client.name, None),
    ]


async def test_many_connections_do_not_mix(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        clients = [await Client.to(source) for _ in range(20)]
        for part in range(5):
            for number, client in enumerate(clients):
                client.send(b"%d-%d\n%d-" % (number, part, number))
                await client.writer.drain()
        for client in clients:
            await client.close()
        await accepted.until(120)
    for number, client in enumerate(clients):
        expected = [b"%d-0" % number]
        expected += [b"%d-%d-%d" % (number, number, part) for part in range(1, 5)]
        assert accepted.of(client.name) == [*expected, b"%d-" % number]


async def test_the_last_line_needs_no_line_feed_when_the_peer_closes(
    accepted: "Accepted",
) -> None:
    async with serving(accepted) as source:
        client = await Client.to(source)
        client.send(b"one\ntwo")
        await client.close()
        await accepted.until(2)
    assert accepted.lines == [b"one", b"two"]


OCTETS = b"5 a\nb c13 <134>Oct 6 x:"


@pytest.mark.parametrize(
    ("framing", "lines"),
    [
        ("auto", [b"a b c", b"<134>Oct 6 x:"]),
        ("octet", [b"a b c", b"<134>Oct 6 x:"]),
        ("newline", [b"5 a", b"b c13 <134>Oct 6 x:"]),
    ],
)
async def test_octet_counting_is_told_apart_or_set(
    accepted: "Accepted", framing: str, lines: list[bytes]
) -> None:
    async with serving(accepted, framing=framing) as source:
        client = await Client.to(source)
        client.send(OCTETS)
        await client.close()
        await accepted.until(2)
    assert accepted.lines == lines


async def test_each_connection_has_its_own_framing(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        counted, plain = await Client.to(source), await Client.to(source)
        counted.send(b"3 a")
        plain.send(b"1696583108 a\n")
        await accepted.until(1)
        counted.send(b"bc4 defg")
        await counted.close()
        await plain.close()
        await accepted.until(3)
    assert accepted.of(counted.name) == [b"abc", b"defg"]
    assert accepted.of(plain.name) == [b"1696583108 a"]


async def test_a_bad_length_closes_the_connection_after_what_was_whole(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(accepted) as source:
        client = await Client.to(source)
        client.send(b"3 abc3 defghi")
        assert await client.ended()
        await client.close()
    assert accepted.lines == [b"abc", b"def"]
    assert events.counters["source_framing_failures", "tcp"] == 1
    (why,) = reasons(caplog, "framing_failed")
    assert "ghi" not in why
    assert why != "None"


async def test_a_record_that_is_too_long_is_cut(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        client = await Client.to(source)
        client.send(b"x" * (3 << 20) + b"\nnext\n")
        await accepted.until(2)
        await client.close()
    assert accepted.lines == [b"x" * (MAX + 1), b"next"]


async def test_a_connection_is_held_back_while_its_batch_waits(accepted: "Accepted") -> None:
    line = b"x" * 999 + b"\n"
    async with serving(accepted) as source:
        accepted.open.clear()
        client = await Client.to(source)
        client.send(line)
        await accepted.until_waiting()
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 200_000:
                client.send(line * 1000)
                sent += 1000
                await asyncio.wait_for(client.writer.drain(), 0.2)
        assert sent < 200_000, "the source read on, or the kernel buffers 200 MB"
        accepted.open.set()
        await client.close()
        await accepted.until(1 + sent)
    assert accepted.data == line * (1 + sent)


async def test_connections_over_the_limit_are_closed_and_counted(accepted: "Accepted") -> None:
    async with serving(accepted, max_connections=2) as source:
        first, second = await Client.to(source), await Client.to(source)
        first.send(b"one\n")
        second.send(b"two\n")
        await accepted.until(2)
        third = await Client.to(source)
        assert await third.ended()
        await third.close()
        await first.close()
        await accepted.until(2)
        assert events.counters["source_connections_refused", "tcp"] == 1
        assert events.counters["source_connections", "tcp"] == 2
        await second.close()


async def test_a_place_that_is_free_again_is_given_away(accepted: "Accepted") -> None:
    async with serving(accepted, max_connections=1) as source:
        for number in range(3):
            while True:
                client = await Client.to(source)
                client.send(b"%d\n" % number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await accepted.until(number + 1)
                await client.close()
                if accepted.records > number:
                    break
    assert accepted.lines == [b"0", b"1", b"2"]


async def test_a_silent_connection_is_closed_and_counted(accepted: "Accepted") -> None:
    async with serving(accepted, idle_secs=0.05) as source:
        client = await Client.to(source)
        client.send(b"one\nhalf")
        assert await client.ended()
        await client.close()
    assert accepted.lines == [b"one"]
    assert events.counters["source_connections_idle", "tcp"] == 1
    assert events.counters["source_half_records", "tcp"] == 1


async def test_waiting_for_the_spool_is_not_being_silent(accepted: "Accepted") -> None:
    async with serving(accepted, idle_secs=0.3) as source:
        accepted.open.clear()
        client = await Client.to(source)
        client.send(b"one\n")
        await accepted.until_waiting()
        client.send(b"two\n")
        await asyncio.sleep(0.5)  # longer than idle_secs: that is what is tested
        accepted.open.set()
        await accepted.until(2)
        await client.close()
    assert accepted.lines == [b"one", b"two"]
    assert events.counters["source_connections_idle", "tcp"] == 0


async def test_a_connection_that_is_reset_loses_only_its_half_line(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        client = await Client.to(source)
        client.send(b"one\nhalf")
        await accepted.until(1)
        await client.reset()
        await count("source_half_records", 1)
        assert events.counters["source_connections_failed", "tcp"] == 1
    assert accepted.lines == [b"one"]


async def test_a_message_that_ends_early_is_dropped_and_counted(accepted: "Accepted") -> None:
    async with serving(accepted, framing="octet") as source:
        client = await Client.to(source)
        client.send(b"3 abc10 half")
        await client.close()
        await count("source_half_records", 1)
    assert accepted.lines == [b"abc"]


async def test_stop_hands_on_what_is_whole_and_tells_of_the_rest(accepted: "Accepted") -> None:
    source = tcp_source(max_record_bytes=MAX)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    client = await Client.to(source)
    client.send(b"one\ntwo\nhalf")
    await accepted.until(2)
    await source.stop()
    await running
    assert await client.ended()
    await client.close()
    assert accepted.lines == [b"one", b"two"]
    assert events.counters["source_half_records", "tcp"] == 1
    with pytest.raises(ConnectionRefusedError):
        await Client.to(source)


async def test_an_error_of_the_spool_ends_the_source(accepted: "Accepted") -> None:
    source = tcp_source(max_record_bytes=MAX)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    accepted.failure = OSError("the spool is broken")
    clients = [await Client.to(source), await Client.to(source)]
    clients[0].send(b"one\n")
    with pytest.raises(OSError, match="the spool is broken"):
        await running
    for client in clients:
        assert await client.ended()
        await client.close()


async def test_a_source_can_be_cancelled_while_a_batch_waits(accepted: "Accepted") -> None:
    source = tcp_source(max_record_bytes=MAX)
    running = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    accepted.open.clear()
    client = await Client.to(source)
    client.send(b"one\n")
    await accepted.until_waiting()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await client.ended()
    await client.close()


async def test_a_port_that_is_taken_is_an_error_with_a_tip(accepted: "Accepted") -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        source = tcp_source(port=port, max_record_bytes=MAX)
        with pytest.raises(SourceError) as error:
            await source.run(accepted.accept)
    assert str(error.value) == (
        f"tcp source: can't listen: address already in use (127.0.0.1:{port})\n"
        "Try: choose an address of this machine and a free port; below 1024 the user that nss "
        "runs as needs CAP_NET_BIND_SERVICE"
    )


async def test_only_the_configured_address_is_listened_at(accepted: "Accepted") -> None:
    async with serving(accepted) as source:
        await (await Client.to(source)).close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.2", source.bound_port)


async def test_ipv6_peers_are_named_in_brackets(accepted: "Accepted") -> None:
    source = tcp_source("::1", max_record_bytes=MAX)
    running = asyncio.create_task(source.run(accepted.accept))
    try:
        async with asyncio.timeout(20):
            await source.ready.wait()
        _, writer = await asyncio.open_connection("::1", source.bound_port)
        port = writer.get_extra_info("sockname")[1]
        writer.write(b"one\n")
        await accepted.until(1)
        writer.close()
    finally:
        await source.stop()
        await running
    assert accepted.batches[0].connection == f"[::1]:{port}"


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
    line = b"x" * 99 + b"\n"
    async with serving(accepted, ssl_context=server_context) as source:
        client = await Client.to(source, client_context)
        client.send(line * 50_000 + b"last")
        await client.close()
        await accepted.until(50_001)
    assert accepted.data == line * 50_000 + b"last\n"


async def test_a_tls_sender_that_never_reads_loses_nothing(
    accepted: "Accepted", server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    data = b"".join(b"%098d\n" % number for number in range(20_000))

    def send(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            client_context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(data)

    async with serving(accepted, ssl_context=server_context) as source:
        assert source.bound_port is not None
        await asyncio.to_thread(send, source.bound_port)
        await accepted.until(20_000)
    assert accepted.data == data


def reasons(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """Return why events of a name happened."""
    return [facts["why"] for name, facts in happened(caplog) if name == event]


async def test_failed_handshakes_are_counted_and_harm_nobody(
    accepted: "Accepted", server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    async with serving(accepted, ssl_context=server_context) as source:
        good = await Client.to(source, client_context)
        with pytest.raises(ssl.SSLCertVerificationError):
            await Client.to(source, ssl.create_default_context())
        await count("source_handshakes_failed", 1)
        plain = await Client.to(source)
        plain.send(b"this is no TLS\n")
        assert (await plain.reader.read())[:1] in {b"", b"\x15"}  # an alert, if anything
        await plain.close()
        await count("source_handshakes_failed", 2)
        gone = await Client.to(source)
        await gone.close()
        await count("source_handshakes_failed", 3)
        good.send(b"one\n")
        await accepted.until(1)
        await good.close()
    assert accepted.lines == [b"one"]


async def test_a_sender_that_leaves_during_the_handshake_is_said_to_have_left(
    accepted: "Accepted", server_context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(accepted, ssl_context=server_context) as source:
        await (await Client.to(source)).close()
        await count("source_handshakes_failed", 1)
    assert reasons(caplog, "handshake_failed") == ["the peer closed the connection"]


async def test_a_handshake_that_takes_too_long_is_given_up(
    accepted: "Accepted", server_context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(accepted, ssl_context=server_context, handshake_secs=0.1) as source:
        client = await Client.to(source)
        assert await client.ended()
        await client.close()
        await count("source_handshakes_failed", 1)
    assert reasons(caplog, "handshake_failed") == ["it took longer than 0.1 s"]


async def test_stop_does_not_wait_for_a_handshake(
    accepted: "Accepted", server_context: ssl.SSLContext
) -> None:
    async with serving(accepted, ssl_context=server_context) as source:
        client = await Client.to(source)
        await count("source_connections", 1)
    assert await client.ended()
    await client.close()


async def test_a_client_without_the_certificate_asked_for_is_turned_away(
    accepted: "Accepted",
    authority: trustme.CA,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
) -> None:
    server_context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_context)
    async with serving(accepted, ssl_context=server_context) as source:
        stranger = await Client.to(source, client_context)
        stranger.send(b"stranger\n")
        await count("source_handshakes_failed", 1)
        await stranger.close()
        authority.issue_cert("client").configure_cert(client_context)
        known = await Client.to(source, client_context)
        known.send(b"known\n")
        await accepted.until(1)
        await known.close()
    assert accepted.lines == [b"known"]


# Real senders.


async def run(program: str, *arguments: str, data: bytes) -> None:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(data), 10)
    assert process.returncode == 0, said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_openssl_s_client_is_understood(
    accepted: "Accepted",
    authority: trustme.CA,
    server_context: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with serving(accepted, ssl_context=server_context) as source:
        await run(
            "openssl",
            *("s_client", "-quiet", "-no_ign_eof", "-verify_return_error"),
            *("-CAfile", str(tmp_path / "ca.pem"), "-verify_ip", "127.0.0.1"),
            *("-connect", f"127.0.0.1:{source.bound_port}"),
            data=b'{"a":1}\n{"a":2}\n',
        )
        await accepted.until(2)
    assert accepted.lines == [b'{"a":1}', b'{"a":2}']


@pytest.mark.skipif(shutil.which("logger") is None, reason="logger is not installed")
@pytest.mark.parametrize("octets", [False, True])
async def test_logger_is_understood(accepted: "Accepted", *, octets: bool) -> None:
    record = b'{"time":"now","action":"Allowed"}'
    async with serving(accepted) as source:
        await run(
            "logger",
            *("-T", "-n", "127.0.0.1", "-P", str(source.bound_port), "--rfc5424", "-t", "zscaler"),
            *(["--octet-count"] if octets else []),
            data=record + b"\n" + record + b"\n",
        )
        await accepted.until(2)
    assert [line.startswith(b"<13>1 ") for line in accepted.lines] == [True, True]
    assert [line.endswith(b"] " + record) for line in accepted.lines] == [True, True]
