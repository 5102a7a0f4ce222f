"""What settings take: flags, words, numbers, durations, sizes, paths and lists of them."""

import re
from dataclasses import dataclass
from pathlib import Path

from formats.errors import Problem
from nss.config.setting import Kind, Refused, one_of, toml_text


class Flag(Kind):
    """`true` or `false`."""

    takes = "true or false"

    def read(self, value: object) -> bool:
        """Return the flag."""
        if not isinstance(value, bool):
            raise self.refuse(value)
        return value


class Choice(Kind):
    """One word of a closed set."""

    def __init__(self, *words: str) -> None:
        self.words = words

    @property
    def takes(self) -> str:
        """The words, quoted."""
        return one_of(self.words)

    def read(self, value: object) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            raise self.refuse(value)
        return value


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number, both ends of the range included."""

    low: int
    high: int
    unit: str = ""

    @property
    def takes(self) -> str:
        """The range and its unit."""
        unit = f" of {self.unit}" if self.unit else ""
        return f"a whole number{unit} from {self.low} to {self.high}"

    def read(self, value: object) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(value)
        if not self.low <= value <= self.high:
            raise self.refuse(value)
        return value


@dataclass(frozen=True)
class Seconds(Kind):
    """A duration in seconds, whole or not, both ends of the range included."""

    low: float
    high: float

    @property
    def takes(self) -> str:
        """The range in seconds."""
        return f"a number of seconds from {self.low} to {self.high}"

    def read(self, value: object) -> float:
        """Return the seconds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(value)
        if not self.low <= value <= self.high:
            raise self.refuse(value)
        return float(value)


KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40


_SIZE = re.compile(r"([0-9]{1,15}) ?([KMGT]i?B)?")


_DECIMAL_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


_UNITS = _DECIMAL_UNITS | {"KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}


@dataclass(frozen=True)
class Size(Kind):
    """A number of bytes, or text with a unit, both ends of the range included."""

    low: int
    high: int

    @property
    def takes(self) -> str:
        """The range, and how a unit is written."""
        low, high = (self.show(end).strip('"') for end in (self.low, self.high))
        return f'bytes from {low} to {high}, as a number or with a unit like "8KiB"'

    def read(self, value: object) -> int:
        """Return the number of bytes."""
        size = value
        if isinstance(value, str):
            found = _SIZE.fullmatch(value)
            if found is None:
                raise self.refuse(value)
            size = int(found[1]) * _UNITS.get(found[2], 1)
        if isinstance(size, bool) or not isinstance(size, int):
            raise self.refuse(value)
        if not self.low <= size <= self.high:
            raise self.refuse(value)
        return size

    def show(self, value: object) -> str:
        """Return the size with the largest unit, from MiB up, that it is a multiple of."""
        if isinstance(value, int) and value:
            for unit in ("TiB", "GiB", "MiB"):
                if value % _UNITS[unit] == 0:
                    return f'"{value // _UNITS[unit]}{unit}"'
        return toml_text(value)


OFF = "off"
"""What a setting takes, that may be, for not having it at all; it is read as `None`."""


@dataclass(frozen=True)
class FilePath(Kind):
    """A path; a relative one starts at the folder of the configuration file."""

    off: bool = False

    @property
    def takes(self) -> str:
        """A path, or that there is none."""
        return f"a path, without control characters{off_too(self.off)}"

    def read(self, value: object) -> Path | None:
        """Return the path as it is written."""
        if self.off and value == OFF:
            return None
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.refuse(value)
        return Path(value)

    def show(self, value: object) -> str:
        """Return the path in quotes."""
        return toml_text(OFF if value is None else value)


def off_too(off: bool) -> str:  # noqa: FBT001 - the one thing it is about
    """Return how `takes` goes on for a setting that may be off."""
    return f', or "{OFF}"' if off else ""


class OutputPath(Kind):
    """A path, or `-` for standard output, which is read as `None`."""

    takes = 'a path, or "-" for standard output'

    def read(self, value: object) -> Path | None:
        """Return the path as it is written, or `None` for standard output."""
        return None if value == "-" else FilePath().read(value)


@dataclass(frozen=True)
class ListOf(Kind):
    """A list without repetitions, at least one entry long."""

    item: Kind

    @property
    def takes(self) -> str:
        """The entries."""
        return f"a list of at least one, each {self.item.takes}"

    def read(self, value: object) -> tuple[object, ...]:
        """Return the entries; tells what is wrong with each."""
        if not isinstance(value, list) or not value:
            raise self.refuse(value)
        entries: list[object] = []
        problems: list[Problem] = []
        for at, raw in enumerate(value):
            try:
                entry = self.item.read(raw)
            except Refused as refused:
                problems += (Problem(f"[{at}]{p.key}", p.value, p.reason) for p in refused.problems)
                continue
            if entry in entries:
                problems.append(Problem(f"[{at}]", raw, "is in the list before"))
            entries.append(entry)
        if problems:
            raise Refused(*problems)
        return tuple(entries)

    def show(self, value: object) -> str:
        """Return the entries as a TOML list."""
        entries = value if isinstance(value, tuple) else ()
        return f"[{', '.join(self.item.show(entry) for entry in entries)}]"
