"""Recognition: which format a sample of records is in."""

from contextlib import suppress
from datetime import UTC
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
    """Return the input of records as a feed format prints them. Raises `NotReadable`."""
    if structure_of(feed_format).kind is LineKind.JSON:
        return json_format(feed_format)
    return line_format(feed_format)


def recognise(sample: bytes) -> Input:
    """Return the input that a sample (a few whole lines) is in: NSS field names or a preset.

    The input that reads most records wins, then the one that knows the time of most, then the one
    that finds most fields in them. Raises `NotReadable` when none reads any.
    """
    sample = b"\n".join([line for _, line in split_lines(sample)][:SAMPLE_RECORDS]) + b"\n"
    scored = [(_score(candidate, sample), candidate) for candidate in _candidates(sample)]
    readable = [(score, candidate) for score, candidate in scored if score[0] and score[2]]
    if not readable:
        raise NotReadable("the records are in no known format")
    return max(readable, key=itemgetter(0))[1]


def _candidates(sample: bytes) -> list[Input]:
    """Return what a sample may be in; without a brace it can't be JSON."""
    json = b"{" in sample
    inputs = [json_names()] if json else []
    for name in presets.names():
        feed_format = presets.load(name)
        if not json and structure_of(feed_format).kind is LineKind.JSON:
            continue
        with suppress(NotReadable):
            inputs.append(input_of(feed_format))
    return inputs


def _score(candidate: Input, sample: bytes) -> tuple[int, int, int]:
    """Return how many records a candidate reads, of how many the time, and how many fields."""
    access = field_access(candidate.available, candidate.available)
    decoded = candidate.reader(access.attributes, MAX_RECORD_BYTES)(sample)
    key, statement = key_of(candidate.time_key), statement_of(candidate.time_key)
    timed = 0
    for record in decoded.records:
        with suppress(BadTime):
            resolve(statement(key(record)), UTC, UTC)
            timed += 1
    defaults = {attribute.name: attribute.default for attribute in access.attributes}
    defaults |= dict.fromkeys(candidate.time_key.attributes)
    stated = sum(
        getattr(record, name) != default
        for record in decoded.records
        for name, default in defaults.items()
    )
    return len(decoded.records), timed, stated
