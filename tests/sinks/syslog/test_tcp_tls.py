"""Syslog over TLS: who is trusted, who is refused, and what of that a sink reports."""

import asyncio
import contextlib
import errno
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import trustme
from cryptography.hazmat.primitives import serialization

from formats.lines import Lines
from nss.errors import SinkError
from nss.sinks import Delivered, RetryAfter
from nss.sinks.syslog.tcp import SyslogTcpSink
from nss.sinks.syslog.tls_stream import TlsStream
from nss.telemetry.events import counters
from nss.tls import client_context
from tests.parts import tcp_sink

if TYPE_CHECKING:
    from tests.sinks.conftest import TcpCollector, TlsCollector

NewCollector = Callable[..., "TlsCollector"]
SinkTo = Callable[..., SyslogTcpSink]
LINES = [b"line %d" % number for number in range(30)]
LONG_LINES = [b"%02d" % number + b"x" * 49_997 for number in range(20)]

WANTS_OURS = "the collector at {} wants a certificate from NSS, or other TLS than it speaks"

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest_asyncio.fixture
async def sink_to() -> AsyncIterator[SinkTo]:
    made: list[SyslogTcpSink] = []

    def make(collector: "TcpCollector", **options: Any) -> SyslogTcpSink:  # noqa: ANN401 - the sink's own
        usual: dict[str, Any] = {"jitter": lambda: 0.0, "finish_secs": 0.05}
        made.append(tcp_sink([collector.address], **usual | options))
        return made[-1]

    yield make
    for sink in made:
        await sink.close()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def identity(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """Return the files of a client's certificate and of its key."""
    issued = authority.issue_cert("nss.example.com")
    certificate, key = folder / "nss.pem", folder / "nss.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return certificate, key


def server(
    leaf: trustme.LeafCert, *, version: ssl.TLSVersion | None = None, ca: trustme.CA | None = None
) -> ssl.SSLContext:
    """Return a collector's context; with `ca` it requires a client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    if version is not None:
        context.maximum_version = version
    if ca is not None:
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def failure(collector: "TcpCollector", reason: str) -> RetryAfter:
    """Return the outcome for a reason, in which `{}` is where the collector is."""
    return RetryAfter(0, 0.25, reason.format("{}:{}".format(*collector.address)))


@pytest.mark.parametrize("version", VERSIONS)
async def test_lines_arrive_and_the_end_is_reported(
    version: ssl.TLSVersion,
    sink_to: SinkTo,
    new_tcp_collector: NewCollector,
    authority: trustme.CA,
    ca_file: Path,
) -> None:
    context = server(authority.issue_cert("127.0.0.1"), version=version)
    collector = new_tcp_collector(tls=context)
    sink = sink_to(collector, ssl_context=client_context(ca_file))
    outcomes = [await sink.send(Lines.of(LINES[:10])), await sink.send(Lines.of(LINES[10:]))]
    await sink.close()
    # Without a farewell (close_notify) reading on would fail.
    assert (outcomes, collector.received(), collector.connections) == (
        [Delivered()] * 2,
        LINES,
        [],
    )


async def test_more_than_buffers_hold_waits_for_the_collector(
    sink_to: SinkTo, new_tcp_collector: NewCollector, tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    collector = new_tcp_collector(tls=tls, rcvbuf_bytes=65_536)
    sink = sink_to(collector, ssl_context=trust)
    await sink.open()
    lines = LONG_LINES * 10
    sending = asyncio.ensure_future(sink.send(Lines.of(lines)))
    received: list[bytes] = []
    async with asyncio.timeout(40):
        while len(received) < len(lines):
            received += collector.received()
            await asyncio.sleep(0)
    assert (await sending, received == lines) == (Delivered(), True)


async def test_a_collector_of_an_unknown_authority_gets_nothing(
    sink_to: SinkTo, new_tcp_collector: NewCollector, tls: ssl.SSLContext
) -> None:
    collector = new_tcp_collector(tls=tls)
    sink = sink_to(collector, ssl_context=client_context())
    outcome = await sink.send(Lines.of(LINES))
    reason = (
        "the certificate of the collector at {} is not from an authority that is trusted here "
        "(unable to get local issuer certificate)"
    )
    assert (outcome, collector.received()) == (failure(collector, reason), [])
    assert collector.errors == ["TLSV1_ALERT_UNKNOWN_CA"]


async def test_a_collector_of_another_name_gets_nothing(
    sink_to: SinkTo, new_tcp_collector: NewCollector, tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    collector = new_tcp_collector(tls=tls)
    sink = sink_to(collector, ssl_context=trust, tls_server_name="siem.example.com")
    outcome = await sink.send(Lines.of(LINES))
    reason = "the certificate of the collector at {} is not for the name siem.example.com"
    assert (outcome, collector.received()) == (failure(collector, reason), [])


async def test_the_name_to_verify_may_be_another_than_the_destinations(
    sink_to: SinkTo,
    new_tcp_collector: NewCollector,
    authority: trustme.CA,
    trust: ssl.SSLContext,
) -> None:
    collector = new_tcp_collector(tls=server(authority.issue_cert("siem.example.com")))
    outcomes = [
        await sink_to(collector, ssl_context=trust, tls_server_name=name).send(Lines.of(LINES))
        for name in (None, "siem.example.com")
    ]
    reason = "the certificate of the collector at {} is not for the name 127.0.0.1"
    assert (outcomes, collector.received()) == ([failure(collector, reason), Delivered()], LINES)


async def test_a_collector_whose_certificate_has_expired_gets_nothing(
    sink_to: SinkTo,
    new_tcp_collector: NewCollector,
    authority: trustme.CA,
    trust: ssl.SSLContext,
) -> None:
    leaf = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    collector = new_tcp_collector(tls=server(leaf))
    outcome = await sink_to(collector, ssl_context=trust).send(Lines.of(LINES))
    reason = "the certificate of the collector at {} has expired"
    assert (outcome, collector.received()) == (failure(collector, reason), [])


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (ssl.TLSVersion.TLSv1_2, f"{WANTS_OURS} (TLS: sslv3 alert handshake failure)"),
        (ssl.TLSVersion.TLSv1_3, f"{WANTS_OURS} (TLS: tlsv13 alert certificate required)"),
    ],
)
async def test_a_collector_that_requires_a_certificate_swallows_nothing_without_one(
    version: ssl.TLSVersion,
    reason: str,
    sink_to: SinkTo,
    new_tcp_collector: NewCollector,
    authority: trustme.CA,
    ca_file: Path,
    tmp_path: Path,
) -> None:
    context = server(authority.issue_cert("127.0.0.1"), version=version, ca=authority)
    collector = new_tcp_collector(tls=context)
    anonymous = sink_to(collector, ssl_context=client_context(ca_file))
    known = sink_to(collector, ssl_context=client_context(ca_file, *identity(authority, tmp_path)))
    assert (await anonymous.send(Lines.of(LINES)), await known.send(Lines.of(LINES))) == (
        failure(collector, reason),
        Delivered(),
    )
    assert (collector.received(), collector.errors) == (
        LINES,
        ["PEER_DID_NOT_RETURN_A_CERTIFICATE"],
    )


async def test_a_collector_without_session_tickets_gets_its_lines_a_moment_later(
    sink_to: SinkTo,
    new_tcp_collector: NewCollector,
    authority: trustme.CA,
    trust: ssl.SSLContext,
) -> None:
    context = server(authority.issue_cert("127.0.0.1"))
    context.num_tickets = 0
    collector = new_tcp_collector(tls=context)
    outcome = await sink_to(collector, ssl_context=trust).send(Lines.of(LINES))
    assert (outcome, collector.received()) == (Delivered(), LINES)


async def test_a_collector_that_does_not_speak_tls_is_given_up(
    sink_to: SinkTo, tcp_collector: "TcpCollector", trust: ssl.SSLContext
) -> None:
    outcome = await sink_to(tcp_collector, ssl_context=trust, connect_secs=0.1).send(
        Lines.of(LINES)
    )
    assert outcome == failure(
        tcp_collector, "what listens at {} does not speak TLS (no TLS within 0.1 s)"
    )


async def test_a_collector_that_answers_something_else_than_tls_is_given_up(
    sink_to: SinkTo, tcp_collector: "TcpCollector", trust: ssl.SSLContext
) -> None:
    sending = asyncio.ensure_future(sink_to(tcp_collector, ssl_context=trust).send(Lines.of(LINES)))
    while not tcp_collector.connections:
        tcp_collector.answer(b"220 mail.example.com ESMTP\r\n")
        await asyncio.sleep(0)
    assert await sending == failure(
        tcp_collector, "what listens at {} does not speak TLS (TLS: wrong version number)"
    )


async def test_a_collector_that_hangs_up_during_the_handshake_is_given_up(
    sink_to: SinkTo, tcp_collector: "TcpCollector", trust: ssl.SSLContext
) -> None:
    sending = asyncio.ensure_future(sink_to(tcp_collector, ssl_context=trust).send(Lines.of(LINES)))
    hello: list[bytes] = []
    while not hello and not any(tcp_collector._rests.values()):
        hello = tcp_collector.received()
        await asyncio.sleep(0)
    tcp_collector.hang_up()
    reason = (
        "the connection to the collector at {} broke off (it closed the connection during the "
        "handshake)"
    )
    assert await sending == failure(tcp_collector, reason)


async def test_lines_that_were_on_their_way_come_first_on_the_next_connection(
    sink_to: SinkTo, new_tcp_collector: NewCollector, tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    collector = new_tcp_collector(tls=tls, rcvbuf_bytes=65_536)
    sink = sink_to(collector, ssl_context=trust)
    assert await sink.send(Lines.of(LINES)) == Delivered()
    before = collector.received()
    assert await sink.send(Lines.of(LONG_LINES)) == Delivered()
    collector.stop()
    collector.start()
    after: list[bytes] = []
    async with asyncio.timeout(40):
        while after[-1:] != LONG_LINES[-1:]:
            await asyncio.sleep(0.001)
            if collector.connections:  # shaking hands needs this event loop
                after += collector.received()
    assert (before, after) == (LINES, LONG_LINES[20 - counters["sink_resent", "feed"] :])


def test_files_that_cannot_be_used_are_named(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    certificate, key = identity(authority, tmp_path)
    missing = tmp_path / "missing.pem"
    other_key = tmp_path / "other.key"
    authority.issue_cert("other.example.com").private_key_pem.write_to_path(other_key)
    tip = "\nTry: run nss check: it says what is wrong with each file"
    errors = []
    for files in ((missing,), (ca_file, missing, key), (ca_file, certificate, other_key)):
        with pytest.raises(SinkError) as caught:
            client_context(*files)
        errors.append(str(caught.value))
    assert errors == [
        f"using authorities failed: no such file or directory ({missing}){tip}",
        f"using a certificate failed: no such file or directory ({missing}, {key}){tip}",
        f"using a certificate failed: TLS: key values mismatch ({certificate}, {other_key}){tip}",
    ]


def test_an_encrypted_key_is_refused_instead_of_asked_about(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    certificate, key = identity(authority, tmp_path)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(SinkError, match=r"^using a certificate failed: "):
        client_context(ca_file, certificate, key)


def test_nothing_older_than_tls_1_2_is_spoken_and_everything_is_verified() -> None:
    context = client_context()
    assert (context.minimum_version, context.verify_mode, context.check_hostname) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.CERT_REQUIRED,
        True,
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_when_the_collectors_certificate_ends_is_known_from_the_handshake(
    version: ssl.TLSVersion,
    sink_to: SinkTo,
    new_tcp_collector: NewCollector,
    authority: trustme.CA,
    ca_file: Path,
) -> None:
    ends = [datetime(2030, 5, 31, 12, tzinfo=UTC), datetime(2031, 5, 31, 12, tzinfo=UTC)]
    collector = new_tcp_collector(
        tls=server(authority.issue_cert("127.0.0.1", not_after=ends[0]), version=version)
    )
    sink = sink_to(collector, ssl_context=client_context(ca_file))
    assert await sink.expiries() == ()
    assert await sink.send(Lines.of(LINES[:10])) == Delivered()
    (found,) = await sink.expiries()
    assert (found.credential, found.ends_at, found.place) == (
        "collector",
        ends[0].timestamp(),
        "{}:{}".format(*collector.address),
    )
    assert (found.component, found.seen_at is not None) == (f"feed {sink.name}", True)

    collector.stop()
    collector.context = server(authority.issue_cert("127.0.0.1", not_after=ends[1]))
    collector.start()
    outcome = await sink.send(Lines.of(LINES[10:]))
    while isinstance(outcome, RetryAfter):
        outcome = await sink.send(Lines.of(LINES[10:]))
    (renewed,) = await sink.expiries()
    assert renewed.ends_at == ends[1].timestamp()


async def test_without_tls_no_certificate_is_known(
    sink_to: SinkTo, new_tcp_collector: NewCollector
) -> None:
    sink = sink_to(new_tcp_collector())
    assert await sink.send(Lines.of(LINES)) == Delivered()
    assert await sink.expiries() == ()


def test_the_end_that_a_peer_announces_is_an_error_of_the_connection(
    authority: trustme.CA, ca_file: Path
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = server(authority.issue_cert("siem"))
    peer = context.wrap_bio(incoming, outgoing, server_side=True)
    stream = TlsStream(client_context(ca_file), "siem")
    done = False
    while not done:
        done = stream.handshake()
        incoming.write(stream.to_send())
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        stream.received(outgoing.read())
    peer.write(b"ignored")
    stream.drop(outgoing.read())
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.unwrap()
    with pytest.raises(ConnectionResetError) as caught:
        stream.drop(outgoing.read())
    error = caught.value
    assert (error.errno, error.strerror) == (errno.ECONNRESET, "it closed the connection")
