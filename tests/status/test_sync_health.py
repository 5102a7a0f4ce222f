"""What the sync of unsanctioned apps means for the health of the service."""

from dataclasses import replace

from nss.status.health import judge
from nss.status.summary import Health
from nss.status.sync_readings import BlockingReading
from tests.admin.conftest import FEED, HOUR, NOW, SOURCE, SPOOL, SYNC
from tests.admin.conftest import SYNC_RUN as GOOD

DRY_RUN = "see what the next run would change: nss sync-unsanctioned --dry-run"
FAILED = replace(GOOD, outcome="failed", error="ZIA is busy", tip="wait")


def health(**changed: object) -> Health:
    sync = replace(SYNC, **changed)  # type: ignore[arg-type]  # fields by name
    return judge([SOURCE], [FEED], SPOOL, NOW, sync=sync)


def reasons(found: Health) -> list[tuple[str, bool]]:
    assert all(reason.meaning and reason.remedy for reason in found.reasons)
    return [(f"{reason}. Try: {reason.remedy}", reason.degrades) for reason in found.reasons]


def test_a_sync_that_succeeds_is_not_mentioned() -> None:
    assert health() == Health(ok=True, alive=True)


def test_two_failures_are_mentioned_and_the_third_degrades() -> None:
    text = "sync: ZIA is busy. Try: wait"
    found = health(last=FAILED, failures=2, failing_since=NOW - 10)
    assert (found.ok, reasons(found)) == (True, [(text, False)])
    found = health(last=FAILED, failures=3, failing_since=NOW - 10)
    assert (found.ok, reasons(found)) == (False, [(text, True)])
    assert found.reasons[0].since == NOW - 10


def test_six_hours_without_a_success_degrade() -> None:
    found = health(last=FAILED, failures=1, last_success_at=NOW - 6 * HOUR)
    assert not found.ok
    found = health(last=FAILED, failures=1, last_success_at=None, failing_since=NOW - 6 * HOUR)
    assert not found.ok
    found = health(last_success_at=NOW - 7 * HOUR)
    text = f"sync: unsanctioned apps have not been synced for 7 h. Try: {DRY_RUN}"
    assert reasons(found) == [(text, True)]
    assert health(last_success_at=NOW - 7 * HOUR, patience_secs=8 * HOUR).ok


def test_a_list_that_was_always_empty_is_mentioned_and_degrades_nothing() -> None:
    empty = replace(GOOD, outcome="empty", error="the list is empty", tip="mark an app")
    found = health(last=empty, last_success_at=None, urls=None)
    assert reasons(found) == [("sync: the list is empty. Try: mark an app", False)]


def test_entries_set_aside_and_advice_are_mentioned() -> None:
    found = health(last=replace(GOOD, set_aside=2, advice="names only"))
    assert found.ok
    assert reasons(found) == [
        (f"sync: 2 entries are set aside. Try: {DRY_RUN}", False),
        (f"sync: names only. Try: {DRY_RUN}", False),
    ]


def test_a_category_that_may_open_is_mentioned_and_degrades_nothing() -> None:
    opens = BlockingReading(
        destination="X", at=NOW, since=NOW - HOUR, blocked=False, reason="no rule", remedy="add one"
    )
    found = health(blocking=opens)
    assert found.ok
    assert reasons(found) == [
        ("sync: unsanctioned apps may open: no rule. Try: add one", False),
    ]
    assert found.reasons[0].since == NOW - HOUR
    for blocked in (True, None):  # an API role that may read little is no fault
        assert reasons(health(blocking=replace(opens, blocked=blocked))) == []


def test_what_keeps_runs_from_starting_is_mentioned() -> None:
    found = health(last_error="no state")
    assert reasons(found) == [(f"sync: no state. Try: {DRY_RUN}", False)]


def test_without_credentials_nothing_is_expected() -> None:
    assert health(ready=False, last=FAILED, failures=5) == Health(ok=True, alive=True)
