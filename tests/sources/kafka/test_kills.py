"""Instances of a group are killed, stopped and paused: nothing is lost, and order is kept."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kafka.brokers import MockCluster, Tansu
from tests.kafka.group import AFTER, BROKER, BURST, TOPIC, Outcome, disturbed

DISTURBANCES = int(os.environ.get("NSS_KAFKA_DISTURBANCES", "0"))
BROKER_KILLS = 3
POLL_MS = 300_000
"""The default: members that are gone must not be waited for so long."""

TANSU_POLL_MS = 8000
"""Shorter pauses of the group; it does not cure what tansu does with a leader that has left."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

MODES = pytest.mark.parametrize(
    ("commit", "spool"),
    [("accepted", "durable"), ("delivered", "durable"), ("delivered", "memory")],
)


def _judge(outcome: Outcome, record_property: Callable[[str, object], None]) -> None:
    record_property("outcome", str(outcome))
    sys.stdout.write(f"{outcome}\n")
    assert not outcome.lost
    assert not outcome.out_of_order


@pytest.mark.parametrize(("commit", "spool"), [("accepted", "durable"), ("delivered", "memory")])
def test_a_kill_a_pause_and_a_stop_lose_nothing(
    mock_cluster: MockCluster,
    tmp_path: Path,
    commit: str,
    spool: str,
    record_property: Callable[[str, object], None],
) -> None:
    kinds = ("SIGKILL", "SIGSTOP", "SIGTERM")
    brokers = mock_cluster.address
    outcome = disturbed(brokers, tmp_path, 3, commit, spool, 7, POLL_MS, kinds)
    _judge(outcome, record_property)
    assert outcome.disturbances.keys() >= set(kinds)
    # A batch holds what was on its way: nothing of what had been delivered before comes again.
    assert outcome.duplicates <= len(kinds) * (BURST + AFTER)
    # How long a takeover took is told, not judged: the mock cluster waits for the members of a
    # group for the session time-out less 1 s each time, so there it is twice the session.


@MODES
@pytest.mark.skipif(
    not DISTURBANCES,
    reason="five disturbances take one to two minutes: NSS_KAFKA_DISTURBANCES=5 runs it",
)
def test_nothing_is_lost(
    mock_cluster: MockCluster,
    tmp_path: Path,
    commit: str,
    spool: str,
    record_property: Callable[[str, object], None],
) -> None:
    # Another broker than the one below: its groups forget members after the session time-out.
    brokers = mock_cluster.address
    outcome = disturbed(brokers, tmp_path, DISTURBANCES, commit, spool, seed=7, poll_ms=POLL_MS)
    _judge(outcome, record_property)


@MODES
@pytest.mark.skipif(
    not DISTURBANCES,
    reason="tansu keeps a leader of a group that is gone, so that it stands still for any client "
    "(docs/kafka-source.md): NSS_KAFKA_DISTURBANCES=7 runs it",
)
def test_nothing_is_lost_with_tansu(
    tansu: Tansu,
    tmp_path: Path,
    commit: str,
    spool: str,
    record_property: Callable[[str, object], None],
) -> None:
    tansu.create(TOPIC, 4)
    address, poll_ms = tansu.address, TANSU_POLL_MS
    outcome = disturbed(address, tmp_path, DISTURBANCES, commit, spool, seed=7, poll_ms=poll_ms)
    _judge(outcome, record_property)


@MODES
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    kept_tansu: Tansu,
    tmp_path: Path,
    commit: str,
    spool: str,
    record_property: Callable[[str, object], None],
) -> None:
    kept_tansu.create(TOPIC, 4)
    address, kinds = kept_tansu.address, (BROKER,)
    outcome = disturbed(
        address, tmp_path, BROKER_KILLS, commit, spool, 7, POLL_MS, kinds, kept_tansu
    )
    _judge(outcome, record_property)
    assert outcome.disturbances == {BROKER: BROKER_KILLS}
    assert outcome.duplicates <= BROKER_KILLS * (BURST + AFTER)
