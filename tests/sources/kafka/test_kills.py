"""Instances of a group are killed, stopped and paused: nothing is lost, and order is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kafka.brokers import Tansu
from tests.kafka.group import disturbed

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("commit", "spool"),
    [("accepted", "durable"), ("delivered", "durable"), ("delivered", "memory")],
)
def test_nothing_is_lost(
    tansu: Tansu,
    tmp_path: Path,
    commit: str,
    spool: str,
    record_property: Callable[[str, object], None],
) -> None:
    outcome = disturbed(tansu, tmp_path, 7, commit, spool, seed=7)
    record_property("outcome", str(outcome))
    assert not outcome.lost
    assert not outcome.out_of_order
