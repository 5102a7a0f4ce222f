"""Batches between pages that nobody may read: a process that reads beyond them is killed.

`main` is for a process of its own; it prints how many batches were run.
"""

import ctypes
import mmap
import random

from formats import presets
from formats.fields import TIME_FIELDS
from formats.lines import UNLIMITED
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from tests.formats.compiled.judged import TIME_KEYS, Hostile, Judged
from tests.formats.compiled.text_lines import HostileLines
from tests.formats.test_properties import GOLDEN

PAGES = 64
LINES = ("QRADAR", "RSA_SECURITY", "CSV", "TAB_SEPARATED", "SPLUNK_CIM", "ARCSIGHT_CEF")


class Guarded:
    """Memory whose neighbours on both sides can't be read."""

    def __init__(self) -> None:
        page = mmap.PAGESIZE
        self._memory = mmap.mmap(-1, (PAGES + 2) * page)
        self.view = memoryview(self._memory)[page:-page]
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        for guard in (start, start + (PAGES + 1) * page):
            if protect(ctypes.c_void_p(guard), ctypes.c_size_t(page), 0):
                raise OSError(ctypes.get_errno(), "mprotect")

    def places(self, data: bytes) -> list[memoryview]:
        """Return the batch at the end of the memory, then at its beginning; use each at once."""
        size = len(data)
        views = [self.view[len(self.view) - size :], self.view[:size]]
        for view in views:
            view[:] = data
        return views


def odd_ends() -> list[bytes]:
    """Return records with something odd near the end of the batch, and cuts of them."""
    odd_texts = [
        b'\\"',
        b"\\u00e9",
        b"\xc3\xa9",
        b"\xe4\xb8\xad\xe6\x96\x87",
        b"\xf0\x9f\x98\x80",
        b"\x7f",
        b"|",
    ]
    head = b'{"epochtime":1,"reason":"'
    rows = [
        head + b"a" * before + odd + b"b" * after + b'"}'
        for odd in odd_texts
        for before in (0, 1, 13, 16, 30)
        for after in (0, 1, 12, 15, 16)
    ]
    return [row[: len(row) - cut] for row in rows for cut in (0, 1, 2, 3, 4, 7)]


def main() -> None:
    """Run cut and hostile batches at both edges, each against the same batch elsewhere."""
    guarded = Guarded()
    print(records(guarded) + sum(lines(guarded, name) for name in LINES))  # noqa: T201 - its result


def records(guarded: Guarded) -> int:
    """Run records of JSON; returns how many batches."""
    feed_format = presets.load("QRADAR")
    judged = Judged(json_names(), FeedSettings(feed_format))
    names = sorted(feed_format.field_names - TIME_FIELDS) + TIME_KEYS
    hostile = Hostile(random.Random(5), names)
    rows = sorted((GOLDEN / "records.jsonl").read_bytes().splitlines(), key=len)
    row = rows[len(rows) // 2]
    batches = [row[:end] for end in range(1, len(row) + 1)]
    batches += [row[start:] for start in range(len(row))]
    batches += [hostile.batch() for _ in range(1500)]
    batches += odd_ends()
    return compare(guarded, judged, batches)


def lines(guarded: Guarded, name: str) -> int:
    """Run lines of a preset; returns how many batches."""
    feed_format = presets.load(name)
    judged = Judged(input_of(feed_format), FeedSettings(presets.load("QRADAR")))
    hostile = HostileLines(random.Random(6), feed_format)
    row = min((GOLDEN / f"{name}.txt").read_bytes().splitlines(), key=len)
    batches = [row[:end] for end in range(1, len(row) + 1)]
    batches += [row[start:] for start in range(len(row))]
    batches += [hostile.batch() for _ in range(300)]
    return compare(guarded, judged, batches)


def compare(guarded: Guarded, judged: Judged, batches: list[bytes]) -> int:
    """Run batches at both edges, each against the same batch elsewhere."""
    engine = judged.engine
    assert engine is not None
    for number, data in enumerate(batches):
        max_bytes = 250 if number % 4 == 0 else UNLIMITED
        expected = engine.run(data, max_bytes)
        assert expected is not None
        for view in guarded.places(data):
            output = engine.run(view, max_bytes)
            assert output is not None
            assert output.lines() == expected.lines()
            assert output.shortened == expected.shortened
            assert output.handed_over == expected.handed_over
    return len(batches)
