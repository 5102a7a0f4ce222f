"""Batch in, lines out: decode, filter and render, compiled together for one input and one feed."""

from collections import Counter
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import compress
from typing import Any

from formats.compiled.engine import Interpreted, engine_for, merge
from formats.compiled.records import LaterRecords
from formats.filters import Filter
from formats.language import FeedFormat
from formats.reading import MAX_RECORD_BYTES, BadRecord, Decoded, Input, split_lines
from formats.reading.unmapped import FURTHER_KEYS, count_unmapped
from formats.record import derivers, field_access
from formats.rendering.generate import Fields, compile_field, compile_predicate
from formats.rendering.planning import render_plan
from formats.rendering.renderer import Renderer, Unrendered
from formats.rendering.shifting import shifters

ORDER_FIELD = "login"
"""Order is kept for each user when lines take several ways."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What a feed makes of records: format, filter and the choices beside them.

    `zone` is the zone of what is printed, `source_zone` that of times that carry none.
    `escape_characters` are encoded in `e*` fields beyond what always is. With
    `protect_separators` the structure of every format is kept from hostile values; without it
    only LEEF's is. `protect_for` names what else is encoded in values, for readers that take
    it for more than text, see `formats.structure.guards.PROTECTIONS`. `max_record_bytes` bounds one
    record.
    """

    format: FeedFormat
    filter: Filter | None = None
    zone: tzinfo = UTC
    source_zone: tzinfo = UTC
    escape_characters: str = ""
    protect_separators: bool = True
    protect_for: frozenset[str] = frozenset()
    obfuscation_key: bytes = b""
    max_record_bytes: int = MAX_RECORD_BYTES


@dataclass(slots=True)
class Rendered:
    """What became of a batch: `lines[i]` is `records[i]` rendered, without LF.

    Every record of the batch is in `lines`, counted in `filtered`, or in `bad`. `unmapped` are the
    keys of the batch that no field is known for, as in `formats.reading.Decoded`.
    """

    lines: list[bytes]
    records: MutableSequence[Any]
    filtered: int = 0
    bad: list[BadRecord] = field(default_factory=list)
    unmapped: Mapping[str, int] = field(default_factory=dict)


class Pipeline:
    """Decodes, filters and renders batches of one input, `source`, for one feed.

    It is for one thread at a time: it remembers what records were like.
    """

    def __init__(self, source: Input, settings: FeedSettings) -> None:
        self.source = source
        kept = settings.filter or Filter(frozenset())
        wanted = settings.format.field_names | kept.fields | {ORDER_FIELD}
        access = field_access(wanted, source.available)
        escaped = settings.escape_characters
        zones = settings.source_zone, settings.zone
        derive = derivers(access, escaped, settings.obfuscation_key)
        derive |= shifters(access, source.time_key, zones)
        fields = Fields(access, derive)
        plan = render_plan(
            settings.format,
            access,
            source.time_key,
            escape_characters=escaped,
            protect_separators=settings.protect_separators,
            protect_for=settings.protect_for,
        )
        self.decode = source.reader(access.attributes, settings.max_record_bytes)
        """Returns the records of a batch, unfiltered."""
        self.renderer = Renderer(plan, fields, zones, settings.format.name)
        passes = compile_predicate(kept.predicate, fields.expression, fields.names)
        self._passes = None if kept.passes_all else passes
        self._engine = None
        if self._passes is None:
            limit = settings.max_record_bytes
            self._engine = engine_for(self.decode, access.attributes, self.renderer, limit)
        self._order_key: Callable[[Any], str] = compile_field(ORDER_FIELD, fields)

    @property
    def is_compiled(self) -> bool:
        """Whether the next batch runs in the compiled core, which releases the interpreter lock."""
        return self._engine is not None and not self._engine.is_resting

    def run(self, data: bytes) -> Rendered:
        """Decode, filter and render a batch. Never raises for anything in `data`."""
        engine = self._engine
        output = None if engine is None else engine.run(data)
        if engine is None or output is None:
            return self._interpret(data)[0]
        handed = Rendered([], [])

        def interpret(lines: bytes) -> Interpreted:
            nonlocal handed
            handed, numbers = self._interpret(lines)
            return handed.lines, handed.records, numbers, handed.bad

        lines, rows, bad = merge(output, data, interpret)
        unmapped = Counter(handed.unmapped)
        for key, count in output.unmapped.items():
            count_unmapped(unmapped, (key,), count)
        if FURTHER_KEYS in unmapped:
            engine.rest()  # which of them have a name depends on their order
            return self._interpret(data)[0]
        records = LaterRecords(rows, data, self.decode)
        return Rendered(lines, records, handed.filtered, bad, unmapped)

    def _interpret(self, data: bytes) -> tuple["Rendered", Sequence[int]]:
        """Do a batch in Python; returns the number of each line's line in it as well."""
        decoded = self.decode(data)
        records, suspects, bad = decoded.records, decoded.suspects, decoded.bad
        places: Sequence[int] = range(len(records))
        if self._passes is not None:
            places = list(compress(places, map(self._passes, records)))
            records = [records[place] for place in places]
            if suspects:
                suspicious = set(suspects)
                suspects = [index for index, place in enumerate(places) if place in suspicious]
        lines, unrendered = self.renderer.render(records, suspects)
        filtered = len(decoded.records) - len(places)
        if unrendered:
            bad = [*bad, *_bad_records(data, decoded, places, unrendered)]
            bad.sort(key=lambda record: record.offset)
            gone = {record.index for record in unrendered}
            records = [record for index, record in enumerate(records) if index not in gone]
            places = [place for index, place in enumerate(places) if index not in gone]
        if decoded.line_of:
            places = [decoded.line_of[place] for place in places]
        return Rendered(lines, records, filtered, bad, decoded.unmapped), places

    def keys(self, records: Sequence[Any]) -> list[str]:
        """Return the user of each record: what order must be kept for."""
        return [self._order_key(record) for record in records]


def _bad_records(
    data: bytes, decoded: Decoded, places: Sequence[int], unrendered: Sequence[Unrendered]
) -> list[BadRecord]:
    """Find the lines that records which could not be rendered came from."""
    lines = split_lines(data)
    found = []
    for record in unrendered:
        place = places[record.index]
        line = decoded.line_of[place] if decoded.line_of else place
        offset, text = decoded.pieces.get(place) or lines[line]
        found.append(BadRecord(line, offset, record.reason, text))
    return found
