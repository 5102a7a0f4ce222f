"""The compiled core beside its judge: the same batches through both, and everything compared."""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import pytest

from formats import presets
from formats.compiled import PURE, Core
from formats.errors import FeedFormatError
from formats.fields import TIME_FIELDS, catalogue
from formats.language import parse
from formats.lines import UNLIMITED
from formats.order import ORDER_FIELD
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.reading.synonyms import synonyms
from formats.reading.unmapped import FURTHER_KEYS
from formats.record import field_access
from formats.times import zone
from tests.formats.compiled.filtering import random_filter, values_for

needs_core = pytest.mark.skipif(
    Core is None, reason="the core is not built: python setup.py build_ext --inplace"
)


@contextmanager
def environment(pure: str | None) -> Iterator[None]:
    before = os.environ.pop(PURE, None)
    if pure is not None:
        os.environ[PURE] = pure
    try:
        yield
    finally:
        os.environ.pop(PURE, None)
        if before is not None:
            os.environ[PURE] = before


class Judged:
    """A pipeline with the core, and the same one in Python."""

    def __init__(self, source: Input, settings: FeedSettings) -> None:
        with environment(None):
            self.compiled = Pipeline(source, settings)
        with environment("1"):
            self.python = Pipeline(source, settings)
        assert self.python._engine is None
        self.engine = self.compiled._engine
        self.filtered = 0
        """Records that the filter has dropped."""
        self.shortened = 0
        """Lines that were cut."""
        wanted = settings.format.field_names | {ORDER_FIELD}
        if settings.filter is not None:
            wanted |= settings.filter.fields
        self._names = [a.name for a in field_access(wanted, source.available).attributes]
        self.names = sorted({*wanted, *self._names} - TIME_FIELDS)
        """The names of fields that records may have, those that others are derived from too."""
        self._names += source.time_key.attributes

    def handed_over(self, data: bytes) -> int:
        assert self.engine is not None
        output = self.engine.run(data)
        assert output is not None
        return len(output.handed_over)

    def check(self, data: bytes, max_bytes: int = UNLIMITED) -> list[bytes]:
        """Run a batch through both, with lines of at most so many bytes; returns the lines."""
        found, expected = self.compiled.run(data, max_bytes), self.python.run(data, max_bytes)
        assert found.shortened == expected.shortened
        self.shortened += len(found.shortened)
        assert list(found.lines) == list(expected.lines)
        assert found.lines.data == expected.lines.data
        assert list(found.lines.ends) == list(expected.lines.ends)
        assert found.lines.longest == expected.lines.longest
        assert found.bad == expected.bad
        assert found.filtered == expected.filtered
        self.filtered += found.filtered
        assert_unmapped(found.unmapped, expected.unmapped)
        assert len(found.records) == len(expected.records)
        keys = self.python.keys(expected.records)
        assert self.compiled.keys(found.records) == keys  # the core's, from the second batch on
        assert list(map(self._attributes, found.records)) == list(
            map(self._attributes, expected.records)
        )
        assert self.compiled.keys(found.records) == keys
        return list(found.lines)

    def _attributes(self, record: object) -> list[object]:
        """Return what a record states; its type depends on what was read before."""
        return [getattr(record, name) for name in self._names]


