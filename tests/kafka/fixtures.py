"""Fixtures with brokers, for every test that talks to Kafka.

A `conftest.py` takes them with `from tests.kafka.fixtures import mock_cluster, tansu`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.brokers import MockCluster, ObjectStore, Tansu
from tests.kafka.mocked import Cluster


@pytest.fixture
def tansu(tmp_path: Path) -> Iterator[Tansu]:
    """A broker, started; it is ended behind the test, whatever that did with it."""
    broker = Tansu(tmp_path)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def kept_tansu(tmp_path: Path) -> Iterator[Tansu]:
    """A broker whose records, groups and commits outlive it: `kill` and `start` bring it back."""
    store = ObjectStore(tmp_path)
    broker = Tansu(tmp_path, store=store)
    try:
        store.start()
        broker.start()
        yield broker
    finally:
        broker.kill()
        store.kill()


@pytest.fixture
def mock_cluster() -> Iterator[MockCluster]:
    cluster = MockCluster(3)
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One broker of the mock cluster, whose topics are made by the test."""
    made = Cluster()
    try:
        yield made
    finally:
        made.close()
