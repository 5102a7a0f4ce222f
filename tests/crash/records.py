"""Records that each have a name of their own, and the line that every feed must make of them."""

import re

import orjson

from formats import presets
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from nss.lab.generator import RecordGenerator

PRESETS = {"file": "QRADAR", "udp": "MCAS", "tcp": "SPLUNK_CIM"}
"""The feeds, and what they render."""

_NAME = re.compile(rb'"login":"([a-z]+-\d+-\d+)"')


class Records:
    """Makes records named STEM-NUMBER; `named` tells which one a line was rendered from."""

    def __init__(self, seed: int) -> None:
        self.named: dict[str, dict[bytes, str]] = {feed: {} for feed in PRESETS}
        self._generator = RecordGenerator(seed, flat=True)
        self._pipelines = {
            feed: Pipeline(json_names(), FeedSettings(presets.load(preset), None))
            for feed, preset in PRESETS.items()
        }

    def make(self, stem: str, first: int, count: int) -> tuple[list[str], bytes]:
        """Return the names of the next records of a stem, and the records, one a line."""
        names = [f"{stem}-{number}" for number in range(first, first + count)]
        records = [
            orjson.dumps(orjson.loads(line) | {"login": name}) + b"\n"
            for name, line in zip(names, self._generator.lines(count), strict=True)
        ]
        data = b"".join(records)
        for feed, pipeline in self._pipelines.items():
            self.named[feed].update(zip(pipeline.run(data).lines, names, strict=True))
        return names, data


def names_in(data: bytes) -> list[str]:
    """Return the names of records, in order; a line that is no record has none."""
    return [name.decode() for name in _NAME.findall(data)]


def stem_and_number(name: str) -> tuple[str, int]:
    """Return what a name is made of."""
    stem, _, number = name.rpartition("-")
    return stem, int(number)
