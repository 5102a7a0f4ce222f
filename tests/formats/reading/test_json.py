"""Reading JSON: each form, each fault with its reason and place, neighbours unharmed."""

import json
from collections.abc import Iterable

import pytest

from formats import presets
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.json_scan import MAX_DEPTH
from formats.reading.recognise import input_of

PRINTED = "%d{epochtime};%s{login};%d{reqsize};%d{recordid};%s{dept}"
GOOD = b'{"epochtime":1696583108,"login":"good","reqsize":"7","recordid":"5","dept":"d"}'
GOOD_LINE = b"1696583108;good;7;5;d"


def read(
    data: bytes,
    source: Input | None = None,
    printed: str = PRINTED,
    max_record_bytes: int = 1 << 20,
) -> tuple[list[bytes], list[tuple[int, int, str]]]:
    """Return what a batch's records print, and line, offset and reason of those set apart."""
    settings = FeedSettings(parse(printed), max_record_bytes=max_record_bytes)
    rendered = Pipeline(source or json_names(), settings).run(data)
    lines = data.split(b"\n")
    assert all(bad.data in lines[bad.line] for bad in rendered.bad)
    assert all(data.startswith(bad.data, bad.offset) for bad in rendered.bad)
    return list(rendered.lines), [(bad.line, bad.offset, bad.reason) for bad in rendered.bad]


@pytest.mark.parametrize(
    "written",
    [
        "9007199254740993.0",
        "9007199254740992.0",
        "-9007199254740993.0",
        "9007199254740993e0",
        "1e99",
    ],
)
@pytest.mark.parametrize("form", ['"%s"', "%s"])
def test_a_number_that_would_be_rounded_is_rejected(written: str, form: str) -> None:
    record = b'{"reqsize":%s}\n' % (form % written).encode()
    lines, ((_, _, reason),) = read(record, printed="%d{reqsize}")
    assert lines == []
    assert reason.startswith("reqsize: ")


@pytest.mark.parametrize("form", [b'"%s"', b"%s"])
def test_the_largest_number_with_a_fraction_is_read(form: bytes) -> None:
    record = b'{"reqsize":%s}\n' % (form % b"-9007199254740991.0")
    assert read(record, printed="%d{reqsize}") == ([b"-9007199254740991"], [])


@pytest.mark.parametrize("word", ["None", "NA", "N/A", "Unknown", ""])
def test_a_placeholder_beside_a_text_contradicts_it_too(word: str) -> None:
    # A user agent that leaves its quotes could make the request of nobody known that of somebody.
    records = [{"login": word, "user": "ana"}, {"user": "ana", "login": word}]
    lines = joined(json.dumps(record).encode() for record in records)
    assert [why for _, _, why in read(lines + GOOD, printed="%s{login}")[1]] == [
        '"login" and "user" contradict each other',
        '"user" and "login" contradict each other',
    ]


@pytest.mark.parametrize("year", [b"2023", b"2023.0", b'"2023"'])
def test_a_year_is_the_same_whatever_form_others_had(year: bytes) -> None:
    record = b'{"yy":%s,"mon":"Oct","dd":6,"hh":1,"mm":2,"ss":3}\n'
    printed = "%d{yy}"
    assert read(record % year, printed=printed) == ([b"2023"], [])
    assert read((record % b"2023") + (record % year), printed=printed) == ([b"2023"] * 2, [])


def joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        (GOOD, GOOD_LINE),
        (b'{"sourcetype":"zscalernss-web","event":' + GOOD + b"}", GOOD_LINE),
        (b'{"event":' + GOOD + b',"sourcetype":"x"}', GOOD_LINE),
        (b"  " + GOOD + b" \t", GOOD_LINE),
        (b"\xef\xbb\xbf" + GOOD, GOOD_LINE),
        (b"<134>" + GOOD, GOOD_LINE),
        (b"<134>1 2023-10-06T09:05:08Z host nss - - - " + GOOD, GOOD_LINE),
        (b'<134>1 - host nss - - [x@1 a="{b}" c="[{\\"d"][y e="{"] ' + GOOD, GOOD_LINE),
        (b"<13>Oct  6 09:05:08 host nss[123]: " + GOOD, GOOD_LINE),
        (b"Oct  6 09:05:08 zscaler-nss: " + GOOD, GOOD_LINE),
        (b"<13>nss: [" + GOOD + b"]", GOOD_LINE),
        (b"[" + GOOD + b"]", GOOD_LINE),
        # numbers as strings and strings as numbers
        (b'{"epochtime":"1696583108","login":7,"reqsize":7,"dept":1.5}', b"1696583108;7;7;0;1.5"),
        (b'{"epochtime":1696583108.0,"reqsize":"7.0","recordid":"1e3"}',
         b"1696583108;None;7;1000;None"),
        (b'{"epochtime":"1696583108","reqsize":" +07 ","recordid":-3}',
         b"1696583108;None;7;-3;None"),
        # 19 digits and more, exactly
        (b'{"epochtime":1696583108,"recordid":9223372036854775807}',
         b"1696583108;None;0;9223372036854775807;None"),
        (b'{"epochtime":1696583108,"recordid":"9999999999999999999"}',
         b"1696583108;None;0;9999999999999999999;None"),
        (b'{"epochtime":1696583108,"recordid":18446744073709551616}',
         b"1696583108;None;0;18446744073709551616;None"),
        # missing, null and placeholders
        (b'{"epochtime":1696583108}', b"1696583108;None;0;0;None"),
        (b'{"epochtime":1696583108,"login":null,"reqsize":null,"dept":null}',
         b"1696583108;None;0;0;None"),
        (b'{"epochtime":1696583108,"login":"","reqsize":"","recordid":"N/A"}',
         b"1696583108;;0;0;None"),
        (b'{"epochtime":1696583108,"reqsize":"None","recordid":"-"}', b"1696583108;None;0;0;None"),
        # unknown keys, whatever they hold
        (b'{"x":{"Logins":"no"},"y":[1,{"z":[]}],"epochtime":1696583108,"login":"a","Logins":"b"}',
         b"1696583108;a;0;0;None"),
        (b'{"x":1,"x":2,"y":{"z":1,"z":2},"epochtime":1696583108,"login":"a"}',
         b"1696583108;a;0;0;None"),
        ('{"epochtime":1696583108,"login":"\xe4\\u00e4\\ud83d\\ude00\U0001f600"}'.encode(),
         "1696583108;\xe4\xe4\U0001f600\U0001f600;0;0;None".encode()),
    ],
)  # fmt: skip
def test_a_json_record_is_read(line: bytes, printed: bytes) -> None:
    assert read(line + b"\n") == ([printed], [])
    assert read(line) == ([printed], [])
    assert read(joined([GOOD, line, GOOD])) == ([GOOD_LINE, printed, GOOD_LINE], [])


