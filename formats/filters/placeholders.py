"""Keys for several fields: the placeholder of one that is absent is no value beside the others."""

from collections.abc import Sequence

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
from formats.values import NO_TEXT

_NO_TEXT = TextTest(frozenset({"none"}), (), (), ())
_NO_ADDRESS = NumberTest(((0, 0),))
_NO_ADDRESS_TEXT = TextTest(frozenset({"", *map(str.casefold, NO_TEXT)}), (), (), ())


def any_field(fields: Sequence[str], test: TextTest | NumberTest, reading: Reading) -> Predicate:
    """Return what passes if the test passes one of the fields.

    A field that holds its placeholder, `None` or 0.0.0.0, or no address but a word for none, counts
    only if all of them do: who asks for `0.0.0.0/0`, or for no file type but `None`, means the
    field that the record has.
    """
    tested = tuple(Comparison(field, test, reading) for field in fields)
    if len(fields) == 1 or not _passes_placeholder(test):
        return AnyOf(tested)
    if isinstance(test, TextTest):
        absent: tuple[Predicate, ...] = tuple(
            Comparison(name, _NO_TEXT, reading) for name in fields
        )
    else:
        absent = tuple(
            AnyOf((Comparison(name, _NO_ADDRESS, reading), Comparison(name, _NO_ADDRESS_TEXT)))
            for name in fields
        )
    of_stated = tuple(AllOf(pair) for pair in zip(tested, map(Not, absent), strict=True))
    return AnyOf((*of_stated, AllOf((AnyOf(tested), *absent))))


def _passes_placeholder(test: TextTest | NumberTest) -> bool:
    if isinstance(test, NumberTest):
        return any(first <= 0 <= last for first, last in test.ranges)
    (none,) = _NO_TEXT.equal
    return (
        none in test.equal
        or none.startswith(test.starts)
        or none.endswith(test.ends)
        or any(part in none for part in test.parts)
    )
