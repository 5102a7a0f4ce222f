"""Properties: what was rendered is read back, and hostile text never breaks a line's structure."""

import contextlib
import csv
import itertools
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.errors import FeedFormatError, NotReadable
from formats.fields import TIME_FIELDS, catalogue
from formats.language import FeedFormat, Literal, parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of, recognise
from formats.reading.twins import twins_among
from formats.structure import structure_of

FUZZ_SECS = float(os.environ.get("NSS_FUZZ_SECS", "1.5"))
LEAST = 100  # inputs, however slow the machine
GOLDEN = Path(__file__).parent / "golden"
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


# ---- render, read, render

WORD = st.text(
    st.sampled_from("abcXYZ019.-_@:/()\xe4\xe9\u4e2d\U0001f600"), min_size=1, max_size=12
)
ORDINARY = st.lists(WORD, min_size=1, max_size=4).map(" ".join)


@st.composite
def ordinary_record(draw: st.DrawFn, feed_format: FeedFormat) -> dict[str, object]:
    moment = draw(st.integers(1_600_000_000, 1_900_000_000))
    record: dict[str, object] = {"epochtime": moment}
    texts = draw(st.lists(ORDINARY, min_size=1, max_size=8))
    for index, name in enumerate(sorted(feed_format.field_names - TIME_FIELDS)):
        number = catalogue()[name].conversion == "d"
        record[name] = draw(st.integers(0, 2**63)) if number else texts[index % len(texts)]
    return record


def every_field(feed_format: FeedFormat) -> FeedFormat:
    """Return a format that prints each field of another, and the moment if that states it."""
    names = feed_format.field_names
    specs = [f"%s{{{name}}}" for name in sorted(names - TIME_FIELDS)]
    if names & {"time", "yy"}:
        specs.append("%d{epochtime}")
    return parse("\\t".join(specs))


@pytest.mark.parametrize("name", presets.names())
@given(data=st.data())
def test_what_was_rendered_is_read_back_and_rendered_the_same(
    name: str, data: st.DataObject
) -> None:
    feed_format = presets.load(name)
    records = data.draw(st.lists(ordinary_record(feed_format), min_size=1, max_size=3))
    batch = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    first = Pipeline(json_names(), FeedSettings(feed_format)).run(batch)
    assert first.bad == []
    printed = b"".join(line + b"\n" for line in first.lines)
    source = input_of(feed_format)
    assert Pipeline(source, FeedSettings(feed_format)).run(printed).lines == first.lines
    fields = FeedSettings(every_field(feed_format))
    before = Pipeline(json_names(), fields).run(batch)
    after = Pipeline(source, fields).run(printed)
    assert (after.lines, after.bad) == (before.lines, [])


# ---- hostile text

PIECES = st.sampled_from(
    [
        *"\t\n\r\0\x1b\x7f\x85\u2028|^=\\\"',;{} \xe4\U0001f600",
        "\r\n", "^^", "\\\\", "\\|", "\\\t", '","', "%s{login}", "%0A",
        "LEEF:1.0|a|b|c|d|", "CEF:0|a|b|c|d|e|f|", "\tusrName=root", "\ncat=x", " suser=root",
        " act=Blocked", '","action":"Blocked', "^^user=root", "|ACTION|Blocked",
    ]
)  # fmt: skip
HOSTILE = st.one_of(
    st.text(), st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES).map(" ".join)
)


@st.composite
def hostile_record(draw: st.DrawFn, feed_format: FeedFormat) -> dict[str, object]:
    record: dict[str, object] = {"time": "Fri Oct  6 09:05:08 2023"}
    texts = draw(st.lists(HOSTILE, min_size=1, max_size=6))
    names = feed_format.field_names - TIME_FIELDS
    names |= draw(st.sets(st.sampled_from(sorted(f for f in catalogue() if f.startswith("b64")))))
    for twins in twins_among(names):  # several would contradict each other
        names -= {*twins} - {draw(st.sampled_from(twins))}
    step = draw(st.integers(1, 7))
    for index, name in enumerate(sorted(names)):
        if catalogue()[name].conversion == "s":
            record[name] = texts[index * step % len(texts)]
    return record


def leef_keys(line: str) -> list[str]:
    header, *fields = line.split("|", 5)
    assert header.endswith("LEEF:1.0")
    assert len(fields) == 5
    assert not fields[3].endswith("\\")
    attributes = [piece.split("=", 1) for piece in fields[4].split("\t")]
    assert not [value for _, value in attributes if value.endswith("\\")]
    return fields[:3] + [key for key, _ in attributes]


