"""A line taken apart: each place with its text and what of the format printed it."""

import re

import pytest

from formats import FeedFormat, FeedSettings, Pipeline, json_names, parse, presets
from formats.errors import NotReadable
from formats.reading import BadLine
from formats.reading.dissection import entries
from nss.lab.generator import RecordGenerator

RECORD = (
    b'{"time":"Fri Oct  6 09:05:08 2023","login":"ana@example.com","action":"Allowed",'
    b'"reason":"Allowed","cip":"10.0.0.1","eurl":"h/?a=b|c","recordid":"7","reqsize":"12"}\n'
)


def line_of(format_string: str) -> str:
    settings = FeedSettings(parse(format_string))
    (line,) = Pipeline(json_names(), settings).run(RECORD).lines
    return line.decode()


def apart(format_string: str) -> list[tuple[str, str, str]]:
    found = entries(parse(format_string), line_of(format_string))
    return [(entry.place, entry.text, entry.spec) for entry in found]


def test_leef_has_its_header_and_its_attributes_with_the_fields_that_printed_them() -> None:
    text = (
        r"%s{mon} %d{dd} nss: LEEF:1.0|Z|%s{action}|4.1|%s{reason}|cat=%s{action}\t"
        r"devTime=%s{mon} %d{dd}\tproduct=NSS\turl=%s{eurl}"
    )
    assert apart(text) == [
        ("syslog header", "Oct 6 nss:", "%s{mon} %d{dd} nss: "),
        ("LEEF version", "1.0", ""),
        ("vendor", "Z", ""),
        ("product", "Allowed", "%s{action}"),
        ("product version", "4.1", ""),
        ("event ID", "Allowed", "%s{reason}"),
        ("cat", "Allowed", "%s{action}"),
        ("devTime", "Oct 6", "%s{mon} %d{dd}"),
        ("product", "NSS", ""),
        ("url", "h/?a=b|c", "%s{eurl}"),
    ]


def test_leef_2_is_split_at_the_delimiter_that_its_header_names() -> None:
    found = apart("LEEF:2.0|Z|N|4.1|e|^|cat=%s{action}^src=%s{cip}")

    assert found[-2:] == [("cat", "Allowed", "%s{action}"), ("src", "10.0.0.1", "%s{cip}")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            r'\{"a":"%s{login}","b":\{"c":%d{reqsize},"d":"x"\},"e":["%s{cip}"]\}',
            [
                ("a", "ana@example.com", "%s{login}"),
                ("b / c", "12", "%d{reqsize}"),
                ("b / d", "x", ""),
                ("e / 0", "10.0.0.1", "%s{cip}"),
            ],
        ),
        (
            '"%s{login}","%d{reqsize}"',
            [("column 1", "ana@example.com", "%s{login}"), ("column 2", "12", "%d{reqsize}")],
        ),
        (
            r"%s{login}\tx\t%s{cip}",
            [
                ("column 1", "ana@example.com", "%s{login}"),
                ("column 2", "x", ""),
                ("column 3", "10.0.0.1", "%s{cip}"),
            ],
        ),
        (
            r"<134>%s{time}\tuser=%s{login}\tproduct=NSS\tip=%s{cip}",
            [
                ("piece 1", "<134>Fri Oct  6 09:05:08 2023", "<134>%s{time}"),
                ("user", "ana@example.com", "%s{login}"),
                ("product", "NSS", ""),
                ("ip", "10.0.0.1", "%s{cip}"),
            ],
        ),
        (
            "CEF:0|Z|N|5|%s{action}|%s{reason}|3|act=%s{action} suser=%s{login} out=%d{reqsize}",
            [
                ("header", "Allowed", "%s{action}"),
                ("header", "Allowed", "%s{reason}"),
                ("act", "Allowed", "%s{action}"),
                ("suser", "ana@example.com", "%s{login}"),
                ("out", "12", "%d{reqsize}"),
            ],
        ),
    ],
)
def test_other_formats_are_taken_apart_by_what_they_say(
    text: str, found: list[tuple[str, str, str]]
) -> None:
    assert apart(text) == found


@pytest.mark.parametrize("name", presets.names())
def test_every_field_of_a_preset_is_found_with_the_text_that_it_printed(name: str) -> None:
    """What a place's spec prints by itself, from the same record, stands at the place."""
    feed_format = presets.load(name)
    data = RecordGenerator(3, hostile_share=0.3).batch(50)
    found = [entries(feed_format, line) for line in rendered(feed_format, data)]

    assert len(found) == 50
    for places in zip(*found, strict=True):
        alone = rendered(parse(places[0].spec), data)
        if places[0].fields:
            assert [bare(place.text) for place in places] == [bare(text) for text in alone]
    assert {field for place in found[0] for field in place.fields} == feed_format.field_names


def rendered(feed_format: FeedFormat, data: bytes) -> list[str]:
    pipeline = Pipeline(json_names(), FeedSettings(feed_format))
    return [line.decode() for line in pipeline.run(data).lines]


def bare(text: str) -> str:
    """Return a text without what formats encode or not, each by its own separators."""
    return re.sub(r'%(22|5C|3D|7C|2C|5E)|["\\\\=|,^]', "", text).strip()


def test_a_format_whose_fields_touch_can_not_be_taken_apart() -> None:
    with pytest.raises(NotReadable, match=r"between %s\{login\} and %s\{cip\} tells"):
        entries(parse("%s{login}%s{cip}"), "ana10.0.0.1")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (r"LEEF:1.0|a|b|c|d|k=%s{cip}\tk=%s{sip}", "LEEF:1.0|a|b|c|d|k=1\tk=2", "comes twice"),
        (r"LEEF:1.0|a|b|c|d|k=%s{cip}", "k=1", "no LEEF"),
        (r'\{"a":"%s{cip}"\}', "nonsense", "not JSON"),
        (r'\{"a":"%s{cip}"\}', "[" * 5000, "not JSON"),
        ("%s{cip},%s{sip}", "1,2,3", "3 columns, expected 2"),
        ("a %s{cip} b", "x", "no 'a '"),
    ],
)
def test_a_line_of_another_format_is_refused_with_the_reason(
    text: str, line: str, reason: str
) -> None:
    with pytest.raises(BadLine, match=reason):
        entries(parse(text), line)
