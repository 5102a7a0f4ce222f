"""What lines print is read back: where values end, times in other forms, keys that come twice."""

import pytest

from formats import presets
from formats.errors import NotReadable
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from tests.formats.reading.test_lines import KEYED, LEEF, read


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%s{time},%s{tz},%s{login} x", b"Fri Oct  6 09:05:08 2023,GMT,ana x"),
        ("%s{time}:%s{login}", b"Fri Oct  6 09:05:08 2023:ana"),
        ("%s{time} %s{tz} %s{login}", b"Fri Oct  6 11:05:08 2023 CEST ana"),
        ("t=%s{time} a=%s{login}", b"t=2023-10-06T09:05:08.123Z a=ana"),
        ("%s{time},%s{login} x", b"2023-10-06 09:05:08.123,ana x"),
        (
            "%d{yy}-%02d{mth}-%02d{dd} %02d{hh}:%02d{mm}:%02d{ss},%d{reqsize},%s{login}",
            b"2023-10-06 09:05:08,7,ana",
        ),
        (
            "%d{yy}/%d{mth}/%d{dd} %d{hh}:%d{mm}:%d{ss}.%d{reqsize}.%s{login}",
            b"2023/10/6 9:5:8.7.ana",
        ),
        (r"%s{time},%d{reqsize}\t%s{login}", b"2023-10-06 09:05:08,7\tana"),
        (r"%s{time} %s{login}\t%d{reqsize}", b"Fri Oct  6 09:05:08 2023 ana\t7"),
        (r"%d{reqsize}\t%s{login} %s{time}", b"7\tana Fri Oct  6 09:05:08 2023"),
        (r'\{"a":[1,"%s{login}",\{"t":"%s{time}"\}]\}', b'{"a":[0,"ana",{"t":1696583108}]}'),
        (
            "LEEF:1.0|%s{login}|%s{dept}|v%s{reason}|x|t=%s{time}",
            b"LEEF:1.0|ana|d|vr|e|t=1696583108",
        ),
        ("%s{time} LEEF:1.0|V|P|1|%s{login}|x=1", b"2023-10-06T09:05:08Z LEEF:1.0|V|P|1|ana|"),
        ("%04d{yyyy}%02d{mth}%02d{dd}%02d{hh}%02d{mm}%02d{ss} %s{login}", b"20231006090508 ana"),
        ("%2d{dd}%s{mon}%d{yy} %02d{hh}:%02d{mm}:%02d{ss} %s{login}", b" 6Oct2023 09:05:08 ana"),
        ("%d{epochtime} %5d{reqsize} %s{login}", b"1696583108     7 ana"),
    ],
)
def test_a_value_ends_where_it_looks_finished(text: str, line: bytes) -> None:
    assert read(line + b"\n", input_of(parse(text)), "%d{epochtime} %s{login}") == (
        [b"1696583108 ana"],
        [],
    )


@pytest.mark.parametrize(
    ("preset", "stated"),
    [
        ("NAME_VALUE_PAIRS", "2023-10-06 09:05:08.123"),
        ("NAME_VALUE_PAIRS", "2023-10-06 09:05:08Z"),
        ("NAME_VALUE_PAIRS", "2023-10-06T11:05:08+02:00"),
        ("NAME_VALUE_PAIRS", "2023-10-06 11:05:08 Europe/Berlin"),
        ("JSON", "2023-10-06 09:05:08.123"),
        ("JSON", "2023-10-06T09:05:08Z"),
        ("JSON", "2023-10-06 05:05:08 EDT"),
        ("CSV", "Fri Oct  6 09:05:08.123 2023"),
        ("CSV", "Fri Oct  6 11:05:08 2023 CEST"),
        ("TAB_SEPARATED", "2023-10-06T09:05:08Z"),
        ("LOGRHYTHM", "2023-10-06T09:05:08.123Z"),
        ("QRADAR", "Oct 06 2023 09:05:08.123 GMT"),
        ("QRADAR", "Fri Oct 06 2023 09:05:08 GMT"),
        ("QRADAR", "2023-10-06T11:05:08+02:00"),
        ("QRADAR", "1696583108123"),
        ("MCAS", "Oct 06 2023 09:05:08.5"),
    ],
)
def test_presets_read_times_with_a_fraction_or_a_zone(preset: str, stated: str) -> None:
    feed_format = presets.load(preset)
    record = b'{"epochtime":1696583108,"login":"ana"}\n'
    (line,) = Pipeline(json_names(), FeedSettings(feed_format)).run(record).lines
    own = {
        "NAME_VALUE_PAIRS": b"2023-10-06 09:05:08", "JSON": b"2023-10-06 09:05:08",
        "QRADAR": b"Oct 06 2023 09:05:08 GMT", "MCAS": b"Oct 6 2023 09:05:08 GMT",
    }.get(preset, b"Fri Oct  6 09:05:08 2023")  # fmt: skip
    assert own in line
    changed = line.replace(own, stated.encode()) + b"\n"
    source = input_of(feed_format)
    assert read(changed, source, "%d{epochtime}") == ([b"1696583108"], [])


