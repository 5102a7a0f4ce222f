"""The feed output format language: each construct, each refusal, and the vendor's own strings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.errors import Excerpt, FeedFormatError
from formats.fields import catalogue
from formats.language import MAX_FIELDS, FeedFormat, Literal, Slot, faults, parse
from formats.structure import structure_of


def slot(name: str, conversion: str = "s", width: int = 0, pad: str = " ") -> Slot:
    return Slot(catalogue()[name], conversion, width, pad)


def refusal(text: str) -> str:
    with pytest.raises(FeedFormatError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("%s{login}", (slot("login"),)),
        ("%d{hh}", (slot("hh", "d"),)),
        ("%02d{hh}", (slot("hh", "d", 2, "0"),)),
        ("%4d{yyyy}", (slot("yyyy", "d", 4),)),
        ("%x{recordid}", (slot("recordid", "x"),)),
        ("%08x{recordid}", (slot("recordid", "x", 8, "0"),)),
        ("%s{recordid}", (slot("recordid"),)),
        ("%ld{reqsize}", (slot("reqsize", "d"),)),
        ("%lu{reqsize}", (slot("reqsize", "d"),)),
        ("%llu{reqsize}", (slot("reqsize", "d"),)),
        (r"\{\}\\%%", (Literal("{}\\%"),)),
        (r"a\tb\rc", (Literal("a\tb\rc"),)),
        ("a\tb", (Literal("a\tb"),)),
        ("%%s{login}".replace("{", r"\{").replace("}", r"\}"), (Literal("%s{login}"),)),
        ("%%%s{login}%%", (Literal("%"), slot("login"), Literal("%"))),
        ("%s{login}%s{url}", (slot("login"), slot("url"))),
        ('"x" = \xe9\u2026 \U0001f600', (Literal('"x" = \xe9\u2026 \U0001f600'),)),
    ],
)
def test_a_construct_means(text: str, parts: tuple[Literal | Slot, ...]) -> None:
    assert parse(text) == FeedFormat("custom", parts)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("a\nb", "a b"),
        ("a\n   b", "a b"),
        ("a\n\n  \n b", "a b"),
        ("a\r\nb", "a b"),
        ("a\rb", "a b"),
        ("a\\t\n  b", "a\tb"),
        ("a\\n\r\n\tb", "a\nb"),
        ("a\\r\nb", "a\rb"),
        ("a\t\n b", "a\tb"),
        ("a\\\\\nb", "a\\ b"),
        ("\n\n a", "a"),
        ("a\n  ", "a"),
    ],
)
def test_a_line_break_vanishes_after_a_control_escape_and_is_a_space_elsewhere(
    text: str, whole: str
) -> None:
    assert parse(text) == FeedFormat("custom", (Literal(whole),))


@pytest.mark.parametrize("end", ["", "\\n", "\n", "\\n\n", "\\n\\n\\n", "\n\n", "\r\n", "\\n\r\n"])
def test_any_number_of_final_line_feeds_is_the_same(end: str) -> None:
    assert parse("%s{login}" + end) == FeedFormat("custom", (slot("login"),))
    assert parse("x" + end) == FeedFormat("custom", (Literal("x"),))


REFUSALS = {
    "%s{lgoin}": """\
feed format: unknown field 'lgoin' (column 4)
  %s{lgoin}
     ^
Try: %s{login}""",
    "a %d{Recordid}": """\
feed format: unknown field 'Recordid' (column 6)
  a %d{Recordid}
       ^
Try: %d{recordid}""",
    "%s{qqqqqqqqqq}": """\
feed format: unknown field 'qqqqqqqqqq' (column 4)
  %s{qqqqqqqqqq}
     ^""",
    "%s{}": """\
feed format: unknown field '' (column 4)
  %s{}
     ^""",
    "x=%d{login}": """\
feed format: login is text, %d wants a number (column 3)
  x=%d{login}
    ^
Try: %s{login}""",
    "%x{url}": """\
feed format: url is text, %x wants a number (column 1)
  %x{url}
  ^
Try: %s{url}""",
    "%q{url}": """\
feed format: unknown conversion %q (column 1)
  %q{url}
  ^
Try: %s{url}""",
    "%s{url": """\
feed format: unclosed brace (column 1)
  %s{url
  ^
Try: end the field with }""",
    "%s{url %s{login}": """\
feed format: unclosed brace (column 1)
  %s{url %s{login}
  ^
Try: end the field with }""",
    "%s{ur\nl}": """\
feed format: unclosed brace (column 1)
  %s{ur
  ^
Try: end the field with }""",
    "100% of": """\
feed format: lone % (column 4)
  100% of
     ^
Try: write %% for a percent sign""",
    "%": """\
