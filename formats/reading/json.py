"""JSON records: any key that NSS or a preset has, the Cloud NSS envelope, JSON of a feed format.

A batch is decoded at once by the shape that its records have had so far, see `json_shape`. When it
does not fit, its lines are decoded by that shape one by one, and what is left by `json_lines`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from formats.errors import NotReadable
from formats.fields import TIME_FIELDS
from formats.language import FeedFormat
from formats.plan import Attribute, KeyTable, TimeFields, TimeKey
from formats.reading import (
    MAX_RECORD_BYTES,
    BadLine,
    Decoded,
    Input,
    Reader,
    admit,
    count_lines,
    split_lines,
)
from formats.reading.cells import Places, cells_input, matcher
from formats.reading.json_layout import Layout
from formats.reading.json_lines import Pairs, Path, untyped
from formats.reading.json_objects import (
    WHOSE,
    Meanings,
    ObjectReader,
    Place,
    TreeReader,
    twice,
    value_at,
)
from formats.reading.json_scan import (
    bare,
    is_too_deep,
    longest_fits,
    quotes_in,
    suspect_lines,
    unsafe_places,
)
from formats.reading.json_shape import Record, Shape, Unfit
from formats.reading.reversible import doubts
from formats.reading.synonyms import field_of, is_constant, synonyms
from formats.structure import Cell, structure_of

ENVELOPE = "event"
"""The key under which Cloud NSS puts the fields."""

_TIME_KEYS = ("time", "epochtime", "tz", "yy", "yyyy", "mon", "mth", "dd", "hh", "mm", "ss")

_MAX_LESSONS = 64
_ODD_SHARE = 8


def json_names() -> Input:
    """Return the input of JSON objects with any known keys, flat or in the Cloud NSS envelope."""
    time_key = TimeFields(_TIME_KEYS)

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        wanted = {attribute.name for attribute in attributes} | set(_TIME_KEYS)

        def meaning(key: str) -> tuple[str | None, bool]:
            field = field_of(key)
            return (field if field in wanted else None), field is None and not is_constant(key)

        lines = ObjectReader(attributes, time_key, Meanings(meaning), (ENVELOPE,), max_record_bytes)
        return _BatchReader(lines, attributes, time_key, max_record_bytes)

    return Input("json", frozenset(synonyms().values()) - TIME_FIELDS, time_key, reader)


def states_fields(lines: bytes) -> bool:
    """Whether one of the lines is an object with a key that is known, whatever else it is."""
    for _, line in split_lines(lines):
        with suppress(BadLine):
            admit(line, MAX_RECORD_BYTES)
            tree = untyped(bare(line))
            inner = tree.get(ENVELOPE, tree) if isinstance(tree, dict) else None
            if isinstance(inner, dict) and any(map(field_of, inner)):
                return True
    return False


def json_format(feed_format: FeedFormat) -> Input:
    """Return the input of JSON lines as a feed format prints them; the order of keys is free.

    Only the format's own keys count: its author has chosen what they mean. Raises `NotReadable`
    when a string holds several fields that can't be told apart.
    """
    structure = structure_of(feed_format)
    cells = structure.cells
    tree = _sample(feed_format)
    _check_keys(tree, cells)
    known = _known_keys(tree)

    def reader(
        attributes: Sequence[Attribute], time_key: TimeKey, places: Places, max_record_bytes: int
    ) -> Reader:
        wanted = {attribute.name for attribute in attributes}
        found = _places(cells, wanted)
        for name in time_key.attributes:
            cell, match = places[name]
            found.append(Place(name, cell.path, match))
        parents = {place.path[:-1] for place in found}
        in_arrays = any(isinstance(key, int) for place in found for key in place.path)
        if len(parents) > 1 or in_arrays or any(place.match is not None for place in found):
            return TreeReader(attributes, time_key, found, known, max_record_bytes).read
        path = tuple(map(str, parents.pop() if parents else ()))
        names = {str(place.path[-1]): place.name for place in found}
        theirs = known.get(path, frozenset())
        meanings = Meanings(lambda key: (names.get(key), key not in theirs))
        around = chain.from_iterable(known.get(path[:depth], ()) for depth in range(len(path)))
        lines = ObjectReader(
            attributes, time_key, meanings, path or (ENVELOPE,), max_record_bytes, beside={*around}
        )
        return _BatchReader(lines, attributes, time_key, max_record_bytes)

    found = cells_input(feed_format.name, cells, reader)
    return replace(found, doubts=doubts(feed_format, structure))


def _places(cells: Sequence[Cell], wanted: set[str]) -> list[Place]:
    """Return every place of the wanted fields: a format may print one in several."""
    return [
        Place(name, cell.path, None if cell.is_text else matcher(cell.parts))
        for cell in cells
        for name in sorted(cell.fields & wanted)
    ]


def _sample(feed_format: FeedFormat) -> object:
    """Return the JSON that a format prints, with 0 for each value; `None` if that is no JSON."""
    try:
        return json.loads(feed_format.sample, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return None


def _check_keys(tree: object, cells: Sequence[Cell]) -> None:
    """Raise `NotReadable` if a key that leads to a field stands twice: no such record is read."""
    for cell in cells:
        for depth, key in enumerate(cell.path):
            if key in twice(value_at(tree, cell.path[:depth])):
                raise NotReadable(f'key "{key}" stands twice in an object')


def _known_keys(tree: object) -> Mapping[Path, frozenset[str]]:
    """Return the keys of each object that a format prints, those of static text among them."""
    known: dict[Path, frozenset[str]] = {}
    left: list[tuple[Path, object]] = [((), tree)]
    while left:
        path, tree = left.pop()
        if isinstance(tree, dict):
            known[path] = frozenset(tree)
            left += [((*path, key), value) for key, value in tree.items()]
        elif isinstance(tree, list):
            left += [((*path, place), value) for place, value in enumerate(tree)]
    return known


class _BatchReader:
    """Reads batches at once where it can, and line by line where it must, with the same result."""

    def __init__(
        self,
        lines: ObjectReader,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        max_record_bytes: int,
    ) -> None:
        self._lines = lines
        self._attributes = tuple(attributes)
        self._time_key = time_key
        self._max_record_bytes = max_record_bytes
        self._layouts: dict[int, Layout] = {}
        self._shapes: dict[int, Shape] = {}
        self._lessons = 0

    def __call__(self, data: bytes) -> Decoded:
        """See `read`."""
        return self.read(data)

    @property
    def table(self) -> KeyTable | None:
        """See `KeyedReader`."""
        lines = self._lines
        if len(lines.path) > 1 or lines.meanings[lines.path[0]][0] is not None:
            return None
        meaning_of = lines.meanings.__getitem__
        return KeyTable(meaning_of, lines.path[0], lines.beside, WHOSE, lines.twins)

    def read(self, data: bytes) -> Decoded:
        """Decode a batch."""
        if not self._lessons:
            self._lines.read_lines(data[: data.find(b"\n") + 1 or len(data)], 0, 0, Decoded())
            self._learn()
        decoded = Decoded()
        records = self._at_once(data, decoded.unmapped)
        if records is not None:
            decoded.records = records
            decoded.suspects = suspect_lines(data)
            return decoded
        lines = split_lines(data)
        if self._apart(data, lines, decoded) * _ODD_SHARE >= len(lines):
            self._learn()
        self._lines.seen.clear()
        return decoded

    def _at_once(self, data: bytes, unmapped: Counter[str]) -> list[Record] | None:
        if longest_fits(data, self._max_record_bytes):
            for depth, shape in self._shapes.items():
                records = shape.read(data, unmapped)
                if records is not None:
                    if len(self._shapes) > 1:  # the next batch is probably of this one too
                        self._shapes = {depth: shape, **self._shapes}
                    return records
        return None

    def _apart(self, data: bytes, lines: Sequence[tuple[int, bytes]], decoded: Decoded) -> int:
        """Decode the lines of a batch each by itself; return how many no shape fits."""
        found = self._by_shape(lines, decoded.unmapped)
        suspicious = set(suspect_lines(data)) if len(lines) == count_lines(data) else None
        for number, (offset, line) in enumerate(lines):
            record = found.get(number)
            if record is None:
                self._lines.read_lines(line, number, offset, decoded)
                continue
            if unsafe_places(line) if suspicious is None else number in suspicious:
                decoded.suspects.append(len(decoded.records))
            decoded.records.append(record)
            decoded.line_of.append(number)
        return len(lines) - len(found)

    def _by_shape(
        self, lines: Sequence[tuple[int, bytes]], unmapped: Counter[str]
    ) -> Mapping[int, Record]:
        """Return the records of lines that hold one of a known shape, by the number of the line."""
        fitting: dict[int, list[tuple[int, int, Record]]] = {}
        for number, (_, line) in enumerate(lines):
            if len(line) > self._max_record_bytes:
                continue
            piece = bare(line)
            if is_too_deep(piece):
                continue
            for depth, shape in self._shapes.items():
                decoded = shape.decode(piece)
                if decoded is not None:
                    fitting.setdefault(depth, []).append((number, quotes_in(piece), decoded))
                    break
        found: dict[int, Record] = {}
        for depth, fit in fitting.items():
            left = [fit]
            while left:
                some = left.pop()
                numbers, quotes, objects = zip(*some, strict=True)
                records = self._shapes[depth].accept(objects, sum(quotes), unmapped)
                if records is not None:
                    found.update(zip(numbers, records, strict=True))
                elif (half := len(some) // 2) > 0:
                    left += [some[half:], some[:half]]
        return found

    def _learn(self) -> None:
        """Make shapes of what records were like so far, and those that did not fit."""
        seen = self._lines.seen
        if not seen or self._lessons >= _MAX_LESSONS:
            seen.clear()
            return
        self._lessons += 1
        for depth in {len(levels) for levels in seen}:
            same = [levels for levels in seen if len(levels) == depth]
            shape = self._shape(self._layouts.get(depth) or Layout(), same, depth)
            if shape is None and depth in self._layouts:
                shape = self._shape(Layout(), same, depth)
            self._shapes.pop(depth, None)
            if shape is not None:
                self._shapes[depth] = shape
        seen.clear()

    def _shape(
        self, layout: Layout, seen: Sequence[Sequence[Mapping[str, object]]], depth: int
    ) -> Shape | None:
        for levels in seen:
            layout.learn(levels)
        self._layouts[depth] = layout
        try:
            return (
                Shape(layout, self._lines, self._attributes, self._time_key)
                if layout.is_usable
                else None
            )
        except Unfit:
            return None
