"""Instances of a group are killed, stopped and paused: nothing is lost, and order is kept."""

import os
import sys
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.kafka.brokers import MockCluster, Tansu
from tests.kafka.group import (
    AFTER,
    BROKER,
    BURST,
    CLASSIC,
    GROWN,
    SESSION_SECS,
    TOPIC,
    Outcome,
    Reading,
    disturbed,
)
from tests.kafka.mocked import Cluster

DISTURBANCES = int(os.environ.get("NSS_KAFKA_DISTURBANCES", "0"))
KINDS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGSTOP", "SIGTERM", "SIGTERM")
MANY = tuple(islice(cycle(KINDS), DISTURBANCES))
EACH = ("SIGKILL", "SIGSTOP", "SIGTERM")

SHORT_POLL = {**CLASSIC, "max.poll.interval.ms": 8000}
"""Shorter pauses of the group; it does not cure what tansu does with a leader that has left."""

OFTEN = {**CLASSIC, "topic.metadata.refresh.interval.ms": 1000}
"""What is new of a topic is seen soon; by default within three minutes."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

MODES = pytest.mark.parametrize(
    ("commit", "spool"),
    [("accepted", "durable"), ("delivered", "durable"), ("delivered", "memory")],
)
TWO_MODES = pytest.mark.parametrize(
    ("commit", "spool"), [("accepted", "durable"), ("delivered", "memory")]
)
Note = Callable[[str, object], None]


def _judge(outcome: Outcome, record_property: Note) -> None:
    record_property("outcome", str(outcome))
    sys.stdout.write(f"{outcome}\n")
    assert not outcome.lost
    assert not outcome.out_of_order
    # A batch holds what was on its way: nothing of what had been delivered before comes again.
    assert outcome.duplicates <= outcome.disturbances.total() * (BURST + AFTER)


@TWO_MODES
def test_a_kill_a_pause_and_a_stop_lose_nothing(
    mock_cluster: MockCluster, tmp_path: Path, commit: str, spool: str, record_property: Note
) -> None:
    outcome = disturbed(mock_cluster.address, tmp_path, Reading(commit, spool), EACH, 7)
    _judge(outcome, record_property)
    # How long a takeover took is told, not judged: the mock cluster waits for the members of a
    # group for the session time-out less 1 s each time, so there it is twice the session.


@TWO_MODES
def test_they_lose_nothing_where_the_brokers_share_out_the_partitions(
    cluster: Cluster, tmp_path: Path, commit: str, spool: str, record_property: Note
) -> None:
    cluster.create(TOPIC, 4)
    cluster.consumer_sessions(SESSION_SECS)
    reading = Reading(commit, spool, {"group.protocol": "consumer"})
    outcome = disturbed(cluster.address, tmp_path, reading, EACH, 7)
    _judge(outcome, record_property)


@MODES
@pytest.mark.skipif(
    not DISTURBANCES,
    reason="five disturbances take one to two minutes: NSS_KAFKA_DISTURBANCES=5 runs it",
)
def test_nothing_is_lost(
    mock_cluster: MockCluster, tmp_path: Path, commit: str, spool: str, record_property: Note
) -> None:
    # Another broker than the one below: its groups forget members after the session time-out.
    outcome = disturbed(mock_cluster.address, tmp_path, Reading(commit, spool), MANY, 7)
    _judge(outcome, record_property)


@MODES
@pytest.mark.skipif(
    not DISTURBANCES,
    reason="tansu keeps a leader of a group that is gone, so that it stands still for any client "
    "(docs/kafka-source.md): NSS_KAFKA_DISTURBANCES=7 runs it",
)
def test_nothing_is_lost_with_tansu(
    tansu: Tansu, tmp_path: Path, commit: str, spool: str, record_property: Note
) -> None:
    tansu.create(TOPIC, 4)
    outcome = disturbed(tansu.address, tmp_path, Reading(commit, spool, SHORT_POLL), MANY, 7)
    _judge(outcome, record_property)


@MODES
def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    kept_tansu: Tansu, tmp_path: Path, commit: str, spool: str, record_property: Note
) -> None:
    kept_tansu.create(TOPIC, 4)
    address, reading = kept_tansu.address, Reading(commit, spool)
    outcome = disturbed(address, tmp_path, reading, [BROKER] * 3, 7, kept_tansu)
    _judge(outcome, record_property)


@pytest.mark.parametrize("start", ["earliest", "latest"])
@TWO_MODES
def test_partitions_that_are_added_are_read_from_their_first_record(
    kept_tansu: Tansu,
    tmp_path: Path,
    commit: str,
    spool: str,
    start: str,
    record_property: Note,
) -> None:
    kept_tansu.create(TOPIC, 4)
    address, reading = kept_tansu.address, Reading(commit, spool, OFTEN, start)
    outcome = disturbed(address, tmp_path, reading, [GROWN], 7, kept_tansu)
    _judge(outcome, record_property)
