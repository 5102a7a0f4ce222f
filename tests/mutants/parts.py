"""The parts of `modules.toml`: modules, and the tests that have to kill their mutants."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
WORK = PROJECT / "build" / "mutants"


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


def choose(declared: Iterable[Part], wanted: Sequence[str]) -> list[Part]:
    """Return the parts with these names, and parts of only these modules; all if nothing is wanted.

    Raises `SystemExit` for a name that is neither.
    """
    chosen: list[Part] = []
    unknown = set(wanted)
    for part in declared:
        modules = [module for module in part.modules if module in unknown]
        if part.name in unknown or not wanted:
            chosen.append(part)
        elif modules:
            chosen.append(replace(part, modules=modules))
        unknown -= {part.name, *modules}
    if unknown:
        raise SystemExit(f"neither a part nor a module of modules.toml: {', '.join(unknown)}")
    return chosen


def dotted(module: str) -> str:
    """Return how a module is imported."""
    return module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def module_of(function: str, declared: Sequence[Part]) -> str | None:
    """Return the module that a function is in, if it is one of those that are tested."""
    modules = {dotted(module): module for part in declared for module in part.modules}
    owners = [name for name in modules if function.startswith(f"{name}.")]
    return modules[max(owners, key=len)] if owners else None
