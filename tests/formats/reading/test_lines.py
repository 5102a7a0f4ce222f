"""Reading lines: CSV, TAB, key=value, LEEF and others; faults, and what can't be read at all."""

from collections.abc import Iterable

import pytest

from formats.errors import NotReadable
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input, count_lines
from formats.reading.json import json_names
from formats.reading.recognise import input_of

PRINTED = "%d{epochtime};%s{login};%d{reqsize};%d{recordid};%s{dept}"
GOOD_LINE = b"1696583108;good;7;5;d"


def read(
    data: bytes,
    source: Input,
    printed: str = PRINTED,
    max_record_bytes: int = 1 << 20,
) -> tuple[list[bytes], list[tuple[int, int, str]]]:
    """Return what a batch's records print, and line, offset and reason of those set apart."""
    settings = FeedSettings(
        parse(printed), protect_separators=False, max_record_bytes=max_record_bytes
    )
    rendered = Pipeline(source, settings).run(data)
    lines = data.split(b"\n")
    assert [bad.data for bad in rendered.bad] == [lines[bad.line] for bad in rendered.bad]
    assert all(data.startswith(bad.data, bad.offset) for bad in rendered.bad)
    return list(rendered.lines), [(bad.line, bad.offset, bad.reason) for bad in rendered.bad]


def joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


CSV = '"%s{time}","%s{login}","%d{reqsize}","%d{recordid}","%s{dept}"'


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        (b'"Fri Oct  6 09:05:08 2023","good","7","5","d"', GOOD_LINE),
        (b'"Fri Oct  6 09:05:08 2023","good","7","5","d"\r', GOOD_LINE),
        (b'\xef\xbb\xbf"Fri Oct  6 09:05:08 2023","good","7","5","d"', GOOD_LINE),
        (b"Fri Oct  6 09:05:08 2023,good,7,5,d", GOOD_LINE),
        # the service doubles no quotes, other writers do
        (b'"1696583108","a "q" b","7","5","d"', b'1696583108;a "q" b;7;5;d'),
        (b'"1696583108","a ""q"" b","7","5","d"', b'1696583108;a "q" b;7;5;d'),
        (b'"1696583108","a"", ""b","7","5","d"', b'1696583108;a", "b;7;5;d'),
        (b'"1696583108","a,b","","","d"', b"1696583108;a,b;0;0;d"),
        (b'"1696583108","","7","5",""', b"1696583108;;7;5;"),
        (b'"1696583108","C:\\dir\\","7","5","d"', b"1696583108;C:\\dir\\;7;5;d"),
    ],
)
def test_a_csv_line_is_read(line: bytes, printed: bytes) -> None:
    assert read(line + b"\n", input_of(parse(CSV))) == ([printed], [])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'"1696583108","good","7","5"', "4 columns, expected 5"),
        (b'"1696583108","good","7","5","d","e"', "6 columns, expected 5"),
        (b'"1696583108","a","b","7","5","d"', "6 columns, expected 5"),
        (b"hello", "1 columns, expected 5"),
        (b'"', "1 columns, expected 5"),
        (b'"1696583108","good","many","5","d"', "reqsize: text 'many', expected a number"),
        (b'"soon","good","7","5","d"', "time 'soon' is in no known form"),
        (b'"1696583108","\xe4","7","5","d"', "not UTF-8: invalid continuation byte (byte 14)"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_csv_line_is_set_apart(bad: bytes, reason: str, place: int) -> None:
    good = b'"1696583108","good","7","5","d"'
    lines = [good, good]
    lines.insert(place, bad)
    assert read(joined(lines), input_of(parse(CSV))) == (
        [GOOD_LINE, GOOD_LINE],
        [(place, place * (len(good) + 1), reason)],
    )


def test_a_tab_separated_line_is_read() -> None:
    source = input_of(parse(r"%s{time}\t%s{login}\t%d{reqsize}\t%d{recordid}\t%s{dept}"))
    good = b'1696583108\t"a", b\t7\t5\t'
    assert read(joined([good, b"1\t2", good]), source) == (
        [b'1696583108;"a", b;7;5;'] * 2,
        [(1, 23, "2 columns, expected 5")],
    )


@pytest.mark.parametrize("blank", [b"", b" ", b"\t\t\t\t", b"\r", b" \x0b\x0c\r"])
def test_lines_of_white_space_are_blank_in_every_form(blank: bytes) -> None:
    record = b'{"epochtime":1696583108,"login":"good","reqsize":7,"recordid":5,"dept":"d"}'
    sources = {
        input_of(parse(CSV)): b'"1696583108","good","7","5","d"',
        input_of(parse(KEYED)): b"1696583108\tuser=good\tsize=7\tid=5\tdept=d",
        input_of(parse(LEEF)): b"LEEF:1.0|V|P|1|x|" + LEEF_BODY,
        json_names(): record,
    }
    for source, line in sources.items():
        data = joined([blank, line, blank, blank, line, blank])
        assert read(data, source) == ([GOOD_LINE] * 2, [])
        assert read(joined([b"bad", blank, line]), source)[0] == [GOOD_LINE]


KEYED = r"%d{epochtime}\tuser=%s{login}\tsize=%d{reqsize}\tid=%d{recordid}\tdept=%s{dept}"


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        (b"1696583108\tuser=good\tsize=7\tid=5\tdept=d", GOOD_LINE),
        (b"1696583108\tdept=d\tid=5\tx=y\tsize=7\tuser=good", GOOD_LINE),
        (b"1696583108\tuser=a=b\tuser=a=b", b"1696583108;a=b;0;0;None"),
        (b"1696583108\tuser=\tsize=7", b"1696583108;;7;0;None"),
    ],
)
def test_key_value_pairs_are_read_in_any_order(line: bytes, printed: bytes) -> None:
    assert read(line + b"\n", input_of(parse(KEYED))) == ([printed], [])