feed format: lone % (column 1)
  %
  ^
Try: write %% for a percent sign""",
    "%s url": """\
feed format: lone % (column 1)
  %s url
  ^
Try: write %% for a percent sign""",
    "%-5d{hh}": """\
feed format: %-5d is no conversion: only a width may precede d (column 1)
  %-5d{hh}
  ^
Try: %5d{hh}""",
    '{"a":1}': r"""feed format: unescaped { (column 1)
  {"a":1}
  ^
Try: write \{ for a brace""",
    r"\{a}": r"""feed format: unescaped } (column 4)
  \{a}
     ^
Try: write \} for a brace""",
    "%20s{url}": """\
feed format: %s takes no width (column 1)
  %20s{url}
  ^
Try: %s{url}""",
    "%0s{url}": """\
feed format: %s takes no width (column 1)
  %0s{url}
  ^
Try: %s{url}""",
    "%033d{hh}": """\
feed format: width 33 is over 32 (column 1)
  %033d{hh}
  ^""",
    r"C:\path": r"""feed format: backslash before 'p' (column 3)
  C:\path
    ^
Try: write \\ for a backslash""",
    "a\\": r"""feed format: backslash at the end (column 2)
  a\
   ^
Try: write \\ for a backslash""",
    "a\0b": """\
feed format: character U+0000 is not allowed in a line (column 2)
  a\0b
   ^
Try: leave it out; TAB is written \\t""",
    "%s{login}\u2028": """\
feed format: character U+2028 is not allowed in a line (column 10)
  %s{login}\u2028
           ^
Try: leave it out; TAB is written \\t""",
    "ok %s{url}\\t\n  role=%s{depth}\n": """\
feed format: unknown field 'depth' (line 2, column 11)
    role=%s{depth}
            ^
