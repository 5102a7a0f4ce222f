"""Formats and types of files that Cloud Discovery would not parse, found before the start."""

from pathlib import Path

import pytest

from formats import presets
from formats.errors import Problem
from nss.config.discovery import (
    SOURCE_TYPES,
    knows,
    shortcoming,
    suits_collector,
    unparsable,
)
from nss.config.load import parse
from nss.config.values import AS_IT_CAME, FormatChoice

LEEF = r"LEEF:1.0|Zscaler|NSS|4.1|%s{reason}|"
KEYS = r"cat=%s{action}\tdevTime=%s{time}\tsrc=%s{cip}\tdst=%s{sip}"
CEF = r"CEF:0|Zscaler|NSSWeblog|5.0|%s{action}|%s{reason}|3|"
REFUSED = (
    ": Cloud Discovery parses files of source_type {} as {}, and throws others away hours after it "
    "took them\nTry: {}, or another source_type in [mcas]; check_source_type = false if the data "
    "source has a parser of your own"
)


def problems(
    format_key: str, source_type: str = "ZSCALER_QRADAR_SYSLOG", mcas: str = "", kind: str = ""
) -> list[Problem]:
    sink = kind or '{kind = "cloud_discovery"}'
    text = (
        '[sources.web]\nkind = "stdin"\n'
        f"[feeds.up]\n{format_key}\nsink = {sink}\n"
        f'[mcas]\nsource_type = "{source_type}"\n{mcas}\n'
    )
    return list(unparsable(parse(text, Path("/etc/nss"))))


def own(format_string: str) -> str:
    return f"format_string = '{format_string}'"


PARSED = [
    *((f'format = "{name}"', "ZSCALER_QRADAR_SYSLOG") for name in ("MCAS", "QRADAR", "QRADAR_OLD")),
    *(('format = "MCAS"', kind) for kind in ("ZSCALER_QRADAR", "GENERIC_LEEF_SYSLOG")),
    *(('format = "ARCSIGHT_CEF"', kind) for kind in ("ZSCALER_CEF", "GENERIC_CEF_SYSLOG")),
    *((f'format = "{name}"', "ZSCALER") for name in ("CSV", "TAB_SEPARATED")),
    (own(LEEF + KEYS), "ZSCALER_QRADAR_SYSLOG"),
    (own("syslog " + LEEF + KEYS.replace("%s{action}", "Allowed")), "GENERIC_LEEF"),
    (own(LEEF + KEYS.replace("cat=", "action=")), "GENERIC_LEEF"),
    (own(LEEF + KEYS.replace("dst=%s{sip}", "url=%s{eurl}")), "GENERIC_LEEF"),
    (own(LEEF.replace("1.0", "2.0") + "^|" + KEYS.replace(r"\t", "^")), "GENERIC_LEEF"),
    (own(CEF + "act=%s{action} rt=%s{time} src=%s{cip} dst=%s{sip}"), "ZSCALER_CEF_SYSLOG"),
    ('format = "JSON"', "PALO_ALTO"),
    ('format = "JSON"', "CUSTOM_PARSER"),
]


@pytest.mark.parametrize(("format_key", "source_type"), PARSED)
def test_a_format_that_may_be_parsed_is_no_problem(format_key: str, source_type: str) -> None:
    assert problems(format_key, source_type) == []


MCAS = 'format = "MCAS"'
NO_LEEF = [name for name in presets.names() if name not in {"MCAS", "QRADAR", "QRADAR_OLD"}]


@pytest.mark.parametrize("name", NO_LEEF)
def test_a_preset_of_another_kind_is_refused_for_leef(name: str) -> None:
    (found,) = problems(f'format = "{name}"')
    assert (found.key, found.value) == ("feeds.up.format", name)
    assert found.reason == "has no LEEF header" + REFUSED.format(
        "ZSCALER_QRADAR_SYSLOG", "LEEF", MCAS
    )