@pytest.mark.parametrize(
    ("preset", "stated", "reason"),
    [
        ("QRADAR", "Mon 06 2023 09:05:08 GMT", "month 'Mon' is not known"),
        ("QRADAR", "soon", "time 'soon' is in no known form"),
        ("QRADAR", "Oct 06 2023 29:05:08 GMT", "time is impossible: hour must be in 0..23"),
        ("QRADAR", "Oct 06 2023 09:05:08 ABC", "time zone 'ABC' is not known"),
    ],
)
def test_a_time_that_can_not_be_read_is_named_as_it_stands(
    preset: str, stated: str, reason: str
) -> None:
    line = f"LEEF:1.0|V|P|1|ID|usrName=a\tdevTime={stated}\n".encode()
    assert read(line, input_of(presets.load(preset)), "%d{epochtime}") == ([], [(0, 0, reason)])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (KEYED, b"1696583108\tuser=ana\tsize=7\tuser=root"),
        (LEEF, b"LEEF:1.0|V|P|1|ID|usrName=ana\tdevTime=1696583108\tusrName=root"),
        (LEEF, b"LEEF:2.0|V|P|1|ID|^|usrName=ana^devTime=1696583108^usrName="),
        (r"user=%s{login}^^x=%s{dept}", b"user=ana^^x=d^^user=root"),
    ],
)
def test_a_key_that_comes_twice_with_different_values_is_an_ambiguity(
    text: str, line: bytes
) -> None:
    source = input_of(parse(text))
    key = "user" if b"user=" in line else "usrName"
    reason = f"key '{key}' comes twice with different values"
    assert read(line + b"\n", source, "%s{login}") == ([], [(0, 0, reason)])


def test_a_key_that_comes_twice_with_the_same_value_or_is_not_read_does_no_harm() -> None:
    line = b"LEEF:1.0|V|P|1|ID|usrName=ana\tdevTime=1\tusrName=ana\tx=1\tx=2\trole=a\trole=b\n"
    assert read(line, input_of(parse(LEEF)), "%s{login}") == ([b"ana"], [])


PAIRS = "%s{time} login=%s{login} action=%s{action} ua=%s{ua}"
TIME = "Fri Oct  6 09:05:08 2023"


@pytest.mark.parametrize(
    "line",
    [
        f"{TIME} login=ana action=Allowed ua=x action=Blocked ua=y",
        f"{TIME} login=a action=Allowed ua=z login=b action=Blocked ua=",
        f"{TIME} login=a login=b action=Allowed action=Blocked ua=x",
    ],
)
def test_a_line_of_pairs_that_can_be_taken_apart_in_two_ways_is_rejected(line: str) -> None:
    printed, bad = read(f"{line}\n".encode(), input_of(parse(PAIRS)), "%s{login};%s{action}")
    assert printed == []
    assert [reason.partition(": ")[2] for _, _, reason in bad] == [
        "it can't be told where values end"
    ]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (f"{TIME} login=a action=Allowed ua=x?a=b c=d", "a;Allowed;x?a=b c=d"),
        (f"{TIME} login=a action=Allowed ua={TIME}", f"a;Allowed;{TIME}"),
        # only one way to take it apart, though a value holds a key
        (f"{TIME} login=a action=Allowed ua=x login=b", "a;Allowed;x login=b"),
        (f"{TIME} login=ua=b action=Allowed ua=x", "ua=b;Allowed;x"),
    ],
)
def test_a_line_of_pairs_with_further_equals_signs_is_read(line: str, values: str) -> None:
    printed = read(f"{line}\n".encode(), input_of(parse(PAIRS)), "%s{login};%s{action};%s{ua}")
    assert printed == ([values.encode()], [])


def test_keys_between_pipes_are_ambiguous_too() -> None:
    source = input_of(parse("|UA|%s{ua}|IP|%s{cip}|USER|%s{login}|"))
    read_line = "|UA|%s|IP|10.0.0.1|USER|ana|\n"
    for agent in ("x|IP|6.6.6.6", "|IP|", "x|IP|6.6.6.6|USER|bob"):
        assert read((read_line % agent).encode(), source, "%s{cip}")[0] == []
    assert read((read_line % "x|y").encode(), source, "%s{ua} %s{cip}")[0] == [b"x|y 10.0.0.1"]


def test_a_line_begins_where_its_first_pair_does() -> None:
    source = input_of(parse("login=%s{login} ua=%s{ua} t=%d{epochtime}"))
    line = b"login=ana ua=x login=b t=1\n"
    assert read(line, source, "%s{login};%s{ua}") == ([b"ana;x login=b"], [])


