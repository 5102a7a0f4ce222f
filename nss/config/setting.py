"""Settings: what a key of the configuration takes, how it is read, and how it is told to people.

A section of the configuration is a frozen dataclass. Each of its fields carries its declaration:

    drain_secs: Annotated[float, Setting(Seconds(0, 3600), "How long ...")] = 10.0

Reading, error messages and the reference page all come from that line. A field with several
settings has several keys, of which at most one may be given.
"""

import difflib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import get_type_hints

from formats.errors import Problem


class Refused(ValueError):  # noqa: N818 - named as the sentence reads
    """A value isn't what its setting takes.

    The keys of `problems` continue the setting's own key: empty, or the place in a list (`[1]`).
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.key} {toml_text(p.value)}: {p.why}" for p in problems))


class Kind(ABC):
    """What a setting takes: reads a TOML value and tells people what would be right."""

    @property
    @abstractmethod
    def takes(self) -> str:
        """What is right, as it reads after "must be": type, unit and range."""

    @abstractmethod
    def read(self, value: object) -> object:
        """Return the value to work with. Raises `Refused`."""

    def show(self, value: object) -> str:
        """Return a value to work with as it is written in TOML."""
        return toml_text(value)

    def refuse(self, value: object, why: str = "") -> Refused:
        """Return the error for `value`; without `why` it says what would be right."""
        return Refused(Problem("", value, why or f"must be {self.takes}"))


@dataclass(frozen=True, slots=True)
class Setting:
    """The declaration of one key, beside the name, type and default of the field it stands at.

    `key` is needed where it differs from the field's name. `example` is a TOML value. `absent`
    says what holds without the key, where the default alone does not tell.
    """

    kind: Kind
    description: str
    key: str = ""
    example: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A setting with what its field adds: `default` is `dataclasses.MISSING` when required.

    Of several settings of one field the first has the field's default.
    """

    key: str
    field: str
    setting: Setting
    default: object

    @property
    def default_text(self) -> str:
        """What holds without the key, for people."""
        if self.setting.absent:
            return self.setting.absent
        return "required" if self.default is MISSING else f"`{self.shown_default}`"

    @property
    def shown_default(self) -> str:
        """The default as it is written in TOML."""
        return self.setting.kind.show(self.default)


@cache
def declared(section: type) -> tuple[Declared, ...]:
    """Return the settings of a section's dataclass, in the order of its fields."""
    hints = get_type_hints(section, include_extras=True)
    found: list[Declared] = []
    for field in fields(section):
        notes = getattr(hints[field.name], "__metadata__", ())
        default = field.default
        for setting in (note for note in notes if isinstance(note, Setting)):
            found.append(Declared(setting.key or field.name, field.name, setting, default))
            default = None
    return tuple(found)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the entry of `known` that `word` was probably meant to be."""
    spelled = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), spelled, n=1)
    return spelled[found[0]] if found else None


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return a sentence with the nearest of `known`, or with all of them when none is near."""
    near = nearest(word, known)
    return f"the nearest is {near}" if near else f"known are {', '.join(known)}"


def one_of(words: Sequence[str]) -> str:
    """Return the words in quotes, as a choice reads in a sentence."""
    *most, last = (toml_text(word) for word in words)
    return f"{', '.join(most)} or {last}" if most else last


def printable(text: str) -> str:
    """Return text with everything but LF that a terminal might obey as TOML's escapes."""
    return "".join(c if c.isprintable() or c == "\n" else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= _MAX_SHORT_ESCAPE else f"\\U{code:08x}"


_MAX_SHORT_ESCAPE = 0xFFFF
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def key_path(where: str, key: str) -> str:
    """Return the path of a key as it is written in TOML."""
    written = key if _BARE_KEY.fullmatch(key) else toml_text(key)
    return f"{where}.{written}" if where else written


def toml_text(value: object) -> str:
    """Return a value as it is written in TOML; what is inside of tables is left out."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return printable(json.dumps(str(value), ensure_ascii=False))
        case list() | tuple():
            return f"[{', '.join('[...]' if _nests(item) else toml_text(item) for item in value)}]"
        case Mapping():
            return "{...}"
        case _:
            return str(value)


def _nests(value: object) -> bool:
    return isinstance(value, list | tuple)


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
                problems += (Problem(f"[{at}]{p.key}", p.value, p.why) for p in refused.problems)
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