def assert_unmapped(found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Compare the keys that are not used.

    Where there are more names than are kept, which of them are follows the order in which records
    are read, and the core hands over some of a batch: then as many must be kept, and all counted.
    """
    if FURTHER_KEYS in expected:
        sizes = [(len(each), sum(each.values())) for each in (found, expected)]
        assert sizes[0] == sizes[1]
        assert FURTHER_KEYS in found
    else:
        assert found == expected


# ---- hostile records, by chance

TEXTS = [
    '""', '"None"', '"NA"', '"n/a"', '"-"', '"null"', '"NULL"', '"true"', '"a b"', '"a|b=c;d,e"',
    '"x\\"y"', '"x\\\\"', '"\\\\\\\\"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\\u0000"',
    '"\\u001f\\u007f"', '"\\u0085\\u2028\\u2029"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\x7f"',
    '"\x85"', '"\u2028"', '"\xe9\xe4\u4e2d"', '"\U0001f600"', '"' + "a" * 15 + '"', '"%0A"',
    '"' + "b" * 16 + '\\n"', '"' + "c" * 33 + '\xe9"',
    '"http://e.com/?a=1&b=%20 x"', '"^^"', '"%s{login}"', '"YWJj"',
    '"\\u0022,\\u0022action\\u0022:\\u0022Allowed"', '"tab\\there"', "7", "-7", "12345678901234567",
]  # fmt: skip
ODD_TEXTS = [
    '"\\ud83d"', '"\\ude00\\ud83d"', '"\\uD83Dx"', '"\\u12"', '"\\x"', '"a\tb"', '"', '"unclosed',
    '"a\\', "1.5", "true", "{}", "[]", "null", '{"a":5}', "-0", "", "9" * 30, '"\\ud83d\\u0041"',
]  # fmt: skip
NUMBERS = [
    "0", "7", "-7", "12345678901234567", "9223372036854775807", "-9223372036854775807", '"0"',
    '"7"', '"-7"', '"9223372036854775807"', '"None"', '""', '"N/A"', '"-"', "null", '"5000"',
]  # fmt: skip
ODD_NUMBERS = [
    "-0", "007", "+7", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "9" * 40, "9" * 5000, "1.0", "1.5", "-1.5e3", "1e2", "1E400", "1.",
    ".5", "0x10", "NaN", "- 1", '" 7"', '"7 "', '"+7"', '"1.0"', '"007"', '"-0"', '"1e3"',
    '"n\\u000fa"', '"9223372036854775808"', '"none of it"', "true", "[1]", '"\\u0037"',
]  # fmt: skip
OTHERS = [
    "true", "false", "null", "{}", "[]", '{"a":5}', '["x",{"y":[1,{}]}]', "[" * 59 + "]" * 59,
    '{"event":{"login":"inner"}}', '{"login":"inner","login":"twice"}', "1.5", "-0.25", "[[],[{}]]",
]  # fmt: skip
ODD_OTHERS = [
    "nul", "[1,]", '{"a"}', "[" * 61 + "]" * 61, "[" * 2000, '{"a":' * 70 + "1" + "}" * 70, "[[]",
    "{]", "[1 2]", '{"a":1,}', '{"a":1"b":2}', "1e400", "tru", '{"a":}', "[,]", "{,}", "}", "]",
]  # fmt: skip
TIMES = [
    '"Fri Oct  6 09:05:08 2023"', '"2023-10-06T09:05:08+02:00"', "1696583108", '"1696583108"',
    '"GMT"', '"CEST"', '"2023"', '"Oct"', "10", '"08"', '"12"', '"None"', '""', "0", '"0"', "null",
]  # fmt: skip
ODD_TIMES = [
    '"nowhere"', "true", "1.5", '"\\u0032023-10-06 09:05:08"', '"' + "1" * 81 + '"', "1e3", "-5",
    "9" * 12, '"\xe9"', "{}", '"9999999999"',
]  # fmt: skip
TWINS = ['"a b"', '"a%20b"', '"%61 b"', '"a%20%62"', '"YSBi"', '"a%2520b"', "null", '"\\u0061 b"']
ODD_TWINS = [
    '"\xe9%"', '"%C3%A9%"', '"%c3%a9%25"', '"w6kl"', '"w6kl%"', '"%C3%A9%2"', '"\\u00e9%25"',
]  # fmt: skip
HIDING = [
    '{"login":{"a":1}}', '[[{"url":"x"}]]', '{"a":[{"cip":null}]}', '{"ua":"x","host":"y"}',
    '{"user":"a"}', '{"a":{"b":{"action":0}}}', '{"\\u006cogin":"a"}', '{"k":1,"k":{"odd":2}}',
]  # fmt: skip
COLLECTORS = ["time", "host", "source", "sourcetype", "index", "fields"]
SPACES = ["", " ", "  ", "\t", "\r"]
TIME_KEYS = sorted(TIME_FIELDS | {"datetime"})
BETWEEN = ["\r\n", "\n\n", "\n \n", "", "{}", " \n", "x\n", "\ufeff", "\0\n", "\x0b\n", "\xa0\n"]

HEADERS = [
    "<134>", "<134>1 ", "<134>1 2023-10-06T09:05:08Z host app 1 - - ", "<134>1 - h a p m - ",
    '<134>1 2023-10-06T09:05:08.5+02:00 h a p m [x@1 a="{" b="\\"]"] ',
    "<134>Oct  6 09:05:08 h ",
    "Oct  6 09:05:08 host app[12]: ", "Oct  6 09:05:08 ", "<13>Oct  6 09:05:08 h t: ", "<13>tag: ",
    "2023-10-06T09:05:08+02:00 host tag: ", "2023-10-06T09:05:08Z ", "<1234>", "<>", "<134>1 2023 ",
    "\ufeff", "\ufeff<134>", "Oct 6 2023 09:05:08 h ", "<134>1 - h a p m - \ufeff",
    "x ", "<134> ", "\x0b", "\ufeff\ufeff<134>1 - {h} a p m - ",
    '<134>1 - h a p m [x@1 a="]"][y b="1" c="\\\\"] ', '<134>1 - h a p m [x a="{"]', "h [ ", "[",
    "<134>1 - h a p m [" + "x" * 255 + "] ", "<134>1 - h a p m [" + "{" * 256 + "] ", "h [12]: ",
    "<134>1 - " + "h" * 256 + " a p m - ", "<13>Oct 16 09:05:08,123456789 h: ", "<13>1 tag[]: ",
    "<134>1 2023-10-06T09:05:08+0200 h a p m -", "<134>1 - h a p m -\r", "Oct  6 09:05:08 1 2: ",
    "zscaler-nss: ", "<134>1 - {h} a p m - ", "<134>1 - h a p m [x{] ", "Oct ", "2023-10-06 ",
    "h: ",
]  # fmt: skip


class Hostile:
    """Makes batches; `oddity` is how likely each thing in them is odd."""

    def __init__(self, chance: random.Random, names: list[str]) -> None:
        self._chance = chance
        self._names = names
        self._synonyms = [key for key, field in synonyms().items() if field in names] or names
        self._oddity = 0.0
        self._twins: list[str] = []

    def batch(self) -> bytes:
        """Return some lines, most of them nearly records."""
        chance = self._chance
        self._oddity = chance.choice([0, 0, 0.01, 0.01, 0.1, 0.4])
        rows = []
        for _ in range(chance.randint(1, 6)):
            line = self._object()
            if self._odd(0.3) or chance.random() < 0.1:
                more = [self._object() for _ in range(chance.randint(0, 3))]
                line = f"[{self._space()}{','.join([line, *more])}]"
            if self._odd(0.3):
                line = chance.choice(HEADERS) + line
            rows.append(line + (chance.choice(BETWEEN) if self._odd() else "\n"))
        data = bytearray("".join(rows).encode("utf-8", "surrogatepass"))
        for _ in range(3):
            if self._odd():
                damage(self._chance, data, BITS)
        return bytes(data)

    def _odd(self, times: float = 1) -> bool:
        return self._chance.random() < self._oddity * times

    def _object(self, *, inside: bool = False) -> str:
        chance = self._chance
        self._twins = chance.choice([[], [], TWINS, TWINS[:4], ODD_TWINS, TWINS[:1]])
        names = chance.sample(self._names, min(len(self._names), chance.randint(0, 14)))
        names += chance.sample(["odd", "", "n\xe9", "o2", "k" * 40], chance.randint(0, 2))
        if chance.random() < 0.15:
            names.append("event")
        if chance.random() < 0.2:
            names.append(chance.choice(self._synonyms))
            names[-1] = chance.choice([names[-1], names[-1].upper(), f"u{chance.randrange(40)}"])
        if self._odd(0.02):
            names += [f"u{number}" for number in range(chance.randint(50, 70))]
        if self._odd(2):
            names.append(chance.choice([*names, "event", "x"]))
        chance.shuffle(names)
        if "event" in names and not inside and chance.random() < 0.7:  # as collectors put it
            names = [name for name in names if name == "event" or name not in self._names]
            names += chance.sample(COLLECTORS, 2)
        pairs = [self._pair(name, inside) for name in names]
        if chance.random() < 0.7 and "epochtime" not in names:  # likely to have a time
            pairs.insert(chance.randint(0, len(pairs)), f'"epochtime":{chance.choice(TIMES[2:4])}')
        return "{" + self._space() + ",".join(pairs) + "}" + self._space()

    def _pair(self, name: str, inside: bool) -> str:  # noqa: FBT001 - passed on
        value = self._value(name, inside)
        if self._odd(0.2):
            name = name[:1] + "\\u006f" + name[1:]
        elif self._odd(0.1):
            name += self._chance.choice(["\\", "\t", '"', "\ud800"])
        return f'{self._space()}"{name}"{self._space()}:{self._space()}{value}{self._space()}'

    def _value(self, name: str, inside: bool) -> str:  # noqa: FBT001 - passed on
        chance = self._chance
        if name == "event" and not inside and chance.random() < 0.8:
            return self._object(inside=True)
        usual, odd = TEXTS, ODD_TEXTS
        if name in TIME_KEYS:
            usual, odd = TIMES if chance.random() < 0.95 else TEXTS, ODD_TIMES
        elif is_number(name):
            usual, odd = NUMBERS, ODD_NUMBERS
        elif name not in catalogue():
            usual, odd = TEXTS + NUMBERS + OTHERS, ODD_TEXTS + ODD_NUMBERS + ODD_OTHERS + HIDING
        elif self._twins and chance.random() < 0.7:
            usual = self._twins
        elif chance.random() < 0.7:
            usual = values_for(name) or TEXTS
        return chance.choice(odd if self._odd() else usual)

    def _space(self) -> str:
        if self._odd(0.05):
            return self._chance.choice(["\x0b", "\xa0", "\x0c", "\n"])
        return self._chance.choice(SPACES) if self._chance.random() < 0.05 else ""


BITS = [b'"', b"\\", b"{", b"}", b",", b":", b"\xe2\x80", b"\xc2"]


def damage(chance: random.Random, data: bytearray, bits: list[bytes]) -> None:
    """Take a few bytes out, put some or one of the bits in, or change one."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(4):
        case 0:
            del data[at : at + chance.randint(1, 5)]
        case 1:
            data[at:at] = chance.randbytes(chance.randint(1, 3))
        case 2:
            data[at:at] = chance.choice(bits)
        case _:
            data[at : at + 1] = bytes([chance.randrange(256)])


def is_number(name: str) -> bool:
    return name in catalogue() and catalogue()[name].conversion == "d"


# ---- formats, by chance

ESCAPES = ["", ',"', "\\|=", "x", "\xe9", "^;&"]

GLUE = [
    "|", "\\t", "\\t", ",", " ", "=", "^^", ";", '","', "\\\\", "%%", "x", ".", "", " k=", "\\n",
    '"', "LEEF:1.0|a|b|c|", "CEF:0|a|b|c|d|e|f|", "\xe9", "-", "|\\\\|",
]  # fmt: skip


HEADS = ["", "", "LEEF:1.0|Z|N|4|%s{reason}|", "LEEF:2.0|Z|N|4|%s{reason}|^|",
         "CEF:0|a|b|c|d|%s{action}|3|"]  # fmt: skip


def random_format(chance: random.Random) -> str:
    """Return a feed output format string, which may be refused."""
    names = chance.sample(sorted(catalogue()), chance.randint(1, 14))
    glue = chance.choices(GLUE, k=3)
    specs = []
    for name in names:
        if catalogue()[name].conversion == "s":
            specs.append(f"%s{{{name}}}")
        else:
            width = chance.choice(["", "", "02", "3", "05", "12"])
            specs.append(f"%{width}{chance.choice('ddx')}{{{name}}}")
    parts = [chance.choice(HEADS)]
    parts += chain.from_iterable((spec, chance.choice(glue)) for spec in specs)
    text = "".join(parts)
    return "\\{" + text.replace("\\n", "") + "\\}" if chance.random() < 0.1 else text


def random_pair(chance: random.Random) -> tuple[Judged, Hostile]:
    """Return a pair of pipelines for a format and settings by chance, and batches for it."""
    while True:
        name = chance.choice(presets.names())
        text = presets.text(name) if chance.random() < 0.3 else random_format(chance)
        try:
            feed_format = parse(text)
        except FeedFormatError:
            continue
        settings = FeedSettings(
            feed_format,
            filter=random_filter(chance),
            zone=zone(chance.choice(["GMT", "Europe/Berlin"])),
            escape_characters=chance.choice(ESCAPES),
            protect_separators=chance.random() < 0.8,
            max_record_bytes=chance.choice([300, 9000]),
        )
        source = json_names()
        if chance.random() < 0.1:
            source = input_of(presets.load("JSON"))
        times = chance.sample(TIME_KEYS, chance.randint(0, len(TIME_KEYS)))
        judged = Judged(source, settings)
        return judged, Hostile(chance, sorted({*judged.names, *times}))
