"""Batch in, lines out: decode, filter and render, compiled together for one input and one feed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from formats import presets
from formats.errors import NotReadable
from formats.filters import Filter
from formats.language import FeedFormat
from formats.reading import MAX_RECORD_BYTES, BadRecord, Decoded, Input, split_lines
from formats.reading.json import json_format, json_names
from formats.reading.lines import line_format
from formats.record import Access
from formats.rendering.renderer import Options, Renderer, Unrendered
from formats.structure import Kind, structure_of
from formats.times import BadTime, resolve

SAMPLE_RECORDS = 16
"""So many records of a sample are looked at to recognise their form."""

ORDER_FIELD = "login"
"""Order is kept for each user when lines take several ways."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What a feed makes of records: format, filter and the choices beside them.

    `source_zone` is the zone of times that carry none. `max_record_bytes` bounds one record.
    """

    format: FeedFormat
    filter: Filter | None = None
    zone: tzinfo = UTC
    source_zone: tzinfo = UTC
    escape_characters: str = ""
    protect_separators: bool = True
    obfuscation_key: bytes = b""
    max_record_bytes: int = MAX_RECORD_BYTES


@dataclass(slots=True)
class Rendered:
    """What became of a batch: `lines[i]` is `records[i]` rendered, without LF.

    Every record of the batch is in `lines`, counted in `filtered`, or in `bad`.
    """

    lines: list[bytes]
    records: list[Any]
    filtered: int = 0
    bad: list[BadRecord] = field(default_factory=list)


class Pipeline:
    """Decodes, filters and renders batches of one input for one feed."""

    def __init__(self, source: Input, settings: FeedSettings) -> None:
        kept = settings.filter
        wanted = (
            settings.format.field_names | {ORDER_FIELD} | (kept.fields if kept else frozenset())
        )
        access = Access(
            wanted,
            source.available,
            escape_characters=settings.escape_characters,
            obfuscation_key=settings.obfuscation_key,
        )
        self._reader = source.reader(access.attributes, settings.max_record_bytes)
        self.renderer = Renderer(
            settings.format,
            access,
            source.moment,
            Options(
                settings.zone,
                settings.source_zone,
                settings.escape_characters,
                settings.protect_separators,
            ),
        )
        self._keep: Callable[[Any], bool] | None = None
        if kept is not None and not kept.passes_all:
            self._keep = kept.compile(access.expression, access.namespace)
        self._key: Callable[[Any], str] = eval(  # noqa: S307 - ours
            f"lambda r: {access.expression(ORDER_FIELD)}", dict(access.namespace)
        )

    def decode(self, data: bytes) -> Decoded:
        """Return the records of a batch, unfiltered."""
        return self._reader.read(data)

    def run(self, data: bytes) -> Rendered:
        """Decode, filter and render a batch. Never raises for anything in `data`."""
        decoded = self._reader.read(data)
        records, suspects, filtered = decoded.records, decoded.suspects, 0
        if self._keep is not None:
            records, suspects, filtered = self._filtered(decoded)
        rendered, unrendered = self.renderer.render(records, suspects)
        bad = decoded.bad
        if unrendered:
            bad = bad + self._unrendered(data, decoded, records, unrendered)
            bad.sort(key=lambda one: one.line)
            gone = {one.index for one in unrendered}
            records = [record for index, record in enumerate(records) if index not in gone]
        return Rendered(rendered, records, filtered, bad)

    def keys(self, records: Sequence[Any]) -> list[str]:
        """Return the user of each record: what order must be kept for."""
        return [self._key(record) for record in records]

    def _filtered(self, decoded: Decoded) -> tuple[list[Any], list[int], int]:
        keep = self._keep
        assert keep is not None  # noqa: S101 - the caller looked
        kept = [keep(record) for record in decoded.records]
        records = [record for record, wanted in zip(decoded.records, kept, strict=True) if wanted]
        suspects = []
        if decoded.suspects:
            before = 0
            suspicious = set(decoded.suspects)
            for index, wanted in enumerate(kept):
                if wanted and index in suspicious:
                    suspects.append(before)
                before += wanted
        return records, suspects, len(kept) - len(records)

    @staticmethod
    def _unrendered(
        data: bytes, decoded: Decoded, records: Sequence[Any], unrendered: Sequence[Unrendered]
    ) -> list[BadRecord]:
        """Find the lines that records which could not be rendered came from."""
        lines = split_lines(data)
        order_of = {id(record): order for order, record in enumerate(decoded.records)}
        found = []
        for one in unrendered:
            order = order_of[id(records[one.index])]
            line = decoded.line_of[order] if decoded.line_of else order
            offset, text = lines[line]
            found.append(BadRecord(line, offset, one.reason, text))
        return found


def input_of(feed_format: FeedFormat) -> Input:
    """Return the input of records as a feed format prints them. Raises `NotReadable`."""
    if structure_of(feed_format).kind is Kind.JSON:
        return json_format(feed_format)
    return line_format(feed_format)


def recognise(sample: bytes) -> Input:
    """Return the input that a sample (a few whole lines) is in: NSS field names or a preset.

    The one that reads most records wins, then the one that can tell the time of most, then the
    one that finds most fields told in them. Raises `NotReadable` when none reads any.
    """
    best: tuple[tuple[int, int, int], Input] | None = None
    sample = b"\n".join([line for _, line in split_lines(sample)][:SAMPLE_RECORDS]) + b"\n"
    for candidate in _candidates(json=b"{" in sample):
        score = _score(candidate, sample)
        if score[0] and score[2] and (best is None or score > best[0]):
            best = (score, candidate)
    if best is None:
        raise NotReadable("the records are in no known format")
    return best[1]


def _candidates(*, json: bool) -> list[Input]:
    """Return what a sample may be in; without a brace it can't be JSON."""
    inputs = [json_names()] if json else []
    for name in presets.names():
        feed_format = presets.load(name)
        if not json and structure_of(feed_format).kind is Kind.JSON:
            continue
        try:
            inputs.append(input_of(feed_format))
        except NotReadable:
            continue
    return inputs


def _score(candidate: Input, sample: bytes) -> tuple[int, int, int]:
    """Return how many records a candidate reads, of how many the time, and how many fields."""
    access = Access(candidate.available, candidate.available)
    decoded = candidate.reader(access.attributes, MAX_RECORD_BYTES).read(sample)
    moment = candidate.moment
    key = eval(f"lambda r: {moment.expression or None}", dict(moment.namespace))  # noqa: S307 - ours
    timed = sum(_tells_time(moment.tell(key(record))) for record in decoded.records)
    names = [(a.name, a.default) for a in access.attributes]
    names += [(name, None) for name in moment.attributes]
    told = sum(
        getattr(record, name) != default for record in decoded.records for name, default in names
    )
    return len(decoded.records), timed, told


def _tells_time(told: Mapping[str, str | int | None]) -> bool:
    try:
        resolve(told, UTC, UTC)
    except BadTime:
        return False
    return True
