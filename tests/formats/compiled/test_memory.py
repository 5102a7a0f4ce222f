"""The compiled core reads nothing beyond its batch, keeps nothing, and runs one batch at a time."""

import gc
import io
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from formats import presets
from formats.fields import TIME_FIELDS
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from tests.formats.compiled.judged import TIME_KEYS, Hostile, Judged, needs_core
from tests.formats.test_properties import GOLDEN

pytestmark = needs_core

ROOT = Path(__file__).parents[3]
MODULE = "tests.formats.compiled.guarded"

QUARANTINE_BYTES = 20_000_000 if "ASAN_OPTIONS" in os.environ else 0
"""AddressSanitizer keeps so much of what was given back (tests/sanitize/run), once it has it."""


def test_nothing_beyond_a_batch_is_read() -> None:
    # The folder comes last, so that an installed package is what runs.
    script = f"import sys; sys.path.append({str(ROOT)!r}); from {MODULE} import main; main()"
    ran = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert int(ran.stdout) > 2000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def test_batches_leave_no_memory_behind() -> None:
    feed_format = presets.load("QRADAR")
    pipeline = Judged(json_names(), FeedSettings(feed_format)).compiled
    assert pipeline._engine is not None
    hostile = Hostile(random.Random(3), sorted(feed_format.field_names - TIME_FIELDS) + TIME_KEYS)
    batches = [hostile.batch() * 20 for _ in range(50)]

    def round_of_batches() -> tuple[int, int]:
        for batch in batches:
            pipeline.run(batch)
        gc.collect()
        return resident_bytes(), len(gc.get_objects()) + sys.getallocatedblocks()

    for _ in range(3):
        before, objects_before = round_of_batches()
    for _ in range(5):
        after, objects_after = round_of_batches()
    assert after - before < 2_000_000 + QUARANTINE_BYTES
    assert objects_after - objects_before < 500


def test_a_core_that_is_dropped_takes_its_memory_with_it() -> None:
    data = (GOLDEN / "records.jsonl").read_bytes()
    settings = FeedSettings(parse("%d{epochtime} %s{login} %s{ua}"))
    before = 0
    for number in range(150):
        Judged(json_names(), settings).compiled.run(data)
        if number == 50:
            gc.collect()
            before = resident_bytes()
    gc.collect()
    assert resident_bytes() - before < 8_000_000 + QUARANTINE_BYTES


def test_layouts_of_lines_that_are_dropped_take_their_memory_with_them() -> None:
    settings = FeedSettings(parse("%s{login} %s{ua}"))
    before = 0
    for number in range(160):
        name = ("QRADAR", "CSV", "RSA_SECURITY", "ARCSIGHT_CEF")[number % 4]
        data = (GOLDEN / f"{name}.txt").read_bytes()
        Judged(input_of(presets.load(name)), settings).compiled.run(data)
        if number == 60:
            gc.collect()
            before = resident_bytes()
    gc.collect()
    assert resident_bytes() - before < 8_000_000 + QUARANTINE_BYTES


def test_counts_of_references_stay() -> None:
    judged = Judged(json_names(), FeedSettings(presets.load("QRADAR")))
    data = (GOLDEN / "records.jsonl").read_bytes() + b"{\n"
    watched = (data, judged.engine, judged.compiled.renderer)
    before = [sys.getrefcount(item) for item in watched]
    for _ in range(50):
        judged.compiled.run(data)
    assert [sys.getrefcount(item) for item in watched] == before


def test_times_that_never_come_again_are_forgotten() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{time}")))
    judged.check(b"".join(b'{"epochtime":%d}\n' % number for number in range(7_000)))


def test_threads_that_meet_in_one_core_get_their_lines_or_nothing() -> None:
    judged = Judged(json_names(), FeedSettings(presets.load("QRADAR")))
    data = (GOLDEN / "records.jsonl").read_bytes() * 20
    engine = judged.engine
    assert engine is not None
    first = engine.run(data)
    assert first is not None
    expected = first.lines(), first.handed_over
    wrong: list[bool] = []

    def work() -> None:
        for _ in range(40):
            output = engine.run(data)
            found = expected if output is None else (output.lines(), output.handed_over)
            wrong.append(found != expected)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [False] * 120


