"""Lines in one buffer behave as a list of them that nobody changes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.lines import Lines

TEXTS = st.lists(st.binary(max_size=5), max_size=6)
INDICES = st.integers(-8, 8)


@given(TEXTS)
def test_they_are_what_they_were_made_of(texts: list[bytes]) -> None:
    lines = Lines.of(texts)
    assert list(lines) == texts
    assert lines == texts
    assert len(lines) == len(texts)
    assert [lines[index] for index in range(-len(texts), len(texts))] == texts * 2
    assert lines.data.tobytes() == b"".join(text + b"\n" for text in texts)
    assert lines.size_bytes == len(lines.data)
    assert lines.longest == max(map(len, texts), default=0)
    assert repr(lines) == f"Lines({texts!r})"


@given(TEXTS, INDICES, INDICES, INDICES, INDICES)
def test_parts_are_views_of_the_same_buffer(
    texts: list[bytes], start: int, stop: int, again: int, end: int
) -> None:
    part = Lines.of(texts)[start:stop][again:end]
    expected = texts[start:stop][again:end]
    assert part == expected
    assert part.data.tobytes() == b"".join(text + b"\n" for text in expected)
    assert part.longest >= max(map(len, expected), default=0)
    for each in (part, Lines(part.buffer, part.ends, part.first, part.last)):
        assert each.sizes_of(range(len(expected))[::-2]) == [len(one) for one in expected[::-2]]


@given(st.lists(TEXTS, max_size=4), INDICES)
def test_parts_are_joined_in_order(parts: list[list[bytes]], cut: int) -> None:
    joined = Lines.joined([Lines.of(part)[cut:] for part in parts])
    assert joined == [text for part in parts for text in part[cut:]]


@given(TEXTS, st.integers(0, 40), INDICES)
def test_as_many_fit_as_have_room_with_their_line_feeds(
    texts: list[bytes], size_bytes: int, start: int
) -> None:
    lines = Lines.of(texts)[start:]
    count = lines.fitting(size_bytes)
    assert lines[:count].size_bytes <= size_bytes
    assert count == len(lines) or lines[: count + 1].size_bytes > size_bytes


def test_the_bound_is_found_when_nobody_has_told_it() -> None:
    made = Lines.of([b"a", b"bcd"])
    assert Lines(made.buffer, made.ends).longest == 3
    assert Lines(made.buffer, made.ends)[:1].longest == 1


def test_lines_that_do_not_follow_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("lines that do not follow each other")):
        Lines.of([b"a", b"b", b"c"])[::2]


@pytest.mark.parametrize("index", [2, -3])
def test_a_line_that_is_not_there_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError):
        Lines.of([b"a", b"b", b"c"])[:2][index]


def test_they_equal_only_sequences_of_the_same_lines() -> None:
    assert Lines.of([b"a"]) != [b"a", b"b"]
    assert Lines.of([b"a"]) != [b"b"]
    assert Lines.of([b"a"]) != 1
    with pytest.raises(TypeError):
        hash(Lines.of([b"a"]))


@given(TEXTS, INDICES, st.integers(-1, 6))
def test_those_that_are_too_long_are_found(texts: list[bytes], start: int, most: int) -> None:
    whole = Lines.of(texts)
    for lines in (whole[start:], Lines(whole.buffer, whole.ends)[start:]):
        expected = [index for index, line in enumerate(texts[start:]) if len(line) > most]
        assert lines.longer(most) == expected
        assert lines.longer(most) == expected
        assert bool(expected) == (lines.longest > most)


@given(TEXTS, st.data())
def test_several_are_changed_at_once(texts: list[bytes], data: st.DataObject) -> None:
    indices = st.integers(0, max(len(texts) - 1, 0))
    others = st.dictionaries(indices, st.none() | st.binary(max_size=5)) if texts else st.just({})
    changed = dict(sorted(data.draw(others).items()))
    expected = [changed.get(index, text) for index, text in enumerate(texts)]
    whole = Lines.of(texts)
    for lines in (whole, Lines(whole.buffer, whole.ends)):
        assert lines.patched(changed) == [text for text in expected if text is not None]
