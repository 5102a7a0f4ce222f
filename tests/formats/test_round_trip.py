"""Round trips under random formats: what a reversible format printed is read back equal."""

from collections.abc import Sequence

import msgspec
from hypothesis import assume, given, note
from hypothesis import strategies as st

from formats.errors import FeedFormatError, NotReadable
from formats.fields import ADDRESS_FIELDS, TIME_FIELDS, catalogue
from formats.language import FeedFormat, parse
from formats.pipeline import FeedSettings, Pipeline, Rendered
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.structure import structure_of
from formats.times import zone

TEXTS = ["login", "dept", "reason", "action", "ua", "eurl", "elogin", "ereferer", "location"]
NUMBERS = ["reqsize", "respsize", "recordid", "riskscore"]
FIELDS = [*TEXTS, *NUMBERS, "cip", "sip"]
TIMES = [
    "%s{time}",
    "%s{time} %s{tz}",
    "%s{time},%s{tz}",
    "%d{epochtime}",
    "%x{epochtime}",
    "%04d{yyyy}%02d{mth}%02d{dd}%02d{hh}%02d{mm}%02d{ss} %s{tz}",
    "%d{yy}-%02d{mth}-%02d{dd} %02d{hh}:%02d{mm}:%02d{ss} America/Chicago",
    "%d{yy}-%02d{mth}-%02d{dd}T%02d{hh}:%02d{mm}:%02d{ss}Z",
    "%s{mon} %d{dd} %d{yy} %02d{hh}:%02d{mm}:%02d{ss} %s{tz}",
    "%s{day}, %2d{dd} %s{mon} %d{yyyy} %d{hh}:%d{mm}:%d{ss} %s{tz}",
]
BETWEEN = [
    " ", ",", ";", "|", ":", "-", "/", "=", ".", " - ", "] [", " a=", " b=", "x", "0", ", ", "://",
    "\\t", "^^", "||", " at ", "'", "(", "~", '"', '","', "\\\\",
]  # fmt: skip
ZONES = ["GMT", "Asia/Kolkata", "GMT-03:30", "Asia/Tokyo"]
ORDINARY = st.lists(
    st.text(st.sampled_from("abcXYZ019.-_@:/()\xe4\u4e2d"), min_size=1, max_size=8),
    min_size=1,
    max_size=3,
).map(" ".join)
PIECES = st.sampled_from(
    [
        *"\t\n\r\0\\|^=\"',;{}[] x09:-/.~\u2028", *BETWEEN, "<134>", "<134>1 - - - - - - ",
        "LEEF:1.0|a|b|c|d|", "\tk1=v", "^^k1=v", ' k1="v"', '","k1":"v', "%", "%2C",
    ]
)  # fmt: skip
HOSTILE = st.lists(PIECES, max_size=6).map("".join)


@st.composite
def slot(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(FIELDS))
    if catalogue()[name].conversion == "s":
        return f"%s{{{name}}}"
    return f"%{draw(st.sampled_from(['d', 'd', '05d', '3d', 'x', '04x']))}{{{name}}}"


@st.composite
def item(draw: st.DrawFn) -> str:
    """Return one value place: a field, mostly; or several, or a time."""
    kinds = st.sampled_from(["field"] * 5 + ["time", "two"])
    match draw(kinds):
        case "time":
            return draw(st.sampled_from(TIMES))
        case "two":
            one, other = draw(slot()), draw(st.one_of(slot(), st.sampled_from(TIMES)))
            pair = draw(st.permutations([one, other]))
            return draw(st.sampled_from(BETWEEN)).join(pair)
    return draw(slot())


@st.composite
def format_text(draw: st.DrawFn) -> str:
    items = draw(st.lists(item(), min_size=1, max_size=5))
    pairs = [f"k{number}={each}" for number, each in enumerate(items)]
    match draw(st.integers(0, 6)):
        case 0:
            return draw(st.sampled_from([",", "\\t"])).join(items)
        case 1:
            return ",".join(f'"{each}"' for each in items)
        case 2:
            at = draw(st.integers(0, len(pairs)))
            mixed = [*items[:at], *pairs[at:]]
            return draw(st.sampled_from(["\\t", "^^", "|", ";", " "])).join(mixed)
        case 3:
            header = "|".join(draw(st.sampled_from(["V", draw(slot())])) for _ in range(4))
            before = draw(
                st.sampled_from(["", "x: ", "%s{mon} %02d{dd} %02d{hh}:%02d{mm}:%02d{ss} x: "])
            )
            return f"{before}LEEF:1.0|{header}|" + "\\t".join(pairs)
        case 4:
            return _json(draw, items)
        case _:
            between = draw(st.lists(st.sampled_from(BETWEEN), min_size=6, max_size=6))
            text = "".join(a + b for a, b in zip(between, items, strict=False))
            return text if draw(st.booleans()) else text + between[5]


