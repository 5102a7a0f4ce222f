"""The predicate of a feed filter becomes decisions, which the compiled core follows.

A decision is one comparison and where to go from there: to a decision that stands before it in the
list, or to one of the two ends. Values that a record lacks are judged here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from typing import cast

from formats.compiled.program import MAX_NUMBER, MAX_WAYS, How, Unfit, how_of
from formats.filters.predicate import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Comparison,
    Not,
    NumberTest,
    Predicate,
    Reading,
    TextTest,
)
from formats.filters.readings import IPV6_OFFSET
from formats.plan import Attribute, Constant, Derived, FieldAccess, Own, Total, Value
from formats.rendering.generate import compile_predicate

PASSED, FAILED = -1, -2
"""Where a decision may lead to other than to another one."""

MAX_DECISIONS = 4096

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_ADDRESS_BYTES = 17
_FOLDED = range(0x80, 0x800)
_BLOCK, _BLOCKS = 256, 512


class Tested(IntEnum):
    """What of a value is tested, and how; the numbers are those of predicate.pxi."""

    TEXT = 0
    HOST = 1
    MEMBERS = 2
    CODE = 3
    ADDRESS = 4
    NUMBER = 5
    TOTAL = 6


_TESTED = {
    Reading.VALUE: Tested.TEXT,
    Reading.HOST: Tested.HOST,
    Reading.MEMBERS: Tested.MEMBERS,
    Reading.CODE: Tested.CODE,
    Reading.ADDRESS: Tested.ADDRESS,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """One comparison, and the number of the decision that follows, or `PASSED` or `FAILED`.

    `slot`, `ways` and the `How` in them are as in `program.Step`. `otherwise` is whether a record
    that states nothing passes. `words` are in UTF-8: those that the text may equal, sorted; what it
    may start with, end with and hold. `ranges` are first and last numbers, `addresses` first and
    last places of 17 bytes (`_place`), both sorted and apart.
    """

    tested: Tested
    if_passed: int
    if_failed: int
    slot: int = -1
    ways: tuple[tuple[int, How, int], ...] = ()
    otherwise: bool = False
    words: tuple[tuple[bytes, ...], ...] = ((), (), (), ())
    ranges: tuple[tuple[int, int], ...] = ()
    addresses: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Sieve:
    """A predicate as decisions; `entry` is the first to follow, or an end.

    `folds` has for each of the characters from U+0080 to U+07FF seven bytes: how many bytes its
    case-folded text takes, and the text. `unfolded` says for each block of 256 characters whether
    folding changes none of them.
    """

    entry: int
    decisions: tuple[Decision, ...]
    folds: bytes
    unfolded: bytes
    encodes_colon: bool
    """Whether encoded fields have no `:`, so that no port is seen in what is derived for them."""


def sieve_of(
    predicate: Predicate, access: FieldAccess, slots: Mapping[str, int], escape_characters: str
) -> Sieve | None:
    """Return the sieve of a predicate; `None` for one that all records pass. Raises `Unfit`."""
    if predicate == EVERYTHING:
        return None
    decisions = _Decisions(access, slots)
    entry = decisions.enter(predicate, PASSED, FAILED)
    folds, unfolded = _folds()
    return Sieve(entry, tuple(decisions.made), folds, unfolded, ":" in escape_characters)


class _Decisions:
    """Makes decisions, the last to be followed first."""

    def __init__(self, access: FieldAccess, slots: Mapping[str, int]) -> None:
        self.made: list[Decision] = []
        self._values = access.values
        self._attributes = {attribute.name: attribute for attribute in access.attributes}
        self._slots = slots

    def enter(self, predicate: Predicate, passed: int, failed: int) -> int:
        """Return where a predicate begins that leads to one of two places. Raises `Unfit`."""
        match predicate:
            case AllOf(members):
                for member in reversed(members):
                    passed = self.enter(member, passed, failed)
                return passed
            case AnyOf(members):
                for member in reversed(members):
                    failed = self.enter(member, passed, failed)
                return failed
            case Not(negated):
                return self.enter(negated, failed, passed)
            case Comparison(field):
                return self._compare(predicate, self._values[field], passed, failed)

    def _compare(self, comparison: Comparison, value: Value, passed: int, failed: int) -> int:
        if isinstance(value, Constant):
            return passed if _passes(comparison, value.value) else failed
        if len(self.made) == MAX_DECISIONS:
            raise Unfit("a filter of many parts")
        number, test = isinstance(comparison.test, NumberTest), comparison.test
        if number and comparison.reading is Reading.VALUE:
            tested = Tested.TOTAL if isinstance(value, Total) else Tested.NUMBER
        else:
            tested = _TESTED[comparison.reading]
        decision = self._reads(Decision(tested, passed, failed), comparison, value)
        if isinstance(test, TextTest):
            decision = replace(decision, words=tuple(_words(test)))
        elif tested is Tested.ADDRESS:
            places = tuple((_place(first), _place(last)) for first, last in test.ranges)
            decision = replace(decision, addresses=places)
        else:
            decision = replace(decision, ranges=tuple(_ranges(test)))
        self.made.append(decision)
        return len(self.made) - 1

    def _reads(self, decision: Decision, comparison: Comparison, value: Value) -> Decision:
        """Return the decision with the slots it reads, and what becomes of values that lack."""
        is_number = decision.tested in {Tested.NUMBER, Tested.TOTAL}
        match value:
            case Own(own):
                otherwise = self._attributes[own].default
                ways: tuple[tuple[int, How, int], ...] = ()
            case Derived(own, derivations, otherwise) if not is_number:
                sources = [self._attribute(way.source, number=False) for way in derivations]
                ways = tuple(
                    (self._slots[source.name], how_of(way), 0)
                    for source, way in zip(sources, derivations, strict=True)
                )
            case Total(own, summands) if is_number:
                otherwise, ways = 0, tuple(map(self._summand, summands))
            case _:
                raise Unfit("a value that the core does not test")
        if otherwise is None or len(ways) > MAX_WAYS:
            raise Unfit("a value without a default, or many derivations")
        if ways and decision.tested in {Tested.MEMBERS, Tested.CODE, Tested.ADDRESS}:
            raise Unfit("a derived value that is parsed")
        return replace(
            decision,
            slot=-1 if own is None else self._slots[self._attribute(own, number=is_number).name],
            ways=ways,
            otherwise=_passes(comparison, otherwise),
        )

    def _attribute(self, name: str, *, number: bool) -> Attribute:
        attribute = self._attributes[name]
        if attribute.number != number:
            raise Unfit("a text that is tested as a number, or a number as a text")
        return attribute

    def _summand(self, name: str) -> tuple[int, How, int]:
        default = self._attribute(name, number=True).default
        if not isinstance(default, int) or abs(default) > MAX_NUMBER:
            raise Unfit("a sum of what has no default")
        return self._slots[name], How.SAME, default


def _passes(comparison: Comparison, value: str | int) -> bool:
    return bool(compile_predicate(comparison, lambda _: "r", {})(value))


def _words(test: TextTest) -> Iterator[tuple[bytes, ...]]:
    """Yield the words of each form; a lone surrogate is in no text of the core."""
    for words in (test.equal, test.starts, test.ends, test.parts):
        yield tuple(sorted(word.encode("utf-8", "surrogatepass") for word in words))


def _ranges(test: NumberTest) -> Iterator[tuple[int, int]]:
    """Yield what of the ranges numbers of 64 bits can be in."""
    for first, last in test.ranges:
        if first <= _MAX_INTEGER and last >= _MIN_INTEGER:
            yield max(first, _MIN_INTEGER), cast("int", min(last, _MAX_INTEGER))


def _place(number: float) -> bytes:
    """Return the place of an address among others: kind, IPv4 first, and its bits."""
    whole = int(number)
    kind, bits = (0, whole) if whole < IPV6_OFFSET else (1, whole - IPV6_OFFSET)
    return bytes((kind,)) + bits.to_bytes(_ADDRESS_BYTES - 1, "big")


@cache
def _folds() -> tuple[bytes, bytes]:
    """Return what folding makes of characters; see `Sieve`."""
    folds = [chr(code).casefold().encode() for code in _FOLDED]
    blocks: Sequence[str] = [
        "".join(map(chr, range(block * _BLOCK, (block + 1) * _BLOCK))) for block in range(_BLOCKS)
    ]
    return (
        b"".join(bytes((len(fold),)) + fold.ljust(6, b"\0") for fold in folds),
        bytes(block.casefold() == block for block in blocks),
    )