def test_json_with_a_key_twice_is_no_format_of_a_source() -> None:
    for text in (
        r'\{"a":"%s{login}","a":"%s{dept}"\}',
        r'\{"a":"%s{login}","a":"%s{login}"\}',
        r'\{"a":"x","a":\{"b":"%s{login}"\}\}',
        r'\{"a":[0,\{"b":"%s{login} %d{reqsize}","b":"%s{dept}"\}]\}',
    ):
        with pytest.raises(NotReadable, match=r'^key "[ab]" stands twice in an object$'):
            input_of(parse(text))
    assert input_of(parse(r'\{"x":1,"x":2,"a":"%s{login}"\}')).doubts == ()


def test_a_piece_that_has_its_place_is_no_pair() -> None:
    source = input_of(parse(r"%s{login}\tdept=%s{dept}\tsize=%d{reqsize}"))
    line = b"dept=forged\tdept=d\tsize=7\n"
    assert read(line, source, "%s{login};%s{dept}") == ([b"dept=forged;d"], [])


def test_columns_whose_ends_can_not_be_told_are_no_record() -> None:
    source = input_of(parse('"%s{url}","%s{action}","%s{login}"'))
    reason = "it can't be told where columns end: one ends or begins with a quote and a comma"
    for line in (b'"x",","Blocked","ana"', b'"x","Blocked",","ana"', b'"x""",","Blocked","ana"'):
        assert read(line + b"\n", source, "%s{action}") == ([], [(0, 0, reason)])
    shifted = b'"x","Allowed"","b"",""ana"'
    assert read(shifted + b"\n", source, "%s{action}")[0] == []
    for line, printed in (
        (b'"x",",","ana"', b"x;,;ana"),
        (b'"","",""', b";;"),
        (b'"say ""hi""","a","b"', b'say "hi";a;b'),
    ):
        assert read(line + b"\n", source, "%s{url};%s{action};%s{login}") == ([printed], [])


def test_a_value_may_end_in_a_part_of_the_separator() -> None:
    source = input_of(parse("a=%s{ua}^^b=%s{action}^^c=%s{login}"))
    line = b"a=x^^^b=Blocked^^^c=ana^\n"
    assert read(line, source, "%s{ua};%s{action};%s{login}") == ([b"x^;Blocked^;ana^"], [])


def test_quotes_in_unquoted_csv_are_text() -> None:
    source = input_of(parse("%s{login},%s{dept},%d{reqsize}"))
    assert read(b'"",say ""hi"",7\n', source, "%s{login};%s{dept}") == ([b'"";say ""hi""'], [])
    assert read(b'"a,b",d,7\n', source, "%s{login};%s{dept}") == ([b"a,b;d"], [])


def test_the_last_value_may_hold_the_text_that_ends_the_line() -> None:
    source = input_of(parse("[%d{reqsize}] %s{login} x"))
    assert read(b"[7] ana x x\n[7] bo x\n", source, "%s{login}") == ([b"ana x", b"bo"], [])


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (
            "%s{login} %s{dept}",
            "%s{login} may hold ' ', which ends it before %s{dept}: it is read back wrong then",
        ),
        (
            r"a=%s{login} (%d{reqsize})\tb=%s{dept}",
            "%s{login} may hold ' (', which ends it before %d{reqsize}: it is read back wrong then",
        ),
        (
            r'\{"%s{login}":"x","a":"%s{dept}"\}',
            "login is not read back: it stands where no value does",
        ),
        (
            r'\{"a":%s{login},"b":"\\"%s{dept}","c":%d{reqsize}\}',
            "%s{login} stands in JSON without quotes: what it prints is not always JSON",
        ),
        (
            r"%d{hh}:%d{mm}\t%s{login}",
            "the time is not whole: feeds whose format prints more of it reject such records",
        ),
        (
            r"%s{tz}\t%s{login}",
            "the time is not whole: feeds whose format prints more of it reject such records",
        ),
        *(
            (
                rf'\{{"a":[{spec}],"b":%d{{reqsize}},"t":"%d{{epochtime}}"\}}',
                f"{spec} stands in JSON without quotes: what it prints is not always JSON",
            )
            for spec in ("%s{login}", "%x{recordid}", "%02d{respsize}", "%s{mon}")
        ),
    ],
)
def test_what_may_be_read_back_wrong_is_said(text: str, doubt: str) -> None:
    assert input_of(parse(text)).doubts == (doubt,)


@pytest.mark.parametrize(
    "text",
    [
        "%s{elogin} %s{dept}",  # no encoded value holds a space
        "%s{cip} %d{reqsize}/%d{respsize} %s{login}",
        "%s{login}|%s{dept}|",  # the guard of the format
        r"%s{login}\t%s{dept}",
        "%s{time} %s{tz} %s{login}",
    ],
)
def test_what_can_not_hold_its_own_end_is_beyond_doubt(text: str) -> None:
    assert input_of(parse(text)).doubts == ()
