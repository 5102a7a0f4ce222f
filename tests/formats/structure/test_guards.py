"""Guards follow from the quoting that a value stands in, wherever that stands in the line."""

import csv
import json
import re
from collections.abc import Callable
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.structure import structure_of

JSON, COLUMN, BARE = '"\\', '"', '",'
MEMBER = '",:[\\]{}'


@pytest.mark.parametrize(
    ("text", "guards"),
    [
        # JSON that is not the whole line
        (r'<134>x \{"n":%d{reqsize},"a":"%s{action}"\}', ("", JSON)),
        (r'%s{login} \{"a":"%s{action}"\}', ('"[{', JSON)),
        (r'[\{"a":"%s{action}","b":"%s{login}"\},\{"c":"%s{ua}"\}]', (JSON,) * 3),
        (r'x ["%s{action}","%s{login}",%s{ua}]', (JSON, JSON, MEMBER)),
        (r'\{"a":"%s{action}","b":%s{login}\}', (JSON, MEMBER)),
        (r'"a":"%s{action}","b":"%s{login}"', (JSON, JSON)),
        (r"""'\{"a":"%s{action}"\}'""", ("\"'\\",)),
        (r'f(\{"a":"%s{action}"\})', (JSON,)),
        (r'\{"a":"it \\"is\\" %s{action}"\} x', (JSON,)),
        # CSV: quotes are doubled, not escaped
        ('"%s{action}",%s{login},"%s{ua}"', (COLUMN, BARE, COLUMN)),
        ('%s{action},%s{login},"%s{ua}"', (BARE, BARE, COLUMN)),
        ('%s{action},"%s{ua}",%s{login}', (BARE, COLUMN, BARE)),
        ('host app: "%s{action}","%s{login}"', (COLUMN, COLUMN)),
        ("host app: %s{action},%s{login}", (BARE, BARE)),
        ("v1,%s{action},x-%s{login}", (BARE, BARE)),
        ('"%s{action}";"%s{login}"', (COLUMN, COLUMN)),
        (r'"%s{action}"\t"%s{login}"\t%s{ua}', (COLUMN,) * 3),
        (r"%s{action}|%s{login}|const|%s{ua}", ('"|',) * 3),
        ("KEY|%s{action}|KEY|%s{login}|KEY|%s{ua}", ("|",) * 3),
        # apostrophes quote where they are no part of a word
        ("'%s{action}'", ("'",)),
        ("'%s{action}','%s{login}'", ("'", "'")),
        ("ua='%s{action}' x=%s{login}", ("'\\", "'=")),
        ("it's %s{action}'s", ("'",)),
        ("VALUES ('%s{action}', '%s{login}')", ("'\\",) * 2),
        # pairs: whoever unquotes takes a quote in any value for one
        ('a="%s{action}" b=%s{login} c="%s{ua}"', (JSON, '"=', JSON)),
        (r'a="%s{action}"\tb=%s{login}\tc=%s{ua}', (JSON, '"', '"')),
        (r"%s{login}\ta=%s{action}\tb=%s{ua}", ("=", "", "")),
        ("%s{eurl} a=%s{action} b=%s{eua}", ("=", "=", "")),
        ('CEF:0|Z|N|1|%s{reason}|n|3|msg="%s{ua}" a=%s{login}', ("|", JSON + "=", '"=')),
        # an access log
        ('%s{login} [%s{dept}] "%s{reqmethod} %s{url}" %s{respcode}', ('"', '"]', JSON, JSON, '"')),
        # what a value can't be kept free of, or need not
        ("%s{login}%%%s{action}", ("", "")),
        ("user %s{login}, from %s{dept}: %s{ua}", (",", ":", "")),
        ("%s{login}%s{dept}: %s{ua}; x", (":", ":", ":;")),
    ],
)
def test_a_guard_follows_from_the_quoting_around_a_value(
    text: str, guards: tuple[str, ...]
) -> None:
    assert structure_of(parse(text)).guards == tuple("".join(sorted(guard)) for guard in guards)


