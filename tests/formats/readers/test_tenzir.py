"""Tenzir reads every attribute of our lines, where what it unquotes and unescapes is protected."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import presets
from formats.language import FeedFormat, parse
from nss.config.sinks import SyslogSinkConfig
from nss.config.values import Address
from nss.sinks.syslog.header import Header
from tests.formats.readers import custom, hostile, tenzir
from tests.formats.readers.lines import (
    Attributes,
    Line,
    cef,
    columns,
    keyed,
    leef,
    members,
    rendered,
    text_fields,
)

pytestmark = pytest.mark.long  # Tenzir itself is quick, but large: `make test` does not fetch it

FEW = settings(max_examples=5, suppress_health_check=list(HealthCheck))
NUMBERED = [f"c{number}" for number in range(34)]


def trimmed(attributes: Attributes) -> Attributes:
    """Leave out the blanks around values, but for the header's; Tenzir does."""
    return {
        key: value if key.startswith("#") else value.strip(" ") for key, value in attributes.items()
    }


def leef_event(event: dict[str, Any]) -> Attributes:
    found: Attributes = event["attributes"] | {"#event_id": event["event_class_id"]}
    return found


def cef_event(event: dict[str, Any]) -> Attributes:
    header = {"#class": event["signature_id"], "#name": event["name"]}
    found: Attributes = event["extension"] | header
    return found


def behind(preset: str, header: str) -> FeedFormat:
    """Return a preset that begins with its LEEF or CEF header, as Tenzir wants it."""
    text = presets.text(preset)
    return parse(text[text.index(header) :])


class Case:
    """A format, the function that Tenzir reads it with, and what it is to find."""

    def __init__(
        self,
        feed_format: FeedFormat,
        call: str,
        event: Callable[[dict[str, Any]], Attributes],
        expected: Callable[[Line], Attributes],
        protect_for: Sequence[str] = (),
    ) -> None:
        self.feed_format = feed_format
        self.call = call
        self.event = event
        self.expected = expected
        self.protect_for = frozenset(protect_for)

    def check(self, records: Sequence[hostile.Record]) -> None:
        lines = rendered(self.feed_format, records, protect_for=self.protect_for)
        read = tenzir.parsed([line.text for line in lines], self.call)
        for line, event in zip(lines, read, strict=True):
            assert event is not None, line.text
            assert self.event(event) == self.expected(line)


def leef_case(feed_format: FeedFormat, separator: str = "\t", header_fields: int = 5) -> Case:
    return Case(
        feed_format,
        "parse_leef(raw=true)",
        leef_event,
        lambda line: trimmed(leef(line, separator, header_fields)),
        ["quotes"],
    )


def cef_case(preset: str) -> Case:
    return Case(
        behind(preset, "CEF:"),
        "parse_cef(raw=true)",
        cef_event,
        lambda line: trimmed(cef(line)),
        ["quotes", "pipes"],
    )