def test_lines_without_any_known_key_are_set_apart() -> None:
    assert read(b"1696583108\tx=y\nuser=only\n", input_of(parse(KEYED))) == (
        [],
        [(0, 0, "no known key"), (1, 15, "time 'user=only' is in no known form")],
    )


LEEF = (
    r"%s{mon} %02d{dd} %02d{hh}:%02d{mm}:%02d{ss} x: LEEF:1.0|V|P|1|%s{reason}|"
    r"devTime=%s{mon} %02d{dd} %d{yy} %02d{hh}:%02d{mm}:%02d{ss} %s{tz}\tusrName=%s{login}"
    r"\tsrcBytes=%d{reqsize}\trecordid=%d{recordid}\trole=%s{dept}"
)
LEEF_BODY = b"devTime=Oct 06 2023 09:05:08 GMT\tusrName=good\tsrcBytes=7\trecordid=5\trole=d"


@pytest.mark.parametrize(
    "line",
    [
        b"Oct 06 09:05:08 x: LEEF:1.0|V|P|1|Allowed|" + LEEF_BODY,
        b"<134>1 2023-10-06T09:05:08Z h nss - - - LEEF:1.0|A|B|C|Allowed|" + LEEF_BODY,
        b"LEEF:1.0|V|P|1|Allowed|" + b"\t".join(reversed(LEEF_BODY.split(b"\t"))),
        b"LEEF:1.0|V|P|1|Allowed|" + LEEF_BODY.replace(b"Oct 06 2023 09:05:08 GMT", b"1696583108"),
        b"LEEF:2.0|V|P|1|Allowed|" + LEEF_BODY,
        b"LEEF:2.0|V|P|1|Allowed|^|" + LEEF_BODY.replace(b"\t", b"^"),
        b"LEEF:2.0|V|P|1|Allowed|x5E|" + LEEF_BODY.replace(b"\t", b"^"),
        b"LEEF:2.0|V|P|1|Allowed|0x5e|" + LEEF_BODY.replace(b"\t", b"^"),
    ],
)
def test_a_leef_line_is_read_whatever_its_version_and_order(line: bytes) -> None:
    assert read(line + b"\n", input_of(parse(LEEF)), PRINTED + ";%s{reason}") == (
        [GOOD_LINE + b";Allowed"],
        [],
    )


def test_a_line_that_is_no_leef_is_set_apart() -> None:
    good = b"LEEF:1.0|V|P|1|Allowed|" + LEEF_BODY
    bad = {
        b"Oct 06 09:05:08 x: CEF:0|a|b|c|d|": "no LEEF header",
        b"LEEF:1.0|V|P|1|no last pipe": "no LEEF header",
        b"LEEF:1.0|V|P|1|Allowed|x=y": "no known LEEF attribute",
        b"LEEF:1.0|V|P|1|Allowed|usrName=a": "the record has no time",
    }
    printed, found = read(joined([good, *bad, good]), input_of(parse(LEEF)))
    assert printed == [GOOD_LINE] * 2
    assert [reason for _, _, reason in found] == list(bad.values())


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        # TAB is no separator here, so nothing else would stop it
        (b"LEEF:2.0|V|P|1|ID|^|usrName=a\trole=admin^role=d^devTime=1", "ID;a%09role=admin;d"),
        (b"LEEF:1.0|V|P|1|I\tD|usrName=a\trole=d\tdevTime=1", "I%09D;a;d"),
        (b"x\ty LEEF:1.0|V|P|1|ID|usrName=a\trole=d\tdevTime=1", "ID;a;d"),
        ("LEEF:1.0|V|P|1|ID|usrName=a\x85\x0b\trole=d\tdevTime=1".encode(), "ID;a%C2%85%0B;d"),
    ],
)
def test_control_characters_in_a_leef_line_do_not_pass(line: bytes, printed: str) -> None:
    assert read(line + b"\n", input_of(parse(LEEF)), "%s{reason};%s{login};%s{dept}") == (
        [printed.encode()],
        [],
    )


