"""Brokers for the tests of this folder, which talk to them in a thread of their own.

So they run on one kind of event loop, unlike those of other sources.
"""

import asyncio
from collections.abc import Callable, Mapping

import uvloop

from tests.kafka.fixtures import cluster, kept_tansu, mock_cluster, tansu

__all__ = ["cluster", "kept_tansu", "mock_cluster", "pytest_asyncio_loop_factories", "tansu"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}
