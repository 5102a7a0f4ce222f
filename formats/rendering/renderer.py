"""A render plan at work: one generated function over a batch, beside a readable reference.

The generated function builds each line with a single f-string. Text around time fields is worked
out once per distinct second. What a line must not carry (control characters, a pipe in a header,
the format's own separator inside a value) is looked for in ways that cost next to nothing when
it is not there; a record that has it is rendered again by the reference, piece by piece.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import zip_longest
from typing import Any

from formats.language import Literal, Part
from formats.plan import RenderPlan, TimePiece, ValuePiece
from formats.reading.time_key import key_of, statement_of
from formats.rendering.generate import Fields, compile_batch, compile_values
from formats.rendering.shortening import marks_of, shorten
from formats.times import BadTime, Parts, resolve, zone
from formats.values import Remembered, cleaner, encoder

Record = Any
_MAX_TIMES = 20_000


@dataclass(frozen=True, slots=True)
class Unrendered:
    """A record that could not be rendered: its index in the batch, and the reason."""

    index: int
    reason: str


class Renderer:
    """Renders records of one input in one feed format.

    `zones` are that of times that carry none, and that of what is printed. `name` stands for the
    feed format in tracebacks and profiles.
    """

    def __init__(
        self, plan: RenderPlan, fields: Fields, zones: tuple[tzinfo, tzinfo], name: str
    ) -> None:
        self.plan = plan
        self._zones = zones
        self._encode = encoder(plan.escape_characters)
        values = [piece for piece in plan.pieces if isinstance(piece, ValuePiece)]
        self._clean = {piece.guard: cleaner(piece.guard) for piece in values}
        self._marks = marks_of(plan.pieces)
        self._time_pieces = [piece for piece in plan.pieces if isinstance(piece, TimePiece)]
        named = {name for piece in self._time_pieces for name in piece.zones if name is not None}
        self._targets = {None: zones[1]} | {name: zone(name) for name in named}
        self._key = key_of(plan.time_key)
        self._statement = statement_of(plan.time_key)
        self.times = Remembered(self._time_texts, _MAX_TIMES)
        """The texts of the time pieces by time key. A `BadTime` is raised, and not remembered."""
        encoded = Remembered(self._encode)
        names = {"times": self.times, "encoded": encoded, "reference": self.line}
        self._batch = compile_batch(plan, fields, names, name)
        self._values = compile_values(plan, fields)

    def render(
        self, records: Sequence[Record], suspects: Iterable[int] | None = None
    ) -> tuple[list[bytes], list[Unrendered]]:
        """Render a batch; returns lines in order (without LF) and what could not be rendered.

        `suspects` are the indices of the records whose values may hold control characters or
        lone surrogates; `None` means that nobody looked, so the reference renders every record.
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
        return whole, [Unrendered(*reason) for reason in sorted(reasons.items())]

    def times_of(self, record: Record) -> tuple[str, ...]:
        """Return the texts of the time pieces of a record's line. Raises `BadTime`."""
        return self.times[self._key(record)]

    def line(self, record: Record) -> bytes:
        """Render one record the slow way, checking every value: the reference.

        Raises `BadTime` when the record has no time that the format could print.
        """
        return "".join(self._pieces(record)).encode()

    def fit(self, record: Record, max_bytes: int) -> bytes | None:
        """Render one record into at most `max_bytes`; `None` when that can't be done.

        Only values of `SHORTENED_FIELDS` are cut, the longest first, and the cut is marked.
        """
        return shorten(self._pieces(record), self._marks, max_bytes)

    def _pieces(self, record: Record) -> list[str]:
        values = iter(self._values(record))
        times = iter(self.times_of(record) if self._time_pieces else ())
        texts: list[str] = []
        for piece in self.plan.pieces:
            if isinstance(piece, Literal):
                texts.append(piece.text)
            elif isinstance(piece, TimePiece):
                texts.append(next(times))
            else:
                texts.append(self._value_text(piece, next(values)))
                if piece.closes:
                    _close(texts)
        return texts

    def _value_text(self, piece: ValuePiece, value: str | int) -> str:
        if isinstance(value, int):
            return piece.slot.text(value)
        if piece.slot.field.encoded:
            value = self._encode(value)
        return self._clean[piece.guard](value)

    def _time_texts(self, key: object) -> tuple[str, ...]:
        stated, (source, _) = self._statement(key), self._zones
        parts = {name: resolve(stated, source, target) for name, target in self._targets.items()}
        return tuple(
            "".join(
                _time_text(part, parts[name])
                for part, name in zip_longest(piece.parts, piece.zones)
            )
            for piece in self._time_pieces
        )


def _close(texts: list[str]) -> None:
    """Encode a backslash that would stand before a separator or a header's pipe.

    Some readers take it for an escape. It may be in front of values that are empty.
    """
    at = len(texts) - 1
    while at > 0 and not texts[at]:
        at -= 1
    if texts[at].endswith("\\"):
        texts[at] = f"{texts[at][:-1]}%5C"


def _time_text(part: Part, parts: Parts) -> str:
    if isinstance(part, Literal):
        return part.text
    name = part.field.name
    if name not in parts:
        raise BadTime(f"the time has no {name}")
    return part.text(parts[name])
