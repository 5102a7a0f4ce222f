"""A sample explained: its form, each key with its field and use, what is missing, what is bad."""

import json

import pytest
from hypothesis import given

from formats import FeedSettings, Pipeline, filters, input_of, json_names, parse, presets
from formats.explanation import EXAMPLE_CHARS, MAX_PLACES, Explanation, explanation, unread
from formats.fields import TIME_FIELDS
from tests.foreign import VALUES

MCAS = FeedSettings(presets.load("MCAS"))
RECORD = {
    "time": "2023-10-06 09:05:08",
    "login": "ann",
    "cip": "10.0.0.1",
    "url": "e.example/",
    "dept": "Finance",
    "colour": "red",
    "vendor": "Zscaler",
}


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def uses(found: Explanation) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {place.key: (place.use, place.prints) for place in found.places}


def test_each_key_has_its_field_and_what_the_feed_prints_of_it() -> None:
    found = explanation(lines(RECORD), MCAS)

    assert (found.input, found.rendered, found.records, found.bad) == ("json", 1, 1, ())
    assert uses(found) == {
        "time": ("printed", ("time",)),
        "login": ("printed", ("login",)),
        "cip": ("printed", ("cip",)),
        "url": ("printed", ("eurl",)),
        "dept": ("unprinted", ()),
        "colour": ("unknown", ()),
        "vendor": ("constant", ()),
    }
    assert found.good


def test_a_field_that_is_stated_itself_is_not_made_of_another() -> None:
    found = explanation(lines(RECORD | {"eurl": RECORD["url"]}), MCAS)

    assert (uses(found)["url"], uses(found)["eurl"]) == (("unprinted", ()), ("printed", ("eurl",)))


def test_sums_are_made_of_their_parts() -> None:
    settings = FeedSettings(parse("%d{totalsize} %s{login}"))
    found = explanation(lines({"reqsize": 1, "respsize": 2, "login": "ann"}), settings)

    assert uses(found)["reqsize"] == ("printed", ("totalsize",))


def test_a_field_that_the_filter_looks_at_is_used() -> None:
    settings = FeedSettings(MCAS.format, filters.parse({"departments": "Sales"}))
    found = explanation(lines(RECORD), settings)

    assert uses(found)["dept"] == ("printed", ("the filter",))
    assert (found.rendered, found.filtered, found.records) == (0, 1, 1)


def test_records_are_counted_for_each_key_and_a_telling_example_is_shown() -> None:
    more = [RECORD | {"login": value} for value in ("None", "", "bob", "cid")]
    found = explanation(lines({"cip": "1.1.1.1", "time": RECORD["time"]}, *more), MCAS)
    places = {place.key: place for place in found.places}

    assert (places["login"].records, places["login"].example) == (4, "bob")
    assert places["cip"].records == 5
    assert found.lacking.counts["login"] == 1


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [("login", ["user"]), ("cip", ["address"]), ("url", ["URL"])],
)
def test_a_sample_without_one_of_what_matters_is_not_good(
    left_out: str, missing: list[str]
) -> None:
    record = {key: value for key, value in RECORD.items() if key != left_out}
    found = explanation(lines(record, record), MCAS)

    assert [each.kind for each in found.missing] == missing
    assert not found.good


def test_what_every_record_states_with_a_placeholder_is_known() -> None:
    hidden = RECORD | {"login": "None", "user": "None", "cip": "0.0.0.0"}  # noqa: S104 - a value

    found = explanation(lines(hidden, hidden), MCAS)
    assert [each.kind for each in found.empty] == ["address", "user"]
    assert (found.missing, found.good) == ((), True)
    assert explanation(lines(hidden, RECORD), MCAS).empty == ()


def test_a_sample_of_which_the_feed_prints_nothing_is_not_good() -> None:
    found = explanation(lines(RECORD), FeedSettings(parse("%s{action} %s{reason}")))

    assert (found.missing, found.is_any_printed, found.good) == ((), False, False)


def test_records_that_can_not_be_read_or_printed_come_by_reason_the_most_frequent_first() -> None:
    timeless = {"login": "ann", "cip": "1.1.1.1", "url": "x/"}
    data = lines(RECORD) + b"{\n" + lines(timeless, timeless)
    found = explanation(data, MCAS, json_names())

    assert (found.rendered, len(found.bad), found.good) == (1, 3, False)
    reasons = unread(found.bad)
    assert [len(bad) for bad in reasons.values()] == [2, 1]
    assert list(reasons)[1] == "JSON is truncated"
    assert "time" in next(iter(reasons))


def test_the_keys_of_bad_records_are_not_explained() -> None:
    found = explanation(lines(RECORD, {"time": "yesterday", "nonsense": 1}), MCAS)

    assert "nonsense" not in uses(found)


def test_a_sample_in_no_known_format_shows_its_keys_if_it_has_any() -> None:
    found = explanation(b'garbage\n{"colour":"red"}\n', MCAS)

    assert (found.input, found.records, len(found.bad), found.good) == (None, 2, 2, False)
    assert uses(found) == {"colour": ("unknown", ())}
    assert explanation(b"garbage\n", MCAS).places == ()


@pytest.mark.parametrize("name", presets.names())
def test_lines_of_every_preset_are_explained_for_itself(name: str) -> None:
    settings = FeedSettings(presets.load(name))
    data = Pipeline(json_names(), settings).run(lines(RECORD)).lines[0] + b"\n"
    found = explanation(data, settings, input_of(settings.format))

    printed = {made for place in found.places for made in place.prints}
    assert printed - {"time"} == settings.format.field_names - TIME_FIELDS
    assert found.missing == ()


def test_what_a_sender_makes_up_is_bounded() -> None:
    keys = {f"k{number}{'x' * 100}": "v" * 9999 for number in range(2 * MAX_PLACES)}
    found = explanation(lines(RECORD | keys), MCAS)

    assert len(found.places) == MAX_PLACES
    assert max(len(place.key) for place in found.places) == 64
    assert max(len(place.example) for place in found.places) == EXAMPLE_CHARS


@given(VALUES)
def test_any_json_ends_in_an_explanation(value: bytes) -> None:
    data = b'{"login":"ann","x":%b}\n{"event":%b}\n[{"a":{"b":%b}}]\n%b\n' % ((value,) * 4)

    for known in (None, json_names(), input_of(presets.load("JSON"))):
        assert explanation(data, MCAS, known).rendered == 0


def test_no_record_at_all_is_not_good() -> None:
    assert not explanation(b"", MCAS).good
    assert not explanation(b"\n", MCAS, json_names()).good
