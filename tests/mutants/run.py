"""Mutation testing: which small faults in the code would the tests not notice? `make mutants`.

mutmut makes the mutants: each is one small change in one function. Those that mypy refuses are not
counted; each of the others is run against the tests of its module, and must make one of them fail.
`modules.toml` says which tests those are; `accepted.toml` lists the mutants that change nothing
that anybody could notice, with the reason. The table goes to docs/mutants.md. The exit code is 1
if a module is below the wanted share, or a reason stands there for a mutant that is no more.

    make mutants                       everything; some hours on two cores
    make mutants ONLY="files tcp"      these parts of modules.toml
    make mutants ONLY=tcp AGAIN=1      of the last run, those that no test killed, with new tests
    make mutants SAMPLE=20 SEED=7      20 mutants of each part; says what it found, writes nothing
"""

import argparse
import ast
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import mutmut.mutation.file_mutation

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
WORK = PROJECT / "build" / "mutants"
TABLE = PROJECT / "docs" / "mutants.md"
WANTED = 95
"""How many of a hundred mutants that are not accepted must be killed."""

KILLED = {1, 3, 24, -24, 152, 255, 36}
"""Exit codes that mutmut records for: a test failed, pytest broke, the time was over."""
REFUSED = 37
"""The exit code that it records for what mypy refuses."""

LINKED = ("benchmarks", "cli", "docs", "formats", "mkdocs.yml", "nss", "packaging", "tests")
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
    packaging
pytest_add_cli_args=
    -p
    no:cacheprovider
pytest_add_cli_args_test_selection=
    {tests}
type_check_command=
    {mypy}
