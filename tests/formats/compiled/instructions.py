"""Instructions a record in the core's pass, counted by callgrind and compared with what is kept.

    make instructions             # fails when a count is 3 % off
    make instructions ACCEPT=1    # keeps what was counted

Counts are exact whatever else the machine does. They depend on the compiler and the architecture:
those of others are printed, and never fail.
"""

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import orjson

from formats import presets
from formats.compiled import Core
from formats.lines import UNLIMITED
from nss.lab.generator import RecordGenerator

ROOT = Path(__file__).resolve().parents[3]
KEPT = Path(__file__).with_name("instructions.toml")
ACCEPT = "make instructions ACCEPT=1"
TOLERANCE = 0.03
RECORDS = 300
SHORT = ("time", "recordid", "login", "cip", "action", "ehost", "reqsize")
"""The fields of records of 0.2 KB."""
REPEATABLE = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    # The same memcpy and memchr on any machine: those that every amd64 has.
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS",
}

Fields = dict[str, str]


def generated(*, hostile_share: float, long_share: float) -> list[Fields]:
    generator = RecordGenerator(17, hostile_share=hostile_share, long_share=long_share, flat=True)
    return [orjson.loads(line) for line in generator.lines(RECORDS)]


def with_each(records: Iterable[Fields], character: str) -> Iterator[Fields]:
    """Put a character into the middle of every text of some length."""
    for record in records:
        yield {
            key: f"{text[: len(text) // 2]}{character}{text[len(text) // 2 :]}"
            if len(text) > 2 and key != "time" and not text.isdigit()
            else text
            for key, text in record.items()
        }


