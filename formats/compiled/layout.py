"""Where values stand in lines of text, flat and with attributes as slots: what the core reads by.

A table that the core can't read by has no layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from formats.plan import ADDRESS, NUMBER, ColumnsTable, PairsTable, SequenceTable

_MAX_SEPARATOR = 4
_MAX_KEY = 200
_MAX_PLACES = 1000
_ANY, _NUMBER, _ADDRESS, _WORD = range(4)


class Form(IntEnum):
    """What a line is; the numbers are those of lines.pxi."""

    LEEF = 1
    PAIRS = 2
    COLUMNS = 3
    SEQUENCE = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """What the core reads lines by. Slots are -1 for what nobody wants.

    `places` are the slots of pieces by their number, -2 for a pair; for LEEF those of the header.
    `kinds` say what each column must hold: anything, a number, an address, or a word of a set of
    `words`, each with the number of its set. With `shared`, lines may be of another layout.
    With a `beginning` a syslog header may stand before the record, unless that begins with it,
    or, `with_key`, with a key and `=`. Where neither is known it is empty;
    a time may come first then, and `date_behind` behind it. In a sequence, place `i` stands between
    text `i` and the next; a value with what may be a key must be told by its `holds`, `=` or `|`.
    """

    form: Form
    separator: bytes
    keys: tuple[tuple[bytes, int], ...] = ()
    places: tuple[int, ...] = ()
    quoted: bool = False
    kinds: tuple[int, ...] = ()
    words: tuple[tuple[bytes, int], ...] = ()
    shared: bool = False
    beginning: bytes | None = None
    with_key: bool = False
    date_behind: bytes = b""
    texts: tuple[bytes, ...] = ()
    holds: frozenset[str] = frozenset()


def layout_of(
    table: PairsTable | ColumnsTable | SequenceTable, slots: Mapping[str, int]
) -> Layout | None:
    """Return the layout of a table, for attributes that are in these slots; `None` if unfit."""
    layout = _without_headers(table, slots)
    if layout is None or table.headers is None:
        return layout
    headers = table.headers
    return replace(
        layout,
        beginning=headers.beginning.encode(),
        with_key=headers.with_key,
        date_behind=headers.date_behind.encode(),
    )


def _without_headers(
    table: PairsTable | ColumnsTable | SequenceTable, slots: Mapping[str, int]
) -> Layout | None:
    if isinstance(table, SequenceTable):
        places = tuple(_slot(name, slots) for name in table.attributes)
        texts = tuple(text.encode() for text in table.texts)
        holds = frozenset(key[-1] for key in table.keys)
        return Layout(Form.SEQUENCE, b"\t", places=places, texts=texts, holds=holds)
    return _columns(table, slots) if isinstance(table, ColumnsTable) else _pairs(table, slots)


def _pairs(table: PairsTable, slots: Mapping[str, int]) -> Layout | None:
    separator = table.separator.encode()
    count = max(table.places, default=-1) + 1
    if not _fits(separator) or b"=" in separator or count > _MAX_PLACES:
        return None
    if table.leef and len(separator) != 1:
        return None
    keys = {key.encode(): _slot(name, slots) for key, name in table.keys.items()}
    if any(len(key) > _MAX_KEY or b"=" in key or key[:1] == b"#" for key in keys):
        return None
    places = tuple(
        _slot(table.places[at], slots) if at in table.places else -2 for at in range(count)
    )
    form = Form.LEEF if table.leef else Form.PAIRS
    return Layout(
        form,
        separator,
        tuple(keys.items()),
        places,
    )


def _columns(table: ColumnsTable, slots: Mapping[str, int]) -> Layout | None:
    separator = b"," if table.quoted else table.separator.encode()
    if len(separator) != 1 or not _fits(separator) or len(table.columns) > _MAX_PLACES:
        return None
    sets = sorted({ADDRESS, *table.kinds.values(), *(each.kind for each in table.columns)})
    numbers = {name: _WORD + at for at, name in enumerate(sets)}
    numbers |= {"": _ANY, NUMBER: _NUMBER, ADDRESS: _ADDRESS}
    return Layout(
        Form.COLUMNS,
        separator,
        places=tuple(_slot(each.attribute, slots) for each in table.columns),
        quoted=table.quoted,
        kinds=tuple(numbers[each.kind] for each in table.columns),
        words=tuple((word.encode(), numbers[kind]) for word, kind in table.kinds.items()),
        shared=table.shared,
    )


def _slot(attribute: str | None, slots: Mapping[str, int]) -> int:
    return -1 if attribute is None else slots[attribute]


def _fits(separator: bytes) -> bool:
    return 0 < len(separator) <= _MAX_SEPARATOR and separator.isascii() and b"\n" not in separator