process_isolation=forkserver
timeout_constant=2.0
timeout_multiplier=4
use_git_change_detection=false
"""

_SPINNER = re.compile("[\u2800-\u28ff] ")
_MUTANT = re.compile(r"(?P<module>[\w.]+)\.x(?:_|ǁ(?P<class>\w+)ǁ)(?P<name>\w+?)__mutmut_\w+$")


@dataclass(frozen=True)
class Part:
    """Modules that are tested by the same test files."""

    name: str
    modules: Sequence[str]
    tests: Sequence[str]

    @property
    def folder(self) -> Path:
        """Where mutmut works on it."""
        return WORK / self.name


@dataclass(frozen=True)
class Change:
    """What a mutant changes: the lines of a function before and after, joined."""

    function: str
    before: str
    after: str


@dataclass(frozen=True)
class Accepted:
    """Mutants that need not be killed: single ones, and texts that may be others everywhere."""

    changes: Sequence[Change]
    everywhere: Sequence[tuple[str, str]]

    def covers(self, change: Change) -> bool:
        """Return whether a mutant is accepted."""
        return change in self.changes or any(
            change.after == change.before.replace(before, after)
            for before, after in self.everywhere
            if before in change.before
        )


@dataclass
class Row:
    """What came of the mutants of one module."""

    module: str
    mutants: int = 0
    killed: int = 0
    accepted: int = 0
    survivors: list[Change] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """How many of a hundred were killed, of those that are not accepted."""
        to_kill = self.mutants - self.accepted
        return 100 * self.killed / to_kill if to_kill else 100.0


def parts() -> list[Part]:
    """Return what modules.toml declares, its patterns resolved."""
    declared = tomllib.loads((HERE / "modules.toml").read_text())
    return [Part(name, found(of["modules"]), of["tests"]) for name, of in declared.items()]


def found(patterns: Iterable[str]) -> list[str]:
    """Return the modules that patterns stand for; those with a "!" in front are left out."""
    chosen: dict[str, None] = {}
    for pattern in patterns:
        matching = [str(path.relative_to(PROJECT)) for path in PROJECT.glob(pattern.lstrip("!"))]
        if not matching:
            raise SystemExit(f"modules.toml: {pattern} is no module")
        for path in sorted(matching):
            if pattern.startswith("!"):
                chosen.pop(path, None)
            else:
                chosen[path] = None
    return list(chosen)


def read_accepted() -> Accepted:
    """Return what accepted.toml lists; an entry without a reason is an error."""
    listed = tomllib.loads((HERE / "accepted.toml").read_text())
    entries = [(entry, entry["reason"]) for kind in listed.values() for entry in kind]
    if not all(reason.strip() for _, reason in entries):
        raise SystemExit("accepted.toml: a reason is missing")
    return Accepted(
        [Change(each["function"], each["before"], each["after"]) for each in listed["accepted"]],
        [(each["before"], each["after"]) for each in listed["everywhere"]],
    )


def prepare(part: Part) -> None:
    """Make the folder in which mutmut works on a part: the project, linked, and its settings."""
    part.folder.mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        (part.folder / name).unlink(missing_ok=True)
        (part.folder / name).symlink_to(PROJECT / name)
    shutil.copy(PROJECT / "pyproject.toml", part.folder)
    mypy = [sys.executable, "-m", "mypy", "--output", "json", "--cache-dir", str(WORK / "mypy")]
    mypy += ["--disable-error-code", "unused-ignore", *part.modules]
    lines = {"modules": part.modules, "tests": part.tests, "mypy": mypy}
    settings = {name: "\n    ".join(values) for name, values in lines.items()}
    (part.folder / "setup.cfg").write_text(SETUP.format(**settings))


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
    names: list[str] = []
    for module in part.modules:
        made = mutmut.mutation.file_mutation.mutate_file_contents(
            module, (PROJECT / module).read_text()
        )
        names += [f"{dotted(module)}.{name}" for name in made.mutant_names]
    return names


def sample(part: Part, count: int, seed: int) -> list[str]:
    """Return the names of some mutants of a part, the same for the same seed."""
    os.chdir(part.folder)  # where mutmut reads its settings
    every = mutants_of(part)
    return random.Random(seed).sample(every, min(count, len(every)))


def run(part: Part, names: Sequence[str], processes: int) -> None:
    """Have mutmut test these mutants of a part, or all. Raises `SystemExit` if it can't."""
    mutmut_here = [str(Path(sys.executable).with_name("mutmut")), "run"]
    log = part.folder / "log"
    with log.open("wb") as output:
        ended = subprocess.run(  # noqa: S603 - of the test environment
            [*mutmut_here, "--max-children", str(processes), *names],
            cwd=part.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        said = "".join(line for line in log.open() if not _SPINNER.match(line))
        raise SystemExit(f"{part.name}: mutmut did not run:\n{said[-4000:]}")


def verdicts(part: Part, module: str) -> dict[str, int | None]:
    """Return what mutmut recorded for each mutant of a module."""
    recorded = (part.folder / "mutants" / f"{module}.meta").read_text()
    codes: dict[str, int | None] = json.loads(recorded)["exit_code_by_key"]
    return codes


def changes(part: Part, module: str) -> dict[str, Change]:
    """Return what each mutant of a module changes, by the name of the mutant."""
    text = (part.folder / "mutants" / module).read_text()
    lines = text.splitlines()
    written: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            own = lines[node.lineno - 1 : node.end_lineno]
            written[node.name] = [line.strip().replace(node.name, "_") for line in own]
    return {
        f"{dotted(module)}.{name}": change(
            f"{dotted(module)}.{name}", written[original(name)], mutated
        )
        for name, mutated in written.items()
        if name != original(name)
    }


def original(name: str) -> str:
    """Return how mutmut calls the function that a mutant was made of."""
    return name.rpartition("__mutmut_")[0] + "__mutmut_orig"


def change(mutant: str, before: list[str], after: list[str]) -> Change:
    """Return how a mutant differs."""
    parts_of = _MUTANT.match(mutant)
    assert parts_of is not None, mutant
    function = ".".join(filter(None, parts_of.group("module", "class", "name")))
    lines = list(difflib.ndiff(before, after))
    taken, put = (
        " ".join(line[2:] for line in lines if line.startswith(mark)) for mark in ("- ", "+ ")
    )
    return Change(function, taken, put)


def judge(part: Part, known: Accepted) -> Iterator[Row]:
    """Count what came of the mutants that were run, module by module."""
    for module in part.modules:
        row = Row(module)
        made = changes(part, module)
        for name, code in verdicts(part, module).items():
            if code is None or code == REFUSED:
                continue
            row.mutants += 1
            if code in KILLED:
                row.killed += 1
            elif known.covers(made[name]):
                row.accepted += 1
            else:
                row.survivors.append(made[name])
        if row.mutants:
            yield row


def stale(part: Part, known: Accepted, declared: Sequence[Part]) -> Iterator[str]:
    """Say which accepted mutants of a part are none, or are killed whenever they were run."""
    outcomes: dict[Change, set[int | None]] = {}
    for module in part.modules:
        made = changes(part, module)
        for name, code in verdicts(part, module).items():
            outcomes.setdefault(made[name], set()).add(code)
    for entry in known.changes:
        owner = module_of(entry.function, declared)
        if owner is not None and owner not in part.modules:
            continue
        if entry not in outcomes:
            yield f"accepted, but no such mutant is made: {entry}"
        elif outcomes[entry] <= KILLED | {REFUSED}:
            yield f"accepted, but it is killed: {entry}"


def dotted(module: str) -> str:
    """Return how a module is imported."""
    return module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def module_of(function: str, declared: Sequence[Part]) -> str | None:
    """Return the module that a function is in, if it is one of those that are tested."""
    modules = {dotted(module): module for part in declared for module in part.modules}
    owners = [name for name in modules if function.startswith(f"{name}.")]
    return modules[max(owners, key=len)] if owners else None


def written(rows: Iterable[Row]) -> str:
    """Return the lines of the table."""
    return "".join(
        f"| {row.module} | {row.mutants} | {row.killed} | {row.accepted} | {row.percent:.1f} |\n"
        for row in rows
    )


def update(rows: Iterable[Row], modules: Iterable[str]) -> None:
    """Put rows into the table of docs/mutants.md; those of modules that are no more go."""
    head, mark, table = TABLE.read_text().partition("| --- | ---: | ---: | ---: | ---: |\n")
    lines = {line.split("|")[1].strip(): f"{line}\n" for line in table.splitlines()}
    lines |= {row.module: written([row]) for row in rows}
    kept = set(modules)
    TABLE.write_text(head + mark + "".join(lines[name] for name in sorted(lines) if name in kept))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("only", nargs="*", help="parts of modules.toml; all without any")
    parser.add_argument("--sample", type=int, default=0, help="mutants of each part; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="only what survived the last run")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    declared = parts()
    unknown = set(chosen.only) - {part.name for part in declared}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    known, rows, problems = read_accepted(), list[Row](), list[str]()
    for part in declared:
        if chosen.only and part.name not in chosen.only:
            continue
        sys.stderr.write(f"{part.name}: {', '.join(part.modules)}\n")
        names: list[str] = []
        if chosen.sample:
            part = replace(part, name=f"{part.name}-sample")  # noqa: PLW2901 - a folder of its own
        if chosen.again:
            forget_survivors(part)
        else:
            shutil.rmtree(part.folder, ignore_errors=True)
        prepare(part)
        if chosen.sample:
            names = sample(part, chosen.sample, chosen.seed)
        run(part, names, chosen.processes)
        rows += judge(part, known)
        problems += stale(part, known, declared)
    for survivor in (survivor for row in rows for survivor in row.survivors):
        sys.stdout.write(f"{survivor.function}\n  - {survivor.before}\n  + {survivor.after}\n")
    sys.stdout.write(f"| module | mutants | killed | accepted | % |\n{written(rows)}")
    problems += [f"{row.module}: {row.percent:.1f} %" for row in rows if row.percent < WANTED]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    if not chosen.sample:
        update(rows, (module for part in declared for module in part.modules))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
