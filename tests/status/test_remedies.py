"""Each reason of the health says what it means for records, and what to do."""

from dataclasses import replace

import pytest

from nss.status.health import judge
from nss.status.remedies import parted
from nss.status.summary import Reason
from tests.admin.conftest import FEED, NOW, SOURCE, SPOOL


def of_feed(**facts: object) -> Reason:
    feed = replace(FEED, **facts)  # type: ignore[arg-type]  # fields by name
    return judge([SOURCE], [feed], SPOOL, NOW).reasons[0]


def of_source(**facts: object) -> Reason:
    source = replace(SOURCE, **facts)  # type: ignore[arg-type]  # fields by name
    return judge([source], [FEED], SPOOL, NOW).reasons[0]


def test_a_sentence_that_brings_its_remedy_is_parted_from_it() -> None:
    assert parted("refused.\nTry: sudo nss verify-mcas2") == ("refused", "sudo nss verify-mcas2")
    assert parted("refused") == ("refused", "")
    found = of_feed(last_error="refused. Try: wait")
    assert (found.why, found.remedy) == ("refused", "wait")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("syslog_udp", "nss test-firewall"),
        ("syslog_tcp", "nss test-firewall"),
        ("file", "rights of the folder of collector.example.com"),
        ("cloud_discovery", "nss verify-mcas2"),
        ("another", "nss troubleshoot feeds"),
    ],
)
def test_a_failing_feed_is_looked_into_by_its_kind(kind: str, words: str) -> None:
    assert words in of_feed(kind=kind, last_error="refused").remedy


@pytest.mark.parametrize("kind", ["file", "tcp", "http", "stdin", "another"])
def test_so_is_a_failing_source(kind: str) -> None:
    found = of_source(kind=kind, last_error="broken")
    assert (bool(found.meaning), bool(found.remedy)) == (True, True)
