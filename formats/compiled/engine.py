"""The core at work for one pipeline: times that it asks for, records that it hands over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from formats.compiled import core_type
from formats.compiled.program import program_of, slots_of
from formats.plan import Attribute, KeyTable
from formats.reading import BadRecord, KeyedReader, Reader
from formats.rendering.renderer import Renderer
from formats.times import BadTime

if TYPE_CHECKING:
    from formats.compiled._core import Core, Output


REST_BATCHES = 16
MANY_RECORDS = 32
"""When so many records of a batch, and most of them, were handed over, the core has read them for
nothing: batches of that kind are left to Python for a while, see `Engine.rest`."""


class Engine:
    """Runs batches of one pipeline through the core."""

    def __init__(
        self, core: "Core", table: KeyTable, slots: Mapping[str, int], renderer: Renderer
    ) -> None:
        self._core = core
        self._table = table
        self._slots = slots
        self._renderer = renderer
        self._names = renderer.plan.time_key.attributes
        self._resting = 0

    def run(self, data: bytes | memoryview) -> "Output | None":
        """Return what came of a batch; `None`: Python is to run it, all of it.

        That is so where the core has nothing to gain. A thread that enters while another runs one
        gets `None` too, but must not run the pipeline in Python either: that is for one thread.
        """
        if self._resting > 0:
            self._resting -= 1
            return None
        output = self._core.run(data, self._meaning_of, self._resolve)
        if output is not None and output.handed_count > max(MANY_RECORDS, len(output)):
            self.rest()
        return output

    @property
    def is_resting(self) -> bool:
        """Whether the next batch is left to Python."""
        return self._resting > 0

    def rest(self) -> None:
        """Leave some batches to Python: what the core has just done was for nothing."""
        self._resting = REST_BATCHES

    def _meaning_of(self, key: str) -> tuple[int, bool, bool, bool]:
        table = self._table
        attribute, is_unmapped = table.meaning_of(key)
        if attribute is None:
            return -1, is_unmapped, False, False
        return self._slots[attribute], False, key not in table.beside, attribute in table.whose

    def _resolve(self, stated: Sequence[str | int | None]) -> tuple[bytes, ...] | None:
        record = SimpleNamespace(**dict(zip(self._names, stated, strict=True)))
        try:
            return tuple(text.encode() for text in self._renderer.times_of(record))
        except BadTime:
            return None


def engine_for(
    reader: Reader, attributes: Sequence[Attribute], renderer: Renderer, max_record_bytes: int
) -> Engine | None:
    """Return the engine of a pipeline; `None` when it has to run in Python."""
    core, table = core_type(), reader.table if isinstance(reader, KeyedReader) else None
    if core is None or table is None:
        return None
    program = program_of(renderer.plan, attributes, table, max_record_bytes)
    if program is None:
        return None
    return Engine(core(program), table, slots_of(attributes, renderer.plan.time_key), renderer)


Interpreted = tuple[list[bytes], Sequence[Any], Sequence[int], list[BadRecord]]
"""What Python makes of lines: lines, their records, the numbers of their lines, what is bad."""


def merge(
    output: "Output", data: bytes, interpret: Callable[[bytes], Interpreted]
) -> tuple[list[bytes], list[Any], list[BadRecord]]:
    """Return lines, rows of `LaterRecords` and bad records of a batch, each in order.

    `interpret` does in Python what was handed over, all of it at once.
    """
    handed = output.handed_over
    lines, rows = output.lines(), output.sources
    if not handed:
        return lines, rows, []
    joined = b"".join(data[start:end] + b"\n" for start, end, _, _ in handed)
    more, records, numbers, bad = interpret(joined)
    merged, merged_rows, at = [], [], 0
    places = iter(zip(more, records, numbers, strict=True))
    following = next(places, None)
    for index, (_, _, _, before) in enumerate(handed):
        merged += lines[at:before]
        merged_rows += rows[at:before]
        at = before
        while following is not None and following[2] == index:
            merged.append(following[0])
            merged_rows.append(following[1])
            following = next(places, None)
    starts = list(accumulate((end - start + 1 for start, end, _, _ in handed), initial=0))
    found = [
        replace(
            record,
            line=handed[record.line][2],
            offset=record.offset - starts[record.line] + handed[record.line][0],
        )
        for record in bad
    ]
    return merged + lines[at:], merged_rows + rows[at:], found
