"""Lines into a real broker: confirmed, once, in order; and what is said when they are not."""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from formats.lines import Lines
from formats.order import order_key
from nss.lab.ports import free_ports
from nss.sinks import Delivered, Rejected, RetryAfter
from tests.kafka.brokers import MockCluster, Tansu, TlsProxy, read_all
from tests.parts import kafka_sink

pytestmark = pytest.mark.long

LINES = [b"LEEF:1.0|Zscaler|NSS|4.1|%d|usrName=user%d" % (n, n % 13) for n in range(2000)]
KEYS = [order_key(f"user{n % 13}") for n in range(2000)]


async def _until_delivered(sink: object, lines: list[bytes], secs: float = 30.0) -> int:
    """Send as a feed does; returns how often the sink asked for time."""
    deadline, waits = time.monotonic() + secs, 0
    while lines:
        assert time.monotonic() < deadline, getattr(sink, "last_error", "")
        outcome = await sink.send(Lines.of(lines))  # type: ignore[attr-defined]
        if isinstance(outcome, Delivered):
            return waits
        assert isinstance(outcome, RetryAfter), outcome
        lines, waits = lines[outcome.sent :], waits + 1
        await asyncio.sleep(min(outcome.delay_secs, 0.1))
    return waits


async def test_records_of_a_user_stay_in_order_in_one_partition(tansu: Tansu) -> None:
    tansu.create("web", 4)
    sink = kafka_sink(tansu.address, key="user")
    await sink.open()
    assert await sink.send(Lines.of(LINES[:1000]), KEYS[:1000]) == Delivered()
    assert await sink.send(Lines.of(LINES[1000:]), KEYS[1000:]) == Delivered()
    await sink.close()
    users: dict[bytes, list[tuple[int, int, bytes]]] = defaultdict(list)
    for each in read_all(tansu.address, "web", len(LINES), 4):
        user = each.value().rpartition(b"=")[2]
        users[user].append((each.partition(), each.offset(), each.value()))
        assert each.key() == b"%08x" % order_key(user.decode())
    assert sum(map(len, users.values())) == len(LINES)
    for user, found in users.items():
        assert len({partition for partition, _, _ in found}) == 1
        in_order = [value for _, _, value in sorted(found, key=lambda each: each[1])]
        assert in_order == [line for line in LINES if line.endswith(b"=" + user)]


async def test_packed_lines_arrive_in_few_messages(tansu: Tansu) -> None:
    tansu.create("web")
    sink = kafka_sink(tansu.address, pack_bytes=16_384)
    await sink.open()
    assert await sink.send(Lines.of(LINES)) == Delivered()
    await sink.close()
    values = [each.value() for each in read_all(tansu.address, "web", 5)]
    assert len(values) < 10
    assert [line for value in values for line in value.split(b"\n")] == LINES


async def test_a_broker_that_hangs_is_waited_for_and_gets_nothing_twice(tansu: Tansu) -> None:
    tansu.create("web")
    sink = kafka_sink(tansu.address, confirm_secs=0.5)
    await sink.open()
    await _until_delivered(sink, LINES[:500])
    tansu.pause()
    first = await sink.send(Lines.of(LINES[500:]))
    assert isinstance(first, RetryAfter)
    assert "confirm" in (sink.last_error or "")
    assert "nss test-firewall" in sink.remedy
    tansu.resume()
    await _until_delivered(sink, LINES[500 + first.sent :])
    after = sink.last_error
    assert after is None
    await sink.close()
    assert [each.value() for each in read_all(tansu.address, "web", len(LINES))] == LINES


async def test_a_broker_that_is_away_is_told_of_soon(tmp_path: Path) -> None:
    broker = Tansu(tmp_path)
    sink = kafka_sink(broker.address)
    await sink.open()
    begin = time.monotonic()
    outcome = await sink.send(Lines.of(LINES))
    assert time.monotonic() - begin < 10
    assert isinstance(outcome, RetryAfter)
    assert outcome.reason.startswith("no broker can be reached (")
    assert "Connection refused" in outcome.reason
    assert "advertised.listeners" in sink.remedy
    broker.start()
    try:
        broker.create("web")
        await _until_delivered(sink, LINES)
        await sink.close()
        assert [each.value() for each in read_all(broker.address, "web", len(LINES))] == LINES
    finally:
        await sink.close()
        broker.kill()


