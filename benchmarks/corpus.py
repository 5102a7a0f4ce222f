"""The corpus every case reads, and the QRADAR lines that should come of it.

Run as a script it writes two files of `--records` lines each into a folder: `records.ndjson`, flat
JSON objects of about 1 KB, and `lines.leef`, what they should be rendered as. The objects have
the time ready-made in its parts too (`mon dd yy hh mm ss tz`), for peers that can't take
`Thu Jan  1 00:00:00 2026` apart.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import orjson

from nss.lab.generator import RecordGenerator

RECORDS_FILE = "records.ndjson"
LINES_FILE = "lines.leef"

_SPEC = re.compile(r"%\d*[sd]\{(\w+)\}")
_ID_MARK = b'"recordid":"'
_ID_DIGITS = 19
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def qradar() -> list[str]:
    """Return the QRADAR preset as literal, field, literal, ... literal, without its final LF."""
    preset = files("formats.presets").joinpath("QRADAR.fof").read_text(encoding="utf-8")
    return _SPEC.split(preset.removesuffix("\\n").replace("\\t", "\t"))


def write(folder: Path, records: int, seed: int, hostile_share: float, long_share: float) -> None:
    """Write both files."""
    generator = RecordGenerator(seed, hostile_share=hostile_share, long_share=long_share, flat=True)
    parts = qradar()
    with (folder / RECORDS_FILE).open("wb") as corpus, (folder / LINES_FILE).open("wb") as lines:
        for record in _with_time_parts(generator.lines(records)):
            corpus.write(record + b"\n")
            lines.write(_render(parts, orjson.loads(record)).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How received lines agree with the expected ones; `problem` tells the first that is wrong."""

    same: int
    compared: int
    problem: str = ""


def compare(folder: Path, lines: list[str]) -> Comparison:
    """Compare received lines with what their records should be rendered as.

    Every line must have the keys of the QRADAR string in their order, and may end with a line feed.
    Records with control
    characters are left out: what becomes of them differs between programs.
    """
    parts = qradar()
    by_id = {
        line.partition("\trecordid=")[2][:_ID_DIGITS].encode(): line.removesuffix("\n")
        for line in lines
    }
    same = compared = 0
    with (folder / RECORDS_FILE).open("rb") as corpus:
        for row in corpus:
            at = row.index(_ID_MARK) + len(_ID_MARK)
            line = by_id.get(row[at : at + _ID_DIGITS])
            if line is None or _CONTROL.search("".join((record := orjson.loads(row)).values())):
                continue
            expected = _render(parts, record)
            if _keys(line) != _keys(expected):
                return Comparison(same, compared, f"{line[:200]!r} has other keys than expected")
            compared += 1
            same += line == expected
    return Comparison(same, compared, "" if compared else "no line is of a record of the corpus")


def _keys(line: str) -> list[str]:
    """Return the attribute keys; before the first stands the header."""
    return [pair.partition("=")[0].rpartition("|")[2] for pair in line.split("\t")]


def _with_time_parts(records: Iterator[bytes]) -> Iterator[bytes]:
    for record in records:
        yield record[:-1] + _time_parts(orjson.loads(record)["time"]) + b"}"


@lru_cache(maxsize=16)
def _time_parts(ctime: str) -> bytes:
    _weekday, mon, day, clock, year = ctime.split()
    hour, minute, second = clock.split(":")
    parts = {"mon": mon, "dd": day.zfill(2), "yy": year, "hh": hour, "mm": minute, "ss": second}
    return b"," + orjson.dumps(parts | {"tz": "GMT"})[1:-1]


def _render(parts: list[str], record: dict[str, str]) -> str:
    """Fill in the fields, with what would break the line as %HH."""
    pieces = list(parts)
    for at in range(1, len(parts), 2):
        value = _CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", record[parts[at]])
        in_header = parts[at + 1].startswith("|")
        pieces[at] = value.replace("|", "%7C") if in_header else value
    return "".join(pieces)


def main() -> None:
    """Write the files as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--hostile-share", type=float, required=True)
    parser.add_argument("--long-share", type=float, required=True)
    chosen = parser.parse_args()
    write(chosen.folder, chosen.records, chosen.seed, chosen.hostile_share, chosen.long_share)


if __name__ == "__main__":
    main()