BAD_JSON = {
    b"hello": "not JSON: invalid character (byte 0)",
    b"{": "JSON is truncated",
    GOOD[:-1]: "JSON is truncated",
    GOOD[:30]: "JSON is truncated",
    b'{"login":"a}': "JSON is truncated",
    b"{'login':1}": "not JSON: object keys must be strings (byte 1)",
    GOOD + b",": "not JSON: trailing characters (byte 80)",
    GOOD + GOOD: "not JSON: trailing characters (byte 80)",
    GOOD + b"x": "not JSON: trailing characters (byte 80)",
    b'{"login":"a\tb"}': "not JSON: invalid character (byte 11)",
    b'{"login":NaN}': "not JSON: invalid character (byte 9)",
    b'{"login":"\xff"}': "not UTF-8: invalid start byte",
    b'{"login":"\xc3"}': "not UTF-8: unexpected end of data",
    b'{"login":"\xed\xa0\x80"}': "not UTF-8: invalid continuation byte",
    b'{"login":"\\udc00"}': "not JSON: invalid utf-16 surrogate pair (byte 16)",
    b'{"login":' + b"[" * 100_000: "JSON is nested too deeply",
    b'{"x":' * 100_000 + b"1" + b"}" * 100_000: "JSON is nested too deeply",
    b"[" * 100_000: "JSON is nested too deeply",
    b'"text"': "not a JSON object but text 'text'",
    b"17": "not a JSON object but number 17",
    b"true": "not a JSON object but a boolean",
    b"null": "not a JSON object but null",
    b"[1]": "not a JSON object but number 1",
    b"[[]]": "not a JSON object but an array",
    b"[" + GOOD + b",2": "JSON is truncated",
    b'{"login":true}': "login: a boolean, expected text",
    b'{"login":{}}': "login: an object, expected text",
    b'{"login":["a"]}': "login: an array, expected text",
    b'{"reqsize":"many"}': "reqsize: text 'many', expected a number",
    b'{"reqsize":1.5}': "reqsize: number 1.5, expected a number",
    b'{"reqsize":true}': "reqsize: a boolean, expected a number",
    b'{"reqsize":[]}': "reqsize: an array, expected a number",
    b'{"reqsize":"\xd9\xa1"}': "reqsize: text '\u0661', expected a number",
    b'{"reqsize":"%s"}' % (b"9" * 41): f"reqsize: text '{'9' * 40}', expected a number",
    b'{"reqsize":%s}' % (b"9" * 41): f"reqsize: number {'9' * 40}, expected a number",
    b'{"reqsize":%s}' % (b"9" * 5000): "JSON: Integer value out of range",
    b'{"reqsize":1e999}': "JSON: Number out of range",
    b'{"time":[]}': "time: an array, expected a time",
    b'{"epochtime":true}': "epochtime: a boolean, expected a time",
    b"{}": "the record has no time",
}


@pytest.mark.parametrize("bad", BAD_JSON, ids=range(len(BAD_JSON)))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_json_record_is_set_apart_and_its_neighbours_are_not_harmed(
    bad: bytes, place: int
) -> None:
    lines = [GOOD, GOOD]
    lines.insert(place, bad)
    offset = place * (len(GOOD) + 1)
    assert read(joined(lines)) == ([GOOD_LINE, GOOD_LINE], [(place, offset, BAD_JSON[bad])])


def deep(levels: int) -> bytes:
    """Return a good record with a key that nobody reads, whose value is so deep."""
    return GOOD[:-1] + b',"odd":' + b"[" * levels + b"]" * levels + b"}"


def from_calls(calls: int, data: bytes) -> tuple[list[bytes], list[tuple[int, int, str]]]:
    """Read with so many calls more on Python's stack."""
    return from_calls(calls - 1, data) if calls else read(data)


@pytest.mark.parametrize("calls", [0, 300, 600])
@pytest.mark.parametrize("batch", [1, 20])
def test_how_deep_a_record_may_be_does_not_depend_on_how_deep_the_reader_is_called(
    calls: int, batch: int
) -> None:
    fits, over = deep(MAX_DEPTH - 1), deep(MAX_DEPTH)
    in_text = GOOD[:-1] + b',"odd":"' + b"[{" * MAX_DEPTH + b'\\"["}'
    broken = deep(500)[:-300] + b"\xea"
    lines = [over, fits, in_text, broken, *[fits] * batch, over]
    bad = [0, 3, len(lines) - 1]
    places = [len(joined(lines[:number])) if number else 0 for number in bad]
    assert from_calls(calls, joined(lines)) == (
        [GOOD_LINE] * (batch + 2),
        [
            (number, place, "JSON is nested too deeply")
            for number, place in zip(bad, places, strict=True)
        ],
    )


@pytest.mark.parametrize("calls", [0, 600])
def test_a_record_too_deep_is_found_between_many_of_its_shape(calls: int) -> None:
    lines = [deep(2)] * 50
    batch = joined([*lines[:20], deep(400), *lines[20:]])
    source, settings = json_names(), FeedSettings(parse(PRINTED))

    def twice(calls: int) -> list[str]:
        if calls:
            return twice(calls - 1)
        pipeline = Pipeline(source, settings)
        pipeline.run(joined(lines))  # learns the shape
        rendered = pipeline.run(batch)
        assert list(rendered.lines) == [GOOD_LINE] * 50
        return [bad.reason for bad in rendered.bad]

    assert twice(calls) == ["JSON is nested too deeply"]


