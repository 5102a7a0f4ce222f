"""Settings: everything about a key of the configuration is in its declaration.

A section of the configuration is a frozen dataclass. Each of its fields declares its key:

    proxy_auth_file: Annotated[Path | None, Role.USER_PASSWORD, needs("proxy")] = None
    "The file with `USER:PASSWORD` for the proxy."

Reading, error messages, the reference page, the checks of the machine, the files that a reload
watches and what diagnostics leave out all come from that. Beside the type stand, in any order,
what the key accepts (a `Kind`; for a `bool`, a `Literal` of words and a `Path` it follows from the
type), its `Role`, each `Rule` and an `Example`. `Also` is a second key of the field; at most one of
the two may be given. A field without a kind is no setting.
"""

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from nss.config.kinds import Kind, file_path, flag, words
from nss.config.values import FormatChoice

T = TypeVar("T")


class Role(Enum):
    """What a setting names outside of the configuration, if anything."""

    VALUE = "nothing"
    LISTENER = "an address that nothing else may listen at"
    INPUT = "a file with records that only this source reads"
    OUTPUT = "a file, or standard output, that only this sink writes to"
    LIST = "a file that only the sync writes to"
    SPOOL = "the database of the spool"
    SOCKET = "a socket that the service makes"
    STATE_FOLDER = "the folder that uploads need"
    FORMAT = "a feed format, which may be in a file"
    AUTHORITIES = "PEM with the authorities to trust"
    CERTIFICATE = "PEM with the certificate that `tls_key` belongs to"
    PRIVATE_KEY = "a secret file, PEM with the private key of `tls_certificate`"
    TOKEN = "a secret file with a bearer token"  # noqa: S105 - no secret
    USER_PASSWORD = "a secret file with USER:PASSWORD"  # noqa: S105 - no secret
    OBFUSCATION_KEY = "a secret file with the key of the `o*` fields"
    STORED_TOKEN = "a secret file that may come later"  # noqa: S105 - no secret
    UPDATE_FILE = "a file that only root reads, for updates"
    UPDATE_KEY = "a secret file that only root reads, for updates"

    @property
    def is_secret(self) -> bool:
        """Whether what is in the file must not leave the machine."""
        return self in _SECRET

    @property
    def is_read(self) -> bool:
        """Whether parts are built from what is in the file, which several keys may name."""
        return self in (_SECRET - {Role.UPDATE_KEY}) | {
            Role.FORMAT,
            Role.AUTHORITIES,
            Role.CERTIFICATE,
        }


