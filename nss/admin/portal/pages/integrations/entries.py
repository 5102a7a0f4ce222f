"""What an account is asked for, and what somebody has entered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from nss.answers import MAX_CHARS
from nss.secret import Secret

Kind = Literal["text", "secret", "path"]

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form. A `path` is that of a file on the machine of the service."""

    name: str
    label: str
    hint: str = ""
    kind: Kind = "text"
    is_optional: bool = False
    goes_with_secret: bool = False
    """Whether what is stored is right only as long as the secret stays: it is not filled in."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an answer, and what to do."""

    sentence: str
    tip: str = ""

    @property
    def text(self) -> str:
        """All of it, for the place below a field."""
        said = f"{_begun(self.sentence)}."
        return f"{said} Try: {self.tip}" if self.tip else said


@dataclass(frozen=True, slots=True)
class Entry:
    """The answers of a form. A secret that is not there is the one that was stored before."""

    method: str
    texts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built(Generic[C]):
    """Credentials made of an entry; `None` with problems, by the names of their fields."""

    credentials: C | None
    problems: Mapping[str, Problem] = field(default_factory=dict)


def too_long(label: str) -> Problem:
    """Return what is wrong with an answer of more than any answer can have."""
    return Problem(f"the {label} is longer than {MAX_CHARS:,} characters")


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:].removesuffix(".")
