"""What came of mutants: what mutmut recorded, and which of the rest are accepted."""

import ast
import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.mutants.parts import HERE, Part, dotted, module_of

TIMED_OUT = {24, -24, 152, 255, 36}
"""Exit codes that mutmut records when the time was over."""
KILLED = {1, 3} | TIMED_OUT
"""And when a test failed, or pytest broke."""
REFUSED = 37
"""The exit code that it records for what mypy refuses."""

_SQL = re.compile(
    r"""^[^"]*"[^"]*\b"""
    r"(?:SELECT|INSERT|UPDATE|DELETE|PRAGMA|CREATE|VACUUM|BEGIN|COMMIT|ROLLBACK|FROM|WHERE|AND|"
    r"""GROUP BY|ORDER BY|SAVEPOINT|RELEASE)\b[^"]*"[^"]*$"""
)
_SQL_TEXT = re.compile("'[^']*'")
_MUTANT = re.compile(r"(?P<module>[\w.]+)\.x(?:_|ǁ(?P<class>\w+)ǁ)(?P<name>\w+?)__mutmut_\w+$")


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
        """Return whether a mutant is accepted; SQL is the same in any case, but for its texts."""
        if _SQL.fullmatch(change.before) and _is_same_sql(change.before, change.after):
            return True
        return change in self.changes or any(
            change.after == change.before.replace(before, after)
            for before, after in self.everywhere
            if before in change.before
        )


def _is_same_sql(one: str, other: str) -> bool:
    same_words = one.upper() == other.upper()
    return same_words and _SQL_TEXT.findall(one) == _SQL_TEXT.findall(other)


@dataclass
class Row:
    """What came of the mutants of one module, or of a sample."""

    name: str
    mutants: int = 0
    killed: int = 0
    accepted: int = 0
    refused: int = 0
    survivors: list[Change] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """How many of a hundred were killed, of those that are not accepted."""
        to_kill = self.mutants - self.accepted
        return 100 * self.killed / to_kill if to_kill else 100.0


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


def verdicts(part: Part, module: str) -> dict[str, int | None]:
    """Return what mutmut recorded for each mutant of a module."""
    recorded = (part.folder / "mutants" / f"{module}.meta").read_text()
    codes: dict[str, int | None] = json.loads(recorded)["exit_code_by_key"]
    return codes


def timed_out(part: Part) -> list[str]:
    """Return the names of the mutants that had not enough time."""
    return [
        name
        for module in part.modules
        for name, code in verdicts(part, module).items()
        if code in TIMED_OUT
    ]


def undecided(part: Part, names: Sequence[str]) -> list[str]:
    """Return those of these mutants for which mutmut recorded nothing."""
    codes = [verdicts(part, module) for module in part.modules]
    return [name for name in names if not any(of.get(name) is not None for of in codes)]


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
            if code is None:
                continue
            if code == REFUSED:
                row.refused += 1
                continue
            row.mutants += 1
            if code in KILLED:
                row.killed += 1
            elif known.covers(made[name]):
                row.accepted += 1
            else:
                row.survivors.append(made[name])
        if row.mutants or row.refused:
            yield row


def total(name: str, rows: Sequence[Row]) -> Row:
    """Return the sum of rows."""
    return Row(
        name,
        sum(row.mutants for row in rows),
        sum(row.killed for row in rows),
        sum(row.accepted for row in rows),
        sum(row.refused for row in rows),
        [survivor for row in rows for survivor in row.survivors],
    )


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
