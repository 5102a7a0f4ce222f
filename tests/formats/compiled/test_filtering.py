"""Filters in the compiled core pass what they pass in Python, and count the rest the same."""

import json
import random
import time

import pytest

from formats import filters, presets
from formats.compiled.predicates import _folds
from formats.filters.keys import FILTER_KEYS, FilterKey
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from tests.formats.compiled.filtering import (
    ADDRESSES,
    RANGES,
    TEXTS,
    WORDS,
    random_filter,
    values_for,
)
from tests.formats.compiled.judged import NUMBERS, Judged, is_number, needs_core
from tests.formats.test_properties import GOLDEN

pytestmark = needs_core

LOGIN = parse("%s{login}")
FORMS = ("{}", "{}*", "*{}", "*{}*")


def judged_by(table: dict[str, object], escapes: str = "") -> Judged:
    chosen = filters.parse(table)
    judged = Judged(json_names(), FeedSettings(LOGIN, chosen, escape_characters=escapes))
    assert judged.engine is not None
    return judged


def rows_of(field: str, values: list[str], login: str = "x") -> bytes:
    key = f'"login":"{login}",' if field != "login" else ""
    return "".join(f'{{{key}"{field}":{value}}}\n' for value in values).encode()


def passed(table: dict[str, object], field: str, values: list[object]) -> list[object]:
    """Return which values of a field pass; the core must not ask Python."""
    judged = judged_by(table)
    found = []
    for value in values:
        data = json.dumps({"login": "x", field: value}, ensure_ascii=False).encode()
        found += [value] * len(judged.check(data))
        assert judged.handed_over(data) == 0
    return found


@pytest.mark.parametrize("name", FILTER_KEYS)
def test_every_key_decides_about_hostile_values_as_python_does(name: str) -> None:
    key, chance = FILTER_KEYS[name], random.Random(name)
    for field in (*key.fields, *(["host"] if name == "hosts" else [])):
        usual = NUMBERS if is_number(field) else values_for(field) or values_for("ehost")
        data = rows_of(field, usual) + b'{"login":"x"}\n'
        for number in range(4):
            table = {("" if number % 2 else "not_") + name: words_for(key, chance)}
            judged = judged_by(table, chance.choice(["", ":", ",;"]))
            judged.check(data)
            assert judged.handed_over(data) < len(usual) * 0.6


def words_for(key: FilterKey, chance: random.Random) -> object:
    """Return some values for a key."""
    words = [*RANGES.get(key.kind, []), *key.choices]
    if not words:
        usual = [word for word in WORDS if "|" not in word and "*" not in word]
        usual = [word for word in usual if not word.lower().startswith("http")]
        words = [form.format(word) for form in FORMS for word in usual]
    return chance.sample(words, min(len(words), chance.choice([1, 2, 5])))


def test_any_filter_decides_about_hostile_values_as_python_does() -> None:
    chance, until = random.Random(17), time.monotonic() + 1.5
    while time.monotonic() < until:
        chosen = random_filter(chance)
        judged = Judged(json_names(), FeedSettings(LOGIN, chosen))
        assert judged.engine is not None
        fields = sorted(chosen.fields) if chosen else ["login"]
        rows = []
        for _ in range(40):
            stated = chance.sample(fields, chance.randint(0, len(fields)))
            values = {f: NUMBERS if is_number(f) else values_for(f) for f in stated}
            pairs = (f'"{f}":{chance.choice(usual)}' for f, usual in values.items())
            rows.append("{" + ",".join(['"odd":1', *pairs]) + "}\n")
        judged.check("".join(rows).encode())


@pytest.mark.parametrize("name", presets.names())
def test_golden_records_are_filtered_the_same(name: str) -> None:
    data = (GOLDEN / "records.jsonl").read_bytes()
    tables: list[dict[str, object]] = [
        {"action": "Blocked"},
        {"not_users": "*@example.com", "response_size": "1KB-"},
        {"client_ips": "10.0.0.0/8, 2001:db8::/32"},
    ]
    for table in tables:
        chosen = filters.parse(table)
        judged = Judged(json_names(), FeedSettings(presets.load(name), chosen))
        assert judged.engine is not None
        judged.check(data)


def test_case_is_folded_and_escapes_are_decoded_in_the_core() -> None:
    same = ["Straße", "STRASSE", "stra%C3%9Fe", "%53trasse", "STRASSE"]
    assert passed({"departments": "strasse"}, "dept", [*same, "Strase"]) == same
    assert passed({"departments": ["École*"]}, "dept", ["école 1", "ÉCOLE", "ecole"]) == [
        "école 1",
        "ÉCOLE",
    ]
    assert passed({"urls": "*中文*"}, "url", ["a/中文", "a/%E4%B8%AD%E6%96%87x", "中"]) == [
        "a/中文",
        "a/%E4%B8%AD%E6%96%87x",
    ]


def test_what_a_host_is_without_its_port_passes_whatever_it_comes_from() -> None:
    values: list[object] = ["WWW.a.test:443", "www.a.test", "www.a.test:x", "a.test:443"]
    for field in ("host", "ehost"):
        assert passed({"hosts": "www.a.test"}, field, values) == values[:2]


def test_addresses_are_read_in_the_core() -> None:
    table: dict[str, object] = {"client_ips": "192.0.2.0/29, 2001:db8::/32"}
    inside = [
        "192.0.2.7",
        "::ffff:192.0.2.0",
        "::ffff:c000:205",
        "2001:DB8::1",
        "2001:db8::1.2.3.4",
    ]
    outside = ["192.0.2.8", "192.0.2", "::1", "None", "2001:db9::", "::ffff:192.0.2.8"]
    assert passed(table, "cip", [*inside, *outside]) == inside
    judged = judged_by(table)
    judged.check(rows_of("cip", ADDRESSES))


