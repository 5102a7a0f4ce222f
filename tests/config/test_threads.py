"""`[service] threads`: its bounds, its default, and that a reload can't change it."""

from pathlib import Path

import pytest

from nss.config.load import parse
from nss.config.restart import sections_needing_restart
from tests.config.test_problems import SMALLEST, problems

BASE = Path("/etc/nss")


@pytest.mark.parametrize("threads", ["0", "65", "-1", "true", "1.0", '"2"', '"all"'])
def test_another_number_of_threads_is_refused_with_its_bounds(threads: str) -> None:
    (problem,) = problems(f"[service]\nthreads = {threads}\n{SMALLEST}")
    assert (problem.key, problem.reason) == (
        "service.threads",
        "must be a whole number of threads from 1 to 64",
    )


def test_without_a_number_it_is_for_the_service_to_decide() -> None:
    assert parse(SMALLEST, BASE).service.threads is None


def test_a_reload_can_not_change_it() -> None:
    old, new = (parse(f"[service]\nthreads = {number}\n{SMALLEST}", BASE) for number in (1, 64))
    assert sections_needing_restart(old, new) == ["service.threads"]
    assert sections_needing_restart(old, old) == []
