"""Which of the two runs: the core where it is built, Python where it is not or is wanted."""

from array import array

import pytest

from formats import filters, presets
from formats.compiled import Core, core_type, mode
from formats.compiled.engine import REST_BATCHES
from formats.compiled.records import LaterRecords
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from tests.formats.compiled.judged import environment, needs_core


@pytest.mark.parametrize(
    ("pure", "forced"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_the_environment_forces_python(pure: str, forced: bool) -> None:  # noqa: FBT001 - a case
    with environment(pure):
        assert (core_type() is None) == (forced or Core is None)
        assert (mode() == "python") == (forced or Core is None)


@needs_core
def test_filters_run_in_the_core_and_cells_of_several_texts_in_python() -> None:
    with environment(None):
        settings = FeedSettings(presets.load("QRADAR"))
        assert Pipeline(json_names(), settings)._engine is not None
        assert Pipeline(input_of(presets.load("CSV")), settings)._engine is not None
        two = parse("a=%s{time}\\tb=%s{login}/%d{reqsize}")
        assert Pipeline(input_of(two), FeedSettings(parse("%s{login}")))._engine is None
        chosen = FeedSettings(presets.load("QRADAR"), filter=filters.parse({"action": ["Blocked"]}))
        assert Pipeline(json_names(), chosen)._engine is not None


@needs_core
def test_where_nearly_all_is_handed_over_python_runs_for_a_while() -> None:
    with environment(None):
        pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login}")))
    engine = pipeline._engine
    assert engine is not None
    odd, even = b'{"login":"b","odd":1e2}\n', b'{"login":"c"}\n'
    assert len(pipeline.run((odd + even) * 40).lines) == 80
    assert engine.run(even) is not None
    assert pipeline.run(odd * 50).lines == [b"b"] * 50
    for _ in range(REST_BATCHES):
        assert engine.run(even) is None
    assert engine.run(even) is not None


@needs_core
def test_where_more_keys_are_unmapped_than_have_names_python_runs_for_a_while() -> None:
    with environment(None):
        pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login}")))
    engine = pipeline._engine
    assert engine is not None
    data = b"".join(b'{"login":"b","k%d":1}\n' % number for number in range(65))
    assert len(pipeline.run(data).unmapped) == 65
    assert engine.run(data) is None


def test_records_are_decoded_when_somebody_asks() -> None:
    decode = Pipeline(json_names(), FeedSettings(parse("%s{login}"))).decode
    data = b'{"login":"a"}\n{"login":"b"}\n{"login":"c"}'
    decoded = decode(data).records
    calls: list[bytes] = []

    def noting(lines: bytes) -> object:
        calls.append(lines)
        return decode(lines)

    numbers = memoryview(array("q", [0, -1, 28]))
    records = LaterRecords(numbers, data, noting, {-1: decoded[1]})  # type: ignore[arg-type]
    assert (len(records), calls) == (3, [])
    assert records[1] == decoded[1]
    assert (records[2], calls) == (decoded[2], [b'{"login":"c"}\n'])
    assert records[1:] == decoded[1:]
    assert (list(records.at([2, 1])), len(calls)) == ([decoded[2], decoded[1]], 1)
    assert (list(records), len(calls)) == (decoded, 2)
    assert (list(records[:1]), list(records), len(calls)) == (decoded[:1], decoded, 2)
    assert records != decoded[1:]
    with pytest.raises(TypeError):
        hash(records)
    assert list(LaterRecords([0, 14], data, decode, {})) == decoded[:2]