def test_all_records_of_a_batch_may_be_bad() -> None:
    bad = list(BAD_JSON)
    printed, found = read(joined(bad))
    assert printed == []
    assert [reason for _, _, reason in found] == list(BAD_JSON.values())
    assert [line for line, _, _ in found] == list(range(len(bad)))


def test_a_record_over_the_limit_is_set_apart_and_one_at_the_limit_is_not() -> None:
    fits = GOOD[:-1] + b',"x":"' + b"y" * (200 - len(GOOD) - 7) + b'"}'
    assert len(fits) == 200
    over = fits[:-2] + b'y"}'
    batch = joined([GOOD, over, fits])
    assert read(batch, max_record_bytes=200) == (
        [GOOD_LINE, GOOD_LINE],
        [(1, len(GOOD) + 1, "longer than max_record_bytes (200)")],
    )
    assert read(batch[:-1], max_record_bytes=200) == read(batch, max_record_bytes=200)


@pytest.mark.parametrize("header", [b"", b"<134>1 2023-10-06T09:05:08Z host nss - - - "])
def test_the_records_of_an_array_are_read_one_by_one(header: bytes) -> None:
    second = GOOD.replace(b"good", b"second")
    array = header + b"[" + GOOD + b", " + second + b"]"
    assert read(joined([array, b"[]", GOOD])) == (
        [GOOD_LINE, GOOD_LINE.replace(b"good", b"second"), GOOD_LINE],
        [],
    )
    timeless, wrong, doubled = b'{"login":"timeless"}', b'{"reqsize":[]}', b'{"login":1,"login":1}'
    elements = [GOOD, timeless, b"2", wrong, GOOD, doubled]
    array = header + b"[" + b" ,".join(elements) + b" ]"
    printed, bad = read(joined([b"x", array, GOOD]))
    assert printed == [GOOD_LINE] * 3
    assert bad == [
        (0, 0, "not JSON: invalid character (byte 0)"),
        (1, 2 + array.index(timeless), "the record has no time"),
        (1, 2 + array.index(b"2", len(header) + len(GOOD)), "not a JSON object but number 2"),
        (1, 2 + array.index(wrong), "reqsize: an array, expected a number"),
        (1, 2 + array.index(doubled), 'duplicate key "login"'),
    ]


def test_a_rejected_element_of_an_array_is_kept_without_its_neighbours() -> None:
    batch = b"<13>[" + GOOD + b',{"login":"timeless"}, {"reqsize":[]}]\n'
    rendered = Pipeline(json_names(), FeedSettings(parse(PRINTED))).run(batch)
    assert rendered.lines == [GOOD_LINE]
    assert [bad.data for bad in rendered.bad] == [b'{"login":"timeless"}', b'{"reqsize":[]}']


@pytest.mark.parametrize("event", [b"null", b'"x"', b"[]", b"[{}]", b"7"])
def test_an_envelope_is_one_whatever_stood_there_in_other_records(event: bytes) -> None:
    empty = b'{"sourcetype":"x","event":%s}' % event
    flat = GOOD[:-1] + b',"sourcetype":"x","event":%s}' % event
    full = b'{"sourcetype":"x","event":' + GOOD + b"}"
    for batch in ([empty, full, full], [flat, full, flat], [full, empty, full, flat]):
        printed, bad = read(joined([*batch, *batch]))
        assert len(printed) == 2 * (len(batch) - batch.count(empty))
        assert [why for _, _, why in bad] == ["the record has no time"] * 2 * batch.count(empty)
    pipeline = Pipeline(json_names(), FeedSettings(parse(PRINTED)))
    for line in (empty, flat, full, empty, full):
        assert pipeline.run(line).lines == [GOOD_LINE] * (line != empty)


ENVELOPED = b'{"event":%s}'


