"""Keys of a line of pairs: which are there, which come twice, and where a value forges one."""

from collections.abc import Sequence

import pytest

from formats.reading import BadLine
from formats.reading.pairs import ambiguity_of, keys_in, pairs_of

NONE = frozenset[str]()


@pytest.mark.parametrize(
    ("pieces", "keys", "values"),
    [
        ([], NONE, {}),
        (["a=1", "b=2"], NONE, {"a": "1", "b": "2"}),
        (["a=1=2", "b="], NONE, {"a": "1=2", "b": ""}),
        (["a", "b=2", "", "c"], NONE, {"b": "2"}),
        (["a=1", "a=2", "b=3", "b=4"], NONE, {"a": "1", "b": "3"}),
        (["a=1", "a=1", "b=2"], frozenset({"a", "b"}), {"a": "1", "b": "2"}),
        (["a=1", "a=2"], frozenset({"b"}), {"a": "1"}),
        (["a=1", "a"], frozenset({"a"}), {"a": "1"}),
        (["a", "a=1"], frozenset({"a"}), {"a": "1"}),
    ],
)
def test_pieces_are_pairs_and_of_a_key_the_first_counts(
    pieces: Sequence[str], keys: frozenset[str], values: dict[str, str]
) -> None:
    assert pairs_of(pieces, keys) == values


@pytest.mark.parametrize("pieces", [["a=1", "b=2", "a=2"], ["x", "a=1", "a="], ["a=", "a=1"]])
def test_a_wanted_key_that_comes_twice_with_other_values_is_bad(pieces: Sequence[str]) -> None:
    with pytest.raises(BadLine, match=r"^key 'a' comes twice with different values$"):
        pairs_of(pieces, frozenset({"a", "c"}))


@pytest.mark.parametrize(
    ("static", "keys"),
    [
        ([], set()),
        (["user=", "a b"], set()),  # a key stands behind a space
        ([" user=", " a.b-c_9= and| host="], {" user=", " a.b-c_9=", " host="}),
        (["|USER|", " |HOST|URL|"], {"|USER|", "|HOST|"}),
        ([" 9a=", "|9|", "||", " ="], set()),
    ],
)
def test_keys_are_found_in_static_texts(static: Sequence[str], keys: set[str]) -> None:
    assert keys_in(static) == keys


def check(texts: Sequence[str | None], *values: str) -> None:
    """Check the line of a format with these values."""
    rest = iter(values)
    line = "".join(next(rest) if text is None else text for text in texts)
    checked = ambiguity_of(texts)
    assert checked is not None
    checked(line, {f"v{at}": value for at, value in enumerate(values)})


PAIRS = ("time=", None, " user=", None, " host=", None)
AROUND = ("", None, " user=", None, " host=", None, " end")
SYMANTEC = ("|USER|", None, "|HOST|", None, "")


def test_without_keys_there_is_nothing_to_check() -> None:
    assert ambiguity_of(["a ", None, " b"]) is None
    assert ambiguity_of(["user=", None]) is None
    assert ambiguity_of([None]) is None


@pytest.mark.parametrize("texts", [PAIRS, AROUND])
@pytest.mark.parametrize(
    "values",
    [
        ("t", "ana", "h"),
        ("", "", ""),
        ("t=1", "a=b", "h=="),
        ("t", "user=eve", "host=evil"),  # a key stands behind a space
        ("t", "eve User=x", "h"),
        ("time=t", "a", "h"),
    ],
)
def test_values_without_a_key_are_what_they_seem(
    texts: Sequence[str | None], values: Sequence[str]
) -> None:
    check(texts, *values)


@pytest.mark.parametrize("texts", [PAIRS, AROUND])
@pytest.mark.parametrize(
    ("values", "text"),
    [
        (("t", "eve", "evil host=h"), " host="),
        (("t", "ana", "h host="), " host="),
        (("t", "eve user=x", "h"), " user="),
        (("t", " user=", "h"), " user="),
        (("t", "eve user=x", "h host=evil"), " host="),  # the last of them is named
    ],
)
def test_a_value_that_holds_the_key_before_it_is_bad(
    texts: Sequence[str | None], values: Sequence[str], text: str
) -> None:
    with pytest.raises(BadLine) as raised:
        check(texts, *values)
    assert str(raised.value) == f"{text!r} comes twice: it can't be told where values end"


def test_a_key_that_can_stand_nowhere_else_is_only_a_value() -> None:
    check(PAIRS, "t", "ana", "h user=eve")
    check((" user=", None, " host=", None), "ana", "h user=eve")
    check((" user=", None, " host=", None), "", "h user=")
    check(PAIRS, "time=t", "ana", "h user=eve")


def test_keys_between_bars_are_told_apart_too() -> None:
    check(SYMANTEC, "ana", "h|x")
    with pytest.raises(BadLine, match=r"^'\|HOST\|' comes twice: it can't be told"):
        check(SYMANTEC, "ana", "h|HOST|x")


def test_a_long_text_is_quoted_to_its_40th_character() -> None:
    key = f" {'k' * 50}="
    with pytest.raises(BadLine) as raised:
        check(("", None, key, None), "a", f"b{key}")
    assert str(raised.value).startswith(f"{key[:40]!r} comes twice")