def test_many_words_and_ranges_are_found() -> None:
    users = [f"user{number:05}@example.com" for number in range(0, 20_000, 2)]
    asked = ["USER00000@example.com", "user19998@Example.com", "user10000@example.com"]
    others = ["user00001@example.com", "a", "z", "user2", ""]
    assert passed({"users": users}, "login", [*asked, *others]) == asked
    sizes = [str(number) for number in range(0, 4_000, 2)]
    found = passed({"request_size": sizes}, "reqsize", [0, 1, 2, 1999, 2000, 3998, 4000, -1])
    assert found == [0, 2, 2000, 3998]
    nets = [f"10.{number}.0.0/16" for number in range(0, 250, 2)]
    assert passed({"server_ips": nets}, "sip", ["10.0.0.1", "10.1.0.1", "10.248.255.255"]) == [
        "10.0.0.1",
        "10.248.255.255",
    ]


def test_unmapped_keys_of_filtered_records_count_and_times_of_them_do_not_matter() -> None:
    settings = FeedSettings(parse("%s{time} %s{login}"), filters.parse({"action": "Blocked"}))
    judged = Judged(json_names(), settings)
    rows = [
        b'{"epochtime":1696583108,"action":"Blocked","odd":1}\n',
        b'{"epochtime":1696583108,"action":"Allowed","odd":1,"more":2}\n',
        b'{"time":"never","action":"Allowed","odd":1}\n',
        b'{"time":"never","action":"Blocked","odd":1}\n',
        b'[{"epochtime":1696583108,"action":"Allowed"},{"epochtime":1,"action":"blocked"}]\n',
        b"no record\n",
    ]
    data = b"".join(rows)
    assert len(judged.check(data)) == 2
    rendered = judged.compiled.run(data)
    assert (rendered.filtered, len(rendered.bad)) == (3, 2)
    assert dict(rendered.unmapped) == {"odd": 4, "more": 1}


def test_a_filter_on_what_no_record_can_have_is_decided_once() -> None:
    source = json_names()
    assert "cintip" in source.available
    judged = judged_by({"not_file_types": "ZIP", "not_file_classes": ["None"]})
    assert judged.check(b'{"login":"x","fileclass":"Audio"}\n{"login":"y"}\n') == [b"x"]


def test_huge_values_are_filtered_the_same() -> None:
    chosen = filters.parse({"urls": ["*needle*", "hay*"], "dlp_dictionaries": "b"})
    judged = Judged(json_names(), FeedSettings(LOGIN, chosen, max_record_bytes=2_000_000))
    for text in ("a", "%41", "%C3%9F", "\xdf", "\u0390", "\\u0390", "\U0001f600", "|"):
        value = text * 9_000
        for end in ("", "Needle", "%4eeedle"):
            row = f'{{"login":"x","url":"{value}{end}","dlpdict":"{value}|B"}}\n'
            judged.check(row.encode())


def test_what_folding_makes_of_characters_has_room() -> None:
    folds, unfolded = _folds()
    assert (len(folds), len(unfolded)) == (7 * 0x780, 512)
    assert max(folds[::7]) <= 6
    every = "".join(chr(code) for code in range(0x80, 0x3000) if not 0xD800 <= code < 0xE000)
    texts = [f'"{every[at : at + 16]}"' for at in range(0, len(every), 16)]
    for word in ("*s*", "*\u03b9*", "*k*"):
        judged_by({"departments": word}).check(rows_of("dept", texts))


def test_texts_for_filters_are_json() -> None:
    for text in (*TEXTS, *ADDRESSES):
        json.loads(text)


def test_arrays_are_filtered_and_keyed_whole_or_not_at_all() -> None:
    chosen = filters.parse({"action": "Blocked", "not_users": "*%C3%9F*"})
    judged = Judged(json_names(), FeedSettings(LOGIN, chosen))
    chance = random.Random(17)
    kinds = [
        '{"login":"%d","action":"Blocked"}', '{"login":"%d","action":"Allowed","odd":1}',
        '{"login":"%d","action":"%%C3"}', '{"login":"%d","login":"x"}', '{"b64login":"YWJj"}',
        '{"login":"%d\xdf","action":"Blocked"}', '{"action":"Blocked","login":"\\u0001%d"}',
    ]  # fmt: skip
    handed = 0
    for _ in range(150):
        rows = []
        for _ in range(chance.randint(1, 6)):
            usual = kinds[:2] if chance.random() < 0.7 else kinds
            objects = [chance.choice(usual) for _ in range(chance.randint(1, 5))]
            objects = [text % 7 if "%" in text else text for text in objects]
            rows.append(f"[{','.join(objects)}]" if chance.random() < 0.8 else objects[0])
        data = "\n".join(rows).encode()
        judged.check(data)
        handed += judged.handed_over(data)
    assert 0 < handed < 300
    assert judged.filtered > 100


@pytest.mark.parametrize("name", ["QRADAR", "CSV", "NAME_VALUE_PAIRS", "TAB_SEPARATED"])
def test_lines_of_text_are_filtered_and_keyed_the_same(name: str) -> None:
    source = input_of(presets.load(name))
    data = (GOLDEN / f"{name}.txt").read_bytes()
    tables: list[dict[str, object]] = [
        {"action": "Blocked"},
        {"not_users": "*@example.com", "response_size": "1KB-"},
        {"client_ips": "10.0.0.0/8, 2001:db8::/32"},
        {"not_hosts": ["*.example.com", "a"], "response_codes": "2xx"},
    ]
    for table in tables:
        judged = Judged(source, FeedSettings(presets.load("JSON"), filters.parse(table)))
        assert judged.engine is not None
        for _ in range(2):
            judged.check(data)