REFUSALS = [
    (own(LEEF + KEYS.replace("devTime", "time")), "GENERIC_LEEF", "lacks the key devTime"),
    (
        own(LEEF + r"devTime=%s{time}\tuser=%s{login}"),
        "ZSCALER_QRADAR",
        "lacks the keys src, dst, cat",
    ),
    (own(LEEF + KEYS.replace("src=", "osrc=")), "GENERIC_LEEF", "lacks the key src"),
    (own(CEF + "rt=%s{time} src=%s{cip} dst=%s{sip}"), "ZSCALER_CEF", "lacks the key act"),
    ('format = "MCAS"', "ZSCALER_CEF_SYSLOG", "has no CEF header"),
    ('format = "MCAS"', "ZSCALER_SYSLOG", "writes LEEF"),
    ('format = "ARCSIGHT_CEF"', "ZSCALER", "writes CEF"),
    ('format = "JSON"', "ZSCALER", "writes JSON"),
    *(
        ('format = "unchanged"', source_type, "passes records on as they came")
        for source_type in ("ZSCALER", "ZSCALER_QRADAR", "GENERIC_CEF")
    ),
    ('format = "NAME_VALUE_PAIRS"', "ZSCALER", "writes key=value"),
]


@pytest.mark.parametrize(("format_key", "source_type", "lack"), REFUSALS)
def test_a_format_that_is_not_parsed_is_refused_with_what_it_lacks(
    format_key: str, source_type: str, lack: str
) -> None:
    (found,) = problems(format_key, source_type)
    assert found.reason.startswith(f"{lack}: Cloud Discovery parses files of source_type")
    assert found.key == f"feeds.up.{format_key.partition(' ')[0]}"


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("ZSCALER_QRADR_SYSLOG", 'source_type = "ZSCALER_QRADAR_SYSLOG", or '),
        ("zscaler", 'source_type = "ZSCALER", or '),
        ("$", ""),
    ],
)
def test_an_unknown_type_is_refused_with_the_nearest(unknown: str, meant: str) -> None:
    (found,) = problems('format = "MCAS"', unknown)
    assert (found.key, found.value) == ("mcas.source_type", unknown)
    assert found.reason == (
        "is no type of files that Cloud Discovery documents\n"
        f"Try: {meant}check_source_type = false if the portal offers it"
    )


def test_nothing_is_checked_where_that_is_not_wanted_or_nothing_is_uploaded() -> None:
    assert problems('format = "JSON"', "NEW_TYPE", "check_source_type = false") == []
    assert problems('format = "JSON"', "NEW_TYPE", kind='{kind = "file", path = "-"}') == []


def test_formats_in_files_are_checked_and_those_that_can_not_be_read_are_passed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "own.fof"
    path.write_text('"%s{time}","%s{cip}"')
    (found,) = problems(f'format = "{path}"')
    assert (found.key, found.value) == ("feeds.up.format", str(path))
    path.unlink()
    assert problems(f'format = "{path}"') == []


def test_both_lists_are_known_as_files_and_as_syslog() -> None:
    assert {"ZSCALER", "ZSCALER_CEF_SYSLOG", "BLUECOAT", "CORRATA_SYSLOG"} <= SOURCE_TYPES
    assert len(SOURCE_TYPES) > 100


@pytest.mark.parametrize(
    ("choice", "suits"),
    [
        (FormatChoice("preset", "MCAS"), True),
        (FormatChoice("preset", "QRADAR"), True),
        (FormatChoice("string", LEEF + KEYS), True),
        (FormatChoice("string", LEEF + "src=%s{cip}"), False),
        (FormatChoice("preset", "JSON"), False),
        (FormatChoice("preset", "ARCSIGHT_CEF"), False),
        (FormatChoice("json"), False),
        (AS_IT_CAME, False),
        (FormatChoice("file", "/nowhere/own.fof"), False),
    ],
)
def test_a_log_collector_parses_leef_with_what_each_line_needs(
    choice: FormatChoice,
    suits: bool,  # noqa: FBT001 - of the table
) -> None:
    assert suits_collector(choice) is suits


@pytest.mark.parametrize(
    ("name", "source_type", "lack"),
    [
        ("MCAS", "ZSCALER_QRADAR_SYSLOG", None),
        ("MCAS", "ZSCALER_CEF", "has no CEF header"),
        ("JSON", "ZSCALER_QRADAR", "has no LEEF header"),
        ("CSV", "ZSCALER", None),
        ("JSON", "CUSTOM_PARSER", None),
    ],
)
def test_what_a_format_lacks_for_a_type_can_be_asked_without_a_configuration(
    name: str, source_type: str, lack: str | None
) -> None:
    assert shortcoming(presets.load(name), source_type) == lack
    assert knows(source_type) == (source_type != "CUSTOM_PARSER")
