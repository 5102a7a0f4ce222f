"""Settings: what a key of the configuration takes, how it is read, and how it is told to people.

A section of the configuration is a frozen dataclass. Each of its fields carries its declaration:

    drain_secs: Annotated[float, Setting(Seconds(0, 3600), "How long ...")] = 10.0

Reading, error messages and the reference page all come from that line. A field with several
settings has several keys, of which at most one may be given.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import get_type_hints

from formats.errors import Problem
from nss.wording import nearest


class Refused(ValueError):  # noqa: N818 - named as the sentence reads
    """A value isn't what its setting takes.

    The keys of `problems` continue the setting's own key: empty, or the place in a list (`[1]`).
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.key} {toml_text(p.value)}: {p.reason}" for p in problems))


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
