"""Reading a cell back: the text of one value place to the fields that it was built from."""

import re
from collections.abc import Callable, Iterable, Sequence

from formats.errors import NotReadable
from formats.fields import TIME_FIELDS
from formats.language import Literal, Part, Slot
from formats.structure import Cell

Match = Callable[[str], dict[str, str] | None]

_HEX = re.compile(r"-?[0-9A-Fa-f]{1,32}")


def matcher(parts: Sequence[Part]) -> Match:
    """Return a function from text to field texts; it returns `None` when the text doesn't fit.

    A field ends where the static text after it first occurs, found in one pass over the text:
    hostile text cannot make it slow. Fields with nothing between them are told apart by their
    width; raises `NotReadable` when they have none. What `%x` wrote comes back as decimal text.
    """
    steps: list[tuple[Slot, str, int]] = []  # field, static text that ends it, its width
    lead = ""
    for index, part in enumerate(parts):
        if isinstance(part, Literal):
            if index == 0:
                lead = part.text
            continue
        following = parts[index + 1] if index + 1 < len(parts) else None
        until = following.text if isinstance(following, Literal) else ""
        width = 0 if until or following is None else part.width
        if following is not None and not until and not width:
            raise NotReadable(f"nothing between {part.spec} and the field after it")
        steps.append((part, until, width))

    def match(text: str) -> dict[str, str] | None:
        if not text.startswith(lead):
            return None
        at = len(lead)
        values: dict[str, str] = {}
        for slot, until, width in steps:
            end = at + width if width else text.find(until, at) if until else len(text)
            if end < 0 or end > len(text):
                return None
            value = _decimal(text[at:end]) if slot.conversion == "x" else text[at:end]
            if value is None:
                return None
            values.setdefault(slot.field.name, value)
            at = end + len(until)
        return values if at == len(text) else None

    return match


def _decimal(text: str) -> str | None:
    digits = text.strip()
    return str(int(digits, 16)) if _HEX.fullmatch(digits) else None


def own_text(cell: Cell) -> bool:
    """Whether the text of a cell is the text of its one field, so that nothing needs matching."""
    return cell.single is not None and cell.single.conversion != "x"


def readable_fields(cells: Iterable[Cell]) -> frozenset[str]:
    """Return the fields in cells, time fields left out. Raises `NotReadable` as `matcher` does."""
    names: set[str] = set()
    for cell in cells:
        matcher(cell.parts)
        names |= cell.fields
    return frozenset(names - TIME_FIELDS)


def cells_by_field(cells: Iterable[Cell]) -> dict[str, Cell]:
    """Return the cell that each field is read from: one of its own, if there is one."""
    found: dict[str, Cell] = {}
    for cell in cells:
        for name in cell.fields:
            if name not in found or (own_text(cell) and not own_text(found[name])):
                found[name] = cell
    return found
