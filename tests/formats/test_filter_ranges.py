"""Feed filters with several ranges: apart, touching, overlapping and inside of each other."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.filters import parse
from formats.filters.predicate import AllOf, AnyOf, Comparison, NumberTest
from formats.rendering.generate import compile_predicate

RANGES = [
    (["1-9", "3-5"], [(1, 9)]),
    (["3-5", "1-9"], [(1, 9)]),
    (["1-9", "1-5"], [(1, 9)]),
    (["1-5", "5-9"], [(1, 9)]),
    (["1-5", "6-9"], [(1, 9)]),
    (["1-5", "7-9"], [(1, 5), (7, 9)]),
    (["1-9", "2-3", "8-12", "14"], [(1, 12), (14, 14)]),
    (["5-", "7-9", "1"], [(1, 1), (5, math.inf)]),
    (["3", "3", "4"], [(3, 4)]),
]
"""Sizes, and the ranges that they come to."""


def passed(values: list[str]) -> set[int]:
    """Return which sizes below 45 these ranges pass."""
    predicate = parse({"request_size": values}).predicate
    passes = compile_predicate(predicate, lambda field: f"r.{field}", {})
    return {size for size in range(45) if passes(SimpleNamespace(reqsize=size))}


@pytest.mark.parametrize(("values", "ranges"), RANGES)
def test_ranges_that_touch_or_hold_each_other_are_one(
    values: list[str], ranges: list[tuple[int, float]]
) -> None:
    test = NumberTest(tuple(ranges))
    assert parse({"request_size": values}).predicate == AllOf(
        (AnyOf((Comparison("reqsize", test),)),)
    )


@pytest.mark.parametrize(("values", "ranges"), RANGES)
def test_what_lies_in_one_of_the_ranges_passes(
    values: list[str], ranges: list[tuple[int, float]]
) -> None:
    inside = {size for size in range(45) if any(first <= size <= last for first, last in ranges)}
    assert passed(values) == inside


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), min_size=1, max_size=8))
def test_any_ranges_pass_what_lies_in_one_of_them(drawn: list[tuple[int, int]]) -> None:
    inside = {size for first, more in drawn for size in range(first, first + more + 1)}
    assert passed([f"{first}-{first + more}" for first, more in drawn]) == inside
