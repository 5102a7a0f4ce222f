"""Brokers and a service for the tests of this folder."""

from tests.kafka.fixtures import cluster, kept_tansu, mock_cluster, tansu
from tests.service.conftest import bench

__all__ = ["bench", "cluster", "kept_tansu", "mock_cluster", "tansu"]