_SECRET = {
    Role.PRIVATE_KEY,
    Role.TOKEN,
    Role.USER_PASSWORD,
    Role.OBFUSCATION_KEY,
    Role.STORED_TOKEN,
    Role.UPDATE_KEY,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a key that is given asks of another key of its table."""

    is_broken: Callable[[Mapping[str, object]], bool]
    reason: str
    """What a problem says, with the key itself as `{key}`."""
    note: str
    """What the reference page says."""
    shows_value: bool = True


def needs(other: str) -> Rule:
    """Return the rule that another key must be given."""
    return Rule(lambda table: other not in table, f"needs {other} as well", f"Needs `{other}`.")


def needs_flag(other: str) -> Rule:
    """Return the rule that a flag, `false` by default, must be `true`."""
    return Rule(
        lambda table: table.get(other, False) is False,
        f"needs {other} = true as well",
        f"Needs `{other} = true`.",
    )


def excludes(other: str) -> Rule:
    """Return the rule that another key may not be given."""
    reason = f"{other} and {{key}} exclude each other; keep one"
    return Rule(lambda table: other in table, reason, f"Excludes `{other}`.", shows_value=False)


def not_beside(other: str, value: str, reason: str) -> Rule:
    """Return the rule that another key may not have a certain value, with the reason."""
    return Rule(lambda table: table.get(other) == value, reason, f'Not with `{other} = "{value}"`.')


@dataclass(frozen=True, slots=True)
class Example:
    """A TOML value that a key accepts, and what holds if it is absent and the default is `None`."""

    text: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Also:
    """A second key of a field, with a description and notes of its own."""

    key: str
    description: str
    notes: Sequence[object]


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration of a key: `default` is `dataclasses.MISSING` when it is required.

    Of two keys of one field the first has the field's default.
    """

    section: type
    field: str
    key: str
    kind: Kind
    default: object
    role: Role
    rules: tuple[Rule, ...]
    example: Example

    @property
    def description(self) -> str:
        """What the key is for, in sentences."""
        return _descriptions(self.section)[self.key]

    @property
    def shown_default(self) -> str:
        """The default as it is written in TOML."""
        return self.kind.show(self.default)

    def broken_rules(self, table: Mapping[str, object]) -> Iterator[Rule]:
        """Yield the rules that a table breaks, if it has the key, and as a flag that is on."""
        is_off = self.default is False and table.get(self.key) is not True
        if self.key in table and not is_off:
            yield from (rule for rule in self.rules if rule.is_broken(table))


@cache
def declared(section: type) -> tuple[Declared, ...]:
    """Return the settings of a section's type, in the order of its fields."""
    found: list[Declared] = []
    for field in fields(section):
        base, notes = _annotation(field.type)
        keys: list[tuple[str, Any, Sequence[object]]] = [(field.name, field.default, notes)]
        keys += [(also.key, None, also.notes) for also in _of(Also, notes)]
        for key, default, own in keys:
            kind = next(_of(Kind, own), None) or _inferred(base)
            if kind is not None:
                role, rules = next(_of(Role, own), Role.VALUE), tuple(_of(Rule, own))
                example = next(_of(Example, own), Example())
                found.append(
                    Declared(section, field.name, key, kind, default, role, rules, example)
                )
            elif own:
                raise TypeError(f"{section.__name__}.{key} needs a kind")
    return tuple(found)


def _annotation(annotation: object) -> tuple[object, list[object]]:
    """Return a type and what stands beside it."""
    is_noted = get_origin(annotation) is Annotated
    base, *notes = get_args(annotation) if is_noted else (annotation,)
    return base, notes


def _of(kind: type[T], notes: Iterable[object]) -> Iterator[T]:
    return (note for note in notes if isinstance(note, kind))


def _inferred(base: object) -> Kind | None:
    """Return the kind that follows from a type, if one does."""
    if base is bool:
        return flag()
    if get_origin(base) is Literal:
        return words(*get_args(base))
    return file_path() if Path in {base, *get_args(base)} else None


@cache
def _descriptions(section: type) -> dict[str, str]:
    """Return what stands below the fields of a section, and beside further keys."""
    notes = (note for field in fields(section) for note in _annotation(field.type)[1])
    found = {also.key: also.description for also in _of(Also, notes)}
    for cls in reversed(section.__mro__[:-1]):
        statements = ast.walk(ast.parse(inspect.getsource(cls)))
        (body,) = (part.body for part in statements if isinstance(part, ast.ClassDef))
        for above, below in pairwise(body):
            match above, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    found[name] = " ".join(text.split())
    return found


@dataclass(frozen=True, slots=True)
class Held:
    """A setting with its value in a section of a configuration; `key` is its whole path."""

    key: str
    entry: Declared
    value: Any
    section: Any

    @property
    def role(self) -> Role:
        """What the setting names."""
        return self.entry.role

    @property
    def file(self) -> Path | None:
        """The file that it names, if it names any."""
        match self.value:
            case Path() as path:
                return path
            case FormatChoice() as choice:
                return choice.file
            case _:
                return None


def held_by(section: object, where: str = "") -> Iterator[Held]:
    """Yield the settings of a section that stands at `where`, with their values."""
    cls: type = type(section)
    for entry in declared(cls):
        yield Held(f"{where}.{entry.key}", entry, getattr(section, entry.field), section)
