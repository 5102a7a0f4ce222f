"""Rendering: whole lines, and the fast way beside the reference."""

from datetime import tzinfo
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import leef, presets
from formats.fields import TIME_FIELDS, catalogue
from formats.language import FeedFormat, parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.reading.twins import twins_among
from formats.rendering.shortening import MARK
from formats.times import zone

MOMENT = "Fri Oct  6 09:05:08 2023"


def pipeline_to(text: str, **settings: Any) -> Pipeline:  # noqa: ANN401 - FeedSettings has the types
    return Pipeline(json_names(), FeedSettings(parse(text), **settings))


def line(text: str, record: dict[str, object], **settings: Any) -> str:  # noqa: ANN401 - as above
    rendered = pipeline_to(text, **settings).run(msgspec.json.encode(record) + b"\n")
    assert rendered.bad == []
    (only,) = rendered.lines
    return only.decode()


@pytest.mark.parametrize(
    ("text", "record", "printed"),
    [
        ("%d{hh}:%d{mm}:%d{ss}", {"time": MOMENT}, "9:5:8"),
        ("%02d{hh}:%02d{mm}:%02d{ss}", {"time": MOMENT}, "09:05:08"),
        ("%d{dd} %02d{dd} %2d{dd} %04d{yyyy} %d{yy}", {"time": MOMENT}, "6 06  6 2023 2023"),
        ("%s{time}|%s{day}|%s{mon}|%02d{mth}", {"time": MOMENT}, f"{MOMENT}|Fri|Oct|10"),
        ("%d{epochtime} %x{epochtime}", {"time": MOMENT}, "1696583108 651fcdc4"),
        ("%x{recordid} %d{recordid} %s{recordid}", {"recordid": 2**63 - 1},
         "7fffffffffffffff 9223372036854775807 9223372036854775807"),
        ("%08x{riskscore} %5d{riskscore} %05d{riskscore}", {"riskscore": 92},
         "0000005c    92 00092"),
        ("%3d{reqsize} %02d{respsize}", {"reqsize": 12345, "respsize": -7}, "12345 -7"),
        ("%s{login}-%s{login}", {"login": "ana"}, "ana-ana"),
        (r"\{'%s{login}'\}\t%%", {"login": "ana"}, "{'ana'}\t%"),
        ("no fields at all", {}, "no fields at all"),
        ("", {}, ""),
        ("%s{login} %s{elogin}", {"login": "{x}{r}\\N"}, "{x}{r}\\N {x}{r}\\N"),
        ("'\"\\\\%s{login}\xe9\U0001f600", {"login": "a"}, "'\"\\a\xe9\U0001f600"),
    ],
)  # fmt: skip
def test_a_line_is_printed_as_its_format_says(
    text: str, record: dict[str, object], printed: str
) -> None:
    assert line(text, record) == printed


@pytest.mark.parametrize(
    ("text", "record", "printed"),
    [
        # control characters never leave a value raw, in any format
        ("%s{login};", {"login": "a\tb\nc\rd\0e\x7ff\x85g\u2028h"},
         "a%09b%0Ac%0Dd%00e%7Ff%C2%85g%E2%80%A8h;"),
        (r"%s{login}\t%s{dept}", {"login": "a\tb", "dept": "c"}, "a%09b\tc"),
        # LEEF: the pipe in the header, the backslash at the end of a value
        (r"LEEF:1.0|Z|N|1|%s{reason}|a=%s{reason}\tb=%s{login}",
         {"reason": "x|y\\", "login": "\\\\"}, "LEEF:1.0|Z|N|1|x%7Cy%5C|a=x|y%5C\tb=\\%5C"),
        ("LEEF:2.0|Z|N|1|%s{reason}|^|a=%s{login}^b=%s{dept}",
         {"reason": "x^", "login": "y^z|", "dept": "\\"},
         "LEEF:2.0|Z|N|1|x^|^|a=y%5Ez|^b=%5C"),
        # CEF: the same in the header, = in the extension
        ("CEF:0|Z|N|1|%s{action}|%s{reason}|3|act=%s{action} url=%s{eurl}",
         {"action": "a=b\\", "reason": "c\\|d", "eurl": "h/?a=b c=d"},
         "CEF:0|Z|N|1|a=b%5C|c\\%7Cd|3|act=a%3Db\\ url=h/?a=b%20c=d"),
        ('"%s{login}","%s{dept}"', {"login": 'a","b', "dept": "c,d"}, '"a%22,%22b","c,d"'),
        ("%s{login},%s{dept}", {"login": "a,b", "dept": 'c"d'}, "a%2Cb,c%22d"),
        (r'\{"a":"%s{login}","b":"%s{dept}"\}', {"login": 'x","c":"', "dept": "\\"},
         '{"a":"x%22,%22c%22:%22","b":"%5C"}'),
        ("a=%s{login}^^b=%s{dept}", {"login": "x^^b=y", "dept": "^"}, "a=x%5E%5Eb=y^^b=%5E"),
        ("a=%s{login} b=%s{dept}", {"login": "x b=y", "dept": "z"}, "a=x b%3Dy b=z"),
    ],
)  # fmt: skip
def test_a_value_can_not_forge_structure(
    text: str, record: dict[str, object], printed: str
) -> None:
    assert line(text, record) == printed


