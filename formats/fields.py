"""The one catalogue of NSS web fields: name, conversion, placeholder and how each can be derived.

`catalogue.csv` beside this file has every field with its vendor group, what it is derived from
(`how:source`, tried in order) when a record lacks it, and a short description. It is derived from a
twin where that is exact, and is a placeholder otherwise.
"""

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

How = Literal["same", "encode", "unbase64", "unbase64-encode", "base64", "obfuscate", "path"]
"""What a derivation does with the text that it starts from; `formats.values` has the functions.

    same             nothing (`%HH` stays: `%` itself is not encoded, so decoding would be a guess)
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

SHIFTED_FIELDS = frozenset({"bypassed_etime"})
"""Further times, printed in the zone of the feed like `time`, which they are written like."""

ADDRESS_FIELDS = frozenset({"cip", "cintip", "cpubip", "sip", "fwd_gw_ip", "nsssvcip"})


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
    conversion: Literal["s", "d"]
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


@cache
def catalogue() -> MappingProxyType[str, Field]:
    """Return every known field by name, in the catalogue's order."""
    text = Path(__file__).with_name("catalogue.csv").read_text(encoding="utf-8")
    fields = {}
    for row in csv.DictReader(text.splitlines()):
        steps = [step.partition(":") for step in row["derivations"].split()]
        derivations = tuple(Derivation(cast("How", how), source) for how, _, source in steps)
        values: dict[str, Any] = row | {"derivations": derivations}
        fields[row["name"]] = Field(**values)
    return MappingProxyType(fields)


def nearest(name: str, cutoff: float = 0.5) -> str | None:
    """Return the known field name closest to `name`, if any is as alike as `cutoff` (1: equal)."""
    folded = {known.lower(): known for known in catalogue()}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None