def json_keys(line: str) -> list[str]:
    keys: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        keys.extend(key for key, _ in pairs)

    json.loads(line, object_pairs_hook=note)
    return keys


def csv_columns(line: str) -> list[str]:
    (row,) = csv.reader([line], strict=True)
    assert line.count('"') == 2 * len(row)
    return [""] * len(row)


def tabbed_columns(line: str) -> list[str]:
    return [""] * len(line.split("\t"))


def keyed(separator: str) -> Callable[[str], list[str]]:
    return lambda line: [
        piece.split("=", 1)[0] if index else "" for index, piece in enumerate(line.split(separator))
    ]


def cef_keys(line: str) -> list[str]:
    header = re.split(r"(?<!\\)\|", line, maxsplit=7)
    assert line.count("|", 0, len(line) - len(header[7])) == 7
    return header[1:4] + header[6:7] + re.findall(r"(?:^|\s)([A-Za-z]\w*)=", header[7])


def pipes(line: str) -> list[str]:
    pieces = line.split("|")
    return [*pieces[2:71:2], str(len(pieces))]  # the last four values have no key


def spaced_keys(line: str) -> list[str]:
    return re.findall(r"\s([A-Za-z]\w*)=", line)


SHAPES: dict[str, Callable[[str], list[str]]] = {
    "MCAS": leef_keys,
    "QRADAR": leef_keys,
    "QRADAR_OLD": leef_keys,
    "JSON": json_keys,
    "CSV": csv_columns,
    "CSV_OLD": csv_columns,
    "TAB_SEPARATED": tabbed_columns,
    "TAB_SEPARATED_OLD": tabbed_columns,
    "NAME_VALUE_PAIRS": keyed("\t"),
    "SPLUNK_CIM": keyed("\t"),
    "RSA_SECURITY": keyed("^^"),
    "ARCSIGHT_CEF": cef_keys,
    "CEF_MULTILINE": cef_keys,
    "SYMANTEC_MSS": pipes,
    "LOGRHYTHM": spaced_keys,
}


def shape_of_static_text(name: str) -> list[str]:
    """Return the shape that a preset's line has when every value is a plain `0`."""
    parts = presets.load(name).parts
    return SHAPES[name]("".join(p.text if isinstance(p, Literal) else "0" for p in parts))


@pytest.mark.parametrize("name", presets.names())
@given(data=st.data())
def test_hostile_text_never_breaks_the_structure_of_a_line(name: str, data: st.DataObject) -> None:
    feed_format = presets.load(name)
    record = data.draw(hostile_record(feed_format))
    escapes = data.draw(st.sampled_from(["", ',"', "\\|="]))
    # LEEF is safe even for those who want everything else as the service prints it.
    protect = name not in {"MCAS", "QRADAR", "QRADAR_OLD"} or data.draw(st.booleans())
    settings = FeedSettings(feed_format, escape_characters=escapes, protect_separators=protect)
    rendered = Pipeline(json_names(), settings).run(msgspec.json.encode(record) + b"\n")
    assert rendered.bad == []
    (line,) = rendered.lines
    text = line.decode()
    assert not CONTROL.search(text)
    assert len(text.splitlines()) == 1
    assert text.count("\t") == sum(
        part.text.count("\t") for part in feed_format.parts if isinstance(part, Literal)
    )
    assert SHAPES[name](text) == shape_of_static_text(name)


@pytest.mark.parametrize("name", presets.names())
@given(data=st.data())
def test_hostile_lines_do_not_pass_their_control_characters_on(
    name: str, data: st.DataObject
) -> None:
    lines = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    line = lines[data.draw(st.integers(0, len(lines) - 1))]
    at = data.draw(st.integers(0, len(line)))
    piece = data.draw(HOSTILE).replace("\n", "")
    end = at + data.draw(st.integers(0, 10))
    hostile = (line[:at] + piece + line[end:]).encode() + b"\n"
    target = presets.load("QRADAR")
    rendered = Pipeline(input_of(presets.load(name)), FeedSettings(target)).run(hostile)
    assert len(rendered.lines) + len(rendered.bad) == 1
    for whole in rendered.lines:
        assert not CONTROL.search(whole.decode())
        assert leef_keys(whole.decode()) == shape_of_static_text("QRADAR")


