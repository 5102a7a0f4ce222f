"""what settings accept: flags, words, numbers, durations, sizes, paths and lists of them."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from formats.dataclass import dataclass
from formats.errors import Problem
from nss.config.toml import choice_of, toml_text
from nss.wording import nearest

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40

OFF = "off"
"""What an optional setting accepts for not having it at all; it is read as `None`."""

_SIZE = re.compile(r"([0-9]{1,15}) ?([KMGT]i?B)?")
_DECIMAL_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS = _DECIMAL_UNITS | {"KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}


class InvalidValue(ValueError):  # noqa: N818 - named as the sentence reads
    """A value is not what its setting accepts.

    The keys of `problems` continue the setting's own key: empty, or the place in a list (`[1]`).
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.key} {toml_text(p.value)}: {p.reason}" for p in problems))


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting accepts."""

    expected: str
    """What is right, as it reads after "must be": type, unit and range."""
    read: Callable[[object], Any]
    """Returns the value to work with. Raises `InvalidValue`."""
    show: Callable[[Any], str] = toml_text
    """Returns a value to work with as it is written in TOML."""
    none: str = ""
    """The word that is read as `None`, if there is one."""


def invalid(value: object, reason: str) -> InvalidValue:
    """Return the error for a value that is wrong as a whole."""
    return InvalidValue(Problem("", value, reason))


def values(
    expected: str,
    read: Callable[[Any], object],
    *,
    of: type = object,
    show: Callable[[Any], str] = toml_text,
    none: str = "",
) -> Kind:
    """Return the kind of the values of a type that `read` accepts, and the word `none` if given.

    `read` returns `None` for what is not `expected`; it raises `InvalidValue` to say more.
    """
    if none:
        expected = f'{expected}, or "{none}"'

    def read_it(value: object) -> object:
        if none and value == none:
            return None
        found = read(value) if isinstance(value, of) else None
        if found is None:
            raise invalid(value, f"must be {expected}")
        return found

    def show_it(value: object) -> str:
        return toml_text(none) if value is None else show(value)

    return Kind(expected, read_it, show_it, none)


texts = partial(values, of=str)


def texts_that(expected: str, is_right: Callable[[str], object]) -> Kind:
    """Return the kind of the texts that pass a test."""
    return texts(expected, lambda text: text if is_right(text) else None)


def flag() -> Kind:
    """Return the kind of `true` and `false`."""
    return values("true or false", lambda value: value, of=bool)


def words(*choices: str) -> Kind:
    """Return the kind of one word of a closed set."""
    return texts_that(choice_of(choices), lambda text: text in choices)


def whole_number(low: int, high: int, unit: str = "") -> Kind:
    """Return the kind of whole numbers, both ends of the range included."""
    return values(
        f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}",
        lambda value: value if type(value) is int and low <= value <= high else None,
    )


def seconds(low: float, high: float) -> Kind:
    """Return the kind of durations in seconds, whole or not, both ends of the range included."""

    def read(value: Any) -> float | None:  # noqa: ANN401 - whatever TOML has
        return float(value) if type(value) in {int, float} and low <= value <= high else None

    return values(f"a number of seconds from {low} to {high}", read)


def byte_size(low: int, high: int) -> Kind:
    """Return the kind of numbers of bytes, also with a unit, both ends of the range included."""
    ends = " to ".join(_size_text(end).strip('"') for end in (low, high))

    def read(value: object) -> int | None:
        return size if low <= (size := _bytes(value)) <= high else None

    return values(
        f'bytes from {ends}, as a number or with a unit like "8KiB"', read, show=_size_text
    )


def _bytes(value: object) -> int:
    """Return the number of bytes, -1 for what is no size."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        return int(found[1]) * _UNITS.get(found[2], 1)
    return value if type(value) is int else -1


def _size_text(size_bytes: int) -> str:
    """Return the size with the largest unit, from MiB up, that it is a multiple of."""
    for unit in ("TiB", "GiB", "MiB"):
        if size_bytes and size_bytes % _UNITS[unit] == 0:
            return f'"{size_bytes // _UNITS[unit]}{unit}"'
    return str(size_bytes)


def file_path(*, off: bool = False) -> Kind:
    """Return the kind of paths, as they are written."""
    return texts("a path, without control characters", _path, none=OFF if off else "")


def output_path() -> Kind:
    """Return the kind of paths and `-` for standard output, which is read as `None`."""
    path = file_path()
    return Kind(
        'a path, or "-" for standard output',
        lambda value: None if value == "-" else path.read(value),
        lambda value: toml_text(value or "-"),
        none="-",
    )


def _path(text: str) -> Path | None:
    return Path(text) if text and text.isprintable() else None


def list_of(item: Kind, *, may_be_empty: bool = False) -> Kind:
    """Return the kind of lists without repetitions, at least one entry long unless said so."""

    def read(entries: Sequence[object]) -> tuple[object, ...] | None:
        found = _entries(item, entries)
        return found if found or may_be_empty else None

    return values(
        f"a list{'' if may_be_empty else ' of at least one'}, each {item.expected}",
        read,
        of=list,
        show=lambda entries: f"[{', '.join(map(item.show, entries))}]",
    )


def _entries(item: Kind, values: Sequence[object]) -> tuple[object, ...]:
    """Return the entries of a list. Raises `InvalidValue` with everything wrong."""
    entries: list[object] = []
    problems: list[Problem] = []
    for at, value in enumerate(values):
        try:
            entry = item.read(value)
        except InvalidValue as error:
            problems += (Problem(f"[{at}]{p.key}", p.value, p.reason) for p in error.problems)
            continue
        if entry in entries:
            problems.append(Problem(f"[{at}]", value, "is in the list before"))
        entries.append(entry)
    if problems:
        raise InvalidValue(*problems)
    return tuple(entries)


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return a sentence with the nearest of `known`, or with all of them when none is near."""
    near = nearest(word, known)
    return f"the nearest is {near}" if near else f"known are {', '.join(known)}"