def _json(draw: st.DrawFn, items: Sequence[str]) -> str:
    strings = [f'"{each}"' for each in items]
    cut = draw(st.integers(0, len(items)))
    keyed = ",".join(f'"k{number}":{each}' for number, each in enumerate(strings[:cut]))
    inner = f'"rest":[{",".join(strings[cut:])}]'
    if draw(st.booleans()):
        inner = f'"in":\\{{{inner}\\}}'
    return f"\\{{{keyed}{',' if keyed else ''}{inner}\\}}"


@st.composite
def record(draw: st.DrawFn, names: Sequence[str], texts: st.SearchStrategy[str]) -> bytes:
    stated: dict[str, object] = {"epochtime": draw(st.integers(1_600_000_000, 1_900_000_000))}
    for name in names:
        if name in ADDRESS_FIELDS:
            stated[name] = draw(st.sampled_from(["192.0.2.7", "2001:db8::1", "0.0.0.0"]))  # noqa: S104
        elif catalogue()[name].conversion == "d":
            stated[name] = draw(st.integers(0, 2**63))
        else:
            stated[name] = draw(texts)
    return msgspec.json.encode(stated) + b"\n"


def is_reversible(text: str) -> bool:
    try:
        feed_format = parse(text)
        source = input_of(feed_format)
    except (FeedFormatError, NotReadable):
        return False
    # Of a field that stands in two places, the place with more encoded may be the one read.
    guards = structure_of(feed_format).guards
    places = {
        (slot.field.name, guard) for slot, guard in zip(feed_format.slots, guards, strict=True)
    }
    return not source.doubts and len(places) == len(feed_format.field_names)


REVERSIBLE = format_text().filter(is_reversible)


def run(source: Input, feed_format: FeedFormat, data: bytes, zone_name: str) -> Rendered:
    own = zone(zone_name)
    return Pipeline(source, FeedSettings(feed_format, zone=own, source_zone=own)).run(data)


@given(data=st.data())
def test_what_a_reversible_format_printed_prints_the_same_when_read_back(
    data: st.DataObject,
) -> None:
    feed_format = parse(data.draw(REVERSIBLE))
    source = input_of(feed_format)
    names = sorted(feed_format.field_names - TIME_FIELDS)
    batch = data.draw(record(names, HOSTILE))
    zone_name = data.draw(st.sampled_from(ZONES))
    first = run(json_names(), feed_format, batch, zone_name)
    note(f"printed: {first.lines[0]!r}")
    assume(first.lines[0].strip())
    again = run(source, feed_format, first.lines[0] + b"\n", zone_name)
    assert (again.lines, again.bad) == (first.lines, [])


@given(data=st.data())
def test_the_values_of_a_reversible_format_are_read_back_equal(data: st.DataObject) -> None:
    feed_format = parse(data.draw(REVERSIBLE))
    source = input_of(feed_format)
    names = sorted(feed_format.field_names - TIME_FIELDS)
    guarded = "".join(structure_of(feed_format).guards)
    assume(not set(guarded) & set(".:"))  # which every address would be encoded for
    guards = str.maketrans("", "", guarded)
    batch = data.draw(record(names, ORDINARY.map(lambda text: text.translate(guards) or "v")))
    zone_name = data.draw(st.sampled_from(ZONES))
    specs = [f"%s{{{name}}}" for name in names]
    if {"epochtime", "time", "yy", "yyyy"} & feed_format.field_names:
        specs.append("%d{epochtime}")
    values = parse("\\t".join(specs) or "x")
    (line,) = run(json_names(), feed_format, batch, zone_name).lines
    note(f"printed: {line!r}")
    assume(line.strip())
    after = run(source, values, line + b"\n", zone_name)
    assert (after.lines, after.bad) == (run(json_names(), values, batch, zone_name).lines, [])
