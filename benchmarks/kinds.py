"""The formatter alone, by what is in records: sizes, escapes, other alphabets, other inputs.

Each kind goes through the same format compiled and in Python, in turns; the best of `--rounds`
counts. Microseconds of CPU a record, and for each KB of it; without I/O. Where both take the same,
the core has handed over what it was given, or is not built.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from formats import FeedSettings, Pipeline, json_names, presets
from formats.compiled import PURE, mode
from formats.lines import UNLIMITED
from formats.reading.recognise import input_of
from formats.unchanged import UNCHANGED
from nss.feeds.rendering import SLICE_BYTES
from nss.feeds.sending import OutgoingLines
from nss.lab.generator import RecordGenerator

Record = dict[str, str]
_KEPT = ("time", "login", "action", "eurl", "reqsize", "respsize")
"""Of the smallest records."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Records of one kind: what they are written in, and what they become."""

    name: str
    lines: list[bytes]
    output: str = "QRADAR"
    written_in: str = ""
    """The preset that wrote them; JSON records if empty."""
    cut_share: float = 0.0
    """How many of the lines are too long for a sink, which they are cut for."""

    def batches(self) -> list[bytes]:
        """Return the records in slices of the size that feeds work on."""
        each = max(1, SLICE_BYTES * len(self.lines) // sum(map(len, self.lines)))
        return [b"".join(self.lines[at : at + each]) for at in range(0, len(self.lines), each)]

    def pipeline(self) -> Pipeline:
        """Return a pipeline for them, of the mode that is forced now."""
        source = input_of(presets.load(self.written_in)) if self.written_in else json_names()
        printed = UNCHANGED if self.output == UNCHANGED.name else presets.load(self.output)
        return Pipeline(source, FeedSettings(printed))

    def max_bytes(self) -> int:
        """Return the longest line that is not cut."""
        if not self.cut_share:
            return UNLIMITED
        sizes = sorted(map(len, self.pipeline().run(b"".join(self.lines)).lines))
        return sizes[round(len(sizes) * (1 - self.cut_share)) - 1]


def kinds(count: int) -> Iterator[Kind]:
    """Yield what is measured."""
    generator = RecordGenerator(1, hostile_share=0, long_share=0, flat=True)
    plain: list[Record] = [orjson.loads(line) for line in generator.lines(count)]
    yield Kind("0.2 KB", _json([{key: one[key] for key in _KEPT} for one in plain]))
    yield Kind("1 KB", _json(plain))
    yield Kind("4 KB", _json([_longer(one, 1_500) for one in plain]))
    yield Kind("8 KB", _json([_longer(one, 3_500) for one in plain]))
    yield Kind("unchanged, 1 KB", _json(plain), UNCHANGED.name)
    for share in (0.05, 0.5):
        yield Kind(f"QRADAR, {share:.0%} cut", _json(plain), cut_share=share)
    for output in ("QRADAR", "CSV"):
        yield from _written_otherwise(plain, output)
    for written_in, output in (("QRADAR", "JSON"), ("CSV", "QRADAR"), ("TAB_SEPARATED", "QRADAR")):
        writer = Pipeline(json_names(), FeedSettings(presets.load(written_in)))
        lines = [line + b"\n" for line in writer.run(b"".join(_json(plain))).lines]
        yield Kind(f"{written_in} -> {output}", lines, output, written_in)


def _written_otherwise(plain: list[Record], output: str) -> Iterator[Kind]:
    """Yield the same records with what makes them dearer."""
    yield Kind(f"{output}, plain", _json(plain), output)
    spaced = [line.replace(b'","', b'", "').replace(b'":"', b'": "') for line in _json(plain)]
    yield Kind(f"{output}, blanks", spaced, output)
    inside = [b'{"sourcetype":"zscalernss-web","event":%b}\n' % one[:-1] for one in _json(plain)]
    yield Kind(f"{output}, envelope", inside, output)
    names = [name for name in plain[0] if name in {"login", "dept", "location", "ua", "eurl"}]
    for text, change in _CHANGES.items():
        changed = [{**one, **{name: change(one[name]) for name in names}} for one in plain]
        yield Kind(f"{output}, {text}", _json(changed), output)
    accented = [{**one, **{name: one[name] + "é" for name in names}} for one in plain]
    escaped = [line.replace("é".encode(), rb"\u00e9") for line in _json(accented)]
    yield Kind(f"{output}, \\u00e9", escaped, output)


_CHANGES: dict[str, Callable[[str], str]] = {
    "beyond ASCII": lambda text: text + "é",
    "quotes": lambda text: f'"{text}"',
    "TAB, line feed": lambda text: f"{text}\t\n",
}
"""Done to the five texts that people and servers choose."""


def _longer(record: Record, chars: int) -> Record:
    return {
        **record,
        **{name: record[name] + "/abcdefgh" * (chars // 9) for name in ("ua", "eurl")},
    }


def _json(records: list[Record]) -> list[bytes]:
    return [orjson.dumps(one) + b"\n" for one in records]


def measure(kind: Kind, rounds: int) -> dict[str, object]:
    """Return what a kind costs in both modes."""
    data, max_bytes = kind.batches(), kind.max_bytes()
    best: dict[str, float] = {}
    for _ in range(rounds):
        for pure in ("0", "1"):
            os.environ[PURE] = pure
            pipeline = kind.pipeline()
            lines = sum(_run(pipeline, batch, max_bytes) for batch in data[:2])  # learns their keys
            before = time.process_time()
            lines = sum(_run(pipeline, batch, max_bytes) for batch in data)
            took = (time.process_time() - before) * 1e6 / len(kind.lines)
            best[mode()] = min(took, best.get(mode(), took))
            if lines != len(kind.lines):
                raise SystemExit(f"{kind.name}: {lines} lines of {len(kind.lines)} records")
    each_bytes = sum(map(len, kind.lines)) / len(kind.lines)
    fastest = min(best.values())
    return {
        "kind": kind.name,
        "bytes": round(each_bytes),
        **{f"{name}_us": round(took, 2) for name, took in best.items()},
        "us_a_kb": round(fastest / each_bytes * 1_000, 2),
        "records_per_sec": round(1e6 / fastest),
    }


def _run(pipeline: Pipeline, batch: bytes, max_bytes: int) -> int:
    """Render a batch, and for a sink that takes no longer lines, what a feed does then as well."""
    rendered = pipeline.run(batch, max_bytes)
    if max_bytes == UNLIMITED:
        return len(rendered.lines)
    outgoing = OutgoingLines("out", "web", pipeline, rendered)
    outgoing.fit(max_bytes)
    return len(outgoing.lines) + len(outgoing.rejected)  # few can't be cut so much


def main() -> None:
    """Measure all kinds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    logging.disable()  # of each line that is cut
    measured = [measure(kind, chosen.rounds) for kind in kinds(chosen.records)]
    if chosen.json:
        print(orjson.dumps(measured, option=orjson.OPT_INDENT_2).decode())
        return
    print("records                   bytes  compiled us  python us  times  us a KB  records/s")
    for one in measured:
        compiled, python = (one.get(f"{name}_us", "-") for name in ("compiled", "python"))
        both = isinstance(compiled, float) and isinstance(python, float) and compiled > 0
        times = f"{python / compiled:.1f}" if both else "-"  # type: ignore[operator]
        print(
            f"{one['kind']:<24} {one['bytes']:>6,} {compiled:>12} {python:>10} {times:>6}"
            f" {one['us_a_kb']:>8} {one['records_per_sec']:>10,}"
        )


if __name__ == "__main__":
    main()
