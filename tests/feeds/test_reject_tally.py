"""Why most records of a feed are rejected."""

from nss.feeds.reject_tally import RejectTally
from nss.status.readings import CommonRejectReading


def test_reasons_that_differ_in_numbers_and_quotes_count_together() -> None:
    tally = RejectTally()
    assert tally.commonest is None
    tally.add("not JSON")
    for number in range(3):
        tally.add(f"{number} columns, expected 34: 'secret {number}'")
    assert tally.commonest == CommonRejectReading(reason="2 columns, expected 34: '...'", records=3)


def test_what_is_kept_is_bounded_whatever_records_say() -> None:
    tally = RejectTally()
    for number in range(1000):
        tally.add("x" * number)
    tally.add("x")
    assert len(tally._counts) == 64
    assert tally.commonest == CommonRejectReading(reason="x", records=2)
