"""Brokers for the tests of this folder, which talk to them in a thread of their own.

So they run on one kind of event loop, unlike those of other sources.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import confluent_kafka
import pytest
import uvloop

from tests.kafka.fixtures import cluster, kept_tansu, mock_cluster, tansu

__all__ = ["cluster", "kept_tansu", "mock_cluster", "pytest_asyncio_loop_factories", "tansu"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


class Watched(confluent_kafka.Consumer):
    """A consumer that sees whether it is called in its own callbacks as it must not be.

    Such a call (`poll`, `consume`, `close`, `list_topics`) forgets that another is under way: at
    the next callback the library ends the process.
    """

    nested: list[str]

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self._is_under_way = False

    def poll(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as it is
        with self._watched("poll"):
            return super().poll(*arguments, **more)

    def consume(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as it is
        with self._watched("consume"):
            return super().consume(*arguments, **more)

    def list_topics(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as it is
        with self._watched("list_topics"):
            return super().list_topics(*arguments, **more)

    def close(self) -> None:
        with self._watched("close"):
            super().close()

    @contextlib.contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        if self._is_under_way:
            self.nested.append(name)
        self._is_under_way = True
        try:
            yield
        finally:
            self._is_under_way = False


@pytest.fixture(autouse=True)
def _nothing_nested(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Watched, "nested", [], raising=False)
    monkeypatch.setattr(confluent_kafka, "Consumer", Watched)
    yield
    assert not Watched.nested
