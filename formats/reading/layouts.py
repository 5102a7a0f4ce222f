"""Which columns a line of CSV or TAB-separated text has: checked for each record, by its values.

The vendor's CSV and TAB_SEPARATED have changed their columns and kept the count. Read as the
other layout a record would shift without a sign, so its values decide:

1. Each column of a number holds one. Only if no layout has digits in all of them do placeholders
   count as numbers too, and then no second layout may fit as well.
2. Columns that only the service writes, from a closed set (action, status of the application,
   severity, addresses), do not mostly hold what belongs into another of them.

Columns that a client or server can fill as it likes (method, user agent) decide nothing.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from formats import presets
from formats.dataclass import dataclass
from formats.fields import ADDRESS_FIELDS, TIME_FIELDS
from formats.language import Part
from formats.plan import Attribute
from formats.reading import BadLine, number
from formats.structure import Cell, LineKind, Structure, structure_of
from formats.values import Remembered

FAMILIES = (("CSV", "CSV_OLD"), ("TAB_SEPARATED", "TAB_SEPARATED_OLD"))
"""Presets of the same separator and quoting; the last column of each may be missing."""

_CLOSED = {
    "action": ("allowed", "blocked"),
    "app_status": ("sanctioned", "unsanctioned"),
    "threatseverity": ("critical", "high", "medium", "low"),
}
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{2,40}")
_ADDRESS_KIND = "address"
_KIND_OF = {word: kind for kind, words in _CLOSED.items() for word in words}
_KIND_OF |= dict.fromkeys(("get", "post", "put", "head", "connect", "options"), "method")

_is_digits = re.compile(r"[+-]?[0-9]+").fullmatch


def _kind(text: str) -> str:
    """Return which closed set a text is of; empty for none of them."""
    return _KIND_OF.get(text.lower()) or (_ADDRESS_KIND if _ADDRESS.fullmatch(text) else "")


_kinds = Remembered(_kind, max_chars=64)


class _Layout:
    """The columns of one format: the places of its numbers and closed sets, and their keys."""

    def __init__(self, name: str, cells: Sequence[Cell], keys: Sequence[str]) -> None:
        self.name = name
        self._keys = tuple(keys)
        singles = [(at, cell.slots[0].field) for at, cell in enumerate(cells) if cell.is_text]
        self._numbers = [
            (at, Attribute(field.name, number=True, default=0))
            for at, field in singles
            if field.conversion == "d" and field.name not in TIME_FIELDS
        ]
        self._digits = [at for at, _ in self._numbers]
        self._closed = [
            (at, field.name, _ADDRESS_KIND if field.name in ADDRESS_FIELDS else field.name)
            for at, field in singles
            if field.name in ADDRESS_FIELDS or field.name in _CLOSED
        ]
        if len(cells) == 1:  # there is no other column that a value could belong into
            self._closed.clear()

    def values(self, columns: Sequence[str]) -> dict[str, str]:
        """Return columns by the keys of their cells."""
        return dict(zip(self._keys, columns, strict=False))

    def has_digits(self, columns: Sequence[str]) -> bool:
        """Whether each column of a number holds digits."""
        return all(_is_digits(columns[at]) for at in self._digits)

    def misfit(self, columns: Sequence[str]) -> str | None:
        """Return why columns are not of this layout, if they are not."""
        try:
            for at, attribute in self._numbers:
                number(attribute, columns[at])
        except BadLine as error:
            return str(error)
        return self.foreign(columns)

    def foreign(self, columns: Sequence[str]) -> str | None:
        """Return the first value of another closed set, if those outnumber what is in its own."""
        balance, first = 0, None
        for at, name, kind in self._closed:
            found = _kinds[columns[at]]
            if found == kind:
                balance += 1
            elif found:
                balance -= 1
                first = first or f"{name}: text {columns[at][:40]!r} belongs into another column"
        return first if balance < 0 else None


@dataclass(frozen=True, slots=True)
class Layouts:
    """The layouts that a line may have, by its number of columns, the format's own first.

    `cells` are those of all layouts; a line has the values of its own layout's. With `alone` a
    line must have the format's own layout.
    """

    cells: tuple[Cell, ...]
    by_count: Mapping[int, Sequence[_Layout]]
    alone: bool = False

    def values(self, columns: Sequence[str]) -> dict[str, str]:
        """Return the texts of a line by cell key. Raises `BadLine` for what is of no layout."""
        layouts = self.by_count.get(len(columns))
        if layouts is None:
            counts = " or ".join(map(str, self.by_count))
            raise BadLine(f"{len(columns)} columns, expected {counts}")
        layout = _fitting(layouts, columns)
        if self.alone and layout is not layouts[0]:
            raise BadLine(f"the columns are those of {layout.name}")
        return layout.values(columns)


def _fitting(layouts: Sequence[_Layout], columns: Sequence[str]) -> _Layout:
    for layout in layouts:
        if layout.has_digits(columns) and layout.foreign(columns) is None:
            return layout
    misfits = [(layout, layout.misfit(columns)) for layout in layouts]
    fitting = [layout for layout, reason in misfits if reason is None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(layout.name for layout in fitting)
        raise BadLine(f"the columns may be those of {names}: no number tells them apart")
    if len(layouts) == 1:
        raise BadLine(str(misfits[0][1]))
    reasons = "; ".join(f"{layout.name}: {reason}" for layout, reason in misfits)
    raise BadLine(f"the columns are of no known layout ({reasons})")


@lru_cache(maxsize=64)
def layouts_of(structure: Structure) -> Layouts:
    """Return the layouts of a format of columns: its own, and those of the presets beside it."""
    family = family_of(structure)
    count = len(structure.cells)
    if not family:
        keys = [cell.key for cell in structure.cells]
        return Layouts(structure.cells, {count: [_Layout("", structure.cells, keys)]})
    key_of: dict[tuple[Part, ...], str] = {}
    layouts = []
    for name, known in sorted(family, key=lambda each: each[1] != structure):
        for cell in known.cells:
            key_of.setdefault(cell.parts, f"#{len(key_of)}")
        layouts.append(_Layout(name, known.cells, [key_of[cell.parts] for cell in known.cells]))
    merged = tuple(Cell(parts, key) for parts, key in key_of.items())
    return Layouts(merged, dict.fromkeys((count, count - 1), layouts))


def family_of(structure: Structure) -> Sequence[tuple[str, Structure]]:
    """Return the presets of a family, by name, if the structure is that of one; else none."""
    families = _families() if structure.kind is LineKind.COLUMNS else ()
    known = (family for family in families if any(structure == each for _, each in family))
    return next(known, ())


@cache
def _families() -> Sequence[Sequence[tuple[str, Structure]]]:
    return [[(name, structure_of(presets.load(name))) for name in names] for names in FAMILIES]
