"""Texts with something odd at each place of sixteen bytes, inside of a batch and at its end."""

import itertools
import json

import pytest

from formats import presets
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from tests.formats.compiled.judged import Judged, needs_core

pytestmark = needs_core

ODD = [
    '"', "\\", "/", "\n", "\t", "\x00", "\x7f", "\xe9", "\x80", "\x9f", "\xa0", "\u07ff", "\u0800",
    "\u2027", "\u2028", "\u2029", "\u4e2d\u6587", "\ud7ff", "\ue000", "\ufffd", "\U0001f600", "%",
    "|", "=", '"\xe9\\', "\xe9\x85\xe9", '""', "\u2028\x7f", "\x7f\x7f", "\xe9|\xe9",
]  # fmt: skip
BAD = [
    b"\xc3", b"\xc1\x81", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xe4\xb8", b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\x80", b"\xe4\x41\x80", b"\xe4\xb8\x41",
    b"\xc3\xc3\xa9", b"\\x", b"\\u12", b"\\u00g9", b"\\ud83d", b"\\ude00", b"\\", b"\n", b"\x1f",
]  # fmt: skip
FORMATS = {
    "plain": "a=%s{login} b=%s{ua} %s{eurl}\\n",
    "guarded": "CEF:0|a|b|c|d|%s{login}|3|x=%s{ua} y=%s{eurl}\\n",
    "quoted": '"%s{login}","%s{ua}","%s{eurl}"\\n',
    "json": '\\{"a":"%s{login}","b":"%s{ua}","c":"%s{eurl}"\\}\\n',
}


def judged(text: str, escape_characters: str = "") -> Judged:
    settings = FeedSettings(parse(text), escape_characters=escape_characters)
    found = Judged(json_names(), settings)
    assert found.engine is not None
    return found


def rows(*, ascii_only: bool) -> list[bytes]:
    """Return records with each odd text behind 0 to 34 letters, and before some."""
    found = []
    for odd, before, after in itertools.product(ODD, range(35), (0, 1, 14, 15, 16, 31, 33)):
        text = "a" * before + odd + "b" * after
        record = {"login": text, "ua": odd + text, "eurl": f"{text}{odd}"}
        found.append(json.dumps(record, ensure_ascii=ascii_only, separators=(",", ":")).encode())
    return found


@pytest.mark.parametrize("escapes", ["", "^", ";=", ",;^"])
@pytest.mark.parametrize("name", FORMATS)
def test_odd_text_at_each_place_prints_the_same(name: str, escapes: str) -> None:
    pair = judged(FORMATS[name], escapes)
    for ascii_only in (False, True):
        data = b"".join(
            row + b"\n" for row in rows(ascii_only=ascii_only)[:: 1 if not escapes else 7]
        )
        assert len(pair.check(data)) == data.count(b"\n")
        assert pair.handed_over(data) == 0


def test_odd_text_at_the_end_of_a_batch_prints_the_same() -> None:
    pair = judged(FORMATS["quoted"])
    for row in rows(ascii_only=False)[::11] + rows(ascii_only=True)[::11]:
        assert len(pair.check(row)) == 1


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_text_is_handed_over_from_each_place(bad: bytes) -> None:
    pair = judged(presets.text("MCAS"))
    good = b'{"login":"x","epochtime":1,"ua":"'
    data = [
        good + b"a" * before + odd + bad + b"b" * after + b'","host":"y"}\n'
        for before in range(18)
        for odd in (b"", "\xe9".encode(), b'\\"')
        for after in (0, 5, 40)
    ]
    lines = pair.check(b"".join(data))
    assert not lines or bad in (b"\\u12", b"\\")


def test_texts_longer_than_a_copy_in_one_go_print_the_same() -> None:
    pair = judged(FORMATS["json"])
    data = b""
    for size, odd in itertools.product([127, 128, 129, 143, 144, 145, 5_000], ODD):
        record = {"login": "a" * size + odd, "ua": odd + "b" * size, "eurl": odd * (size // 8)}
        data += json.dumps(record, ensure_ascii=False).encode() + b"\n"
    assert len(pair.check(data)) == data.count(b"\n")