SHORT = parse(
    r"LEEF:1.0|Zscaler|NSS|4.1|%s{reason}|cat=%s{action}\tua=%s{ua}\turl=%s{eurl}\tusrName=%s{login}"
)
CARET = parse("LEEF:2.0|Z|NSS|4|%s{reason}|^|cat=%s{action}^ua=%s{ua}^url=%s{eurl}^to=%s{login}")
CASES = {
    "MCAS": leef_case(behind("MCAS", "LEEF:")),
    "QRADAR": leef_case(behind("QRADAR", "LEEF:")),
    "QRADAR_OLD": leef_case(behind("QRADAR_OLD", "LEEF:")),
    "LEEF 2.0": leef_case(CARET, "^", 6),
    "ARCSIGHT_CEF": cef_case("ARCSIGHT_CEF"),
    "CEF_MULTILINE": cef_case("CEF_MULTILINE"),
    "SPLUNK_CIM": Case(
        presets.load("SPLUNK_CIM"),
        'parse_kv(field_split="\\t", value_split="=", raw=true)',
        lambda event: {key: value or "" for key, value in event.items()},  # null when empty
        lambda line: keyed(line, "\t"),
        ["quotes"],
    ),
    "CSV": Case(
        presets.load("CSV"),
        f"parse_csv(header={json.dumps(NUMBERED)}, raw=true)",
        dict,
        lambda line: dict(zip(NUMBERED, columns(line), strict=True)),
        ["quotes"],
    ),
    "JSON": Case(
        presets.load("JSON"),
        "parse_json(raw=true)",
        lambda event: dict(members(Line("", "", ()), event)),
        lambda line: dict(members(line, json.loads(line.template))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_attribute_is_read_as_it_was_printed(name: str) -> None:
    CASES[name].check(hostile.records(text_fields(CASES[name].feed_format)))


@pytest.mark.parametrize("name", ["MCAS", "LEEF 2.0", "ARCSIGHT_CEF", "CSV", "JSON"])
@FEW
@given(data=st.data())
def test_no_text_forges_or_hides_an_attribute(name: str, data: st.DataObject) -> None:
    fields = text_fields(CASES[name].feed_format)
    CASES[name].check(data.draw(hostile.some_records(fields, 60)))


@FEW
@given(texts=custom.many_leef(), data=st.data())
def test_no_text_forges_or_hides_an_attribute_of_any_leef_format(
    texts: list[str], data: st.DataObject
) -> None:
    lines: list[Line] = []
    for feed_format in map(parse, texts):
        records = data.draw(hostile.some_records(text_fields(feed_format), 5))
        lines += rendered(feed_format, records, protect_for=frozenset({"quotes"}))
    begins = [line.text.index("LEEF:") for line in lines]
    texts = [line.text[begin:] for line, begin in zip(lines, begins, strict=True)]
    for line, event in zip(lines, tenzir.parsed(texts, "parse_leef(raw=true)"), strict=True):
        assert event is not None
        assert leef_event(event) == trimmed(leef(line))


RECORD = {"reason": "r", "action": "Blocked", "ua": "plain", "eurl": "u", "login": "bob"}
READ = {"#event_id": "r", "cat": "Blocked", "ua": "plain", "url": "u", "usrName": "bob"}
CONFUSED: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "one quote each in two neighbours": (
        {"ua": 'x"', "eurl": 'y"'}, {"ua": 'x"\turl=y"', "url": None},
    ),
    "one quote each in two values that are apart": (
        {"ua": 'x"y', "login": 'z"'},
        {"ua": 'x"y\turl=u\tusrName=z"', "url": None, "usrName": None},
    ),
    "apostrophes": (
        {"ua": "it's", "eurl": "bob's"}, {"ua": "it's\turl=bob's", "url": None},
    ),
    "a value that is quoted": ({"ua": '"x"'}, {"ua": "x"}),
    "a path of Windows": ({"ua": "C:\\new\\tmp"}, {"ua": "C:\new\tmp"}),
}  # fmt: skip


@pytest.mark.parametrize("what", CONFUSED)
def test_as_the_vendor_prints_leef_a_value_confuses_parse_leef(what: str) -> None:
    values, wrong = CONFUSED[what]
    (line,) = rendered(SHORT, [RECORD | values])
    (event,) = tenzir.parsed([line.text], "parse_leef(raw=true)")
    assert event is not None
    expected = {key: text for key, text in (READ | wrong).items() if text is not None}
    assert leef_event(event) == expected
    leef_case(SHORT).check([RECORD | values])


def test_as_the_vendor_prints_cef_a_pipe_in_a_value_voids_the_event() -> None:
    preset = behind("ARCSIGHT_CEF", "CEF:")
    record = dict.fromkeys(text_fields(preset), "plain") | {"eurl": "www.example.com/?a|b"}
    (line,) = rendered(preset, [record])
    assert tenzir.parsed([line.text], "parse_cef(raw=true)") == [None]
    CASES["ARCSIGHT_CEF"].check([record])


def test_as_the_vendor_prints_csv_a_backslash_at_the_end_of_a_column_shifts_others() -> None:
    two = parse('"%s{ua}","%s{action}","%s{login}"')
    lines = rendered(two, [RECORD | {"ua": "x\\"}], protect_separators=False)
    header = '["ua", "action", "login"]'
    (event,) = tenzir.parsed([line.text for line in lines], f"parse_csv(header={header}, raw=true)")
    assert event == {"ua": '"x","Blocked","bob"'} | {"action": None, "login": None}


# ---- syslog

BEHIND_5424 = Header(
    SyslogSinkConfig(destinations=(Address("siem", 514),), rfc5424=True, hostname="nss1", pri=190),
    lambda: datetime(2026, 11, 26, 12, tzinfo=UTC),
)().decode()


def test_read_syslog_finds_each_line_behind_an_rfc_5424_header() -> None:
    sent = [
        line.text
        for feed_format in map(presets.load, presets.names())
        for line in rendered(feed_format, hostile.records(text_fields(feed_format))[::3])
    ]
    read = tenzir.run("from_stdin { read_syslog }", [BEHIND_5424 + line for line in sent])
    assert [event["message"] for event in read] == sent
    header = {"hostname": "nss1", "app_name": "zscaler-nss", "facility": 23, "severity": 6}
    assert [event for event in read if not header.items() <= event.items()] == []


@pytest.mark.parametrize("name", ["MCAS", "QRADAR", "QRADAR_OLD"])
@pytest.mark.parametrize("pri", ["", "<134>"])
def test_read_syslog_finds_leef_behind_its_own_header(name: str, pri: str) -> None:
    lines = rendered(presets.load(name), hostile.records(text_fields(presets.load(name))))
    read = tenzir.run("from_stdin { read_syslog }", [pri + line.text for line in lines])
    assert [event["app_name"] for event in read] == ["zscaler-nss"] * len(lines)
    assert [event["content"] for event in read] == [
        line.text.split("zscaler-nss: ", 1)[1] for line in lines
    ]


def test_read_syslog_adds_a_line_without_a_header_to_the_one_before() -> None:
    (line,) = rendered(
        presets.load("MCAS"), [dict.fromkeys(text_fields(presets.load("MCAS")), "x")]
    )
    (event,) = tenzir.run("from_stdin { read_syslog }", [line.text, '<134>{"action":"Blocked"}'])
    assert event["content"].endswith('\n<134>{"action":"Blocked"}')