def with_much(records: Iterable[Fields], size: int) -> Iterator[Fields]:
    """Make records of about `size` bytes: most of it in a URL, a referrer and a user agent."""
    chance = random.Random(3)
    words = ["state=eyJhbGciOiJub25lIn0%3D", "v1.0", "sites/sales", "id=7", "(compatible)", "x-y"]
    for record in records:
        each = (size - 1_000) // 3
        much = {
            key: record[key] + "&".join(chance.choices(words, k=each // 11))
            for key in ("eurl", "ereferer", "ua")
        }
        yield record | much


def corpora() -> dict[str, bytes]:
    """Return what records are run, as lines of JSON."""
    usual = generated(hostile_share=0.02, long_share=0.03)
    plain = generated(hostile_share=0, long_share=0)
    times = [record | {"tz": "GMT", "hh": record["time"][11:13]} for record in plain]
    found = {
        "usual": usual,
        "plain": plain,
        "time parts": times,
        "é": with_each(plain, "\xe9"),
        "中文": with_each(plain, "\u4e2d\u6587"),
        "quote": with_each(plain, '"'),
        "0.2 KB": [{key: record[key] for key in SHORT} for record in plain],
        "4 KB": with_much(plain, 4_000),
        "8 KB": with_much(plain, 8_000),
    }
    rows = {name: [orjson.dumps(record) for record in records] for name, records in found.items()}
    rows["envelope"] = [
        b'{"sourcetype":"zscalernss-web","event":%b}' % row for row in rows["plain"]
    ]
    rows["\\u00e9"] = [in_ascii(row) for row in rows["é"]]
    rows["blanks"] = [json.dumps(orjson.loads(row)).encode() for row in rows["plain"]]
    return {name: b"".join(row + b"\n" for row in of_one) for name, of_one in rows.items()}


def in_ascii(row: bytes) -> bytes:
    return json.dumps(orjson.loads(row), separators=(",", ":")).encode()


def cases() -> Iterator[tuple[str, str, str, int]]:
    """Yield names of cases, each with the format, the corpus, and what lines are cut to."""
    for case in whole():
        yield *case, UNLIMITED
    for corpus, size in (("plain", 800), ("4 KB", 2_000)):
        yield f"QRADAR, {corpus} to {size}", presets.text("QRADAR"), corpus, size


def whole() -> Iterator[tuple[str, str, str]]:
    for preset in ("MCAS", "QRADAR", "CSV", "JSON"):
        yield preset, presets.text(preset), "usual"
    for corpus in ("plain", "time parts", "envelope", "blanks", "é", "中文", "\\u00e9", "quote"):
        yield f"QRADAR, {corpus}", presets.text("QRADAR"), corpus
    for corpus in ("plain", "é", "quote"):
        yield f"CSV, {corpus}", presets.text("CSV"), corpus
    kinds = {key: "d" if key in ("recordid", "reqsize") else "s" for key in SHORT}
    short = "\\t".join(f"{key}=%{kind}{{{key}}}" for key, kind in kinds.items())
    yield "tab, 0.2 KB", short, "0.2 KB"
    for corpus in ("4 KB", "8 KB"):
        yield f"QRADAR, {corpus}", presets.text("QRADAR"), corpus


def count() -> dict[str, int]:
    """Run all cases under callgrind; returns instructions a record."""
    chosen = list(cases())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus, data in corpora().items():
            (folder / corpus).write_bytes(data)
        marks = [str(Path(__file__).with_name("marks.c")), "-o", str(folder / "marks.so")]
        run(["cc", "-shared", "-fPIC", "-O1", *marks])
        # The folder comes last, so that an installed package is what runs.
        script = f"import sys; sys.path.append({str(ROOT)!r}); sys.argv = ['', {name!r}]"
        script += "; from tests.formats.compiled.counted import main; main()"
        counts = f"--callgrind-out-file={folder / 'counts'}"
        callgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", counts]
        handed = run([*callgrind, sys.executable, "-P", "-c", script], json.dumps(chosen))
        if any(json.loads(handed).values()):
            raise SystemExit(f"records were handed over: {handed}")
        dumps = [folder / f"counts.{number}" for number in range(1, len(chosen) + 1)]
        found = [instructions_of(dump) for dump in dumps]
    return {name: count // RECORDS for (name, *_), count in zip(chosen, found, strict=True)}


def run(command: list[str], given: str = "") -> str:
    environment = {**os.environ, **REPEATABLE}
    ran = subprocess.run(  # noqa: S603 - ours
        command, input=given, capture_output=True, text=True, check=False, env=environment
    )
    if ran.returncode:
        raise SystemExit(f"{command[0]}: {ran.stderr}")
    return ran.stdout


def instructions_of(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"callgrind has counted nothing: {dump.name}")
    return int(found[1])


def builder() -> str:
    """Return what the core was built with: the compiler's major version, the architecture."""
    assert Core is not None
    module = Path(str(sys.modules[Core.__module__].__file__))
    found = re.search(rb"GCC: \([^)]*\) (\d+)", module.read_bytes())
    compiler = f"gcc-{int(found[1])}" if found else "compiler unknown"
    return f"{compiler} {platform.machine()}"


def report(counted: Mapping[str, int], kept: Mapping[str, int]) -> list[str]:
    """Print all counts; returns the cases that are off."""
    off = []
    for name, now in counted.items():
        before = kept.get(name)
        ratio = now / before if before else 1
        if before is None or abs(ratio - 1) > TOLERANCE:
            off.append(name)
        print(f"{name:20} {now:7,}  {'new' if before is None else f'{ratio - 1:+.1%}'}")  # noqa: T201
    return off + sorted(set(kept) - set(counted))


def keep(all_kept: Mapping[str, Mapping[str, int]]) -> None:
    lines = [f"# Instructions a record. To keep new ones: {ACCEPT}\n"]
    for key, counts in sorted(all_kept.items()):
        lines.append(f'\n["{key}"]\n')
        lines += [
            f"{json.dumps(name, ensure_ascii=False)} = {now}\n" for name, now in counts.items()
        ]
    KEPT.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Count, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="keep what is counted now")
    chosen = parser.parse_args()
    if Core is None:
        raise SystemExit("the core is not built")
    all_kept = tomllib.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    key, counted = builder(), count()
    off = report(counted, all_kept.get(key, {}))
    if chosen.accept:
        keep({**all_kept, key: counted})
    elif key not in all_kept:
        print(f"no counts are kept for {key}: nothing to compare with. Try: {ACCEPT}")  # noqa: T201
    elif off:
        raise SystemExit(f"not as kept: {', '.join(off)}. If that is meant: {ACCEPT}")


if __name__ == "__main__":
    main()
