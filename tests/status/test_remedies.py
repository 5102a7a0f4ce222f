"""Each reason of the health comes with what to do."""

from dataclasses import replace

import pytest

from nss.status.remedies import explained
from nss.status.summary import FeedStatus, Reason, SourceStatus, Status
from tests.admin.conftest import FEED, SOURCE, SPOOL, STATUS


def remedy(component: str, status: Status = STATUS, why: str = "it fails") -> str:
    return explained(Reason(component=component, why=why), status).remedy


def with_feed(**facts: object) -> Status:
    feed: FeedStatus = replace(FEED, **facts)  # type: ignore[arg-type]
    return replace(STATUS, feeds=(feed,))


def with_source(kind: str) -> Status:
    source: SourceStatus = replace(SOURCE, kind=kind, last_error="broken")
    return replace(STATUS, sources=(source,))


def test_a_reason_that_has_a_remedy_keeps_it() -> None:
    reason = Reason(component="feed mcas", why="refused.\nTry: sudo nss verify-mcas2", since=5.0)
    found = explained(reason, STATUS)

    assert (found.sentence, found.remedy) == ("refused", "sudo nss verify-mcas2")
    assert (found.component, found.since, found.degrades) == ("feed mcas", 5.0, True)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("syslog_udp", "nss test-firewall"),
        ("syslog_tcp", "nss test-firewall"),
        ("file", "free space"),
        ("cloud_discovery", "nss verify-mcas2"),
    ],
)
def test_a_failing_feed_is_looked_into_by_its_kind(kind: str, words: str) -> None:
    assert words in remedy("feed mcas", with_feed(kind=kind, last_error="refused"))


@pytest.mark.parametrize("kind", ["file", "tcp", "http", "stdin"])
def test_so_is_a_failing_source(kind: str) -> None:
    assert remedy("source web", with_source(kind))


def test_what_is_wrong_with_a_feed_decides() -> None:
    assert "fault of NSS" in remedy("feed mcas", with_feed(accepted=9999))
    assert "nss top" in remedy("feed mcas", with_feed(lag_secs=100.0))
    rejecting = with_feed(lag_secs=0.0, rejected_lately=5)
    assert "nss rejects --feed mcas" in remedy("feed mcas", rejecting)


def test_the_spool_has_three_troubles() -> None:
    def spool(**facts: object) -> Status:
        return replace(STATUS, spool=replace(SPOOL, **facts))  # type: ignore[arg-type]

    assert "df" in remedy("spool", spool(last_error="disk full"))
    assert "max_bytes" in remedy("spool", spool(full=True))
    assert "durable" in remedy("spool", spool(durable=False))


def test_what_nobody_knows_a_remedy_for_has_none() -> None:
    assert remedy("data source NSS") == ""
    assert remedy("feed gone") == ""
    assert remedy("source gone") == ""
    assert "--dry-run" in remedy("sync")
