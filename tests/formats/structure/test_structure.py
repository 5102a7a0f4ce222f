"""How lines are built: found from a format's static text alone."""

import pytest

from formats import presets
from formats.errors import FeedFormatError
from formats.language import parse
from formats.leef import leef_delimiter
from formats.structure import EVENT_ID, SYSLOG, LineKind, Structure, structure_of


def built(text: str) -> Structure:
    return structure_of(parse(text))


@pytest.mark.parametrize(
    ("name", "kind", "separator", "cells"),
    [
        ("MCAS", LineKind.LEEF, "\t", 22),
        ("QRADAR", LineKind.LEEF, "\t", 42),
        ("QRADAR_OLD", LineKind.LEEF, "\t", 35),
        ("JSON", LineKind.JSON, "", 41),
        ("NAME_VALUE_PAIRS", LineKind.KEYED, "\t", 41),
        ("SPLUNK_CIM", LineKind.KEYED, "\t", 41),
        ("RSA_SECURITY", LineKind.KEYED, "^^", 39),
        ("CSV", LineKind.COLUMNS, '","', 34),
        ("CSV_OLD", LineKind.COLUMNS, '","', 34),
        ("TAB_SEPARATED", LineKind.COLUMNS, "\t", 34),
        ("TAB_SEPARATED_OLD", LineKind.COLUMNS, "\t", 34),
        ("ARCSIGHT_CEF", LineKind.SEQUENCE, "", 75),
        ("CEF_MULTILINE", LineKind.SEQUENCE, "", 67),
        ("SYMANTEC_MSS", LineKind.SEQUENCE, "", 78),
        ("LOGRHYTHM", LineKind.SEQUENCE, "", 81),
    ],
)
def test_a_preset_is_of_its_kind(name: str, kind: LineKind, separator: str, cells: int) -> None:
    structure = structure_of(presets.load(name))
    assert (structure.kind, structure.separator, len(structure.cells)) == (kind, separator, cells)


@pytest.mark.parametrize(
    ("text", "kind", "guards"),
    [
        # LEEF: the pipe in the header; TAB is a control character and needs no guard
        (r"LEEF:1.0|Z|N|1|%s{reason}|a=%s{login}\tb=%s{url}", LineKind.LEEF, ("|", "", "")),
        ("%s{login} LEEF:2.0|Z|N|1|%s{reason}|^|a=%s{login}^b=%s{url}", LineKind.LEEF, "||^^"),
        ("LEEF:2.0|Z|N|1|%s{reason}|x7C|a=%s{login}|b=%s{url}", LineKind.LEEF, "|||"),
        # a value in the place of a key must not name one, nor the delimiter
        (r"LEEF:1.0|Z|N|1|x|%s{login}\ta=%s{url}\tb%s{ua}=%s{dept}", LineKind.LEEF,
         ("=", "", "=", "")),
        (r"LEEF:2.0|Z|N|1|x|%s{login}\ta=%s{url}", LineKind.LEEF, ("=|", "")),
        (r"LEEF:2.0|Z|N|1|x||%s{login}\ta=%s{url}", LineKind.LEEF, ("=", "")),
        ("LEEF:2.0|Z|N|1|x|^|%s{login}^a=%s{url}", LineKind.LEEF, ("=^", "^")),
        (r'\{"a":"%s{login}","b":%d{reqsize}\}', LineKind.JSON, ('"\\', "")),
        (r"a=%s{login}\tb=%s{url}", LineKind.KEYED, ("", "")),
        ("a=%s{login}^^b=%s{url}", LineKind.KEYED, ("^", "^")),
        ("a=%s{login};b=%s{url}", LineKind.KEYED, (";", ";")),
        (r"%s{login}\t%s{url}", LineKind.COLUMNS, ('"', '"')),
        ('"%s{login}","%s{url}"', LineKind.COLUMNS, ('"', '"')),
        ("%s{login},%s{url}", LineKind.COLUMNS, ('",', '",')),
        # anything else: what ends a value
        ("%s{login}|%s{url}", LineKind.SEQUENCE, ('"|', '"|')),
        ("%s{login}, %s{url}, %s{ua}", LineKind.SEQUENCE, ('",', '",', '",')),
        ("%s{login}: %s{url}; %s{ua}", LineKind.SEQUENCE, ('":;', '";', '";')),
        ("a=%s{login} b=%s{url} c=%s{eurl}", LineKind.SEQUENCE, ("=", "=", "")),
        ('x \\{"a":"%s{login}","b":"%s{url}"\\}', LineKind.SEQUENCE, ('"\\', '"\\')),
        ('a="%s{login}" b="%s{url}"', LineKind.SEQUENCE, ('"\\', '"\\')),
        ("%s{login} %s{url}", LineKind.SEQUENCE, ("", "")),
        ("%s{login}", LineKind.SEQUENCE, ("",)),
        ("CEF:0|Z|N|1|%s{action}|%s{reason}|3|a=%s{ua} b=%s{eurl}", LineKind.SEQUENCE,
         ("|", "|", "=", "")),
    ],
)  # fmt: skip
def test_a_guard_is_what_a_value_must_not_print_raw(
    text: str, kind: LineKind, guards: tuple[str, ...] | str
) -> None:
    structure = built(text)
    assert (structure.kind, structure.guards) == (kind, tuple(guards))


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        (r"LEEF:1.0|Z|N|1|%s{reason}|a=%s{login}\tb=%s{url}", {0, 1, 2}),
        (r"LEEF:1.0|Z|N|1|%s{reason}!|a=%s{login}!\tb=%s{url}!", set()),
        ("LEEF:2.0|Z|N|1|%s{reason}|^|a=%s{login}^b=%s{url}|^c=%s{ua}", {0, 1, 3}),
        ("CEF:0|Z|N|1|%s{action}|%s{reason} |3|a=%s{ua} b=%s{eurl}", {0}),
        (r"a=%s{login}\tb=%s{url}", set()),
        ("%s{login}", set()),
    ],
)
def test_closing_slots_stand_directly_before_structure(text: str, closing: set[int]) -> None:
    assert built(text).closing == closing