@pytest.mark.parametrize(
    "source", [json_names(), input_of(presets.load("JSON"))], ids=["names", "JSON"]
)
@pytest.mark.parametrize("form", [b"%s", ENVELOPED, b"<13>%s", b"[%s]"])
@pytest.mark.parametrize(
    ("twice", "reason"),
    [
        (b'"login":"a","login":"b"', 'duplicate key "login"'),
        (b'"login":"a","x":"y","login":"a"', 'duplicate key "login"'),
        (b'"login":"a","\\u006cogin":"b"', 'duplicate key "login"'),
        (b'"login":"a","login":null', 'duplicate key "login"'),
        (b'"login":null,"login":"a"', 'duplicate key "login"'),
        (b'"reqsize":"7","reqsize":7', 'duplicate key "reqsize"'),
        (b'"time":"x","time":"y"', 'duplicate key "time"'),
        (b'"user":"a","login":"b"', '"user" and "login" contradict each other'),
        (b'"login":"a","Login":"b"', '"login" and "Login" contradict each other'),
        (b'"user":"a","elogin":"b"', '"user" and "elogin" contradict each other'),
        (b'"elogin":"b","login":"a"', '"elogin" and "login" contradict each other'),
        (b'"b64login":"Yg==","login":"a"', '"b64login" and "login" contradict each other'),
        (b'"elogin":"None","b64login":"Yg=="', '"elogin" and "b64login" contradict each other'),
        (b'"requestsize":"7","srcBytes":8', '"requestsize" and "srcBytes" contradict each other'),
        (b'"time":"1696583108","datetime":"1696583109"',
         '"time" and "datetime" contradict each other'),
    ],
)  # fmt: skip
def test_a_record_that_states_a_field_twice_is_set_apart(
    twice: bytes, reason: str, form: bytes, source: Input
) -> None:
    bad = form % (b'{"epochtime":1696583108,' + twice + b"}")
    good = form % GOOD
    for batch in ([bad], [good, bad, good], [good] * 9 + [bad] + [good] * 9, [bad, bad, good]):
        printed, found = read(joined(batch), source)
        assert printed == [GOOD_LINE] * batch.count(good)
        assert [why for _, _, why in found] == [reason] * batch.count(bad)


@pytest.mark.parametrize(
    "twice",
    [
        b'"user":"good","login":"good"',
        b'"login":"good","user":null',
        b'"b64login":"Z29vZA==","user":"good","elogin":"%67ood"',
        b'"elogin":null,"login":"good"',
        b'"recordid":5,"event_id":"5","user":"good"',
        b'"reqsize":"","requestsize":7,"user":"good"',
        b'"time":"Fri Oct  6 09:05:08 2023","datetime":"2023-10-06 09:05:08","user":"good"',
        b'"time":"None","datetime":"2023-10-06 09:05:08","user":"good"',
        b'"x":1,"x":2,"action":"a","action":"b","user":"good"',
    ],
)
def test_keys_that_agree_or_are_not_read_do_no_harm(twice: bytes) -> None:
    record = b'{"epochtime":1696583108,%s}' % twice
    assert read(joined([record] * 3), printed="%d{epochtime};%s{login}") == (
        [b"1696583108;good"] * 3,
        [],
    )


@pytest.mark.parametrize("login", [b"a\\nb", b"ab"])
def test_two_objects_on_one_line_do_not_shift_their_neighbours(login: bytes) -> None:
    evil = b'{"epochtime":1,"login":"' + login + b'"}'
    printed, bad = read(joined([b'{"epochtime":1}' + evil, b"{", b"}", GOOD]))
    assert printed == [GOOD_LINE]
    assert [(line, reason) for line, _, reason in bad] == [
        (0, "not JSON: trailing characters (byte 16)"),
        (1, "JSON is truncated"),
        (2, "not JSON: invalid character (byte 0)"),
    ]


@pytest.mark.parametrize("neighbours", [[], [GOOD], [b"bad"], [b"[" + GOOD + b"]"]])
@pytest.mark.parametrize("control", "\t\n\r\x08\x0c\x00\x0b\x1f\x7f\x80\x85\x9f\u2028\u2029")
def test_a_control_character_is_found_wherever_its_record_stands(
    neighbours: list[bytes], control: str
) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in control.encode())
    raw = {control} - {chr(code) for code in range(32)}  # JSON allows no raw C0
    short = {json.dumps(control)[1:-1]}
    for text in {f"\\u{ord(control):04x}", f"\\u{ord(control):04X}"} | raw | short:
        record = f'{{"epochtime":1696583108,"login":"a{text}"}}'.encode()
        printed = f"1696583108;a{encoded};0;0;None".encode()
        assert printed in read(joined([*neighbours, record]))[0]
        assert printed in read(joined([record, *neighbours]))[0]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n\n"])