Try: %s{dept}""",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_what_no_vendor_page_defines_is_refused_with_its_place(text: str) -> None:
    assert refusal(text) == REFUSALS[text]


def test_a_long_line_is_shown_around_the_place_only() -> None:
    text = "x" * 200 + "%s{lgoin}" + "y" * 200
    assert refusal(text) == (
        "feed format: unknown field 'lgoin' (column 204)\n"
        f"  ...{'x' * 33}%s{{lgoin}}{'y' * 30}...\n"
        f"  {' ' * 39}^\n"
        "Try: %s{login}"
    )


@pytest.mark.parametrize("text", ["%" + "9" * 5000 + "d{hh}", "%\u0663d{hh}", "%" + "0" * 5000])
def test_widths_that_no_one_means_are_refused(text: str) -> None:
    assert refusal(text).startswith("feed format: ")


def test_a_format_has_at_most_1000_fields() -> None:
    assert len(parse("%s{login} " * MAX_FIELDS).slots) == MAX_FIELDS
    assert refusal("%s{login} " * 1001).startswith("feed format: more than 1000 fields (column ")


@pytest.mark.parametrize("char", ["\U000f0000", "\U0010fffd", "\ud800", "\x85", "\x7f", "\x0b"])
def test_private_and_control_characters_are_refused_in_static_text(char: str) -> None:
    assert f"character U+{ord(char):04X} is not allowed in a line (column 2)" in refusal(f"a{char}")


@pytest.mark.parametrize("name", presets.names())
def test_typed_and_api_form_give_the_same_format(name: str) -> None:
    typed = presets.text(name)
    api = typed.replace("\\t", "\t").replace("\\n", "\n")
    assert parse(api, name=name) == parse(typed, name=name) == presets.load(name)


SPECS_AND_TABS = {
    "MCAS": (32, 20),
    "QRADAR": (52, 40),
    "ARCSIGHT_CEF": (47, 0),
    "JSON": (46, 0),
    "SPLUNK_CIM": (41, 42),
    "NAME_VALUE_PAIRS": (46, 42),
    "CSV": (34, 0),
    "TAB_SEPARATED": (34, 33),
    "RSA_SECURITY": (39, 0),
    "SYMANTEC_MSS": (43, 0),
    "LOGRHYTHM": (41, 0),
}


@pytest.mark.parametrize("name", SPECS_AND_TABS)
def test_a_vendor_default_has_its_specs_and_tabs(name: str) -> None:
    feed_format = presets.load(name)
    tabs = sum(part.text.count("\t") for part in feed_format.parts if isinstance(part, Literal))
    assert (len(feed_format.slots), tabs) == SPECS_AND_TABS[name]


def test_the_eleven_defaults_and_four_older_variants_ship() -> None:
    assert set(presets.names()) == SPECS_AND_TABS.keys() | presets.OLDER.keys()
    assert len(presets.names()) == 15
    assert set(presets.OLDER.values()) <= SPECS_AND_TABS.keys()


def test_leef_attributes_come_in_the_vendor_order() -> None:
    keys = [cell.key for cell in structure_of(presets.load("MCAS")).cells[2:]]
    assert keys == [
        "cat",
        "devTime",
        "src",
        "dst",
        "srcPostNAT",
        "realm",
        "usrName",
        "srcBytes",
        "dstBytes",
        "url",
        "recordid",
        "referer",
        "hostname",
        "appname",
        "appid",
        "contenttype",
        "unscannabletype",
        "deviceowner",
        "devicehostname",
        "keyprotectiontype",
    ]


def test_an_unknown_preset_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="NOPE"):
        presets.text("NOPE")


@given(
    st.lists(
        st.one_of(
            st.sampled_from([f"%s{{{name}}}" for name in catalogue()]),
            st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs"))).map(
                lambda text: "".join(
                    {"%": "%%", "\\": r"\\", "{": r"\{", "}": r"\}"}.get(c, c) for c in text
                )
            ),
        ),
        max_size=30,
    )
)
def test_what_was_parsed_can_be_written_and_parsed_again(pieces: list[str]) -> None:
    parsed = parse("".join(pieces))
    written = "".join(
        part.spec
        if isinstance(part, Slot)
        else part.text.replace("\\", r"\\")
        .replace("%", "%%")
        .replace("{", r"\{")
        .replace("}", r"\}")
        for part in parsed.parts
    )
    assert parse(written) == parsed


@pytest.mark.parametrize("text", REFUSALS)
def test_the_first_fault_is_the_one_that_compiling_stops_at(text: str) -> None:
    assert str(faults(text)[0]) == REFUSALS[text]


def test_all_faults_are_found_each_with_its_place_and_what_would_be_right() -> None:
    found = faults("%s{lgoin}\\t%d{recordidd}\n  {x} 100% %s{url")

    assert [(each.reason, each.line, each.column, each.tip) for each in found] == [
        ("unknown field 'lgoin'", 1, 4, "%s{login}"),
        ("unknown field 'recordidd'", 1, 15, "%d{recordid}"),
        ("unescaped { and }", 2, 3, r"write \{x\} for braces"),
        ("lone %", 2, 10, "write %% for a percent sign"),
        ("unclosed brace", 2, 12, "end the field with }"),
    ]
    assert found[1].excerpt == Excerpt(r"%s{lgoin}\t%d{", "recordidd", "}")
    assert [each.where for each in found[:3:2]] == ["column 4", "line 2, column 3"]


@pytest.mark.parametrize("written", ["xd800", "0xDFFF", "xdc00"])
def test_half_a_character_is_no_delimiter(written: str) -> None:
    (found,) = faults(f"LEEF:2.0|V|P|1|%s{{reason}}|{written}|cat=%s{{action}}")
    assert "half a character" in found.reason


def test_the_brace_of_a_slot_that_is_wrong_is_no_fault_of_its_own() -> None:
    assert [each.reason for each in faults("%q{login} %s{url}} %q{x")] == [
        "unknown conversion %q",
        "unescaped }",
        "unknown conversion %q",
    ]


def test_what_concerns_the_whole_string_is_found_when_all_else_is_right() -> None:
    (many,) = faults("%s{login} " * (MAX_FIELDS + 1))
    (delimiter,) = faults("LEEF:2.0|V|P|1|%s{reason}|=|cat=%s{action}")

    assert many.reason.startswith("more than 1000 fields")
    assert "LEEF delimiter =" in delimiter.reason
    assert faults(presets.text("MCAS")) == ()


def test_faults_are_bounded_in_number_and_length() -> None:
    found = faults("%s{" + "n" * 60_000 + "}" + "%s{nope}" * 100)

    assert len(found) == 20
    assert len(str(found[0])) < 400


@given(st.text(max_size=60) | st.text("%sd{}loginurl\\tn0 \n", max_size=60))
def test_a_string_has_faults_exactly_when_it_does_not_compile(text: str) -> None:
    found = faults(text)
    try:
        parse(text)
    except FeedFormatError as error:
        stopped = [str(error)]
    else:
        stopped = []
    assert [str(each) for each in found[:1]] == stopped
    for each in found:
        piece = each.excerpt
        assert "\n" not in piece.before + piece.at + piece.behind


@given(st.text(max_size=60) | st.text("%sd{}login\\tn \n\r\t", max_size=60))
def test_a_format_written_again_as_it_is_typed_is_the_same(text: str) -> None:
    try:
        feed_format = parse(text + "%s{url}")
    except FeedFormatError:
        return
    assert parse("".join(part.spec for part in feed_format.parts)) == feed_format