# ---- fuzz, for a fixed time: never an unplanned exception


def mutations(seeds: list[bytes], secs: float) -> Iterator[bytes]:
    """Yield changed seeds for so long, some at least: bytes flipped, dropped and repeated, pieces
    swapped between them.
    """
    seed = 2023 if "NSS_FUZZ_SECS" not in os.environ else time.time_ns()
    chance = random.Random(seed)
    until = time.monotonic() + secs
    tokens = [b"\n", b"\t", b"\0", b'"', b"\\", b"|", b"=", b"{", b"}", b"[", b"]", b"%", b"%s{",
              b"LEEF:2.0|", b"\xff", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"9" * 40, b"\\ud800", b"e9",
              b"null", b"<13>", b",", b" ", b"\r"]  # fmt: skip
    for number in itertools.count():
        if number >= LEAST and time.monotonic() >= until:
            return
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data) + 1)
            end = at + chance.randint(0, 20)
            match chance.randrange(5):
                case 0:
                    data[at:end] = b""
                case 1:
                    data[at:at] = chance.choice(tokens)
                case 2:
                    data[at:end] = bytes(data[at:end]) * chance.randint(2, 5)
                case 3:
                    data[at:end] = chance.randbytes(end - at)
                case _:
                    other = chance.choice(seeds)
                    data[at:end] = other[at : at + chance.randint(0, 100)]
        yield bytes(data)


def test_any_text_is_a_feed_format_or_refused_and_then_renders_and_reads() -> None:
    seeds = [presets.text(name)[:400].encode() for name in presets.names()]
    record = (
        b'{"time":"Fri Oct  6 09:05:08 2023","login":"a|b\\\\","ua":"x\\n=\\"","reqsize":"7"}\n'
    )
    compiled = 0
    for data in mutations(seeds, FUZZ_SECS):
        try:
            feed_format = parse(data.decode("utf-8", "surrogateescape"))
        except FeedFormatError:
            continue
        pipeline = Pipeline(json_names(), FeedSettings(feed_format))
        rendered = pipeline.run(record)
        assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
        try:
            source = input_of(feed_format)
        except NotReadable:
            continue
        again = Pipeline(source, FeedSettings(feed_format)).run(rendered.lines[0] + b"\n")
        assert len(again.lines) + len(again.bad) <= 1
        compiled += 1
    assert compiled > 10


@pytest.mark.parametrize("name", ["json", "CSV", "JSON", "QRADAR", "ARCSIGHT_CEF", "RSA_SECURITY"])
def test_any_bytes_are_records_or_set_apart(name: str) -> None:
    source = json_names() if name == "json" else input_of(presets.load(name))
    file = GOLDEN / ("records.jsonl" if name == "json" else f"{name}.txt")
    settings = FeedSettings(presets.load("QRADAR"), max_record_bytes=4000)
    pipeline = Pipeline(source, settings)
    for data in mutations(file.read_bytes().splitlines(keepends=True), FUZZ_SECS / 3):
        rendered = pipeline.run(data)
        lines = [line for line in data.split(b"\n") if line.strip()]
        # An array on a line is several records, or none.
        assert (
            len(rendered.lines) + len(rendered.bad) == len(lines)
            or (name in {"json", "JSON"} and b"[" in data)
        )  # fmt: skip
        assert pipeline.renderer.render(rendered.records, None) == (list(rendered.lines), [])
        for line in rendered.lines:
            assert not CONTROL.search(line.decode())
            assert leef_keys(line.decode()) == shape_of_static_text("QRADAR")


def test_any_sample_is_recognised_or_not_readable() -> None:
    seeds = [file.read_bytes()[:1500] for file in sorted(GOLDEN.iterdir())]
    recognised = set()
    for data in mutations(seeds, FUZZ_SECS):
        try:
            recognised.add(recognise(data).name)
        except NotReadable:
            continue
    assert recognised <= {"json", *presets.names()}
    assert recognised


@given(st.text(), st.binary())
def test_arbitrary_text_and_bytes_raise_nothing_unplanned(text: str, data: bytes) -> None:
    with contextlib.suppress(FeedFormatError):
        structure_of(parse(text))
    for source in (json_names(), input_of(presets.load("JSON")), input_of(presets.load("CSV"))):
        rendered = Pipeline(source, FeedSettings(presets.load("MCAS"))).run(data)
        assert rendered.lines == []