def test_a_batch_without_lines_has_no_records(data: bytes) -> None:
    assert read(data) == ([], [])


@pytest.mark.parametrize("data", [b"", b"\n", b" \n\r\n"])
def test_a_batch_without_lines_may_come_after_numbers_in_quotes(data: bytes) -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%d{reqsize}")))
    assert pipeline.run(b'{"reqsize":"5"}\n').lines == [b"5"]
    assert pipeline.decode(data).records == []


def test_a_time_may_be_stated_in_any_known_key() -> None:
    stated = [
        b'{"time":"Fri Oct  6 09:05:08 2023"}',
        b'{"time":1696583108}',
        b'{"datetime":"2023-10-06 09:05:08"}',
        b'{"time":"2023-10-06 11:05:08","tz":"Europe/Berlin"}',
        b'{"time":"None","epochtime":"1696583108"}',
        b'{"time":"","datetime":"2023-10-06T09:05:08Z"}',
        b'{"yy":2023,"mon":"Oct","dd":6,"hh":"09","mm":"5","ss":8}',
    ]
    assert read(joined(stated), printed="%d{epochtime}") == ([b"1696583108"] * len(stated), [])


@pytest.mark.parametrize(
    "source", [json_names(), input_of(presets.load("JSON"))], ids=["names", "JSON"]
)
def test_a_record_may_mix_the_keys_of_all_presets(source: Input) -> None:
    record = (
        b'{"datetime":"2023-10-06 09:05:08","login":"ravi@example.com","clientip":"192.0.2.1",'
        b'"serverip":"198.51.100.2","srcBytes":7,"refererURL":"a.example/","HOSTNAME":"b.example"}'
    )
    printed = "%s{login} %s{cip} %s{sip} %d{reqsize} %s{ereferer} %s{ehost} %s{hostname}"
    line = b"ravi@example.com 192.0.2.1 198.51.100.2 7 a.example/ b.example b.example"
    assert read(joined([record, ENVELOPED % record]), source, printed) == ([line, line], [])


def test_a_format_of_ones_own_has_its_own_keys_and_no_others() -> None:
    source = input_of(parse(r'\{"t":%d{epochtime},"user":"%s{dept}","login":"static"\}'))
    record = b'{"t":1,"user":"d","login":"no","usrName":"no","cip":"no"}'
    rendered = Pipeline(source, FeedSettings(parse("%s{dept} %s{login} %s{cip}"))).run(record)
    assert (list(rendered.lines), rendered.bad) == ([b"d None 0.0.0.0"], [])
    assert rendered.unmapped == {"usrName": 1, "cip": 1}


def test_a_format_that_prints_a_field_twice_reads_it_only_where_both_agree() -> None:
    text = r'\{"t":%d{epochtime},"a":"%s{login}","b":"%s{login}"\}'
    apart = r'\{"t":%d{epochtime},"in":\{"a":"%s{login}"\},"b":"%s{login}"\}'
    flat, nested = b'{"t":1,"a":"%s","b":"x"}', b'{"t":1,"in":{"a":"%s"},"b":"x"}'
    for source, record in ((text, flat), (apart, nested)):
        assert read(
            joined([record % b"x", record % b"y"]), input_of(parse(source)), "%s{login}"
        ) == (
            [b"x"],
            [(1, len(record), '"a" and "b" contradict each other')],
        )


