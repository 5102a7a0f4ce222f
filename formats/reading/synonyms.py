"""What keys of JSON records mean: NSS field names, and the keys that presets print.

`field_of` knows a key in this order, and the first that knows it decides:

1. NSS field names. `hostname`, which no field list of the vendor has while presets print the host
   under it, is `host`.
2. The presets' keys, in the order of `PRECEDENCE`. `cat` is the action, as in LEEF, and not CEF's
   category of the URL.
3. Both again without regard to case, but for the short names of parts of a time: `MM` may be a
   month, and `mm` is minutes.

A key under which presets print an encoded twin stands for the plain field: under `user` the JSON
preset has `%s{elogin}` and SPLUNK_CIM `%s{login}`, and a record doesn't say which. An encoded value
is printed the same under either name, but obfuscation and `b64*` fields need a plain one.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from formats import presets
from formats.fields import TIME_FIELDS, catalogue
from formats.language import Literal
from formats.structure import Cell, LineKind, Structure, structure_of

PRECEDENCE = (
    "JSON", "MCAS", "QRADAR", "QRADAR_OLD", "SPLUNK_CIM", "NAME_VALUE_PAIRS", "RSA_SECURITY",
    "LOGRHYTHM", "SYMANTEC_MSS", "ARCSIGHT_CEF", "CEF_MULTILINE",
)  # fmt: skip
"""Presets with keys: of two that print different fields under one key, the first decides."""

CONSTANTS = frozenset({"sourcetype", "product", "vendor", "devtimeformat", "devicedirection"})
"""Keys under which presets print static text, in lower case: they say nothing of a record."""

_OWN_MEANING = {"hostname": "host"}

_WORD_BEFORE = re.compile(r"(?:^|[\s|])([A-Za-z][\w.\-]*)[=|]$")
"""The key at the end of the static text before a value: ` suser=` of CEF, `|CLIENTIP|`."""

_LABELLED = re.compile(r"c[ns]\d(?:label)?")
"""CEF's custom places, which mean what the label beside them says: another in each product."""

_WHOLE_TIME = frozenset({"dd", "hh", "mm", "ss"})
_MAX_KEY_CHARS = 64


def field_of(key: str) -> str | None:
    """Return the catalogue field that a JSON key stands for, `time` among them; `None` if none."""
    exact, folded = _tables()
    return exact.get(key) or (folded.get(key.casefold()) if len(key) <= _MAX_KEY_CHARS else None)


def is_constant(key: str) -> bool:
    """Whether presets print static text under a key, so that nothing is lost if it isn't read."""
    folded = key.casefold() if len(key) <= _MAX_KEY_CHARS else ""
    return folded in CONSTANTS or (folded.endswith("label") and bool(_LABELLED.fullmatch(folded)))


@cache
def synonyms() -> Mapping[str, str]:
    """Return the exact table: every NSS field name and key of a preset, with its field."""
    return _tables()[0]


@cache
def _tables() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the fields by exact key, and by key in lower case."""
    exact = {name: _OWN_MEANING.get(name, name) for name in catalogue()}
    for preset in PRECEDENCE:
        for key, cell in _keyed_cells(structure_of(presets.load(preset))):
            field = _field(cell)
            if field is not None and not _LABELLED.fullmatch(key.casefold()):
                exact.setdefault(key, field)
    folded: dict[str, str] = {}
    for key, field in exact.items():
        if key not in TIME_FIELDS - {"time", "epochtime"}:
            folded.setdefault(key.casefold(), field)
    return MappingProxyType(exact), MappingProxyType(folded)


def _keyed_cells(structure: Structure) -> Iterator[tuple[str, Cell]]:
    """Yield the cells of a format that have a key, with it."""
    if structure.kind is not LineKind.SEQUENCE:
        for cell in structure.cells:
            key = str(cell.path[-1]) if cell.path else cell.key
            if not key.startswith("#"):
                yield key, cell
        return
    before = ""
    for cell in structure.cells:
        if not cell.slots:
            before = "".join(part.text for part in cell.parts if isinstance(part, Literal))
        elif (word := _WORD_BEFORE.search(before)) is not None:
            yield word[1], cell


def _field(cell: Cell) -> str | None:
    """Return the field that a cell's text states: its only one, plain, or the time."""
    fields = cell.fields
    if len(fields) > 1:
        return "time" if TIME_FIELDS >= fields >= _WHOLE_TIME and "yy" in fields else None
    (name,) = fields
    return _plain(name)


def _plain(name: str) -> str:
    """Return the plain twin of an `e*` field, or the field itself."""
    field = catalogue()[name]
    ways = (way.source for way in field.derivations if way.how == "encode")
    return next(ways, name) if field.encoded else name
