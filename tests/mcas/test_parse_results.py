"""Which entries are of our files, and what is known of them."""

import pytest

from nss.mcas.governance import LogEntry, ParseState
from nss.mcas.parse_results import KEPT_SECS, OVERLAP_SECS, WAIT_SECS, ParseResults
from nss.mcas.uploaded import UploadedFile, file_name

NOW = 1_790_000_000.0
DAY = 86_400.0


def name(number: int, feed: str = "up") -> str:
    return file_name(feed, NOW - 1000 + number, number, gzip=False)


def file(number: int, feed: str = "up", at: float | None = None) -> UploadedFile:
    begun = NOW - 1000 + number if at is None else at
    return UploadedFile(name(number, feed), begun, begun + 0.5)


def entry(
    number: int,
    state: ParseState = "parsed",
    *,
    file: str | None = "",
    stream: str | None = "ours",
    at: float | None = None,
    text: str = "",
) -> LogEntry:
    own = name(number) if file == "" else file
    return LogEntry(
        id=f"id{number}",
        at=NOW - 1000 + number if at is None else at,
        state=state,
        text=text,
        stream_id=stream,
        file_names=() if own is None else (own,),
    )


def results(*files: UploadedFile, stream_id: str | None = "ours") -> ParseResults:
    made = ParseResults(3, now=lambda: NOW)
    made.files, made.stream_id = files, stream_id
    return made


def test_an_entry_with_the_name_of_our_file_is_ours_whatever_its_data_source() -> None:
    found = results(file(1), stream_id=None)
    (failure,) = found.take([entry(1, "failed", stream="other", text="Unsupported file type")])
    assert (failure.file, failure.feed, failure.text) == (name(1), "up", "Unsupported file type")
    assert failure.at == NOW - 999
    assert failure.remedy.startswith("set gzip = false")


def test_our_name_is_found_behind_what_the_service_put_before_it() -> None:
    found = results(file(1))
    (failure,) = found.take([entry(1, "failed", file=f"6a59-nss_{name(1)}")])
    assert (failure.file, failure.feed) == (name(1), "up")


def test_entries_of_others_are_not_ours() -> None:
    found = results(file(1))
    others = [
        entry(2, "failed", file="up-20200101T000000-1.log"),
        entry(3, "failed", file=None, stream="another"),
        entry(4, "failed", file=None, stream=None),
        entry(5, "failed", file=None, at=NOW - 1000 - OVERLAP_SECS - 1),
    ]
    assert found.take(others) == []
    assert found.summary().failed == 0


def test_nothing_is_ours_before_something_was_uploaded() -> None:
    assert results().take([entry(1, "failed", file=None)]) == []


def test_without_names_in_the_log_an_entry_of_the_data_source_is_ours() -> None:
    found = results(file(1))
    (failure,) = found.take([entry(1, "failed", file=None, text="x")])
    assert (failure.file, failure.feed) == (None, None)
    assert found.summary().standing == (failure,)
    assert results(file(1), stream_id=None).take([entry(1, "failed", file=None)]) == []


def test_once_names_are_seen_entries_without_ours_are_not_ours_any_more() -> None:
    found = results(file(1), file(2))
    found.take([entry(1, "failed", file=None)])
    assert found.take([entry(7, "failed", file=None), entry(2)]) == []
    assert (found.summary().parsed, found.summary().failed) == (1, 0)
    assert found.take([entry(8, "failed", file=None)]) == []


def test_a_failure_is_new_only_once_and_also_after_it_was_pending() -> None:
    found = results(file(1), file(2))
    assert found.take([entry(1, "pending")]) == []
    assert len(found.take([entry(1, "failed")])) == 1
    assert found.take([entry(1, "failed")]) == []


def test_a_failure_stands_until_a_later_file_of_its_feed_is_parsed() -> None:
    found = results(file(1), file(2), file(3), file(4, "other"))
    found.take([entry(2, "failed", text="x"), entry(1), entry(4, file=name(4, "other"))])
    assert [failure.file for failure in found.summary().standing] == [name(2)]
    found.take([entry(3, "pending")])
    assert len(found.summary().standing) == 1
    found.take([entry(3)])
    summary = found.summary()
    assert (summary.standing, summary.failed, summary.last_parsed_at) == ((), 1, NOW - 996)
    assert summary.last_failure is not None
    assert summary.last_failure.file == name(2)


def test_a_failure_of_each_feed_stands_the_latest_first() -> None:
    found = results(file(1), file(2, "other"))
    found.take([entry(1, "failed"), entry(2, "failed", file=name(2, "other"))])
    assert [failure.feed for failure in found.summary().standing] == ["other", "up"]


def test_a_failure_stands_for_some_days_at_most() -> None:
    old = NOW - 3 * DAY
    found = results(file(1, at=old))
    found.take([entry(1, "failed", at=old - 1)])
    assert (found.summary().standing, found.summary().failed) == ((), 1)
    found.take([entry(2, "failed", file=name(1), at=old)])
    assert len(found.summary().standing) == 1


def test_results_are_forgotten_after_a_week() -> None:
    found = results(file(1))
    found.take([entry(1, at=NOW - KEPT_SECS - 1), entry(2, file=name(1), at=NOW - KEPT_SECS)])
    assert found.summary().parsed == 1


def test_files_without_a_result_are_pending_and_later_overdue() -> None:
    begun = UploadedFile(name(9), NOW)
    late, lost = file(5, at=NOW - WAIT_SECS - 1), file(6, at=NOW - KEPT_SECS - 1)
    found = results(lost, late, file(1), file(2), file(3), begun)
    found.take([entry(1), entry(2, "pending")])
    summary = found.summary()
    assert (summary.pending, summary.overdue, summary.parsed) == (2, 1, 1)
    assert found.unsettled_since() == NOW - 998


def test_without_names_what_is_later_than_the_last_entry_is_pending() -> None:
    late = file(9, at=NOW - WAIT_SECS - 1)
    found = results(late, file(1), file(2), file(3))
    assert (found.summary().pending, found.summary().overdue) == (3, 1)
    found.take([entry(1, file=None), entry(2, "pending", file=None)])
    assert (found.summary().pending, found.summary().overdue) == (2, 0)
    assert found.unsettled_since() == NOW - 999


def test_nothing_waits_once_every_file_has_a_result() -> None:
    found = results(file(1), UploadedFile(name(2), NOW))
    found.take([entry(1)])
    assert found.unsettled_since() is None


@pytest.mark.parametrize(("ago", "since"), [(2 * DAY, 2 * DAY), (4 * DAY, 0.0)])
def test_recent_files_are_those_of_the_days_that_a_failure_stands(ago: float, since: float) -> None:
    assert results(file(1, at=NOW - ago)).recent_since() == NOW - since - OVERLAP_SECS
