"""What is reported when records are lost: which feed, how many, and where."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool.durable.accounts import Missing
from nss.spool.durable.events import report_missing
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable.test_damage import change

Open = Callable[..., Awaitable[DurableSpool]]

Reported = tuple[str, str, dict[str, object]]


def reported(caplog: pytest.LogCaptureFixture) -> list[Reported]:
    """Return each event with its part and its facts."""
    return [
        (each.__dict__["event"], each.__dict__["component"], each.__dict__["facts"])
        for each in caplog.records
        if each.levelno >= logging.WARNING
    ]


def test_records_that_a_file_lacks_or_has_beyond_are_reported_for_each_feed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report_missing("/s.db", Missing({"one": 1, "more": 5, "beyond": -3}))

    assert reported(caplog) == [
        ("records_missing", "one", {"records": 1, "path": "/s.db"}),
        ("records_missing", "more", {"records": 5, "path": "/s.db"}),
        ("records_unexpected", "beyond", {"records": 3, "path": "/s.db"}),
    ]
    assert (counters["records_missing", "one"], counters["records_missing", "more"]) == (1, 5)
    assert counters["records_missing", "beyond"] == 0
    assert counters["spool_losses", "spool"] == 0


def test_a_file_that_lacks_its_last_commits_is_reported_with_their_batches(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report_missing("/s.db", Missing({}, is_behind=True, batches="118-120"))

    assert reported(caplog) == [
        ("spool_lacks_commits", "spool", {"path": "/s.db", "batches": "118-120"})
    ]
    assert counters["spool_losses", "spool"] == 1


def test_nothing_is_reported_of_a_file_that_lacks_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report_missing("/s.db", Missing())
    assert reported(caplog) == []


async def test_a_batch_that_can_not_be_read_is_reported_with_its_records_and_the_reason(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await spool.append(Batch("web", b"1\n", 1))
    await spool.append(Batch("web", b"2\n3\n4\n", 3))
    await spool.append(Batch("web", b"5\n", 1))
    await spool.close()
    change(path, "DELETE FROM bodies WHERE body = 2")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])

    assert [(await cursor.next()).sequence for _ in range(2)] == [1, 3]

    why = "its records are missing"
    assert reported(caplog) == [
        ("spool_cannot_read", "mcas", {"why": f"batch 2: {why}"}),
        ("batch_damaged", "mcas", {"sequence": 2, "records": 3, "why": why}),
    ]
    assert (counters["batches_damaged", "mcas"], cursor.pending_records) == (1, 5)
    await cursor.advance(1, Account(delivered=1))
    assert (cursor.account, cursor.pending_records) == (Account(delivered=1, rejected=3), 1)
