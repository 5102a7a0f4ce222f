"""Feed format to renderer: one generated function over a batch, beside a readable reference.

The generated function builds each line with a single f-string. Text around time fields is worked
out once per distinct second. What a line must not carry (control characters, a pipe in a header,
the format's own separator inside a value) is looked for in ways that cost next to nothing when
it is not there; a record that has it is rendered again by the reference, slot by slot.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, Literal, Part, Slot
from formats.record import Access, Moment
from formats.rendering.fit import shorten
from formats.rendering.generate import LoopSource
from formats.structure import Kind, Structure, structure_of
from formats.times import BadTime, Parts, TimeTable, resolve
from formats.values import Remembered, cleaner, encoder

Record = Any
SHORTENED_FIELDS = frozenset(
    {"url", "eurl", "eurlpath", "referer", "ereferer", "erefererpath", "ua", "eua"}
)
"""What is cut when a line is too long for its way: URL, referrer and user agent."""


@dataclass(frozen=True, slots=True)
class Unrendered:
    """A record that could not be rendered: its index in the batch and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Options:
    """What a feed sets beside its format.

    `escape_characters` are encoded in `e*` fields beyond what always is. With
    `protect_separators` the structure of every format is kept from hostile values; without it
    only LEEF's is, and the rest prints exactly what the service prints.
    """

    zone: tzinfo
    source_zone: tzinfo
    escape_characters: str = ""
    protect_separators: bool = True


class Renderer:
    """Renders records of one input in one feed format."""

    def __init__(
        self, feed_format: FeedFormat, access: Access, moment: Moment, options: Options
    ) -> None:
        self._parts = feed_format.parts
        self._structure = structure_of(feed_format)
        self._encode = encoder(options.escape_characters)
        guards = _guards(self._structure, protect=options.protect_separators)
        self._clean = tuple(cleaner(guard) for guard in guards)
        self._segments = tuple(_segments(self._parts))
        self._needs = frozenset(slot.field.name for slot in feed_format.slots) & TIME_FIELDS
        self._tell = moment.tell
        self._options = options
        self._last_key: object = None
        self._last_parts: Parts = {}
        self.times = TimeTable(self._time_texts)
        namespace = (
            access.namespace
            | dict(moment.namespace)
            | {
                "times": self.times,
                "BadTime": BadTime,
                "encoded": Remembered(self._encode),
                "again": self.line,
            }
        )
        source = LoopSource(
            self._segments,
            access,
            moment,
            self._structure,
            guards,
            escapes=bool(options.escape_characters),
        )
        self.source = source.batch()
        """The generated code, for people and profilers."""
        exec(compile(self.source, f"<{feed_format.name}>", "exec"), namespace)  # noqa: S102 - ours
        self._batch: Callable[[Sequence[Record], list[tuple[int, str]]], list[bytes]] = namespace[
            "batch"
        ]  # type: ignore[assignment]
        self._values: Callable[[Record], tuple[Any, ...]] = eval(  # noqa: S307 - ours
            source.values(), namespace
        )
        self._key: Callable[[Record], Any] = eval(  # noqa: S307 - ours
            f"lambda r: {moment.expression or None}", namespace
        )

    def render(
        self, records: Sequence[Record], suspects: Iterable[int] | None = None
    ) -> tuple[list[bytes], list[Unrendered]]:
        """Render a batch; returns lines in order (without LF) and what could not be rendered.

        `suspects` are the indices of the records whose values may hold control characters or
        lone surrogates; `None` means that nobody looked, so every record is looked at.
        """
        found: list[tuple[int, str]] = []
        if suspects is None:
            lines, suspects = [b""] * len(records), range(len(records))
        else:
            lines = self._batch(records, found)
        for index in suspects:
            try:
                lines[index] = self.line(records[index])
            except BadTime as error:
                found.append((index, str(error)))
        if not found:
            return lines, []
        reasons = dict(found)
        whole = [line for index, line in enumerate(lines) if index not in reasons]
        return whole, [Unrendered(*one) for one in sorted(reasons.items())]

    def line(self, record: Record) -> bytes:
        """Render one record the slow way, looking at every value: the reference.

        Raises `BadTime` when the record has no time that the format could print.
        """
        return "".join(self._pieces(record)).encode()

    def fit(self, record: Record, max_bytes: int) -> bytes | None:
        """Render one record into at most `max_bytes`; `None` when that can't be done.

        Only values of `SHORTENED_FIELDS` are cut, the longest first, and the cut is marked.
        """
        pieces = self._pieces(record)
        cuttable = [
            index
            for index, part in enumerate(self._parts)
            if isinstance(part, Slot) and part.field.name in SHORTENED_FIELDS
        ]
        return shorten(pieces, cuttable, max_bytes)

    def _pieces(self, record: Record) -> list[str]:
        parts = self._remembered_parts(self._key(record)) if self._needs else {}
        values = iter(self._values(record))
        pieces, slot_index = [], -1
        for part in self._parts:
            if isinstance(part, Literal):
                pieces.append(part.text)
                continue
            slot_index += 1
            if part.field.name in TIME_FIELDS:
                pieces.append(_time_text(part, parts))
            else:
                pieces.append(self._piece(slot_index, part, next(values)))
                if slot_index in self._structure.closing:
                    _close(pieces)
        return pieces

    def _piece(self, index: int, slot: Slot, value: str | int) -> str:
        if isinstance(value, int):
            return slot.text(value)
        if slot.field.encoded:
            value = self._encode(value)
        return self._clean[index](value)

    def _remembered_parts(self, key: Any) -> Parts:  # noqa: ANN401 - whatever the input keys by
        """Return what `_told` does; records that follow each other often share their second."""
        if key is None or key != self._last_key:
            self._last_parts = self._told(key)
            self._last_key = key
        return self._last_parts

    def _told(self, key: Any) -> Parts:  # noqa: ANN401 - whatever the input keys times by
        return resolve(self._tell(key), self._options.source_zone, self._options.zone)

    def _time_texts(self, key: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
        parts = self._told(key)
        return tuple(
            "".join(
                part.text if isinstance(part, Literal) else _time_text(part, parts)
                for part in segment
            )
            for segment in self._segments
            if _is_time(segment)
        )


def _close(pieces: list[str]) -> None:
    """Encode a backslash that would stand before a TAB or a header's pipe.

    Some readers take it for an escape. It may be in front of values that are empty.
    """
    at = len(pieces) - 1
    while at > 0 and not pieces[at]:
        at -= 1
    if pieces[at].endswith("\\"):
        pieces[at] = f"{pieces[at][:-1]}%5C"


def _time_text(slot: Slot, parts: Parts) -> str:
    name = slot.field.name
    if name not in parts:
        raise BadTime(f"the time has no {name}")
    return slot.text(parts[name])


def _is_time(segment: Sequence[Part]) -> bool:
    return any(isinstance(part, Slot) and part.field.name in TIME_FIELDS for part in segment)


def _segments(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """Group static text and time fields that stand together; other slots stand alone."""
    segments: list[list[Part]] = []
    joinable = False
    for part in parts:
        fixed = isinstance(part, Literal) or part.field.name in TIME_FIELDS
        if fixed and joinable:
            segments[-1].append(part)
        else:
            segments.append([part])
        joinable = fixed
    return [tuple(segment) for segment in segments]


def _guards(structure: Structure, *, protect: bool) -> tuple[str, ...]:
    if protect or structure.kind is Kind.LEEF:
        return structure.guards
    return ("",) * len(structure.guards)
