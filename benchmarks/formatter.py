"""The formatter alone: decode, render and both, per preset, in one process without any I/O.

Prints a JSON list: CPU microseconds a record (the best of `--rounds`) and records a second on one
core. Batches are of the size that sources make.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from formats import presets
from formats.pipeline import FeedSettings, Pipeline
from formats.read_json import json_names
from nss.batch import BATCH_MAX_BYTES


def batches(corpus: Path, records: int) -> Iterator[bytes]:
    """Yield the first `records` lines in batches."""
    with corpus.open("rb") as file:
        while records and (lines := file.readlines(BATCH_MAX_BYTES)):
            taken = lines[:records]
            records -= len(taken)
            yield b"".join(taken)


def measure(preset: str, data: list[bytes], records: int, rounds: int) -> dict[str, object]:
    """Return what one preset costs."""
    pipeline = Pipeline(json_names(), FeedSettings(presets.load(preset)))

    def decode() -> None:
        for batch in data:
            pipeline.decode(batch)

    def render() -> None:
        for batch in decoded:
            pipeline.renderer.render(batch.records, batch.suspects)

    def both() -> None:
        for batch in data:
            pipeline.run(batch)

    per_record = 1e6 / records
    both_us = _best_cpu_secs(both, rounds) * per_record
    decode_us = _best_cpu_secs(decode, rounds) * per_record
    # Last, since records that are kept make the garbage collector's rounds longer.
    decoded = [pipeline.decode(batch) for batch in data]
    render_us = _best_cpu_secs(render, rounds) * per_record
    return {
        "preset": preset,
        "decode_us": round(decode_us, 2),
        "render_us": round(render_us, 2),
        "both_us": round(both_us, 2),
        "records_per_sec": round(1e6 / both_us),
    }


def _best_cpu_secs(work: Callable[[], None], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        took.append(time.process_time() - before)
    return min(took)


def main() -> None:
    """Measure all presets over a corpus file of JSON records with NSS field names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    data = list(batches(chosen.corpus, chosen.records))
    records = sum(batch.count(b"\n") for batch in data)
    measured = [measure(name, data, records, chosen.rounds) for name in presets.names()]
    print(orjson.dumps(measured).decode())


if __name__ == "__main__":
    main()
