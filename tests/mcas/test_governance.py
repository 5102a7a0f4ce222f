"""What the governance log says of uploads, whatever shape it has; and reasons that are known."""

import pytest

from nss.mcas.governance import (
    MAX_TEXT_CHARS,
    NO_TEXT,
    LogEntry,
    UnreadableLog,
    filled,
    page,
    question,
)
from nss.mcas.parse_reasons import REASONS, UNKNOWN_REMEDY, reason_of, remedy_of

PLACE = "https://contoso.us3.portal.cloudappsecurity.com"
CODE = "REPOOPER_COMPLETION_STATUS_BASELOGPARSER_"
NO = False
NAME = "up-20261126T120000-17.log"


def task(**more: object) -> dict[str, object]:
    return {
        "_id": "a1",
        "taskName": "DiscoveryParseLogTask",
        "timestamp": 1_700_000_000_500,
        **more,
    }


def failed(status: object, **more: object) -> dict[str, object]:
    return task(status=status, **more)


def entry_of(found: object) -> LogEntry:
    (entry,) = page({"data": [found]}, 0, PLACE).entries
    return entry


def template(text: str, parameters: object = None, *, success: bool = False) -> dict[str, object]:
    return {
        "isSuccess": success,
        "templateMessage": {"template": text, "parameters": parameters},
    }


def test_only_the_filter_that_works_is_asked_for() -> None:
    assert question(1_700_000_000.5, 100) == {
        "skip": 100,
        "limit": 100,
        "sortField": "timestamp",
        "sortDirection": "asc",
        "filters": {"timestamp": {"gte": 1_700_000_000_500}},
    }


def test_an_entry_has_its_time_its_data_source_and_the_names_in_it() -> None:
    found = task(inputStreamId="6a59", targetObject={"name": NAME}, other=["x/" + NAME + "!", 5])
    assert entry_of(found) == LogEntry(
        id="a1",
        at=1_700_000_000.5,
        state="pending",
        text="",
        stream_id="6a59",
        file_names=(NAME, NAME),
    )


STATES = [
    (None, "pending"),
    ({}, "pending"),
    ({"isSuccess": None}, "pending"),
    ({"isSuccess": True}, "parsed"),
    (
        template(f"{CODE}PARSED_LOG_FILE_ALL_RELEVANT", {"transactionsCount": 5}, success=True),
        "parsed",
    ),
    (True, "parsed"),
    ({"isSuccess": False}, "failed"),
    (False, "failed"),
    (template("No transactions to cataloged cloud apps", success=True), "failed"),
    (template(f"{CODE}UNEXPECTED_FORMAT", success=True), "failed"),
]


@pytest.mark.parametrize(("status", "state"), STATES)
def test_an_upload_is_pending_parsed_or_failed(status: object, state: str) -> None:
    assert entry_of(task(status=status)).state == state


TEXTS = [
    (failed(template("The log format doesn't match")), "The log format doesn't match"),
    (
        failed(template(f"{CODE}UNEXPECTED_FORMAT", {"dataSource": "GENERIC_CEF", "n": 3})),
        f"{CODE}UNEXPECTED_FORMAT (dataSource: GENERIC_CEF, n: 3)",
    ),
    (
        failed(template("{{ file }} is no {kind}", {"file": "a.log", "kind": "LEEF", "line": 7})),
        "a.log is no LEEF (line: 7)",
    ),
    (failed(template("{0} of {1} %(x)s", ["two", "three"])), "two of three %(x)s"),
    (failed(template("all ${a} %(b)s", {"a": 1, "b": 2.5})), "all 1 2.5"),
    (failed(template("odd {a}", {"a": {"b": 1}})), "odd {a}"),
    (failed(template("odd", "text")), "odd"),
    (failed({"isSuccess": False, "errorMessage": "no header"}), "no header"),
    (failed({"isSuccess": False, "message": "no header"}), "no header"),
    (failed(NO, errorMessage="no header", description="other"), "no header"),
    (failed(NO, description="no header"), "no header"),
    (failed(NO), NO_TEXT),
    (failed({"isSuccess": False, "templateMessage": 5, "message": ["x"]}), NO_TEXT),
    (failed(template("")), NO_TEXT),
]


@pytest.mark.parametrize(("found", "text"), TEXTS)
def test_the_reason_is_found_in_every_shape_that_was_seen(
    found: dict[str, object], text: str
) -> None:
    assert entry_of(found).text == text


def test_a_reason_is_short_and_no_terminal_obeys_it() -> None:
    text = entry_of(failed(template("a\x1b[2J\n\u202eb\t c{x}", {"x": "\x07"}))).text
    assert text == "a?[2J ?b c?"
    long = entry_of(failed(template("x" * 5000))).text
    assert (len(long), long[-4:]) == (MAX_TEXT_CHARS, "x...")


