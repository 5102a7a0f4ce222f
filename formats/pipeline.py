"""Batch in, lines out: decode, filter and render, compiled together for one input and one feed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from formats.filters import Filter
from formats.language import FeedFormat
from formats.reading import MAX_RECORD_BYTES, BadRecord, Decoded, Input, split_lines
from formats.record import Access
from formats.rendering.renderer import Options, Renderer, Unrendered

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
