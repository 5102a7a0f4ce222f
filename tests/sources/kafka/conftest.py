"""Brokers for the tests of this folder."""

from tests.kafka.fixtures import cluster, mock_cluster, tansu

__all__ = ["cluster", "mock_cluster", "tansu"]
