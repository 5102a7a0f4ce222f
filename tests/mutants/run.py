"""Mutation testing: which small faults in the code would the tests not notice? `make mutants`.

mutmut makes the mutants: each is one small change in one function. Those that mypy refuses are not
counted; each of the others is run against the tests of its module, and must make one of them fail.
`modules.toml` says which tests those are; `accepted.toml` lists the mutants that change nothing
that anybody could notice, with the reason. The table goes to docs/mutants.md. The exit code is 1
if a module is below the wanted share, or a reason stands there for a mutant that is no more.

    make mutants                       everything; some hours on two cores
    make mutants ONLY="files tcp"      these parts of modules.toml; a module's path will do too
    make mutants ONLY=tcp AGAIN=1      of the last run, those that no test killed, with new tests
    make mutants QUICK=0.5             without tests that take longer, in seconds, for a first look
    make mutants SAMPLE=20 SEED=7      20 mutants of each part; with KEEP=1, for the second table
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mutmut.mutation.file_mutation

from tests.mutants import outcome, table
from tests.mutants.outcome import KILLED, REFUSED, Row
from tests.mutants.parts import PROJECT, WORK, Part, choose, dotted, parts
from tests.mutants.table import Sample

CHILDREN = """\
# Processes that tests start note nothing: they may be where mutmut finds no settings.
import os

if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    os.environ["MUTANT_UNDER_TEST"] = ""
"""

QUICKEST = """\
# The quickest tests come first: in this way of its, mutmut leaves them in no order.
import os
import pathlib

from mutmut.state import state

FAILED = pathlib.Path(__file__).with_name("failed")


def pytest_collection_modifyitems(items):
    took = {item: state().duration_by_test.get(item.nodeid, 0.0) for item in items}
    most_secs = float(os.environ.get("NSS_QUICK_SECS") or "inf")
    items[:] = sorted((item for item in items if took[item] <= most_secs), key=took.get)


def pytest_runtest_logreport(report):
    # mutmut ends, and doesn't say why, if a test fails without a mutant.
    if report.failed and os.environ.get("MUTANT_UNDER_TEST", "") in ("", "stats"):
        with FAILED.open("a") as failed:
            print(report.nodeid, report.longreprtext[-1000:], sep="\\n", file=failed)
"""

WANTED = 95
"""How many of a hundred mutants that are not accepted must be killed."""

LINKED = ("benchmarks", "cli", "docs", "formats", "mkdocs.yml", "nss", "tests")
SETUP = """\
[mutmut]
source_paths=
    cli
    formats
    nss
only_mutate=
    {modules}
also_copy=
    benchmarks
    docs
    mkdocs.yml
    sitecustomize.py
pytest_add_cli_args=
    -p
    no:cacheprovider
    --timeout
    30
    -p
    quickest
    -W
    ignore::pytest.PytestUnraisableExceptionWarning
    -k
    not uvloop
pytest_add_cli_args_test_selection=
    {tests}
type_check_command=
    {mypy}
