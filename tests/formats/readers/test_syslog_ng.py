"""syslog-ng's parsers read every attribute of our lines, where quotes and pairs are protected."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import presets
from formats.language import FeedFormat, parse
from tests.formats.readers import custom, hostile, syslog_ng
from tests.formats.readers.lines import (
    Attributes,
    Line,
    columns,
    keyed,
    leef,
    members,
    rendered,
    spaced,
    text_fields,
)

OWN = {"PRI", "HOST", "PROGRAM", "MESSAGE", "ISODATE"}
"""What `syslog_ng.read` tells about the message itself."""

Case = tuple[FeedFormat, str, Callable[[Line], Attributes]]

FEW = settings(
    max_examples=4,
    suppress_health_check=list(HealthCheck),
)
"""syslog-ng takes 0.1 s to start; the records of an example are many."""


def pairs(line: Line, separator: str) -> Attributes:
    """Return the attributes; what stands before the first key is not a part of it."""
    found = keyed(line, separator)
    return {key.rpartition(" ")[2]: value for key, value in found.items()}


def without_header(line: Line, separator: str = "\t", header_fields: int = 5) -> Attributes:
    found = leef(line, separator, header_fields)
    return {key: value for key, value in found.items() if key != "#event_id"}


SHORT = parse(
    r"LEEF:1.0|Zscaler|NSS|4.1|%s{reason}|cat=%s{action}\tua=%s{ua}\turl=%s{eurl}\tusrName=%s{login}"
)
CASES: dict[str, Case] = {
    "MCAS": (presets.load("MCAS"), "\t", without_header),
    "QRADAR": (presets.load("QRADAR"), "\t", without_header),
    "QRADAR_OLD": (presets.load("QRADAR_OLD"), "\t", without_header),
    "LEEF 2.0": (
        parse("LEEF:2.0|Z|NSS|1|%s{reason}|^|cat=%s{action}^ua=%s{ua}^url=%s{eurl}^to=%s{login}"),
        "^",
        lambda line: without_header(line, "^", 6),
    ),
    "SPLUNK_CIM": (presets.load("SPLUNK_CIM"), "\t", lambda line: pairs(line, "\t")),
    "NAME_VALUE_PAIRS": (presets.load("NAME_VALUE_PAIRS"), "\t", lambda line: pairs(line, "\t")),
    "RSA_SECURITY": (presets.load("RSA_SECURITY"), "^^", lambda line: pairs(line, "^^")),
    # A blank separates pairs whatever the separator is; the default would add the comma.
    "LOGRHYTHM": (presets.load("LOGRHYTHM"), "\t", spaced),
}


def attributes(lines: Sequence[Line], separator: str, folder: Path) -> list[Attributes]:
    parser = syslog_ng.kv_parser(separator)
    read = syslog_ng.read([line.text for line in lines], parser, folder)
    return [{key: text for key, text in found.items() if key not in OWN} for found in read]


def check(case: Case, records: Sequence[hostile.Record], folder: Path, *protect_for: str) -> None:
    """Compare all attributes. Blanks around a value are no part of it for kv-parser."""
    feed_format, separator, expected = case
    lines = rendered(feed_format, records, protect_for=frozenset(protect_for))
    for line, read in zip(lines, attributes(lines, separator, folder), strict=True):
        assert read == {key: value.strip(" ") for key, value in expected(line).items()}


@pytest.mark.parametrize("name", CASES)
def test_every_attribute_is_read_as_it_was_printed(name: str, tmp_path: Path) -> None:
    records = hostile.records(text_fields(CASES[name][0]))
    check(CASES[name], records, tmp_path, "quotes", "pairs")


@pytest.mark.parametrize("name", ["MCAS", "LEEF 2.0", "RSA_SECURITY", "LOGRHYTHM"])
@FEW
@given(data=st.data())
def test_no_text_forges_or_hides_an_attribute(
    name: str, tmp_path: Path, data: st.DataObject
) -> None:
    records = data.draw(hostile.some_records(text_fields(CASES[name][0]), 60))
    check(CASES[name], records, tmp_path, "quotes", "pairs")


@FEW
@given(texts=custom.many_leef(), data=st.data())
def test_no_text_forges_or_hides_an_attribute_of_any_leef_format(
    tmp_path: Path, texts: list[str], data: st.DataObject
) -> None:
    lines: list[Line] = []
    for feed_format in map(parse, texts):
        records = data.draw(hostile.some_records(text_fields(feed_format), 5))
        lines += rendered(feed_format, records, protect_for=frozenset({"quotes", "pairs"}))
    for line, read in zip(lines, attributes(lines, "\t", tmp_path), strict=True):
        assert read == {key: value.strip(" ") for key, value in without_header(line).items()}


RECORD = {"reason": "r", "action": "Blocked", "ua": "plain", "eurl": "u", "login": "bob"}
READ = {"cat": "Blocked", "ua": "plain", "url": "u", "usrName": "bob"}
CONFUSED: dict[str, tuple[dict[str, str], dict[str, str | None], str]] = {
    "a quote that stays open takes the rest of the line": (
        {"ua": '"x'}, {"ua": '"x\turl=u\tusrName=bob'}, "quotes",
    ),
    "one quote each in two values hides what is between": (
        {"ua": '"x', "login": 'y"'}, {"ua": "x\turl=u\tusrName=y", "url": None, "usrName": None},
        "quotes",
    ),
    "apostrophes are quotes": (
        {"ua": "'x", "login": "y'"}, {"ua": "x\turl=u\tusrName=y", "url": None, "usrName": None},
        "quotes",
    ),
    "what follows a quoted text is lost": ({"ua": '"a" b'}, {"ua": "a"}, "quotes"),
    "a pair in a value is one of the line": (
        {"ua": "x usrName=admin cat=Allowed cs=1"}, {"cat": "Allowed", "ua": "x", "cs": "1"},
        "pairs",
    ),
    "an equals sign in the header takes the first attribute": (
        {"reason": "x=y"}, {"cat": None, "x": "y|cat=Blocked"}, "pairs",
    ),
}  # fmt: skip


def test_an_equals_sign_of_a_url_in_the_header_takes_the_first_attribute(tmp_path: Path) -> None:
    feed_format = parse(r"LEEF:1.0|Zscaler|NSS|4.1|%s{eurl}|cat=%s{action}\tua=%s{ua}")
    record = {"eurl": "u?x=y", "action": "Blocked", "ua": "plain"}
    (read,) = attributes(rendered(feed_format, [record]), "\t", tmp_path)
    assert read == {"x": "y|cat=Blocked", "ua": "plain"}
    check((feed_format, "\t", without_header), [record], tmp_path, "pairs")


@pytest.mark.parametrize("what", CONFUSED)
def test_as_the_vendor_prints_leef_a_value_confuses_the_kv_parser(
    what: str, tmp_path: Path
) -> None:
    values, wrong, helps = CONFUSED[what]
    lines = rendered(SHORT, [RECORD | values])
    expected = {key: text for key, text in (READ | wrong).items() if text is not None}
    (read,) = attributes(lines, "\t", tmp_path)
    assert read == expected
    check((SHORT, "\t", without_header), [RECORD | values], tmp_path, helps)


@pytest.mark.parametrize("dialect", ["escape-none", "escape-double-char", "escape-backslash"])
def test_every_column_of_the_csv_preset_is_read_as_it_was_printed(
    dialect: str, tmp_path: Path
) -> None:
    preset = presets.load("CSV")
    lines = rendered(preset, hostile.records(text_fields(preset)))
    parser = syslog_ng.csv_parser(len(columns(lines[0])), dialect)
    for line, read in zip(
        lines, syslog_ng.read([line.text for line in lines], parser, tmp_path), strict=True
    ):
        expected = [text.strip(" ") for text in columns(line)]
        assert [read[str(number)] for number in range(len(expected))] == expected


def test_every_member_of_the_json_preset_is_read_as_it_was_printed(tmp_path: Path) -> None:
    preset = presets.load("JSON")
    lines = rendered(preset, hostile.records(text_fields(preset)))
    read = syslog_ng.read([line.text for line in lines], "json-parser(prefix('v.'));", tmp_path)
    for line, found in zip(lines, read, strict=True):
        tree = {key: value for key, value in found.items() if key not in OWN}
        expected = dict(members(line, json.loads(line.template)))
        assert dict(members(Line("", "", ()), tree)) == expected