async def test_a_broker_that_was_killed_and_has_forgotten_the_session_gets_what_follows(
    tansu: Tansu,
) -> None:
    tansu.create("web")
    sink = kafka_sink(tansu.address, confirm_secs=1.0)
    await sink.open()
    await _until_delivered(sink, LINES[:1000])
    tansu.kill()
    outcome = await sink.send(Lines.of(LINES[1000:]))
    assert isinstance(outcome, RetryAfter)
    tansu.start()
    tansu.create("web")
    await _until_delivered(sink, LINES[1000 + outcome.sent :])
    await sink.close()
    values = [each.value() for each in read_all(tansu.address, "web", 1000)]
    assert values == LINES[1000:]  # its memory was gone with it


async def test_a_line_that_the_broker_refuses_is_rejected_and_no_other(
    mock_cluster: MockCluster,
) -> None:
    refused = b"x" * 5000
    sink = kafka_sink(mock_cluster.address, max_message_bytes=4096, kafka=(("batch.size", "3000"),))
    await sink.open()
    outcome = await sink.send(Lines.of([*LINES[:3], refused, *LINES[3:6]]))
    assert isinstance(outcome, Rejected)
    assert outcome.sent == 3
    assert outcome.reason.startswith("refused by Kafka: ")
    assert await sink.send(Lines.of(LINES[3:6])) == Delivered()
    await sink.close()
    found = read_all(mock_cluster.address, "web", 6, mock_cluster.PARTITIONS)
    assert sorted(each.value() for each in found) == LINES[:6]


async def test_closing_does_not_wait_for_a_broker_that_hangs(tansu: Tansu) -> None:
    tansu.create("web")
    sink = kafka_sink(tansu.address)
    await sink.open()
    await _until_delivered(sink, LINES[:10])
    tansu.pause()
    sending = asyncio.ensure_future(sink.send(Lines.of(LINES)))
    await asyncio.sleep(0.2)
    begin = time.monotonic()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await sink.close()
    assert time.monotonic() - begin < 5


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, Path, Path, Path]]:
    """Return the address of a broker behind TLS that asks for certificates, and our files."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    paths = [tmp_path / name for name in ("ca.pem", "nss.pem", "nss.key")]
    own = authority.issue_cert("nss.example.com")
    authority.cert_pem.write_to_path(str(paths[0]))
    own.cert_chain_pems[0].write_to_path(str(paths[1]))
    own.private_key_pem.write_to_path(str(paths[2]))
    paths[2].chmod(0o600)
    (port,) = free_ports(1)
    broker = Tansu(tmp_path, advertised_port=port)
    proxy = TlsProxy(context, port=port, target_port=broker.port)
    try:
        broker.start()
        yield f"127.0.0.1:{port}", paths[0], paths[1], paths[2]
    finally:
        proxy.close()
        broker.kill()


async def test_tls_verifies_the_broker_and_shows_our_certificate(
    secured: tuple[str, Path, Path, Path],
) -> None:
    address, ca, certificate, key = secured
    own = {"tls": True, "tls_certificate": certificate, "tls_key": key}
    trusting = kafka_sink(address, tls_ca=ca, **own)
    await trusting.open()
    await _until_delivered(trusting, LINES[:100])
    await trusting.close()

    stranger = kafka_sink(address, confirm_secs=2.0, **own)
    await stranger.open()
    try:
        outcome = await stranger.send(Lines.of(LINES[:1]))
        assert isinstance(outcome, RetryAfter)
        assert outcome.reason.startswith("TLS with a broker failed (")
        assert "tls_ca" in stranger.remedy
    finally:
        await stranger.close()