def test_what_is_no_buffer_is_refused_and_the_next_batch_runs() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{login}")))
    engine = judged.engine
    assert engine is not None
    with pytest.raises(TypeError):
        engine.run("text")  # type: ignore[arg-type]
    assert judged.check(b'{"login":"x"}') == [b"x"]


def hostile_pairs(seed: int) -> tuple[Judged, list[bytes]]:
    feed_format = presets.load("QRADAR")
    names = sorted(feed_format.field_names - TIME_FIELDS) + TIME_KEYS
    hostile = Hostile(random.Random(seed), names)
    judged = Judged(json_names(), FeedSettings(feed_format))
    return judged, [hostile.batch() for _ in range(200)]


def test_lines_outlive_the_core_their_batch_and_everything_else() -> None:
    judged, batches = hostile_pairs(7)
    expected = [list(judged.python.run(batch).lines) for batch in batches]
    lines = [judged.compiled.run(bytearray(batch)).lines for batch in batches]  # type: ignore[arg-type]
    views = [(each.data[1:], each.ends[:1], each[-1:]) for each in lines]
    assert sum(map(len, lines)) > 100
    del judged, batches
    gc.collect()
    other, others = hostile_pairs(8)  # takes the memory that was left
    kept = [other.compiled.run(batch).lines for batch in others]
    assert list(map(list, lines)) == expected
    del lines, kept
    gc.collect()
    for (data, ends, last), texts in zip(views, expected, strict=True):
        assert data == b"".join(text + b"\n" for text in texts)[1:]
        assert list(ends) == [len(text) + 1 for text in texts[:1]]
        assert last == texts[-1:]


def test_lines_can_not_be_changed() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{login}")))
    engine = judged.engine
    assert engine is not None
    output = engine.run(b'{"login":"x"}\n')
    assert output is not None
    for view, form in ((output.lines().buffer, "B"), (output.lines().ends, "q")):
        assert (view.readonly, view.format, view.contiguous) == (True, form, True)
        with pytest.raises(TypeError):
            view[0] = 1
        with pytest.raises(TypeError):
            io.BytesIO(b"x").readinto(view.obj)
    assert output.sources.tolist() == [0]


def test_what_belongs_to_no_record_is_not_put_between_lines() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{login}")))
    engine = judged.engine
    assert engine is not None
    output = engine.run(b'{"login":"x"}\n[]\n{"login":"y"}\n[]\n')
    assert output is not None
    merged = output.merged([b"1", b"2", b"3"], [0, 0, 1], {})
    assert merged.lines() == [b"x", b"1", b"2", b"y", b"3"]
    assert merged.sources.tolist() == [0, -1, -2, 17, -3]
    assert output.lines() == [b"x", b"y"]
    assert len(merged) == 5
    for numbers in ([2], [-1], [1, 0]):
        with pytest.raises(ValueError, match="no such record"):
            output.merged([b"1"] * len(numbers), numbers, {})
    with pytest.raises(ValueError, match="shorter"):
        output.merged([b"1"], [0, 1], {})
    with pytest.raises(TypeError):
        output.merged(["1"], [0], {})  # type: ignore[list-item]


def test_references_and_memory_of_lines_are_given_back() -> None:
    judged = Judged(json_names(), FeedSettings(presets.load("QRADAR")))
    engine = judged.engine
    assert engine is not None
    data = ((GOLDEN / "records.jsonl").read_bytes() + b'[{"epochtime":1}]\n') * 20
    watched = (data, engine, judged.compiled)
    before, resident = [], 0
    for number in range(60):
        rendered = judged.compiled.run(data, 900)
        assert len(rendered.shortened) >= 20
        parts = [rendered.lines[:5].data, rendered.lines[5:].ends, rendered.records[3:9]]
        assert len(list(parts[2])) == 6
        output = engine.run(data)
        assert output is not None
        with pytest.raises(ValueError, match="no such record"):
            output.merged([b"x" * 100_000] * 2, [0, 1 << 40], {})
        del rendered, parts, output
        if number == 20:
            gc.collect()
            before, resident = [sys.getrefcount(item) for item in watched], resident_bytes()
    gc.collect()
    assert [sys.getrefcount(item) for item in watched] == before
    assert resident_bytes() - resident < 4_000_000 + QUARANTINE_BYTES
