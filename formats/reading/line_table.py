"""Lines of text as data: where a core finds the attributes of a record in them."""

from collections.abc import Mapping

from formats.language import FeedFormat, Literal
from formats.plan import Column, ColumnsTable, PairsTable, SequenceTable, Table
from formats.reading.cells import Places
from formats.reading.content import headers_of
from formats.reading.layouts import KIND_OF, Layouts, family_of, layouts_of
from formats.reading.pairs import keys_in
from formats.reading.patterns import IN_TIMES
from formats.structure import HEADER_KEYS, SYSLOG, LineKind, Structure


def table_of(
    feed_format: FeedFormat, structure: Structure, layouts: Layouts | None, places: Places
) -> Table | None:
    """Return where attributes stand in lines of a format; `None` if more has to be known.

    So it is where a cell holds more than one text, where two attributes share one, and where
    the end of a time or number has to be told from text that it could hold.
    """
    attributes = {cell.key: name for name, (cell, _) in places.items()}
    if len(attributes) < len(places) or any(match is not None for _, match in places.values()):
        return None
    if structure.kind is LineKind.COLUMNS:
        return _columns_table(feed_format, structure, layouts or layouts_of(structure), attributes)
    keys = {cell.key: attributes.get(cell.key) for cell in structure.cells}
    if structure.kind is LineKind.LEEF and SYSLOG not in attributes:
        names = list(HEADER_KEYS.values())
        header = {at: keys.get(name) for at, name in enumerate(names)}
        pairs = {key: name for key, name in keys.items() if key not in {SYSLOG, *names}}
        return PairsTable(structure.separator, pairs, header, leef=True, headers=None)
    if structure.kind is LineKind.KEYED:
        numbered = {int(key[1:]): name for key, name in keys.items() if key.startswith("#")}
        pairs = {key: name for key, name in keys.items() if not key.startswith("#")}
        headers = headers_of(feed_format, structure)
        return PairsTable(structure.separator, pairs, numbered, leef=False, headers=headers)
    if structure.kind is LineKind.SEQUENCE:
        return _sequence_table(feed_format, structure, attributes)
    return None


def static_texts(structure: Structure) -> list[str | None]:
    """Return the static texts among the cells of a sequence, `None` where a value stands."""
    firsts = [cell.parts[0] for cell in structure.cells]
    return [first.text if isinstance(first, Literal) else None for first in firsts]


def _sequence_table(
    feed_format: FeedFormat, structure: Structure, attributes: Mapping[str, str]
) -> Table | None:
    parts = static_texts(structure)
    if not parts:
        return None
    if parts[:1] == [None]:
        parts.insert(0, "")
    if parts[-1] is None:
        parts.append("")
    texts = tuple(part for part in parts if part is not None)
    if len(parts) != 2 * len(texts) - 1 or any(not set(text) - IN_TIMES for text in texts[1:-1]):
        return None
    values = [cell for cell in structure.cells if not isinstance(cell.parts[0], Literal)]
    names = tuple(attributes.get(cell.key) for cell in values)
    return SequenceTable(texts, names, keys_in(texts), headers_of(feed_format, structure))


def _columns_table(
    feed_format: FeedFormat, structure: Structure, layouts: Layouts, attributes: Mapping[str, str]
) -> Table | None:
    layout = layouts.by_count[len(structure.cells)][0]
    if len(set(layout.keys)) < len(layout.keys):
        return None
    kinds = layout.kinds
    columns = tuple(
        Column(attributes.get(key), kinds.get(at, "")) for at, key in enumerate(layout.keys)
    )
    headers = headers_of(feed_format, structure)
    shared = bool(family_of(structure))
    return ColumnsTable(structure.separator, structure.quoted, columns, shared, KIND_OF, headers)