def test_a_leef_line_has_a_header_an_event_and_attributes() -> None:
    structure = built(
        r"%s{mon} %d{dd} x: LEEF:1.0|Z|N|1|%s{reason}|a=%s{login}\tk=v\tt=%d{hh}:%d{mm}"
    )
    assert [cell.key for cell in structure.cells] == [SYSLOG, EVENT_ID, "a", "t"]


def test_attributes_may_be_called_like_the_parts_of_the_header() -> None:
    structure = built(r"LEEF:1.0|Z|N|1|%s{reason}|event_id=%d{recordid}\tsyslog=%s{login}")
    assert [cell.key for cell in structure.cells] == [EVENT_ID, "event_id", "syslog"]


def test_a_json_cell_knows_its_path() -> None:
    structure = built(r'\{"a": \{ "b" : "%s{login}", "c":1\}, "d":%d{hh}, "e":"%s{mon} %d{dd}"\}')
    assert [cell.path for cell in structure.cells] == [("a", "b"), ("d",), ("e",)]


def test_a_json_cell_in_an_array_has_its_place_there_in_its_path() -> None:
    structure = built(r'\{"a": ["x", "%s{login}", \{"b": "%s{dept}"\}]\}')
    assert [cell.path for cell in structure.cells] == [("a", 1), ("a", 2, "b")]


def test_times_glued_together_are_one_cell() -> None:
    structure = built("%d{yy}-%02d{mth}-%02d{dd} %02d{hh}:%02d{mm}:%02d{ss} user %s{login}")
    assert [len(cell.slots) for cell in structure.cells] == [6, 0, 1]


@pytest.mark.parametrize(
    ("written", "character"),
    [
        ("^", "^"),
        ("x5E", "^"),
        ("0x5e", "^"),
        ("\\x5E", "^"),
        ("x09", "\t"),
        ("x00A6", "\xa6"),
        ("", "\t"),
        ("x", "x"),
        ("|", "|"),
    ],
)
def test_a_leef_delimiter_is_a_character_or_its_hex_code(written: str, character: str) -> None:
    assert leef_delimiter(written) == character


PLAIN = "in keys, numbers, times and placeholders"
TIMES = "in times, zones and addresses"
CUT = "in the mark [...] of values that were cut"
ENCODED = "in %HH, as characters are encoded"


