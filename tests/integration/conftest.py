"""Brokers and a service for the tests of this folder."""

from tests.kafka.fixtures import cluster, mock_cluster, tansu
from tests.service.conftest import bench

__all__ = ["bench", "cluster", "mock_cluster", "tansu"]
