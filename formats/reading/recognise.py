"""Recognition: which format a sample of records is in."""

from contextlib import suppress
from datetime import UTC
from functools import cache
from operator import itemgetter

from formats import presets
from formats.errors import NotReadable
from formats.language import FeedFormat
from formats.reading import MAX_RECORD_BYTES, Input, split_lines
from formats.reading.json import json_format, json_names
from formats.reading.lines import line_format
from formats.reading.time_key import key_of, statement_of
from formats.record import field_access
from formats.structure import LineKind, structure_of
from formats.times import BadTime, resolve

SAMPLE_RECORDS = 16
"""This many records of a sample are read to recognise their form."""


def input_of(feed_format: FeedFormat) -> Input:
    """Return the input of records as a feed format prints them. Raises `NotReadable`.

    The JSON preset is read as any JSON is: its older and newer forms have other keys.
    """
    if feed_format.parts == presets.load("JSON").parts:
        return json_names()
    if structure_of(feed_format).kind is LineKind.JSON:
        return json_format(feed_format)
    return line_format(feed_format)


class _Candidate:
    """An input that records may be in, and what it takes to find out; made once, as it is slow."""

    def __init__(self, found: Input) -> None:
        self.input = found
        access = field_access(found.available, found.available)
        self._decode = found.reader(access.attributes, MAX_RECORD_BYTES)
        self._time_key = key_of(found.time_key)
        self._statement = statement_of(found.time_key)
        self._defaults = {attribute.name: attribute.default for attribute in access.attributes}
        self._defaults |= dict.fromkeys(found.time_key.attributes)

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
    """Return the input that a sample (a few whole lines) is in: NSS field names or a preset.

    The input that reads most records wins, then the one that knows the time of most, then the one
    that finds most fields in them. Raises `NotReadable` when none reads any.
    """
    sample = b"\n".join([line for _, line in split_lines(sample)][:SAMPLE_RECORDS]) + b"\n"
    # Without a brace it can't be JSON.
    scored = [(each.score(sample), each.input) for each in _candidates(json=b"{" in sample)]
    readable = [(score, found) for score, found in scored if score[0] and score[2]]
    if not readable:
        raise NotReadable("the records are in no known format")
    return max(readable, key=itemgetter(0))[1]


@cache
def _candidates(*, json: bool) -> tuple[_Candidate, ...]:
    """Return what a sample may be in, if it can be JSON, and otherwise."""
    inputs = [json_names()] if json else []
    for name in presets.names():
        feed_format = presets.load(name)
        if structure_of(feed_format).kind is LineKind.JSON:
            continue
        with suppress(NotReadable):
            inputs.append(input_of(feed_format))
    return tuple(map(_Candidate, inputs))