def test_a_parameter_is_cut_and_what_it_holds_is_not_filled_in_again() -> None:
    assert filled("{a}", {"a": "{b}", "b": "z"}) == "{b} (b: z)"
    assert len(filled("{a}", {"a": "x" * 5000})) == MAX_TEXT_CHARS


def test_entries_of_other_tasks_are_left_out() -> None:
    other = {"_id": "b", "taskName": "DiscoveryAggregationsTask", "timestamp": 5, "status": 9}
    found = page({"data": [other, task()]}, 0, PLACE)
    assert ([entry.id for entry in found.entries], found.size, found.odd) == (["a1"], 2, 0)


ODD: list[object] = [
    *(None, 5, "x", [], {}),
    {"taskName": 5},
    task(timestamp=None),
    *(task(timestamp=at) for at in ("2026-01-02", -1, 0, 10**14, 1e300, True)),
    *(task(_id=found) for found in ("", None, 5)),
    task(status="failed"),
    task(status={"isSuccess": "no"}),
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_entry_of_an_unknown_shape_is_counted_and_alone_makes_the_log_unreadable(
    odd: object,
) -> None:
    assert page({"data": [odd, task()]}, 0, PLACE).odd == 1
    with pytest.raises(UnreadableLog) as caught:
        page({"data": [odd]}, 0, PLACE)
    assert caught.value.sentence == (
        f"the governance log has only entries of an unknown shape ({PLACE})"
    )


@pytest.mark.parametrize("answer", [None, 5, "x", [], {}, {"data": 5}, {"data": {}}, {"x": []}])
def test_a_log_of_an_unknown_shape_is_never_one_without_failures(answer: object) -> None:
    with pytest.raises(UnreadableLog) as caught:
        page(answer, 0, PLACE)
    assert caught.value.sentence == f"the governance log has an unknown shape ({PLACE})"


MORE = [
    ({"hasNext": True, "total": 1}, 0, True),
    ({"hasNext": False, "total": 500}, 0, False),
    ({"total": 103}, 100, True),
    ({"total": 102}, 100, False),
    ({"total": "x"}, 0, False),
    ({}, 0, False),
]


@pytest.mark.parametrize(("facts", "skip", "more"), MORE)
def test_whether_there_is_more_is_as_the_service_says(
    facts: dict[str, object], skip: int, more: object
) -> None:
    assert page({"data": [task(), task()], **facts}, skip, PLACE).has_more is more


def test_a_full_page_without_a_word_has_more_and_an_empty_one_never() -> None:
    assert page({"data": [task()] * 100}, 0, PLACE).has_more
    assert not page({"data": [], "hasNext": True}, 0, PLACE).has_more


def test_the_last_time_is_known_only_of_an_ordered_page() -> None:
    first, second = task(timestamp=1000), task(timestamp=2000)
    assert page({"data": [first, second]}, 0, PLACE).last_at == 2.0
    assert page({"data": [second, first]}, 0, PLACE).last_at is None
    assert page({"data": [first, {"taskName": "Other"}]}, 0, PLACE).last_at is None
    assert page({"data": []}, 0, PLACE).last_at is None


KNOWN = [
    ("Unsupported file type", "gzip = false"),
    ("The log format doesn't match", 'format = "MCAS"'),
    ("The log format does not match", 'format = "MCAS"'),
    (f"{CODE}UNEXPECTED_FORMAT (dataSource: GENERIC_CEF)", 'format = "MCAS"'),
    ("Transactions are more than 90 days old", "clocks"),
    ("No transactions to cataloged cloud apps", "filter"),
    ("Unsupported log type", "ZSCALER_QRADAR_SYSLOG"),
    ("CONSOLE_DISCOVERY_SETTINGS_PARSE_LOG_TASK_ERROR_NOT_FOUND_INPUT_STREAM", "data_source"),
    ("Internal error", "Retry"),
]


@pytest.mark.parametrize(("text", "remedy"), KNOWN)
def test_a_known_reason_has_a_remedy(text: str, remedy: str) -> None:
    assert remedy in remedy_of(text)


@pytest.mark.parametrize(
    "text", ["", "all good", f"{CODE}PARSED_LOG_FILE_ALL_RELEVANT", "INFORMATION FORMATS"]
)
def test_another_text_has_a_general_one(text: str) -> None:
    assert (reason_of(text), remedy_of(text)) == (None, UNKNOWN_REMEDY)


def test_every_known_reason_is_in_the_guide() -> None:
    from pathlib import Path  # noqa: PLC0415 - for this test alone

    guide = (Path(__file__).parents[2] / "docs" / "mcas.md").read_text()
    table = guide[guide.index("| Cloud Discovery says |") :]
    assert len(REASONS) <= sum(reason_of(line) is not None for line in table.splitlines())
