"""Batch in, lines out: decode, filter and render, compiled together for one input and one feed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import compress
from typing import Any

from formats.compiled.engine import Interpreted, engine_for, merge, order_of_lines
from formats.compiled.records import LaterRecords
from formats.filters import Filter
from formats.language import FeedFormat
from formats.lines import UNLIMITED, Lines
from formats.order import ORDER_FIELD, order_key
from formats.reading import MAX_RECORD_BYTES, BadRecord, Decoded, Input, split_lines
from formats.reading.unmapped import FURTHER_KEYS, count_unmapped
from formats.record import derivers, field_access
from formats.rendering.generate import Fields, compile_field, compile_predicate
from formats.rendering.planning import render_plan
from formats.rendering.renderer import Renderer, Unrendered
from formats.rendering.shifting import shifters
from formats.unchanged import UNCHANGED, text_of_line


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
    keys of the batch that no field is known for, as in `formats.reading.Decoded`. Lines were cut to
    `max_bytes`: `shortened` says how many bytes those had, by index. Others that are longer can't
    be cut to that.
    """

    lines: Lines
    records: Sequence[Any]
    filtered: int = 0
    bad: list[BadRecord] = field(default_factory=list)
    unmapped: Mapping[str, int] = field(default_factory=dict)
    max_bytes: int = UNLIMITED
    shortened: Mapping[int, int] = field(default_factory=dict)

    def records_at(self, indices: Sequence[int]) -> Sequence[Any]:
        """Return the records of the lines at some indices."""
        if isinstance(self.records, LaterRecords):
            return self.records.at(indices)
        return [self.records[index] for index in indices]


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
        limit = settings.max_record_bytes
        self._engine = engine_for(self.decode, access, kept.predicate, self.renderer, limit)
        self._user: Callable[[Any], str] = compile_field(ORDER_FIELD, fields)
        self._text_of_line = text_of_line(source) if settings.format is UNCHANGED else None
        """What makes a line of a record that is to go as it came."""

    @property
    def is_compiled(self) -> bool:
        """Whether the next batch runs in the compiled core, which releases the interpreter lock."""
        return self._engine is not None and not self._engine.is_resting

    def run(self, data: bytes, max_bytes: int = UNLIMITED) -> Rendered:
        """Decode, filter and render a batch. Never raises for anything in `data`.

        Lines that are longer are cut to `max_bytes`, if they can be.
        """
        if self._text_of_line is None:
            return self._run(data, max_bytes)
        rendered = self._run(data, UNLIMITED)
        rendered.max_bytes = max_bytes
        if isinstance(rendered.records, LaterRecords):  # the core has printed empty lines
            texts = rendered.records.texts(rendered.lines, self._text_of_line)
            rendered.lines = Lines.of(texts)
        return rendered

    def _run(self, data: bytes, max_bytes: int) -> Rendered:
        engine = self._engine
        output = None if engine is None else engine.run(data, max_bytes)
        if engine is None or output is None:
            return self._interpret(data, max_bytes)[0]
        if not output.handed_count and not output.unmapped:
            records = LaterRecords(output.sources, data, self.decode, {}, order_of_lines(output))
            lines, cut = output.lines(), output.shortened
            return Rendered(lines, records, output.filtered, max_bytes=max_bytes, shortened=cut)
        handed = Rendered(Lines.of(()), [])

        def interpret(lines: bytes) -> Interpreted:
            nonlocal handed
            handed, numbers = self._interpret(lines, max_bytes)
            return handed.lines, handed.records, numbers, handed.bad, handed.shortened

        whole, known, bad = merge(output, data, interpret)
        unmapped = Counter(handed.unmapped)
        for key, count in output.unmapped.items():
            count_unmapped(unmapped, (key,), count)
        if FURTHER_KEYS in unmapped:
            engine.rest()  # which of them have a name depends on their order
            return self._interpret(data, max_bytes)[0]
        records = LaterRecords(whole.sources, data, self.decode, known, order_of_lines(output))
        lines, filtered = whole.lines(), handed.filtered + output.filtered
        return Rendered(lines, records, filtered, bad, unmapped, max_bytes, whole.shortened)

    def fitted(
        self, rendered: Rendered, indices: Sequence[int], max_bytes: int
    ) -> list[bytes | None]:
        """Return some lines with values cut to at most `max_bytes`; `None` if it can't be done."""
        if self._text_of_line is not None:
            return [None] * len(indices)
        return [self.renderer.fit(record, max_bytes) for record in rendered.records_at(indices)]

    def _interpret(self, data: bytes, max_bytes: int) -> tuple["Rendered", Sequence[int]]:
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
        if self._text_of_line is not None:
            lines = _texts(data, decoded, places, self._text_of_line)
        if decoded.line_of:
            places = [decoded.line_of[place] for place in places]
        whole = Lines.of(lines)
        shortened = self._shorten(lines, records, whole.longer(max_bytes), max_bytes)
        if shortened:
            whole = Lines.of(lines)
        unmapped = decoded.unmapped
        return Rendered(whole, records, filtered, bad, unmapped, max_bytes, shortened), places

    def _shorten(
        self, lines: list[bytes], records: Sequence[Any], indices: Iterable[int], max_bytes: int
    ) -> Mapping[int, int]:
        """Cut some of the lines, if they can be; returns the bytes that those had, by index."""
        shortened = {}
        for index in indices:
            line = self.renderer.fit(records[index], max_bytes)
            if line is not None:
                shortened[index], lines[index] = len(lines[index]), line
        return shortened

    def keys(self, records: Sequence[Any]) -> list[int]:
        """Return the order key of each record, see `formats.order`.

        Who asks once will ask again: from the next batch on the core works them out by the way.
        """
        if self._engine is not None:
            self._engine.order()
        if isinstance(records, LaterRecords):
            return records.order_keys(self._key_of)
        return list(map(self._key_of, records))

    def _key_of(self, record: Any) -> int:  # noqa: ANN401 - any record
        return order_key(self._user(record))


def _bad_records(
    data: bytes, decoded: Decoded, places: Sequence[int], unrendered: Sequence[Unrendered]
) -> list[BadRecord]:
    """Find the lines that records which could not be rendered came from."""
    origins = _origins(data, decoded, [places[record.index] for record in unrendered])
    return [
        BadRecord(line, offset, record.reason, text)
        for record, (line, offset, text) in zip(unrendered, origins, strict=True)
    ]


def _texts(
    data: bytes, decoded: Decoded, places: Sequence[int], text_of_line: Callable[[bytes], bytes]
) -> list[bytes]:
    """Return the text of some records as they came, by their places among all of a batch."""
    return [
        text if place in decoded.pieces else text_of_line(text)
        for place, (_, _, text) in zip(places, _origins(data, decoded, places), strict=True)
    ]


def _origins(
    data: bytes, decoded: Decoded, places: Iterable[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield the line, the offset and the bytes of records, by their places among all of a batch.

    The bytes are those of the whole line, unless others are on it.
    """
    lines = split_lines(data)
    for place in places:
        line = decoded.line_of[place] if decoded.line_of else place
        offset, text = decoded.pieces.get(place) or lines[line]
        yield line, offset, text
