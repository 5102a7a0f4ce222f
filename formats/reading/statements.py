"""What each record of a line states: its keys (attributes, columns), and the field of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec

from formats.dataclass import dataclass
from formats.errors import NotReadable
from formats.fields import TIME_FIELDS
from formats.language import FeedFormat
from formats.reading import BadLine, Input
from formats.reading.dissection import Entry, structure_entries
from formats.reading.json import ENVELOPE
from formats.reading.json_scan import bare
from formats.reading.layouts import family_of
from formats.reading.synonyms import field_of, is_constant
from formats.reading.syslog_header import content_starts
from formats.structure import LineKind, Structure, structure_of

Paths = Mapping[str, tuple[str, ...]]
"""The fields at each place of an object, by the keys that lead there; none for static text."""

_MAX_STATEMENTS = 1000
_MAX_DEPTH = 8
_MAX_KEY_CHARS = 256
"""A hostile record has thousands of keys, or long ones around many, hundreds of levels deep."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One key, attribute or column of a record, as it is called there, and its text.

    `fields` are those of the catalogue that it is taken for; several share a text, as the parts of
    a time do. With none it is not used; `is_constant` says that formats print static text there, so
    that nothing is lost.
    """

    key: str
    text: str
    fields: tuple[str, ...] = ()
    is_constant: bool = False


Statements = Callable[[bytes], Iterator[tuple[Statement, ...]]]
"""Yields the statements of each record of a line, in their order there.

A line that can't be taken apart has none, and of a record with thousands the first count. Never
raises for anything in a line.
"""


def statement_reader(source: Input) -> Statements:
    """Return what takes lines of an input apart."""
    form = source.format
    if form is None:
        return _names_reader
    if structure_of(form).kind is LineKind.JSON:
        return _paths_reader(form)
    return _lines_reader(form)


def _names_reader(line: bytes) -> Iterator[tuple[Statement, ...]]:
    for inner in _objects(line, (ENVELOPE,)):
        yield tuple(islice(_named(inner), _MAX_STATEMENTS))


def _paths_reader(form: FeedFormat) -> Statements:
    paths, parent = _paths(form)

    def read(line: bytes) -> Iterator[tuple[Statement, ...]]:
        for inner in _objects(line, parent):
            yield tuple(islice(_pathed(inner, paths), _MAX_STATEMENTS))

    return read


def _lines_reader(form: FeedFormat) -> Statements:
    layouts = _layouts(form)
    constants = _constants(form)

    def read(line: bytes) -> Iterator[tuple[Statement, ...]]:
        for found in _entries(layouts, line):
            yield tuple(
                Statement(entry.place, entry.text, entry.fields, entry.place in constants)
                for entry in found[:_MAX_STATEMENTS]
            )

    return read


def _entries(layouts: Sequence[Structure], line: bytes) -> list[tuple[Entry, ...]]:
    """Return what stands at each place of a line: behind the syslog header that leaves most."""
    found: list[tuple[Entry, ...]] = []
    # LEEF is found behind any header.
    starts = () if layouts[0].kind is LineKind.LEEF else content_starts(line)
    for start in (0, *starts):
        with suppress(UnicodeDecodeError):
            text = line[start:].decode().removeprefix("\ufeff").removesuffix("\r")
            for layout in layouts:
                with suppress(BadLine, NotReadable):
                    found.append(structure_entries(layout, text))
    found.sort(key=lambda places: sum(bool(place.fields) for place in places))
    return found[-1:]


def _objects(line: bytes, parent: Sequence[str | int]) -> list[Mapping[str, Any]]:
    """Return the objects that hold the fields: in each record under `parent`, or the record."""
    try:
        tree = msgspec.json.decode(bare(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    records = tree if isinstance(tree, list) else [tree]
    return [_inner(record, parent) for record in records if isinstance(record, dict)]


def _inner(record: Mapping[str, Any], parent: Sequence[str | int]) -> Mapping[str, Any]:
    inner = _at(record, parent)
    return inner if isinstance(inner, dict) else record


def _at(tree: Any, path: Sequence[str | int]) -> Any:  # noqa: ANN401 - any JSON
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _named(record: Mapping[str, Any]) -> Iterator[Statement]:
    """Yield the statements of an object that the table of synonyms is for."""
    for key, value in record.items():
        field = field_of(key)
        fields = () if field is None else (field,)
        yield Statement(key[:_MAX_KEY_CHARS], _text(value), fields, is_constant(key))


def _pathed(record: Mapping[str, Any], paths: Paths) -> Iterator[Statement]:
    """Yield the statements of an object that a feed format describes."""
    for key, value in _leaves(record, "", _MAX_DEPTH, paths):
        fields = paths.get(key)
        yield Statement(key, _text(value), fields or (), fields == ())


def _leaves(
    tree: Mapping[str, Any] | Sequence[Any], above: str, depth: int, paths: Paths | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the values of a tree, each with the keys that lead to it.

    With `paths` an array is one value, unless they lead into it.
    """
    for key, value in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
        path = f"{above}{str(key)[:_MAX_KEY_CHARS]}"
        is_inner = isinstance(value, dict) or (
            isinstance(value, list)
            and (paths is None or any(known.startswith(f"{path} / 0") for known in paths))
        )
        if is_inner and value and depth:
            yield from _leaves(value, f"{path} / ", depth - 1, paths)
        else:
            yield path, value


def _text(value: object) -> str:
    try:
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    except RecursionError:
        return "[...]"


def _paths(form: FeedFormat) -> tuple[Paths, Sequence[str | int]]:
    """Return the fields by the keys that lead to them, and the keys that all of them are under."""
    cells = structure_of(form).cells
    parents = {cell.path[:-1] for cell in cells}
    parent: Sequence[str | int] = parents.pop() if len(parents) == 1 else ()
    whole = next(iter(_objects(form.sample.encode(), ())), {})
    if not isinstance(_at(whole, parent), dict):  # an array
        parent = ()
    inner = _inner(whole, parent)
    paths: dict[str, tuple[str, ...]] = {key: () for key, _ in _leaves(inner, "", _MAX_DEPTH)}
    for cell in cells:
        key = " / ".join(map(str, cell.path[len(parent) :]))
        paths[key] = tuple(slot.field.name for slot in cell.slots)
    return paths, parent or (ENVELOPE,)


def _layouts(form: FeedFormat) -> tuple[Structure, ...]:
    """Return how lines of a format are built, and of those beside it that are read too."""
    own = structure_of(form)
    return (own, *(other for _, other in family_of(own) if other != own))


def _constants(form: FeedFormat) -> frozenset[str]:
    """Return the places at which a format prints static text."""
    try:
        found = structure_entries(structure_of(form), form.sample)
        return frozenset(entry.place for entry in found if not entry.fields)
    except (BadLine, NotReadable):
        return frozenset()


def label(fields: Sequence[str]) -> str:
    """Return the name of several fields for people: the parts of a time are one."""
    if len(fields) > 1 and TIME_FIELDS.issuperset(fields):
        return "time"
    return ", ".join(dict.fromkeys(fields))