process_isolation=forkserver
timeout_constant=2.0
timeout_multiplier={patience}
use_git_change_detection=false
"""

MUTMUT = Path(sys.executable).with_name("mutmut")
PATIENCE = 4
"""How many times as long as its tests took (and 2 seconds) a mutant may take, by the clock."""
MORE_PATIENCE = 20
"""The same for a mutant that had not enough time, when it runs again, alone."""

_SPINNER = re.compile("[\u2800-\u28ff] ")


def prepare(part: Part, *, again: bool = False) -> None:
    """Make the folder in which mutmut works on a part, anew or `again` for what survived there."""
    if again:
        forget_survivors(part)
    else:
        shutil.rmtree(part.folder, ignore_errors=True)
    part.folder.mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        (part.folder / name).unlink(missing_ok=True)
        (part.folder / name).symlink_to(PROJECT / name)
    shutil.copy(PROJECT / "pyproject.toml", part.folder)
    (part.folder / "path").mkdir(exist_ok=True)
    # Beside the project as well: tests start processes with that as their path.
    for folder in (part.folder, part.folder / "path"):
        (folder / "sitecustomize.py").write_text(CHILDREN)
    (part.folder / "path" / "quickest.py").write_text(QUICKEST)
    (part.folder / "path" / "failed").unlink(missing_ok=True)
    set_up(part, PATIENCE)


def set_up(part: Part, patience: int) -> None:
    """Write the settings of mutmut for a part."""
    mypy = [sys.executable, "-m", "mypy", "--output", "json", "--cache-dir", str(WORK / "mypy")]
    mypy += ["--disable-error-code", "unused-ignore", *part.modules]
    lines = {"modules": part.modules, "tests": part.tests, "mypy": mypy}
    settings = {name: "\n    ".join(values) for name, values in lines.items()}
    (part.folder / "setup.cfg").write_text(SETUP.format(**settings, patience=patience))


def forget_survivors(part: Part) -> None:
    """Have mutmut run those that no test killed the last time, with the tests as they are now."""
    made = part.folder / "mutants"
    shutil.rmtree(made / "tests", ignore_errors=True)
    (made / "mutmut-stats.json").unlink(missing_ok=True)
    for recorded in made.rglob("*.meta"):
        found = json.loads(recorded.read_text())
        codes = found["exit_code_by_key"]
        done = KILLED | {REFUSED}
        found["exit_code_by_key"] = {k: code if code in done else None for k, code in codes.items()}
        recorded.write_text(json.dumps(found))


def mutants_of(part: Part) -> list[str]:
    """Return the names of all mutants that mutmut makes of a part."""
    os.chdir(part.folder)  # where mutmut reads its settings
    names: list[str] = []
    for module in part.modules:
        made = mutmut.mutation.file_mutation.mutate_file_contents(
            module, (PROJECT / module).read_text()
        )
        names += [f"{dotted(module)}.{name}" for name in made.mutant_names]
    return names


def run(part: Part, names: Sequence[str], processes: int, program: Path = MUTMUT) -> None:
    """Have mutmut test these mutants of a part, or all. Raises `SystemExit` if it can't.

    On a busy machine, time can be over for no fault of a mutant: those that had not enough run
    again, alone and with more of it. What they come to then holds.
    """
    _run(part, [str(program), "run", "--max-children", str(processes), *names])
    slow = outcome.timed_out(part)
    if slow:
        sys.stderr.write(f"{part.name}: {len(slow)} had not enough time, and run again\n")
        set_up(part, MORE_PATIENCE)
        _run(part, [str(program), "run", "--max-children", "1", *slow])


def _run(part: Part, command: Sequence[str]) -> None:
    log = part.folder / "log"
    paths = [str(part.folder / "path"), *filter(None, [os.environ.get("PYTHONPATH")])]
    with log.open("wb") as output:
        ended = subprocess.run(  # noqa: S603 - of the test environment
            command,
            cwd=part.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        lines = log.read_text().splitlines(keepends=True)
        said = "".join(line for line in lines if not _SPINNER.match(line))
        failed = part.folder / "path" / "failed"
        said = said[-4000:] + (failed.read_text() if failed.exists() else "")
        raise SystemExit(f"{part.name}: mutmut did not run:\n{said}")


def whole(part: Part, processes: int, *, again: bool) -> list[Row]:
    """Run all mutants of a part, or `again` those that survived. Returns a row for each module."""
    prepare(part, again=again)
    run(part, [], processes)
    return list(outcome.judge(part, outcome.read_accepted()))


def sampled(part: Part, count: int, seed: int, processes: int, *, again: bool) -> Sample:
    """Run some mutants of a part, in a folder of their own, or `again` those that survived."""
    apart = replace(part, name=f"{part.name}-sample")
    prepare(apart, again=again)
    every = mutants_of(apart)
    names = random.Random(seed).sample(every, min(count, len(every)))
    if again:
        names = outcome.undecided(apart, names)
    if names:
        run(apart, names, processes)
    rows = list(outcome.judge(apart, outcome.read_accepted()))
    return Sample(outcome.total(part.name, rows), len(every), seed)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", help="parts or modules of modules.toml; all without any")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each part; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", action="store_true", help="write what a sample found to the table"
    )
    parser.add_argument("--again", action="store_true", help="only what survived the last run")
    parser.add_argument(
        "--quick",
        type=float,
        help="leave out tests that take more than so many seconds; the table is kept",
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    if chosen.quick:
        os.environ["NSS_QUICK_SECS"] = str(chosen.quick)
    declared, known = parts(), outcome.read_accepted()
    rows, samples, problems = list[Row](), list[Sample](), list[str]()
    for part in choose(declared, chosen.only):
        sys.stderr.write(f"{part.name}: {', '.join(part.modules)}\n")
        if chosen.sample:
            of = sampled(part, chosen.sample, chosen.seed, chosen.processes, again=chosen.again)
            samples.append(of)
        else:
            rows += whole(part, chosen.processes, again=chosen.again)
            problems += outcome.stale(part, known, declared)
    results = rows + [sample.row for sample in samples]
    for survivor in (survivor for row in results for survivor in row.survivors):
        sys.stdout.write(f"{survivor.function}\n  - {survivor.before}\n  + {survivor.after}\n")
    sys.stdout.write(table.MODULES_HEAD + table.written(rows) if rows else "")
    sys.stdout.write(table.SAMPLES_HEAD + table.drawn(samples) if samples else "")
    problems += [f"{row.name}: {row.percent:.1f} %" for row in results if row.percent < WANTED]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    if (rows or chosen.keep) and not chosen.quick:
        table.update(rows, samples, declared)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
