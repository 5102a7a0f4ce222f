"""A draft tried out: lines, reasons, warnings, what is read back, the difference, and TOML."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.filters.keys import FILTER_KEYS
from nss.config import load
from nss.config.toml import toml_text
from nss.config.values import FormatChoice
from nss.lab import hostile
from nss.setup.studio import (
    MAX_FORMAT_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    MAX_SAMPLES_BYTES,
    SHOWN_CHARS,
    Draft,
    Rendering,
    Trial,
)
from nss.setup.studio.rendering import MAX_LINE_BYTES, MAX_OUTPUT_BYTES
from nss.setup.studio.samples import examples
from nss.setup.studio.trial import toml_of, try_out

LEEF = "ZSCALER_QRADAR_SYSLOG"


def tried(format_string: str, samples: str = "", **others: Any) -> Trial:  # noqa: ANN401 - fields of a draft
    return try_out(Draft(format_string=format_string, samples=samples, **others), LEEF)


def rendered(format_string: str, samples: str = "", **others: Any) -> Rendering:  # noqa: ANN401 - as above
    trial = tried(format_string, samples or examples(), **others)
    assert (trial.errors, trial.problems) == ((), {})
    assert trial.rendering is not None
    return trial.rendering


def record(**fields: object) -> str:
    return json.dumps({"time": "Fri Oct  6 09:05:08 2023"} | fields) + "\n"


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_renders_the_examples_and_its_table_has_its_fields(name: str) -> None:
    trial = tried(presets.text(name), examples())
    found = trial.rendering

    assert found is not None
    assert found.look is not None
    assert (found.input, found.count("line"), len(found.outcomes), found.left_out) == (
        ("json", 12, 12, 0)
    )
    printed = {field for entry in found.look.entries for field in entry.fields}
    assert printed == presets.load(name).field_names
    assert (found.look.number, found.look.unreadable) == (1, "")
    assert trial.compared is not None
    assert trial.compared.preset == name
    assert trial.compared.comparison is not None
    assert trial.compared.comparison.is_same


@pytest.mark.parametrize("name", presets.names())
def test_lines_are_read_back_but_where_a_format_prints_no_year(name: str) -> None:
    look = rendered(presets.text(name)).look

    assert look is not None
    no_year = name in {"CEF_MULTILINE", "SYMANTEC_MSS"}
    assert (look.reads_back, look.lost) == (
        not no_year,
        "the date in it is not whole" if no_year else "",
    )


@pytest.mark.parametrize("name", presets.names())
def test_records_in_the_format_itself_render_as_they_stand(name: str) -> None:
    text = presets.text(name)
    lines = [outcome.text for outcome in rendered(text).outcomes]
    lines = [line for line in lines if len(line) < SHOWN_CHARS]
    again = rendered(text, "\n".join(lines), input=FormatChoice("string", text))

    assert [outcome.text for outcome in again.outcomes] == lines


def test_nothing_is_rendered_without_a_format_or_without_samples() -> None:
    assert tried("", examples()) == Trial()
    assert tried(" \n", examples()) == Trial()
    assert tried("%s{login}").rendering is None
    assert tried("%s{login}").toml == "format_string = '''%s{login}'''\n"


def test_all_errors_of_the_string_are_shown_beside_what_else_is_wrong() -> None:
    trial = tried("%s{lgoin} %s{urll}", examples(), zone="Nowhere")

    assert [(error.column, error.tip) for error in trial.errors] == [
        (4, "%s{login}"),
        (14, "%s{url}"),
    ]
    assert trial.problems.keys() == {"zone"}
    assert (trial.format, trial.rendering, trial.toml) == (None, None, "")


@pytest.mark.parametrize(
    ("others", "name", "reason"),
    [
        ({"format_string": "static"}, "format_string", "prints no field"),
        ({"zone": "Nowhere"}, "zone", "neither an IANA name"),
        ({"source_zone": "../etc"}, "source_zone", "neither an IANA name"),
        ({"escape_characters": "%"}, "escape_characters", "wrong here"),
        ({"filter": "actoin = 'x'"}, "filter", "the nearest is action"),
        ({"filter": "action = "}, "filter", "line 1, column 10: not TOML"),
        ({"filter": "[" * 8000}, "filter", "not TOML"),
        ({"filter": "a = " + "[" * 5000}, "filter", "nested deeper"),
        ({"filter": "a = " + "9" * 5000}, "filter", "too many digits"),
        ({"samples": "nonsense"}, "samples", "in no known format; say in which"),
        ({"input": FormatChoice("file", "/nowhere.fof")}, "input", "no such file"),
        ({"input": FormatChoice("string", "%s{url}%s{ua}")}, "input", "can't be read back"),
        ({"format_string": "x" * (MAX_FORMAT_BYTES + 1)}, "format_string", "larger than 65,536"),
        ({"samples": "é" * (MAX_SAMPLES_BYTES // 2 + 1)}, "samples", "larger than 1,048,576"),
        ({"filter": "#" * 9000}, "filter", "larger than 8,192"),
    ],
)
def test_what_is_wrong_is_said_by_the_field_it_is_in(
    others: dict[str, Any], name: str, reason: str
) -> None:
    trial = tried(**{"format_string": "%s{login}", "samples": examples()} | others)

    assert trial.problems.keys() == {name}
    assert reason in trial.problems[name]
    assert trial.rendering is None


def test_a_record_that_is_rejected_has_its_number_its_reason_and_its_beginning() -> None:
    samples = record(login="a") + '{"login": "b", "time": "when"}\n' + record(login="c")
    found = rendered("%s{time} %s{login}", samples)

    assert [(o.number, o.kind) for o in found.outcomes] == [
        (1, "line"),
        (2, "rejected"),
        (3, "line"),
    ]
    assert found.outcomes[0].text == "Fri Oct  6 09:05:08 2023 a"
    assert "time" in found.outcomes[1].text
    assert found.outcomes[1].record == '{"login": "b", "time": "when"}'
    assert found.look is not None
    assert found.look.number == 1


def test_zones_escape_characters_and_separators_are_the_feeds() -> None:
    samples = record(login="a", eurl='h/a,b"c')
    text = '"%s{time}","%s{tz}","%s{eurl}"'

    def line(**others: Any) -> str:  # noqa: ANN401 - as above
        return rendered(text, samples, **others).outcomes[0].text

    assert line() == '"Fri Oct  6 09:05:08 2023","GMT","h/a,b%22c"'
    assert line(zone="Europe/Berlin") == '"Fri Oct  6 11:05:08 2023","CEST","h/a,b%22c"'
    assert line(source_zone="GMT+1") == '"Fri Oct  6 08:05:08 2023","GMT","h/a,b%22c"'
    assert line(escape_characters=",").endswith(',"h/a%2Cb%22c"')
    assert line(protect_separators=False).endswith(',"h/a,b"c"')
    assert line(protect_separators=False, protect_for=("quotes",)).endswith(',"h/a,b%22c"')


def test_a_filter_is_that_of_a_feed_and_what_it_drops_is_counted() -> None:
    found = rendered("%s{action}", filter='action = "Blocked"\nnot_users = ["nobody"]')

    assert (found.count("line"), found.count("filtered")) == (2, 10)
    assert {outcome.text for outcome in found.outcomes} == {"Blocked", ""}


def test_the_line_of_another_record_can_be_looked_at() -> None:
    second = rendered(presets.text("MCAS"), look=2).look
    absent = rendered(presets.text("MCAS"), look=99).look

    assert second is not None
    assert absent is not None
    assert (second.number, absent.number) == (2, 1)
    assert second.entries != absent.entries


def test_a_leef_line_that_readers_refuse_is_not_shown_as_read() -> None:
    look = rendered(r"LEEF:1.0|Z|N|4|e|k=%s{cip}\tk=%s{sip}").look

    assert look is not None
    assert (look.entries, look.unreadable) == ((), "key 'k' comes twice")


def test_a_format_whose_fields_touch_says_that_it_can_not_be_read_back() -> None:
    look = rendered("%s{login}%s{url}").look

    assert look is not None
    assert look.unreadable == "nothing between %s{login} and %s{url} tells them apart"


def test_what_other_values_may_be_read_back_wrong_is_said_beside_the_line_that_is_not() -> None:
    look = rendered("%s{login} %s{dept}", record(login="ana", dept="Sales")).look

    assert look is not None
    assert look.reads_back
    (doubt,) = look.doubts
    assert doubt.startswith("%s{login} may hold ' ', which ends it before %s{dept}")
    certain = rendered("%s{login},%s{dept}", record(login="ana", dept="Sales")).look
    assert certain is not None
    assert certain.doubts == ()


def test_what_is_lost_on_the_way_back_is_said() -> None:
    samples = record(login="a,b", dept="c,d")
    look = rendered("%s{login},%s{dept}", samples, protect_separators=False).look
    assert look is not None
    assert look.unreadable == "4 columns, expected 2"

    look = rendered("%s{login}-%s{dept}", record(login="a-b", dept="c")).look
    assert look is not None
    assert look.reads_back
    assert look.line == "a%2Db-c"

    look = rendered(r"a=%s{login}\ta=%s{dept}", record(login="x", dept="y")).look
    assert look is not None
    assert (look.reads_back, look.lost) == (
        False,
        "key 'a' stands before %s{login} and %s{dept}",
    )


def test_fields_that_samples_lack_are_warned_of_with_what_is_printed() -> None:
    samples = record(login="a", cip="10.0.0.1") + record(login="b")
    trial = tried("%s{login} %s{cip} %s{dept} %d{reqsize}", samples)

    assert trial.warnings == (
        "No sample has dept (None), reqsize (0): the placeholder is printed.",
        "Of 2 samples, some lack cip (1).",
    )


def test_keys_that_no_field_is_known_for_are_named() -> None:
    samples = record(login="a", colour="red") + record(login="b", colour="blue", shape=1)

    assert tried("%s{login}", samples).warnings == (
        "No field is known for colour (2), shape (1): not used.",
    )


def test_a_leef_format_that_cloud_discovery_would_not_parse_is_warned_of() -> None:
    leef = r"LEEF:1.0|Zscaler|NSS|4.1|%s{reason}|cat=%s{action}\tsrc=%s{cip}"
    sentence = (
        "Cloud Discovery would not parse it as ZSCALER_QRADAR_SYSLOG: it lacks the keys devTime, "
        "dst."
    )
    assert (tried(leef).warnings, tried(leef).discovery) == ((sentence,), "")
    assert tried(presets.text("MCAS")).warnings == ()
    assert tried(presets.text("MCAS")).discovery.startswith("Nothing is known against it")
    assert tried(presets.text("JSON")).warnings == ()
    assert "has no LEEF header" in tried(presets.text("JSON")).discovery
    other = try_out(Draft(format_string="%s{url}"), "CUSTOM_PARSER")
    assert other.discovery.startswith("Nothing is known of how")


def test_a_line_feed_inside_of_a_record_is_warned_of() -> None:
    assert "two records" in tried(r"%s{login}\n%s{url}").warnings[0]
    assert tried(r"%s{login} %s{url}\n").warnings == ()


def test_only_so_many_records_are_tried_and_the_rest_is_counted() -> None:
    found = rendered("%s{login}", record(login="a") * (MAX_RECORDS + 5))

    assert (len(found.outcomes), found.left_out) == (MAX_RECORDS, 5)


def test_a_long_line_is_cut_in_the_list_and_whole_where_it_is_looked_at() -> None:
    found = rendered("%s{login}", record(login="x" * 5000))

    assert found.outcomes[0].text == "x" * SHOWN_CHARS
    assert (found.outcomes[0].is_cut, found.outcomes[0].size, found.longest) == (True, 5000, 5000)
    assert found.look is not None
    assert found.look.line == "x" * 5000


def test_a_record_that_is_too_long_for_a_sample_is_not_rendered() -> None:
    found = rendered("%s{login}", record(login="x" * MAX_RECORD_BYTES) + record(login="b"))

    assert [outcome.kind for outcome in found.outcomes] == ["rejected", "line"]
    assert found.outcomes[0].text == "longer than 65,536 bytes, too long for a sample"


def test_a_format_that_makes_much_of_little_is_not_rendered() -> None:
    found = rendered("%s{elogin} " * 900, record(login="\u00e9" * 2000) + record(login="b"))

    assert [outcome.kind for outcome in found.outcomes] == ["rejected", "line"]
    assert f"longer than {MAX_LINE_BYTES:,} bytes" in found.outcomes[0].text


def test_rendering_ends_when_there_is_too_much_of_it() -> None:
    samples = record(login="x" * 4000) * 100
    found = rendered("%s{login} " * 300, samples)

    assert 0 < found.left_out < 100
    assert len(found.outcomes) + found.left_out == 100
    assert sum(outcome.size for outcome in found.outcomes) < MAX_OUTPUT_BYTES + MAX_LINE_BYTES


def test_what_is_very_long_is_not_read_back() -> None:
    look = rendered("%s{login} " * 20, record(login="x" * 8000)).look

    assert look is not None
    assert "too long" in look.unreadable


@pytest.mark.parametrize("value", hostile.VALUES)
def test_hostile_values_stay_inside_of_their_place(value: str) -> None:
    found = rendered(presets.text("MCAS"), record(login=value, reason=value, action="Allowed"))
    look = found.look

    assert look is not None
    assert look.reads_back
    texts = {entry.place: entry.text for entry in look.entries}
    assert texts["cat"] == "Allowed"
    assert len(texts) == 27


def test_the_toml_has_all_that_is_not_the_default() -> None:
    trial = tried(
        "%s{login}\n",
        zone="Europe/Berlin",
        escape_characters=",\"'",
        protect_separators=False,
        protect_for=("quotes", "pairs"),
        filter='not_action = "Blocked"\nresponse_codes = [200, "4xx"]',
    )
    assert trial.toml == (
        "format_string = '''%s{login}\n'''\n"
        'zone = "Europe/Berlin"\n'
        'escape_characters = ",\\"\'"\n'
        "protect_separators = false\n"
        'protect_for = ["quotes", "pairs"]\n'
        'filter = { not_action = "Blocked", response_codes = [200, "4xx"] }\n'
    )


def test_there_is_no_toml_of_what_a_feed_would_refuse() -> None:
    assert tried("%s{login}", zone="Nowhere").toml == ""
    assert tried("%s{login}", samples="nonsense").toml != ""


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="%\\{}"), max_size=40),
    escape=st.text("!\"'(),;:|~", max_size=8),
    protect=st.sampled_from([True, False]),
    readers=st.lists(st.sampled_from(["quotes", "pipes", "pairs"]), unique=True),
    users=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=3),
)
def test_the_toml_makes_the_feed_that_was_tried(
    *, text: str, escape: str, protect: bool, readers: list[str], users: list[str]
) -> None:
    filter_text = f"not_users = {toml_text(users)}" if users else ""
    draft = Draft(
        format_string=text + "%s{login}",
        zone="GMT+2",
        escape_characters=escape,
        protect_separators=protect,
        protect_for=tuple(readers),
        filter=filter_text,
    )
    trial = try_out(draft, LEEF)
    if trial.format is None or trial.problems:
        return
    config = load.parse(
        f'[sources.web]\nkind = "stdin"\n[feeds.web]\n{trial.toml}'
        'sink = {kind = "file", path = "-"}\n',
        Path("/etc/nss"),
    )
    (feed,) = config.feeds

    assert feed.format == FormatChoice("string", draft.format_string)
    assert (feed.zone, feed.escape_characters, feed.protect_separators) == (
        ("GMT+2", escape, protect)
    )
    assert feed.protect_for == tuple(readers)
    assert feed.filter.passes_all == (not filter_text)


def test_any_key_of_a_filter_can_be_written() -> None:
    for key in FILTER_KEYS.values():
        draft = Draft(format_string="%s{login}", filter=f"{key.name} = {key.example}")
        assert f"filter = {{ {key.name} = {key.example} }}" in toml_of(draft)


@given(
    st.text(max_size=200),
    st.text(max_size=300),
    st.text(max_size=20),
    st.integers(0, 2),
)
def test_whatever_is_pasted_there_is_an_answer(
    format_string: str, samples: str, other: str, kind: int
) -> None:
    choices = [FormatChoice("auto"), FormatChoice("json"), FormatChoice("string", format_string)]
    try_out(
        Draft(
            format_string=format_string + "%s{url}",
            samples=samples,
            zone=other or "GMT",
            filter=other,
            escape_characters=other,
            input=choices[kind],
        ),
        LEEF,
    )
