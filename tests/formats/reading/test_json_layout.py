"""What is remembered of the keys of JSON records: their order, kinds, and which all had."""

import pytest

from formats.reading.json_layout import Layout, _with_new

TEXT, NUMBER = frozenset({str}), frozenset({int})


def learnt(*records: list[dict[str, object]]) -> Layout:
    layout = Layout()
    for levels in records:
        layout.learn(levels)
    return layout


def test_keys_of_each_level_are_known_with_their_kinds() -> None:
    layout = learnt([{"a": "x", "b": 1}, {"c": None}], [{"a": 1, "b": 1}, {"c": "x"}])
    assert layout.levels == [{"a": TEXT | NUMBER, "b": NUMBER}, {"c": TEXT | {type(None)}}]
    assert layout.optional == [set(), set()]
    assert layout.is_usable


def test_keys_that_not_all_records_have_are_optional() -> None:
    layout = learnt([{"a": "x", "b": "y"}], [{"a": "x", "c": "z"}], [{"a": "x", "b": "y"}])
    assert layout.levels == [{"a": TEXT, "c": TEXT, "b": TEXT}]
    assert layout.optional == [{"b", "c"}]
    inner = learnt([{"a": "x"}, {"b": "y"}], [{"a": "x"}, {}])
    assert inner.optional == [set(), {"b"}]


@pytest.mark.parametrize(
    ("known", "level", "order"),
    [
        ("ab", "abc", "abc"),
        ("ab", "cab", "cab"),
        ("ab", "acb", "acb"),
        ("abc", "xcy", "xabcy"),
        ("abc", "cxa", "abcx"),
        ("abc", "xyz", "xyzabc"),
        ("abc", "bxy", "abxyc"),
        ("", "ab", "ab"),
    ],
)
def test_a_new_key_stands_behind_the_one_that_it_stood_behind(
    known: str, level: str, order: str
) -> None:
    found = _with_new(dict.fromkeys(known, TEXT), dict.fromkeys(level))
    assert "".join(found) == order
    assert found == {key: TEXT if key in known else frozenset() for key in order}


@pytest.mark.parametrize(
    ("keys", "usable"),
    [
        ([], False),
        (["a"], True),
        (["k" * 256], True),
        (["k" * 257], False),
        (["a", 'b"'], False),
        (["a", "b\\"], False),
        (["a\x1f"], False),
        (["a\x20\x7f"], True),
        ([f"k{number}" for number in range(512)], True),
        ([f"k{number}" for number in range(513)], False),
    ],
)
def test_a_layout_is_usable_if_a_struct_can_be_made_of_it(keys: list[str], *, usable: bool) -> None:
    layout = learnt([dict.fromkeys(keys, 1)])
    assert layout.is_usable is usable
    assert layout.is_too_large is (len(keys) > 512)
    half = len(keys) // 2
    layout = learnt([dict.fromkeys(keys[:half], 1), dict.fromkeys(keys[half:], 1)])
    assert layout.is_usable is usable


@pytest.mark.parametrize(("optional", "usable"), [(128, True), (129, False)])
def test_a_layout_with_very_many_optional_keys_is_not(optional: int, *, usable: bool) -> None:
    record = dict.fromkeys((f"k{number}" for number in range(optional)), 1)
    layout = learnt([{"a": 1, **record}], [{"a": 1}])
    assert len(layout.optional[0]) == optional
    assert layout.is_usable is usable


def test_a_layout_that_was_too_large_stays_so_and_learns_no_more() -> None:
    layout = learnt([{"a": 1}], [dict.fromkeys((f"k{number}" for number in range(600)), 1)])
    assert layout.levels == [{"a": NUMBER}]
    assert not layout.is_usable
    layout.learn([{"a": 1}])
    assert layout.is_too_large

    grown = learnt(
        [dict.fromkeys((f"k{number}" for number in range(500)), 1)],
        [dict.fromkeys((f"k{number}" for number in range(400, 520)), 1)],
        [{"last": 1}],
    )
    assert len(grown.levels[0]) == 520
    assert grown.is_too_large
