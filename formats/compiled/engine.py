"""The core at work for one pipeline: times that it asks for, records that it hands over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from formats.compiled import core_type
from formats.compiled.ordering import order_of
from formats.compiled.predicates import sieve_of
from formats.compiled.program import Unfit, program_of, slots_of
from formats.filters.predicate import Predicate
from formats.lines import UNLIMITED, Lines
from formats.plan import FieldAccess, KeyTable, Table
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
        self, core: "Core", table: Table, slots: Mapping[str, int], renderer: Renderer
    ) -> None:
        self._core = core
        self._table = table
        self._slots = slots
        self._renderer = renderer
        self._names = renderer.plan.time_key.attributes
        self._resting = 0

    def run(self, data: bytes | memoryview, max_bytes: int = UNLIMITED) -> "Output | None":
        """Return what came of a batch; `None`: Python is to run it, all of it.

        Lines are cut to `max_bytes`, if they can be.
        That is so where the core has nothing to gain. A thread that enters while another runs one
        gets `None` too, but must not run the pipeline in Python either: that is for one thread.
        """
        if self._resting > 0:
            self._resting -= 1
            return None
        output = self._core.run(data, self._meaning_of, self._resolve, max_bytes)
        if output is not None:
            done = len(output) + output.filtered
            if output.handed_count > max(MANY_RECORDS, done):
                self.rest()
        return output

    @property
    def is_resting(self) -> bool:
        """Whether the next batch is left to Python."""
        return self._resting > 0

    def order(self) -> None:
        """Have the lines of the next batches get order keys."""
        self._core.wants_order = True

    def rest(self) -> None:
        """Leave some batches to Python: what the core has just done was for nothing."""
        self._resting = REST_BATCHES

    def _meaning_of(self, key: str) -> tuple[int, bool, bool, bool]:
        table = self._table
        assert isinstance(table, KeyTable)  # noqa: S101 - nothing else has keys that are not known
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
    reader: Reader,
    access: FieldAccess,
    predicate: Predicate,
    renderer: Renderer,
    max_record_bytes: int,
) -> Engine | None:
    """Return the engine of a pipeline; `None` when it has to run in Python."""
    core, table = core_type(), reader.table if isinstance(reader, KeyedReader) else None
    if core is None or table is None:
        return None
    plan, attributes = renderer.plan, access.attributes
    slots = slots_of(attributes, plan.time_key)
    program = program_of(plan, attributes, table, max_record_bytes)
    try:
        sieve = sieve_of(predicate, access, slots, plan.escape_characters)
        order = order_of(access, slots)
    except Unfit:
        return None
    return None if program is None else Engine(core(program, sieve, order), table, slots, renderer)


def order_of_lines(output: "Output") -> Mapping[int, int]:
    """Return the order keys by where records begin; none if nobody wanted them."""
    keys = output.order_keys
    return dict(zip(output.sources, keys, strict=True)) if keys else {}


Interpreted = tuple[Lines, Sequence[Any], Sequence[int], list[BadRecord], Mapping[int, int]]
"""What Python makes of lines: lines, their records, the numbers of their lines, what is bad, and
how long lines were that were cut, by index."""


def merge(
    output: "Output", data: bytes, interpret: Callable[[bytes], Interpreted]
) -> tuple["Output", dict[int, Any], list[BadRecord]]:
    """Return what came of a batch, with what was handed over, each in order.

    `interpret` does in Python what was handed over, all of it at once. Its records are by what
    their lines have as a source, as in `LaterRecords`.
    """
    handed = output.handed_over
    if not handed:
        return output, {}, []
    joined = b"".join(data[start:end] + b"\n" for start, end, _, _ in handed)
    lines, records, numbers, bad, shortened = interpret(joined)
    known = {-1 - index: record for index, record in enumerate(records)}
    starts = list(accumulate((end - start + 1 for start, end, _, _ in handed), initial=0))
    found = [
        replace(
            record,
            line=handed[record.line][2],
            offset=record.offset - starts[record.line] + handed[record.line][0],
        )
        for record in bad
    ]
    return output.merged(lines, numbers, shortened), known, found
