"""Measures the way of the data against peers: file of records -> QRADAR lines -> UDP on loopback.

Every record must have arrived before a time counts. Wall time runs from the launch of the
program to the last datagram received; CPU is user and system time of its processes, from start to
end. For the ceiling only the sending loop counts. The corpus is made first and is the same for
all; programs run one after the other. Queues that are files are written to a real disk. The case
`formatter` is formatting alone, without I/O: compiled and in Python.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import corpus
import disk
import measure
import orjson
import peers

FORMATTER = "formatter"
CASES = [*peers.PEERS, FORMATTER]
_FORMATTER_SCRIPT = Path(__file__).with_name("formatter.py")
_MODE = re.compile(r"\((compiled|python)\)")


@dataclass(slots=True)
class Outcome:
    """What came of a case: its best run, or why there is none."""

    case: str
    run: measure.Run | None = None
    note: str = ""
    skipped: bool = False
    same_lines: str = ""
    """How many of the lines compared were the expected ones, byte for byte."""
    mode: str = ""
    """Of NSS: `compiled` or `python`."""

    @property
    def cpu_secs(self) -> float:
        """CPU of the run; a case that failed comes before all others."""
        return -1.0 if self.run is None else self.run.cpu_secs

    def as_json(self) -> dict[str, object]:
        """Return the figures for a machine."""
        if self.run is None:
            return {"case": self.case, "note": self.note}
        return {
            "case": self.case,
            "mode": self.mode,
            "records": self.run.records,
            "messages": self.run.messages,
            "records_per_sec": round(self.run.records_per_sec),
            "wall_secs": round(self.run.wall_secs, 3),
            "cpu_us_per_record": round(self.run.cpu_us_per_record, 2),
            "peak_mib": round(self.run.peak_bytes / (1 << 20), 1),
            "received_bytes": self.run.received_bytes,
            "same_lines": self.same_lines,
            "note": self.note,
        }


def measure_cases(cases: list[str], data: Path, chosen: argparse.Namespace) -> list[Outcome]:
    """Run the cases in turn, `--rounds` times, and return the best run of each.

    Other users of the machine only ever add to a run; in turn, so that each case has its chance
    of a quiet moment, and the run that took the least CPU comes nearest to what the case needs.
    """
    best: dict[str, Outcome] = {}
    for number in range(chosen.rounds):
        for case in cases:
            before = best.get(case)
            if before is not None and before.run is None:
                continue
            print(f"round {number + 1}: {case} ...", file=sys.stderr, flush=True)
            outcome = measure_case(case, data, chosen)
            if before is None or outcome.cpu_secs < before.cpu_secs:
                best[case] = outcome
    return [best[case] for case in cases]


def measure_case(case: str, data: Path, chosen: argparse.Namespace) -> Outcome:
    """Run a case once."""
    programs = peers.Programs(chosen.nss, chosen.tenzir, chosen.fluent_bit)
    try:
        launch = peers.PEERS[case](data, programs)
    except peers.Unavailable as error:
        return Outcome(case, note=f"skipped: {error}", skipped=True)
    with tempfile.TemporaryDirectory(prefix="nss-bench-", dir=chosen.disk) as folder:
        run = measure.run(launch, chosen.records, Path(folder), chosen.limit_secs)
    if run.records < chosen.records:
        lost = chosen.records - run.records
        return Outcome(case, note=f"lost {lost}: {_last_row(run.output)}")
    if run.exit_code:
        return Outcome(case, note=f"failed: exit code {run.exit_code}: {_last_row(run.output)}")
    if case == "ceiling":
        run = _only_the_loop(run)
    agreed = corpus.compare(data, run.kept)
    if agreed.problem:
        return Outcome(case, note=f"wrong: {agreed.problem}")
    mode = _mode(peers.nss_program(programs), pure=case == "nss-pure") if "nss" in case else ""
    return Outcome(case, run, same_lines=f"{agreed.same}/{agreed.compared}", mode=mode)


def _mode(program: str, *, pure: bool) -> str:
    """Return what of NSS runs, by its own account."""
    env = os.environ | ({"NSS_PURE": "1"} if pure else {})
    told = subprocess.run([program, "--version"], env=env, stdout=subprocess.PIPE, check=True)
    found = _MODE.search(told.stdout.decode())
    return found[1] if found else ""


def _only_the_loop(run: measure.Run) -> measure.Run:
    """Replace the whole program's times by those that the ceiling took of its loop."""
    loop = orjson.loads(run.output)
    run.wall_secs -= (loop["started_ns"] - run.started_ns) / 1e9
    run.cpu_secs = loop["cpu_secs"]
    return run


