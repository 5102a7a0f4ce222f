"""Differences of texts: the same lines as those of difflib, within a bound."""

import difflib
import random

import pytest

from nss.setup.difference import MAX_PAIRS, NO_NEWLINE, difference, lines_of


def unified(old: list[str], new: list[str]) -> list[str]:
    return list(difflib.unified_diff(old, new, lineterm=""))[2:]


@pytest.mark.parametrize("seed", range(60))
def test_it_reads_as_any_unified_difference(seed: int) -> None:
    chance = random.Random(seed)
    old = [f"line {n}" for n in range(chance.randint(0, 60))]
    new = list(old)
    for _ in range(chance.randint(0, 6)):
        at = chance.randint(0, len(new))
        if chance.random() < 0.5:
            new.insert(at, f"new {chance.random()}")
        elif at < len(new):
            del new[at]
    found = difference(old, new)
    assert [str(line) for line in found.lines] == unified(old, new)
    assert found.added == sum(str(line).startswith("+") for line in found.lines)
    assert found.removed == sum(str(line).startswith("-") for line in found.lines)


def test_what_people_see_may_be_something_else() -> None:
    found = difference(["a", "secret"], ["a", "other"], ["a", "***"], ["a", "***"])
    assert [str(line) for line in found.lines] == ["@@ -1,2 +1,2 @@", " a", "-***", "+***"]


def test_a_missing_line_feed_at_the_end_is_seen() -> None:
    assert lines_of("a\n") == ["a"]
    assert lines_of("a") == ["a", NO_NEWLINE]
    assert lines_of("") == []
    found = difference(lines_of("a"), lines_of("a\n"))
    assert [str(line) for line in found.lines][-1] == f"-{NO_NEWLINE}"


def test_texts_too_different_to_compare_count_as_one_change() -> None:
    count = int(MAX_PAIRS**0.5) + 1
    old, new = [f"o{n // 2}" for n in range(count)], [f"n{n // 2}" for n in range(count)]
    found = difference(["same", *old, "end"], ["same", *new, "end"])
    assert (found.added, found.removed) == (count, count)
    assert [line.text for line in found.lines if line.kind == "same"] == ["same", "end"]
