"""Recognition: which format a sample of records is in."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from functools import cache
from operator import add
from typing import NamedTuple

from formats import presets
from formats.errors import NotReadable
from formats.fields import catalogue
from formats.language import FeedFormat
from formats.plan import UNSTATED
from formats.reading import MAX_RECORD_BYTES, BadRecord, Input, split_lines
from formats.reading.json import json_format, json_names, states_fields
from formats.reading.lines import line_format
from formats.reading.time_key import key_of, statement_of
from formats.record import field_access
from formats.structure import LineKind, structure_of
from formats.times import BadTime, resolve

UNKNOWN = "the records are in no known format"
"""The reason of records that nothing reads."""

SAMPLE_RECORDS = 16
"""When an input reads this many records of a sample, its form is known."""

WINDOW_BYTES = 64 * 1024
"""Records are looked at together up to this many bytes, or one longer record alone."""

LOOK_RECORDS = 256
"""This many records are looked at from the beginning of a sample, then only some of the rest."""

LOOK_BYTES = 1 << 20
"""And this many bytes, with the record that they end in."""

_PROBES = 8
"""Recognition continues at this many places of the rest, and at its end."""


def input_of(feed_format: FeedFormat) -> Input:
    """Return the input of records as a feed format prints them. Raises `NotReadable`.

    The JSON preset is read as any JSON is: its older and newer forms have other keys.
    """
    if feed_format.parts == presets.load("JSON").parts:
        return json_names()
    is_json = structure_of(feed_format).kind is LineKind.JSON
    found = json_format(feed_format) if is_json else line_format(feed_format)
    return replace(found, format=feed_format)


class _Score(NamedTuple):
    """How well an input reads a sample, what counts most first.

    Of the records that it reads `timed` have a time; they have values in `stated` fields, and
    values or placeholders in `present` ones.
    """

    records: int = 0
    timed: int = 0
    stated: int = 0
    present: int = 0

    def plus(self, other: "_Score") -> "_Score":
        """Return the score of two samples together."""
        return _Score(*map(add, self, other))


class _Candidate:
    """An input that records may be in, and what it takes to find out; made once, as it is slow.

    `alone` reads no records of the layouts beside `found` (see `formats.reading.layouts`), so that
    the one that they are in is found.
    """

    def __init__(self, found: Input, alone: Input) -> None:
        self.input = found
        access = field_access(alone.available, alone.available)
        attributes = [
            replace(attribute, default=UNSTATED if attribute.number else None)
            for attribute in access.attributes
        ]
        self._decode = alone.reader(attributes, MAX_RECORD_BYTES)
        self._time_key = key_of(alone.time_key)
        self._statement = statement_of(alone.time_key)
        self._placeholders = {
            attribute.name: catalogue()[attribute.name].placeholder
            for attribute in access.attributes
        }
        self._placeholders |= dict.fromkeys(alone.time_key.attributes, "")

    def score(self, sample: bytes) -> _Score:
        """Return how well it reads a sample."""
        decoded = self._decode(sample)
        timed = 0
        for record in decoded.records:
            with suppress(BadTime):
                resolve(self._statement(self._time_key(record)), UTC, UTC)
                timed += 1
        present = stated = 0
        for record in decoded.records:
            for name, placeholder in self._placeholders.items():
                value = getattr(record, name)
                if value is not None and value != UNSTATED:
                    present += 1
                    stated += value != placeholder
        return _Score(len(decoded.records), timed, stated, present)


def recognise(sample: bytes) -> Input:
    """Return the input that a sample (whole lines) is in: NSS field names or a preset.

    The input that reads most records wins, then the one that knows the time of most, then the one
    that finds most values in them, then the one that finds most fields: of records that hold little
    but placeholders, too, all keys are known. Lines that nothing reads are skipped over, within
    bounds: the sample may be of any size. Raises `NotReadable` when nothing reads any.
    """
    scores: dict[str, _Score] = {}
    inputs: dict[str, Input] = {}
    for window in _windows(sample):
        # Without a brace it can't be JSON.
        for candidate in _candidates(json=b"{" in window):
            score = candidate.score(window)
            if score.records and score.stated:
                name = candidate.input.name
                inputs[name] = candidate.input
                scores[name] = scores.get(name, _Score()).plus(score)
        if scores and max(scores.values()).records >= SAMPLE_RECORDS:
            break
    if not scores:
        if any(map(states_fields, _windows(sample))):
            return json_names()  # which has better reasons why it reads none of them
        raise NotReadable(UNKNOWN)
    return inputs[max(scores, key=lambda name: scores[name])]


def unrecognised(data: bytes) -> list[BadRecord]:
    """Return the rejects of a batch that is in no known format: each of its lines."""
    lines = enumerate(split_lines(data))
    return [BadRecord(number, at, UNKNOWN, line) for number, (at, line) in lines]


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
