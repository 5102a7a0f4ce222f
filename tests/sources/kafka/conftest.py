"""Brokers for the tests of this folder."""

from tests.kafka.fixtures import mock_cluster, tansu

__all__ = ["mock_cluster", "tansu"]