# ---- read by others: what was put in comes out, no more and no fewer values

FIELDS = ("login", "dept", "ua", "eurl", "reason", "action", "ereferer", "location")
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\"'\\,;|:[]{}()=/ \t\n\r\0\x85\u2028ab\xe4"),
        st.characters(codec="utf-8", exclude_characters="%"),
    ),
    max_size=8,
) | st.sampled_from(['","action":"Allowed', '"', "\\", '"}', "],[", '\n"', "','x", '{"a":"b"}'])
HEADERS = st.sampled_from(
    ["", "<134>", "host app: ", "<134>1 - host nss - - - ", "it's [x]: ", "n=%d{reqsize} ", "x "]
)


def printed(text: str, values: dict[str, object]) -> str:
    """Return the line of a record, printed the same by the fast way and by the reference."""
    pipeline = Pipeline(json_names(), FeedSettings(parse(text)))
    rendered = pipeline.run(msgspec.json.encode(values) + b"\n")
    assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
    return rendered.lines[0].decode()


RECORDS = st.fixed_dictionaries({**dict.fromkeys(FIELDS, HOSTILE), "reqsize": st.just(7)})


TREES = st.recursive(
    st.sampled_from([*(f"%s{{{name}}}" for name in FIELDS), "ua: %s{ua}, %s{dept}-", "it's", ""])
    | st.sampled_from([7, 1]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "k y", "it's"]), inner, min_size=1)
    ),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict | list))
"""JSON whose texts are written in the language; 7 stands for a number of the record."""


def written(tree: object) -> str:
    """Return JSON as it is typed in a feed output format string."""
    if isinstance(tree, dict):
        return "\\{" + ",".join(f'"{k}": {written(v)}' for k, v in tree.items()) + "\\}"
    if isinstance(tree, list):
        return f"[{', '.join(map(written, tree))}]"
    return f'"{tree}"' if isinstance(tree, str) else "%d{reqsize}" if tree == 7 else "1"


def with_texts(tree: object, change: Callable[[str], str]) -> object:
    """Return JSON with every text in it changed."""
    if isinstance(tree, dict):
        return {key: with_texts(value, change) for key, value in tree.items()}
    if isinstance(tree, list):
        return [with_texts(value, change) for value in tree]
    return change(tree) if isinstance(tree, str) else tree


@given(header=HEADERS, tree=TREES, trailer=st.sampled_from(["", " end", ', "x"']), values=RECORDS)
def test_json_anywhere_in_a_line_is_read_with_the_values_that_were_put_in(
    header: str, tree: object, trailer: str, values: dict[str, object]
) -> None:
    line = printed(header + written(tree) + trailer, values)
    start = len(header.replace("%d{reqsize}", "7"))
    found, end = json.JSONDecoder().raw_decode(line[start:])

    def filled(text: str) -> str:
        return re.sub(r"%s\{(\w+)\}", lambda slot: str(values[slot[1]]), text)

    assert line[start:][end:] == trailer
    assert with_texts(found, unquote) == with_texts(tree, filled)


@given(values=RECORDS)
def test_a_value_before_json_does_not_begin_json_itself(values: dict[str, object]) -> None:
    line = printed(r'<134>%s{login} %s{eurl}: \{"a":"%s{action}"\}', values)
    assert unquote(json.loads(line[line.index("{") :])["a"]) == values["action"]


COLUMNS = st.lists(
    st.sampled_from([*(f"%s{{{name}}}" for name in FIELDS), "const", "%d{reqsize}", "x-%s{ua}"]),
    min_size=2,
    max_size=6,
).filter(lambda columns: any("%s" in column for column in columns))


