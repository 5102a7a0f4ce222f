"""The compiled core reads nothing beyond its batch, keeps nothing, and runs one batch at a time."""

import gc
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
    assert after - before < 2_000_000
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
    assert resident_bytes() - before < 8_000_000


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
    assert resident_bytes() - before < 8_000_000


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
