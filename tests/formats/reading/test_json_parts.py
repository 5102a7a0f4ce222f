"""What readers of JSON are made of, each by itself: places, keys, and how a format is read."""

import json

import pytest

from formats.language import parse
from formats.reading.json import _known_keys, _sample, states_fields
from formats.reading.json_lines import Pairs
from formats.reading.json_objects import Meanings, twice, value_at
from formats.reading.recognise import input_of
from tests.formats.reading.test_json import read

TIME = "Fri Oct  6 09:05:08 2023"


@pytest.mark.parametrize(
    ("line", "states"),
    [
        (b'{"login":"ann"}', True),
        (b'{"x":1,"login":"ann"}', True),
        (b'{"sourcetype":"x","event":{"login":"ann"}}', True),
        (b'<134>Oct  6 09:05:08 host nss: {"login":"ann"}', True),
        (b'x\n\n{"login":"ann"}\n', True),
        (b'{"x":1}', False),
        (b'{"login":"ann","event":{"x":1}}', False),
        (b'{"login":"ann","event":7}', False),
        (b'[{"login":"ann"}]', False),
        (b'"login"', False),
        (b"login", False),
        (b"", False),
    ],
)
def test_a_line_states_fields_if_it_has_a_key_that_is_known(line: bytes, *, states: bool) -> None:
    assert states_fields(line) is states


def test_a_place_leads_through_objects_and_arrays_or_to_nothing() -> None:
    tree = {"a": [1, {"b": "x"}], "c": "text"}
    assert value_at(tree, ()) is tree
    assert value_at(tree, ("a", 1, "b")) == "x"
    assert value_at(tree, ("a", 0)) == 1
    for path in (("a", 2), ("a", 2, "b"), ("a", "b"), ("c", 0), ("c", "a"), ("d",), (0,)):
        assert value_at(tree, path) is None, path


def test_only_what_was_written_twice_stands_twice() -> None:
    tree = json.loads('{"a":1,"b":2,"a":3}', object_pairs_hook=Pairs)
    assert twice(tree) == {"a"}
    assert twice({"a": 1}) == twice([tree]) == twice(None) == frozenset()


def test_the_keys_of_each_object_that_a_format_prints_are_known() -> None:
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": [{"f": 3}, 4, [{"g": {}}]], "h": "i"}
    assert _known_keys(tree) == {
        (): {"a", "e", "h"},
        ("a",): {"b", "c"},
        ("a", "c"): {"d"},
        ("e", 0): {"f"},
        ("e", 2, 0): {"g"},
        ("e", 2, 0, "g"): set(),
    }
    assert _known_keys(None) == {}
    assert _known_keys(_sample(parse(r'\{"a":"%s{login}","b":[%d{reqsize}]\}'))) == {(): {"a", "b"}}
    assert _sample(parse("a %s{login}")) is None


def test_what_a_key_means_is_remembered_within_bounds() -> None:
    asked: list[str] = []

    def meaning_of(key: str) -> tuple[str | None, bool]:
        asked.append(key)
        return key, False

    meanings = Meanings(meaning_of)
    longest = "k" * 64
    for key in (longest, longest, "k" * 65, "k" * 65):
        assert meanings[key] == (key, False)
    assert asked == [longest, "k" * 65, "k" * 65]
    for number in range(1100):
        assert meanings[str(number)] == (str(number), False)
    assert len(meanings) == 1024


PRINTED = "%s{login} %s{dept} %d{epochtime}"


@pytest.mark.parametrize(
    ("text", "record"),
    [
        (
            r'\{"a":["%s{login}","%s{dept}","%s{time}"]\}',
            f'{{"a":["ana","d","{TIME}"]}}',
        ),
        (
            r'\{"a":\{"l":"%s{login}"\},"b":\{"d":"%s{dept}"\},"t":"%s{time}"\}',
            f'{{"t":"{TIME}","b":{{"d":"d"}},"a":{{"l":"ana"}}}}',
        ),
        (
            r'\{"a":"%s{login}","b":"%s{dept}, %s{time}"\}',
            f'{{"a":"ana","b":"d, {TIME}"}}',
        ),
        (
            r'\{"a":"%s{login}","b":"<%s{time}> %s{dept}"\}',
            f'{{"a":"ana","b":"<{TIME}> d"}}',
        ),
        (
            r'\{"a":\{"l":"%s{login}","d":"%s{dept}","t":"%s{time}"\}\}',
            f'{{"x":1,"a":{{"d":"d","l":"ana","t":"{TIME}"}}}}',
        ),
        (
            r'\{"l":"%s{login}","d":"%s{dept}","t":"%s{time}"\}',
            f'{{"event":{{"d":"d","l":"ana","t":"{TIME}"}}}}',
        ),
    ],
)
def test_records_are_read_wherever_their_format_has_the_fields(text: str, record: str) -> None:
    source = input_of(parse(text))
    assert read(f"{record}\n".encode(), source, PRINTED) == ([b"ana d 1696583108"], [])


NESTED = r'\{"a":\{"l":"%s{login}","d":"%s{dept}"\},"b":[\{"h":"%s{host}"\}]\}'


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ('{"a":{"l":"x","d":"d","l":"y"},"b":[{"h":"h"}]}', "l"),
        ('{"a":{"l":"x","d":"d"},"a":{"l":"y","d":"d"},"b":[{"h":"h"}]}', "a"),
        ('{"a":{"l":"x","d":"d"},"b":[{"h":"h","h":"i"}]}', "h"),
        ('{"a":{"l":"x","d":"d"},"b":[],"b":[{"h":"h"}]}', "b"),
    ],
)
def test_a_key_on_the_way_to_a_field_that_stands_twice_is_bad(record: str, key: str) -> None:
    lines, bad = read(f"{record}\n".encode(), input_of(parse(NESTED)), "%s{login} %s{host}")
    assert lines == []
    assert [f'"{key}"' in reason for _, _, reason in bad] == [True]


def test_any_other_key_may_stand_twice() -> None:
    record = b'{"x":1,"a":{"l":"ana","d":"d","z":1,"z":2},"b":[{"h":"h"},{"h":1,"h":2}],"x":2}\n'
    assert read(record, input_of(parse(NESTED)), "%s{login}") == ([b"ana"], [])


def test_records_of_which_nothing_is_wanted_are_records() -> None:
    decoded = input_of(parse(r'\{"a":"%s{login}"\}')).reader([], 1000)(b'{"a":"x"}\n{}\n')
    assert (len(decoded.records), decoded.bad) == (2, [])
