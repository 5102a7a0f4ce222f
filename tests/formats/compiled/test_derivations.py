"""Texts that the core derives from others, in base64 or paths of URLs, are those of Python."""

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.fields import catalogue
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from tests.formats.compiled.judged import ESCAPES, TEXTS, Judged, needs_core

pytestmark = needs_core

CODED = [
    "", "None", "NA", "N/A", "Unknown", "none", "YQ==", "YQ=", "YQ", "YQ===", "YWI=", "YWJj",
    "YWJj=", "Y", "YWJjZ", "YR==", "YWJ=", " YQ==", "YQ== ", "Y Q=", "=", "====", "-_-_", "+/+/",
    "w6k=", "w6kl", "6Q==", "4oCo", "woU=", "AA==", "Cg==", "Ig==", "XA==", "fA==", "PT09", "7aCA",
    "8J+YgA==", "8J-YgA", "YQ\u3000", "\xe9", "YWJj\u00a0", "JTQx", "Tm9uZQ==", "YQ=\n=", "5",
]  # fmt: skip
PATHS = [
    "", "None", "/", "a", "a/", "a/b?c#d", "a?b/c", "a#b/c", "a#b?c/d", "?", "#", "/?#",
    "a/b c\xe9", "a/%41", "a/\u2028", "a/b\\", "a/b|c", "//", "a/#", "NA", "a/x" * 40,
    "\U0001f600/\U0001f600",
]  # fmt: skip
DERIVED = {
    field.name: [(way.how, way.source) for way in field.derivations]
    for field in catalogue().values()
    if any(way.how not in {"same", "encode"} for way in field.derivations)
}
FORMATS = [
    "%s{{{0}}}",
    "LEEF:1.0|a|b|c|%s{{{0}}}|x=%s{{{0}}}",
    '\\{{"a":"%s{{{0}}}","b":"%s{{{0}}}"\\}}',
]


def row(**values: object) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("name", DERIVED)
def test_every_derived_field_prints_the_same(name: str) -> None:
    chance = random.Random(name)
    texts = [json.dumps(text, ensure_ascii=False) for text in (*CODED, *PATHS)] + TEXTS
    for form in FORMATS:
        settings = FeedSettings(
            parse(form.format(name)), escape_characters=chance.choice(ESCAPES[:3])
        )
        judged = Judged(json_names(), settings)
        for _, source in DERIVED[name]:
            judged.check("".join(f'{{"{source}":{text}}}\n' for text in texts).encode())
        for _ in range(40):  # several ways, and the field itself
            names = [name, *(source for _, source in DERIVED[name])]
            stated = chance.sample(names, chance.randint(0, len(names)))
            pairs = (f'"{field}":{chance.choice(texts)}' for field in stated)
            judged.check(f"{{{','.join(pairs)}}}\n".encode())


@given(text=st.text(max_size=40), twin=st.text(max_size=8))
def test_any_text_goes_into_base64_and_out_of_it_in_the_core(text: str, twin: str) -> None:
    coded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    judged = Judged(json_names(), FeedSettings(parse("%s{url}|%s{b64url}|%s{eurl}")))
    for values in ({"url": text}, {"b64url": coded}, {"b64url": coded.rstrip("=")}):
        data = json.dumps(values).encode() + b"\n"  # escapes keep lone surrogates out of UTF-8
        judged.check(data)
        if "\\ud" not in json.dumps(values):
            assert judged.handed_over(data) == 0
    judged.check(json.dumps({"url": text, "b64url": coded, "eurl": twin}).encode() + b"\n")


@pytest.mark.parametrize(
    ("form", "values", "line"),
    [
        ("%s{b64ua}", {"ua": "a b\xe9"}, "YSBiw6k="),
        ("%s{ua}", {"b64ua": "YSBiw6k"}, "a b\xe9"),
        ("%s{eua}", {"b64ua": "YSBiw6k"}, "a%20b%C3%A9"),
        ("%s{ua}", {"b64ua": "None"}, "None"),
        ("%s{eurlpath}", {"url": "a.test/b c?d/e"}, "/b%20c"),
        ("%s{eurlpath}", {"eurl": "None"}, "None"),
        ("%s{erefererpath}", {"ereferer": "a.test"}, "/"),
        ("%s{b64host}|%s{host}", {"host": "a", "b64host": "YQ=="}, "YQ==|a"),
    ],
)
def test_what_is_derived_simply_is_derived_in_the_core(
    form: str, values: dict[str, object], line: str
) -> None:
    judged = Judged(json_names(), FeedSettings(parse(form)))
    assert judged.check(row(**values)) == [line.encode()]
    assert judged.handed_over(row(**values)) == 0


def test_huge_texts_are_derived_the_same() -> None:
    form = parse("%s{b64url}|%s{ua}|%s{eua}|%s{eurlpath}")
    judged = Judged(json_names(), FeedSettings(form, max_record_bytes=4_000_000))
    for size in (299_998, 299_999, 300_000):
        coded = base64.b64encode(b"a\xc3\xa9" * size)[: size - size % 4].decode()
        judged.check(row(url="b/" + "c" * size, b64ua=coded))
