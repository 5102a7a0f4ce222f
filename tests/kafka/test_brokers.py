"""The brokers that tests talk to are there, and keep what they confirm."""

import confluent_kafka

from tests.kafka.brokers import MockCluster, Tansu, read_all


def _produce(address: str, count: int) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "log_level": 0})
    for number in range(count):
        producer.produce("web", b"%d" % number)
    assert producer.flush(20) == 0
    producer.close()


def test_tansu_keeps_what_it_confirms(tansu: Tansu) -> None:
    tansu.create("web", 2)
    _produce(tansu.address, 500)
    found = read_all(tansu.address, "web", 500, partitions=2)
    assert {int(each.value()) for each in found} == set(range(500))


def test_the_mock_cluster_keeps_what_it_confirms(mock_cluster: MockCluster) -> None:
    assert mock_cluster.address.count(":") == 3
    _produce(mock_cluster.address, 100)
    assert len(read_all(mock_cluster.address, "web", 100, mock_cluster.PARTITIONS)) == 100
