"""Lines that are too long are cut by the core as Python cuts them, and nothing else is."""

import os
import random
import time

import orjson
import pytest

from formats import presets
from formats.language import parse
from formats.lines import UNLIMITED
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from tests.formats.compiled.cutting import random_long_pair, sizes_for
from tests.formats.compiled.judged import Judged, needs_core
from tests.formats.test_properties import GOLDEN

pytestmark = needs_core

FUZZ_SECS = float(os.environ.get("NSS_FUZZ_SECS", "1.5"))
MIN_FORMATS = 8


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_cut_to_each_size_in_the_core(name: str) -> None:
    judged = Judged(json_names(), FeedSettings(presets.load(name)))
    data = (GOLDEN / "records.jsonl").read_bytes()
    lines = judged.check(data)
    handed = judged.handed_over(data)
    longest = max(map(len, lines))
    for size in [*range(longest, longest - 12, -1), *range(0, longest, 83)]:
        judged.check(data, size)
    assert judged.engine is not None
    output = judged.engine.run(data, longest - 1)
    assert output is not None
    assert len(output.handed_over) == handed


@pytest.mark.parametrize("name", ["QRADAR", "CSV", "ARCSIGHT_CEF"])
def test_lines_of_text_are_cut_as_well(name: str) -> None:
    feed_format = presets.load(name)
    judged = Judged(input_of(feed_format), FeedSettings(presets.load("MCAS")))
    data = (GOLDEN / f"{name}.txt").read_bytes()
    longest = max(map(len, judged.check(data)))
    for size in range(0, longest, 83):
        judged.check(data, size)
    assert judged.shortened


def test_random_formats_are_cut_the_same() -> None:
    seed = time.time_ns() if "NSS_FUZZ_SECS" in os.environ else 17
    chance, until, compiled = random.Random(seed), time.monotonic() + FUZZ_SECS, 0
    shortened = 0
    while compiled < MIN_FORMATS or time.monotonic() < until:
        judged, long = random_long_pair(chance)
        compiled += judged.engine is not None
        for _ in range(5):
            data = long.batch()
            for size in sizes_for(chance, judged.check(data)):
                judged.check(data, size)
        shortened += judged.shortened
    assert shortened > MIN_FORMATS


def cut(text: str, record: bytes, size: int) -> tuple[list[bytes], int]:
    """Return a line and how many were handed over, cut to a size in the core."""
    judged = Judged(json_names(), FeedSettings(parse(text)))
    lines = judged.check(record, size)
    assert judged.engine is not None
    output = judged.engine.run(record, size)
    assert output is not None
    return lines, len(output.handed_over)


PAIR = "LEEF:1.0|Z|N|4|x|a="


@pytest.mark.parametrize(
    ("text", "record", "size", "line"),
    [
        # The longest first, and those that are shorter stay.
        (
            "%s{url} %s{ua}",
            {"url": "a" * 20, "ua": "b" * 30},
            45,
            "a" * 20 + " " + "b" * 19 + "[...]",
        ),
        ("%s{url} %s{ua}", {"url": "a" * 20, "ua": "b" * 30}, 28, "aaaaaaaa[...] bbbbbbbb[...]"),
        ("%s{url} %s{ua}", {"url": "a", "ua": "b" * 30}, 12, "a bbbbb[...]"),
        # A character, and a %HH, are not cut in two.
        ("%s{url}", {"url": "\xe9" * 20}, 12, "\xe9\xe9\xe9[...]"),
        ("%s{url}", {"url": "\U0001f600" * 20}, 15, "\U0001f600\U0001f600[...]"),
        ("%s{eurl}", {"eurl": " " * 20}, 13, "%20%20[...]"),
        ("%s{url}", {"url": "%" * 20}, 13, "%%%%%%%[...]"),
        # The mark is guarded as the value is.
        ("[%s{url}]", {"url": "a" * 40}, 17, "[aaaaaaaa[...%5D]"),
        # A backslash before a separator is part of the value that it ends, or of none.
        (PAIR + "%s{url}%s{ua}", {"url": "a" * 12 + "\\", "ua": ""}, 32, PAIR + "a" * 8 + "[...]"),
        (
            PAIR + "%s{url}%s{login}",
            {"url": "a" * 12 + "\\", "login": ""},
            33,
            PAIR + "a" * 9 + "[...]",
        ),
        (
            PAIR + "%s{url}%s{login}\\tb=%s{ua}",
            {"url": "a" * 12 + "\\", "login": "", "ua": "b" * 10},
            40,
            PAIR + "aaaa[...]\tb=bbbb[...]",
        ),
        (PAIR + "%s{ua}\\\\%s{url}", {"url": "", "ua": "a" * 14}, 33, PAIR + "a" * 6 + "[...]%5C"),
    ],
)
def test_a_line_is_cut_to_this(text: str, record: dict[str, str], size: int, line: str) -> None:
    lines, handed = cut(text, orjson.dumps(record) + b"\n", size)
    assert ([one.decode() for one in lines], handed) == ([line], 0)


def test_a_line_that_can_not_be_cut_to_a_size_stays_as_it_is() -> None:
    record = b'{"url":"' + b"a" * 30 + b'","login":"ann"}\n'
    assert cut("%s{login} %s{url}", record, 8) == ([b"ann " + b"a" * 30], 0)
    assert cut("%s{login} %s{url}", record, 9) == ([b"ann [...]"], 0)
    assert cut("%s{login}", record, 2) == ([b"ann"], 0)


def test_what_is_cut_is_noted_by_its_place_beside_what_was_handed_over_and_filtered() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{url}")))
    short, long = b'{"url":"abc"}\n', b'{"url":"' + b"a" * 30 + b'"}\n'
    odd = b'{"url":"b","login":1.0}\n' + long.replace(b"}", b',"ua":1.0}')
    data = (
        short + long + odd + long + b"[]\n" + short + b"[" + long[:-1] + b"," + short[:-1] + b"]\n"
    )
    lines = judged.check(data, 10)
    rendered = judged.compiled.run(data, 10)
    assert [len(line) for line in lines] == rendered.lines.sizes_of(range(len(lines)))
    assert dict(rendered.shortened) == {n: 30 for n, line in enumerate(lines) if b"[...]" in line}
    assert len(rendered.shortened) >= 3
    assert not judged.compiled.run(data, UNLIMITED).shortened
