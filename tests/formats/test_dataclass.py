"""Data classes made fast behave as those of the standard library."""

import copy
import dataclasses
import inspect
import math
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from formats import dataclass as fast
from formats.dataclass import dataclass

Make = Callable[..., Any]
MAKERS = pytest.mark.parametrize("make", [dataclasses.dataclass, dataclass])
OPTIONS: tuple[dict[str, bool], ...] = (
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "kw_only": True},
    {"slots": True},
    {"slots": True, "eq": False},
    {"frozen": True},
    {},
)


def declared(make: Make, **options: bool) -> Make:
    @make(**options)
    class Point:
        """A point."""

        KIND: ClassVar[str] = "point"
        x: int
        y: float = 0.5
        names: list[str] = dataclasses.field(default_factory=list)
        hidden: str = dataclasses.field(default="h", repr=False, compare=False)
        last: int = dataclasses.field(default=3, kw_only=True)

        @property
        def far(self) -> bool:
            return self.x > 10

    point: Make = Point
    return point


def outcome(work: Callable[[], object]) -> tuple[str, object]:
    """Return what came of it; of an error its type, as the words name functions."""
    try:
        return "returned", work()
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return "raised", type(error).__name__


def behaviour(cls: Make) -> list[object]:
    one = cls(x=11)
    same, other = cls(x=11, hidden="k"), cls(x=11, y=math.nan, names=["n"], last=4)

    def assign(name: str) -> Callable[[], object]:
        return lambda: setattr(cls(x=1), name, 2)

    return [
        repr(one),
        repr(other),
        one == same,
        one == other,
        one != 11,
        other == other,  # noqa: PLR0124 - with a number that differs from itself
        one.far,
        one.KIND,
        one.names is not same.names,
        dataclasses.asdict(other) | {"y": 0},
        dataclasses.astuple(one),
        repr(dataclasses.replace(one, x=7, last=8)),
        [field.name for field in dataclasses.fields(one)],
        one.__match_args__,
        repr(copy.copy(one)),
        repr(copy.deepcopy(one)),
        getattr(cls, "__slots__", None),
        one.__doc__,
        outcome(lambda: hash(dataclasses.replace(one, names=()))),
        outcome(lambda: hash(one)),
        outcome(cls),
        outcome(lambda: repr(cls(1))),
        outcome(lambda: repr(cls(1, 2.0, ["a"], "b"))),
        outcome(lambda: cls(1, 2.0, [], "b", 5)),
        outcome(lambda: cls(x=1, nope=2)),
        outcome(assign("x")),
        outcome(assign("nope"))[0],  # the standard library trips over its own method with slots
        outcome(lambda: delattr(cls(x=1), "x")),
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_all_that_can_be_done_comes_to_the_same(options: dict[str, bool]) -> None:
    expected = behaviour(declared(dataclasses.dataclass, **options))
    got = behaviour(declared(dataclass, **options))

    if not (options.get("frozen") or options.get("eq", True) is False):
        assert got[18:20] == expected[18:20] == [("raised", "TypeError")] * 2
    if options.get("eq", True) is False:  # by identity
        got[18:20] = expected[18:20] = []
    assert got == expected


@MAKERS
def test_methods_of_its_own_stay(make: Make) -> None:
    @make(frozen=True, slots=True)
    class Own:  # noqa: PLW1641 - the other method is made
        x: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

    @make(slots=True)
    class Hashed:
        x: int

        def __hash__(self) -> int:
            return 5

    own: Make = Own
    hashed: Make = Hashed
    assert repr(own(1)) == "own"
    assert own(1) == own(2)
    assert hash(own(1)) == hash(own(1)) != hash(own(2))
    assert hash(hashed(1)) == 5
    assert hashed(1) == hashed(1)


@MAKERS
def test_a_class_inherits_fields_and_what_is_done_after_init(make: Make) -> None:
    @make(frozen=True, slots=True, kw_only=True)
    class Base:
        x: int = 1

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("below")

    @make(frozen=True, slots=True, kw_only=True)
    class Derived(Base):
        y: str

    class Plain(Derived):
        pass

    derived: Make = Derived
    plain: Make = Plain
    assert repr(derived(y="b")).endswith("Derived(x=1, y='b')")
    assert Base() != derived(y="b")
    assert plain(y="c").y == "c"
    with pytest.raises(ValueError, match="below"):
        derived(x=-1, y="b")
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain(y="c").y = "d"


@MAKERS
def test_a_mutable_default_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="mutable default"):

        @make(slots=True)
        class Wrong:
            x: list[int] = []  # noqa: RUF012 - that is the point


@MAKERS
def test_one_that_holds_itself_can_be_shown(make: Make) -> None:
    @make(slots=True)
    class Knot:
        next: object = None

    knot = Knot()
    knot.next = knot

    assert repr(knot).endswith("Knot(next=...)")


@dataclass(frozen=True, slots=True)
class Kept:
    """One that pickle finds by name."""

    x: int
    y: tuple[str, ...] = ()


def test_it_is_pickled_and_read_back() -> None:
    assert pickle.loads(pickle.dumps(Kept(1, ("a",)))) == Kept(1, ("a",))  # noqa: S301 - ours


def test_what_is_made_first_makes_the_rest_as_fast_as_ever() -> None:
    cls = declared(dataclass, frozen=True, slots=True)
    cls(1)

    parameters = inspect.signature(cls).parameters
    assert list(parameters) == ["x", "y", "names", "hidden", "last"]
    assert fast.__all__ == ["dataclass"]
