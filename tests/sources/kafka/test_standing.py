"""How a source stands in its group: partitions that nobody was given are never called good."""

import time
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError

from nss.config.sources import KafkaSourceConfig
from nss.config.values import Address
from nss.kafka.errors import Cluster
from nss.sources.kafka.offsets import KeptOffsets, Ledger
from nss.sources.kafka.standing import SHARING_SECS, Standing

SESSION_SECS = 6.0


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


_SETTINGS = KafkaSourceConfig(name="in", brokers=(Address("127.0.0.1", 1),), topics=("web",))
_PARTS = (
    _SETTINGS,
    Cluster(_SETTINGS.brokers, "sources.in"),
    Ledger(KeptOffsets(), delivered=False, sequence=0),
)


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def standing(clock: _Clock) -> Standing:
    return Standing(*_PARTS, SESSION_SECS, clock)


def _state(join_state: str) -> str:
    return f'{{"name":"c","cgrp":{{"state":"up","join_state":"{join_state}"}},"brokers":{{}}}}'


@pytest.mark.parametrize("state", ["init", "wait-join", "wait-sync", "wait-metadata"])
def test_a_group_that_does_not_share_out_is_told(
    standing: Standing, clock: _Clock, state: str
) -> None:
    standing.counted(_state("steady"))
    clock.now += SESSION_SECS + SHARING_SECS - 1
    standing.counted(_state(state))
    assert standing.unsettled is None
    clock.now += 2
    standing.counted(_state(state))
    assert "has not shared out its partitions for 17 s" in (standing.unsettled or "")


def test_a_group_that_never_begins_is_told(standing: Standing, clock: _Clock) -> None:
    clock.now += SESSION_SECS + SHARING_SECS
    standing.counted('{"name":"c"}')
    assert standing.unsettled is not None


def test_statistics_that_can_not_be_read_say_nothing(standing: Standing, clock: _Clock) -> None:
    clock.now += 60
    standing.counted('{"client_id":"a"b"}')
    assert standing.unsettled is None


def test_it_is_well_once_they_are_shared_out(standing: Standing, clock: _Clock) -> None:
    clock.now += 60
    standing.counted(_state("wait-sync"))
    assert standing.unsettled is not None
    way = _Way()
    way.is_good = True
    standing.report(way, None)
    assert standing.unsettled is not None
    standing.counted(_state("steady"))
    assert standing.unsettled is None


class _Way:
    """A consumer, as far as the way to its brokers is asked for."""

    def __init__(self) -> None:
        self.is_good = False

    def list_topics(self, timeout: float) -> Any:  # noqa: ANN401 - of a library without types
        assert timeout
        if not self.is_good:
            raise confluent_kafka.KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={})


def test_what_was_on_its_way_before_does_not_end_a_trouble(standing: Standing) -> None:
    """librdkafka still has messages when all its brokers are down, of which it tells once."""
    way = _Way()
    standing.complained(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    standing.read(("web", 0))
    standing.report(way, None)
    assert "no broker can be reached" in (standing.trouble or "")
    way.is_good = True
    standing._probed_at = 0.0
    standing.report(way, None)
    assert standing.trouble is None


def test_the_clock_is_that_of_the_machine() -> None:
    standing = Standing(*_PARTS, session_secs=0.1 - SHARING_SECS)
    standing.counted(_state("wait-sync"))
    before = standing.unsettled
    time.sleep(0.11)
    standing.counted(_state("wait-sync"))
    assert (before, standing.unsettled is None) == (None, False)
