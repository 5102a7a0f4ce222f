"""The formatter alone: decode, render and both, per preset, in one process without any I/O.

Prints a JSON list: what runs (`compiled`, or `python`, which `NSS_PURE=1` forces), CPU
microseconds a record (the best of `--rounds`) and records a second on one core. Records come in
slices of the size that feeds work on. `decode` and `render` are Python's, one after the other; the
compiled core does both in one pass. `--input` names presets whose lines are read instead of the
corpus, which is rendered as such first; `--preset` names those that are printed.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from formats import FeedSettings, Pipeline, json_names, presets
from formats.compiled import mode
from formats.reading import Input
from formats.reading.recognise import input_of
from nss.feeds.rendering import SLICE_BYTES


def batches(corpus: Path, records: int) -> Iterator[bytes]:
    """Yield the first `records` lines in batches."""
    with corpus.open("rb") as file:
        while records and (lines := file.readlines(SLICE_BYTES)):
            taken = lines[:records]
            records -= len(taken)
            yield b"".join(taken)


def lines_of(preset: str, data: list[bytes]) -> list[bytes]:
    """Return records as lines of a preset, in batches as they were."""
    pipeline = Pipeline(json_names(), FeedSettings(presets.load(preset)))
    return [b"".join([line + b"\n" for line in pipeline.run(batch).lines]) for batch in data]


def measure(
    source: Input, preset: str, data: list[bytes], records: int, rounds: int
) -> dict[str, object]:
    """Return what one input and one preset cost together."""
    pipeline = Pipeline(source, FeedSettings(presets.load(preset)))

    def decode() -> float:
        return _cpu_secs(lambda: [None for batch in data if not pipeline.decode(batch)])

    def render() -> float:
        took = 0.0
        for batch in data:
            decoded = pipeline.decode(batch)
            took += _cpu_secs(lambda: pipeline.renderer.render(decoded.records, decoded.suspects))  # noqa: B023 - called at once
        return took

    def both() -> float:
        return _cpu_secs(lambda: [None for batch in data if not pipeline.run(batch)])

    per_record = 1e6 / records
    decode_us, render_us, both_us = (
        min(work() for _ in range(rounds)) * per_record for work in (decode, render, both)
    )
    return {
        "input": source.name,
        "preset": preset,
        "mode": mode(),
        "decode_us": round(decode_us, 2),
        "render_us": round(render_us, 2),
        "both_us": round(both_us, 2),
        "records_per_sec": round(1e6 / both_us),
    }


def _cpu_secs(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Measure all presets over a corpus file of JSON records with NSS field names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--input", action="append", choices=presets.names())
    parser.add_argument("--preset", action="append", choices=presets.names())
    chosen = parser.parse_args()
    data = list(batches(chosen.corpus, chosen.records))
    records = sum(batch.count(b"\n") for batch in data)
    inputs = [(json_names(), data)]
    if chosen.input:
        inputs = [(input_of(presets.load(name)), lines_of(name, data)) for name in chosen.input]
    measured = [
        measure(source, name, lines, records, chosen.rounds)
        for source, lines in inputs
        for name in chosen.preset or presets.names()
    ]
    print(orjson.dumps(measured).decode())


if __name__ == "__main__":
    main()