def test_without_protection_only_leef_and_line_breaks_are_guarded() -> None:
    record: dict[str, object] = {"login": 'a","b\n', "reason": "x|y\\"}
    assert line('"%s{login}","x"', record, protect_separators=False) == '"a","b%0A","x"'
    assert line("LEEF:1.0|Z|N|1|%s{reason}|a=b", record, protect_separators=False) == (
        "LEEF:1.0|Z|N|1|x%7Cy%5C|a=b"
    )


@pytest.mark.parametrize(
    ("escapes", "printed"),
    [
        ("", 'a,b%20"c"%20\\|%C3%A4'),
        (',"', "a%2Cb%20%22c%22%20\\|%C3%A4"),
        ("\\|", 'a,b%20"c"%20%5C%7C%C3%A4'),
    ],
)
def test_feed_escape_characters_are_encoded_in_encoded_fields_only(
    escapes: str, printed: str
) -> None:
    record: dict[str, object] = {"eua": 'a,b "c" \\|\xe4', "login": "x,y"}
    settings = {"escape_characters": escapes, "protect_separators": False}
    assert line("%s{eua};%s{login}", record, **settings) == printed + ";x,y"


@pytest.mark.parametrize(
    ("text", "record", "reason"),
    [
        ("%s{time}", {}, "the record has no time"),
        ("%d{hh}", {"time": "None"}, "the record has no time"),
        ("%d{hh}", {"time": "soon"}, "time 'soon' is in no known form"),
        ("%d{yy}", {"mon": "Oct", "dd": 6, "hh": 1, "mm": 2, "ss": 3}, "the time has no yy"),
        ("%s{tz}", {"time": MOMENT, "tz": "XYZ"}, "time zone 'XYZ' is not known"),
    ],
)
def test_a_record_without_the_time_to_print_is_set_apart(
    text: str, record: dict[str, object], reason: str
) -> None:
    good = msgspec.json.encode({"time": MOMENT, "login": "good"}) + b"\n"
    bad = msgspec.json.encode({"login": "bad", **record})
    rendered = pipeline_to(f"{text} %s{{login}}").run(good + bad + b"\n" + good)
    assert [(b.line, b.offset, b.reason, b.data) for b in rendered.bad] == [
        (1, len(good), reason, bad)
    ]
    assert [line.split()[-1] for line in rendered.lines] == [b"good", b"good"]
    assert [record.login for record in rendered.records] == ["good", "good"]


def test_a_format_without_time_needs_none() -> None:
    assert line("%s{login}", {"login": "ana"}) == "ana"


def test_an_input_that_never_tells_a_time_has_its_records_set_apart() -> None:
    source = input_of(parse("%s{login},%s{url}"))
    rendered = Pipeline(source, FeedSettings(presets.load("MCAS"))).run(b"ana,h\n")
    assert [(b.line, b.reason) for b in rendered.bad] == [(0, "the record has no time")]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("GMT", "Oct 06 2023 09:05:08 GMT"),
        ("Europe/Berlin", "Oct 06 2023 11:05:08 CEST"),
        ("GMT-09:30", "Oct 05 2023 23:35:08 GMT-09:30"),
    ],
)
def test_a_time_is_printed_in_the_zone_of_the_feed(name: str, printed: str) -> None:
    text = "%s{mon} %02d{dd} %d{yy} %02d{hh}:%02d{mm}:%02d{ss} %s{tz}"
    assert line(text, {"time": MOMENT}, zone=zone(name)) == printed


def test_a_time_without_zone_is_read_in_the_zone_of_its_source() -> None:
    berlin: tzinfo = zone("Europe/Berlin")
    assert line("%d{hh} %s{tz}", {"time": MOMENT}, source_zone=berlin) == "7 GMT"


def test_obfuscation_follows_its_key() -> None:
    record: dict[str, object] = {"login": "ana@example.com", "cip": "192.0.2.1"}
    texts = {line("%s{ologin} %d{ocip}", record, obfuscation_key=key) for key in (b"a", b"b")}
    assert len(texts) == 2
    assert texts == {line("%s{ologin} %d{ocip}", record, obfuscation_key=k) for k in (b"b", b"a")}


