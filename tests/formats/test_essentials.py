"""Whether records state the address, user and URL that a feed prints."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given

from formats import FeedSettings, Input, Pipeline, input_of, json_names, parse, presets
from formats.essentials import (
    PATIENCE_RECORDS,
    Survey,
    essentials,
    listed,
)
from tests.foreign import VALUES

MCAS = presets.load("MCAS")
WHOLE = {"epochtime": 1, "login": "ann", "cip": "10.0.0.1", "url": "e.example/"}
NO_USER = {key: value for key, value in WHOLE.items() if key != "login"}


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


class Looking:
    """A survey of batches that a pipeline has read."""

    def __init__(self, text: str = "", source: Input | None = None) -> None:
        feed_format = parse(text) if text else MCAS
        self.source = source or json_names()
        self.survey = Survey(self.source, feed_format)
        self._pipeline = Pipeline(self.source, FeedSettings(feed_format))

    def look(self, data: bytes, times: int = 1) -> None:
        for _ in range(times):
            self.survey.look(data, self._pipeline.run(data).records)

    @property
    def missing(self) -> list[str]:
        return [each.kind for each in self.survey.missing]

    @property
    def never_stated(self) -> list[str]:
        return [each.kind for each in self.survey.never_stated]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "%s{cip}%s{sip}%s{elogin}%s{ehost}%s{eurl}",
            ["an address (cip)", "a user (elogin)", "a URL (ehost, eurl)"],
        ),
        ("%s{sip}", ["an address (sip)"]),
        ("%d{ocip} %s{ologin} %s{hostname}", ["an address (ocip)", "a user (ologin)",
                                              "a URL (hostname)"]),
        ("%s{action} %s{dept} %s{eurlpath}", []),
    ],
)  # fmt: skip
def test_what_matters_is_what_the_feed_prints_of_it(text: str, found: Sequence[str]) -> None:
    assert [str(each) for each in essentials(parse(text))] == found


def test_several_are_listed_as_half_a_sentence() -> None:
    address, user, url = essentials(MCAS)
    assert listed([user]) == "a user (login)"
    assert listed([address, user, url]) == (
        "an address (cip, cintip), a user (login) or a URL (eurl, ehost)"
    )


def test_nothing_is_missing_of_whole_records() -> None:
    looking = Looking()
    looking.look(lines(*[WHOLE] * 50), times=20)
    assert (looking.missing, looking.never_stated) == ([], [])


def test_what_no_record_states_is_missing_after_a_hundred_records_and_not_before() -> None:
    looking = Looking()
    looking.look(lines(*[NO_USER] * 16), times=6)
    assert (looking.missing, looking.never_stated) == ([], ["user"])
    looking.look(lines(*[NO_USER] * 16))
    assert looking.missing == ["user"]


def test_records_of_which_nothing_that_matters_is_known_show_it_at_once() -> None:
    looking = Looking()
    strange = {"epochtime": 1, "who": "ann", "where": "e.example/"}
    looking.look(lines(*[strange] * 3))
    assert (looking.missing, looking.never_stated) == ([], ["address", "user", "URL"])
    looking.look(lines(strange))
    assert looking.missing == ["address", "user", "URL"]


@pytest.mark.parametrize("value", ["None", "", None, "N/A"])
def test_a_key_that_is_there_with_a_placeholder_is_stated(value: str | None) -> None:
    looking = Looking()
    looking.look(lines(*[NO_USER | {"login": value}] * 16), times=20)
    assert (looking.missing, looking.never_stated) == ([], [])


@pytest.mark.parametrize("key", ["user", "usrName", "elogin", "b64login", "suser"])
def test_a_key_that_the_field_can_be_made_of_states_it(key: str) -> None:
    looking = Looking()
    looking.look(lines(*[NO_USER | {key: None}] * 16), times=10)
    assert looking.missing == []


def test_a_sender_that_leaves_the_user_out_of_most_records_is_not_reported() -> None:
    looking = Looking()
    for number in range(1000):
        looking.look(lines(*[NO_USER] * 15, WHOLE if number % 4 == 0 else NO_USER))
        assert looking.missing == []


def test_one_record_with_a_value_ends_it() -> None:
    looking = Looking()
    looking.look(lines(*[NO_USER] * 100), times=10)
    assert looking.missing == ["user"]
    looking.look(lines(*[NO_USER] * 99, WHOLE))
    assert (looking.missing, looking.never_stated) == ([], [])


def test_a_key_without_a_value_ends_it_soon() -> None:
    looking = Looking()
    looking.look(lines(*[NO_USER] * 100), times=10)
    looking.look(lines(*[NO_USER, NO_USER | {"login": None}] * 50), times=20)
    assert looking.missing == []


def test_what_is_missing_from_some_day_on_is_found_later() -> None:
    looking = Looking()
    looking.look(lines(*[WHOLE] * 50), times=20)
    looking.look(lines(*[NO_USER] * 50), times=16 * PATIENCE_RECORDS + 20)
    assert (looking.missing, looking.never_stated) == (["user"], [])


def test_of_ordinary_batches_next_to_no_record_is_looked_at() -> None:
    looking = Looking()
    looking.look(lines(*[WHOLE] * 50), times=1000)
    assert looking.survey._looked < PATIENCE_RECORDS + 16 + 1000 // 16


@pytest.mark.parametrize(
    ("text", "line", "missing"),
    [
        (r"%s{cip}\t%s{eurl}", b"1.1.1.1\te.example/\n", ["user"]),
        (r"%s{login}\t%s{cip}\t%s{eurl}", b"None\t0.0.0.0\tNone\n", []),
        (r"LEEF:1.0|a|b|c|d|usrName=%s{login}\turl=%s{eurl}", b"LEEF:1.0|a|b|c|d|url=x\n",
         ["address", "user"]),
    ],
)  # fmt: skip
def test_of_other_forms_the_columns_and_attributes_count(
    text: str, line: bytes, missing: Sequence[str]
) -> None:
    looking = Looking("%s{login} %s{cip} %s{eurl}", input_of(parse(text)))
    looking.look(line * 20, times=10)
    assert looking.missing == missing


def test_a_feed_that_prints_nothing_of_it_is_never_warned_of() -> None:
    looking = Looking("%s{action} %s{dept}")
    looking.look(lines({"x": 1}), times=300)
    assert (looking.missing, looking.never_stated) == ([], [])


def test_records_that_can_not_be_read_say_nothing() -> None:
    looking = Looking()
    looking.look(b"nonsense\n" * 50, times=10)
    looking.look(b"", times=10)
    assert (looking.missing, looking.never_stated) == ([], [])


SOURCES = {name: input_of(presets.load(name)) for name in presets.names()}
LINES = {
    name: Pipeline(json_names(), FeedSettings(presets.load(name))).run(lines(WHOLE)).lines[0]
    for name in SOURCES
}


@given(VALUES)
def test_nothing_in_a_record_ends_a_survey(value: bytes) -> None:
    data = b'{"login":"ann","x":%b}\n{"event":%b}\n[%b]\n%b\n' % ((value,) * 4)
    for name, source in SOURCES.items():
        Survey(source, MCAS).look(data + LINES[name].replace(b"ann", value), [])
    Survey(json_names(), MCAS).look(data, [])


def test_records_behind_lines_that_are_none_are_seen_too() -> None:
    looking = Looking()
    looking.look(b"# comment\n" * 50 + lines(WHOLE))
    assert (looking.missing, looking.never_stated) == ([], [])