@pytest.mark.parametrize(
    "key",
    ["web-log", "", "a b", "class", "\xe4", "1", "_0", "inner", "__slots__", "login", "k" * 300],
)
def test_any_key_may_be_an_envelope(key: str) -> None:
    source = input_of(parse(f'\\{{"{key}":\\{{"t":%d{{epochtime}},"{key}":"%s{{login}}"\\}}\\}}'))
    record = f'{{"{key}":{{"t":1,"{key}":"a"}}}}'.encode()
    odd = f'{{"{key}":{{"t":1,"{key}":7}},"x":1}}'.encode()
    assert read(joined([record, odd, record]), source, "%s{login}") == ([b"a", b"7", b"a"], [])


# ---- records that a feed format describes

JSON_FORMAT = r"""
\{"t":"%d{yy}-%02d{mth}-%02d{dd} %02d{hh}:%02d{mm}:%02d{ss}",
"u":"%s{login}", "n":%d{reqsize}, "id":"%d{recordid}", "d":"%s{dept}"\}
"""


@pytest.mark.parametrize(
    "line",
    [
        b'{"t":"2023-10-06 09:05:08","u":"good","n":7,"id":"5","d":"d"}',
        b'{"d":"d","id":5,"n":"7","u":"good","x":[],"t":"2023-10-06T09:05:08Z"}',
        b'{"t":"1696583108","u":"good","n":7.0,"id":"5","d":"d"}',
        b'{"event":{"t":"2023-10-06 09:05:08","u":"good","n":7,"id":"5","d":"d"}}',
    ],
)
def test_json_that_a_format_describes_is_read_in_any_order_of_keys(line: bytes) -> None:
    assert read(line + b"\n", input_of(parse(JSON_FORMAT))) == ([GOOD_LINE], [])


def test_values_in_several_objects_or_sharing_a_string_are_read() -> None:
    text = (
        r'\{"who":\{"u":"%s{login}@%s{dept}"\},"a":\{"n":"%d{reqsize}","id":"%x{recordid}"\},'
        r'"t":%d{epochtime}\}'
    )
    source = input_of(parse(text))
    line = b'{"t":1696583108,"who":{"u":"good@d"},"a":{"n":7,"id":"5"}}'
    hexadecimal = line.replace(b'"id":"5"', b'"id":"7fFf"')
    unfit = line.replace(b"good@d", b"good")
    assert read(joined([line, hexadecimal, unfit, line]), source) == (
        [GOOD_LINE, GOOD_LINE.replace(b";5;", b";32767;"), GOOD_LINE],
        [(2, 2 * len(line) + 5, "dept: text 'good' is not what the feed format prints")],
    )


def test_a_key_that_needs_escapes_in_json_is_read() -> None:
    source = input_of(parse(r'\{"a\\"b":"%s{login}","t":"%d{epochtime}"\}'))
    assert read(b'{"t":"1","a\\"b":"x"}\n', source, "%s{login}") == ([b"x"], [])


def test_unmapped_keys_are_counted_by_names_within_bounds() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login}")))
    record = b'{"epochtime":1,"login":"a","extra":1,"a\\nb":"x","sourcetype":"x","action":"y"}'
    some = b'{"epochtime":1,"login":"a","extra":1,"%s":2}' % (b"k" * 100)
    expected = {"extra": 3, "a%0Ab": 2, "k" * 64: 1}
    for _ in range(3):  # once it is learned, and after that
        assert pipeline.run(joined([record, some, record])).unmapped == expected
    many = b'{"epochtime":1,%s}' % b",".join(b'"k%d":1' % number for number in range(100))
    for _ in range(2):
        unmapped = pipeline.run(joined([many] * 9)).unmapped
        assert len(unmapped) == 65
        assert (unmapped["k0"], unmapped["..."]) == (9, 9 * 36)


def test_an_unmapped_key_counts_where_the_envelope_has_the_same_key_in_some_records() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login}")))
    inner = b'"event":{"epochtime":1,"login":"a","extra":"x"}'
    beside, alone = b'{"extra":"y",%s}' % inner, b"{%s}" % inner
    for _ in range(3):  # once the shape is learned, and after that
        pipeline.run(joined([beside, alone, alone]))
    assert pipeline.run(joined([alone, alone])).unmapped == {"extra": 2}
    assert pipeline.run(joined([beside, alone])).unmapped == {"extra": 2}