def _last_row(output: str) -> str:
    rows = output.strip().splitlines()
    return rows[-1][:200] if rows else "no output"


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as a table, also as times those of `nss` and of the ceiling."""
    bases = [
        next((one.run for one in outcomes if one.case == base), None) for base in ("nss", "ceiling")
    ]
    head = "case            mode      records/s   wall s  CPU us/rec  peak MiB"
    rows = [
        f"{'':<{len(head)}}      times nss  times ceiling",
        f"{head}  speed    CPU  speed    CPU  same lines",
    ]
    for outcome in outcomes:
        run = outcome.run
        if run is None:
            rows.append(f"{outcome.case:<14} {outcome.note}")
            continue
        times = "".join(_times(run, base) for base in bases)
        rows.append(
            f"{outcome.case:<15} {outcome.mode:<8} {run.records_per_sec:>10,.0f}"
            f" {run.wall_secs:>8.2f} {run.cpu_us_per_record:>11.2f}"
            f" {run.peak_bytes / (1 << 20):>9.1f}{times} {outcome.same_lines:>11}"
        )
    return "\n".join(rows)


def _times(run: measure.Run, base: measure.Run | None) -> str:
    """Return speed and CPU as times those of another run."""
    if base is None:
        return f"{'-':>7}{'-':>7}"
    speed = run.records_per_sec / base.records_per_sec
    return f"{speed:>7.2f}{run.cpu_us_per_record / base.cpu_us_per_record:>7.2f}"


def formatter_table(measured: list[dict[str, object]]) -> str:
    """Return the formatter's figures as a table; each preset compiled, and in Python."""
    rows = ["preset            mode      records/s  decode us  render us  both us"]
    rows += [
        f"{one['preset']:<17} {one['mode']:<8} {one['records_per_sec']:>10,}"
        f" {one['decode_us']:>10.2f} {one['render_us']:>10.2f} {one['both_us']:>8.2f}"
        for one in measured
    ]
    return "\n".join(rows)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--only", action="append", choices=CASES, metavar="CASE")
    parser.add_argument("--rounds", type=int, default=3, help="the best counts (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile-share", type=float, default=0.02)
    parser.add_argument("--long-share", type=float, default=0.03)
    parser.add_argument("--limit-secs", type=float, default=120, help="for one run (default 120)")
    parser.add_argument("--disk", type=Path, help="where queues are written (default: /tmp)")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--tenzir", help="the tenzir program (or NSS_BENCH_TENZIR, or PATH)")
    parser.add_argument("--fluent-bit", help="likewise (or NSS_BENCH_FLUENT_BIT, or PATH)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def write_corpus(data: Path, chosen: argparse.Namespace) -> None:
    """Make the corpus in a process of its own, so that this one stays small."""
    options = {
        "--records": chosen.records,
        "--seed": chosen.seed,
        "--hostile-share": chosen.hostile_share,
        "--long-share": chosen.long_share,
    }
    words = [str(word) for option in options.items() for word in option]
    subprocess.run([sys.executable, corpus.__file__, str(data), *words], check=True)


def measure_formatter(data: Path) -> list[dict[str, object]]:
    """Return what formatting alone costs, per preset: as it runs here, and in Python."""
    argv = [sys.executable, str(_FORMATTER_SCRIPT), str(data / corpus.RECORDS_FILE)]
    measured: list[dict[str, object]] = []
    for env in ({}, {"NSS_PURE": "1"}):
        told = subprocess.run(argv, env=os.environ | env, check=True, stdout=subprocess.PIPE)
        measured += orjson.loads(told.stdout)
    order = {one["preset"]: at for at, one in reversed([*enumerate(measured)])}
    return sorted(measured, key=lambda one: order[one["preset"]])


def main() -> int:
    """Measure, print, and return 1 when a case failed or lost records."""
    chosen = arguments()
    cases = chosen.only or CASES
    found_disk = disk.disk(chosen.disk)
    chosen.disk = found_disk.folder
    with tempfile.TemporaryDirectory(prefix="nss-bench-corpus-") as folder:
        data = Path(folder)
        write_corpus(data, chosen)
        corpus_bytes = (data / corpus.RECORDS_FILE).stat().st_size
        running = [case for case in CASES if case in cases and case != FORMATTER]
        outcomes = measure_cases(running, data, chosen)
        formatting = measure_formatter(data) if FORMATTER in cases else []
    if chosen.json:
        whole = {
            "machine": {
                "cpus": os.cpu_count(),
                "kernel": platform.release(),
                "python": platform.python_version(),
            },
            "disk": found_disk.as_json(),
            "corpus": {"records": chosen.records, "bytes": corpus_bytes, "seed": chosen.seed},
            "cases": [one.as_json() for one in outcomes],
            "formatter": formatting,
        }
        print(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        each_bytes = corpus_bytes / chosen.records
        print(f"{chosen.records:,} records, {each_bytes:,.0f} bytes each; {found_disk}")
        if outcomes:
            print(table(outcomes))
        if formatting:
            print(formatter_table(formatting))
    return int(any(one.run is None and not one.skipped for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