def test_sizes_beyond_any_counter_are_added_exactly() -> None:
    huge = 10**39
    assert line("%d{totalsize}", {"reqsize": huge, "respsize": str(huge)}) == str(2 * huge)


@pytest.mark.parametrize("max_bytes", [900, 1200, 2000, 8192])
def test_a_line_is_fitted_by_cutting_url_referer_and_user_agent_only(max_bytes: int) -> None:
    record = {
        "time": MOMENT, "login": "ana", "eurl": "h/" + "u" * 5000, "ua": "\u4e2d" * 1000,
        "ereferer": "r" * 300, "dept": "d" * 100,
    }  # fmt: skip
    pipeline = Pipeline(json_names(), FeedSettings(presets.load("QRADAR")))
    rendered = pipeline.run(msgspec.json.encode(record) + b"\n")
    (whole,), (record,) = rendered.lines, rendered.records
    fitted = pipeline.renderer.fit(record, max_bytes)
    assert fitted is not None
    assert len(fitted) <= max_bytes
    before, after = leef.parse(whole.decode()), leef.parse(fitted.decode())
    changed = {k for k, v in before.attributes.items() if after.attributes[k] != v}
    assert changed <= {"url", "useragent", "referer"}
    assert {after.attributes[key][-5:] for key in changed} == {MARK}
    assert list(before.attributes) == list(after.attributes)


def test_a_line_that_can_not_be_fitted_is_not_cut() -> None:
    pipeline = pipeline_to("%s{login} %s{url}")
    rendered = pipeline.run(b'{"login":"' + b"a" * 100 + b'","url":"h/path/to"}\n')
    assert pipeline.renderer.fit(rendered.records[0], 106) == b"a" * 100 + b" [...]"
    assert pipeline.renderer.fit(rendered.records[0], 105) is None


HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\t\n\r\0\x7f\x85\u2028|=\\\"',^%{} abc/?&;:\xe4\U0001f600"),
        st.characters(codec="utf-8"),
    ),
    max_size=20,
)
NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.integers(0, 10**19).map(str), st.none())


@st.composite
def records(draw: st.DrawFn, fields: frozenset[str]) -> dict[str, object]:
    names = draw(st.lists(st.sampled_from(sorted(fields - TIME_FIELDS)), unique=True))
    record: dict[str, object] = {"time": MOMENT}
    for name in names:
        if twins_among({name, *record} - {"time"}):  # they would contradict each other
            continue
        record[name] = draw(NUMBERS if catalogue()[name].conversion == "d" else HOSTILE)
    return record


def sources_of(feed_format: FeedFormat) -> frozenset[str]:
    """Fields of a format and what they are derived from."""
    names = feed_format.field_names
    ways = {way.source for name in names for way in catalogue()[name].derivations}
    return (names | ways | {"reqsize", "respsize"}) - {"hostname"}  # another key of host


CUSTOM = {
    "header slots apart from pipes":
        "%s{login} LEEF:1.0|Z %s{dept}|N|1|%s{action}-%s{reason}|a=%s{ua}",
    "LEEF 2.0": "LEEF:2.0|Z|N|1|%s{reason}|^|a=%s{login}^b=%s{eurl}^c=%s{ua}^d=%s{dept}^e=%s{url}",
    "CEF header": "CEF:0|Z|%s{dept}|1|%s{action}|%s{reason}|3|a=%s{ua} b=%s{eurl}",
    "mixed separators": '%s{login}: "%s{dept}"; %s{eurl}|%s{ua}~%s{url}',
    "derived":
        '"%s{b64url}","%s{dept}","%s{eurlpath}","%s{ologin}","%s{hostname}","%s{edepartment}"',
    "padded": "%05d{reqsize}|%4d{respsize}|%x{recordid}|%d{totalsize}|%s{login}",
}  # fmt: skip
FORMATS = {name: presets.load(name) for name in presets.names()} | {
    name: parse(text) for name, text in CUSTOM.items()
}


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_the_fast_way_prints_what_the_reference_prints(name: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(records(sources_of(FORMATS[name])), min_size=1, max_size=5))
    settings = FeedSettings(
        FORMATS[name],
        escape_characters=data.draw(st.sampled_from(["", ',"', "|=\\"])),
        protect_separators=data.draw(st.booleans()),
    )
    pipeline = Pipeline(json_names(), settings)
    batch = b"".join(msgspec.json.encode(record) + b"\n" for record in drawn)
    rendered = pipeline.run(batch)
    assert rendered.bad == []
    assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
    alone = [pipeline.run(msgspec.json.encode(record) + b"\n").lines[0] for record in drawn]
    assert alone == rendered.lines
