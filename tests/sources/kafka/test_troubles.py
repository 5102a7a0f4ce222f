"""What is wrong with a topic or the way to the brokers is said with its reason, and heals."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from nss.lab.ports import free_ports
from tests.kafka.brokers import Tansu, TlsProxy
from tests.kafka.mocked import TOPIC_AUTHORIZATION_FAILED, Cluster
from tests.sources.kafka.rig import Spool, instance, sender

pytestmark = pytest.mark.long


async def test_a_topic_that_is_not_there_is_said_and_read_once_it_is(cluster: Cluster) -> None:
    cluster.create("other")
    spool = Spool()
    async with instance(cluster.address, spool, topics=("other", "web")) as source:
        await source.until_error("topic web can't be read: the cluster has no topic web")
        assert [(e.topic, e.partition) for e in source.source.group.unread] == [("web", -1)]
        with sender(cluster.address, "other") as sent:
            sent.send_values(b"0 0")
        await source.until_lines(1)  # the other topic is read meanwhile
        cluster.create("web")
        await source.until_well()
        with sender(cluster.address) as sent:
            sent.send_values(b"0 1")
        await source.until_lines(2)
    assert spool.lines == [b"0 0", b"0 1"]


async def test_a_topic_without_rights_is_said_and_read_once_it_has_them(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(10, 0)
    cluster.set_topic_error("web", TOPIC_AUTHORIZATION_FAILED)
    async with instance(cluster.address, spool) as source:
        await source.until_error("the cluster does not permit it for the topic web")
        cluster.set_topic_error("web", 0)
        await source.until_lines(10)
        await source.until_well()
    assert spool.of_partitions() == sent.partitions


async def test_a_partition_that_can_not_be_read_for_a_time_is_well_though_nothing_comes(
    cluster: Cluster,
) -> None:
    cluster.create("web")
    spool = Spool()
    async with instance(cluster.address, spool) as source:
        await source.until_owned(1)
        cluster.fail_fetches("web", 0, *[TOPIC_AUTHORIZATION_FAILED] * 5)
        await source.until_error("partition 0 of web can't be read: the cluster does not permit")
        await source.until_well()


async def test_brokers_that_are_not_there_at_the_start_are_waited_for(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(10, 0)
        cluster.down()
        async with instance(cluster.address, spool) as source:
            await source.until_error("no broker can be reached")
            cluster.up()
            await source.until_lines(10)
            await source.until_well()
            cluster.down()
            await source.until_error("no broker can be reached")
            cluster.up()
            sent.send(10, 0)
            await source.until_lines(20)
            await source.until_well()
    assert spool.of_partitions() == sent.partitions


async def test_a_stop_does_not_wait_for_brokers_that_are_gone(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    async with instance(cluster.address, spool) as source:
        await source.until_owned(1)
        cluster.down()
        await source.until_error("no broker can be reached")
        await source.stop()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Tansu, str, Path, Path]]:
    """Yield a broker, its address behind TLS, the authority's file, and that of another one."""
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    files = tmp_path / "ca.pem", tmp_path / "other.pem"
    for each, path in zip((authority, other), files, strict=True):
        each.cert_pem.write_to_path(str(path))
    (port,) = free_ports(1)
    broker = Tansu(tmp_path, advertised_port=port)
    broker.start()
    try:
        proxy = TlsProxy(context, port=port, target_port=broker.port)
        try:
            yield broker, f"127.0.0.1:{port}", *files
        finally:
            proxy.close()
    finally:
        broker.kill()


async def test_a_broker_behind_tls_is_read(secured: tuple[Tansu, str, Path, Path]) -> None:
    _, address, authority, _ = secured
    spool = Spool()
    with sender(address, security_protocol="ssl", ssl_ca_location=str(authority)) as sent:
        sent.send(100, 0)
        async with instance(address, spool, tls=True, tls_ca=authority) as source:
            await source.until_lines(100)
            await source.until_well()
    assert spool.of_partitions() == sent.partitions


async def test_a_broker_of_another_authority_is_refused(
    secured: tuple[Tansu, str, Path, Path],
) -> None:
    _, address, _, other = secured
    spool = Spool()
    async with instance(address, spool, tls=True, tls_ca=other) as source:
        await source.until_error("TLS with a broker failed (")
        assert "certificate verify failed" in (source.source.last_error or "")
        assert "tls_ca" in (source.source.last_error or "")
    assert spool.batches == []
