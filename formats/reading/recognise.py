"""Recognition: which format a sample of records is in."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from functools import cache

from formats import presets
from formats.errors import NotReadable
from formats.language import FeedFormat
from formats.reading import MAX_RECORD_BYTES, Input
from formats.reading.json import json_format, json_names, states_fields
from formats.reading.lines import line_format
from formats.reading.time_key import key_of, statement_of
from formats.record import field_access
from formats.structure import LineKind, structure_of
from formats.times import BadTime, resolve

SAMPLE_RECORDS = 16
"""When an input reads this many records of a sample, its form is known."""

WINDOW_BYTES = 64 * 1024
"""Records are looked at together up to this many bytes, or one longer record alone."""

LOOK_RECORDS = 256
"""This many records are looked at from the beginning of a sample, then only some of the rest."""

LOOK_BYTES = 1 << 20
"""And this many bytes, with the record that they end in."""

_PROBES = 8
"""In so many places of the rest, and at its end, recognition looks on."""


def input_of(feed_format: FeedFormat) -> Input:
    """Return the input of records as a feed format prints them. Raises `NotReadable`.

    The JSON preset is read as any JSON is: its older and newer forms have other keys.
    """
    if feed_format.parts == presets.load("JSON").parts:
        return json_names()
    is_json = structure_of(feed_format).kind is LineKind.JSON
    found = json_format(feed_format) if is_json else line_format(feed_format)
    return replace(found, format=feed_format)


class _Candidate:
    """An input that records may be in, and what it takes to find out; made once, as it is slow.

    `alone` reads no records of the layouts beside `found` (see `formats.reading.layouts`), so that
    the one that they are in is found.
    """

    def __init__(self, found: Input, alone: Input) -> None:
        self.input = found
        access = field_access(alone.available, alone.available)
        self._decode = alone.reader(access.attributes, MAX_RECORD_BYTES)
        self._time_key = key_of(alone.time_key)
        self._statement = statement_of(alone.time_key)
        self._defaults = {attribute.name: attribute.default for attribute in access.attributes}
        self._defaults |= dict.fromkeys(alone.time_key.attributes)

    def score(self, sample: bytes) -> tuple[int, int, int]:
        """Return how many records it reads, of how many the time, and how many fields."""
        decoded = self._decode(sample)
        timed = 0
        for record in decoded.records:
            with suppress(BadTime):
                resolve(self._statement(self._time_key(record)), UTC, UTC)
                timed += 1
        stated = sum(
            getattr(record, name) != default
            for record in decoded.records
            for name, default in self._defaults.items()
        )
        return len(decoded.records), timed, stated


def recognise(sample: bytes) -> Input:
    """Return the input that a sample (whole lines) is in: NSS field names or a preset.

    The input that reads most records wins, then the one that knows the time of most, then the one
    that finds most fields in them. Lines that nothing reads are skipped over, within bounds: the
    sample may be of any size. Raises `NotReadable` when nothing reads any.
    """
    scores: dict[str, tuple[int, int, int]] = {}
    inputs: dict[str, Input] = {}
    for window in _windows(sample):
        # Without a brace it can't be JSON.
        for candidate in _candidates(json=b"{" in window):
            records, timed, stated = candidate.score(window)
            if records and stated:
                name = candidate.input.name
                inputs[name] = candidate.input
                before = scores.get(name, (0, 0, 0))
                scores[name] = before[0] + records, before[1] + timed, before[2] + stated
        if scores and max(scores.values())[0] >= SAMPLE_RECORDS:
            break
    if not scores:
        if any(map(states_fields, _windows(sample))):
            return json_names()  # which has better reasons why it reads none of them
        raise NotReadable("the records are in no known format")
    return inputs[max(scores, key=lambda name: scores[name])]


def _windows(sample: bytes) -> Iterator[bytes]:
    """Yield a few lines of a sample at a time: those that it begins with, then some of the rest."""
    at = looked = 0
    while at < len(sample) and looked < LOOK_RECORDS and at < LOOK_BYTES:
        window, at = _window(sample, at)
        looked += SAMPLE_RECORDS
        yield window
    last = len(sample)
    for _ in range(SAMPLE_RECORDS):
        last = max(at, sample.rfind(b"\n", at, max(at, last - 1)) + 1)
    step = max(1, (last - at) // _PROBES)
    while at < len(sample):
        window, end = _window(sample, at)
        yield window
        at = max(end, sample.find(b"\n", at + step) + 1 or len(sample))
        at = max(end, min(at, last))


def _window(sample: bytes, at: int) -> tuple[bytes, int]:
    """Return some lines from one on, none of them blank, and where the next line begins."""
    lines: list[bytes] = []
    start = at
    while at < len(sample) and len(lines) < SAMPLE_RECORDS and at - start < WINDOW_BYTES:
        end = sample.find(b"\n", at) + 1 or len(sample)
        if lines and end - start > WINDOW_BYTES:
            break
        line = sample[at:end].rstrip(b"\n")
        if line and not line.isspace():
            lines.append(line)
        at = end
    return b"\n".join([*lines, b""]), at


@cache
def _candidates(*, json: bool) -> tuple[_Candidate, ...]:
    """Return what a sample may be in, if it can be JSON, and otherwise."""
    if json:
        names = json_names()
        return (_Candidate(names, names), *_candidates(json=False))
    forms = [_candidate(name) for name in presets.names()]
    return tuple(form for form in forms if form is not None)


def _candidate(name: str) -> _Candidate | None:
    feed_format = presets.load(name)
    if structure_of(feed_format).kind is LineKind.JSON:
        return None
    try:
        found = input_of(feed_format)
    except NotReadable:
        return None
    return _Candidate(found, line_format(feed_format, alone=True))
