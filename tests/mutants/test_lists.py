"""What `make mutants` reads: modules and tests that are there, mutants that can be made."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
PARTS: dict[str, dict[str, list[str]]] = tomllib.loads((HERE / "modules.toml").read_text())
LISTED: dict[str, list[dict[str, Any]]] = tomllib.loads((HERE / "accepted.toml").read_text())
MODULES = sorted(
    {path for part in PARTS.values() for each in part["modules"] for path in PROJECT.glob(each)}
)


def function_text(name: str) -> str:
    """Return the lines of a function, joined by blanks."""
    owners = {
        ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in MODULES
    }
    module = max((each for each in owners if name.startswith(f"{each}.")), key=len)
    text = owners[module].read_text()
    scope: ast.AST = ast.parse(text)
    for part in name.removeprefix(f"{module}.").split("."):
        (scope,) = (
            node for node in ast.iter_child_nodes(scope) if getattr(node, "name", "") == part
        )
    assert isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
    return " ".join(map(str.strip, text.splitlines()[scope.lineno - 1 : scope.end_lineno]))


@pytest.mark.parametrize("part", PARTS)
def test_modules_and_tests_are_there(part: str) -> None:
    assert [each for each in PARTS[part]["modules"] if not list(PROJECT.glob(each))] == []
    assert [each for each in PARTS[part]["tests"] if not (PROJECT / each).exists()] == []


def test_each_module_is_in_one_part() -> None:
    found = [
        path for part in PARTS.values() for each in part["modules"] for path in PROJECT.glob(each)
    ]
    assert sorted(found) == MODULES


@pytest.mark.parametrize("entry", LISTED["accepted"], ids=lambda entry: entry["function"])
def test_what_an_accepted_mutant_changes_is_there_and_has_a_reason(entry: dict[str, str]) -> None:
    name = entry["function"].rpartition(".")[2]
    text = function_text(entry["function"]).replace(f"def {name}(", "def _(", 1)
    assert entry["before"] in text
    assert entry["before"] != entry["after"]
    assert len(entry["reason"].split()) > 2


def test_no_mutant_is_accepted_twice() -> None:
    keys = [(each["function"], each["before"], each["after"]) for each in LISTED["accepted"]]
    assert len(keys) == len(set(keys))
