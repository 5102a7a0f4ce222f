"""Feed filters: words in any case, what is said of doubtful ones, and readings at their bounds."""

from collections.abc import Iterable

import pytest

from formats.errors import FilterError
from formats.filters import parse
from formats.filters.placeholders import any_field
from formats.filters.predicate import (
    AllOf,
    AnyOf,
    Comparison,
    Not,
    NumberTest,
    Predicate,
    Reading,
    TextTest,
)
from formats.filters.readings import MEMO_MAX_CHARS, READINGS


def reasons(table: dict[str, object]) -> list[str]:
    """Return what is wrong with a table."""
    with pytest.raises(FilterError) as raised:
        parse(table)
    return [problem.reason for problem in raised.value.problems]


def test_each_value_with_units_is_named_with_all_of_them() -> None:
    doubts = parse({"request_size": ["1KB-1GB", "5", "2MiB", "7mb-"]}).doubts
    both = "KB is 1,024 and GB is 1,073,741,824 bytes in filters"
    assert doubts == (
        f'request_size "1KB-1GB": {both}, as in the service; write KiB and GiB',
        'request_size "7mb-": MB is 1,048,576 bytes in filters, as in the service; write MiB',
    )


@pytest.mark.parametrize("name", ["hosts", "urls", "referers"])
@pytest.mark.parametrize("scheme", ["http://", "https://", "HTTPS://"])
def test_a_scheme_is_in_no_record(name: str, scheme: str) -> None:
    said = "records carry no scheme; write a.test"
    assert reasons({name: f"{scheme}a.test"}) == [said]


def test_a_field_leads_to_its_key_as_it_stands_and_negated() -> None:
    table = {"login": "x", "not_cintip": "x", "cpubip": "x"}
    assert reasons(dict(table)) == [
        f"unknown key; the nearest is {name}" for name in ("users", "not_public_ips", "public_ips")
    ]
    assert reasons({"url": "x"}) == ["unknown key; the nearest is urls"]


@pytest.mark.parametrize(
    ("text", "range_"),
    [
        ("4xx", (400, 499)),
        ("4XX", (400, 499)),
        ("404 - not found", (404, 404)),
        ("404 - Not found", (404, 404)),
        ("404-405", (404, 405)),
        ("404 -405", (404, 405)),
    ],
)
def test_codes_are_written_in_any_case(text: str, range_: tuple[int, int]) -> None:
    test = NumberTest((range_,))
    codes = AnyOf((Comparison("respcode", test, Reading.CODE),))
    assert parse({"response_codes": text}).predicate == AllOf((codes,))


def test_absent_fields_are_read_as_the_others_are() -> None:
    test = TextTest(frozenset({"none"}), (), (), ())

    def fields(predicate: Predicate) -> Iterable[Comparison]:
        if isinstance(predicate, Comparison):
            yield predicate
        elif isinstance(predicate, Not):
            yield from fields(predicate.negated)
        else:
            for member in predicate.members:
                yield from fields(member)

    found = list(fields(any_field(("a", "b"), test, Reading.HOST)))
    assert {(each.field, each.reading) for each in found} == {
        ("a", Reading.HOST),
        ("b", Reading.HOST),
    }


def test_an_address_is_read_up_to_a_length() -> None:
    longest = f"fe80::1%{'x' * (MEMO_MAX_CHARS - 8)}"
    assert len(longest) == MEMO_MAX_CHARS
    assert len(list(READINGS[Reading.ADDRESS](longest))) == 1
    assert list(READINGS[Reading.ADDRESS](f"{longest}x")) == []