@pytest.mark.parametrize(
    ("written", "use"),
    [
        *((written, PLAIN) for written in ("0", "9", "a", "f", "A", "F", "g", "x", "Z", "abc")),
        *((written, PLAIN) for written in ("0x", "ax", "x30", "x039", "x41", "0x6e", "x67")),
        *((written, ENCODED) for written in ("%%", "x25", "0x25", r"\\x25", "x0025")),
        *((written, "between key and value") for written in ("=", "x3D", "x3d")),
        *((written, TIMES) for written in (" ", ":", "+", "-", "x20", "x3A", "0x2B", "x2d", "--")),
        *((written, CUT) for written in ("[", "]", "x5B", "0x5d")),
        *((written, f"in addresses, and {CUT}") for written in (".", "x2E", "...^")),
        *((written, "in URLs and base64") for written in ("/", "x2f")),
        *((written, "an escape for some readers") for written in (r"\\", "x5C")),
        *((written, "no part of a line") for written in ("x0A", "x0D", "x00", r"\n")),
    ],
)
def test_a_leef_delimiter_that_nss_writes_itself_is_refused(written: str, use: str) -> None:
    text = f"LEEF:2.0|Z|N|1|%s{{reason}}|{written}|a=%s{{login}}"
    with pytest.raises(FeedFormatError) as caught:
        parse(text)
    plain = written.replace("%%", "%").replace(r"\\", "\\").replace(r"\n", r"'\n'")
    assert str(caught.value) == (
        f"feed format: values can't be kept free of the LEEF delimiter {plain}, which is {use}"
        " (column 27)\n"
        f"  {text}\n"
        f"  {' ' * 26}^\n"
        "Try: another, like ^, or x09 for TAB"
    )


@pytest.mark.parametrize("written", ["%s{login}", "x%s{login}", "%d{reqsize}^"])
def test_a_leef_delimiter_is_not_what_a_record_says(written: str) -> None:
    text = f"LEEF:2.0|Z|N|1|%s{{reason}}|{written}|a=%s{{login}}"
    with pytest.raises(FeedFormatError) as caught:
        parse(text)
    assert str(caught.value) == (
        "feed format: the LEEF delimiter would be what a record says (column 27)\n"
        f"  {text}\n"
        f"  {' ' * 26}^\n"
        "Try: another, like ^, or x09 for TAB"
    )


def test_the_place_of_a_refused_delimiter_is_that_in_the_text_as_written() -> None:
    text = "<%%>\\t\n  %s{mon} LEEF:2.0|\\{Z\\}|N\n|1|%s{reason}|x61|a=%s{login}"
    with pytest.raises(FeedFormatError) as caught:
        parse(text)
    assert str(caught.value) == (
        f"feed format: values can't be kept free of the LEEF delimiter x61, which is {PLAIN}"
        " (line 3, column 15)\n"
        "  |1|%s{reason}|x61|a=%s{login}\n"
        "                ^\n"
        "Try: another, like ^, or x09 for TAB"
    )


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("LEEF:2.0|Z|N|1|%s{reason}|^|a=%s{login}", "^"),
        ("LEEF:2.0|Z|N|1|%s{reason}|0x5e|a=%s{login}", "^"),
        ("LEEF:2.0|Z|N|1|%s{reason}|x3B|a=%s{login}", ";"),
        ("LEEF:2.0|Z|N|1|%s{reason}|^ is it|a=%s{login}", "^"),
        ("LEEF:2.0|Z|N|1|%s{reason}||a=%s{login}", "\t"),
        ("LEEF:2.0|Z|N|1|%s{reason}|xab|a=%s{login}", "\xab"),
        ("LEEF:2.0|Z|N|1|%s{reason}|x0161|a=%s{login}", "\u0161"),
        ("LEEF:2.0|Z|N|1|%s{reason}|a=%s{login}", "\t"),
        ("LEEF:2.0|Z|N|1|%s{reason}|a=%s{login}|b", "\t"),
        ("LEEF:1.0|Z|N|1|%s{reason}|a|b=%s{login}", "\t"),
    ],
)
def test_any_other_leef_delimiter_is_taken(text: str, separator: str) -> None:
    assert built(text).separator == separator


def test_behind_an_empty_leef_delimiter_stands_the_first_key() -> None:
    structure = built(r"LEEF:2.0|Z|N|1|%s{reason}||a=%s{login}\tb=%s{ua}")
    assert [cell.key for cell in structure.cells] == [EVENT_ID, "a", "b"]
