"""Whether a new version works, and what a failure in the middle leaves, without a service."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nss.errors import NssError
from nss.updates import journal, packages, service, units
from nss.updates.engine import Update
from nss.updates.journal import Entry, Journal
from nss.updates.plan import Plan

GOOD: dict[str, Any] = {"at": 0.0, "pid": 7, "health": {"reasons": []}, "sources": [], "feeds": []}
BAD = GOOD | {
    "health": {"reasons": [{"component": "spool", "why": "is full", "degrades": True}]},
}


PLAN = Plan(
    number="1",
    repository="https://updates.example.com",
    suite="stable",
    timeout_secs=1,
    verify_secs=1,
    config="/etc/nss/nss.toml",
    spool=None,
    spool_reserve=0,
    user="",
    force=False,
)


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's clock, which only its waits move."""
    now = [0.0]

    def sleep(secs: float) -> None:
        now[0] += secs

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)


def answers(monkeypatch: pytest.MonkeyPatch, at: Callable[[int], dict[str, Any] | None]) -> None:
    looks = iter(range(10_000))
    monkeypatch.setattr(service, "status", lambda: at(next(looks)))


@pytest.mark.usefixtures("hours")
def test_what_is_good_for_a_moment_at_the_end_is_not_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Wrong until half a second before the end, then good for one look, then wrong again.
    answers(monkeypatch, lambda look: GOOD if look == 19 else BAD)
    assert service.verify({}, 10) == "spool: is full"


@pytest.mark.usefixtures("hours")
def test_what_becomes_good_at_the_end_and_stays_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda look: GOOD if look >= 19 else BAD)
    assert service.verify({}, 10) == ""


@pytest.mark.usefixtures("hours")
def test_a_service_that_never_answers_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda _: None)
    assert service.verify({}, 10) == "it does not answer"


@pytest.mark.parametrize("stage", journal.STOPPED)
@pytest.mark.parametrize("why", ["", "port 514 is taken"])
def test_a_failure_starts_the_service_again_and_says_if_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, why: str
) -> None:
    started = []

    def start() -> str:
        started.append(True)
        return why

    monkeypatch.setattr(service, "start", start)
    monkeypatch.setattr(units, "end_watch", lambda: None)
    entry = Entry(number="1", stage=stage, version_before="1.0", was_running=True)
    Update(PLAN, Journal(entry, tmp_path), tmp_path)._failed(NssError("update: no way"))
    found = journal.read(tmp_path)
    assert found is not None
    assert (found.result, started) == (journal.FAILED, [True])
    assert found.why == "update: no way" + (f"; and the service does not run: {why}" if why else "")


def test_one_that_was_cut_off_before_the_exchange_tells_if_the_service_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "start", lambda: "port 514 is taken")
    monkeypatch.setattr(units, "end_watch", lambda: None)
    monkeypatch.setattr(packages, "installed", lambda: "1.0")
    entry = Entry(number="1", stage=journal.STOPPING, version_before="1.0", was_running=True)
    Update(PLAN, Journal(entry, tmp_path), tmp_path).resume()
    found = journal.read(tmp_path)
    assert found is not None
    assert found.why.endswith(
        "nothing was changed; but the service does not run: port 514 is taken"
    )
