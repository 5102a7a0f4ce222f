"""The two tables of docs/mutants.md: modules that were run whole, and samples of parts."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.outcome import Row
from tests.mutants.parts import PROJECT, Part

TABLE = PROJECT / "docs" / "mutants.md"
MODULES_HEAD = "| module | mutants | killed | accepted | % |\n| --- | ---: | ---: | ---: | ---: |\n"
SAMPLES_HEAD = (
    "| part | drawn | seed | mutants | killed | accepted | % |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
)


@dataclass(frozen=True)
class Sample:
    """What came of some mutants of a part."""

    row: Row
    made: int
    """How many mutants the part has, those that mypy refuses counted too."""
    seed: int


def written(rows: Iterable[Row]) -> str:
    """Return the lines of modules."""
    return "".join(
        f"| {row.name} | {row.mutants} | {row.killed} | {row.accepted} | {row.percent:.1f} |\n"
        for row in rows
    )


def drawn(samples: Iterable[Sample]) -> str:
    """Return the lines of samples."""
    return "".join(
        f"| {row.name} | {row.mutants + row.refused} of {sample.made} | {sample.seed}"
        f" | {row.mutants} | {row.killed} | {row.accepted} | {row.percent:.1f} |\n"
        for sample in samples
        for row in [sample.row]
    )


def update(
    rows: Iterable[Row], samples: Iterable[Sample], declared: Sequence[Part], path: Path = TABLE
) -> None:
    """Put rows of modules and samples of parts into the tables of a page.

    Modules and parts that `declared` has no more go, and the sample of a part of which every
    module with mutants got a row now.
    """
    rows = list(rows)
    head, first, rest = path.read_text().partition(MODULES_HEAD)
    table, gap, rest = rest.partition("\n\n")
    between, second, sampled = rest.partition(SAMPLES_HEAD)
    run = {row.name for row in rows}
    unfinished = [part for part in declared if not run.intersection(part.modules)]
    modules = _lines(table) | {row.name: written([row]) for row in rows}
    parts = _lines(sampled) | {sample.row.name: drawn([sample]) for sample in samples}
    path.write_text(
        head
        + first
        + _ordered(modules, {module for part in declared for module in part.modules}).rstrip("\n")
        + gap
        + between
        + second
        + _ordered(parts, {part.name for part in unfinished})
    )


def _ordered(lines: dict[str, str], kept: Container[str]) -> str:
    return "".join(lines[name] for name in sorted(lines) if name in kept)


def _lines(table: str) -> dict[str, str]:
    """Return the lines of a table by what they begin with."""
    return {line.split("|")[1].strip(): f"{line}\n" for line in table.splitlines()}