@given(
    header=HEADERS,
    columns=COLUMNS,
    quoted=st.lists(st.booleans(), min_size=6, max_size=6),
    separator=st.sampled_from([",", ",", ";", "\t"]),
    quote=st.sampled_from("\"'"),
    values=RECORDS,
)
def test_columns_quoted_or_not_are_read_with_the_values_that_were_put_in(
    *,
    header: str,
    columns: list[str],
    quoted: list[bool],
    separator: str,
    quote: str,
    values: dict[str, object],
) -> None:
    pieces = [
        f"{quote}{column}{quote}" if is_quoted else column
        for column, is_quoted in zip(columns, quoted, strict=False)
    ]
    line = printed(header + separator.join(pieces).replace("\t", r"\t"), values)
    start = len(header.replace("%d{reqsize}", "7"))
    quotechar = quote if any(quoted[: len(columns)]) else '"'
    (row,) = csv.reader([line[start:]], delimiter=separator, quotechar=quotechar, strict=True)
    filled = {f"%s{{{name}}}": str(values[name]) for name in FIELDS}
    filled |= {"%d{reqsize}": "7", "x-%s{ua}": f"x-{values['ua']}"}
    assert [unquote(text) for text in row] == [filled.get(column, column) for column in columns]


# ---- the fast way and the reference, where a placeholder or a mark has a guarded character


@pytest.mark.parametrize(
    ("text", "printed_line"),
    [
        ("%s{login}.%s{cip}.x", "a%2Eb.0%2E0%2E0%2E0.x"),
        ("%s{dept}.%s{cip}.x", "c.0%2E0%2E0%2E0.x"),
        ("%s{dept}.%s{reqsize}.%s{login}", "c.0.a%2Eb"),
        ("%s{dept}[%s{cip}", "c[0.0.0.0"),
    ],
)
def test_a_placeholder_is_encoded_alike_whether_or_not_the_input_has_the_field(
    text: str, printed_line: str
) -> None:
    settings = FeedSettings(parse(text))
    lines: list[bytes] = []
    for source, record in (
        (json_names(), b'{"login":"a.b","dept":"c"}\n'),
        (input_of(parse("%s{login}~%s{dept}")), b"a.b~c\n"),
    ):
        pipeline = Pipeline(source, settings)
        rendered = pipeline.run(record)
        assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
        lines += rendered.lines
    assert lines == [printed_line.encode()] * 2


def test_the_mark_of_a_cut_value_does_not_end_it() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("[%s{ua}] %s{url}.%s{login}")))
    record = msgspec.json.encode({"ua": "u" * 90, "url": "v" * 90, "login": "a"}) + b"\n"
    (only,) = pipeline.run(record).records
    assert pipeline.renderer.fit(only, 60) == (
        b"[" + b"u" * 20 + b"[...%5D] " + b"v" * 16 + b"[%2E%2E%2E].a"
    )
    assert pipeline.renderer.fit(only, 27) == b"[uuuu[...%5D] [%2E%2E%2E].a"
    assert pipeline.renderer.fit(only, 26) is None


@pytest.mark.parametrize("separator", [":", ".", "-", "+", "[", "]", "/", "%%"])
def test_pairs_are_kept_apart_even_by_a_separator_that_times_and_numbers_have(
    separator: str,
) -> None:
    text = separator.join(["time=%s{time}", "src=%s{cip}", "user=%s{login}", "size=%d{reqsize}"])
    mark = separator[0]
    login = f"a{mark}size=1{mark}src=192.0.2.1"
    feed_format = parse(text)
    record = {"time": "Fri Oct  6 09:05:08 2023", "cip": "10.0.0.1", "login": login, "reqsize": -7}
    pipeline = Pipeline(json_names(), FeedSettings(feed_format))
    line = pipeline.run(msgspec.json.encode(record) + b"\n").lines[0]
    shown = parse("%d{epochtime} %d{reqsize} %s{cip} %s{login}")
    again = Pipeline(input_of(feed_format), FeedSettings(shown, protect_separators=False))
    found = again.run(line + b"\n")
    assert (len(found.lines), found.bad) == (1, [])
    moment, size, address, user = found.lines[0].decode().split(" ", 3)
    assert (moment, size, unquote(address), unquote(user)) == (
        ("1696583108", "-7", "10.0.0.1", login)
    )
