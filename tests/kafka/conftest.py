"""Brokers for the tests of this folder."""

from tests.kafka.fixtures import kept_tansu, mock_cluster, tansu

__all__ = ["kept_tansu", "mock_cluster", "tansu"]
