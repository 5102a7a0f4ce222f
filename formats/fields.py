"""The one catalogue of NSS web fields: name, conversion, placeholder and how each can be derived.

`catalogue.csv` beside this file names every field with its vendor group and a short description.
A field that a record lacks is derived from a twin where that is exact, and is a placeholder
otherwise: `None` for text, `0` for numbers, `0.0.0.0` for addresses.
"""

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

Conversion = Literal["s", "d"]
How = Literal["same", "encode", "unbase64", "unbase64-encode", "base64", "obfuscate", "path"]
"""What a derivation does with the text that it starts from; `formats.values` has the functions.

    same             nothing
    encode           encodes it like the `e*` fields
    unbase64         decodes base64, and fails for what is not
    unbase64-encode  decodes base64, then encodes
    base64           encodes it as base64
    obfuscate        replaces it by a number that does not lead back
    path             takes the path of a URL, then encodes
"""

TIME_FIELDS = frozenset(
    {"time", "yy", "yyyy", "mon", "mth", "dd", "day", "hh", "mm", "ss", "tz", "epochtime"}
)
"""Parts of the time of a record; each follows from any complete statement of it."""

ADDRESS_FIELDS = frozenset({"cip", "cintip", "cpubip", "sip", "fwd_gw_ip", "nsssvcip"})

_ENCODED_TWINS = {"edepartment": "dept"}
_ENCODED_PATHS = {"eurlpath": "url", "erefererpath": "referer"}
_ALIASES = {"hostname": "host"}


@dataclass(frozen=True, slots=True)
class Derivation:
    """One way to derive a value: what to do with the own value of which other field."""

    how: How
    source: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the catalogue.

    `conversion` is what the value is: `s` text, `d` a number. `derivations` are tried in order
    when a record does not have the field itself.
    """

    name: str
    conversion: Conversion
    group: str
    description: str
    example: str
    derivations: tuple[Derivation, ...] = ()

    @property
    def placeholder(self) -> str | int:
        """What is printed when a record has neither the field nor a way to it."""
        if self.conversion == "d":
            return 0
        return "0.0.0.0" if self.name in ADDRESS_FIELDS else "None"  # noqa: S104 - a value

    @property
    def encoded(self) -> bool:
        """Whether the service `%HH`-encodes the value (the `e*` family)."""
        return self.group == "Hex-encoded"

    @property
    def base64(self) -> bool:
        """Whether the value is base64 text (the `b64*` family)."""
        return self.group == "Base64"

    @property
    def obfuscated(self) -> bool:
        """Whether the value is a one-way stand-in (the `o*` family)."""
        return self.group == "Obfuscated"


def _plain_of(name: str, group: str, names: frozenset[str]) -> str | None:
    """Return the plain twin of an `e*`, `b64*` or `o*` field."""
    if name in _ENCODED_TWINS:
        return _ENCODED_TWINS[name]
    prefix = {"Hex-encoded": "e", "Base64": "b64", "Obfuscated": "o"}.get(group)
    if prefix is None or name in _ENCODED_PATHS:
        return None
    plain = name.removeprefix(prefix)
    return plain if plain in names else None


def _derivations(name: str, group: str, names: frozenset[str]) -> tuple[Derivation, ...]:
    plain = _plain_of(name, group, names)
    if name in _ENCODED_PATHS:
        source = _ENCODED_PATHS[name]
        return (Derivation("path", f"e{source}"), Derivation("path", source))
    if name in _ALIASES:
        return (Derivation("same", _ALIASES[name]), Derivation("same", f"e{_ALIASES[name]}"))
    twin = f"b64{plain or name}"
    decoded = (twin,) if twin in names and twin != name else ()
    if group == "Hex-encoded" and plain:
        return (
            Derivation("encode", plain),
            *(Derivation("unbase64-encode", other) for other in decoded),
        )
    if group == "Base64":
        return (Derivation("base64", plain),) if plain else ()
    if group == "Obfuscated":
        return (Derivation("obfuscate", plain),) if plain else ()
    encoded = "edepartment" if name == "dept" else f"e{name}"
    return (
        *(Derivation("unbase64", other) for other in decoded),
        # The encoded text as it stands: `%` itself is not encoded, so decoding would be a guess.
        *((Derivation("same", encoded),) if encoded in names else ()),
    )


@cache
def catalogue() -> MappingProxyType[str, Field]:
    """Return every known field by name, in the catalogue's order."""
    text = files("formats").joinpath("catalogue.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    names = frozenset(row["name"] for row in rows)
    fields = {}
    for row in rows:
        name, group = row["name"], row["group"]
        conversion: Conversion = "d" if row["conversion"] == "d" else "s"
        fields[name] = Field(
            name,
            conversion,
            group,
            row["description"],
            row["example"],
            _derivations(name, group, names),
        )
    return MappingProxyType(fields)


def nearest(name: str) -> str | None:
    """Return the known field name closest to `name`, if any is close."""
    names = catalogue()
    folded = {known.lower(): known for known in names}
    if name.lower() in folded:
        return folded[name.lower()]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return close[0] if close else None