def test_attributes_called_like_our_own_parts_are_read() -> None:
    source = input_of(parse(r"LEEF:1.0|V|P|1|%s{reason}|event_id=%d{recordid}\tsyslog=%s{login}"))
    line = b"LEEF:1.0|V|P|1|ID|syslog=ana\tevent_id=5\t#event_id=forged\n"
    assert read(line, source, "%s{reason};%d{recordid};%s{login}") == ([b"ID;5;ana"], [])


def test_a_sequence_is_taken_apart_at_its_static_text() -> None:
    source = input_of(parse("<%s{login}> [%d{epochtime}] %d{reqsize}/%d{recordid} %s{dept}"))
    lines = [b"<good> [1696583108] 7/5 d", b"<good [1", b"good", b"<a> [1696583108] 7 5 d"]
    assert read(joined(lines), source) == (
        [GOOD_LINE],
        [
            (1, 26, "no '> [' after character 2"),
            (2, 35, "no '<' at character 1"),
            (3, 40, "no '/' after character 18"),
        ],
    )


def test_what_hexadecimal_wrote_is_read_as_the_same_number() -> None:
    source = input_of(parse("%x{recordid},%x{epochtime},%s{login}"))
    assert read(b"7fff,651fcdc4,a\nxyz,1,a\n", source, "%d{recordid};%d{epochtime}") == (
        [b"32767;1696583108"],
        [(1, 16, "recordid: text 'xyz' is not what the feed format prints")],
    )


def test_a_carriage_return_that_the_format_writes_is_no_part_of_the_value() -> None:
    source = input_of(parse("%s{login},%s{dept}\\r\\n"))
    assert read(b"a,b\r\n", source, "%s{login};%s{dept}") == ([b"a;b"], [])


APART = "nothing between %s{login} and %s{url} tells them apart"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%s{login}%s{url}", APART),
        ("a=%s{login}\\nb=%s{url}", "it prints a line break inside a record"),
        (r"a=%s{login}%s{url}\tb=%s{ua}", APART),
        (r'\{"a":"%s{login}%s{url}"\}', APART),
        (
            "%02d{reqsize}%02d{respsize}",  # a number may be wider than its width
            "nothing between %02d{reqsize} and %02d{respsize} tells them apart",
        ),
        (
            "%s{time}%s{tz}%s{mon} x",
            "nothing between %s{tz} and %s{mon} tells them apart",
        ),
        (
            r"x=%s{login}\ty=%s{url}\tx=%s{dept}",
            "key 'x' stands before %s{login} and %s{dept}",
        ),
    ],
)
def test_a_format_whose_fields_can_not_be_told_apart_is_not_readable(
    text: str, reason: str
) -> None:
    with pytest.raises(NotReadable) as caught:
        input_of(parse(text))
    assert str(caught.value) == reason


def test_a_column_may_be_empty_in_the_format() -> None:
    pipeline = Pipeline(
        input_of(parse(r"%s{login}\t\t%s{url}")), FeedSettings(parse("%s{login} %s{url}"))
    )
    assert pipeline.run(b"ana\t\th/x\nbo\tmore\th/y\n").lines == [b"ana h/x", b"bo h/y"]


def test_of_a_field_that_stands_twice_in_static_text_the_last_counts() -> None:
    # As in CEF, whose header has a name that an attribute states again, with less escaped.
    source = input_of(parse("%s{login}|%s{reason}|3|reason=%s{reason} dept=%s{dept}"))
    line = b"ana|Header name|3|reason=From attribute dept=d"

    assert read(line + b"\n", source, "%s{login} %s{reason} %s{dept}") == (
        [b"ana From attribute d"],
        [],
    )


@pytest.mark.parametrize("line", [b"x end foo", b"x end foo end bar"])
def test_what_follows_the_text_at_the_end_is_no_value(line: bytes) -> None:
    pipeline = Pipeline(input_of(parse("%s{url} end")), FeedSettings(parse("%s{url}")))
    assert pipeline.run(line + b"\n").lines == [b"x"]


def test_no_bytes_are_no_line() -> None:
    assert [count_lines(data) for data in (b"", b"\n", b"a", b"a\n", b"a\nb")] == [0, 1, 1, 1, 2]
